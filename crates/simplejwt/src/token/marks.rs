//! What tokens carry for programs that don't know `token_type`: `aud`, `iss`, `client_id` and `typ`.

use super::{Access, Refresh, Sliding, TokenType, Tokens};
use crate::claims::Claims;
use crate::error::TokenError;
use crate::jws::Typ;
use crate::settings::{self, Audience, Profile, Settings};

/// The marks of every kind of token.
pub(super) struct Marks {
    access: Mark,
    refresh: Mark,
    other: Mark,
}

/// The marks of one kind of token.
pub(super) struct Mark {
    pub(super) typ: Typ,
    /// As JSON, ready to be written.
    pub(super) claims: Vec<(&'static str, String)>,
}

impl Marks {
    pub(super) fn of(settings: &Settings) -> Self {
        let is_by_kind = settings.typ == settings::Typ::ByKind;
        let typ = |typ| if is_by_kind { typ } else { Typ::Jwt };
        let audience = settings.audience.as_ref();
        let own = settings.refresh_audience.clone().map(Audience::One);
        let client_id = settings.client_id.as_deref();
        let client_id = client_id.filter(|_| settings.profile == Profile::Rfc9068);
        let issuer = settings.issuer.as_deref();
        Self {
            access: Mark::new(typ(Typ::AccessToken), audience, issuer, client_id),
            refresh: Mark::new(typ(Typ::RefreshToken), own.as_ref().or(audience), issuer, None),
            other: Mark::new(Typ::Jwt, audience, issuer, None),
        }
    }

    /// Returns the marks of tokens of this type.
    pub(super) fn of_type(&self, token_type: &str) -> &Mark {
        match token_type {
            Access::NAME | Sliding::NAME => &self.access,
            Refresh::NAME => &self.refresh,
            _ => &self.other,
        }
    }
}

impl Mark {
    fn new(
        typ: Typ,
        audience: Option<&Audience>,
        issuer: Option<&str>,
        client_id: Option<&str>,
    ) -> Self {
        let mut written = Claims::default();
        match audience {
            Some(Audience::One(name)) => written.set_str("aud", name),
            // A list of strings can always be written as JSON.
            Some(Audience::Many(names)) => drop(written.set("aud", names)),
            None => {}
        }
        for (name, value) in [("iss", issuer), ("client_id", client_id)] {
            if let Some(value) = value {
                written.set_str(name, value);
            }
        }
        let json = |name| written.raw(name).map(|json| (name, json.to_owned()));
        Self { typ, claims: ["aud", "iss", "client_id"].into_iter().filter_map(json).collect() }
    }
}

impl Tokens {
    /// Returns the claims of a token that was signed here, if its `typ` isn't that of another kind
    /// (RFC 8725 section 3.11). Nothing else is checked.
    pub(crate) fn signed_claims(&self, token: &str) -> Result<Claims, TokenError> {
        let (typ, payload) = self.keys().verify_with_typ(token).map_err(|_| TokenError::Invalid)?;
        let claims = Claims::parse(payload)?;
        let settings = self.settings();
        if settings.typ == settings::Typ::Jwt {
            return Ok(claims);
        }
        let is_of = |names: &[&str]| {
            let token_type = claims.token_type(settings);
            token_type.is_some_and(|token_type| names.contains(&token_type.as_ref()))
        };
        let fits = match typ {
            // Issued before `typ` told the kinds apart, or by Django.
            Typ::Jwt => true,
            Typ::AccessToken => is_of(&[Access::NAME, Sliding::NAME]),
            Typ::RefreshToken => is_of(&[Refresh::NAME]),
            Typ::Other => false,
        };
        if fits { Ok(claims) } else { Err(TokenError::Invalid) }
    }
}

#[cfg(test)]
mod tests;
