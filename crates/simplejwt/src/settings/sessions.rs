//! Sessions, reuse detection and revocation, for which upstream has no settings.

use std::time::Duration;

use super::Settings;

/// The way sessions (families of refresh tokens that begin with a login) are kept.
///
/// All of these settings need [`token_blacklist`](Settings::token_blacklist) and a
/// [`SessionStore`](crate::store::session::SessionStore).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Turns sessions on if there is a blacklist. Without sessions a spent refresh token is refused
    /// and nothing else happens, as upstream. Default: on.
    pub enabled: bool,
    /// Puts the session's id into tokens, as the registered claim `sid` (OpenID Connect
    /// Front-Channel Logout section 3). Default: off, so that tokens are the same as upstream's.
    pub session_claim: bool,
    /// The time during which a spent refresh token is answered with the newest pair of its session
    /// instead of being refused: for lost responses, and for tabs that refresh at once. A pair that
    /// was handed out before is repeated unchanged; only an access token that has expired is
    /// replaced. At most 5 minutes. Default: 0, never.
    pub rotation_grace: Duration,
    /// The time during which a spent refresh token that comes again is merely refused, as upstream;
    /// after that it is taken for theft and ends the session. Needed for clients that refresh
    /// several times at once. At most 5 minutes; 0 takes the first such token for theft. Default:
    /// 10 seconds.
    pub reuse_tolerance: Duration,
    /// The maximum age of a session, however often it is refreshed. None of its tokens expires
    /// later. Default: unlimited.
    pub lifetime: Option<Duration>,
    /// The time after which a session that isn't refreshed ends. Default: the lifetime of its
    /// token.
    pub idle_lifetime: Option<Duration>,
    /// The maximum number of sessions of a user. Default: unlimited.
    pub max_per_user: Option<u32>,
    /// The policy for a login beyond that maximum. Default: the oldest session is ended.
    pub at_limit: AtLimit,
    /// The way access tokens are revoked before they expire. Default: they aren't.
    pub revocation: RevocationMode,
    /// The policy while the revocation feed is out of date. Default: requests are refused (503).
    pub feed_lost: FeedLost,
    /// The maximum age of the feed before it counts as out of date. Default: 2 seconds.
    pub feed_max_age: Duration,
    /// The maximum number of revocations kept in memory; beyond that the database is asked.
    /// Default: 1,000,000, which takes about 60 bytes each.
    pub feed_max_entries: u32,
    /// The form in which a registered token is stored. Default: in full, as upstream.
    pub token_at_rest: TokenAtRest,
    /// What the database has a row for. Default: each token, as upstream.
    pub rows: Rows,
}

/// The policy for a login that would exceed the maximum number of sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtLimit {
    /// The oldest session is ended.
    #[default]
    EvictOldest,
    /// The login is refused.
    Refuse,
}

/// The way access tokens are revoked before they expire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevocationMode {
    /// Not at all, as upstream: an access token is good until it expires.
    #[default]
    Stateless,
    /// By the revocations that this process has received, within a second and without asking the
    /// database.
    Feed,
    /// By asking the database for the session and the user on each request.
    Strict,
}

/// The policy for requests while a process doesn't receive revocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeedLost {
    /// Requests are refused (503), since a revoked token can't be told from a valid one.
    #[default]
    Refuse,
    /// Requests are checked against the revocations received so far.
    Accept,
}

/// The form in which a registered token is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenAtRest {
    /// The whole token, as upstream: anyone who can read the table can use it.
    #[default]
    Full,
    /// The token without its signature: it can be read, but not used.
    Redacted,
}

/// What the database has a row for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rows {
    /// Each token, in upstream's tables, which a Django can share: three more rows for each
    /// rotation.
    #[default]
    Tokens,
    /// Each session, in a table of its own: a rotation rewrites the row. Django doesn't see these
    /// tokens. Needs [`session_claim`](SessionSettings::session_claim), by which a token names its
    /// row, and a store that keeps such rows:
    /// [`BySession`](crate::store::rows::BySession).
    Sessions,
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
            revocation: RevocationMode::Stateless,
            feed_lost: FeedLost::Refuse,
            feed_max_age: Duration::from_secs(2),
            feed_max_entries: 1_000_000,
            token_at_rest: TokenAtRest::Full,
            rows: Rows::Tokens,
        }
    }
}

const REUSE_TOLERANCE: Duration = Duration::from_secs(10);
/// The maximum of grace and tolerance: a stolen token may go unnoticed for that long.
const LONGEST_WINDOW: Duration = Duration::from_secs(300);

/// The name of the claim that holds the session's id.
pub const SESSION_CLAIM: &str = "sid";

impl Settings {
    /// `true` if sessions are kept.
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
            (sessions.revocation != RevocationMode::Stateless, "revocation"),
            (sessions.rows != Rows::Tokens, "rows"),
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
            "rotation_grace is longer than 5 minutes, so a stolen token would go unnoticed for that \
             long: write a few seconds",
        );
        problem(
            sessions.reuse_tolerance > LONGEST_WINDOW,
            "reuse_tolerance is longer than 5 minutes, so the reuse of a stolen token would go \
             unnoticed for that long: write a few seconds",
        );
        problem(
            sessions.revocation != RevocationMode::Stateless && on && !sessions.session_claim,
            "revocation is feed or strict, but access tokens don't carry the id of their session, \
             so ending a session couldn't revoke them: set session_claim = true",
        );
        let by_session = sessions.rows == Rows::Sessions && on;
        problem(
            by_session && !sessions.session_claim,
            "rows = \"sessions\" needs session_claim = true: a refresh token names its row by the \
             claim \"sid\"",
        );
        problem(
            by_session && self.token_type_claim.is_none(),
            "rows = \"sessions\" needs TOKEN_TYPE_CLAIM, which tells a session's refresh token from \
             its access tokens",
        );
        problem(
            by_session && self.rotate_refresh_tokens && !self.blacklist_after_rotation,
            "rows = \"sessions\" keeps one refresh token for each session, but refreshing would \
             leave the old one valid: set BLACKLIST_AFTER_ROTATION, or remove \
             ROTATE_REFRESH_TOKENS",
        );
        problem(
            sessions.revocation == RevocationMode::Feed
                && sessions.feed_max_age < Duration::from_millis(500),
            "feed_max_age is shorter than half a second, so the feed would always count as out of \
             date: write a duration such as \"2s\"",
        );
        problem(
            sessions.max_per_user == Some(0),
            "max_per_user is 0, so nobody could log in: write 1 or more, or leave it out",
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
            "session_claim writes the claim \"sid\", which another setting uses as well: choose \
             another name there",
        );
    }
}
