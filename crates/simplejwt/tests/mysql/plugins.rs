//! Accounts that are authenticated by something other than a native password, on a MariaDB of the
//! test's own, since plugins are the server's.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use simplejwt::store::mysql::{ConnectError, MysqlDatabase, MysqlOptions};

use crate::instance::Instance;
use crate::world::admin;

async fn run(conn: &mut Conn, sql: &str) {
    conn.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn outcome(url: &str) -> Result<(), ConnectError> {
    MysqlDatabase::connect(url, MysqlOptions::default()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ed25519_logs_in_and_what_is_unknown_is_refused_with_a_sentence() {
    let server = Instance::mariadb("plugins");
    let url = server.url().to_owned();
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.split_once('@').unwrap().1;
    let as_user = |name: &str, password: &str| format!("{scheme}://{name}:{password}@{place}");
    let mut conn = admin(&url).await;
    run(&mut conn, "INSTALL SONAME 'auth_ed25519'").await;
    run(&mut conn, "INSTALL SONAME 'auth_pam'").await;
    run(&mut conn, "CREATE USER ed IDENTIFIED VIA ed25519 USING PASSWORD('s3cret')").await;
    run(&mut conn, "CREATE USER pam IDENTIFIED VIA pam USING 'mariadb'").await;
    for name in ["ed", "pam"] {
        run(&mut conn, &format!("GRANT ALL ON *.* TO {name}")).await;
    }
    outcome(&as_user("ed", "s3cret")).await.unwrap();
    let wrong = outcome(&as_user("ed", "another")).await.unwrap_err();
    assert!(matches!(wrong, ConnectError::Refused { .. }), "{wrong:?}");
    let refused = outcome(&as_user("pam", "s3cret")).await.unwrap_err();
    assert!(matches!(&refused, ConnectError::Plugin { .. }), "{refused:?}");
    assert!(refused.to_string().contains("ALTER USER"), "{refused}");
}
