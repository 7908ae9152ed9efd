//! Tables of an application's that refer to registered tokens, before the purge of a store.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use simplejwt::event::Act;
use simplejwt::store::retention::{MARGIN, Retention};
use simplejwt::store::{FlushExpired, Flushed, OutstandingToken, Referenced, TokenStore};
use simplejwt::{Settings, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1_767_323_045);
const TOKENS: usize = 20;

/// What a database needs to be told differently.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    /// How a constraint is put off to the end of the transaction, as Django's are.
    pub(crate) deferred: &'static str,
    /// Whether constraints have names.
    pub(crate) named: bool,
    /// How the users' table comes to refer to tokens.
    pub(crate) refer_from_users: &'static [&'static str],
}

impl Dialect {
    /// SQLite's.
    pub(crate) const SQLITE: Self = Self { named: false, ..Self::POSTGRES };
    /// PostgreSQL's, as Django uses it.
    pub(crate) const POSTGRES: Self = Self {
        deferred: "DEFERRABLE INITIALLY DEFERRED",
        named: true,
        refer_from_users: &["ALTER TABLE auth_user ADD COLUMN token_id bigint NULL \
             REFERENCES token_blacklist_outstandingtoken (id)"],
    };
    /// MySQL's and MariaDB's.
    pub(crate) const MYSQL: Self = Self {
        deferred: "",
        refer_from_users: &[
            "ALTER TABLE auth_user ADD COLUMN token_id bigint NULL",
            "ALTER TABLE auth_user ADD CONSTRAINT user_of_token FOREIGN KEY (token_id) \
             REFERENCES token_blacklist_outstandingtoken (id)",
        ],
        ..Self::POSTGRES
    };
}

/// A device of a token and of another device, its photos by two columns, and the reason of an
/// entry of the blacklist.
fn tables(dialect: Dialect) -> Vec<String> {
    let deferred = dialect.deferred;
    vec![
        format!(
            "CREATE TABLE people_device (id bigint NOT NULL PRIMARY KEY, owner bigint NOT NULL, \
             token_id bigint NOT NULL, parent_id bigint NULL, UNIQUE (id, owner), \
             CONSTRAINT device_of_token FOREIGN KEY (token_id) \
             REFERENCES token_blacklist_outstandingtoken (id) {deferred}, \
             CONSTRAINT device_of_device FOREIGN KEY (parent_id) \
             REFERENCES people_device (id) {deferred})"
        ),
        format!(
            "CREATE TABLE people_photo (id bigint NOT NULL PRIMARY KEY, device_id bigint NOT NULL, \
             owner bigint NOT NULL, CONSTRAINT photo_of_device FOREIGN KEY (device_id, owner) \
             REFERENCES people_device (id, owner) {deferred})"
        ),
        format!(
            "CREATE TABLE people_reason (id bigint NOT NULL PRIMARY KEY, entry_id bigint NULL, \
             CONSTRAINT reason_of_entry FOREIGN KEY (entry_id) \
             REFERENCES token_blacklist_blacklistedtoken (id) {deferred})"
        ),
        // The database itself does what is to be done.
        "CREATE TABLE people_note (id bigint NOT NULL PRIMARY KEY, token_id bigint NULL, \
         CONSTRAINT note_of_token FOREIGN KEY (token_id) \
         REFERENCES token_blacklist_outstandingtoken (id) ON DELETE SET NULL)"
            .to_owned(),
        "CREATE TABLE people_cache (id bigint NOT NULL PRIMARY KEY, token_id bigint NOT NULL, \
         CONSTRAINT cache_of_token FOREIGN KEY (token_id) \
         REFERENCES token_blacklist_outstandingtoken (id) ON DELETE CASCADE)"
            .to_owned(),
    ]
}

const ROWS: [&str; 8] = [
    "INSERT INTO people_device SELECT 1, 7, id, NULL FROM token_blacklist_outstandingtoken WHERE jti = 't3'",
    "INSERT INTO people_device SELECT 2, 7, id, 1 FROM token_blacklist_outstandingtoken WHERE jti = 't11'",
    "INSERT INTO people_device SELECT 3, 7, id, 2 FROM token_blacklist_outstandingtoken WHERE jti = 'live'",
    "INSERT INTO people_photo VALUES (1, 2, 7)",
    "INSERT INTO people_reason SELECT 1, b.id FROM token_blacklist_blacklistedtoken AS b \
     JOIN token_blacklist_outstandingtoken AS o ON o.id = b.token_id WHERE o.jti = 't5'",
    "INSERT INTO people_note SELECT 1, id FROM token_blacklist_outstandingtoken WHERE jti = 't6'",
    "INSERT INTO people_cache SELECT 1, id FROM token_blacklist_outstandingtoken WHERE jti = 't7'",
    "INSERT INTO people_reason VALUES (2, NULL)",
];

fn token(jti: &str, expires_at: Timestamp) -> OutstandingToken {
    OutstandingToken {
        jti: jti.to_owned(),
        token: format!("header.{jti}.signature"),
        user_id: Some("1".into()),
        created_at: NOW,
        expires_at,
    }
}

async fn fill(store: &impl TokenStore) {
    for number in 0..TOKENS {
        let _ = store.blacklist(&token(&format!("t{number}"), NOW), &Act::at(NOW)).await.unwrap();
    }
    store.record(&token("live", NOW + 3 * MARGIN), &Act::at(NOW)).await.unwrap();
}

fn flush(batch: u32, cascade: bool) -> FlushExpired {
    let retention = Retention::of(&Settings::default());
    FlushExpired { cascade, ..FlushExpired::new(retention, NOW + MARGIN, batch) }
}

/// From step to step; `between` comes after the first.
async fn purge(
    store: &impl TokenStore,
    mut flush: FlushExpired,
    between: impl AsyncFnOnce(),
) -> (u64, Vec<Referenced>) {
    let (mut deleted, mut referenced) = (0, Flushed::default());
    let mut between = Some(between);
    for _ in 0..100 {
        let flushed = store.flush_expired(&flush).await.unwrap();
        deleted += flushed.deleted;
        for kept in &flushed.referenced {
            for _ in 0..kept.tokens {
                referenced.keep(&kept.constraint, &kept.table);
            }
        }
        flush.after = flushed.next;
        if flush.after.is_none() {
            referenced.referenced.sort_by(|a, b| a.table.cmp(&b.table));
            return (deleted, referenced.referenced);
        }
        if let Some(between) = between.take() {
            between().await;
        }
    }
    panic!("the purge comes to no end")
}

async fn assert_left(store: &impl TokenStore, left: &[usize]) {
    for number in 0..TOKENS {
        let stays = store.is_blacklisted(&format!("t{number}")).await.unwrap();
        assert_eq!(stays, left.contains(&number), "t{number}");
    }
}

/// A referenced token costs no other one its turn, and goes where that is asked for.
pub(crate) async fn what_is_referred_to_stays(
    store: &impl TokenStore,
    dialect: Dialect,
    run: impl AsyncFn(String),
    count: impl AsyncFn(&str) -> i64,
) {
    fill(store).await;
    for sql in tables(dialect) {
        run(sql).await;
    }
    for sql in ROWS {
        run(sql.to_owned()).await;
    }
    let named = |name: &str, column: &str| {
        if dialect.named { name.to_owned() } else { column.to_owned() }
    };
    let expected = [
        Referenced {
            constraint: named("device_of_token", "token_id"),
            table: "people_device".into(),
            tokens: 2,
        },
        Referenced {
            constraint: named("reason_of_entry", "entry_id"),
            table: "people_reason".into(),
            tokens: 1,
        },
    ];
    for deleted in [17, 0] {
        let purged = purge(store, flush(4, false), async || ()).await;
        assert_eq!(purged, (deleted, expected.to_vec()));
        assert_left(store, &[3, 5, 11]).await;
    }
    assert_eq!(count("SELECT count(*) FROM people_cache").await, 0);
    assert_eq!(count("SELECT count(*) FROM people_note WHERE token_id IS NULL").await, 1);

    let purged = purge(store, flush(2, true), async || ()).await;
    assert_eq!(purged, (3, Vec::new()));
    assert_left(store, &[]).await;
    // Also the device of a live token that has one of these for its parent; its token stays.
    for (table, left) in [
        ("people_device", 0),
        ("people_photo", 0),
        ("people_reason", 1),
        ("people_note", 1),
        ("token_blacklist_outstandingtoken", 1),
        ("token_blacklist_blacklistedtoken", 0),
    ] {
        assert_eq!(count(&format!("SELECT count(*) FROM {table}")).await, left, "{table}");
    }
}

/// A table that comes while the purge is at it costs its rows and no more.
pub(crate) async fn a_table_that_comes_in_between(
    store: &impl TokenStore,
    dialect: Dialect,
    run: impl AsyncFn(String),
) {
    fill(store).await;
    let (deleted, referenced) = purge(store, flush(4, false), async || {
        for sql in tables(dialect) {
            run(sql).await;
        }
        for sql in &ROWS[1..2] {
            run(sql.replace("id, 1", "id, NULL")).await;
        }
    })
    .await;
    assert_eq!(deleted, TOKENS as u64 - 1);
    let tables: Vec<_> = referenced.iter().map(|kept| (kept.table.as_str(), kept.tokens)).collect();
    assert_eq!(tables, [("people_device", 1)]);
    assert_left(store, &[11]).await;
}

/// Rows of users are never deleted.
pub(crate) async fn users_stay(
    store: &impl TokenStore,
    dialect: Dialect,
    run: impl AsyncFn(String),
    count: impl AsyncFn(&str) -> i64,
) {
    fill(store).await;
    for sql in dialect.refer_from_users {
        run((*sql).to_owned()).await;
    }
    run("UPDATE auth_user SET token_id = (SELECT id FROM token_blacklist_outstandingtoken \
         WHERE jti = 't1') WHERE id = 1"
        .into())
    .await;
    let (deleted, referenced) = purge(store, flush(100, true), async || ()).await;
    assert_eq!((deleted, referenced.len()), (TOKENS as u64 - 1, 1));
    assert_eq!(count("SELECT count(*) FROM auth_user WHERE token_id IS NOT NULL").await, 1);
}
