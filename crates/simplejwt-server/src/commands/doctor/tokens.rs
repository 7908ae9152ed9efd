//! What tokens say, and who could mistake one for another.

use simplejwt::settings::{Audience, Typ};

use super::finding::Finding;
use crate::config::Config;

/// `false` if this server only verifies what another issues.
pub(super) fn issues(config: &Config) -> bool {
    config.settings.jwk_url.is_empty()
        && (config.settings.signing_key.is_some() || config.keys.has_ring())
}

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let settings = &config.settings;
    let mut findings = vec![match &settings.token_type_claim {
        Some(claim) => Finding::ok("token_type", format!("tokens state their kind in \"{claim}\"")),
        None => Finding::warning(
            "no_token_type",
            "tokens don't state their kind (TOKEN_TYPE_CLAIM is none)",
            "a refresh token is accepted in place of an access token, for its much longer lifetime",
        )
        .write("simple_jwt.token_type_claim", "token_type"),
    }];
    if !issues(config) {
        return findings;
    }
    findings.push(mark(config));
    findings.push(match &settings.issuer {
        Some(issuer) => Finding::ok("issuer", format!("tokens name their issuer, \"{issuer}\"")),
        None => Finding::note(
            "no_issuer",
            "tokens don't name their issuer (ISSUER isn't set)",
            "programs that trust several issuers can't tell them apart (RFC 8725 section 3.8). \
             Tokens that were issued before are refused once it is set",
        )
        .write("simple_jwt.issuer", "https://auth.example.com")
        .act("put this server's own URL in place of https://auth.example.com"),
    });
    findings.push(match &settings.audience {
        Some(audience) => {
            let names = match audience {
                Audience::One(name) => name.clone(),
                Audience::Many(names) => names.join(", "),
            };
            Finding::ok("audience", format!("tokens are for the audience {names}"))
        }
        None => Finding::note(
            "no_audience",
            "tokens don't name their audience (AUDIENCE isn't set)",
            "a token for one program is accepted by every other one with the same key (RFC 8725 \
             section 3.9). Tokens that were issued before are refused once it is set",
        )
        .write("simple_jwt.audience", "https://api.example.com")
        .act(
            "put the name of the programs that take the tokens in place of https://api.example.com",
        ),
    });
    findings
}

/// Whether programs that don't know `token_type` can tell the kinds apart.
fn mark(config: &Config) -> Finding {
    let settings = &config.settings;
    match (settings.typ, &settings.refresh_audience) {
        (Typ::Jwt, None) => Finding::warning(
            "unmarked_refresh_tokens",
            "only the claim that states the kind tells a refresh token from an access token",
            "many programs check the signature and exp alone, and accept a refresh token as an \
             access token for its whole lifetime. Clients and Django ignore the mark",
        )
        .write("simple_jwt.typ", "by_kind"),
        (_, None) => Finding::ok("refresh_mark", "the typ of a refresh token is refresh+jwt"),
        (_, Some(name)) => {
            Finding::ok("refresh_mark", format!("refresh tokens are for the audience {name} alone"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Severity, told};
    use super::*;

    #[test]
    fn weak_and_strong() {
        let mut config = Config::default();
        config.settings.signing_key = Some("a secret of thirty-two bytes or more".into());
        config.settings.token_type_claim = None;
        let weak = [
            ("no_token_type", Severity::Warning),
            ("unmarked_refresh_tokens", Severity::Warning),
            ("no_issuer", Severity::Note),
            ("no_audience", Severity::Note),
        ];
        assert_eq!(told(&findings(&config)), weak);
        config.settings.token_type_claim = Some("token_type".into());
        config.settings.issuer = Some("https://example.com".into());
        config.settings.audience = Some(Audience::One("api".into()));
        for by_type in [true, false] {
            let mut config = config.clone();
            match by_type {
                true => config.settings.typ = Typ::ByKind,
                false => config.settings.refresh_audience = Some("us".into()),
            }
            assert_eq!(told(&findings(&config)), []);
        }
        // Whoever issues nothing has nothing to mark.
        let mut verifier = Config::default();
        verifier.settings.jwk_url = vec!["https://example.com/jwks.json".into()];
        assert_eq!(told(&findings(&verifier)), []);
    }
}
