//! `[sessions]`: sessions, reuse detection and revocation.

use simplejwt::settings::value::count;
use simplejwt::settings::{AtLimit, FeedLost, RevocationMode, Rows, SessionSettings, TokenAtRest};

use super::form::Form;
use super::item::Shown::{Default as Def, Example};
use super::item::{
    Idle, Range, Section, number, other, positive, positive_time, switch, time, word,
};

pub(super) static SECTION: Section<SessionSettings> = Section {
    table: "sessions",
    about: "Sessions, reuse detection and revocation; all of them need token_blacklist.",
    items: &[
        switch(
            "enabled",
            "SIMPLEJWT_SESSIONS",
            Def("true"),
            "A login opens a session: a spent refresh token that is presented again ends it, and \
             users can list and end their sessions. Without it, a spent token is only refused, as \
             upstream does.",
            |s| &mut s.enabled,
        ),
        switch(
            "session_claim",
            "SIMPLEJWT_SESSION_CLAIM",
            Def("false"),
            "Tokens carry the claim \"sid\", the session's id. Without it, tokens are the same as \
             upstream's.",
            |s| &mut s.session_claim,
        ),
        time(
            "rotation_grace",
            "SIMPLEJWT_ROTATION_GRACE",
            Def("\"0\""),
            "The time for which a spent refresh token is answered with the newest tokens of its \
             session, for clients whose answer got lost and tabs that refresh at the same time. At \
             most 5 minutes. 0: none.",
            |s| &mut s.rotation_grace,
        ),
        time(
            "reuse_tolerance",
            "SIMPLEJWT_REUSE_TOLERANCE",
            Def("\"10s\""),
            "The time for which a spent refresh token that is presented again is only refused, as \
             upstream does, for clients that refresh several times at once. After it, such a token \
             counts as stolen and ends its session. At most 5 minutes. 0: the first such token \
             counts as stolen.",
            |s| &mut s.reuse_tolerance,
        ),
        other(
            "lifetime",
            "SIMPLEJWT_SESSION_LIFETIME",
            Example("\"30d\""),
            "The maximum lifetime of a session, however often it is refreshed. Default: unlimited.",
            Form::POSITIVE,
            |s, v| positive(v).map(|time| s.lifetime = Some(time)),
        ),
        other(
            "idle_lifetime",
            "SIMPLEJWT_SESSION_IDLE_LIFETIME",
            Example("\"7d\""),
            "The maximum time between two refreshes of a session. Default: the lifetime of its \
             refresh token.",
            Form::POSITIVE,
            |s, v| positive(v).map(|time| s.idle_lifetime = Some(time)),
        ),
        number(
            "max_per_user",
            "SIMPLEJWT_MAX_SESSIONS_PER_USER",
            Example("5"),
            "The maximum number of sessions per user. Default: unlimited.",
            Range::ANY,
            |s, v| count(v).map(|n| s.max_per_user = Some(n)),
        ),
        word(
            "at_limit",
            "SIMPLEJWT_SESSIONS_AT_LIMIT",
            Def("\"evict_oldest\""),
            "The effect of a login beyond max_per_user: \"evict_oldest\" ends the oldest session, \
             \"refuse\" answers with 403.",
            &[
                ("evict_oldest", |s| s.at_limit = AtLimit::EvictOldest),
                ("refuse", |s| s.at_limit = AtLimit::Refuse),
            ],
        ),
        word(
            "revocation",
            "SIMPLEJWT_REVOCATION",
            Def("\"stateless\""),
            "The treatment of access tokens of ended sessions: \"stateless\" accepts them until \
             they expire, \"feed\" refuses them within a second without asking the database, \
             \"strict\" asks the database on each request. The latter two need session_claim.",
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
            "The behaviour while this process can't receive revocations: \"refuse\" answers \
             requests with 503, \"accept\" uses those received so far. /readyz reports it either \
             way.",
            &[
                ("refuse", |s| s.feed_lost = FeedLost::Refuse),
                ("accept", |s| s.feed_lost = FeedLost::Accept),
            ],
        ),
        positive_time(
            "feed_max_age",
            "SIMPLEJWT_FEED_MAX_AGE",
            Def("\"2s\""),
            "The time without an update after which the feed counts as lost.",
            |s| &mut s.feed_max_age,
        ),
        number(
            "feed_max_entries",
            "SIMPLEJWT_FEED_MAX_ENTRIES",
            Def("1000000"),
            "The number of revocations kept in memory, at about 60 bytes each. Beyond it, the \
             database is asked.",
            Range::ANY,
            |s, v| count(v).map(|n| s.feed_max_entries = n),
        ),
        word(
            "rows",
            "SIMPLEJWT_SESSION_ROWS",
            Def("\"tokens\""),
            "What the database has a row for: \"tokens\" has one for each token, in Django's tables, \
             which a Django can share; \"sessions\" has one for each session, which a refresh \
             rewrites, so that the tables don't grow. It needs session_claim, and Django doesn't \
             see these tokens. Before it is changed, `simplejwt session move` moves the sessions.",
            &[("tokens", |s| s.rows = Rows::Tokens), ("sessions", |s| s.rows = Rows::Sessions)],
        ),
        word(
            "token_at_rest",
            "SIMPLEJWT_TOKEN_AT_REST",
            Def("\"full\""),
            "The form in which tokens are registered in the database: \"full\" stores the token, \
             as upstream does; \"redacted\" stores it without its signature, so that it is useless \
             to a thief.",
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
