//! What a program says that is not told of the pooler before its database.

use dbos::{Config, Engine};
use dbos_testkit::{Database, Pooler, behaviours};

behaviours! { pooler:
    a_pooler_that_nobody_told_of_is_refused_at_launch on postgres using "pgbouncer",
}

async fn a_pooler_that_nobody_told_of_is_refused_at_launch(database: Database) {
    let pooler = Pooler::before(database.url());

    let refused = Engine::launch(Config::new("unaware").database_url(pooler.url(database.url()))).await;

    let said = refused.expect_err("the pooler mixes up sessions").to_string();
    assert!(said.contains("set `pooler` to `transaction`"), "{said}");
}
