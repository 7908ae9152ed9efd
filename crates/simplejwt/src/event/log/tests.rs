//! The exact line of each event: module, level, fields in their order, sentence.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

use super::*;
use crate::event::tests::{
    AT, alone, changed, ended, login_refused, refused, spent, throttled, token,
};
use crate::event::{Actor, Client, SpentOutcome, UserChange};

/// Keeps lines as text.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String, Option<String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.1 = Some(format!("{value:?}"));
        } else {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {}={value}", field.name()).unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = self.0.lock().unwrap();
        let metadata = event.metadata();
        write!(line, "{} {}:", metadata.level(), metadata.target()).unwrap();
        let mut fields = Fields(&mut line, None);
        event.record(&mut fields);
        let message = fields.1.unwrap();
        write!(line, " \"{message}\"").unwrap();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Returns the log line of an event with this target.
fn line(event: &Event, target: Target) -> String {
    let lines = Lines::default();
    let client = Client::new(Some("192.0.2.7"), Some("curl"));
    let record = EventRecord::new(event.clone(), AT, Actor::User, &client);
    tracing::subscriber::with_default(lines.clone(), || log(&EventRecord { target, ..record }));
    std::mem::take(&mut *lines.0.lock().unwrap())
}

fn refused_alone(reason: TokenRefusal) -> Event {
    Event::TokenRefused { token: alone(), reason }
}

#[test]
fn each_event_has_the_line_that_the_page_promises() {
    let one = |user_id: Option<&str>| Event::SessionsEnded {
        user_id: user_id.map(Into::into),
        session_id: Some("s".into()),
        except_session_id: None,
        reason: EndReason::Logout,
        ended: 1,
    };
    let others = Event::SessionsEnded {
        user_id: Some("1".into()),
        session_id: None,
        except_session_id: Some("s".into()),
        reason: EndReason::Staff,
        ended: 2,
    };
    let nameless = PresentedToken { jti: None, session_id: Some("s".into()), user_id: None };
    let nobodys = PresentedToken { jti: Some("t".into()), ..PresentedToken::default() };
    let repeated = |suspicious| Event::RefreshRepeated { token: token(), suspicious };
    let alone_again = Event::SpentTokenPresented { token: alone(), outcome: SpentOutcome::Refused };
    let revoked = |is_access| Event::TokenRevoked { token: token(), is_access };
    use Target::{Refresh, Service, Sessions};
    let cases: Vec<(Event, Target, &str)> = vec![
        (
            Event::LoggedIn { user_id: "1".into(), session_id: Some("s".into()) },
            Service,
            "INFO service: login CLIENT user_id=1 \"logged in\"",
        ),
        (
            login_refused(LoginRefusal::Credentials),
            Service,
            "WARN service: login_refused CLIENT username=alice \"login refused\"",
        ),
        (
            login_refused(LoginRefusal::NotAllowed),
            Service,
            "WARN service: login_refused CLIENT username=alice \"login refused\"",
        ),
        (
            login_refused(LoginRefusal::TooManySessions),
            Service,
            "WARN service: session_limit_reached CLIENT user_id=1 \"login refused: too many \
             sessions\"",
        ),
        (
            throttled(Some("alice")),
            Service,
            "WARN service: throttled CLIENT scope=login_account username=alice retry_after=17 \
             \"throttled: too many failures before\"",
        ),
        (
            throttled(None),
            Service,
            "WARN service: throttled CLIENT scope=login_account retry_after=17 \"throttled: too \
             many failures before\"",
        ),
        (
            ended(EndReason::Limit),
            Service,
            "INFO service: sessions_evicted CLIENT user_id=1 ended=2 \"sessions ended to make \
             room\"",
        ),
        (
            one(None),
            Service,
            "INFO service::sessions: sessions_ended CLIENT session_id=s reason=logout ended=1 \
             \"sessions ended\"",
        ),
        (
            one(Some("1")),
            Service,
            "INFO service::sessions: sessions_ended CLIENT session_id=s user_id=1 reason=logout \
             ended=1 \"sessions ended\"",
        ),
        (
            others,
            Service,
            "INFO service::sessions: sessions_ended CLIENT user_id=1 except_session_id=s \
             reason=staff ended=2 \"sessions ended\"",
        ),
        (
            Event::Refreshed { token: token() },
            Service,
            "DEBUG service::refresh: refresh CLIENT NAMES \"refreshed\"",
        ),
        (Event::Refreshed { token: alone() }, Service, ""),
        (
            repeated(false),
            Service,
            "INFO service::refresh: refresh_repeated CLIENT NAMES suspicious=false \"refresh token \
             repeated: answered with the newest pair of its session\"",
        ),
        (
            repeated(true),
            Service,
            "INFO service::refresh: refresh_repeated CLIENT NAMES suspicious=true \"refresh token \
             repeated: answered with the newest pair of its session\"",
        ),
        (
            alone_again,
            Service,
            "WARN service::refresh: spent_token_presented CLIENT jti=t outcome=refused \"spent \
             refresh token presented again\"",
        ),
        (
            spent(SpentOutcome::Refused),
            Service,
            "WARN service::refresh: spent_token_presented CLIENT NAMES outcome=refused \"spent \
             refresh token presented again shortly after: refused, its session goes on\"",
        ),
        (
            spent(SpentOutcome::SessionEnded),
            Service,
            "WARN service::refresh: spent_token_presented CLIENT NAMES outcome=session_ended \"spent \
             refresh token presented again: its session was ended\"",
        ),
        (
            refused(TokenRefusal::Blacklisted),
            Service,
            "WARN service::refresh: blacklisted_token_presented CLIENT NAMES \"token that was \
             blacklisted elsewhere presented: its session is over\"",
        ),
        (
            refused_alone(TokenRefusal::Blacklisted),
            Service,
            "WARN service: blacklisted_token_presented CLIENT jti=t \"blacklisted token presented\"",
        ),
        (
            refused_alone(TokenRefusal::Blacklisted),
            Refresh,
            "WARN service::refresh: blacklisted_token_presented CLIENT jti=t \"blacklisted token \
             presented\"",
        ),
        (
            refused_alone(TokenRefusal::Blacklisted),
            Sessions,
            "WARN service::sessions: blacklisted_token_presented CLIENT jti=t \"blacklisted token \
             presented\"",
        ),
        (
            refused(TokenRefusal::SessionEnded),
            Service,
            "WARN service::refresh: ended_session_presented CLIENT NAMES \"token of an ended session \
             presented\"",
        ),
        (
            refused_alone(TokenRefusal::SessionEnded),
            Sessions,
            "WARN service::sessions: ended_session_presented CLIENT jti=t user_id=1 \"token of an \
             ended session presented\"",
        ),
        (
            refused(TokenRefusal::SessionExpired),
            Service,
            "INFO service::refresh: session_expired CLIENT NAMES \"session has expired\"",
        ),
        (
            refused(TokenRefusal::ForeignSession),
            Service,
            "WARN service::sessions: foreign_session_named CLIENT NAMES \"token presented that names \
             a session of another user: refused\"",
        ),
        (
            Event::TokenRefused { token: nameless, reason: TokenRefusal::ForeignSession },
            Service,
            "WARN service::sessions: foreign_session_named CLIENT session_id=s user_id= \"token \
             presented that names a session of another user: refused\"",
        ),
        (
            refused(TokenRefusal::Unregistered),
            Service,
            "WARN service::refresh: unregistered_token_presented CLIENT NAMES \"token past its \
             expiry presented that isn't registered any more: refused, since it may have been \
             blacklisted\"",
        ),
        (
            refused(TokenRefusal::PasswordChanged),
            Service,
            "WARN service::refresh: refresh_refused CLIENT NAMES reason=password \"refresh refused: \
             the password was changed, and the session was ended\"",
        ),
        (
            refused_alone(TokenRefusal::PasswordChanged),
            Service,
            "WARN service::refresh: refresh_refused CLIENT jti=t user_id=1 reason=password \"refresh \
             refused: the session was ended\"",
        ),
        (
            refused_alone(TokenRefusal::UserInactive),
            Service,
            "WARN service::refresh: refresh_refused CLIENT jti=t user_id=1 reason=user \"refresh \
             refused: the session was ended\"",
        ),
        (
            Event::LoggedOut { token: token() },
            Service,
            "INFO service::sessions: logout CLIENT jti=t user_id=1 \"logged out\"",
        ),
        (
            Event::LoggedOut { token: nobodys.clone() },
            Service,
            "INFO service::sessions: logout CLIENT jti=t user_id= \"logged out\"",
        ),
        (
            Event::TokenBlacklisted { token: token() },
            Service,
            "INFO service: token_blacklisted CLIENT jti=t user_id=1 \"token blacklisted\"",
        ),
        (
            revoked(false),
            Service,
            "INFO service::oauth: token_revoked CLIENT jti=t user_id=1 \"token revoked\"",
        ),
        (
            revoked(true),
            Service,
            "INFO service::oauth: token_revoked CLIENT jti=t \"access token revoked\"",
        ),
        (Event::PasswordChanged { user_id: "1".into() }, Service, ""),
        (changed(UserChange::Disabled), Service, ""),
    ];
    for (event, target, expected) in cases {
        let expected = match expected.split_once(": ") {
            None => String::new(),
            Some((head, rest)) => {
                let (level, module) = head.split_once(' ').unwrap();
                format!("{level} simplejwt::{module}: event={rest}")
                    .replace("CLIENT", "client_address=192.0.2.7 user_agent=curl")
                    .replace("NAMES", "jti=t session_id=s user_id=1")
            }
        };
        assert_eq!(line(&event, target), expected, "{event:?}");
    }
}
