use std::time::Duration;

use super::*;

pub(super) const AT: Timestamp = Timestamp::from_micros(1_767_323_045_123_456);
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoiMSJ9.c2lnbmF0dXJl";

pub(super) fn token() -> PresentedToken {
    PresentedToken {
        jti: Some("t".into()),
        session_id: Some("s".into()),
        user_id: Some("1".into()),
    }
}

/// A token that is in no session.
pub(super) fn alone() -> PresentedToken {
    PresentedToken { session_id: None, ..token() }
}

pub(super) fn refused(reason: TokenRefusal) -> Event {
    Event::TokenRefused { token: token(), reason }
}

pub(super) fn ended(reason: EndReason) -> Event {
    let user_id = Some("1".into());
    Event::SessionsEnded { user_id, session_id: None, except_session_id: None, reason, ended: 2 }
}

pub(super) fn changed(change: UserChange) -> Event {
    Event::UserChanged { user_id: "1".into(), change }
}

pub(super) fn spent(outcome: SpentOutcome) -> Event {
    Event::SpentTokenPresented { token: token(), outcome }
}

pub(super) fn login_refused(reason: LoginRefusal) -> Event {
    let user_id = (reason != LoginRefusal::Credentials).then(|| "1".into());
    Event::login_refused("alice", user_id, reason)
}

pub(super) fn throttled(username: Option<&str>) -> Event {
    let (period, wait) = (Duration::from_secs(3600), Duration::from_millis(16_001));
    Event::throttled(&Throttled::new(ThrottleScope::LoginAccount, 100, period, wait), username)
}

/// Stored records are read by later releases.
#[test]
fn names_stay() {
    const NAMES: &str = r#""jti":"t","session_id":"s","user_id":"1""#;
    let logged_in = Event::LoggedIn { user_id: "1".into(), session_id: Some("s".into()) };
    let revoked = |is_access| Event::TokenRevoked { token: token(), is_access };
    for (event, json) in [
        (logged_in, r#""logged_in","user_id":"1","session_id":"s""#),
        (
            login_refused(LoginRefusal::Credentials),
            r#""login_refused","username":"alice","reason":"credentials""#,
        ),
        (
            login_refused(LoginRefusal::NotAllowed),
            r#""login_refused","username":"alice","user_id":"1","reason":"not_allowed""#,
        ),
        (
            login_refused(LoginRefusal::TooManySessions),
            r#""login_refused","username":"alice","user_id":"1","reason":"too_many_sessions""#,
        ),
        (
            throttled(Some("alice")),
            r#""throttled","scope":"login_account","username":"alice","retry_after":17"#,
        ),
        (throttled(None), r#""throttled","scope":"login_account","retry_after":17"#),
        (Event::Refreshed { token: token() }, r#""refreshed",NAMES"#),
        (Event::Refreshed { token: alone() }, r#""refreshed","jti":"t","user_id":"1""#),
        (
            Event::RefreshRepeated { token: token(), suspicious: true },
            r#""refresh_repeated",NAMES,"suspicious":true"#,
        ),
        (spent(SpentOutcome::Refused), r#""spent_token_presented",NAMES,"outcome":"refused""#),
        (
            spent(SpentOutcome::SessionEnded),
            r#""spent_token_presented",NAMES,"outcome":"session_ended""#,
        ),
        (refused(TokenRefusal::Blacklisted), r#""token_refused",NAMES,"reason":"blacklisted""#),
        (refused(TokenRefusal::SessionEnded), r#""token_refused",NAMES,"reason":"session_ended""#),
        (
            refused(TokenRefusal::SessionExpired),
            r#""token_refused",NAMES,"reason":"session_expired""#,
        ),
        (
            refused(TokenRefusal::ForeignSession),
            r#""token_refused",NAMES,"reason":"foreign_session""#,
        ),
        (refused(TokenRefusal::Unregistered), r#""token_refused",NAMES,"reason":"unregistered""#),
        (
            refused(TokenRefusal::PasswordChanged),
            r#""token_refused",NAMES,"reason":"password_changed""#,
        ),
        (refused(TokenRefusal::UserInactive), r#""token_refused",NAMES,"reason":"user_inactive""#),
        (Event::LoggedOut { token: token() }, r#""logged_out",NAMES"#),
        (Event::TokenBlacklisted { token: token() }, r#""token_blacklisted",NAMES"#),
        (revoked(true), r#""token_revoked",NAMES,"is_access":true"#),
        (revoked(false), r#""token_revoked",NAMES,"is_access":false"#),
        (Event::PasswordChanged { user_id: "1".into() }, r#""password_changed","user_id":"1""#),
        (changed(UserChange::Added), r#""user_changed","user_id":"1","change":"added""#),
        (changed(UserChange::Enabled), r#""user_changed","user_id":"1","change":"enabled""#),
        (changed(UserChange::Disabled), r#""user_changed","user_id":"1","change":"disabled""#),
        (changed(UserChange::Deleted), r#""user_changed","user_id":"1","change":"deleted""#),
    ] {
        let expected = format!("{{\"event\":{}}}", json.replace("NAMES", NAMES));
        let written = serde_json::to_string(&event).unwrap();
        assert_eq!(written, expected);
        assert_eq!(serde_json::from_str::<Event>(&written).unwrap(), event);
        assert!(written.starts_with(&format!("{{\"event\":\"{}\"", event.name())), "{written}");
    }
    for reason in [
        EndReason::Logout,
        EndReason::Reuse,
        EndReason::Blacklisted,
        EndReason::Expired,
        EndReason::Password,
        EndReason::User,
        EndReason::Limit,
        EndReason::Staff,
    ] {
        let expected = format!(
            r#"{{"event":"sessions_ended","user_id":"1","reason":"{}","ended":2}}"#,
            reason.as_str()
        );
        assert_eq!(serde_json::to_string(&ended(reason)).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Event>(&expected).unwrap(), ended(reason));
    }
}

#[test]
fn a_record_says_when_who_and_from_where() {
    let client = Client::new(Some("192.0.2.7"), Some("curl/8.5.0"));
    let event = changed(UserChange::Disabled);
    for (actor, json) in [
        (Actor::User, r#"{"kind":"user"}"#),
        (Actor::Staff { user_id: "2".into() }, r#"{"kind":"staff","user_id":"2"}"#),
        (
            Actor::Operator { account: Some("root".into()) },
            r#"{"kind":"operator","account":"root"}"#,
        ),
        (Actor::Operator { account: None }, r#"{"kind":"operator"}"#),
        (
            Actor::OauthClient { client_id: "gateway".into() },
            r#"{"kind":"oauth_client","client_id":"gateway"}"#,
        ),
        (Actor::System, r#"{"kind":"system"}"#),
    ] {
        let record = EventRecord::new(event.clone(), AT, actor, &client);
        let written = serde_json::to_string(&record).unwrap();
        let expected = format!(
            r#"{{"at":"2026-01-02T03:04:05.123456Z","actor":{json},"client":{{"address":"192.0.2.7","user_agent":"curl/8.5.0"}},"event":"user_changed","user_id":"1","change":"disabled"}}"#
        );
        assert_eq!(written, expected);
        assert_eq!(serde_json::from_str::<EventRecord>(&written).unwrap(), record);
    }
}

/// A client can put anything into the username and the user agent.
#[test]
fn a_token_in_the_wrong_place_is_no_part_of_an_event() {
    let client = Client::new(None, Some(&format!("curl {TOKEN}")));
    let event = Event::login_refused(TOKEN, None, LoginRefusal::Credentials);
    let record = EventRecord::new(event, AT, Actor::User, &client);
    let shown = format!("{record:?} {}", serde_json::to_string(&record).unwrap());
    assert!(!shown.contains("eyJ1c2Vy") && !shown.contains("c2lnbmF0dXJl"), "{shown}");
    assert!(shown.contains(r#""username":"eyJ…""#) && shown.contains("curl eyJ…"), "{shown}");
    let long = Event::login_refused(&"a".repeat(60_000), None, LoginRefusal::Credentials);
    let Event::LoginRefused { username, .. } = long else { panic!("{long:?}") };
    assert_eq!(username.chars().count(), 151);
}

#[test]
fn names_of_security_event_tokens_are_those_of_openid() {
    let caep = "https://schemas.openid.net/secevent/caep/event-type/";
    let risc = "https://schemas.openid.net/secevent/risc/event-type/";
    let others = Event::SessionsEnded {
        user_id: Some("1".into()),
        session_id: None,
        except_session_id: Some("s".into()),
        reason: EndReason::Logout,
        ended: 1,
    };
    for (event, name) in [
        (
            Event::LoggedIn { user_id: "1".into(), session_id: None },
            Some((caep, "session-established")),
        ),
        (Event::Refreshed { token: token() }, Some((caep, "session-presented"))),
        (Event::LoggedOut { token: token() }, Some((caep, "session-revoked"))),
        (ended(EndReason::Staff), Some((caep, "session-revoked"))),
        (spent(SpentOutcome::SessionEnded), Some((caep, "session-revoked"))),
        (Event::PasswordChanged { user_id: "1".into() }, Some((caep, "credential-change"))),
        (changed(UserChange::Enabled), Some((risc, "account-enabled"))),
        (changed(UserChange::Disabled), Some((risc, "account-disabled"))),
        (changed(UserChange::Deleted), Some((risc, "account-purged"))),
        (changed(UserChange::Added), None),
        // One session isn't ended.
        (others, None),
        (spent(SpentOutcome::Refused), None),
        (login_refused(LoginRefusal::Credentials), None),
        (refused(TokenRefusal::Blacklisted), None),
    ] {
        let name = name.map(|(profile, name)| format!("{profile}{name}"));
        assert_eq!(event.uri(), name.as_deref(), "{event:?}");
    }
}
