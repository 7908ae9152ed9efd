//! Clients that refresh from token to token, and others that log out and check that the logout
//! lasts.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::http::{jti, request};
use super::site::Site;

const CHAINS: usize = 6;
const LEAVERS: usize = 3;
const LOGIN: &str = r#"{"username":"alice","password":"wonderland"}"#;
/// The time within which every server must know of a logout.
const HEARD: Duration = Duration::from_secs(1);

/// The result of a scenario.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) rotations: usize,
    /// The number of rotations that were acknowledged but aren't in the database.
    pub(super) lost: usize,
    /// The number of clients that did nothing wrong and were told to log in.
    pub(super) mistakes: usize,
    pub(super) logouts: usize,
    /// The number of ended tokens that were accepted later than a second after the logout was
    /// acknowledged.
    pub(super) taken: usize,
    pub(super) looks: usize,
    /// The longest time in which no rotation was acknowledged.
    pub(super) outage: Duration,
}

/// A session whose logout was acknowledged.
struct Ended {
    at: Instant,
    access: String,
    refresh: String,
}

#[derive(Clone, Copy)]
struct Forgiven {
    from: Instant,
    /// The end of the time; `None` while it lasts.
    to: Option<Instant>,
}

impl Forgiven {
    fn has(self, at: Instant) -> bool {
        at >= self.from && self.to.is_none_or(|to| at <= to)
    }
}

struct Shared {
    servers: Mutex<Vec<SocketAddr>>,
    going: AtomicBool,
    rotations: Mutex<Vec<Instant>>,
    mistakes: AtomicUsize,
    taken: AtomicUsize,
    looks: AtomicUsize,
    ended: Mutex<Vec<Ended>>,
    /// The time in which acknowledged logouts may be lost with a primary, as documented.
    forgiven: Mutex<Option<Forgiven>>,
}

/// The running clients.
pub(super) struct Load<'scope> {
    shared: &'scope Shared,
    pub(super) begun: Instant,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "outages are measured by the real clock")]
fn now() -> Instant {
    Instant::now()
}

impl Load<'_> {
    /// Adds another server to ask.
    pub(super) fn also_ask(&self, server: SocketAddr) {
        locked(&self.shared.servers).push(server);
    }

    /// From now on, acknowledged logouts may be lost, because the database makes no promise.
    pub(super) fn forgive(&self) {
        *locked(&self.shared.forgiven) = Some(Forgiven { from: now(), to: None });
    }

    /// From now on, they may not.
    pub(super) fn forgive_no_more(&self) {
        if let Some(forgiven) = locked(&self.shared.forgiven).as_mut() {
            forgiven.to = Some(now());
        }
    }
}

/// Runs the clients beside `events` and returns what they observed. `stored` returns the ids of all
/// tokens in sessions that the database has at the end.
///
/// # Errors
/// Errors of `events` and `stored`.
pub(super) fn beside(
    site: &Site,
    promises: bool,
    events: impl FnOnce(&Load<'_>) -> Result<()>,
    stored: impl FnOnce() -> Result<HashSet<String>>,
) -> Result<Outcome> {
    let shared = Shared {
        servers: Mutex::new(site.addresses.clone()),
        going: AtomicBool::new(true),
        rotations: Mutex::default(),
        mistakes: AtomicUsize::new(0),
        taken: AtomicUsize::new(0),
        looks: AtomicUsize::new(0),
        ended: Mutex::default(),
        forgiven: Mutex::default(),
    };
    let begun = now();
    let (events, acknowledged) = std::thread::scope(|scope| {
        let shared = &shared;
        let chains: Vec<ScopedJoinHandle<'_, Vec<String>>> =
            (0..CHAINS).map(|number| scope.spawn(move || shared.chain(number))).collect();
        for number in 0..LEAVERS {
            scope.spawn(move || shared.leave(number));
        }
        for _ in 0..2 {
            scope.spawn(|| shared.look());
        }
        let done = events(&Load { shared, begun });
        shared.going.store(false, Ordering::Relaxed);
        let acknowledged: Vec<String> =
            chains.into_iter().filter_map(|chain| chain.join().ok()).flatten().collect();
        (done, acknowledged)
    });
    events?;
    let ended = now();
    let stored = stored()?;
    let lost = acknowledged
        .iter()
        .filter(|token| promises && !jti(token).is_some_and(|jti| stored.contains(&jti)));
    let mut times = locked(&shared.rotations).clone();
    times.extend([begun, ended]);
    times.sort();
    let outage = times.windows(2).map(|pair| match pair {
        [before, after] => *after - *before,
        _ => Duration::ZERO,
    });
    Ok(Outcome {
        rotations: acknowledged.len(),
        lost: lost.count(),
        mistakes: shared.mistakes.load(Ordering::Relaxed),
        logouts: locked(&shared.ended).len(),
        taken: shared.taken.load(Ordering::Relaxed),
        looks: shared.looks.load(Ordering::Relaxed),
        outage: outage.max().unwrap_or_default(),
    })
}

impl Shared {
    fn is_going(&self) -> bool {
        self.going.load(Ordering::Relaxed)
    }

    /// Returns one of the servers in turn.
    fn server(&self, turn: usize) -> Option<SocketAddr> {
        let servers = locked(&self.servers);
        servers.get(turn % servers.len().max(1)).copied()
    }

    /// Asks one server after the other until one gives a definite answer.
    fn insist(&self, turn: &mut usize, path: &str, body: &str) -> Option<(u16, String, String)> {
        loop {
            let server = self.server(*turn)?;
            match request(server, "POST", path, None, body) {
                Ok(answer) if answer.status < 500 && answer.status != 429 => {
                    return Some((answer.status, answer.text("access"), answer.text("refresh")));
                }
                _ if !self.is_going() => return None,
                _ => *turn += 1,
            }
            super::pass(Duration::from_millis(50));
        }
    }

    /// Returns the acknowledged refresh tokens of one client.
    fn chain(&self, number: usize) -> Vec<String> {
        let (mut turn, mut tokens) = (number, Vec::new());
        while self.is_going() {
            let Some((_, _, mut refresh)) = self.insist(&mut turn, "/api/token/", LOGIN) else {
                break;
            };
            while self.is_going() {
                let body = format!(r#"{{"refresh":"{refresh}"}}"#);
                let Some(answer) = self.insist(&mut turn, "/api/token/refresh/", &body) else {
                    break;
                };
                if answer.0 != 200 {
                    eprintln!("a client was refused ({}) at server {turn}", answer.0);
                    self.mistakes.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                locked(&self.rotations).push(now());
                refresh = answer.2;
                tokens.push(refresh.clone());
                super::pass(Duration::from_millis(20));
            }
        }
        tokens
    }

    /// Logs in and out.
    fn leave(&self, number: usize) {
        let mut turn = number;
        while self.is_going() {
            let login = self.insist(&mut turn, "/api/token/", LOGIN);
            let Some((200, access, refresh)) = login else { continue };
            turn += 1;
            let body = format!(r#"{{"refresh":"{refresh}"}}"#);
            if let Some((200, ..)) = self.insist(&mut turn, "/api/token/logout/", &body) {
                locked(&self.ended).push(Ended { at: now(), access, refresh });
            }
            super::pass(Duration::from_millis(100));
        }
    }

    /// Presents ended tokens, the newest more often than the others.
    fn look(&self) {
        let mut turn = 0;
        while self.is_going() {
            turn += 1;
            let Some((at, access, refresh)) = self.ended(turn) else {
                super::pass(Duration::from_millis(50));
                continue;
            };
            let Some(server) = self.server(turn) else { return };
            let number = turn % locked(&self.servers).len().max(1);
            let path = "/api/protected-stateless/";
            let answer = request(server, "GET", path, Some(&access), "");
            self.note(answer.is_ok_and(|answer| answer.status == 200), at, "access", number);
            if turn.is_multiple_of(5) {
                let body = format!(r#"{{"refresh":"{refresh}"}}"#);
                let answer = request(server, "POST", "/api/token/refresh/", None, &body);
                self.note(answer.is_ok_and(|answer| answer.status == 200), at, "refresh", number);
            }
        }
    }

    fn note(&self, taken: bool, at: Instant, kind: &str, server: usize) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        // In the meantime, it may have become known that the database makes no promise.
        let forgiven = locked(&self.forgiven).is_some_and(|forgiven| forgiven.has(at));
        if taken && !forgiven {
            let late = at.elapsed();
            eprintln!("an ended {kind} token was taken by server {server} after {late:?}");
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn ended(&self, turn: usize) -> Option<(Instant, String, String)> {
        let ended = locked(&self.ended);
        let forgiven = *locked(&self.forgiven);
        let due: Vec<&Ended> = ended
            .iter()
            .filter(|ended| ended.at.elapsed() > HEARD)
            .filter(|ended| forgiven.is_none_or(|forgiven| !forgiven.has(ended.at)))
            .collect();
        let newest = due.len().saturating_sub(1 + turn % 20);
        let at = if turn.is_multiple_of(3) { turn % due.len().max(1) } else { newest };
        let ended = due.get(at)?;
        Some((ended.at, ended.access.clone(), ended.refresh.clone()))
    }
}
