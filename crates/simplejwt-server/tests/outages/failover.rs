//! A PostgreSQL that is away: at the start, for a while, and for good, with a standby promoted
//! under load. What was acknowledged stays; what wasn't can be asked again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]
#![allow(
    clippy::disallowed_methods,
    reason = "how long a failing server keeps others waiting is measured by the real clock"
)]

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::instance::Instance;
use crate::support::process::{PATIENCE, Response, Server, head, run, run_with_input, stderr};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const CHAINS: usize = 8;
const LOGIN: &str = r#"{"username":"alice","password":"wonderland"}"#;

fn environment(url: &str) -> Vec<(&str, &str)> {
    vec![
        ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256"),
        ("SIMPLEJWT_BIND", "127.0.0.1:0"),
        ("SIMPLEJWT_DEMO", "true"),
        ("SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS", "1000"),
        ("DATABASE_URL", url),
        ("SIMPLEJWT_TOKEN_BLACKLIST", "true"),
        ("SIMPLEJWT_ROTATION_GRACE", "5m"),
        ("SIMPLE_JWT", r#"{"ROTATE_REFRESH_TOKENS":true,"BLACKLIST_AFTER_ROTATION":true}"#),
    ]
}

/// Makes the tables and a user.
fn prepare(environment: &[(&str, &str)]) {
    let made = run(&["migrate"], environment);
    assert!(made.status.success(), "{}", stderr(&made));
    let added = run_with_input(
        &["user", "add", "alice", "--password-stdin", "--no-validate"],
        environment,
        "wonderland\n",
    );
    assert!(added.status.success(), "{}", stderr(&added));
}

/// A server for many threads at once.
#[derive(Clone, Copy)]
struct Peer(SocketAddr);

impl Peer {
    fn request(self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut stream = TcpStream::connect(self.0).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = head(method, path, headers, body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        Response::read(stream)
    }

    fn get(self, path: &str) -> Response {
        self.request("GET", path, &[], "")
    }

    fn post(self, path: &str, json: &str) -> Response {
        self.request("POST", path, &[("Content-Type", "application/json")], json)
    }
}

/// An answer for want of the database.
fn assert_unavailable(answer: &Response) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.head.contains("\r\nretry-after: "), "{answer:?}");
}

fn refresh(server: Peer, token: &str) -> Response {
    server.post("/api/token/refresh/", &format!(r#"{{"refresh":"{token}"}}"#))
}

/// What needs no database: verified by the key alone.
fn assert_stateless_goes_on(server: Peer, access: &str) {
    let bearer = format!("Bearer {access}");
    let path = "/api/protected-stateless/";
    let answer = server.request("GET", path, &[("Authorization", &bearer)], "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(server.get("/healthz").status, 200);
}

fn jti(token: &str) -> String {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    payload["jti"].as_str().unwrap().to_owned()
}

/// Asks for `/readyz` until it has this status.
fn await_readiness(server: Peer, status: u16) -> Duration {
    let begun = Instant::now();
    loop {
        let answer = server.get("/readyz");
        if answer.status == status {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "{answer:?}");
        std::thread::yield_now();
    }
}

#[test]
fn without_a_database_it_does_not_start() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://simplejwt:s3cret-password@127.0.0.1:{free}/simplejwt");
    for command in [&["serve"][..], &["migrate"], &["user", "list"]] {
        let at_once = [&environment(&url)[..], &[("SIMPLEJWT_DATABASE_WAIT", "0")]].concat();
        let done = run(command, &at_once);
        let text = stderr(&done);
        assert!(!done.status.success(), "{command:?}");
        assert!(text.contains(&format!("127.0.0.1:{free}")), "{command:?}: {text}");
        assert!(text.contains("is it running"), "{command:?}: {text}");
        assert!(!text.contains("s3cret-password"), "{command:?}: {text}");
        assert!(text.lines().count() <= 3, "{command:?}: {text}");
    }
}

/// Clients that refresh from token to token, and what was told them with a 200.
struct Load {
    server: Peer,
    going: AtomicBool,
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
}

/// Ends the load with whoever fails.
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

    /// One client: the tokens of its chain, each acknowledged.
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
            }
        }
        tokens
    }

    fn await_more(&self, counter: &AtomicUsize, count: usize) {
        let (until, begun) = (counter.load(Ordering::Relaxed) + count, Instant::now());
        while counter.load(Ordering::Relaxed) < until {
            assert!(begun.elapsed() < PATIENCE, "it doesn't go on");
            std::thread::yield_now();
        }
    }
}

/// Every step of every chain is in the database: the token spent, its successor the one that was
/// acknowledged, and no other.
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
            // Nothing but what was acknowledged, and the answer that nobody waited for.
            assert!(rows.len() < ids.len() + 1, "{} of {}", rows.len(), ids.len());
        }
    });
}

/// The feed's database goes wrong in a way that the driver can't cope with, and comes right again:
/// what is revoked is known anew, and nothing has to be restarted.
#[test]
fn a_feed_whose_account_is_taken_away_comes_back_by_itself() {
    use mysql_async::prelude::Queryable as _;

    let instance = Instance::mariadb("feed");
    let url = instance.url().to_owned();
    let place = url.split_once('@').unwrap().1;
    let attempt = |sql: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut conn = mysql_async::Conn::from_url(&url).await.unwrap();
            let answer = conn.query_first::<String, _>(sql).await?;
            conn.disconnect().await?;
            Ok::<_, mysql_async::Error>(answer.unwrap_or_default())
        })
    };
    let ask_mysql = |sql: &str| attempt(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let run = |sql: &str| drop(ask_mysql(sql));
    let is_mariadb = ask_mysql("SELECT version()").contains("MariaDB");
    let (plugins, good, bad) = if is_mariadb {
        (
            &["INSTALL SONAME 'auth_ed25519'", "INSTALL SONAME 'auth_pam'"][..],
            "VIA ed25519 USING PASSWORD('s3cret')",
            "VIA pam USING 'mariadb'",
        )
    } else {
        let no_login = "INSTALL PLUGIN mysql_no_login SONAME 'mysql_no_login.so'";
        (&[no_login][..], "WITH caching_sha2_password BY 's3cret'", "WITH mysql_no_login")
    };
    plugins.iter().for_each(|sql| run(sql));
    run(&format!("CREATE USER served IDENTIFIED {good}"));
    run("GRANT ALL ON *.* TO served");
    let served = format!("mysql://served:s3cret@{place}");
    let mut environment = environment(&served);
    environment.push(("SIMPLEJWT_SESSION_CLAIM", "true"));
    environment.push(("SIMPLEJWT_REVOCATION", "feed"));
    environment.push(("SIMPLEJWT_FEED_MAX_AGE", "1s"));
    prepare(&environment);
    let directory = tempfile::tempdir().unwrap();
    let process = Server::start(&["serve"], &environment, directory.path());
    let server = Peer(process.address);
    let access = server.post("/api/token/", LOGIN).text("access");
    let bearer = format!("Bearer {access}");
    let ask =
        || server.request("GET", "/api/protected-stateless/", &[("Authorization", &bearer)], "");
    assert_eq!(ask().status, 200);

    run(&format!("ALTER USER served IDENTIFIED {bad}"));
    let ids = ask_mysql(
        "SELECT group_concat(id) FROM information_schema.PROCESSLIST WHERE user = 'served'",
    );
    for id in ids.split(',') {
        // One that has just ended by itself is no failure.
        let _ = attempt(&format!("KILL CONNECTION {id}"));
    }
    await_readiness(server, 503);
    let begun = Instant::now();
    while ask().status == 200 {
        assert!(begun.elapsed() < PATIENCE);
    }
    assert_unavailable(&ask());
    assert_unavailable(&server.post("/api/token/", LOGIN));
    let told = run_cli(&["config", "check"], &environment);
    let cure = if is_mariadb { "ALTER USER" } else { "the name and the password" };
    assert!(told.contains(cure) && told.lines().count() == 1, "{told}");

    run(&format!("ALTER USER served IDENTIFIED {good}"));
    await_readiness(server, 200);
    let begun = Instant::now();
    while ask().status != 200 {
        assert!(begun.elapsed() < PATIENCE, "{:?}", ask());
    }
    assert!(process.stop().success());
}

/// What a command that fails says.
fn run_cli(args: &[&str], environment: &[(&str, &str)]) -> String {
    let output = run(args, environment);
    assert!(!output.status.success());
    stderr(&output)
}

fn host(url: &str) -> &str {
    url.split_once('@').unwrap().1.split_once('/').unwrap().0
}

/// Runs the statements, each by itself; how many rows the last one has.
fn rows(url: &str, statements: &[&str]) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let mut rows = 0;
        for statement in statements {
            rows = client.query(*statement, &[]).await.unwrap().len();
        }
        rows
    })
}

/// Ends the session of a pair.
fn logout(server: Peer, pair: &Response) {
    let begun = Instant::now();
    while server.post("/api/token/logout/", &pair.body).status != 200 {
        assert!(begun.elapsed() < PATIENCE, "nobody is logged out");
    }
}

/// What an access token is answered once the server can tell.
fn told_of(server: Peer, pair: &Response) -> u16 {
    let bearer = format!("Bearer {}", pair.text("access"));
    let begun = Instant::now();
    loop {
        let headers = [("Authorization", bearer.as_str())];
        let answer = server.request("GET", "/api/protected-stateless/", &headers, "");
        if answer.status != 503 {
            return answer.status;
        }
        assert!(begun.elapsed() < PATIENCE, "{answer:?}");
        std::thread::yield_now();
    }
}

/// The standby hadn't heard of the newest logouts when it was promoted. A server that slept
/// meanwhile has, and its number comes again for another logout; and the old primary is back.
#[test]
fn a_server_that_slept_through_a_failover_hears_what_was_ended_meanwhile() {
    let mut instance = Instance::up("slept");
    let primary = instance.url().to_owned();
    prepare(&environment(&primary));
    instance.services(&["standby", "up"]);
    instance.read_variables();
    let standby = instance.variable("SIMPLEJWT_TEST_POSTGRES_STANDBY_URL").to_owned();
    let both = format!(
        "postgres://simplejwt:simplejwt@{},{}/simplejwt?target_session_attrs=read-write",
        host(&primary),
        host(&standby)
    );
    let mut environment = environment(&both);
    environment.push(("SIMPLEJWT_SESSION_CLAIM", "true"));
    environment.push(("SIMPLEJWT_REVOCATION", "feed"));
    let directory = tempfile::tempdir().unwrap();
    let start = || Server::start(&["serve"], &environment, directory.path());
    let (sleeper, awake) = (start(), start());
    let (asleep, other) = (Peer(sleeper.address), Peer(awake.address));
    let pairs: Vec<Response> = (0..6).map(|_| other.post("/api/token/", LOGIN)).collect();
    logout(other, &pairs[0]);

    // From now on the standby doesn't hear of anything.
    let reload = "SELECT pg_reload_conf()";
    rows(&primary, &["ALTER SYSTEM SET synchronous_standby_names = ''", reload]);
    rows(&standby, &["ALTER SYSTEM SET primary_conninfo = ''", reload]);
    let begun = Instant::now();
    while rows(&primary, &["SELECT 1 FROM pg_stat_replication"]) > 0 {
        assert!(begun.elapsed() < PATIENCE, "the standby goes on");
    }
    for pair in &pairs[1..3] {
        logout(other, pair);
    }
    let begun = Instant::now();
    while told_of(asleep, &pairs[2]) == 200 {
        assert!(begun.elapsed() < Duration::from_secs(5), "it isn't heard of");
    }
    sleeper.signal("-STOP");
    instance.services(&["kill", "postgres"]);
    instance.services(&["standby", "promote"]);
    for pair in &pairs[3..6] {
        logout(other, pair);
    }
    instance.services(&["start", "postgres"]);
    let fresh = start();
    sleeper.signal("-CONT");
    let awoken = Instant::now();
    for (at, pair) in pairs.iter().enumerate() {
        // What was lost with the primary is good on the new one; whoever heard of it goes on.
        // What it slept through it may miss for feed_max_age, 2 seconds.
        let slept = at >= 3 && awoken.elapsed() < Duration::from_secs(2);
        while slept && told_of(asleep, pair) == 200 {
            assert!(awoken.elapsed() < Duration::from_secs(3), "session {at}");
        }
        assert_eq!(told_of(asleep, pair), 401, "session {at}");
        let lost = (1..3).contains(&at);
        assert!(lost || told_of(Peer(fresh.address), pair) == 401, "session {at}, fresh");
        assert!(lost || refresh(Peer(fresh.address), &pair.text("refresh")).status == 401);
    }
    // The old primary is left alone by everybody.
    for server in [asleep, other, Peer(fresh.address)] {
        let pair = server.post("/api/token/", LOGIN);
        assert_eq!(pair.status, 200, "{pair:?}");
        assert_eq!(told_of(asleep, &pair), 200);
        let jti = jti(&pair.text("refresh"));
        let sql = format!("SELECT 1 FROM simplejwt_session_token WHERE jti = '{jti}'");
        assert_eq!(rows(&standby, &[&sql]), 1, "it was written to the old primary");
    }
    for server in [sleeper, awake, fresh] {
        assert!(server.stop().success());
    }
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
        // One that looks at no blacklist to verify a token.
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
        // Whether it is on the blacklist can't be told.
        assert_eq!(verify.status, 503);
        (chains, away)
    });
    println!("promoted after {:?}, and well under way again {:?} later", away.0, away.1);
    await_readiness(server, 200);
    assert_nothing_was_lost(&standby, &chains);
    for chain in &chains {
        assert!(chain.len() > 10, "{} steps", chain.len());
        // Each goes on from its last token.
        let answer = refresh(server, chain.last().unwrap());
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(process.stop().success());
    // Where nothing is forgiven, a token that was spent before ends its session: the standby knows.
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
