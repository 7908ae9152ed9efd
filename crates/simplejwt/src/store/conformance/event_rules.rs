//! Rules for the records made in the transaction of a change: who did it, when and from where, and
//! in which session.

use std::sync::Arc;
use std::time::Duration;

use super::{
    NOW, Task, after, cause, good, open, refresh, refresh_at, retain_until, together, token,
};
use crate::event::{
    Act, Actor, Cause, Client, EndReason, Event, EventRecord, PresentedToken, Recorded,
    SpentOutcome, TokenRefusal,
};
use crate::settings::Rows;
use crate::store::session::{
    EndEvent, EndSessions, NextToken, OpenSession, RefreshOutcome, Revocation, RevocationSubject,
    SessionLimit, SessionRefresh, SessionSelector, SessionStore,
};
use crate::store::{Blacklisting, OutstandingToken, Rotation, TokenStore};

/// Somebody other than the user, from another client, at this many seconds.
fn by_staff(seconds: i64) -> Cause {
    Cause {
        at: after(seconds),
        actor: Actor::Staff { user_id: "7".into() },
        client: Client::new(Some("198.51.100.7"), Some("console")),
        request_id: Some("r-1".into()),
    }
}

/// A token of user `1`, in this session.
fn presented(jti: &str, session_id: Option<&str>) -> PresentedToken {
    PresentedToken {
        jti: Some(jti.to_owned()),
        session_id: session_id.map(str::to_owned),
        user_id: Some("1".into()),
    }
}

/// Asserts that the only record is that of this event, with this cause.
#[track_caller]
fn assert_told<T>(recorded: &Recorded<T>, cause: &Cause, event: Event) {
    let Cause { at, actor, client, request_id } = cause.clone();
    let expected = EventRecord { request_id, ..EventRecord::new(event, at, actor, &client) };
    assert_eq!(recorded.events, [expected]);
}

pub(super) async fn acts_are_recorded(store: &impl TokenStore) {
    let act = |jti: &str, seconds| {
        let event = Event::TokenBlacklisted { token: presented(jti, None) };
        Act { event: Some(event), cause: by_staff(seconds) }
    };
    // The token may already be registered: the event is recorded all the same.
    for seconds in [0, 1] {
        let login = Event::LoggedIn { user_id: "1".into(), session_id: None };
        let act = Act { event: Some(login.clone()), cause: by_staff(seconds) };
        let recorded = good(store.record(&token("a"), &act).await);
        assert_told(&recorded, &act.cause, login);
    }
    let first = good(store.blacklist(&token("a"), &act("a", 2)).await);
    assert_eq!(first.outcome, Blacklisting::Blacklisted);
    assert_told(&first, &by_staff(2), Event::TokenBlacklisted { token: presented("a", None) });
    let second = good(store.blacklist(&token("a"), &act("a", 3)).await);
    assert_eq!(second, Recorded::nothing(Blacklisting::AlreadyBlacklisted));
    // Never registered.
    let unknown = good(store.blacklist(&token("b"), &act("b", 4)).await);
    assert_told(&unknown, &by_staff(4), Event::TokenBlacklisted { token: presented("b", None) });
    let untold = good(store.blacklist(&token("c"), &Act::untold(by_staff(5))).await);
    assert_eq!(untold, Recorded::nothing(Blacklisting::Blacklisted));
}

pub(super) async fn rotations_are_recorded(store: &impl TokenStore) {
    // Registered, and unregistered.
    let _ = good(store.record(&token("a"), &Act::untold(by_staff(0))).await);
    for (spent, next) in [("a", "a2"), ("b", "b2")] {
        let token = presented(spent, None);
        let rotated =
            good(store.rotate(&super::token(spent), &super::token(next), &by_staff(1)).await);
        assert_eq!(rotated.outcome, Rotation::Rotated);
        assert_told(&rotated, &by_staff(1), Event::Refreshed { token: token.clone() });
        let replayed =
            good(store.rotate(&super::token(spent), &super::token("x"), &by_staff(2)).await);
        assert_eq!(replayed.outcome, Rotation::Replayed);
        let outcome = SpentOutcome::Refused;
        assert_told(&replayed, &by_staff(2), Event::SpentTokenPresented { token, outcome });
    }
}

/// The rules for sessions.
pub(super) async fn of_sessions<S: SessionStore, Made: Future<Output = S>>(
    make: &impl Fn() -> Made,
    spawn: &impl Fn(Task),
) {
    logins_are_recorded(&make().await).await;
    a_refresh_is_recorded_in_the_session_it_is_in(&make().await).await;
    a_refused_refresh_is_recorded(&make().await).await;
    ends_are_recorded(&make().await).await;
    revocations_are_recorded(&make().await).await;
    refreshes_at_once_are_each_their_own(Arc::new(make().await), spawn).await;
}

async fn logins_are_recorded(store: &impl SessionStore) {
    let login = |id: &str| Event::LoggedIn { user_id: "1".into(), session_id: Some(id.into()) };
    let at = |id: &str, seconds, limit| OpenSession { cause: by_staff(seconds), limit, ..open(id) };
    let opened = good(store.open(&at("a", 0, None)).await);
    assert_told(&opened, &by_staff(0), login("a"));
    let room = good(store.open(&at("b", 1, Some(SessionLimit::EvictOldest(2)))).await);
    assert_told(&room, &by_staff(1), login("b"));
    let evicting = good(store.open(&at("c", 2, Some(SessionLimit::EvictOldest(1)))).await);
    let ended = Event::SessionsEnded {
        user_id: Some("1".into()),
        session_id: None,
        except_session_id: None,
        reason: EndReason::Limit,
        ended: 2,
    };
    let expected = [ended, login("c")].map(|event| by_staff(2).record(event));
    assert_eq!(evicting.events, expected);
    let refused = good(store.open(&at("d", 3, Some(SessionLimit::Refuse(1)))).await);
    assert_eq!(refused.events, []);
}

fn refused(jti: &str, session: &str, reason: TokenRefusal) -> Event {
    Event::TokenRefused { token: presented(jti, Some(session)), reason }
}

fn spent(jti: &str, session: &str, outcome: SpentOutcome) -> Event {
    Event::SpentTokenPresented { token: presented(jti, Some(session)), outcome }
}

fn refreshed(jti: &str, session: &str) -> Event {
    Event::Refreshed { token: presented(jti, Some(session)) }
}

/// The tokens name no session, as without the claim `sid`: the one that they join has their id.
async fn a_refresh_is_recorded_in_the_session_it_is_in(store: &impl SessionStore) {
    let by = |seconds, refresh| SessionRefresh { cause: by_staff(seconds), ..refresh };
    let take = async |seconds, refresh: SessionRefresh, event: Event| {
        let recorded = good(store.refresh(&by(seconds, refresh)).await);
        assert_told(&recorded, &by_staff(seconds), event);
    };
    let _ = good(store.open(&open("a")).await);
    for (jti, next) in [("a", "b"), ("b", "c"), ("c", "d")] {
        take(1, refresh_at(jti, next, 0, 10), refreshed(jti, "a")).await;
    }
    // Once more, as if the database's answer got lost.
    take(1, refresh("c", "d"), refreshed("c", "a")).await;
    // A token that is kept or added to, one that names a session other than its own, and one that
    // joins the session it names.
    let (mut kept, mut others) =
        (vec![NextToken::None], vec![("d", "e", "elsewhere"), ("joins", "joined", "a")]);
    match store.rows() {
        Rows::Tokens => kept.push(NextToken::Added(token("beside"))),
        Rows::Sessions => others.truncate(1),
    }
    for next in kept {
        let kept = SessionRefresh { next, ..refresh("d", "") };
        take(2, kept, refreshed("d", "a")).await;
    }
    for (jti, next, named) in others {
        let mut other = refresh_at(jti, next, 0, 10);
        other.session.id = named.into();
        take(2, other, refreshed(jti, "a")).await;
    }
    take(2, refresh("new", "new2"), refreshed("new", "new")).await;

    let repeated = |suspicious| {
        let token = presented("b", Some("a"));
        Event::RefreshRepeated { token, suspicious }
    };
    take(3, refresh_at("b", "x", 0, 10), repeated(false)).await;
    let elsewhere = SessionRefresh { cause: Cause::at(after(3)), ..refresh_at("b", "x", 0, 10) };
    let recorded = good(store.refresh(&elsewhere).await);
    assert_told(&recorded, &Cause::at(after(3)), repeated(true));
    let tolerant = SessionRefresh { tolerance: Duration::from_secs(10), ..refresh("b", "x") };
    take(4, tolerant, spent("b", "a", SpentOutcome::Refused)).await;
    take(5, refresh("b", "x"), spent("b", "a", SpentOutcome::SessionEnded)).await;
    for jti in ["a", "e"] {
        take(6, refresh(jti, "x"), refused(jti, "a", TokenRefusal::SessionEnded)).await;
    }
    let mut late = refresh("late", "x");
    late.session.id = "a".into();
    take(6, late, refused("late", "a", TokenRefusal::SessionEnded)).await;
}

async fn a_refused_refresh_is_recorded(store: &impl SessionStore) {
    let by = |seconds, refresh| SessionRefresh { cause: by_staff(seconds), ..refresh };
    let take = async |seconds, refresh: SessionRefresh, event: Event| {
        let recorded = good(store.refresh(&by(seconds, refresh)).await);
        assert_told(&recorded, &by_staff(seconds), event);
    };
    for id in ["a", "p", "s"] {
        let _ = good(store.open(&open(id)).await);
        let _ = good(store.refresh(&refresh(id, &format!("{id}2"))).await);
    }
    // The caller checks the password again, and ends the session: that is the event.
    let mut changed = refresh("a2", "x");
    changed.session.password = Some("another".into());
    let recorded = good(store.refresh(&by(1, changed)).await);
    assert_eq!(recorded, Recorded::nothing(RefreshOutcome::PasswordChanged));

    let idle = SessionRefresh { idle: Some(Duration::from_secs(5)), ..refresh("a2", "x") };
    take(5, idle, refused("a2", "a", TokenRefusal::SessionExpired)).await;
    let _ = good(store.blacklist(&token("p2"), &Act::untold(cause(NOW))).await);
    take(6, refresh("p2", "x"), refused("p2", "p", TokenRefusal::Blacklisted)).await;
    let forgotten = SessionRefresh {
        token: OutstandingToken { expires_at: after(7), ..token("never seen") },
        ..refresh("never seen", "x")
    };
    let event = refused("never seen", "never seen", TokenRefusal::Unregistered);
    take(7, forgotten, event).await;
    let mut theirs = refresh("t", "x");
    theirs.session.id = "s".into();
    theirs.session.user_id = "2".into();
    let token = PresentedToken { user_id: Some("2".into()), ..presented("t", Some("s")) };
    take(8, theirs, Event::TokenRefused { token, reason: TokenRefusal::ForeignSession }).await;
}

/// Each of many concurrent refreshes has its own session, even if a store takes them together.
async fn refreshes_at_once_are_each_their_own<S: SessionStore>(
    store: Arc<S>,
    spawn: &impl Fn(Task),
) {
    const TASKS: usize = 16;
    for task in 0..TASKS {
        let _ = good(store.open(&open(&format!("s{task}"))).await);
    }
    for round in 0..3 {
        let of = |task: usize, round: usize| match round {
            0 => format!("s{task}"),
            _ => format!("s{task}-{round}"),
        };
        let refreshes = (0..TASKS).map(|task| {
            let (store, jti) = (Arc::clone(&store), of(task, round));
            let refresh = refresh(&jti, &of(task, round + 1));
            async move { (task, jti, good(store.refresh(&refresh).await)) }
        });
        for (task, jti, recorded) in together(spawn, refreshes).await {
            assert_told(&recorded, &cause(NOW), refreshed(&jti, &format!("s{task}")));
        }
    }
}

async fn ends_are_recorded(store: &impl SessionStore) {
    let end = |which, event, seconds| EndSessions {
        which,
        reason: EndReason::Staff,
        event,
        cause: by_staff(seconds),
        retain_until: retain_until(),
    };
    let one = |id: &str| SessionSelector::One { id: id.to_owned(), user_id: None };
    let ended = |session_id: Option<&str>, user_id: Option<&str>, except: Option<&str>, ended| {
        Event::SessionsEnded {
            user_id: user_id.map(Into::into),
            session_id: session_id.map(str::to_owned),
            except_session_id: except.map(str::to_owned),
            reason: EndReason::Staff,
            ended,
        }
    };
    for id in ["a", "b", "c", "d", "e"] {
        let _ = good(store.open(&open(id)).await);
    }
    // Even if there is nothing left to end.
    for (seconds, count) in [(1, 1), (2, 0)] {
        let recorded =
            good(store.end_sessions(&end(one("a"), EndEvent::SessionsEnded, seconds)).await);
        assert_eq!(recorded.outcome, count);
        assert_told(&recorded, &by_staff(seconds), ended(Some("a"), None, None, count));
    }
    let logout = Event::LoggedOut { token: presented("b", Some("b")) };
    let by_token = |seconds| end(one("b"), EndEvent::Other(logout.clone()), seconds);
    let recorded = good(store.end_sessions(&by_token(3)).await);
    assert_told(&recorded, &by_staff(3), logout.clone());
    let again = good(store.end_sessions(&by_token(4)).await);
    assert_eq!(again, Recorded::nothing(0), "it has ended before");
    let untold = good(store.end_sessions(&end(one("c"), EndEvent::None, 5)).await);
    assert_eq!(untold, Recorded::nothing(1));

    let but_e = SessionSelector::All { user_id: "1".into(), except: Some("e".into()) };
    let recorded = good(store.end_sessions(&end(but_e, EndEvent::SessionsEnded, 6)).await);
    assert_told(&recorded, &by_staff(6), ended(None, Some("1"), Some("e"), 1));
    let nobody = SessionSelector::All { user_id: "nobody".into(), except: None };
    let recorded = good(store.end_sessions(&end(nobody, EndEvent::SessionsEnded, 7)).await);
    assert_told(&recorded, &by_staff(7), ended(None, Some("nobody"), None, 0));
}

async fn revocations_are_recorded(store: &impl SessionStore) {
    let revocation = |jti: &str| Revocation {
        subject: RevocationSubject::Token(jti.to_owned()),
        revoked_at: NOW,
        expires_at: after(50),
    };
    let event = Event::TokenRevoked { token: presented("t", Some("s")), is_access: true };
    let act = Act { event: Some(event.clone()), cause: by_staff(0) };
    let recorded = good(store.revoke(&revocation("t"), &act).await);
    assert_told(&recorded, &by_staff(0), event);
    let untold = good(store.revoke(&revocation("u"), &Act::untold(by_staff(1))).await);
    assert_eq!(untold, Recorded::nothing(()));
}
