//! The events of the verbs that change sessions: what was asked and what came of it say all of it.
//!
//! A store that keeps events writes what these give by the transaction that the verb is; the flows tell
//! the same once it has returned.

use super::session::{EndSessions, Refreshing, SessionRefresh, Which};
use crate::event::{Event, PresentedToken, SpentOutcome, TokenRefusal};

impl SessionRefresh {
    /// The event of this refresh, if it ended so.
    pub fn event(&self, outcome: &Refreshing) -> Event {
        let token = PresentedToken {
            jti: Some(self.token.jti.clone()),
            session_id: Some(self.session.id.clone()),
            user_id: Some(self.session.user_id.clone()),
        };
        let reason = match outcome {
            Refreshing::Refreshed => return Event::Refreshed { token },
            Refreshing::Repeated(successor) => {
                return Event::RefreshRepeated { token, suspicious: !successor.same_address };
            }
            Refreshing::Replayed => {
                return Event::SpentTokenPresented { token, outcome: SpentOutcome::Refused };
            }
            Refreshing::Reused => {
                return Event::SpentTokenPresented { token, outcome: SpentOutcome::SessionEnded };
            }
            Refreshing::Blacklisted => TokenRefusal::Blacklisted,
            Refreshing::Ended => TokenRefusal::SessionEnded,
            Refreshing::Forgotten => TokenRefusal::Unregistered,
            Refreshing::Foreign => TokenRefusal::ForeignSession,
            Refreshing::Expired => TokenRefusal::SessionExpired,
            Refreshing::PasswordChanged => TokenRefusal::PasswordChanged,
        };
        Event::TokenRefused { token, reason }
    }
}

impl EndSessions {
    /// The event of this end, if so many sessions hadn't ended before.
    pub fn event(&self, ended: u64) -> Event {
        let (session_id, user_id, except_session_id) = match &self.which {
            Which::One { id, user_id } => (Some(id.clone()), user_id.clone(), None),
            Which::All { user_id, except } => (None, Some(user_id.clone()), except.clone()),
        };
        Event::SessionsEnded { user_id, session_id, except_session_id, reason: self.reason, ended }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::event::EndReason;
    use crate::settings::Settings;
    use crate::store::OutstandingToken;
    use crate::store::session::{Horizon, NewSession, NextToken, Successor};

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
                id: "s".into(),
                user_id: "1".into(),
                client: Default::default(),
                password: Some("fingerprint".into()),
            },
            grace: Default::default(),
            tolerance: Default::default(),
            idle: None,
            lifetime: None,
            at: AT,
            horizon: Horizon::of(&Settings::default(), AT),
        }
    }

    #[test]
    fn each_outcome_of_a_refresh_is_an_event_of_its_own() {
        let successor = |same_address| {
            let (jti, access_jti) = ("n".into(), "a".into());
            Refreshing::Repeated(Successor { jti, access_jti, created_at: AT, same_address })
        };
        let refused = r#","reason":"#;
        for (outcome, name, rest) in [
            (Refreshing::Refreshed, "refreshed", "".into()),
            (successor(true), "refresh_repeated", r#","suspicious":false"#.into()),
            (successor(false), "refresh_repeated", r#","suspicious":true"#.into()),
            (Refreshing::Replayed, "spent_token_presented", r#","outcome":"refused""#.into()),
            (Refreshing::Reused, "spent_token_presented", r#","outcome":"session_ended""#.into()),
            (Refreshing::Blacklisted, "token_refused", format!("{refused}\"blacklisted\"")),
            (Refreshing::Ended, "token_refused", format!("{refused}\"session_ended\"")),
            (Refreshing::Forgotten, "token_refused", format!("{refused}\"unregistered\"")),
            (Refreshing::Foreign, "token_refused", format!("{refused}\"foreign_session\"")),
            (Refreshing::Expired, "token_refused", format!("{refused}\"session_expired\"")),
            (
                Refreshing::PasswordChanged,
                "token_refused",
                format!("{refused}\"password_changed\""),
            ),
        ] {
            let names = r#""jti":"t","session_id":"s","user_id":"1""#;
            let expected = format!(r#"{{"event":"{name}",{names}{rest}}}"#);
            let event = refresh().event(&outcome);
            assert_eq!(serde_json::to_string(&event).unwrap(), expected, "{outcome:?}");
        }
    }

    #[test]
    fn an_end_says_of_what_and_why() {
        let end = |which, reason| {
            let horizon = Horizon::of(&Settings::default(), AT);
            let event = EndSessions { which, reason, at: AT, horizon }.event(2);
            serde_json::to_string(&event).unwrap()
        };
        let one = Which::One { id: "s".into(), user_id: None };
        assert_eq!(
            end(one, EndReason::Staff),
            r#"{"event":"sessions_ended","session_id":"s","reason":"staff","ended":2}"#
        );
        let others = Which::All { user_id: "1".into(), except: Some("s".into()) };
        assert_eq!(
            end(others, EndReason::Password),
            r#"{"event":"sessions_ended","user_id":"1","except_session_id":"s","reason":"password","ended":2}"#
        );
    }
}
