//! Everything that can befall a shop, at random, while customers come and go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dbos_testkit::chance::given;
use dbos_testkit::{Database, Fault, Process, Proxy, Server, report};
use sqlx::{Connection, PgConnection};
use tokio::time::sleep;

use crate::chance::{Random, occupy};
use crate::crowd::{Crowd, STOCK};
use crate::shop::{Branch, stock};

dbos_testkit::behaviours! { storm:
    customers_are_served_through_any_storm_on_sqlite on sqlite within 14_400,
    customers_are_served_through_any_storm_on_postgres on server within 14_400,
}

/// Faults unless `DBOS_STORM_FAULTS` says otherwise.
const FAULTS: u64 = 12;

/// The longest calm between two faults, in milliseconds.
const LONGEST_CALM: u64 = 700;

/// Longer than a lease: long enough to be taken for dead.
const LONGEST_STOP: u64 = 8_000;

/// Longer than a statement may take.
const LONGEST_OUTAGE: u64 = 6_000;

/// What a shop says when it is asked to end and has ended well takes no longer than its drain.
const DRAINED: Duration = Duration::from_secs(40);

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    /// SIGKILL.
    Kill,
    /// SIGTERM, with work in flight.
    Terminate,
    /// SIGSTOP, and SIGCONT at some time.
    Stop,
    /// Another program writes to the file.
    BusyFile,
    /// The server stops as if its machine had crashed, and recovers.
    ServerCrash,
    /// The server stands still.
    ServerStop,
    /// Connections are reset.
    Reset,
    /// The network swallows everything.
    BlackHole,
    /// A statement, its answer, or all later answers are lost.
    LostStatement,
    LostReply,
    SilentReply,
    /// The server has no connection left to give.
    Exhaustion,
}

impl Kind {
    /// For the report.
    fn told(self) -> &'static str {
        match self {
            Self::Kill => "Kill: SIGKILL, and a new process",
            Self::Terminate => "Terminate: SIGTERM, and a new process",
            Self::Stop => "Stop: SIGSTOP, SIGCONT up to 8 s later",
            Self::BusyFile => "BusyFile: another program holds the file",
            Self::ServerCrash => "ServerCrash: the server stops at once, and recovers",
            Self::ServerStop => "ServerStop: the server stands still",
            Self::Reset => "Reset: all connections are reset",
            Self::BlackHole => "BlackHole: the network swallows everything",
            Self::LostStatement => "LostStatement: a statement does not arrive",
            Self::LostReply => "LostReply: its answer does not, and the connection is reset",
            Self::SilentReply => "SilentReply: its answer never comes",
            Self::Exhaustion => "Exhaustion: the server has no connection left",
        }
    }
}

const ON_SQLITE: &[Kind] = &[Kind::Kill, Kind::Terminate, Kind::Stop, Kind::BusyFile];

const ON_POSTGRES: &[Kind] = &[
    Kind::Kill,
    Kind::Terminate,
    Kind::Stop,
    Kind::ServerCrash,
    Kind::ServerStop,
    Kind::Reset,
    Kind::BlackHole,
    Kind::LostStatement,
    Kind::LostReply,
    Kind::SilentReply,
    Kind::Exhaustion,
];

/// Where a statement is lost.
const STATEMENTS: &[&str] = &[
    "BEGIN",
    "COMMIT",
    "INSERT INTO dbos.workflow_input",
    "INSERT INTO dbos.operation_outputs",
    "INSERT INTO dbos.workflow_output",
    "UPDATE dbos.notifications",
    "INSERT INTO dbos.notifications",
    "UPDATE products",
    "SET owner_xid",
];

async fn customers_are_served_through_any_storm_on_sqlite(database: Database) {
    let branches = [Branch::at(database.url()).patient()];
    let mut scene = Scene::open(&branches, Sea::File { url: database.url().to_owned() }).await;
    stock(&database, STOCK).await;
    scene.weather("sqlite", database, &branches, ON_SQLITE).await;
}

async fn customers_are_served_through_any_storm_on_postgres(server: Server) {
    let database = Database::on_server(&server).await;
    let proxy = Proxy::before(database.url()).await;
    let branches = [Branch::at(proxy.url()).patient(), Branch::at(proxy.url()).patient()];
    let mut scene = Scene::open(&branches, Sea::Server { server, proxy }).await;
    stock(&database, STOCK).await;
    scene.weather("postgres", database, &branches, ON_POSTGRES).await;
}

/// What lies below the shops.
enum Sea {
    File { url: String },
    Server { server: Server, proxy: Proxy },
}

struct Scene {
    shops: Vec<(Branch, Process)>,
    sea: Sea,
}

impl Scene {
    async fn open(branches: &[Branch], sea: Sea) -> Self {
        let mut shops = Vec::new();
        for branch in branches {
            shops.push((branch.clone(), branch.open().await));
        }
        Self { shops, sea }
    }

    async fn weather(&mut self, name: &str, database: Database, branches: &[Branch], kinds: &[Kind]) {
        let faults = given("DBOS_STORM_FAULTS").unwrap_or(FAULTS);
        let seed = given("DBOS_STORM_SEED").unwrap_or_else(|| u64::from(std::process::id()));
        println!("storm: {name}, DBOS_STORM_FAULTS={faults} DBOS_STORM_SEED={seed}");
        let crowd = Crowd::enter(database, branches, seed);
        let mut random = Random::new(seed);
        let mut log: BTreeMap<Kind, Vec<Duration>> = BTreeMap::new();
        for number in 0..faults {
            sleep(random.moment(LONGEST_CALM)).await;
            // Each kind in turn first, so that a short storm has some of all.
            let kind = match kinds.get(usize::try_from(number).unwrap_or(usize::MAX)) {
                Some(kind) => *kind,
                None => kinds[usize::try_from(random.below(kinds.len() as u64)).expect("an index")],
            };
            self.strike(kind, &mut random).await;
            let over = Instant::now();
            crowd.until_served().await;
            log.entry(kind).or_default().push(over.elapsed());
        }
        let books = crowd.leave().await;
        for (kind, resumed) in &log {
            report(name, kind.told(), resumed.len() as u64, None, resumed);
        }
        let all = format!("a storm of all these over {} checkouts, with {} audits", books.checkouts, books.audits);
        report(name, all, faults, Some(books.wrong.len()), &[]);
        assert!(books.wrong.is_empty(), "{}", books.wrong.join("; "));
    }

    /// Lets one thing happen and, unless it is over at once, end.
    async fn strike(&mut self, kind: Kind, random: &mut Random) {
        let shop = usize::try_from(random.below(self.shops.len() as u64)).expect("an index");
        let (branch, process) = &mut self.shops[shop];
        match (kind, &self.sea) {
            (Kind::Kill, _) => {
                process.kill().await;
                *process = branch.open().await;
            }
            (Kind::Terminate, _) => {
                process.terminate();
                let ended = tokio::time::timeout(DRAINED, process.wait()).await.expect("it ends when it is asked to");
                assert!(ended.success(), "{ended}: {:#?}", process.lines());
                *process = branch.open().await;
            }
            (Kind::Stop, _) => {
                process.pause();
                sleep(random.moment(LONGEST_STOP)).await;
                process.resume();
            }
            (Kind::BusyFile, Sea::File { url }) => occupy(url, random.moment(LONGEST_OUTAGE)).await,
            (Kind::ServerCrash, Sea::Server { server, .. }) => {
                tokio::task::block_in_place(|| server.stop_immediate());
                sleep(random.moment(LONGEST_OUTAGE)).await;
                tokio::task::block_in_place(|| server.start());
            }
            (Kind::ServerStop, Sea::Server { server, .. }) => {
                server.pause();
                sleep(random.moment(LONGEST_OUTAGE)).await;
                server.resume();
            }
            (Kind::Reset, Sea::Server { proxy, .. }) => proxy.reset_all(),
            (Kind::BlackHole, Sea::Server { proxy, .. }) => {
                proxy.swallow();
                sleep(random.moment(LONGEST_OUTAGE)).await;
                proxy.pass();
            }
            (Kind::LostStatement | Kind::LostReply | Kind::SilentReply, Sea::Server { proxy, .. }) => {
                let fault =
                    Fault::at(STATEMENTS[usize::try_from(random.below(STATEMENTS.len() as u64)).expect("an index")]);
                proxy.arm(match kind {
                    Kind::LostStatement => fault,
                    Kind::LostReply => fault.losing_the_reply(),
                    _ => fault.silencing_the_reply(),
                });
            }
            (Kind::Exhaustion, Sea::Server { server, proxy }) => exhaust(server, proxy, random).await,
            (kind, _) => unreachable!("{kind:?} is not for this database"),
        }
    }
}

/// Takes all connections there are, while the shop has to open its own anew.
async fn exhaust(server: &Server, proxy: &Proxy, random: &mut Random) {
    proxy.reset_all();
    let mut taken = Vec::new();
    while let Ok(connection) = PgConnection::connect(&server.url()).await {
        taken.push(connection);
    }
    sleep(random.moment(LONGEST_OUTAGE)).await;
}
