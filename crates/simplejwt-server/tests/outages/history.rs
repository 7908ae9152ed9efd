//! kill -9 at random moments under load, and a checker of the history that the clients saw.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::faults::{Asked, Event, ends, faults};
use crate::support::databases::{ALL, DatabaseKind};
use crate::support::process;
use crate::support::site::{Answer, PASSWORD, Site, post, wait};
use serde_json::json;
use simplejwt::{Clock as _, SystemClock};

const SERVERS: usize = 2;
const CLIENTS: usize = 6;
/// Longer than a test can take, so that a lost answer can always be requested again.
const GRACE: u32 = 240;

/// Returns the shortest length of a history: `SIMPLEJWT_TEST_HISTORY`, in seconds.
fn length() -> Duration {
    let seconds = std::env::var("SIMPLEJWT_TEST_HISTORY")
        .map_or(8, |seconds| seconds.parse().expect("SIMPLEJWT_TEST_HISTORY is a number"));
    Duration::from_secs(seconds)
}

/// A pseudorandom sequence of numbers (xorshift), the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn seed() -> u64 {
    let seed = std::env::var("SIMPLEJWT_TEST_SEED").map_or_else(
        |_| SystemClock.now().as_micros().unsigned_abs(),
        |seed| seed.parse().expect("SIMPLEJWT_TEST_SEED is a number"),
    );
    eprintln!("SIMPLEJWT_TEST_SEED={seed}");
    seed | 1
}

#[derive(Default)]
struct Shared {
    addresses: Mutex<Vec<SocketAddr>>,
    events: Mutex<Vec<Event>>,
    over: AtomicBool,
    sessions: AtomicUsize,
}

/// A user agent, which sends its requests one after the other, in chains.
struct Client<'a> {
    shared: &'a Shared,
    chance: Chance,
    session: usize,
}

impl Client<'_> {
    fn ask(&mut self, asked: Asked, token: &str) -> Option<Answer> {
        let (path, body) = match asked {
            Asked::Login => ("/api/token/", json!({"username": "alice", "password": PASSWORD})),
            Asked::Refresh => ("/api/token/refresh/", json!({"refresh": token})),
            Asked::Logout => ("/api/token/logout/", json!({"refresh": token})),
        };
        let address = {
            let addresses = self.shared.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            addresses[self.chance.below(SERVERS as u64) as usize]
        };
        let start = SystemClock.now();
        let answer = post(address, path, &body, &[]);
        let end = SystemClock.now();
        let next = answer
            .as_ref()
            .filter(|answer| answer.status == 200 && asked != Asked::Logout)
            .map(|answer| answer.pair().refresh);
        self.shared.events.lock().unwrap().push(Event {
            session: self.session,
            asked,
            token: token.to_owned(),
            start,
            end,
            status: answer.as_ref().map(|answer| answer.status),
            next,
        });
        answer
    }

    /// Repeats a request until any server answers it. Returns `None` if the test ends first.
    fn insist(&mut self, asked: Asked, token: &str) -> Option<Answer> {
        loop {
            match self.ask(asked, token) {
                Some(answer) if answer.status != 503 => return Some(answer),
                _ if self.shared.over.load(Ordering::SeqCst) => return None,
                _ => wait(Duration::from_millis(10)),
            }
        }
    }

    fn run(&mut self) -> Option<()> {
        while !self.shared.over.load(Ordering::SeqCst) {
            self.session = self.shared.sessions.fetch_add(1, Ordering::SeqCst);
            let mut token = self.insist(Asked::Login, "")?.pair().refresh;
            for _ in 0..2 + self.chance.below(10) {
                let answer = self.insist(Asked::Refresh, &token)?;
                if answer.status != 200 {
                    // A fault for the checker to find.
                    return None;
                }
                if self.chance.below(4) == 0 {
                    // Another tab.
                    self.insist(Asked::Refresh, &token)?;
                }
                token = answer.pair().refresh;
            }
            if self.chance.below(2) == 0 {
                self.insist(Asked::Logout, &token)?;
                self.insist(Asked::Refresh, &token)?;
            }
        }
        Some(())
    }
}

fn succeeded(events: &[Event], asked: Asked) -> usize {
    events.iter().filter(|event| event.asked == asked && event.status == Some(200)).count()
}

/// Returns whether a history says something.
fn is_enough(events: &[Event], faulted: usize) -> bool {
    let [refreshed, logged_out] = [Asked::Refresh, Asked::Logout].map(|of| succeeded(events, of));
    faulted >= 2 && refreshed >= 100 && logged_out >= 10
}

/// Runs clients while `fault` is called again and again, and checks the history. `fault` returns
/// the number of processes or connections that it has ended.
fn run(mut site: Site, mut fault: impl FnMut(&mut Site, &mut Chance) -> usize) {
    let mut chance = Chance(seed());
    let shared = Shared { addresses: Mutex::new(site.addresses()), ..Shared::default() };
    let until = SystemClock.now() + length();
    let mut faulted = 0;
    std::thread::scope(|scope| {
        // Clients must also end if this thread fails.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let _over = Over(&shared.over);
        for _ in 0..CLIENTS {
            let chance = Chance(chance.below(u64::MAX) | 1);
            let mut client = Client { shared: &shared, chance, session: 0 };
            scope.spawn(move || client.run());
        }
        let latest = until + Duration::from_secs(60);
        let goes_on = |faulted| {
            let now = SystemClock.now();
            now < until || now < latest && !is_enough(&shared.events.lock().unwrap(), faulted)
        };
        while goes_on(faulted) {
            wait(Duration::from_millis(50 + chance.below(400)));
            faulted += fault(&mut site, &mut chance);
            *shared.addresses.lock().unwrap() = site.addresses();
        }
    });

    let events = shared.events.into_inner().unwrap();
    let kind = site.database.kind;
    let rotations = succeeded(&events, Asked::Refresh);
    let logouts = succeeded(&events, Asked::Logout);
    let lost = events.iter().filter(|event| event.status.is_none()).count();
    let unavailable = events.iter().filter(|event| event.status == Some(503)).count();
    eprintln!(
        "{kind:?}: {faulted} faults, {rotations} refreshes, {logouts} logouts, {lost} answers \
         lost, {unavailable} times 503"
    );
    assert!(is_enough(&events, faulted), "too little happened");
    let found = faults(&events);
    assert!(found.is_empty(), "{kind:?}: {} faults:\n{}", found.len(), found.join("\n"));

    // At the end, live sessions can be refreshed and ended ones can't, on either server.
    let (mut live, mut ended) = (0, 0);
    for (session, (token, logged_out)) in ends(&events) {
        let mut answer = site.refresh(session % SERVERS, &token);
        // MySQL 8.0 may keep a killed connection and its locks until it has been idle for a minute.
        let patience = SystemClock.now() + Duration::from_secs(80);
        while answer.status == 503 && SystemClock.now() < patience {
            wait(Duration::from_millis(200));
            answer = site.refresh(session % SERVERS, &token);
        }
        match logged_out {
            Some(false) => {
                assert_eq!(answer.status, 200, "{kind:?}: a session was lost: {answer:?}");
                live += 1;
            }
            Some(true) => {
                answer.assert_blacklisted("it was logged out");
                ended += 1;
            }
            None => assert!(matches!(answer.status, 200 | 401), "{answer:?}"),
        }
    }
    assert!(live > 0 && ended > 0, "{live} live, {ended} ended");
    site.check_rows();
}

#[test]
fn killed_servers_lose_nothing_and_revive_nothing() {
    for &kind in ALL {
        let site = Site::new(kind, SERVERS, GRACE, &[]);
        run(site, |site, chance| {
            site.kill_and_restart(chance.below(SERVERS as u64) as usize);
            1
        });
    }
}

#[test]
fn cut_connections_lose_nothing_and_revive_nothing() {
    for &kind in ALL.iter().filter(|kind| **kind != DatabaseKind::Sqlite) {
        let site = Site::new(kind, SERVERS, GRACE, &[]);
        run(site, |site, _| site.database.cut_connections());
    }
}

/// A database server for this test alone.
struct OwnServer {
    name: String,
    program: &'static str,
}

impl OwnServer {
    fn up(program: &'static str) -> Self {
        let server = Self { name: format!("{}{}", &program[..1], std::process::id()), program };
        server.order(&["up", program]);
        server
    }

    fn order(&self, words: &[&str]) -> String {
        let xtask = std::env::var("SIMPLEJWT_TEST_XTASK")
            .expect("SIMPLEJWT_TEST_XTASK isn't set: run `cargo xtask test`");
        let mut command = Command::new(xtask);
        command.args(["services", "--name", &self.name]).args(words);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", process::stderr(&done));
        process::stdout(&done)
    }

    fn url(&self, variable: &str) -> String {
        let lines = self.order(&["env"]);
        let line = lines.lines().find_map(|line| line.strip_prefix(&format!("export {variable}=")));
        line.expect("its URL").trim_matches('\'').to_owned()
    }

    /// Kills it like a crash: nothing is written that wasn't before.
    fn crash(&self) {
        self.order(&["kill", self.program]);
        self.order(&["start", self.program]);
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.order(&["down"]);
    }
}

fn crashes(kind: DatabaseKind, program: &'static str, variable: &str) {
    let server = OwnServer::up(program);
    let site = Site::on(kind, &server.url(variable), SERVERS, GRACE, &[]);
    run(site, |_, chance| {
        wait(Duration::from_millis(500 + chance.below(500)));
        server.crash();
        1
    });
}

#[test]
fn a_crashed_postgres_loses_nothing_and_revives_nothing() {
    crashes(DatabaseKind::Postgres, "postgres", "SIMPLEJWT_TEST_POSTGRES_URL");
}

#[test]
fn a_crashed_mariadb_loses_nothing_and_revives_nothing() {
    crashes(DatabaseKind::Mysql, "mariadb", "SIMPLEJWT_TEST_MYSQL_URL");
}
