//! The marks by which programs that don't know `token_type` tell access tokens from refresh tokens.

use super::{Audience, Settings};

/// The `typ` of the JOSE header (RFC 7515 section 4.1.9), the media type of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Typ {
    /// `JWT` for all tokens, as upstream. The `typ` of a presented token isn't checked.
    #[default]
    Jwt,
    /// `at+jwt` for access and sliding tokens (RFC 9068 section 2.1), `refresh+jwt` for refresh
    /// tokens, and `JWT` for an application's own types.
    ///
    /// A presented token whose `typ` belongs to another kind than its `token_type` is refused, and
    /// so is one with any other `typ` (RFC 8725 section 3.11). One with `JWT`, or without a `typ`,
    /// is accepted by its `token_type` alone: tokens that were issued before, or by Django.
    ByKind,
}

/// The claims that access tokens must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Those of upstream.
    #[default]
    Simplejwt,
    /// Those of RFC 9068 section 2.2: `iss`, `sub`, `aud`, `client_id`, `exp`, `iat` and `jti`.
    /// `auth_time` and `scope` (sections 2.2.1 and 2.2.3) are added by
    /// [hooks](crate::Hooks::extra_claims).
    Rfc9068,
}

impl Settings {
    pub(super) fn check_marks(&self, problem: &mut impl FnMut(bool, &str)) {
        problem(
            self.refresh_audience.as_deref() == Some(""),
            "refresh_audience is empty: name the audience of refresh tokens, such as \
             \"https://example.com/api/token/refresh/\", or leave it out",
        );
        problem(
            self.refresh_audience.as_ref().is_some_and(|name| {
                self.audience.as_ref().is_some_and(|audience| audience.iter().any(|a| a == name))
            }),
            "refresh_audience is also in AUDIENCE, so whoever accepts access tokens would accept \
             refresh tokens: write another name, which nobody else uses",
        );
        for (setting, is_set) in [
            ("refresh_audience", self.refresh_audience.is_some()),
            ("typ = \"by_kind\"", self.typ == Typ::ByKind),
        ] {
            problem(
                is_set && self.token_type_claim.is_none(),
                &format!(
                    "{setting} needs the kind of each token, but TOKEN_TYPE_CLAIM is null: name a \
                     claim, such as \"token_type\""
                ),
            );
        }
        if self.profile == Profile::Rfc9068 {
            self.check_rfc9068(problem);
        }
    }

    fn check_rfc9068(&self, problem: &mut impl FnMut(bool, &str)) {
        let audience = self.audience.as_ref().map(Audience::iter);
        let no_audience = audience.is_none_or(|mut names| names.any(str::is_empty));
        for (is_missing, needed) in [
            (self.issuer.as_deref().unwrap_or_default().is_empty(), "ISSUER = \"https://…\""),
            (no_audience, "AUDIENCE = \"https://…\", the API that access tokens are for"),
            (self.user_id_claim != "sub", "USER_ID_CLAIM = \"sub\""),
            (self.jti_claim.as_deref() != Some("jti"), "JTI_CLAIM = \"jti\""),
            (
                self.client_id.as_deref().unwrap_or_default().is_empty(),
                "client_id = \"…\", the application that users log in with",
            ),
            (self.typ != Typ::ByKind, "typ = \"by_kind\""),
        ] {
            problem(
                is_missing,
                &format!("profile = \"rfc9068\" (RFC 9068 section 2) needs more: write {needed}"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
