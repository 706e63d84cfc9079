//! An application whose functions ask for what `main` provides, if it is told to: `PROVIDE` is the name of the sender. It
//! greets once if there is `GREET`.

#![allow(clippy::disallowed_methods, reason = "tests are not replayed")]

use std::sync::atomic::{AtomicU32, Ordering};

use dbos::{DBOS, Result, Tx, get_api, step, transaction, workflow};

struct Mailer {
    sender: String,
}

#[derive(Default)]
struct Counter(AtomicU32);

#[step(retries = 1)]
async fn mail(#[state] mailer: &Mailer, to: &str, #[state] Counter(count): &Counter) -> Result<String> {
    Ok(format!("{} to {to}, {}", mailer.sender, count.fetch_add(1, Ordering::Relaxed)))
}

#[transaction]
async fn sender_of(_tx: &mut Tx, #[state] mailer: &Mailer, prefix: String) -> Result<String> {
    Ok(format!("{prefix}{}", mailer.sender))
}

#[workflow]
async fn greet(#[state] mailer: &Mailer, to: String) -> Result<String> {
    let first = mail(&to).await?;
    Ok(format!("{first}; {}; {}", sender_of("from ".to_owned()).await?, mailer.sender))
}

#[get_api("/sender")]
async fn sender(#[state] mailer: &Mailer) -> String {
    mailer.sender.clone()
}

#[dbos::main]
async fn main() -> Result<()> {
    if let Ok(sender) = std::env::var("PROVIDE") {
        DBOS::provide(Mailer { sender });
        DBOS::provide(Counter::default());
    }
    if std::env::var_os("GREET").is_some() {
        println!("greeted: {}", greet("bob".to_owned()).await?);
    }
    Ok(())
}
