//! The records of changes to sessions and tokens, made from the request and its outcome alone.
//!
//! A store makes them in the transaction of the change, and the flows report what it returned.

use super::session::{
    EndEvent, EndSessions, OpenOutcome, OpenSession, RefreshOutcome, SessionRefresh,
    SessionSelector,
};
use super::{OutstandingToken, Rotation};
use crate::event::{Cause, EndReason, Event, PresentedToken, Recorded, SpentOutcome, TokenRefusal};

impl OpenSession {
    /// Returns this outcome of the login with its records: the sessions that were ended to make
    /// room, and the login. A login beyond the limit has changed nothing, and the caller reports
    /// it.
    pub fn recorded(&self, outcome: OpenOutcome) -> Recorded<OpenOutcome> {
        let OpenOutcome::Opened { evicted } = outcome else { return Recorded::nothing(outcome) };
        let user_id = self.session.user_id.clone();
        let ended = (evicted > 0).then(|| Event::SessionsEnded {
            user_id: Some(user_id.clone()),
            session_id: None,
            except_session_id: None,
            reason: EndReason::Limit,
            ended: evicted,
        });
        let session_id = Some(self.session.id.clone());
        let events = ended.into_iter().chain([Event::LoggedIn { user_id, session_id }]);
        Recorded { outcome, events: events.map(|event| self.cause.record(event)).collect() }
    }
}

impl SessionRefresh {
    /// Returns this outcome of the refresh with its record. `session_id` is the session that the
    /// store found the token in; `None` if it is in none, and the one that it names is meant.
    pub fn recorded(
        &self,
        outcome: RefreshOutcome,
        session_id: Option<&str>,
    ) -> Recorded<RefreshOutcome> {
        let session_id = session_id.unwrap_or(&self.session.id);
        let event = self.event(&outcome, session_id);
        Recorded {
            outcome,
            events: event.map(|event| self.cause.record(event)).into_iter().collect(),
        }
    }

    /// Returns the event of this outcome, in this session. [`RefreshOutcome::PasswordChanged`] has
    /// none: the caller checks the password again, and the event is the end of the session.
    fn event(&self, outcome: &RefreshOutcome, session_id: &str) -> Option<Event> {
        let token = PresentedToken {
            jti: Some(self.token.jti.clone()),
            session_id: Some(session_id.to_owned()),
            user_id: Some(self.session.user_id.clone()),
        };
        let reason = match outcome {
            RefreshOutcome::Refreshed => return Some(Event::Refreshed { token }),
            RefreshOutcome::Repeated(successor) => {
                return Some(Event::RefreshRepeated { token, suspicious: !successor.same_address });
            }
            RefreshOutcome::Replayed => {
                return Some(Event::SpentTokenPresented { token, outcome: SpentOutcome::Refused });
            }
            RefreshOutcome::Reused => {
                let outcome = SpentOutcome::SessionEnded;
                return Some(Event::SpentTokenPresented { token, outcome });
            }
            RefreshOutcome::Blacklisted => TokenRefusal::Blacklisted,
            RefreshOutcome::Ended => TokenRefusal::SessionEnded,
            RefreshOutcome::Forgotten => TokenRefusal::Unregistered,
            RefreshOutcome::Foreign => TokenRefusal::ForeignSession,
            RefreshOutcome::Expired => TokenRefusal::SessionExpired,
            RefreshOutcome::PasswordChanged => return None,
        };
        Some(Event::TokenRefused { token, reason })
    }
}

impl EndSessions {
    /// Returns this number of sessions, which hadn't ended before, with the record.
    pub fn recorded(&self, ended: u64) -> Recorded<u64> {
        let event = match &self.event {
            EndEvent::SessionsEnded => Some(self.sessions_ended(ended)),
            EndEvent::Other(event) => (ended > 0).then(|| event.clone()),
            EndEvent::None => None,
        };
        let events = event.map(|event| self.cause.record(event)).into_iter().collect();
        Recorded { outcome: ended, events }
    }

    fn sessions_ended(&self, ended: u64) -> Event {
        let (session_id, user_id, except_session_id) = match &self.which {
            SessionSelector::One { id, user_id } => (Some(id.clone()), user_id.clone(), None),
            SessionSelector::All { user_id, except } => {
                (None, Some(user_id.clone()), except.clone())
            }
        };
        Event::SessionsEnded { user_id, session_id, except_session_id, reason: self.reason, ended }
    }
}

impl Rotation {
    /// Returns this outcome of rotating a token that is in no session, with its record.
    pub fn recorded(self, spent: &OutstandingToken, cause: &Cause) -> Recorded<Self> {
        let token = PresentedToken::outside_of_sessions(spent);
        let event = match self {
            Self::Rotated => Event::Refreshed { token },
            Self::Replayed => Event::SpentTokenPresented { token, outcome: SpentOutcome::Refused },
        };
        Recorded { outcome: self, events: vec![cause.record(event)] }
    }
}

impl PresentedToken {
    /// Creates a token without a session.
    pub(crate) fn outside_of_sessions(token: &OutstandingToken) -> Self {
        let (jti, user_id) = (Some(token.jti.clone()), token.user_id.clone());
        Self { jti, session_id: None, user_id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::event::EventRecord;
    use crate::settings::Settings;
    use crate::store::session::{NewSession, NextToken, RetainUntil, Successor};
    use crate::users::UserId;

    const AT: Timestamp = Timestamp::from_secs(1_767_323_045);

    fn refresh() -> SessionRefresh {
        SessionRefresh {
            token: OutstandingToken {
                jti: "t".into(),
                token: "e30.e30.c2VjcmV0".into(),
                user_id: Some("1".into()),
                created_at: AT,
                expires_at: AT,
            },
            next: NextToken::None,
            session: NewSession {
                id: "named".into(),
                user_id: "1".into(),
                password: Some("fingerprint".into()),
            },
            grace: Default::default(),
            tolerance: Default::default(),
            idle: None,
            lifetime: None,
            cause: Cause::at(AT),
            retain_until: RetainUntil::of(&Settings::default(), AT),
        }
    }

    fn told<T>(recorded: &Recorded<T>) -> Vec<String> {
        let json = |record: &EventRecord| serde_json::to_string(&record.event).unwrap();
        recorded.events.iter().map(json).collect()
    }

    #[test]
    fn each_outcome_of_a_refresh_is_an_event_of_its_own() {
        let successor = |same_address| {
            let (jti, access_jti) = ("n".into(), "a".into());
            RefreshOutcome::Repeated(Successor { jti, access_jti, created_at: AT, same_address })
        };
        let refused = r#","reason":"#;
        for (outcome, name, rest) in [
            (RefreshOutcome::Refreshed, "refreshed", "".into()),
            (successor(true), "refresh_repeated", r#","suspicious":false"#.into()),
            (successor(false), "refresh_repeated", r#","suspicious":true"#.into()),
            (RefreshOutcome::Replayed, "spent_token_presented", r#","outcome":"refused""#.into()),
            (
                RefreshOutcome::Reused,
                "spent_token_presented",
                r#","outcome":"session_ended""#.into(),
            ),
            (RefreshOutcome::Blacklisted, "token_refused", format!("{refused}\"blacklisted\"")),
            (RefreshOutcome::Ended, "token_refused", format!("{refused}\"session_ended\"")),
            (RefreshOutcome::Forgotten, "token_refused", format!("{refused}\"unregistered\"")),
            (RefreshOutcome::Foreign, "token_refused", format!("{refused}\"foreign_session\"")),
            (RefreshOutcome::Expired, "token_refused", format!("{refused}\"session_expired\"")),
        ] {
            let names = r#""jti":"t","session_id":"s","user_id":"1""#;
            let expected = format!(r#"{{"event":"{name}",{names}{rest}}}"#);
            let recorded = refresh().recorded(outcome, Some("s"));
            assert_eq!(told(&recorded), [expected], "{:?}", recorded.outcome);
        }
        let named = refresh().recorded(RefreshOutcome::Forgotten, None);
        assert!(told(&named).concat().contains(r#""session_id":"named""#), "{named:?}");
        // The event is the end of the session.
        let changed = refresh().recorded(RefreshOutcome::PasswordChanged, Some("s"));
        assert_eq!(changed.events, []);
    }

    #[test]
    fn an_end_says_of_what_and_why() {
        let end = |which, reason, event| EndSessions {
            which,
            reason,
            event,
            cause: Cause::at(AT),
            retain_until: RetainUntil::of(&Settings::default(), AT),
        };
        let one = SessionSelector::One { id: "s".into(), user_id: None };
        let by_staff = end(one.clone(), EndReason::Staff, EndEvent::SessionsEnded);
        for ended in [0, 2] {
            let expected = format!(
                r#"{{"event":"sessions_ended","session_id":"s","reason":"staff","ended":{ended}}}"#
            );
            assert_eq!(told(&by_staff.recorded(ended)), [expected]);
        }
        let others = SessionSelector::All { user_id: "1".into(), except: Some("s".into()) };
        let others = end(others, EndReason::Password, EndEvent::SessionsEnded).recorded(2);
        assert_eq!(
            told(&others),
            [
                r#"{"event":"sessions_ended","user_id":"1","except_session_id":"s","reason":"password","ended":2}"#
            ]
        );
        let event = Event::LoggedOut { token: PresentedToken::default() };
        let logout = end(one.clone(), EndReason::Logout, EndEvent::Other(event));
        assert_eq!(told(&logout.recorded(0)), [""; 0]);
        assert_eq!(told(&logout.recorded(1)), [r#"{"event":"logged_out"}"#]);
        let silent = end(one, EndReason::User, EndEvent::None);
        assert_eq!(told(&silent.recorded(1)), [""; 0]);
    }

    #[test]
    fn a_login_tells_of_what_it_has_ended() {
        let session = NewSession { id: "s".into(), ..refresh().session };
        let open = OpenSession {
            session,
            token: refresh().token,
            expires_at: AT,
            limit: None,
            cause: Cause::at(AT),
            retain_until: RetainUntil::of(&Settings::default(), AT),
        };
        let login = r#"{"event":"logged_in","user_id":"1","session_id":"s"}"#;
        assert_eq!(told(&open.recorded(OpenOutcome::Opened { evicted: 0 })), [login]);
        let evicted = r#"{"event":"sessions_ended","user_id":"1","reason":"limit","ended":3}"#;
        assert_eq!(told(&open.recorded(OpenOutcome::Opened { evicted: 3 })), [evicted, login]);
        assert_eq!(told(&open.recorded(OpenOutcome::TooMany)), [""; 0]);
    }

    #[test]
    fn a_rotation_without_a_session_names_none() {
        let spent = OutstandingToken { user_id: None::<UserId>, ..refresh().token };
        let rotated = Rotation::Rotated.recorded(&spent, &Cause::at(AT));
        assert_eq!(told(&rotated), [r#"{"event":"refreshed","jti":"t"}"#]);
        let replayed = Rotation::Replayed.recorded(&spent, &Cause::at(AT));
        let refused = r#"{"event":"spent_token_presented","jti":"t","outcome":"refused"}"#;
        assert_eq!(told(&replayed), [refused]);
    }
}
