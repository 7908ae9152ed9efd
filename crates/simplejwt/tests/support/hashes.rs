//! What a login makes of stored hashes, where that hangs on whose the table is; and how large a sample
//! of them is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::sync::Arc;

use simplejwt::event::Cause;
use simplejwt::sql::manage::{ManageUsers, NewUser, UserOptions};
use simplejwt::store::OutstandingToken;
use simplejwt::store::rows::{BySession, SessionRows};
use simplejwt::store::session::{NewSession, OpenSession, RetainUntil};
use simplejwt::users::password::{
    Hasher, Hashers, HashingPool, Parameters, PoolOptions, Rehash, StoredKind,
};
use simplejwt::users::password_fingerprint;
use simplejwt::{Credentials, SessionStore as _, Settings, Timestamp};

use super::NOW;

type Users = Arc<dyn ManageUsers>;

const PASSWORD: &str = "correct horse";

fn with_iterations(pbkdf2_iterations: u32) -> Hashers {
    let parameters = Parameters { pbkdf2_iterations, ..Parameters::default() };
    Hashers::default().with_parameters(parameters).unwrap()
}

pub(crate) fn pool(hashers: &Hashers) -> HashingPool {
    HashingPool::new(hashers.clone(), PoolOptions { threads: 1, waiting: 9 }).unwrap()
}

async fn add(users: &Users, name: &str, hash: &str) {
    let new = NewUser { username: name.into(), password: hash.into(), ..NewUser::default() };
    users.create_user(new, &Cause::at(Timestamp::from_secs(1_767_323_045))).await.unwrap();
}

/// Whether a login rewrites this hash, and that it is a login.
async fn rewrites(users: &Users, name: &str, hash: &str) -> bool {
    users.set_password(name, hash, &Cause::at(NOW)).await.unwrap();
    let user = users.authenticate(&Credentials::new(name, PASSWORD)).await.unwrap().unwrap();
    let stored = users.by_username(name).await.unwrap().unwrap().password;
    assert_eq!(user.password, stored);
    assert_eq!(user.rehashed_from.as_deref(), (stored != hash).then_some(hash));
    stored != hash
}

/// On a table that Django made: nothing is rewritten unless somebody says what a hash costs, and
/// then as Django does, downwards as well.
pub(crate) async fn djangos_table(open: impl AsyncFn(Hashers) -> Users) {
    let (fewer, more) = (with_iterations(1000), with_iterations(3000));
    let (fewer, more) = (fewer.encode(PASSWORD).unwrap(), more.encode(PASSWORD).unwrap());
    let users = open(Hashers::default()).await;
    add(&users, "ann", "").await;
    assert!(!users.survey_passwords().await.unwrap().made_here);
    for hash in [&fewer, &more] {
        assert!(!rewrites(&users, "ann", hash).await, "by default: {hash}");
    }
    let configured = with_iterations(2000);
    for (rehash, rewrites_fewer, rewrites_more) in [
        (None, false, false),
        (Some(Rehash::Never), false, false),
        (Some(Rehash::Stronger), true, false),
        (Some(Rehash::Always), true, true),
    ] {
        let users = open(configured.clone().with_rehash(rehash)).await;
        assert_eq!(rewrites(&users, "ann", &fewer).await, rewrites_fewer, "{rehash:?}");
        assert_eq!(rewrites(&users, "ann", &more).await, rewrites_more, "{rehash:?}");
    }
    let users = open(configured).await;
    assert!(rewrites(&users, "ann", &fewer).await && rewrites(&users, "ann", &more).await);
    let listed = Hashers::new([Hasher::Md5, Hasher::Pbkdf2Sha256]).unwrap();
    assert!(rewrites(&open(listed).await, "ann", &more).await, "the first of the list");
    // As in Django: the password was right, so an inactive user's hash is rewritten as well.
    let users = open(with_iterations(2000)).await;
    users.set_password("ann", &fewer, &Cause::at(NOW)).await.unwrap();
    users.set_active("ann", false, &Cause::at(NOW)).await.unwrap();
    assert_eq!(users.authenticate(&Credentials::new("ann", PASSWORD)).await.unwrap(), None);
    let stored = users.by_username("ann").await.unwrap().unwrap().password;
    assert!(stored.starts_with("pbkdf2_sha256$2000$"), "{stored}");
}

/// On a table that `migrate` made: hashes are raised and never lowered. Once Django is there, it
/// decides. `run` runs a statement.
pub(crate) async fn table_made_here(open: impl AsyncFn(Hashers) -> Users, run: impl AsyncFn(&str)) {
    let (fewer, more) = (with_iterations(1000), with_iterations(1_000_001));
    let (fewer, more) = (fewer.encode(PASSWORD).unwrap(), more.encode(PASSWORD).unwrap());
    let users = open(Hashers::default()).await;
    add(&users, "ann", "").await;
    assert!(users.survey_passwords().await.unwrap().made_here);
    assert!(rewrites(&users, "ann", &fewer).await);
    assert!(!rewrites(&users, "ann", &more).await);
    run("CREATE TABLE django_migrations (id integer, app varchar(255), name varchar(255))").await;
    assert!(rewrites(&open(Hashers::default()).await, "ann", &fewer).await, "an empty table");
    run("INSERT INTO django_migrations VALUES (1, 'auth', '0001_initial')").await;
    assert!(!rewrites(&open(Hashers::default()).await, "ann", &fewer).await);
    // A server that runs while Django comes finds it out when it looks again.
    assert!(!users.survey_passwords().await.unwrap().made_here);
    assert!(!rewrites(&users, "ann", &fewer).await);
}

/// A sample has the newest rows, the oldest and some in between, and not the whole table.
/// `fill` adds many users with this hash.
pub(crate) async fn a_sample_is_bounded(
    open: impl AsyncFn(Hashers) -> Users,
    fill: impl AsyncFn(&str),
) {
    let users = open(Hashers::default()).await;
    let old = "pbkdf2_sha256$260000$abcdefghijklmnopqrstuv$AAAA";
    let new = "pbkdf2_sha256$1500000$abcdefghijklmnopqrstuv$AAAA";
    let usual = "pbkdf2_sha256$600000$abcdefghijklmnopqrstuv$AAAA";
    add(&users, "first", old).await;
    fill(usual).await;
    add(&users, "last", new).await;
    add(&users, "legacy", "sha1$salt$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8").await;
    let survey = users.survey_passwords().await.unwrap();
    let count = |name: &str| {
        let found = survey.kinds.iter().find(|(kind, _)| kind.to_string() == name);
        found.map_or(0, |(_, count)| *count)
    };
    assert_eq!(count("pbkdf2_sha256 with 260000 iterations"), 1, "{survey:?}");
    assert_eq!(count("pbkdf2_sha256 with 1500000 iterations"), 1, "{survey:?}");
    assert_eq!(survey.kinds[0].0.to_string(), "pbkdf2_sha256 with 600000 iterations");
    assert!((127..=200).contains(&survey.hashes()), "{survey:?}");
    assert!(survey.kinds.contains(&(StoredKind::NotAccepted(Some("sha1".into())), 1)));
}

async fn open_row(store: &(impl SessionRows + Clone), id: &str, user: &str, hash: &str) {
    let expires_at = Timestamp::from_secs(NOW.as_secs() + 3600);
    let open = OpenSession {
        session: NewSession {
            id: id.into(),
            user_id: user.into(),
            password: Some(password_fingerprint(hash)),
        },
        token: OutstandingToken {
            user_id: Some(user.into()),
            jti: id.into(),
            token: "a token".into(),
            created_at: NOW,
            expires_at,
        },
        expires_at,
        limit: None,
        cause: Cause::at(NOW),
        retain_until: RetainUntil { refresh: expires_at, access: expires_at },
    };
    BySession::new(store.clone(), &Settings::default()).open(&open).await.unwrap();
}

/// The transaction that rewrites a hash ties the user's sessions to it, if they are one row each;
/// otherwise it doesn't touch their table. `run` runs a statement.
pub(crate) async fn rows_follow_a_new_hash(
    open: impl AsyncFn(Hashers, UserOptions) -> Users,
    store: impl SessionRows + Clone,
    run: impl AsyncFn(&str),
) {
    let old = with_iterations(1000).encode(PASSWORD).unwrap();
    let rewriting = || with_iterations(2000).with_rehash(Some(Rehash::Always));
    let with_rows = UserOptions { session_rows: true, ..UserOptions::default() };
    let users = open(rewriting(), with_rows).await;
    add(&users, "ann", &old).await;
    let ann = users.by_username("ann").await.unwrap().unwrap().id;
    open_row(&store, "hers", ann.as_str(), &old).await;
    open_row(&store, "tied to another", ann.as_str(), "!").await;
    open_row(&store, "of another", "77", &old).await;

    assert!(rewrites(&users, "ann", &old).await);
    let stored = users.by_username("ann").await.unwrap().unwrap().password;
    for (id, hash, generation) in
        [("hers", stored.as_str(), 1), ("tied to another", "!", 0), ("of another", &old, 0)]
    {
        let row = store.row(id).await.unwrap().unwrap();
        assert_eq!(
            (row.password, row.generation),
            (Some(password_fingerprint(hash)), generation),
            "{id}"
        );
    }

    let without = open(rewriting(), UserOptions::default()).await;
    run("DROP TABLE simplejwt_refresh_session").await;
    assert!(rewrites(&without, "ann", &old).await);
    // Neither changes without the other, and the login succeeds.
    users.set_password("ann", &old, &Cause::at(NOW)).await.unwrap();
    let user = users.authenticate(&Credentials::new("ann", PASSWORD)).await.unwrap().unwrap();
    assert_eq!(user.rehashed_from, None);
    assert_eq!(users.by_username("ann").await.unwrap().unwrap().password, old);
}
