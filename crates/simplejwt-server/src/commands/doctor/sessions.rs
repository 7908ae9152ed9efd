//! Sessions: what ends a login.

use simplejwt::settings::{FeedLost, RevocationMode, TokenAtRest};

use super::finding::{Finding, MINUTE, span};
use super::tokens::issues;
use crate::config::Config;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let settings = &config.settings;
    let mut findings = vec![match settings.check_user_is_active {
        true => Finding::ok("active_users", "users who aren't active are refused"),
        false => Finding::warning(
            "inactive_users_accepted",
            "users who aren't active are accepted (CHECK_USER_IS_ACTIVE is false)",
            "disabling a user has no effect on tokens that the user has",
        )
        .write("simple_jwt.check_user_is_active", true),
    }];
    if !issues(config) {
        return findings;
    }
    if !settings.check_revoke_token {
        findings.push(
            Finding::note(
                "password_change_keeps_tokens",
                "a changed password doesn't end the tokens that were issued before",
                "somebody who knew the old password stays logged in. Tokens that were issued before \
                 are refused once CHECK_REVOKE_TOKEN is on",
            )
            .write("simple_jwt.check_revoke_token", true),
        );
    }
    if !settings.token_blacklist {
        findings.push(
            Finding::warning(
                "no_blacklist",
                "issued tokens aren't registered (token_blacklist is false)",
                "nobody can log out: a token works until it expires",
            )
            .write("simple_jwt.token_blacklist", true)
            .run("simplejwt migrate"),
        );
        return findings;
    }
    if !settings.sessions.enabled {
        findings.push(
            Finding::warning(
                "sessions_off",
                "logins open no sessions",
                "a spent refresh token that comes again ends nothing, so that a thief who was first \
                 stays logged in; and users can't see or end their logins",
            )
            .write("sessions.enabled", true)
            .run("simplejwt migrate"),
        );
    } else {
        findings.extend(of_sessions(config));
    }
    findings.push(match config.database.purge_interval {
        Some(interval) => {
            Finding::ok("purge", format!("expired rows are deleted every {}", span(interval)))
        }
        None => Finding::note(
            "purge_off",
            "this server doesn't delete expired rows (purge_interval is 0)",
            "unless `simplejwt token flush-expired` or Django does, the tables grow, and keep \
             addresses and devices of logins that ended long ago",
        )
        .write("database.purge_interval", "1h"),
    });
    if settings.sessions.token_at_rest == TokenAtRest::Full {
        findings.push(
            Finding::note(
                "tokens_at_rest",
                "the database holds whole refresh tokens, as upstream's does",
                "whoever reads it, or a backup, can use them",
            )
            .write("sessions.token_at_rest", "redacted"),
        );
    }
    findings
}

fn of_sessions(config: &Config) -> Vec<Finding> {
    let sessions = &config.settings.sessions;
    let mut findings = Vec::new();
    for (code, path, name, time) in [
        (
            "long_rotation_grace",
            "sessions.rotation_grace",
            "rotation_grace",
            sessions.rotation_grace,
        ),
        (
            "long_reuse_tolerance",
            "sessions.reuse_tolerance",
            "reuse_tolerance",
            sessions.reuse_tolerance,
        ),
    ] {
        if time > MINUTE {
            findings.push(
                Finding::warning(
                    code,
                    format!("{name} is {}", span(time)),
                    "for that time a spent refresh token doesn't count as stolen. Lost answers and \
                     tabs that refresh at once need a few seconds",
                )
                .write(path, "10s"),
            );
        }
    }
    findings.push(match sessions.lifetime {
        Some(time) => {
            Finding::ok("session_lifetime", format!("a session lasts for {} at most", span(time)))
        }
        None => Finding::note(
            "unlimited_session",
            "a session lasts for as long as it is refreshed",
            "a stolen session that is refreshed without its user's noticing never ends",
        )
        .write("sessions.lifetime", "90d"),
    });
    match (sessions.revocation, sessions.feed_lost) {
        (RevocationMode::Stateless, _) => findings.push(
            Finding::note(
                "stateless_revocation",
                format!(
                    "access tokens of ended sessions are accepted for up to {}",
                    span(config.settings.access_token_lifetime)
                ),
                "logging out takes effect only when they expire",
            )
            .write("sessions.session_claim", true)
            .write("sessions.revocation", "feed"),
        ),
        (RevocationMode::Feed, FeedLost::Accept) => findings.push(
            Finding::note(
                "feed_lost_accepted",
                "access tokens of ended sessions are accepted while revocations can't be received",
                "an outage of the database makes logging out ineffective",
            )
            .write("sessions.feed_lost", "refuse"),
        ),
        _ => findings.push(Finding::ok(
            "revocation",
            "access tokens of ended sessions are refused within a second",
        )),
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::finding::{DAY, Severity, told};
    use super::*;

    #[test]
    fn weak_and_strong() {
        let mut config = Config::default();
        let settings = &mut config.settings;
        settings.signing_key = Some("a secret of thirty-two bytes or more".into());
        settings.check_user_is_active = false;
        config.database.purge_interval = None;
        let changed = ("password_change_keeps_tokens", Severity::Note);
        let inactive = ("inactive_users_accepted", Severity::Warning);
        let off = ("purge_off", Severity::Note);
        let full = ("tokens_at_rest", Severity::Note);
        let none = ("no_blacklist", Severity::Warning);
        assert_eq!(told(&findings(&config)), [inactive, changed, none]);
        config.settings.token_blacklist = true;
        config.settings.sessions.enabled = false;
        let sessionless = ("sessions_off", Severity::Warning);
        assert_eq!(told(&findings(&config)), [inactive, changed, sessionless, off, full]);
        config.settings.sessions.enabled = true;
        config.settings.sessions.rotation_grace = Duration::from_secs(61);
        config.settings.sessions.reuse_tolerance = Duration::from_secs(61);
        assert_eq!(
            told(&findings(&config))[2..6],
            [
                ("long_rotation_grace", Severity::Warning),
                ("long_reuse_tolerance", Severity::Warning),
                ("unlimited_session", Severity::Note),
                ("stateless_revocation", Severity::Note),
            ]
        );
        let settings = &mut config.settings;
        settings.check_user_is_active = true;
        settings.check_revoke_token = true;
        settings.sessions.rotation_grace = MINUTE;
        settings.sessions.reuse_tolerance = MINUTE;
        settings.sessions.lifetime = Some(DAY * 90);
        settings.sessions.token_at_rest = TokenAtRest::Redacted;
        settings.sessions.revocation = RevocationMode::Feed;
        settings.sessions.feed_lost = FeedLost::Accept;
        config.database.purge_interval = Some(MINUTE);
        assert_eq!(told(&findings(&config)), [("feed_lost_accepted", Severity::Note)]);
        config.settings.sessions.revocation = RevocationMode::Strict;
        assert_eq!(told(&findings(&config)), []);
    }
}
