//! Settings that are valid by themselves but have no effect beside the others. Those that depend on
//! another setting of their own section are declared there.

use std::collections::{BTreeMap, BTreeSet};

use super::list::{self, Config, Setting};
use super::{CounterStore, Given, level};

/// Settings, the condition under which they have no effect, and what to do about it.
struct Rule {
    settings: &'static [&'static str],
    idle: fn(&Config) -> bool,
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        settings: &["server.authentication"],
        idle: |c| !c.server.demo,
        why: "/api/protected/ exists only with demo = true: for authenticate/ write \
              authentication in [gateway]",
    },
    Rule {
        settings: &["database.purge_interval", "database.purge_batch", "database.purge_cascade"],
        idle: |c| {
            let counts = c.throttle.enabled && c.throttle.store == CounterStore::Database;
            !c.settings.token_blacklist && !counts
        },
        why: "no token is registered: set token_blacklist = true in [simple_jwt]",
    },
    Rule {
        settings: &["users.allow_inactive_login"],
        idle: |c| c.settings.check_user_is_active,
        why: "CHECK_USER_IS_ACTIVE refuses them: set it to false, too",
    },
    Rule {
        settings: &["simple_jwt.update_last_login"],
        idle: |c| c.settings.update_last_login && c.users.last_login.is_none(),
        why: "last_login in [users] names no column",
    },
    Rule {
        settings: &["simple_jwt.jwk_url_allow_http", "simple_jwt.jwk_url_ca"],
        idle: |c| c.settings.jwk_url.is_empty(),
        why: "no keys are fetched without JWK_URL",
    },
    Rule {
        settings: &["django.secret_key_fallbacks"],
        idle: |c| {
            let is_key = c.django.secret_key == c.settings.signing_key;
            c.django.secret_key.is_some() && (!is_key || !c.settings.algorithm.is_symmetric())
        },
        why: "SECRET_KEY isn't the signing key: name them in verifying_keys in [simple_jwt]",
    },
    Rule {
        settings: &["sessions.enabled"],
        idle: |c| !c.settings.token_blacklist,
        why: "there are no sessions without token_blacklist = true in [simple_jwt]",
    },
];

/// Returns a sentence for each setting that was given a value other than its default and has no
/// effect. `own`: only these, because a realm has the others from the top.
pub(super) fn warnings(
    config: &Config,
    given: &BTreeMap<String, Given>,
    own: Option<&BTreeSet<String>>,
) -> Vec<String> {
    let between = RULES.iter().filter(|rule| (rule.idle)(config)).flat_map(|rule| {
        rule.settings.iter().filter_map(|path| Some((list::by_path(path)?, rule.why)))
    });
    let told = |(setting, why): (Setting, &str)| {
        let path = setting.path();
        let given = given.get(&path).filter(|_| own.is_none_or(|own| own.contains(&path)))?;
        (!is_default(setting, given))
            .then(|| format!("{}: {} has no effect, because {why}", given.origin, setting.label()))
    };
    let idle = list::idle(config).into_iter().chain(between).filter_map(told);
    idle.chain(quieter(config, given).filter(|_| own.is_none_or(|own| own.contains("log.level"))))
        .collect()
}

/// Warns about a level that logs less than it says.
fn quieter(config: &Config, given: &BTreeMap<String, Given>) -> Option<String> {
    let given = given.get("log.level")?;
    level::asks_too_much(&config.log.level).then(|| {
        format!(
            "{}: level: other libraries are never logged below warn, because there they log \
             password hashes and tokens",
            given.origin
        )
    })
}

/// A setting that states the default is not a mistake.
fn is_default(setting: Setting, given: &Given) -> bool {
    let mut config = Config::default();
    setting.set(&mut config, &given.value).is_ok() && config == Config::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};

    const KEY: (&str, &str) = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");
    const BLACKLIST: (&str, &str) = ("SIMPLEJWT_TOKEN_BLACKLIST", "true");
    const SERVER: (&str, &str) = ("DATABASE_URL", "postgres://u@h/d");
    const FILE: (&str, &str) = ("DATABASE_URL", "sqlite:////srv/d");

    fn told(pairs: &[(&str, &str)]) -> Vec<String> {
        let environment = Environment::of([KEY].iter().chain(pairs).copied());
        load(None, &environment).unwrap_or_else(|error| panic!("{pairs:?}: {error}")).warnings
    }

    /// Settings without effect, with what gives them one.
    #[test]
    fn what_does_nothing_is_told_and_what_does_something_is_not() {
        for (given, more, cure) in [
            (("SIMPLEJWT_AUTHENTICATION", "stateless"), &[][..], ("SIMPLEJWT_DEMO", "on")),
            (
                ("SIMPLEJWT_LOG_REQUESTS", "on"),
                &[("SIMPLEJWT_LOG_LEVEL", "warning")],
                ("SIMPLEJWT_LOG_LEVEL", "warning,simplejwt::request=info"),
            ),
            (("SIMPLEJWT_DATABASE_BUSY_TIMEOUT", "9"), &[SERVER], FILE),
            (("SIMPLEJWT_DATABASE_MAX_CONNECTIONS", "9"), &[FILE], SERVER),
            (("SIMPLEJWT_DATABASE_CONNECT_TIMEOUT", "9"), &[FILE], SERVER),
            (("SIMPLEJWT_DATABASE_WAIT_TIMEOUT", "9"), &[FILE], SERVER),
            (("SIMPLEJWT_DATABASE_OPERATION_TIMEOUT", "9"), &[FILE], SERVER),
            (("SIMPLEJWT_PURGE_INTERVAL", "9"), &[], BLACKLIST),
            (("SIMPLEJWT_PURGE_CASCADE", "on"), &[], BLACKLIST),
            (
                ("SIMPLEJWT_PURGE_BATCH", "9"),
                &[BLACKLIST, ("SIMPLEJWT_PURGE_INTERVAL", "0")],
                ("SIMPLEJWT_PURGE_INTERVAL", "9"),
            ),
            (
                ("SIMPLEJWT_ALLOW_INACTIVE_LOGIN", "on"),
                &[],
                ("SIMPLEJWT_CHECK_USER_IS_ACTIVE", "off"),
            ),
            (("SIMPLEJWT_CLAIMS_ON_REFRESH", "recompute"), &[], ("SIMPLEJWT_CLAIMS", "a=email")),
            (
                ("SIMPLEJWT_UPDATE_LAST_LOGIN", "on"),
                &[("SIMPLEJWT_USERS_LAST_LOGIN", "")],
                ("SIMPLEJWT_USERS_LAST_LOGIN", "seen"),
            ),
            (("SIMPLEJWT_VERIFYING_KEY", "a key"), &[], ("SIMPLEJWT_ALGORITHM", "ES256")),
            (
                ("SIMPLEJWT_AUTH_HEADER_TYPES", "JWT"),
                &[("SIMPLEJWT_TRANSPORT", "cookie")],
                ("SIMPLEJWT_TRANSPORT", "both"),
            ),
            (
                ("SIMPLEJWT_AUTH_HEADER_NAME", "HTTP_X_TOKEN"),
                &[("SIMPLEJWT_TRANSPORT", "cookie")],
                ("SIMPLEJWT_TRANSPORT", "header"),
            ),
            (("SIMPLEJWT_REVOKE_TOKEN_CLAIM", "pw"), &[], ("SIMPLEJWT_CHECK_REVOKE_TOKEN", "on")),
            (
                ("SIMPLEJWT_ALLOW_WEAK_KEY", "on"),
                &[("SIMPLEJWT_ALGORITHM", "ES256")],
                ("SIMPLEJWT_ALGORITHM", "HS256"),
            ),
            (
                ("SIMPLEJWT_SESSIONS_AT_LIMIT", "refuse"),
                &[BLACKLIST],
                ("SIMPLEJWT_MAX_SESSIONS_PER_USER", "2"),
            ),
            (
                ("SIMPLEJWT_FEED_LOST", "accept"),
                &[BLACKLIST, ("SIMPLEJWT_SESSION_CLAIM", "on")],
                ("SIMPLEJWT_REVOCATION", "feed"),
            ),
            (
                ("SIMPLEJWT_FEED_MAX_AGE", "9"),
                &[BLACKLIST, ("SIMPLEJWT_SESSION_CLAIM", "on")],
                ("SIMPLEJWT_REVOCATION", "feed"),
            ),
            (
                ("SIMPLEJWT_FEED_MAX_ENTRIES", "9"),
                &[BLACKLIST, ("SIMPLEJWT_SESSION_CLAIM", "on")],
                ("SIMPLEJWT_REVOCATION", "feed"),
            ),
            (("SIMPLEJWT_SESSIONS", "off"), &[], BLACKLIST),
        ] {
            let with = [&[given], more].concat();
            let idle = told(&with);
            let mine = |line: &&String| line.contains(given.0) && line.contains("has no effect");
            assert_eq!(idle.iter().filter(mine).count(), 1, "{with:?}: {idle:?}");
            let cured = told(&[with, vec![cure]].concat());
            assert_eq!(cured.iter().filter(mine).count(), 0, "{given:?} {cure:?}: {cured:?}");
        }
    }

    #[test]
    fn a_level_that_does_less_than_it_says_is_told() {
        for (level, is_told) in [("tokio_postgres=trace", true), ("simplejwt=trace", false)] {
            let told = told(&[("SIMPLEJWT_LOG_LEVEL", level)]);
            let mine = told.iter().filter(|line| line.contains("never logged below warn")).count();
            assert_eq!(mine, usize::from(is_told), "{told:?}");
        }
    }

    #[test]
    fn every_rule_names_settings_that_there_are() {
        for path in RULES.iter().flat_map(|rule| rule.settings) {
            assert!(list::by_path(path).is_some(), "{path}");
        }
    }

    #[test]
    fn a_default_that_is_written_down_is_no_mistake() {
        let defaults = [
            ("SIMPLEJWT_FEED_MAX_AGE", "2s"),
            ("SIMPLEJWT_SESSIONS", "on"),
            ("SIMPLEJWT_VERIFYING_KEY", ""),
            ("SIMPLEJWT_AUTHENTICATION", "user"),
        ];
        assert!(told(&defaults).is_empty(), "{:?}", told(&defaults));
    }
}
