//! Sessions, reuse detection and revocation: what upstream has no settings for.

use std::time::Duration;

use super::Settings;

/// How sessions (the families of refresh tokens that begin with a login) are kept.
///
/// All of it needs [`token_blacklist`](Settings::token_blacklist) and a
/// [`SessionStore`](crate::store::session::SessionStore).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Whether there are sessions where there is a blacklist. Without them a spent refresh token
    /// is refused and nothing else happens, as upstream has it. Default: on.
    pub enabled: bool,
    /// Whether tokens carry their session's id in the registered claim `sid` (OpenID Connect
    /// Front-Channel Logout section 3). Default: off, so that tokens are upstream's.
    pub session_claim: bool,
    /// How long a spent refresh token is answered with the newest pair of its session, in place
    /// of being refused: for lost responses and for tabs that refresh at once. A pair that was
    /// handed out before is the same again; only an access token that has expired is replaced.
    /// At most 5 minutes. Default: 0, never.
    pub rotation_grace: Duration,
    /// How long a spent refresh token that comes again is refused and nothing else, as upstream
    /// has it; later it is taken for theft and ends the session. Clients that refresh several
    /// times at once need it. At most 5 minutes; 0 takes the first such token for theft.
    /// Default: 10 seconds.
    pub reuse_tolerance: Duration,
    /// How long a session lasts, however often it is refreshed. No token of it is issued for
    /// longer. Default: without end.
    pub lifetime: Option<Duration>,
    /// How long a session may go without a refresh. Default: as long as its token is good.
    pub idle_lifetime: Option<Duration>,
    /// How many sessions a user may have at once. Default: any number.
    pub max_per_user: Option<u32>,
    /// What happens to a login beyond that. Default: the oldest session is ended.
    pub at_limit: AtLimit,
    /// Whether access tokens are refused before they expire. Default: they aren't.
    pub revocation: Revocation,
    /// What happens while the feed of revocations is lost. Default: requests are refused (503).
    pub feed_lost: FeedLost,
    /// How old the news of the feed may be before it counts as lost. Default: 2 seconds.
    pub feed_max_age: Duration,
    /// How many revocations are kept in memory; beyond them the database is asked. Default:
    /// 1,000,000, which takes about 100 bytes each.
    pub feed_max_entries: u32,
    /// What the table of registered tokens holds of a token. Default: all of it, as upstream.
    pub token_at_rest: TokenAtRest,
}

/// What happens to a login that would open one session too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtLimit {
    /// The session that was opened first is ended.
    #[default]
    EvictOldest,
    /// The login is refused.
    Refuse,
}

/// Whether access tokens are refused before they expire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revocation {
    /// Never: upstream's way. An access token is good until it expires.
    #[default]
    Stateless,
    /// By what this process has heard of, within a second, without asking the database.
    Feed,
    /// By asking the database, for the session and the user, with each request.
    Strict,
}

/// What happens to requests while a process can't hear of revocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeedLost {
    /// They are refused (503), since a revoked token can't be told from a good one.
    #[default]
    Refuse,
    /// They are answered by what was heard last.
    Accept,
}

/// What the table of registered tokens holds of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenAtRest {
    /// The token, as upstream: who can read the table can use it.
    #[default]
    Full,
    /// The token without its signature: it can be read, and is worthless.
    Redacted,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            session_claim: false,
            rotation_grace: Duration::ZERO,
            reuse_tolerance: REUSE_TOLERANCE,
            lifetime: None,
            idle_lifetime: None,
            max_per_user: None,
            at_limit: AtLimit::EvictOldest,
            revocation: Revocation::Stateless,
            feed_lost: FeedLost::Refuse,
            feed_max_age: Duration::from_secs(2),
            feed_max_entries: 1_000_000,
            token_at_rest: TokenAtRest::Full,
        }
    }
}

const REUSE_TOLERANCE: Duration = Duration::from_secs(10);
/// Of grace and tolerance: for so long a stolen token may be used unnoticed.
const LONGEST_WINDOW: Duration = Duration::from_secs(300);

/// The claim that holds the session's id.
pub const SESSION_CLAIM: &str = "sid";

impl Settings {
    /// Whether there are sessions.
    pub fn has_sessions(&self) -> bool {
        self.token_blacklist && self.sessions.enabled
    }

    pub(super) fn check_sessions(&self, problem: &mut impl FnMut(bool, &str)) {
        let sessions = &self.sessions;
        let on = self.has_sessions();
        let rotates = self.rotate_refresh_tokens && self.blacklist_after_rotation;
        let why = if self.token_blacklist {
            "sessions are switched off: set enabled = true in [sessions]"
        } else {
            "there are no sessions without a blacklist: set token_blacklist = true"
        };
        for (asked, name) in [
            (sessions.session_claim, "session_claim"),
            (sessions.rotation_grace > Duration::ZERO, "rotation_grace"),
            (sessions.reuse_tolerance != REUSE_TOLERANCE, "reuse_tolerance"),
            (sessions.lifetime.is_some(), "lifetime"),
            (sessions.idle_lifetime.is_some(), "idle_lifetime"),
            (sessions.max_per_user.is_some(), "max_per_user"),
            (sessions.revocation != Revocation::Stateless, "revocation"),
        ] {
            problem(asked && !on, &format!("{name} is set, but {why}"));
        }
        problem(
            sessions.token_at_rest == TokenAtRest::Redacted && !self.token_blacklist,
            "token_at_rest is set, but no token is stored: set token_blacklist = true",
        );
        problem(
            sessions.rotation_grace > Duration::ZERO && on && !rotates,
            "rotation_grace is set, but refresh tokens aren't spent: set ROTATE_REFRESH_TOKENS \
             and BLACKLIST_AFTER_ROTATION, or remove rotation_grace",
        );
        problem(
            sessions.rotation_grace > LONGEST_WINDOW,
            "rotation_grace is longer than 5 minutes, which is how long a stolen token would go \
             unnoticed: write some seconds",
        );
        problem(
            sessions.reuse_tolerance > LONGEST_WINDOW,
            "reuse_tolerance is longer than 5 minutes, for which a stolen token that comes again \
             would end nothing: write some seconds",
        );
        problem(
            sessions.revocation != Revocation::Stateless && on && !sessions.session_claim,
            "revocation is feed or strict, but access tokens don't say which session they \
             belong to, so that ending a session couldn't end them: set session_claim = true",
        );
        problem(
            sessions.revocation == Revocation::Feed
                && sessions.feed_max_age < Duration::from_millis(500),
            "feed_max_age is shorter than half a second, so that the feed would be lost all the \
             time: write a duration such as \"2s\"",
        );
        problem(
            sessions.max_per_user == Some(0),
            "max_per_user is 0, so that nobody could log in: write 1 or more, or leave it out",
        );
        for (lifetime, name) in
            [(sessions.lifetime, "lifetime"), (sessions.idle_lifetime, "idle_lifetime")]
        {
            problem(
                lifetime.is_some_and(|lifetime| lifetime < Duration::from_secs(1)),
                &format!(
                    "{name} of a session is shorter than a second: write a duration such as \"30d\""
                ),
            );
        }
        let claims = [
            Some(&self.user_id_claim),
            self.token_type_claim.as_ref(),
            Some(&self.sliding_token_refresh_exp_claim),
            self.jti_claim.as_ref(),
            Some(&self.revoke_token_claim),
        ];
        problem(
            sessions.session_claim && claims.into_iter().flatten().any(|c| c == SESSION_CLAIM),
            "session_claim writes the claim \"sid\", which another setting names, too: give that \
             one another name",
        );
    }
}
