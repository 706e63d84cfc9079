//! Streams: values that a workflow appends, for whoever reads them as they come.

use dbos::{DBOS, Error, Result, StreamKey, Tx, get_api, http, step, transaction, workflow};
use dbos_testkit::board::{open, pass, ran, reached, unique};
use dbos_testkit::http::Request as Ask;
use dbos_testkit::{App, CrashTest, Database, behaviours};
use futures_util::TryStreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{config, rewind, steps};
use crate::http::serve;

behaviours! { streams:
    values_come_as_they_are_written_and_end_where_the_stream_is_closed,
    values_reach_a_reader_in_another_engine,
    a_reader_begins_at_any_offset_and_knows_where_it_is,
    a_stream_that_nobody_closes_ends_with_its_workflow,
    a_workflow_reads_again_what_it_read,
    no_value_is_missing_and_none_is_there_twice_wherever_it_crashes within 180,
    a_step_writes_in_each_attempt,
    a_value_written_in_a_transaction_commits_with_it,
    writers_side_by_side_leave_no_gap,
    what_is_no_value_of_a_stream_is_refused,
    a_reader_over_http_that_reconnects_misses_and_repeats_nothing,
    a_slow_reader_over_http_is_kept_no_more_than_it_takes,
}

const TOKENS: StreamKey<String> = StreamKey::new("tokens");
const NUMBERS: StreamKey<u32> = StreamKey::new("numbers");

#[step]
async fn streams_wait(gate: &str) {
    pass(gate).await;
}

/// Writes before and after the gate, closes, and goes on to another gate.
#[workflow]
async fn talks(gate: String) -> Result<()> {
    DBOS::write_stream(TOKENS, "one").await?;
    DBOS::write_stream(TOKENS, "two").await?;
    streams_wait(&gate).await;
    DBOS::write_stream(TOKENS, "three").await?;
    DBOS::close_stream(TOKENS).await?;
    streams_wait(&format!("{gate}-end")).await;
    Ok(())
}

async fn start(app: &App, id: &str, gate: &str) {
    app.run(async { DBOS::start_workflow(talks(gate.to_owned())).workflow_id(id).await }).await.expect("it starts");
}

async fn read(app: &App, id: &str) -> Vec<String> {
    app.run(async { DBOS::read_stream(id, TOKENS).try_collect().await }).await.expect("values")
}

async fn values_come_as_they_are_written_and_end_where_the_stream_is_closed(database: Database) {
    let app = App::launch(config(&database)).await;
    read_as_they_are_written(&app, &app).await;

    let rows = "SELECT value, \"offset\", function_id, serialization FROM dbos.streams ORDER BY \"offset\"";
    let rows =
        database.query(rows).await.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" "));
    let closed = "\"__DBOS_STREAM_CLOSED__\" 3 5 portable_json";
    assert_eq!(
        rows.collect::<Vec<_>>(),
        ["\"one\" 0 1 portable_json", "\"two\" 1 2 portable_json", "\"three\" 2 4 portable_json", closed]
    );
}

async fn values_reach_a_reader_in_another_engine(database: Database) {
    let mut settings = config(&database);
    if database.backend() == dbos_testkit::Backend::Sqlite {
        // Other processes on the same file poll.
        settings.poll_interval = std::time::Duration::from_millis(20);
    }
    let (writer, reader) = (App::launch(settings.clone()).await, App::launch(settings).await);
    read_as_they_are_written(&writer, &reader).await;
}

async fn read_as_they_are_written(writer: &App, reader: &App) {
    let gate = unique("talks");

    let mut tokens = reader.run(async { DBOS::read_stream("t", TOKENS) }).await;
    let early = tokio::spawn(async move {
        let first = (tokens.next().await.unwrap().unwrap(), tokens.next().await.unwrap().unwrap());
        (first, tokens)
    });
    start(writer, "t", &gate).await;
    let (first, mut tokens) = early.await.unwrap();
    reached(&gate).await;
    let rest = tokio::spawn(async move { (tokens.next().await.unwrap().unwrap(), tokens.next().await.is_none()) });
    open(&gate);

    assert_eq!(first, ("one".to_owned(), "two".to_owned()));
    assert_eq!(rest.await.unwrap(), ("three".to_owned(), true));
    open(&format!("{gate}-end"));
}

async fn a_reader_begins_at_any_offset_and_knows_where_it_is(database: Database) {
    let app = App::launch(config(&database)).await;
    let gate = unique("talks");
    open(&gate);
    open(&format!("{gate}-end"));
    start(&app, "t", &gate).await;

    let (second, offset, third) = app
        .run(async {
            let mut tokens = DBOS::read_stream("t", TOKENS).from_offset(1);
            let second = tokens.next().await.unwrap().unwrap();
            let offset = tokens.offset();
            (second, offset, DBOS::read_stream("t", TOKENS).from_offset(offset).next().await.unwrap().unwrap())
        })
        .await;

    assert_eq!((second.as_str(), offset, third.as_str()), ("two", 2, "three"));
    let beyond = app.run(async { DBOS::read_stream("t", TOKENS).from_offset(9).next().await.is_none() }).await;
    assert!(beyond, "the workflow is over");
}

#[workflow]
async fn counts_up(numbers: u32, gate: String) -> Result<()> {
    for number in 0..numbers {
        DBOS::write_stream(NUMBERS, number).await?;
    }
    streams_wait(&gate).await;
    Ok(())
}

/// With more values than are read at a time.
async fn a_stream_that_nobody_closes_ends_with_its_workflow(database: Database) {
    let app = App::launch(config(&database)).await;
    let all: Vec<u32> = (0..50).collect();

    for (id, cancelled) in [("ended", false), ("cancelled", true)] {
        let gate = unique("counts_up");
        let numbers = app.run(async {
            DBOS::start_workflow(counts_up(50, gate.clone())).workflow_id(id).await.unwrap();
            DBOS::read_stream(id, NUMBERS)
        });
        let numbers = tokio::spawn(numbers.await.try_collect::<Vec<_>>());
        reached(&gate).await;
        if cancelled {
            app.run(async { DBOS::cancel_workflow(id).await }).await.unwrap();
        } else {
            open(&gate);
        }
        assert_eq!(numbers.await.unwrap().unwrap(), all, "{id}");
    }
}

#[workflow]
async fn listens(to: String) -> Result<Vec<String>> {
    let mut tokens = DBOS::read_stream(to, TOKENS);
    let mut heard = Vec::new();
    while let Some(token) = tokens.next().await {
        heard.push(token?);
    }
    Ok(heard)
}

async fn a_workflow_reads_again_what_it_read(database: Database) {
    let mut app = App::launch(config(&database)).await;
    let gate = unique("talks");
    open(&gate);
    open(&format!("{gate}-end"));
    start(&app, "t", &gate).await;

    let heard = app.run(async { listens("t".to_owned()).workflow_id("l").await.unwrap() }).await;
    let recorded: Vec<_> = (1..=4).map(|step| (step, "DBOS.readStream".to_owned())).collect();
    assert_eq!(steps(&database, "l").await, recorded);
    app.crash().await;
    // What is recorded is read again, and the rest goes on behind it.
    rewind(&database, "l", "function_id <= 2").await;
    database.execute("UPDATE dbos.streams SET value = '\"changed\"' WHERE \"offset\" < 2").await;
    app.relaunch().await;
    let replayed = app.result::<Result<Vec<String>>>("l").await.unwrap();

    assert_eq!(heard, ["one", "two", "three"]);
    assert_eq!(replayed, heard);
}

#[transaction]
async fn streams_in_transaction(_tx: &mut Tx, number: u32, fail: bool) -> Result<()> {
    DBOS::write_stream(NUMBERS, number).await?;
    if fail { Err(Error::new("no")) } else { Ok(()) }
}

#[workflow]
async fn writes_everywhere() -> Result<()> {
    DBOS::write_stream(NUMBERS, 0_u32).await?;
    streams_in_transaction(1, false).await?;
    let (two, three) = tokio::join!(DBOS::write_stream(NUMBERS, 2_u32), DBOS::write_stream(NUMBERS, 3_u32));
    two.and(three)?;
    streams_in_transaction(9, true).await.ok();
    DBOS::write_stream(NUMBERS, 4_u32).await?;
    DBOS::close_stream(NUMBERS).await
}

async fn no_value_is_missing_and_none_is_there_twice_wherever_it_crashes(database: Database) {
    let backend = database.backend();
    let crash = move || {
        let crashes = CrashTest::on(backend).run(
            async |_| {
                let handle = DBOS::start_workflow(writes_everywhere()).workflow_id("w").await?;
                let read: Vec<u32> = DBOS::read_stream("w", NUMBERS).try_collect().await?;
                handle.result().await.map(|()| read)
            },
            async |database, read| {
                assert_eq!(read.unwrap(), [0, 1, 2, 3, 4]);
                assert_eq!(database.count("SELECT count(*) FROM dbos.streams").await, 6);
                assert_eq!(database.count("SELECT CAST(max(\"offset\") AS BIGINT) FROM dbos.streams").await, 5);
            },
        );
        // The row, four to five writes, two transactions, the close, the outcome.
        assert!(crashes.writes >= 8, "{crashes}");
    };
    tokio::task::spawn_blocking(crash).await.unwrap();
}

#[step(retries = 1, interval = "1ms")]
async fn stutters(name: &str) -> Result<()> {
    DBOS::write_stream(TOKENS, format!("attempt {}", DBOS::attempt())).await?;
    if ran(name) == 1 { Err(Error::new("again")) } else { Ok(()) }
}

#[workflow]
async fn lets_a_step_write(name: String) -> Result<()> {
    streams_wait(&name).await;
    stutters(&name).await?;
    DBOS::write_stream(TOKENS, "done").await
}

async fn a_step_writes_in_each_attempt(database: Database) {
    let app = App::launch(config(&database)).await;
    let name = unique("stutters");
    open(&name);

    app.run(async { lets_a_step_write(name).workflow_id("s").await.unwrap() }).await;

    assert_eq!(read(&app, "s").await, ["attempt 1", "attempt 2", "done"]);
    let of_steps = "SELECT function_id FROM dbos.streams ORDER BY \"offset\"";
    let of_steps: Vec<_> = database.query(of_steps).await.into_iter().flatten().flatten().collect();
    assert_eq!(of_steps, ["2", "2", "3"]);
    let recorded = steps(&database, "s").await.into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    assert_eq!(recorded, ["streams_wait", "stutters", "DBOS.writeStream"], "a step's writes take no step ids");
}

#[workflow]
async fn writes_in_transactions() -> Result<()> {
    streams_in_transaction(1, true).await.ok();
    streams_in_transaction(2, false).await
}

async fn a_value_written_in_a_transaction_commits_with_it(database: Database) {
    let app = App::launch(config(&database)).await;

    let read: Vec<u32> = app
        .run(async {
            writes_in_transactions().workflow_id("w").await.unwrap();
            DBOS::read_stream("w", NUMBERS).try_collect().await.unwrap()
        })
        .await;

    assert_eq!(read, [2]);
}

#[step]
async fn writes_some(base: u32) -> Result<()> {
    for number in 0..10 {
        DBOS::write_stream(NUMBERS, base + number).await?;
    }
    Ok(())
}

#[workflow]
async fn writes_side_by_side() -> Result<()> {
    let steps = futures_util::future::try_join_all((0..4).map(|writer| writes_some(writer * 100)));
    let own = async {
        for number in 0..10 {
            DBOS::write_stream(NUMBERS, 1000_u32 + number).await?;
        }
        Ok(())
    };
    tokio::try_join!(steps, own).map(drop)
}

async fn writers_side_by_side_leave_no_gap(database: Database) {
    let app = App::launch(config(&database)).await;

    let read: Vec<u32> = app
        .run(async {
            writes_side_by_side().workflow_id("w").await.unwrap();
            DBOS::read_stream("w", NUMBERS).try_collect().await.unwrap()
        })
        .await;

    assert_eq!(read.len(), 50);
    for writer in [0, 100, 200, 300, 1000] {
        let of_one: Vec<_> = read.iter().copied().filter(|number| (writer..writer + 10).contains(number)).collect();
        assert_eq!(of_one, (writer..writer + 10).collect::<Vec<_>>(), "in the order in which they were written");
    }
    assert_eq!(database.count("SELECT CAST(max(\"offset\") AS BIGINT) FROM dbos.streams").await, 49);
}

#[workflow]
async fn writes_badly(what: String) -> Result<()> {
    match what.as_str() {
        "the mark" => DBOS::write_stream(TOKENS, "__DBOS_STREAM_CLOSED__").await,
        "a key" => DBOS::write_stream(StreamKey::<u32>::new(""), 1_u32).await,
        _ => DBOS::write_stream(StreamKey::<f64>::new("numbers"), f64::NAN).await,
    }
}

async fn what_is_no_value_of_a_stream_is_refused(database: Database) {
    let app = App::launch(config(&database)).await;

    app.run(async {
        let outside = DBOS::write_stream(TOKENS, "one").await;
        assert!(matches!(outside, Err(Error::OutsideWorkflow { .. })), "{outside:?}");
        let mark = writes_badly("the mark".to_owned()).await;
        assert!(matches!(mark, Err(Error::Unstorable { .. })), "{mark:?}");
        let key = writes_badly("a key".to_owned()).await;
        assert!(matches!(key, Err(Error::InvalidKey { .. })), "{key:?}");
        let nan = writes_badly("nan".to_owned()).await;
        assert!(matches!(nan, Err(Error::Unstorable { .. })), "{nan:?}");
        let unread = DBOS::read_stream("", TOKENS).next().await;
        assert!(matches!(unread, Some(Err(Error::InvalidKey { .. }))), "{unread:?}");
    })
    .await;

    assert_eq!(database.count("SELECT count(*) FROM dbos.streams").await, 0);
}

#[get_api("/streams/tokens/:id")]
async fn tokens(id: String) -> Result<http::Sse> {
    http::Sse::of_stream(id, TOKENS)
}

async fn a_reader_over_http_that_reconnects_misses_and_repeats_nothing(database: Database) {
    let app = App::launch(config(&database)).await;
    let url = serve(&app).await;
    let gate = unique("talks");
    let read = |last: &str| Ask::new("GET", format!("{url}/streams/tokens/t")).header("Last-Event-ID", last).send();
    let event = |id: u32, value: &str| format!("id: {id}\nevent: tokens\ndata: \"{value}\"\n\n");

    let early = tokio::spawn(read(""));
    start(&app, "t", &gate).await;
    reached(&gate).await;
    let reconnected = tokio::spawn(read("1"));
    open(&gate);

    // Both end where the stream is closed, though the workflow goes on.
    assert_eq!(reconnected.await.unwrap().unwrap().body, event(2, "three"));
    let all = [event(0, "one"), event(1, "two"), event(2, "three")].concat();
    assert_eq!(early.await.unwrap().unwrap().body, all);
    assert_eq!(read("2").await.unwrap().body, "");
    assert_eq!(read("x").await.unwrap().status, 400);
    open(&format!("{gate}-end"));
}

#[workflow]
async fn writes_much(values: u32, bytes: usize) -> Result<()> {
    for _ in 0..values {
        DBOS::write_stream(TOKENS, "x".repeat(bytes)).await?;
    }
    Ok(())
}

/// What was not sent when the workflow ended is read from the database, and from nowhere else: what is gone from there
/// does not arrive.
async fn a_slow_reader_over_http_is_kept_no_more_than_it_takes(database: Database) {
    const VALUES: u32 = 240;
    const BYTES: usize = 256 << 10;
    let app = App::launch(config(&database)).await;
    let url = serve(&app).await;
    let mut reader = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let asked = b"GET /streams/tokens/m HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    reader.write_all(asked).await.unwrap();

    app.run(async { writes_much(VALUES, BYTES).workflow_id("m").await.unwrap() }).await;
    database.execute(&format!("DELETE FROM dbos.streams WHERE \"offset\" >= {}", VALUES / 2)).await;
    let mut seen = Vec::new();
    reader.read_to_end(&mut seen).await.unwrap();

    let seen = String::from_utf8_lossy(&seen);
    let received = seen.matches("\nid: ").count();
    assert_eq!(received, VALUES as usize / 2, "the whole stream is {} MB", (VALUES as usize * BYTES) >> 20);
}
