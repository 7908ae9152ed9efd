//! Hashes of passwords that are there already: whose they are, and samples of them.

use std::sync::Arc;

use simplejwt::UserStore as _;
use simplejwt::postgres::{PostgresDatabase, PostgresOptions, PostgresStore, PostgresUsers};
use simplejwt::sql::manage::{ManageUsers, UserOptions};
use simplejwt::sql::table::UserTable;
use simplejwt::users::password::Hashers;

use crate::support::hashes;
use crate::support::postgres::{Database, execute};

async fn with_hashers(database: &Database, hashers: &Hashers) -> Arc<dyn ManageUsers> {
    with_options(database, hashers, UserOptions::default()).await
}

async fn with_options(
    database: &Database,
    hashers: &Hashers,
    options: UserOptions,
) -> Arc<dyn ManageUsers> {
    let (table, pool) = (UserTable::default(), hashes::pool(hashers));
    let database = database.connect().await;
    Arc::new(PostgresUsers::open(&database, table, pool, options).await.unwrap())
}

#[tokio::test]
async fn hashes_in_djangos_table_are_djangos_to_rewrite() {
    let made = Database::django().await;
    hashes::djangos_table(async |hashers| with_hashers(&made, &hashers).await).await;
}

#[tokio::test]
async fn hashes_in_a_table_made_here_are_raised_until_django_comes() {
    let made = Database::migrated().await;
    let run = async |sql: &str| execute(&made.url, sql).await;
    hashes::table_made_here(async |hashers| with_hashers(&made, &hashers).await, run).await;
}

#[tokio::test]
async fn rows_of_sessions_follow_a_new_hash() {
    let made = Database::migrated().await;
    let table = UserTable::default();
    let store = PostgresStore::open(&made.connect().await, &table).await.unwrap();
    let run = async |sql: &str| execute(&made.url, sql).await;
    let open = async |hashers, options| with_options(&made, &hashers, options).await;
    hashes::rows_follow_a_new_hash(open, store, run).await;
}

#[tokio::test]
async fn a_sample_of_the_hashes_is_bounded() {
    let made = Database::migrated().await;
    let fill = async |hash: &str| {
        let many = format!(
            "INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, \
             is_staff, is_active, date_joined) \
             SELECT 'user' || n, '{hash}', '', '', '', false, false, true, now() \
             FROM generate_series(1, 5000) AS n"
        );
        execute(&made.url, &many).await;
    };
    hashes::a_sample_is_bounded(async |hashers| with_hashers(&made, &hashers).await, fill).await;
}

#[tokio::test]
async fn what_this_role_may_not_read_is_not_our_own() {
    let made = Database::migrated().await;
    let role = format!("{}_reader", made.name);
    execute(
        &made.url,
        &format!(
            "CREATE TABLE django_migrations (id integer); \
             CREATE ROLE {role} LOGIN PASSWORD 'reader'; \
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; \
             REVOKE SELECT ON django_migrations FROM {role}"
        ),
    )
    .await;
    let (head, tail) = made.url.split_once("://").unwrap();
    let url = format!("{head}://{role}:reader@{}", tail.split_once('@').unwrap().1);
    let database = PostgresDatabase::connect(&url, PostgresOptions::default()).await.unwrap();
    let pool = hashes::pool(&Hashers::default());
    let (table, options) = (UserTable::default(), UserOptions::default());
    let users = PostgresUsers::open(&database, table, pool, options).await.unwrap();
    let survey = users.survey_passwords().await.unwrap();
    assert_eq!((survey.made_here, survey.kinds.len()), (false, 1), "{survey:?}");
    drop(database);
    execute(&made.url, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
