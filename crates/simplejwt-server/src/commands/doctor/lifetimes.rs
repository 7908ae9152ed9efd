//! How long tokens are valid, and what a stolen one is good for.

use simplejwt::settings::RevocationMode;

use super::finding::{DAY, Finding, HOUR, MINUTE, span};
use super::tokens::issues;
use crate::config::Config;

/// The longest lifetime of an access token that is accepted until it expires.
const LONGEST_ACCESS: std::time::Duration = HOUR;
/// The longest time for which a refresh token that nobody uses stays valid.
const LONGEST_REFRESH: std::time::Duration = DAY.saturating_mul(90);
/// The longest difference between clocks.
const LONGEST_LEEWAY: std::time::Duration = MINUTE.saturating_mul(5);

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let settings = &config.settings;
    let mut findings = vec![match settings.leeway > LONGEST_LEEWAY {
        true => Finding::warning(
            "long_leeway",
            format!("tokens are accepted for {} after they expire (LEEWAY)", span(settings.leeway)),
            "a leeway is for clocks that differ by seconds, and lengthens the life of every token",
        )
        .write("simple_jwt.leeway", "30s"),
        false => Finding::ok("leeway", format!("clocks may differ by {}", span(settings.leeway))),
    }];
    if !issues(config) {
        return findings;
    }
    findings.push(access(config));
    findings.push(refresh(config));
    findings.push(rotation(config));
    findings.extend(sliding(config));
    findings
}

fn is_revocable(config: &Config) -> bool {
    let settings = &config.settings;
    settings.has_sessions() && settings.sessions.revocation != RevocationMode::Stateless
}

fn access(config: &Config) -> Finding {
    let lifetime = config.settings.access_token_lifetime;
    let found = format!("access tokens are valid for {}", span(lifetime));
    if lifetime > LONGEST_ACCESS && !is_revocable(config) {
        return Finding::warning(
            "long_access_lifetime",
            found,
            "nothing ends an access token before it expires: neither logging out nor disabling the \
             user",
        )
        .write("simple_jwt.access_token_lifetime", "15m");
    }
    Finding::ok("access_lifetime", found)
}

fn refresh(config: &Config) -> Finding {
    let settings = &config.settings;
    let lifetime = settings.refresh_token_lifetime;
    let found = format!("refresh tokens are valid for {}", span(lifetime));
    let idle = settings.sessions.idle_lifetime.filter(|_| settings.has_sessions());
    match idle {
        Some(idle) => Finding::ok(
            "refresh_lifetime",
            format!("{found}, and for {} after the last refresh of their session", span(idle)),
        ),
        None if lifetime > LONGEST_REFRESH => {
            let finding = Finding::warning(
                "long_refresh_lifetime",
                found,
                "a token that was lost or copied stays usable for all that time, even if its user \
                 never comes back",
            );
            match settings.has_sessions() {
                true => finding.write("sessions.idle_lifetime", "30d"),
                false => finding.write("simple_jwt.refresh_token_lifetime", "30d"),
            }
        }
        None => Finding::ok("refresh_lifetime", found),
    }
}

fn rotation(config: &Config) -> Finding {
    let settings = &config.settings;
    match (settings.rotate_refresh_tokens, settings.blacklist_after_rotation) {
        (true, true) => Finding::ok("rotation", "each refresh token works once"),
        (true, false) => Finding::warning(
            "rotation_without_blacklist",
            "a refresh issues a new refresh token, and the old one stays valid",
            "a copied refresh token works until it expires, unnoticed, however often its owner \
             refreshes",
        )
        .write("simple_jwt.blacklist_after_rotation", true)
        .write("simple_jwt.token_blacklist", true)
        .run("simplejwt migrate"),
        (false, _) => Finding::warning(
            "no_rotation",
            "a refresh token can be used any number of times until it expires",
            "a copied one can't be noticed. RFC 9700 section 2.2.2 requires rotation for apps and \
             browsers, whose refresh tokens aren't bound to a key",
        )
        .write("simple_jwt.rotate_refresh_tokens", true)
        .write("simple_jwt.blacklist_after_rotation", true)
        .write("simple_jwt.token_blacklist", true)
        .run("simplejwt migrate"),
    }
}

/// Sliding tokens are access tokens too. With a blacklist, they can be ended.
fn sliding(config: &Config) -> Option<Finding> {
    let settings = &config.settings;
    let lifetime = settings.sliding_token_lifetime;
    (lifetime > LONGEST_ACCESS && !settings.token_blacklist).then(|| {
        Finding::warning(
            "long_sliding_lifetime",
            format!("sliding tokens are valid for {}", span(lifetime)),
            "nothing ends one before it expires, since there is no blacklist",
        )
        .write("simple_jwt.sliding_token_lifetime", "15m")
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Severity, told};
    use super::*;

    fn weak() -> Config {
        let mut config = Config::default();
        config.settings.signing_key = Some("a secret of thirty-two bytes or more".into());
        config.settings.access_token_lifetime = HOUR * 2;
        config.settings.sliding_token_lifetime = HOUR * 2;
        config.settings.refresh_token_lifetime = DAY * 91;
        config.settings.leeway = MINUTE * 6;
        config
    }

    #[test]
    fn weak_and_strong() {
        let mut config = weak();
        let weak = |code| (code, Severity::Warning);
        let [leeway, access, refresh] =
            ["long_leeway", "long_access_lifetime", "long_refresh_lifetime"].map(weak);
        let sliding = weak("long_sliding_lifetime");
        assert_eq!(
            told(&findings(&config)),
            [leeway, access, refresh, weak("no_rotation"), sliding]
        );
        config.settings.rotate_refresh_tokens = true;
        assert_eq!(told(&findings(&config))[3], weak("rotation_without_blacklist"));
        config.settings.token_blacklist = true;
        config.settings.blacklist_after_rotation = true;
        assert_eq!(told(&findings(&config)), [leeway, access, refresh]);
        config.settings.leeway = LONGEST_LEEWAY;
        config.settings.sessions.revocation = RevocationMode::Feed;
        config.settings.sessions.idle_lifetime = Some(DAY * 30);
        assert_eq!(told(&findings(&config)), []);
        config.settings.sessions.enabled = false;
        assert_eq!(told(&findings(&config)), [access, refresh], "there are no sessions to end");
        config.settings.access_token_lifetime = LONGEST_ACCESS;
        config.settings.refresh_token_lifetime = LONGEST_REFRESH;
        assert_eq!(told(&findings(&config)), []);
    }
}
