//! Lines that go silent without a word.

use std::time::{Duration, Instant};

use dbos::{DBOS, Event, Result, Topic, workflow};
use dbos_testkit::board::{open, pass, reached, unique};
use dbos_testkit::{App, Database, Proxy, behaviours};

use crate::app::{config, count, doubled, is_by_services, order, with_orders};

behaviours! { black_hole:
    every_kind_of_statement_is_given_up_and_repeated on postgres within 120,
    a_transaction_under_way_is_given_up_and_repeated on postgres,
    a_silent_connection_is_closed_and_not_lent_again on postgres,
    an_interrupted_line_costs_nothing_but_time on postgres,
    a_refusing_network_costs_nothing_but_time on postgres,
    a_server_that_lets_nobody_in_costs_nothing_but_time on postgres,
}

const STATE: Event<String> = Event::new("state");
const PAID: Topic<String> = Topic::new("paid");

#[workflow]
async fn everything(gate: String) -> Result<String> {
    pass(&gate).await;
    count(&gate).await?;
    DBOS::set_event(STATE, "begun").await?;
    order("tea").await?;
    DBOS::send(DBOS::workflow_id(), "yes", PAID).await?;
    DBOS::recv(PAID, Duration::from_secs(5)).await?;
    helper().await?;
    DBOS::sleep(Duration::from_millis(5)).await;
    order("milk").await
}

#[workflow]
async fn helper() -> Result<()> {
    order("sugar").await.map(drop)
}

/// What the network does wrong, and how it is mended.
async fn survives(database: &Database, proxy: &Proxy, app: &App, break_it: impl Fn(&Proxy)) {
    let gate = unique("gate");
    let handle = app.run(async { DBOS::start_workflow(everything(gate.clone())).await.unwrap() }).await;
    reached(&gate).await;

    break_it(proxy);
    open(&gate);
    let (result, ()) = tokio::join!(handle.result(), async {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        proxy.pass();
    });

    assert_eq!(result.unwrap(), "ordered milk");
    assert!(doubled(database).await.is_empty());
}

fn patient(url: &str) -> dbos::Config {
    let mut config = config(url);
    config.transaction_deadline = Duration::from_secs(2);
    config
}

async fn every_kind_of_statement_is_given_up_and_repeated(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(patient(proxy.url())).await;
    with_orders(&database).await;
    // One run tells how many statements there are; then the line dies before each of them.
    let gate = unique("gate");
    open(&gate);
    let before = proxy.statements().len();
    app.run(async { everything(gate).await.unwrap() }).await;
    let statements = proxy.statements().split_off(before);
    let texts: std::collections::BTreeSet<_> = statements
        .iter()
        .filter(|text| !is_by_services(text))
        .map(|text| text.chars().take(400).collect::<String>())
        .collect();
    assert!(texts.len() > 8, "{texts:#?}");

    for text in &texts {
        let gate = unique("gate");
        open(&gate);
        proxy.arm(dbos_testkit::Fault::at(text.clone()).silencing_the_reply());
        let started = Instant::now();
        let said = app.run(async { everything(gate).await }).await;
        assert_eq!(said.unwrap(), "ordered milk", "{text}");
        assert!(started.elapsed() < Duration::from_secs(8), "{:?} for {text}", started.elapsed());
    }
    println!("{} kinds of statements silenced", texts.len());
    assert!(doubled(&database).await.is_empty());
}

async fn a_transaction_under_way_is_given_up_and_repeated(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(patient(proxy.url())).await;
    with_orders(&database).await;
    survives(&database, &proxy, &app, Proxy::swallow).await;
    survives(&database, &proxy, &app, Proxy::swallow_replies).await;
}

async fn a_silent_connection_is_closed_and_not_lent_again(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(config(proxy.url())).await;
    with_orders(&database).await;
    survives(&database, &proxy, &app, Proxy::swallow).await;

    // Whatever was open while the line was dead is deaf for ever: if one were lent, it would cost the
    // deadline.
    for _ in 0..20 {
        let gate = unique("gate");
        open(&gate);
        let started = Instant::now();
        app.run(async { count(&gate).await.unwrap() }).await;
        app.run(async { helper().await.unwrap() }).await;
        assert!(started.elapsed() < config("").statement_deadline, "{:?}", started.elapsed());
    }
}

async fn an_interrupted_line_costs_nothing_but_time(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(patient(proxy.url())).await;
    with_orders(&database).await;

    survives(&database, &proxy, &app, Proxy::hold).await;
    survives(&database, &proxy, &app, Proxy::reset_all).await;
}

async fn a_refusing_network_costs_nothing_but_time(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(patient(proxy.url())).await;
    with_orders(&database).await;

    survives(&database, &proxy, &app, Proxy::refuse).await;
}

async fn a_server_that_lets_nobody_in_costs_nothing_but_time(database: Database) {
    let app = App::launch(config(database.url())).await;
    with_orders(&database).await;
    let gate = unique("gate");
    let handle = app.run(async { DBOS::start_workflow(everything(gate.clone())).await.unwrap() }).await;
    reached(&gate).await;
    let name = database.url().rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let elsewhere = dbos_testkit::Database::fresh(dbos_testkit::Backend::Postgres).await;

    let kick = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    elsewhere.execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    elsewhere.execute(&kick).await;
    open(&gate);
    tokio::time::sleep(Duration::from_secs(1)).await;
    elsewhere.execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;

    assert_eq!(handle.result().await.unwrap(), "ordered milk");
}
