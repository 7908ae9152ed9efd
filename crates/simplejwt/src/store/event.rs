//! The events of the verbs that change sessions: what was asked and what came of it say all of it.
//!
//! A store that keeps events writes what these give by the transaction that the verb is; the flows tell
//! the same once it has returned.

use super::session::{EndSessions, RefreshOutcome, SessionRefresh, SessionSelector};
use crate::event::{Event, PresentedToken, SpentOutcome, TokenRefusal};

impl SessionRefresh {
    /// The event of this refresh, if it ended so.
    ///
    /// The session is the one that [`session`](Self::session) has: of a token that doesn't name the session
    /// it is in (without `session_claim`), that is the token's own id.
    pub fn event(&self, outcome: &RefreshOutcome) -> Event {
        let token = PresentedToken {
            jti: Some(self.token.jti.clone()),
            session_id: Some(self.session.id.clone()),
            user_id: Some(self.session.user_id.clone()),
        };
        let reason = match outcome {
            RefreshOutcome::Refreshed => return Event::Refreshed { token },
            RefreshOutcome::Repeated(successor) => {
                return Event::RefreshRepeated { token, suspicious: !successor.same_address };
            }
            RefreshOutcome::Replayed => {
                return Event::SpentTokenPresented { token, outcome: SpentOutcome::Refused };
            }
            RefreshOutcome::Reused => {
                return Event::SpentTokenPresented { token, outcome: SpentOutcome::SessionEnded };
            }
            RefreshOutcome::Blacklisted => TokenRefusal::Blacklisted,
            RefreshOutcome::Ended => TokenRefusal::SessionEnded,
            RefreshOutcome::Forgotten => TokenRefusal::Unregistered,
            RefreshOutcome::Foreign => TokenRefusal::ForeignSession,
            RefreshOutcome::Expired => TokenRefusal::SessionExpired,
            RefreshOutcome::PasswordChanged => TokenRefusal::PasswordChanged,
        };
        Event::TokenRefused { token, reason }
    }
}

impl EndSessions {
    /// The event of this end, if so many sessions hadn't ended before.
    pub fn event(&self, ended: u64) -> Event {
        let (session_id, user_id, except_session_id) = match &self.which {
            SessionSelector::One { id, user_id } => (Some(id.clone()), user_id.clone(), None),
            SessionSelector::All { user_id, except } => {
                (None, Some(user_id.clone()), except.clone())
            }
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
    use crate::store::session::{NewSession, NextToken, RetainUntil, Successor};

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
            retain_until: RetainUntil::of(&Settings::default(), AT),
        }
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
            (
                RefreshOutcome::PasswordChanged,
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
            let retain_until = RetainUntil::of(&Settings::default(), AT);
            let event = EndSessions { which, reason, at: AT, retain_until }.event(2);
            serde_json::to_string(&event).unwrap()
        };
        let one = SessionSelector::One { id: "s".into(), user_id: None };
        assert_eq!(
            end(one, EndReason::Staff),
            r#"{"event":"sessions_ended","session_id":"s","reason":"staff","ended":2}"#
        );
        let others = SessionSelector::All { user_id: "1".into(), except: Some("s".into()) };
        assert_eq!(
            end(others, EndReason::Password),
            r#"{"event":"sessions_ended","user_id":"1","except_session_id":"s","reason":"password","ended":2}"#
        );
    }
}
