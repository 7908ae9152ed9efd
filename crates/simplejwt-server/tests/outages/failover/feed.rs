//! The feed of revocations when its account is taken away, and a server that slept through a
//! failover.

use std::time::{Duration, Instant};

use super::{
    LOGIN, Peer, assert_unavailable, await_readiness, environment, host, jti, prepare, refresh,
};
use crate::instance::Instance;
use crate::support::process::{PATIENCE, Response, Server, run, stderr};
use crate::support::site::pause;

/// The feed's database fails in a way that the driver can't handle, and then recovers: the
/// revocations are read again, and nothing has to be restarted.
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
        pause();
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
        pause();
    }
    assert!(process.stop().success());
}

/// Returns the message of a command that fails.
fn run_cli(args: &[&str], environment: &[(&str, &str)]) -> String {
    let output = run(args, environment);
    assert!(!output.status.success());
    stderr(&output)
}

/// Runs the statements, each by itself, and returns the number of rows of the last one.
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
        pause();
    }
}

/// Returns the status for an access token, once the server can tell.
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
        pause();
    }
}

/// The standby hadn't received the newest logouts when it was promoted. A server that slept in the
/// meantime has, and its number is used again for another logout; and the old primary is back.
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

    // From now on, the standby receives nothing.
    let reload = "SELECT pg_reload_conf()";
    rows(&primary, &["ALTER SYSTEM SET synchronous_standby_names = ''", reload]);
    rows(&standby, &["ALTER SYSTEM SET primary_conninfo = ''", reload]);
    let begun = Instant::now();
    while rows(&primary, &["SELECT 1 FROM pg_stat_replication"]) > 0 {
        assert!(begun.elapsed() < PATIENCE, "the standby goes on");
        pause();
    }
    for pair in &pairs[1..3] {
        logout(other, pair);
    }
    let begun = Instant::now();
    while told_of(asleep, &pairs[2]) == 200 {
        assert!(begun.elapsed() < Duration::from_secs(5), "it isn't heard of");
        pause();
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
        // Tokens whose revocation was lost with the primary are valid on the new one; servers that
        // had received it continue to refuse them. A server may miss what happened while it slept
        // for feed_max_age, 2 seconds.
        let slept = at >= 3 && awoken.elapsed() < Duration::from_secs(2);
        while slept && told_of(asleep, pair) == 200 {
            assert!(awoken.elapsed() < Duration::from_secs(3), "session {at}");
        }
        assert_eq!(told_of(asleep, pair), 401, "session {at}");
        let lost = (1..3).contains(&at);
        assert!(lost || told_of(Peer(fresh.address), pair) == 401, "session {at}, fresh");
        assert!(lost || refresh(Peer(fresh.address), &pair.text("refresh")).status == 401);
    }
    // Every server ignores the old primary.
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
