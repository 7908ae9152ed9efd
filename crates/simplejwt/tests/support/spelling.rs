//! A user's id in another spelling than the tokens and sessions have it in.

use std::sync::Arc;

use simplejwt::settings::RevocationMode;
use simplejwt::store::session::{EndReason, RevocationSubject, SessionSelector};
use simplejwt::{
    Auth, Credentials, Error, SessionStore, Settings, TokenError, Tokens, UserId, UserStore,
};

/// Whoever ends a user's sessions ends all of them, and each kind of token, in any spelling that
/// the database takes for the user's; one that it doesn't is said to be unknown and touches
/// nothing.
pub(crate) async fn every_spelling_or_none(
    users: Arc<dyn UserStore>,
    store: Arc<dyn SessionStore>,
    login: &Credentials,
    same: &[&str],
    other: &[&str],
) {
    let mut settings = Settings {
        signing_key: Some("a secret that only these tests know, long enough".into()),
        token_blacklist: true,
        rotate_refresh_tokens: true,
        blacklist_after_rotation: true,
        ..Settings::default()
    };
    settings.sessions.session_claim = true;
    settings.sessions.revocation = RevocationMode::Feed;
    let auth = Auth::new(Tokens::new(settings).unwrap())
        .with_shared_users(users)
        .with_shared_sessions(Arc::clone(&store));
    let all = |id: &str| SessionSelector::All { user_id: id.into(), except: None };
    for spelling in same {
        let pair = auth.obtain_pair(login).await.unwrap();
        let id: UserId = (*spelling).into();
        let canonical = auth.known_user(&id).await.unwrap();
        assert_eq!(auth.sessions_of(&id).await.unwrap().len(), 1, "{spelling}");
        assert_eq!(auth.end_sessions(all(spelling), EndReason::Staff).await.unwrap(), 1);
        let refused = auth.refresh(&pair.refresh.token).await;
        assert!(matches!(refused, Err(Error::Token(TokenError::Blacklisted))), "{refused:?}");
        auth.poll_revocations().await.unwrap();
        assert!(auth.authenticate(&pair.access.token).await.is_err(), "{spelling}");
        assert!(auth.sessions_of(&canonical).await.unwrap().is_empty(), "{spelling}");
        let now = auth.tokens().now();
        let revoked = store.revocations(0, 1000, now).await.unwrap().entries;
        let last = revoked.last().map(|entry| &entry.subject);
        assert_eq!(last, Some(&RevocationSubject::User(canonical)), "{spelling}");
    }
    for spelling in other {
        let pair = auth.obtain_pair(login).await.unwrap();
        for outcome in [
            auth.known_user(&(*spelling).into()).await.map(drop),
            auth.end_sessions(all(spelling), EndReason::Staff).await.map(drop),
        ] {
            assert!(matches!(outcome, Err(Error::NoSuchUser)), "{spelling:?}: {outcome:?}");
        }
        auth.poll_revocations().await.unwrap();
        auth.authenticate(&pair.access.token).await.unwrap();
        auth.refresh(&pair.refresh.token).await.unwrap();
    }
}
