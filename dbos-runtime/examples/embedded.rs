//! The engine in a program of one's own: no server, no command line, and one database if that is enough.

use dbos::{Config, DBOS, Result, step, workflow};

#[step]
async fn greeting(name: &str) -> String {
    format!("Hello, {name}!")
}

#[workflow]
async fn welcome(name: String) -> Result<String> {
    Ok(greeting(&name).await)
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut config = Config::new("embedded");
    config.database_url = std::env::var("DBOS_DATABASE_URL").ok();
    let engine = DBOS::launch(config).await?;

    println!("{}", welcome("world".to_owned()).await?);

    engine.shutdown().await;
    Ok(())
}
