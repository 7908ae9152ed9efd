//! What the flows tell of, and who is named in it: in memory and in SQLite.

mod listeners;
mod refusals;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use simplejwt::event::{Actor, UserChange};
use simplejwt::service::Scope;
use simplejwt::settings::RevocationMode;
use simplejwt::store::session::{Client, EndReason, SessionSelector};
use simplejwt::{Auth, Credentials, Error, EventRecord, KeySet, Refresh, Settings, Tokens};

use crate::world::{NOW, PASSWORD, Pair, World, alice, claims, credentials, seconds, worlds};

/// Keeps what it is told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<EventRecord>>>);

impl Told {
    fn to(auth: &Auth) -> (Auth, Self) {
        let told = Self::default();
        let kept = told.clone();
        let auth = auth.clone().on_event(move |record| kept.0.lock().unwrap().push(record.clone()));
        (auth, told)
    }

    /// What has been told since it was last asked, without when and by whom.
    fn events(&self) -> Vec<Value> {
        let records = std::mem::take(&mut *self.0.lock().unwrap());
        records.iter().map(|record| serde_json::to_value(&record.event).unwrap()).collect()
    }

    fn one(&self) -> Value {
        let events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events[0].clone()
    }
}

fn jti(token: &str) -> Value {
    claims(token)["jti"].clone()
}

/// A token in a session, as events name it.
fn named(event: &str, token: &str, session: &str) -> Value {
    json!({"event": event, "jti": jti(token), "session_id": jti(session), "user_id": "1"})
}

fn with(mut event: Value, member: &str, value: impl Into<Value>) -> Value {
    event[member] = value.into();
    event
}

async fn log_in(auth: &Auth) -> Pair {
    auth.obtain_pair(&credentials("alice")).await.unwrap().into()
}

async fn next(auth: &Auth, token: &str) -> Pair {
    auth.refresh(token).await.unwrap().into()
}

fn windows(settings: &mut Settings) {
    settings.sessions.rotation_grace = seconds(10);
    settings.sessions.reuse_tolerance = seconds(20);
}

#[tokio::test]
async fn a_refresh_is_told_by_what_became_of_it() {
    for world in worlds(windows).await {
        let (auth, told) = Told::to(&world.auth);
        let first = log_in(&auth).await.refresh;
        let login = json!({"event": "logged_in", "user_id": "1", "session_id": jti(&first)});
        assert_eq!(told.one(), login, "{}", world.name());
        let second = next(&auth, &first).await.refresh;
        assert_eq!(told.one(), named("refreshed", &first, &first));
        next(&auth, &first).await;
        let repeated = named("refresh_repeated", &first, &first);
        assert_eq!(told.one(), with(repeated, "suspicious", false));
        world.advance(seconds(15));
        assert!(auth.refresh(&first).await.is_err());
        let spent = named("spent_token_presented", &first, &first);
        assert_eq!(told.one(), with(spent.clone(), "outcome", "refused"));
        world.advance(seconds(15));
        assert!(auth.refresh(&first).await.is_err());
        assert_eq!(told.one(), with(spent, "outcome", "session_ended"));
        assert!(auth.refresh(&second).await.is_err());
        let refused = named("token_refused", &second, &first);
        assert_eq!(told.one(), with(refused, "reason", "session_ended"));
    }
}

/// The store finds out in which session a token is, also where the token doesn't say.
#[tokio::test]
async fn a_refresh_names_its_session_however_often_it_was_rotated() {
    for session_claim in [false, true] {
        let worlds = worlds(|settings| {
            settings.sessions.session_claim = session_claim;
            settings.sessions.idle_lifetime = Some(seconds(60));
        });
        for world in worlds.await {
            let (auth, told) = Told::to(&world.auth);
            let first = log_in(&auth).await.refresh;
            let mut token = first.clone();
            for _ in 0..3 {
                told.events();
                let successor = next(&auth, &token).await.refresh;
                assert_eq!(told.one(), named("refreshed", &token, &first), "{}", world.name());
                token = successor;
            }
            world.set_password("alice", "another").await;
            assert!(matches!(auth.refresh(&token).await, Err(Error::PasswordChanged)));
            let refused = named("token_refused", &token, &first);
            assert_eq!(told.one(), with(refused, "reason", "password_changed"));
            assert!(auth.refresh(&token).await.is_err());
            let refused = named("token_refused", &token, &first);
            assert_eq!(told.one(), with(refused, "reason", "session_ended"));
            world.set_password("alice", PASSWORD).await;
        }
    }
}

#[tokio::test]
async fn a_refused_refresh_says_why() {
    for world in worlds(|settings| settings.sessions.idle_lifetime = Some(seconds(60))).await {
        let (auth, told) = Told::to(&world.auth);
        let token = log_in(&auth).await.refresh;
        told.events();
        world.advance(seconds(60));
        assert!(auth.refresh(&token).await.is_err());
        let refused = named("token_refused", &token, &token);
        assert_eq!(told.one(), with(refused, "reason", "session_expired"), "{}", world.name());

        let token = log_in(&auth).await.refresh;
        told.events();
        world.set_password("alice", "another").await;
        assert!(matches!(auth.refresh(&token).await, Err(Error::PasswordChanged)));
        let refused = named("token_refused", &token, &token);
        assert_eq!(told.one(), with(refused, "reason", "password_changed"));

        world.set_password("alice", PASSWORD).await;
        let token = log_in(&auth).await.refresh;
        told.events();
        world.change("alice", |user| user.is_active = false).await;
        assert!(auth.refresh(&token).await.is_err());
        let refused = json!({"event": "token_refused", "jti": jti(&token), "user_id": "1"});
        assert_eq!(told.one(), with(refused, "reason", "user_inactive"));
    }
}

#[tokio::test]
async fn what_ends_a_session_says_which_and_why() {
    for world in worlds(|settings| {
        settings.sessions.max_per_user = Some(2);
        settings.sessions.revocation = RevocationMode::Strict;
        settings.sessions.session_claim = true;
    })
    .await
    {
        let (auth, told) = Told::to(&world.auth);
        let pair = log_in(&auth).await;
        told.events();
        auth.log_out_with(&pair.refresh).await.unwrap();
        assert_eq!(told.one(), named("logged_out", &pair.refresh, &pair.refresh));
        assert!(auth.log_out_with(&pair.refresh).await.is_err());
        let refused = json!({"event": "token_refused", "jti": jti(&pair.refresh), "user_id": "1"});
        assert_eq!(told.one(), with(refused, "reason", "session_ended"), "{}", world.name());

        let pair = log_in(&auth).await;
        told.events();
        auth.blacklist(&pair.refresh).await.unwrap();
        assert_eq!(told.one(), named("token_blacklisted", &pair.refresh, &pair.refresh));
        assert!(auth.blacklist(&pair.refresh).await.is_err());
        let refused = json!({"event": "token_refused", "jti": jti(&pair.refresh)});
        assert_eq!(told.one(), with(refused, "reason", "blacklisted"));

        let pair = log_in(&auth).await;
        told.events();
        let _ = auth.revoke(&pair.access).await.unwrap();
        let revoked = named("token_revoked", &pair.access, &pair.refresh);
        assert_eq!(told.one(), with(revoked, "is_access", true));
        let _ = auth.revoke(&pair.refresh).await.unwrap();
        let revoked = named("token_revoked", &pair.refresh, &pair.refresh);
        assert_eq!(told.one(), with(revoked, "is_access", false));
        // Nothing was left to revoke.
        let _ = auth.revoke(&pair.refresh).await.unwrap();
        assert_eq!(told.events(), Vec::<Value>::new());

        let first = log_in(&auth).await;
        world.advance(seconds(1));
        let second = log_in(&auth).await;
        world.advance(seconds(1));
        told.events();
        let third = log_in(&auth).await;
        let evicted =
            json!({"event": "sessions_ended", "user_id": "1", "reason": "limit", "ended": 1});
        assert_eq!(told.events()[0], evicted);
        world.assert_blacklisted(&first.refresh, "evicted").await;
        let caller = auth.caller_of_refresh(&third.refresh).await.unwrap();
        auth.log_out(&caller, Scope::Others).await.unwrap();
        assert_eq!(
            told.one(),
            json!({
                "event": "sessions_ended",
                "user_id": "1",
                "except_session_id": jti(&third.refresh),
                "reason": "logout",
                "ended": 1,
            })
        );
        world.assert_blacklisted(&second.refresh, "another than the caller's").await;
    }
}

#[tokio::test]
async fn a_session_of_another_user_is_told_of_as_such() {
    for world in worlds(|settings| settings.sessions.session_claim = true).await {
        let (auth, told) = Told::to(&world.auth);
        let bobs = auth.obtain_pair(&credentials("bob")).await.unwrap().refresh.token;
        told.events();
        let tokens = world.auth.tokens();
        let forged = tokens.issue_with::<Refresh>("1", |extra| {
            extra.set("sid", jti(&bobs).as_str().unwrap()).unwrap();
        });
        let forged = tokens.encode(&forged).unwrap();
        let expected = json!({
            "event": "token_refused",
            "jti": jti(&forged),
            "session_id": jti(&bobs),
            "user_id": "1",
            "reason": "foreign_session",
        });
        assert!(auth.refresh(&forged).await.is_err());
        assert_eq!(told.one(), expected, "{}", world.name());
        assert!(auth.log_out_with(&forged).await.is_err());
        assert_eq!(told.one(), expected);
        // Whoever isn't its owner can put it on the blacklist all the same.
        let outcome = auth.blacklist_any(&forged).await.unwrap();
        assert_eq!(outcome, simplejwt::store::Blacklisting::Blacklisted);
        let listed = json!({"event": "token_blacklisted", "jti": jti(&forged), "user_id": "1"});
        assert_eq!(told.events(), [expected, listed]);
        next(&auth, &bobs).await;
    }
}

/// Whatever is told says who did it, from where and in which request.
#[tokio::test]
async fn every_record_has_its_cause() {
    for world in worlds(|settings| {
        settings.sessions.revocation = RevocationMode::Strict;
        settings.sessions.session_claim = true;
        settings.sessions.max_per_user = Some(1);
    })
    .await
    {
        let client = Client::new(Some("192.0.2.7"), Some("browser"));
        let actor = Actor::Staff { user_id: "2".into() };
        let auth = world.auth.from_client(client.clone()).for_request("r-7");
        let (auth, told) = Told::to(&auth.acting_as(actor.clone()));
        let wrong = Credentials::new("alice", "a wrong one");
        assert!(auth.obtain_pair(&wrong).await.is_err());
        let first = log_in(&auth).await;
        // Ends the first one.
        let second = log_in(&auth).await;
        assert!(auth.refresh(&first.refresh).await.is_err());
        let second = next(&auth, &second.refresh).await;
        let _ = auth.revoke(&second.access).await.unwrap();
        auth.log_out_with(&second.refresh).await.unwrap();
        auth.blacklist(&log_in(&auth).await.refresh).await.unwrap();
        let _ = auth.revoke(&log_in(&auth).await.refresh).await.unwrap();
        let sliding = auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
        auth.refresh_sliding(&sliding).await.unwrap();
        auth.password_changed(&alice()).await.unwrap();
        auth.user_changed(&alice(), UserChange::Enabled).await.unwrap();
        let records = std::mem::take(&mut *told.0.lock().unwrap());
        let names: BTreeSet<_> = records.iter().map(|record| record.event.name()).collect();
        assert_eq!(names.len(), 10, "{names:?}");
        for record in &records {
            assert_eq!((&record.actor, &record.client, record.at), (&actor, &client, NOW));
            assert_eq!(record.request_id.as_deref(), Some("r-7"), "{record:?}");
        }
    }
}

/// Flows without a key, as the command line has them.
fn administration(world: &World, actor: Actor) -> (Auth, Told) {
    let clock = Arc::clone(&world.clock);
    let tokens = Tokens::with(world.settings.clone(), KeySet::none(), clock).unwrap();
    let auth = Auth::new(tokens)
        .with_users(world.users.clone())
        .with_shared_sessions(Arc::clone(&world.store))
        .acting_as(actor);
    Told::to(&auth)
}

#[tokio::test]
async fn what_operators_do_is_told_with_who_it_was() {
    for world in worlds(|_| ()).await {
        let operator = Actor::Operator { account: Some("root".into()) };
        let (auth, told) = administration(&world, operator.clone());
        let changed = |change| json!({"event": "user_changed", "user_id": "1", "change": change});
        let all = |reason| json!({"event": "sessions_ended", "user_id": "1", "reason": reason, "ended": 1});
        for change in [UserChange::Added, UserChange::Enabled] {
            let token = world.log_in().await.refresh;
            assert_eq!(auth.user_changed(&alice(), change).await.unwrap(), None);
            world.next(&token).await;
            auth.end_sessions(
                SessionSelector::All { user_id: alice(), except: None },
                EndReason::Staff,
            )
            .await
            .unwrap();
            let word = serde_json::to_value(change).unwrap();
            assert_eq!(told.events(), [changed(word), all("staff")], "{}", world.name());
            world.assert_blacklisted(&token, "ended").await;
        }
        let token = world.log_in().await.refresh;
        assert_eq!(auth.password_changed(&alice()).await.unwrap(), Some(1));
        let password = json!({"event": "password_changed", "user_id": "1"});
        assert_eq!(told.events(), [all("password"), password]);
        world.assert_blacklisted(&token, "another password").await;
        for (change, word) in [(UserChange::Disabled, "disabled"), (UserChange::Deleted, "deleted")]
        {
            let token = world.log_in().await.refresh;
            assert_eq!(auth.user_changed(&alice(), change).await.unwrap(), Some(1));
            let records = told.0.lock().unwrap().clone();
            assert!(records.iter().all(|record| record.actor == operator && record.at == NOW));
            assert_eq!(told.events(), [all("user"), changed(word.into())]);
            world.assert_blacklisted(&token, word).await;
        }
        // Whoever isn't there has nothing that could be ended, and may have been deleted.
        let nobody = "77".into();
        let refused = auth.user_changed(&nobody, UserChange::Disabled).await;
        assert!(matches!(refused, Err(Error::NoSuchUser)), "{refused:?}");
        assert!(matches!(auth.password_changed(&nobody).await, Err(Error::NoSuchUser)));
        assert_eq!(told.events(), Vec::<Value>::new());
        assert_eq!(auth.user_changed(&nobody, UserChange::Deleted).await.unwrap(), Some(0));
        assert_eq!(told.one()["change"], "deleted");
    }
}

#[tokio::test]
async fn a_keyless_program_takes_no_token() {
    for world in worlds(|_| ()).await {
        let (auth, told) = administration(&world, Actor::System);
        let pair = world.log_in().await;
        assert!(auth.authenticate(&pair.access).await.is_err());
        assert!(auth.refresh(&pair.refresh).await.is_err());
        assert!(auth.blacklist_any(&pair.refresh).await.is_err());
        assert!(auth.obtain_pair(&credentials("alice")).await.is_err());
        assert_eq!(told.events(), Vec::<Value>::new());
        world.next(&pair.refresh).await;
    }
}

#[tokio::test]
async fn without_sessions_events_name_none() {
    for world in worlds(|settings| settings.sessions.enabled = false).await {
        let (auth, told) = Told::to(&world.auth);
        let first = log_in(&auth).await.refresh;
        assert_eq!(told.one(), json!({"event": "logged_in", "user_id": "1"}));
        let second = next(&auth, &first).await.refresh;
        let named = |event, token| json!({"event": event, "jti": jti(token), "user_id": "1"});
        assert_eq!(told.one(), named("refreshed", &first), "{}", world.name());
        assert!(auth.refresh(&first).await.is_err());
        let refused =
            json!({"event": "token_refused", "jti": jti(&first), "reason": "blacklisted"});
        assert_eq!(told.one(), refused);
        auth.blacklist(&second).await.unwrap();
        assert_eq!(told.one(), named("token_blacklisted", &second));
        let sliding = auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
        told.events();
        auth.refresh_sliding(&sliding).await.unwrap();
        assert_eq!(told.one(), named("refreshed", &sliding));
        assert_eq!(auth.password_changed(&alice()).await.unwrap(), None);
        assert_eq!(told.one(), json!({"event": "password_changed", "user_id": "1"}));
    }
}
