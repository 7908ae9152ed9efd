//! The settings of `[sessions]`.

use simplejwt::settings::{AtLimit, FeedLost, Revocation, TokenAtRest};

use super::duration;
use super::item::Shown::{Default as Def, Example};
use super::item::{Item, item, positive};
use super::value::{boolean, choice, count};

pub(super) static ITEMS: &[Item] = &[
    item(
        "sessions",
        "enabled",
        "SIMPLEJWT_SESSIONS",
        Def("true"),
        "Whether a login opens a session: a spent refresh token that comes again ends it, users \
         see and end their sessions. Off: a spent token is refused and nothing else, as upstream.",
        |c, v| boolean(v).map(|on| c.settings.sessions.enabled = on),
    ),
    item(
        "sessions",
        "session_claim",
        "SIMPLEJWT_SESSION_CLAIM",
        Def("false"),
        "Whether tokens carry the claim \"sid\", the session's id. Off: tokens are upstream's.",
        |c, v| boolean(v).map(|on| c.settings.sessions.session_claim = on),
    ),
    item(
        "sessions",
        "rotation_grace",
        "SIMPLEJWT_ROTATION_GRACE",
        Def("\"0\""),
        "How long a spent refresh token is answered with the newest pair of its session: for \
         answers that got lost, and tabs that refresh at once. At most 5 minutes. 0: never.",
        |c, v| duration(v).map(|time| c.settings.sessions.rotation_grace = time),
    ),
    item(
        "sessions",
        "reuse_tolerance",
        "SIMPLEJWT_REUSE_TOLERANCE",
        Def("\"10s\""),
        "How long a spent refresh token that comes again is refused and nothing else, as upstream \
         has it: for clients that refresh several times at once. Later it is taken for theft and \
         ends the session. At most 5 minutes. 0: the first such token is taken for theft.",
        |c, v| duration(v).map(|time| c.settings.sessions.reuse_tolerance = time),
    ),
    item(
        "sessions",
        "lifetime",
        "SIMPLEJWT_SESSION_LIFETIME",
        Example("\"30d\""),
        "How long a session lasts, however often it is refreshed. Default: without end.",
        |c, v| positive(v).map(|time| c.settings.sessions.lifetime = Some(time)),
    ),
    item(
        "sessions",
        "idle_lifetime",
        "SIMPLEJWT_SESSION_IDLE_LIFETIME",
        Example("\"7d\""),
        "How long a session may go without a refresh. Default: while its refresh token is good.",
        |c, v| positive(v).map(|time| c.settings.sessions.idle_lifetime = Some(time)),
    ),
    item(
        "sessions",
        "max_per_user",
        "SIMPLEJWT_MAX_SESSIONS_PER_USER",
        Example("5"),
        "How many sessions a user may have at once. Default: any number.",
        |c, v| count(v).map(|limit| c.settings.sessions.max_per_user = Some(limit)),
    ),
    item(
        "sessions",
        "at_limit",
        "SIMPLEJWT_SESSIONS_AT_LIMIT",
        Def("\"evict_oldest\""),
        "What a login beyond that does: \"evict_oldest\" ends the oldest session, \"refuse\" is \
         answered with 403.",
        |c, v| {
            let choices = [("evict_oldest", AtLimit::EvictOldest), ("refuse", AtLimit::Refuse)];
            c.settings.sessions.at_limit = choice(v, &choices)?;
            Ok(())
        },
    ),
    item(
        "sessions",
        "revocation",
        "SIMPLEJWT_REVOCATION",
        Def("\"stateless\""),
        "Access tokens of ended sessions: \"stateless\" lets them be until they expire, \"feed\" \
         refuses them within a second without asking the database, \"strict\" asks it with each \
         request. The latter two need session_claim.",
        |c, v| {
            let choices = [
                ("stateless", Revocation::Stateless),
                ("feed", Revocation::Feed),
                ("strict", Revocation::Strict),
            ];
            c.settings.sessions.revocation = choice(v, &choices)?;
            Ok(())
        },
    ),
    item(
        "sessions",
        "feed_lost",
        "SIMPLEJWT_FEED_LOST",
        Def("\"refuse\""),
        "While this process can't hear of revocations: \"refuse\" answers requests with 503, \
         \"accept\" goes by what was heard last. /readyz says so either way.",
        |c, v| {
            let choices = [("refuse", FeedLost::Refuse), ("accept", FeedLost::Accept)];
            c.settings.sessions.feed_lost = choice(v, &choices)?;
            Ok(())
        },
    ),
    item(
        "sessions",
        "feed_max_age",
        "SIMPLEJWT_FEED_MAX_AGE",
        Def("\"2s\""),
        "How old the news may be before the feed counts as lost.",
        |c, v| positive(v).map(|time| c.settings.sessions.feed_max_age = time),
    ),
    item(
        "sessions",
        "feed_max_entries",
        "SIMPLEJWT_FEED_MAX_ENTRIES",
        Def("1000000"),
        "How many revocations are kept in memory, at about 100 bytes each; beyond them the \
         database is asked.",
        |c, v| count(v).map(|entries| c.settings.sessions.feed_max_entries = entries),
    ),
    item(
        "sessions",
        "token_at_rest",
        "SIMPLEJWT_TOKEN_AT_REST",
        Def("\"full\""),
        "What the table of registered tokens holds: \"full\" the token, as upstream, \"redacted\" \
         the token without its signature, which is worthless to a thief.",
        |c, v| {
            let choices = [("full", TokenAtRest::Full), ("redacted", TokenAtRest::Redacted)];
            c.settings.sessions.token_at_rest = choice(v, &choices)?;
            Ok(())
        },
    ),
];
