//! The keys of another issuer (`JWK_URL`).

use http::Uri;

use super::finding::{Finding, span};
use crate::config::{Config, is_this_machine};

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let settings = &config.settings;
    if settings.jwk_url.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let is_open = |url: &&String| {
        let url = url.trim().parse::<Uri>();
        url.is_ok_and(|url| url.scheme_str() == Some("http") && !is_this_machine(&url))
    };
    if settings.jwk_url.iter().any(|url| is_open(&url)) {
        let mended = |url: &String| match is_open(&url) {
            true => url.replacen("http://", "https://", 1),
            false => url.clone(),
        };
        // A URL may hold a password, so none is shown.
        let finding = Finding::warning(
            "keys_over_http",
            "keys to verify with are fetched over plain HTTP (JWK_URL)",
            "whoever is on the way can put in keys of their own, and log in as anybody",
        );
        let has_password = settings.jwk_url.iter().any(|url| url.contains('@'));
        findings.push(match has_password {
            true => finding.act("write https:// in JWK_URL"),
            false => finding.write(
                "simple_jwt.jwk_url",
                settings.jwk_url.iter().map(mended).collect::<Vec<_>>(),
            ),
        });
    }
    findings.push(match settings.jwk_url_max_stale {
        Some(time) => Finding::ok(
            "remote_keys",
            format!("fetched keys are used for {} after the last fetch that succeeded", span(time)),
        ),
        None => Finding::note(
            "stale_keys",
            "fetched keys are used however long they can't be fetched again (jwk_url_max_stale)",
            "a key that the issuer has withdrawn is accepted while its server can't be reached",
        )
        .write("simple_jwt.jwk_url_max_stale", "1d"),
    });
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::{Remedy, Severity, told};
    use super::*;

    #[test]
    fn weak_and_strong() {
        let mut config = Config::default();
        assert_eq!(told(&findings(&config)), []);
        config.settings.jwk_url = vec!["http://id.lan/keys".into(), "http://localhost/keys".into()];
        config.settings.jwk_url_max_stale = None;
        let found = findings(&config);
        let weak = [("keys_over_http", Severity::Warning), ("stale_keys", Severity::Note)];
        assert_eq!(told(&found), weak);
        let https = json!(["https://id.lan/keys", "http://localhost/keys"]);
        assert_eq!(found[0].remedies, [Remedy::Write("simple_jwt.jwk_url".into(), https)]);
        config.settings.jwk_url = vec!["http://u:secret@id.lan/keys".into()];
        assert!(!format!("{:?}", findings(&config)).contains("secret"));
        config.settings.jwk_url = vec!["https://id.lan/keys".into(), "file:///srv/jwks".into()];
        config.settings.jwk_url_max_stale = Some(std::time::Duration::from_secs(60));
        assert_eq!(told(&findings(&config)), []);
    }
}
