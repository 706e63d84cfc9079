//! A statement whose answer is lost may have been executed or not. Either way it must count once.

use dbos::{DBOS, Event, Result, Topic, workflow};
use dbos_testkit::board::{open, pass, reached, runs_of, unique};
use dbos_testkit::{App, Database, Fault, Proxy, behaviours};

use crate::app::{config, count, doubled, order, shopping, with_orders};

behaviours! { unknown_commit:
    a_commit_of_a_transaction on postgres,
    the_fence_and_checkpoint_of_a_transaction on postgres,
    a_users_statement on postgres,
    a_begin on postgres,
    a_checkpoint on postgres,
    a_start on postgres,
    an_outcome on postgres,
    a_received_message on postgres,
    a_message_that_waited on postgres,
    a_checkpoint_with_an_event_or_a_message on postgres,
    a_child_start on postgres,
    a_claim on postgres,
    a_send_from_outside on postgres,
    a_cancel on postgres,
}

/// The ways to lose a statement or its answer.
fn losses(statement: &str) -> [Fault; 3] {
    [Fault::at(statement), Fault::at(statement).losing_the_reply(), Fault::at(statement).silencing_the_reply()]
}

/// Loses `statement` in each way, in turn, while a workflow shops.
async fn shopping_survives(database: Database, statement: &str) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(config(proxy.url())).await;
    with_orders(&database).await;

    for (number, fault) in losses(statement).into_iter().enumerate() {
        let (id, name) = (format!("shopping-{number}"), unique("shopping"));
        proxy.arm(fault.clone());

        let said = app.run(async { shopping(name.clone()).workflow_id(&id).await }).await;

        assert_eq!(said.unwrap(), "ordered milk", "{fault:?}");
        proxy.struck(number + 1).await;
        let orders = format!("SELECT count(*) FROM orders WHERE workflow = '{id}'");
        assert_eq!(database.count(&orders).await, 2, "{fault:?}");
        let steps =
            format!("SELECT count(*) FROM dbos.operation_outputs WHERE workflow_uuid = '{id}' AND error IS NULL");
        assert_eq!(database.count(&steps).await, 4, "{fault:?}");
        let ended = format!(
            "SELECT count(*) FROM dbos.workflow_status WHERE workflow_uuid = '{id}' AND status = 'SUCCESS' AND recovery_attempts = 1"
        );
        assert_eq!(database.count(&ended).await, 1, "{fault:?}");
        assert_eq!(runs_of(&name), 2, "{fault:?}");
    }
    assert!(doubled(&database).await.is_empty());
}

async fn a_commit_of_a_transaction(database: Database) {
    shopping_survives(database, "COMMIT").await;
}

async fn the_fence_and_checkpoint_of_a_transaction(database: Database) {
    shopping_survives(database, "dbos_engine.transaction', TRUE) = 'open'").await;
}

async fn a_users_statement(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let mut config = crate::app::config(proxy.url());
    config.transaction_deadline = std::time::Duration::from_secs(2);
    let app = App::launch(config).await;
    with_orders(&database).await;

    for (number, fault) in losses("INSERT INTO orders").into_iter().enumerate() {
        let id = format!("shopping-{number}");
        proxy.arm(fault.clone());

        let said = app.run(async { shopping(unique("shopping")).workflow_id(&id).await }).await;

        assert_eq!(said.unwrap(), "ordered milk", "{fault:?}");
        proxy.struck(number + 1).await;
    }
    assert_eq!(database.count("SELECT count(*) FROM orders").await, 6);
}

async fn a_begin(database: Database) {
    shopping_survives(database, "BEGIN").await;
}

async fn a_checkpoint(database: Database) {
    shopping_survives(database, "INSERT INTO dbos.operation_outputs").await;
}

async fn a_start(database: Database) {
    shopping_survives(database, "INSERT INTO dbos.workflow_input").await;
}

async fn an_outcome(database: Database) {
    shopping_survives(database, "INSERT INTO dbos.workflow_output").await;
}

const PAID: Topic<String> = Topic::new("paid");
const STATE: Event<String> = Event::new("state");

#[workflow]
async fn receiver() -> Result<Option<String>> {
    DBOS::recv(PAID, std::time::Duration::from_secs(30)).await
}

async fn a_received_message(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(config(proxy.url())).await;

    for (number, fault) in losses("UPDATE dbos.notifications").into_iter().enumerate() {
        let id = format!("receiver-{number}");
        proxy.arm(fault.clone());

        let message = app
            .run(async {
                let handle = DBOS::start_workflow(receiver()).workflow_id(&id).await.unwrap();
                DBOS::send(&id, "yes", PAID).await.unwrap();
                handle.result().await
            })
            .await;

        assert_eq!(message.unwrap().as_deref(), Some("yes"), "{fault:?}");
        proxy.struck(number + 1).await;
    }
    assert_eq!(database.count("SELECT count(*) FROM dbos.notifications WHERE consumed").await, 3);
    assert_eq!(
        database.count("SELECT count(*) FROM dbos.operation_outputs WHERE function_name = 'DBOS.recv'").await,
        3
    );
}

/// Receives once it may, with all the patience in the world.
#[workflow]
async fn late_receiver(name: String) -> Result<Option<String>> {
    pass(&name).await;
    DBOS::recv(PAID, std::time::Duration::from_hours(1)).await
}

/// The first look takes the message, and its answer is lost: the next look finds no message any more, but a
/// recorded step, and must not wait for another message until the time-out.
async fn a_message_that_waited(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(config(proxy.url())).await;

    for (number, fault) in losses("UPDATE dbos.notifications").into_iter().enumerate() {
        let name = unique("gate");
        let handle = app.run(async { DBOS::start_workflow(late_receiver(name.clone())).await.unwrap() }).await;
        app.run(async { DBOS::send(handle.workflow_id(), "yes", PAID).await.unwrap() }).await;
        proxy.arm(fault.clone());

        open(&name);

        assert_eq!(handle.result().await.unwrap().as_deref(), Some("yes"), "{fault:?}");
        proxy.struck(number + 1).await;
    }
}

#[workflow]
async fn talker(to: String) -> Result<()> {
    DBOS::set_event(STATE, "sending").await?;
    DBOS::send(to, "yes", PAID).await?;
    Ok(())
}

async fn a_checkpoint_with_an_event_or_a_message(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(config(proxy.url())).await;

    let mut struck = 0;
    for nth in [1, 2] {
        for fault in losses("INSERT INTO dbos.notifications") {
            let to = format!("receiver-{struck}");
            let receiving = app.run(async { DBOS::start_workflow(receiver()).workflow_id(&to).await.unwrap() }).await;
            proxy.arm(fault.nth(nth));

            app.run(async { talker(to.clone()).await.unwrap() }).await;

            assert_eq!(receiving.result().await.unwrap().as_deref(), Some("yes"));
            struck += 1;
            proxy.struck(struck).await;
        }
    }
    assert_eq!(database.count("SELECT count(*) FROM dbos.notifications").await, 6);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_events_history").await, 6);
}

#[workflow]
async fn child(name: String) -> Result<u32> {
    count(&name).await
}

#[workflow]
async fn parent(name: String) -> Result<u32> {
    child(name).await
}

async fn a_child_start(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(config(proxy.url())).await;

    for (number, fault) in losses("LEFT JOIN known ON TRUE").into_iter().enumerate() {
        let name = unique("child");
        proxy.arm(fault.clone());

        let runs = app.run(async { parent(name.clone()).workflow_id(format!("parent-{number}")).await }).await;

        assert_eq!(runs.unwrap(), 1, "{fault:?}");
        proxy.struck(number + 1).await;
    }
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'").await, 6);
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status").await, 6);
}

#[workflow]
async fn gated(name: String) -> Result<String> {
    pass(&name).await;
    order("tea").await
}

async fn a_claim(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let mut app = App::launch(config(proxy.url())).await;
    with_orders(&database).await;

    for (number, fault) in losses("SET owner_xid = $5").into_iter().enumerate() {
        let (id, name) = (format!("gated-{number}"), unique("gate"));
        app.run(async { DBOS::start_workflow(gated(name.clone())).workflow_id(&id).await.unwrap() }).await;
        reached(&name).await;
        app.crash().await;
        proxy.arm(fault.clone());
        open(&name);

        app.crash_and_relaunch().await;

        let said = app.run(async { DBOS::retrieve_workflow::<Result<String>>(&id).unwrap().result().await }).await;
        assert_eq!(said.unwrap(), "ordered tea", "{fault:?}");
        proxy.struck(number + 1).await;
    }
    assert!(doubled(&database).await.is_empty());
}

async fn a_send_from_outside(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(config(proxy.url())).await;

    for (number, fault) in losses("INSERT INTO dbos.notifications").into_iter().enumerate() {
        let handle = app.run(async { DBOS::start_workflow(receiver()).await.unwrap() }).await;
        proxy.arm(fault);

        app.run(async { DBOS::send(handle.workflow_id(), "yes", PAID).await.unwrap() }).await;

        assert_eq!(handle.result().await.unwrap().as_deref(), Some("yes"));
        proxy.struck(number + 1).await;
    }
    assert_eq!(database.count("SELECT count(*) FROM dbos.notifications").await, 3);
}

async fn a_cancel(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let app = App::launch(config(proxy.url())).await;

    for fault in losses("SET status = 'CANCELLED'") {
        let name = unique("gate");
        let handle = app.run(async { DBOS::start_workflow(gated(name.clone())).await.unwrap() }).await;
        reached(&name).await;
        proxy.arm(fault);

        app.run(async { DBOS::cancel_workflow(handle.workflow_id()).await.unwrap() }).await;

        assert!(matches!(handle.result().await, Err(dbos::Error::Cancelled { .. })));
    }
    assert_eq!(database.count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'CANCELLED'").await, 3);
}
