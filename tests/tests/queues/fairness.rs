//! Queues beside each other.

use dbos::{DBOS, Queue, Result, step, workflow};
use dbos_testkit::board::unique;
use dbos_testkit::{App, Database, Proxy, behaviours};

use crate::app::{ONE, PLAIN, TWO, config};

behaviours! { fairness:
    a_flooded_queue_starves_no_other within 240,
    a_process_with_nothing_to_do_asks_once_for_all_its_queues on postgres,
}

#[dbos::queue]
static FLOODED: Queue = Queue::new("flooded").worker_concurrency(10);

#[step]
async fn queues_hand_on(word: String) -> String {
    word
}

#[workflow]
async fn queues_hands_on(word: String) -> Result<String> {
    Ok(queues_hand_on(word).await)
}

async fn a_flooded_queue_starves_no_other(database: Database) {
    const FLOOD: usize = 2000;
    let app = App::launch(config(&database)).await;
    let left = "SELECT count(*) FROM dbos.workflow_status WHERE queue_name = 'flooded' AND status = 'ENQUEUED'";

    app.run(async {
        DBOS::enqueue_all((0..FLOOD).map(|_| queues_hands_on("flood".to_owned()).enqueue(&FLOODED))).await.unwrap();
        for queue in [&PLAIN, &ONE, &TWO] {
            let calls = (0..5).map(|_| queues_hands_on("word".to_owned()).enqueue(queue));
            for handle in DBOS::enqueue_all(calls).await.unwrap() {
                handle.result().await.unwrap();
            }
        }
    })
    .await;

    let left = database.count(left).await;
    println!("{}: {left} of {FLOOD} waited when fifteen of other queues had ended", database.backend());
    assert!(left > 0, "the flood was over before the others had their turn");
}

/// However many queues there are, and although something is delayed.
async fn a_process_with_nothing_to_do_asks_once_for_all_its_queues(database: Database) {
    let proxy = Proxy::before(database.url()).await;
    let mut config = config(&database).database_url(proxy.url());
    (config.pooler, config.poll_interval) = (dbos::Pooler::None, std::time::Duration::from_millis(200));
    let app = App::launch(config).await;
    app.run(async {
        for _ in 0..20 {
            DBOS::create_queue(unique("made")).await.unwrap();
        }
    })
    .await;
    let polls = || proxy.count("anything_delayed");
    let about_queues = || proxy.count("is_waiting") + proxy.count("delay_until_epoch_ms");
    let until_polls = async |number: usize| {
        while polls() < number {
            tokio::task::yield_now().await;
        }
    };

    // Each of the queues has been looked into once by then.
    until_polls(polls() + 5).await;
    let (before, looks) = (polls(), about_queues());
    until_polls(before + 10).await;

    let asked = about_queues() - looks;
    assert!(asked <= polls() - before + 1, "{asked} questions in {} polls", polls() - before);
}
