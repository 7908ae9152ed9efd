//! Gateways, OAuth clients, and the claims that they and everybody else can read.

use simplejwt::web::endpoint::{Authentication, OAuthClient};

use super::finding::Finding;
use crate::config::{ClaimSource, Config};

/// Parts of the names of columns and claims that hold what is known about a person.
const PERSONAL: [&str; 12] = [
    "mail",
    "phone",
    "mobile",
    "first_name",
    "last_name",
    "full_name",
    "given_name",
    "family_name",
    "birth",
    "address",
    "gender",
    "nickname",
];

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![match config.gateway.authentication() {
        Authentication::Stateless => Finding::note(
            "stateless_gateway",
            "authenticate/ answers gateways from the token alone",
            "a user who was disabled passes until the token expires",
        )
        .write("gateway.authentication", "user"),
        _ => Finding::ok("gateway", "authenticate/ looks up the user for each request"),
    }];
    let clients = &config.oauth_clients;
    if !clients.is_empty() {
        let count = clients.iter().count();
        findings.push(Finding::ok(
            "oauth_clients",
            format!(
                "{count} clients may introspect and revoke tokens; secrets of fewer than {} \
                 characters are refused",
                OAuthClient::SHORTEST_SECRET
            ),
        ));
    }
    let seeing = clients.iter().filter(|client| client.sees_refresh_tokens());
    let seeing: Vec<&str> = seeing.map(OAuthClient::id).collect();
    if !seeing.is_empty() {
        findings.push(
            Finding::note(
                "clients_see_refresh_tokens",
                format!("introspection calls refresh tokens active for {}", seeing.join(", ")),
                "a program that takes \"active\" for access accepts them in place of access tokens",
            )
            .act("leave refresh_tokens out of those clients that only check access tokens"),
        );
    }
    findings.extend(personal(config));
    findings
}

/// Claims that tell something about a person.
fn personal(config: &Config) -> Option<Finding> {
    let is_personal = |name: &str| {
        let name = name.to_ascii_lowercase();
        PERSONAL.iter().any(|part| name.contains(part))
    };
    let told = |(name, source): &&(String, ClaimSource)| {
        let reads = source.columns().into_iter().any(is_personal);
        reads || is_personal(name) && !matches!(source, ClaimSource::Constant(_))
    };
    let names: Vec<&str> =
        config.claims.added.iter().filter(told).map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let finding = Finding::note(
        "personal_claims",
        format!("tokens carry {}", names.join(", ")),
        "tokens are signed, not encrypted: every program and log that sees one reads them",
    );
    Some(names.iter().fold(finding, |finding, name| finding.remove(&format!("claims.{name}"))))
}

#[cfg(test)]
mod tests {
    use simplejwt::web::endpoint::{GatewayOptions, OAuthClients};

    use super::super::finding::{Remedy, Severity, told};
    use super::*;

    #[test]
    fn weak_and_strong() {
        let mut config = Config::default();
        assert_eq!(told(&findings(&config)), []);
        let secret = "0123456789abcdef0123456789abcdef";
        let client = |id| OAuthClient::new(id, secret).unwrap();
        config.oauth_clients = OAuthClients::new([client("api")]).unwrap();
        assert_eq!(told(&findings(&config)), []);
        let clients = [client("api"), client("console").with_refresh_tokens()];
        config.oauth_clients = OAuthClients::new(clients).unwrap();
        config.gateway = GatewayOptions::default().with_authentication(Authentication::Stateless);
        let column = |name: &str| ClaimSource::Column(name.into());
        config.claims.added = vec![
            ("contact".into(), column("email")),
            ("phone".into(), column("p")),
            ("tenant".into(), column("tenant")),
            ("mail_domain".into(), ClaimSource::Constant("example.com".into())),
            ("roles".into(), ClaimSource::Groups),
        ];
        let found = findings(&config);
        let note = |code| (code, Severity::Note);
        let weak = [
            note("stateless_gateway"),
            note("clients_see_refresh_tokens"),
            note("personal_claims"),
        ];
        assert_eq!(told(&found), weak);
        let removed = ["claims.contact", "claims.phone"].map(|path| Remedy::Remove(path.into()));
        assert_eq!(found.last().unwrap().remedies, removed);
        let shown = format!("{found:?}");
        assert!(shown.contains("console") && !shown.contains(secret), "{shown}");
    }
}
