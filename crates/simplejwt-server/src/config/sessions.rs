//! `[sessions]`: sessions, reuse detection and revocation.

use simplejwt::settings::value::count;
use simplejwt::settings::{AtLimit, FeedLost, RevocationMode, SessionSettings, TokenAtRest};

use super::form::Form;
use super::item::Shown::{Default as Def, Example};
use super::item::{
    Idle, Range, Section, number, other, positive, positive_time, switch, time, word,
};

pub(super) static SECTION: Section<SessionSettings> = Section {
    table: "sessions",
    about: "Sessions, reuse detection and revocation: all of it needs token_blacklist.",
    items: &[
        switch(
            "enabled",
            "SIMPLEJWT_SESSIONS",
            Def("true"),
            "Whether a login opens a session: a spent refresh token that comes again ends it, \
             users see and end their sessions. Off: a spent token is refused and nothing else, as \
             upstream.",
            |s| &mut s.enabled,
        ),
        switch(
            "session_claim",
            "SIMPLEJWT_SESSION_CLAIM",
            Def("false"),
            "Whether tokens carry the claim \"sid\", the session's id. Off: tokens are upstream's.",
            |s| &mut s.session_claim,
        ),
        time(
            "rotation_grace",
            "SIMPLEJWT_ROTATION_GRACE",
            Def("\"0\""),
            "How long a spent refresh token is answered with the newest pair of its session: for \
             answers that got lost, and tabs that refresh at once. At most 5 minutes. 0: never.",
            |s| &mut s.rotation_grace,
        ),
        time(
            "reuse_tolerance",
            "SIMPLEJWT_REUSE_TOLERANCE",
            Def("\"10s\""),
            "How long a spent refresh token that comes again is refused and nothing else, as \
             upstream has it: for clients that refresh several times at once. Later it is taken \
             for theft and ends the session. At most 5 minutes. 0: the first such token is taken \
             for theft.",
            |s| &mut s.reuse_tolerance,
        ),
        other(
            "lifetime",
            "SIMPLEJWT_SESSION_LIFETIME",
            Example("\"30d\""),
            "How long a session lasts, however often it is refreshed. Default: without end.",
            Form::POSITIVE,
            |s, v| positive(v).map(|time| s.lifetime = Some(time)),
        ),
        other(
            "idle_lifetime",
            "SIMPLEJWT_SESSION_IDLE_LIFETIME",
            Example("\"7d\""),
            "How long a session may go without a refresh. Default: while its refresh token is good.",
            Form::POSITIVE,
            |s, v| positive(v).map(|time| s.idle_lifetime = Some(time)),
        ),
        number(
            "max_per_user",
            "SIMPLEJWT_MAX_SESSIONS_PER_USER",
            Example("5"),
            "How many sessions a user may have at once. Default: any number.",
            Range::ANY,
            |s, v| count(v).map(|n| s.max_per_user = Some(n)),
        ),
        word(
            "at_limit",
            "SIMPLEJWT_SESSIONS_AT_LIMIT",
            Def("\"evict_oldest\""),
            "What a login beyond that does: \"evict_oldest\" ends the oldest session, \"refuse\" \
             is answered with 403.",
            &[
                ("evict_oldest", |s| s.at_limit = AtLimit::EvictOldest),
                ("refuse", |s| s.at_limit = AtLimit::Refuse),
            ],
        ),
        word(
            "revocation",
            "SIMPLEJWT_REVOCATION",
            Def("\"stateless\""),
            "Access tokens of ended sessions: \"stateless\" lets them be until they expire, \
             \"feed\" refuses them within a second without asking the database, \"strict\" asks it \
             with each request. The latter two need session_claim.",
            &[
                ("stateless", |s| s.revocation = RevocationMode::Stateless),
                ("feed", |s| s.revocation = RevocationMode::Feed),
                ("strict", |s| s.revocation = RevocationMode::Strict),
            ],
        ),
        word(
            "feed_lost",
            "SIMPLEJWT_FEED_LOST",
            Def("\"refuse\""),
            "While this process can't hear of revocations: \"refuse\" answers requests with 503, \
             \"accept\" goes by what was heard last. /readyz says so either way.",
            &[
                ("refuse", |s| s.feed_lost = FeedLost::Refuse),
                ("accept", |s| s.feed_lost = FeedLost::Accept),
            ],
        ),
        positive_time(
            "feed_max_age",
            "SIMPLEJWT_FEED_MAX_AGE",
            Def("\"2s\""),
            "How old the news may be before the feed counts as lost.",
            |s| &mut s.feed_max_age,
        ),
        number(
            "feed_max_entries",
            "SIMPLEJWT_FEED_MAX_ENTRIES",
            Def("1000000"),
            "How many revocations are kept in memory, at about 100 bytes each; beyond them the \
             database is asked.",
            Range::ANY,
            |s, v| count(v).map(|n| s.feed_max_entries = n),
        ),
        word(
            "token_at_rest",
            "SIMPLEJWT_TOKEN_AT_REST",
            Def("\"full\""),
            "What the table of registered tokens holds: \"full\" the token, as upstream, \
             \"redacted\" the token without its signature, which is worthless to a thief.",
            &[
                ("full", |s| s.token_at_rest = TokenAtRest::Full),
                ("redacted", |s| s.token_at_rest = TokenAtRest::Redacted),
            ],
        ),
    ],
    idle: &[
        Idle {
            names: &["at_limit"],
            when: |s| s.max_per_user.is_none(),
            why: "there is no limit: write max_per_user",
        },
        Idle {
            names: &["feed_lost", "feed_max_age", "feed_max_entries"],
            when: |s| s.revocation != RevocationMode::Feed,
            why: "there is no feed: write revocation = \"feed\"",
        },
    ],
};
