//! Sessions that are moved between a row for each token and a row for each session.

use std::sync::Arc;
use std::time::Duration;

use simplejwt::settings::{Rows, SessionSettings};
use simplejwt::store::rows::{AfterRows, BySession, MoveSessions, Moved};
use simplejwt::users::memory::MemoryUsers;
use simplejwt::{
    Auth, Clock as _, Credentials, ManualClock, SessionStore, Settings, Tokens, User, UserId,
};

use super::{NOW, hashing_pool};

const PASSWORD: &str = "wonderland";

struct Site {
    clock: Arc<ManualClock>,
    users: MemoryUsers,
}

impl Site {
    async fn new() -> Self {
        let pool = hashing_pool();
        let users = MemoryUsers::new(pool.clone());
        let mut user = User::new("1", "alice");
        user.password = pool.encode(PASSWORD.to_owned().into()).await.unwrap();
        users.insert(user);
        Self { clock: Arc::new(ManualClock::at(NOW)), users }
    }

    fn auth(&self, store: impl SessionStore, session_claim: bool) -> Auth {
        let rows = store.rows();
        let settings = settings(session_claim, rows);
        let tokens =
            Tokens::with(settings.clone(), settings.key_set().unwrap(), self.clock.clone());
        let auth = Auth::new(tokens.unwrap()).with_users(self.users.clone()).with_sessions(store);
        auth.check().unwrap();
        auth
    }

    /// Longer than a spent token is tolerated.
    fn pass(&self) {
        self.clock.advance(Duration::from_secs(60));
    }
}

fn settings(session_claim: bool, rows: Rows) -> Settings {
    Settings {
        signing_key: Some("a secret that only these tests know, long enough".into()),
        token_blacklist: true,
        rotate_refresh_tokens: true,
        blacklist_after_rotation: true,
        sessions: SessionSettings { session_claim, rows, ..SessionSettings::default() },
        ..Settings::default()
    }
}

async fn log_in(auth: &Auth) -> String {
    let credentials = Credentials::new("alice", PASSWORD);
    auth.obtain_pair(&credentials).await.unwrap().refresh.token
}

async fn next(auth: &Auth, token: &str) -> String {
    auth.refresh(token).await.unwrap().refresh.unwrap().token
}

/// Refuses a spent token, and ends its session with it.
async fn assert_reuse_ends(auth: &Auth, spent: &str, newest: &str) {
    let before = live(auth).await;
    auth.refresh(spent).await.unwrap_err();
    assert_eq!(live(auth).await, before - 1, "its session goes on");
    auth.refresh(newest).await.unwrap_err();
}

async fn live(auth: &Auth) -> usize {
    auth.sessions_of(&UserId::from("1")).await.unwrap().len()
}

/// Moves all, in small steps; returns how many were moved and how many weren't.
async fn moved<F: Future<Output = Moved>>(step: impl Fn(String) -> F) -> (u64, u64) {
    let (mut after, mut all) = (String::new(), (0, 0));
    loop {
        let moved = step(after).await;
        all = (all.0 + moved.sessions, all.1 + moved.with_several);
        match moved.next {
            Some(next) => after = next,
            None => return all,
        }
    }
}

async fn to_rows(store: &impl MoveSessions, site: &Site) -> (u64, u64) {
    let at = site.clock.now();
    moved(|after| async move { store.move_to_rows(&after, at, 2).await.unwrap() }).await
}

async fn to_tokens(store: &impl MoveSessions, site: &Site) -> (u64, u64) {
    let at = site.clock.now();
    moved(|after| async move { store.move_to_tokens(&after, at, 2).await.unwrap() }).await
}

/// Live tokens go on working, and spent ones are recognised.
pub(crate) async fn sessions_go_on<S: MoveSessions + Clone>(store: S) {
    let site = Site::new().await;
    let unnamed = site.auth(store.clone(), false);
    let by_tokens = site.auth(store.clone(), true);
    // Rotated, new, reused later, logged out, and without a `sid`, once rotated with one.
    let (a0, b0, e0, c0) = (
        log_in(&by_tokens).await,
        log_in(&by_tokens).await,
        log_in(&by_tokens).await,
        log_in(&by_tokens).await,
    );
    let (d0, g0) = (log_in(&unnamed).await, log_in(&unnamed).await);
    let a1 = next(&by_tokens, &a0).await;
    let a2 = next(&by_tokens, &a1).await;
    let e1 = next(&by_tokens, &e0).await;
    let d1 = next(&unnamed, &d0).await;
    let g1 = next(&by_tokens, &g0).await;
    by_tokens.log_out_with(&c0).await.unwrap();
    let at = site.clock.now();
    assert_eq!(store.token_sessions(at).await.unwrap().live, 5);

    assert_eq!(to_rows(&store, &site).await, (5, 0));
    assert_eq!(to_rows(&store, &site).await, (0, 0), "a second time");
    assert_eq!(store.token_sessions(at).await.unwrap().live, 0);
    assert_eq!(store.row_sessions(at).await.unwrap().live, 5);
    let registered = store.newest(100).await.unwrap();

    let by_session = site.auth(BySession::new(store.clone(), by_tokens.settings()), true);
    assert_eq!(live(&by_session).await, 5);
    // Just spent: a late client.
    by_session.refresh(&a1).await.unwrap_err();
    assert_eq!(live(&by_session).await, 5);
    let a3 = next(&by_session, &a2).await;
    let d2 = next(&by_session, &d1).await;
    let b1 = next(&by_session, &b0).await;
    by_session.refresh(&c0).await.unwrap_err();
    by_session.log_out_with(&c0).await.unwrap_err();
    site.pass();
    assert_reuse_ends(&by_session, &e0, &e1).await;
    assert_reuse_ends(&by_session, &d0, &d2).await;
    assert_reuse_ends(&by_session, &g0, &g1).await;
    let a4 = next(&by_session, &a3).await;
    let b2 = next(&by_session, &b1).await;
    let (f0, h0) = (log_in(&by_session).await, log_in(&by_session).await);
    let f1 = next(&by_session, &f0).await;
    let f2 = next(&by_session, &f1).await;
    assert_eq!(store.newest(100).await.unwrap(), registered, "a token was registered");
    assert_eq!(live(&by_session).await, 4);

    assert_eq!(to_tokens(&store, &site).await, (4, 0));
    assert_eq!(to_tokens(&store, &site).await, (0, 0), "a second time");
    let left = store.row_sessions(site.clock.now()).await.unwrap();
    assert_eq!((left.live, left.moved), (0, 4));
    let by_tokens = site.auth(AfterRows::new(store.clone()), true);
    assert_eq!(live(&by_tokens).await, 4);
    let a5 = next(&by_tokens, &a4).await;
    let f3 = next(&by_tokens, &f2).await;
    let h1 = next(&by_tokens, &h0).await;
    site.pass();
    // The last, one of which no row is left, and one from before the first move.
    assert_reuse_ends(&by_tokens, &f1, &f3).await;
    assert_reuse_ends(&by_tokens, &b0, &b2).await;
    assert_reuse_ends(&by_tokens, &a2, &a5).await;
    assert_eq!(live(&by_tokens).await, 1);

    // And once more.
    assert_eq!(to_rows(&store, &site).await, (1, 0));
    let by_session = site.auth(BySession::new(store.clone(), by_tokens.settings()), true);
    let h2 = next(&by_session, &h1).await;
    site.pass();
    assert_reuse_ends(&by_session, &h0, &h2).await;
    // The rows are gone with the tokens.
    let later = NOW + Duration::from_secs(100 * 24 * 60 * 60);
    while store.flush_rows(later, 2).await.unwrap() > 0 {}
    assert_eq!(store.row_sessions(later).await.unwrap(), Default::default());
}
