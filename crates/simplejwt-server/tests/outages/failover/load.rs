//! Refreshes that go on while the database is away, and while a standby is promoted.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::{
    LOGIN, Peer, assert_stateless_goes_on, assert_unavailable, await_readiness, environment, host,
    jti, prepare, refresh,
};
use crate::instance::Instance;
use crate::support::process::{PATIENCE, Server};
use crate::support::site::pause;

const CHAINS: usize = 8;

/// Clients that refresh from token to token, and what they were told with a 200.
struct Load {
    server: Peer,
    going: AtomicBool,
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
}

/// Ends the load if a client fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Load {
    fn on(server: Peer) -> Self {
        let (acknowledged, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { server, going: AtomicBool::new(true), acknowledged, refused }
    }

    /// Runs one client, and returns the tokens of its chain, each acknowledged.
    fn chain(&self) -> Vec<String> {
        let _stop = Stop(&self.going);
        let mut tokens = vec![self.server.post("/api/token/", LOGIN).text("refresh")];
        while self.going.load(Ordering::Relaxed) {
            let answer = refresh(self.server, tokens.last().unwrap());
            if answer.status == 200 {
                tokens.push(answer.text("refresh"));
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            } else {
                assert_unavailable(&answer);
                self.refused.fetch_add(1, Ordering::Relaxed);
                pause();
            }
        }
        tokens
    }

    fn await_more(&self, counter: &AtomicUsize, count: usize) {
        let (until, begun) = (counter.load(Ordering::Relaxed) + count, Instant::now());
        while counter.load(Ordering::Relaxed) < until {
            assert!(begun.elapsed() < PATIENCE, "it doesn't go on");
            pause();
        }
    }
}

/// Asserts that every step of every chain is in the database: the token spent, with exactly the
/// acknowledged successor.
fn assert_nothing_was_lost(url: &str, chains: &[Vec<String>]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        for chain in chains {
            let ids: Vec<String> = chain.iter().map(|token| jti(token)).collect();
            let rows = client
                .query(
                    "SELECT t.jti, t.parent_jti, EXISTS (SELECT 1 \
                     FROM token_blacklist_outstandingtoken AS o \
                     JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id \
                     WHERE o.jti = t.parent_jti), s.ended_at IS NULL \
                     FROM simplejwt_session_token AS t \
                     JOIN simplejwt_session AS s ON s.id = t.session_id \
                     WHERE t.session_id = $1 AND t.parent_jti IS NOT NULL",
                    &[&ids[0]],
                )
                .await
                .unwrap();
            for step in ids.windows(2) {
                let row = rows.iter().find(|row| row.get::<_, String>(0) == step[1]);
                let row = row.unwrap_or_else(|| panic!("{} is lost", step[1]));
                assert_eq!(row.get::<_, String>(1), step[0]);
                assert!(row.get::<_, bool>(2), "{} isn't spent", step[0]);
                assert!(row.get::<_, bool>(3), "the session has ended");
            }
            // Only what was acknowledged, and the one answer that nobody waited for.
            assert!(rows.len() < ids.len() + 1, "{} of {}", rows.len(), ids.len());
        }
    });
}

#[test]
fn away_for_a_while_and_a_standby_promoted_under_load() {
    let mut instance = Instance::up("failover");
    let primary = instance.url().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let alone = environment(&primary);
    prepare(&alone);
    {
        let process = Server::start(&["serve"], &alone, directory.path());
        let server = Peer(process.address);
        // A server that verifies a token without the blacklist.
        let mut without = alone.clone();
        without.retain(|(name, _)| !["SIMPLE_JWT", "SIMPLEJWT_ROTATION_GRACE"].contains(name));
        let without = Server::start(&["serve"], &without, directory.path());
        let plain = Peer(without.address);
        let pair = server.post("/api/token/", LOGIN);
        let access = pair.text("access");
        assert_eq!(server.get("/readyz").status, 200);
        instance.services(&["stop", "postgres"]);
        await_readiness(server, 503);
        for answer in [
            server.post("/api/token/", LOGIN),
            refresh(server, &pair.text("refresh")),
            server.post("/api/token/logout/", &pair.body),
            server.post("/api/token/blacklist/", &pair.body),
        ] {
            assert_unavailable(&answer);
        }
        assert_stateless_goes_on(server, &access);
        let verified = format!(r#"{{"token":"{access}"}}"#);
        assert_eq!(plain.post("/api/token/verify/", &verified).status, 200);
        assert_stateless_goes_on(plain, &access);
        instance.services(&["start", "postgres"]);
        await_readiness(server, 200);
        assert_eq!(refresh(server, &pair.text("refresh")).status, 200);
        assert!(without.stop().success() && process.stop().success());
    }

    instance.services(&["standby", "up"]);
    instance.read_variables();
    let standby = instance.variable("SIMPLEJWT_TEST_POSTGRES_STANDBY_URL").to_owned();
    let url = format!(
        "postgres://simplejwt:simplejwt@{},{}/simplejwt?target_session_attrs=read-write",
        host(&primary),
        host(&standby)
    );
    let both = environment(&url);
    let process = Server::start(&["serve"], &both, directory.path());
    let server = Peer(process.address);
    let access = server.post("/api/token/", LOGIN).text("access");
    let load = Load::on(server);
    let (chains, away) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CHAINS).map(|_| scope.spawn(|| load.chain())).collect();
        let _stop = Stop(&load.going);
        let stateless = scope.spawn(|| {
            let _stop = Stop(&load.going);
            while load.going.load(Ordering::Relaxed) {
                assert_stateless_goes_on(server, &access);
                pause();
            }
        });
        load.await_more(&load.acknowledged, 40 * CHAINS);
        instance.signal("-KILL");
        let begun = Instant::now();
        load.await_more(&load.refused, 2 * CHAINS);
        await_readiness(server, 503);
        let verified = format!(r#"{{"token":"{access}"}}"#);
        let verify = server.post("/api/token/verify/", &verified);
        instance.services(&["standby", "promote"]);
        let promoted = Instant::now();
        load.await_more(&load.acknowledged, 40 * CHAINS);
        let away = (promoted - begun, promoted.elapsed());
        load.going.store(false, Ordering::Relaxed);
        stateless.join().unwrap();
        let chains = clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>();
        // It is unknown whether the token is blacklisted.
        assert_eq!(verify.status, 503);
        (chains, away)
    });
    println!("promoted after {:?}, and well under way again {:?} later", away.0, away.1);
    await_readiness(server, 200);
    assert_nothing_was_lost(&standby, &chains);
    for chain in &chains {
        assert!(chain.len() > 10, "{} steps", chain.len());
        // Each continues from its last token.
        let answer = refresh(server, chain.last().unwrap());
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(process.stop().success());
    // Without tolerance, a token that was spent before ends its session: the standby knows.
    let nothing = [("SIMPLEJWT_ROTATION_GRACE", "0"), ("SIMPLEJWT_REUSE_TOLERANCE", "0")];
    let strict: Vec<_> = both.into_iter().chain(nothing).collect();
    let process = Server::start(&["serve"], &strict, directory.path());
    let server = Peer(process.address);
    for token in [&chains[0][0], chains[0].last().unwrap()] {
        let answer = refresh(server, token);
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    assert!(process.stop().success());
}
