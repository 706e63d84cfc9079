#![deny(deprecated)]

use std::thread;
use std::time::Duration;

use dbos::{step, workflow};
use tokio::{task, time};

#[step]
async fn charge() -> dbos::Result<()> {
    Ok(())
}

#[workflow]
async fn tasks() -> dbos::Result<()> {
    tokio::spawn(async { charge().await }).await.ok();
    task::spawn(async {}).await.ok();
    tokio::task::spawn_blocking(|| {}).await.ok();
    thread::spawn(|| {}).join().ok();
    Ok(())
}

#[workflow]
async fn timers() -> dbos::Result<()> {
    tokio::time::sleep(Duration::ZERO).await;
    time::sleep(Duration::ZERO).await;
    std::thread::sleep(Duration::ZERO);
    time::timeout(Duration::ZERO, charge()).await.ok();
    tokio::select! {
        _ = charge() => {}
        _ = charge() => {}
    }
    Ok(())
}

#[workflow]
async fn branches() -> dbos::Result<()> {
    let both = async {
        charge().await?;
        charge().await
    };
    tokio::join!(both, async move { charge().await }).0
}

fn main() {
    drop((tasks(), timers(), branches()));
}
