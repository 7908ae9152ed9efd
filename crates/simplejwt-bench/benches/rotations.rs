//! Rotations of refresh tokens on an SQLite file, without HTTP and signatures: what the store takes.
//!
//! Run with `cargo xtask bench`, or `cargo bench -p simplejwt-bench --bench rotations`. Words after
//! `--` change the amounts: `connections=1,32,200 rotations=20000 rounds=3 stored=50000 at=DIRECTORY
//! rows=tokens,sessions live=20000`. The last is the number of other live sessions, by which the size
//! of one is measured.

#![allow(missing_docs, reason = "a benchmark")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use simplejwt::event::Cause;
use simplejwt::sql::table::UserTable;
use simplejwt::sqlite::{SqliteDatabase, SqliteStore, migrate};
use simplejwt::store::OutstandingToken;
use simplejwt::store::rows::BySession;
use simplejwt::store::session::{
    NewSession, NextToken, RefreshOutcome, RetainUntil, SessionRefresh,
};
use simplejwt::{SessionStore, Settings, Timestamp};

type Store = Arc<dyn SessionStore>;

const START: Timestamp = Timestamp::from_secs(1_767_323_045);
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The number of rotations between two that are dated alike.
const PER_MILLISECOND: u64 = 4;
const USERS: u64 = 10_000;
/// All of them.
const MAKE_USERS: &str = "\
    INSERT INTO auth_user (id, username, password, is_superuser, is_staff, is_active, \
    first_name, last_name, email, date_joined) \
    WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < ?1) \
    SELECT n, 'user' || n, '', false, false, true, '', '', '', '2026-01-02 03:04:05' FROM n";

/// Returns digits that are spread like those of a random UUID, for a number (by the finalizer of
/// SplitMix64).
fn id(kind: u64, number: u64) -> String {
    let mix = |mut x: u64| {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(kind);
    format!("{:016x}{:016x}", mix(seed), mix(!seed))
}

/// The chain of a connection's tokens.
struct Chain {
    number: u64,
    of: u64,
    rotations: u64,
}

impl Chain {
    fn user(&self) -> String {
        (self.number % USERS + 1).to_string()
    }

    fn at(&self) -> Timestamp {
        START + Duration::from_millis((self.rotations * self.of + self.number) / PER_MILLISECOND)
    }

    fn token(&self, rotations: u64, at: Timestamp) -> OutstandingToken {
        let jti = id(0, rotations * self.of + self.number);
        // As long as one that is signed with HS256 and names its session.
        let token = format!("{}.{}.{}", "h".repeat(36), jti.repeat(7), "s".repeat(43));
        let user_id = Some(self.user().into());
        OutstandingToken { jti, token, user_id, created_at: at, expires_at: at + LIFETIME }
    }

    async fn rotate(&mut self, store: &Store) -> Result<(), String> {
        let at = self.at();
        let next = self.token(self.rotations + 1, at);
        let refresh = SessionRefresh {
            token: self.token(self.rotations, at),
            next: NextToken::Rotated { access_jti: id(1, self.rotations), token: next },
            session: NewSession {
                id: id(0, self.number),
                user_id: self.user().into(),
                password: Some("0123456789abcdef0123456789abcdef".to_owned()),
            },
            grace: Duration::ZERO,
            tolerance: Duration::ZERO,
            idle: None,
            lifetime: None,
            cause: Cause::at(at),
            retain_until: RetainUntil { refresh: at + LIFETIME, access: at },
        };
        let recorded = store.refresh(&refresh).await.map_err(|error| format!("{error:?}"))?;
        self.rotations += 1;
        match recorded.outcome {
            RefreshOutcome::Refreshed => Ok(()),
            outcome => Err(format!("rotation {} of {}: {outcome:?}", self.rotations, self.number)),
        }
    }
}

fn chains(of: u64) -> Vec<Chain> {
    (0..of).map(|number| Chain { number, of, rotations: 0 }).collect()
}

/// Rotates all of the chains at once, each so many times.
async fn rotate(
    store: &Store,
    chains: Vec<Chain>,
    times: u64,
) -> Result<Vec<Chain>, Box<dyn Error>> {
    let tasks: Vec<_> = chains
        .into_iter()
        .map(|mut chain| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                for _ in 0..times {
                    chain.rotate(&store).await?;
                }
                Ok::<_, String>(chain)
            })
        })
        .collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(task.await??);
    }
    Ok(done)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// The processor time of the whole process.
fn used() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or_default())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

struct Amounts {
    connections: Vec<u64>,
    rotations: u64,
    rounds: u64,
    stored: u64,
    live: u64,
    rows: Vec<String>,
    at: Option<String>,
}

impl Amounts {
    fn read(words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut amounts = Self {
            connections: vec![1, 32, 200],
            rotations: 20_000,
            rounds: 3,
            stored: 50_000,
            live: 20_000,
            rows: vec!["tokens".to_owned(), "sessions".to_owned()],
            at: None,
        };
        for word in words {
            match word.split_once('=') {
                Some(("connections", list)) => {
                    amounts.connections =
                        list.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                Some(("rotations", number)) => amounts.rotations = number.parse()?,
                Some(("rounds", number)) => amounts.rounds = number.parse()?,
                Some(("stored", number)) => amounts.stored = number.parse()?,
                Some(("live", number)) => amounts.live = number.parse()?,
                Some(("rows", list)) => {
                    amounts.rows = list.split(',').map(str::to_owned).collect();
                }
                Some(("at", directory)) => amounts.at = Some(directory.to_owned()),
                // Cargo's own.
                _ => {}
            }
        }
        Ok(amounts)
    }
}

/// The size of the database, with what isn't in the file yet, in bytes.
fn size(path: &Path) -> Result<f64, Box<dyn Error>> {
    let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let connection = rusqlite::Connection::open(path)?;
    Ok(connection.query_row(sql, (), |row| row.get::<_, i64>(0))? as f64)
}

/// Chains beside those that are measured.
fn others(of: u64, from: u64) -> Vec<Chain> {
    let beside = |chain: Chain| Chain { number: chain.number + from, ..chain };
    chains(of).into_iter().map(beside).collect()
}

async fn measure(connections: u64, rows: &str, amounts: &Amounts) -> Result<(), Box<dyn Error>> {
    let directory = match &amounts.at {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let path = directory.path().join("db.sqlite3");
    let database = SqliteDatabase::open_or_create(&path, Default::default())?;
    let users = UserTable::default();
    migrate::apply(&database, &users, START).await?;
    rusqlite::Connection::open(&path)?.execute(MAKE_USERS, [USERS as i64])?;
    let store = SqliteStore::open(&database, &users)?;
    let store: Store = match rows {
        "tokens" => Arc::new(store),
        "sessions" => Arc::new(BySession::new(store, &Settings::default())),
        other => return Err(format!("rows={other}: write tokens or sessions").into()),
    };
    let before = size(&path)?;
    let mut left = amounts.live;
    while left > 0 {
        // As many at once as may wait; their successors have the numbers after theirs.
        let batch = left.min(2000);
        rotate(&store, others(batch, (2 << 40) + 4 * left), 1).await?;
        left -= batch;
    }
    let each = (size(&path)? - before) / amounts.live.max(1) as f64;
    let mut chains = rotate(&store, chains(connections), 1).await?;
    // What earlier rotations have left, made by as many at once as share a transaction at most.
    rotate(&store, others(256, 1 << 40), amounts.stored / 256).await?;
    let times = amounts.rotations / connections;
    let before = size(&path)?;
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..amounts.rounds {
        let (began, used_before) = (now(), used());
        chains = rotate(&store, chains, times).await?;
        let rotations = (times * connections) as f64;
        rates.push(rotations / began.elapsed().as_secs_f64());
        costs.push((used() - used_before).as_secs_f64() * 1e6 / rotations);
    }
    let grown = (size(&path)? - before) / (times * connections * amounts.rounds) as f64;
    println!(
        "{rows:>8} {connections:>11} {:>12.0} {:>11.1} {each:>14.0} {grown:>14.1}",
        median(rates),
        median(costs)
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let amounts = Amounts::read(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    println!(
        "{:>8} {:>11} {:>12} {:>11} {:>14} {:>14}",
        "rows", "connections", "rotations/s", "CPU us each", "bytes/session", "bytes/rotation"
    );
    for connections in &amounts.connections {
        for rows in &amounts.rows {
            runtime.block_on(measure(*connections, rows, &amounts))?;
        }
    }
    Ok(())
}
