//! The `typ` of a JOSE header (RFC 7515 section 4.1.9), and the headers of a key's tokens.

use base64_simd::URL_SAFE_NO_PAD;

/// The media type of a token, without `application/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typ {
    /// `JWT` (RFC 7519 section 5.1), or none at all.
    Jwt,
    /// `at+jwt` (RFC 9068 section 2.1).
    AccessToken,
    /// `refresh+jwt`
    RefreshToken,
    /// Anything else, even if it isn't a string.
    Other,
}

impl Typ {
    const KNOWN: [Self; 3] = [Self::Jwt, Self::AccessToken, Self::RefreshToken];

    /// Returns the type with this name. Upper and lower case are the same, and `application/` can
    /// be left out (RFC 7515 section 4.1.9).
    pub(super) fn parse(name: &str) -> Self {
        const PREFIX: &str = "application/";
        let name = match name.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
            _ => name,
        };
        let is_it = |typ: &Self| typ.name().eq_ignore_ascii_case(name);
        Self::KNOWN.into_iter().find(is_it).unwrap_or(Self::Other)
    }

    /// Returns the name that is written.
    const fn name(self) -> &'static str {
        match self {
            Self::Jwt | Self::Other => "JWT",
            Self::AccessToken => "at+jwt",
            Self::RefreshToken => "refresh+jwt",
        }
    }
}

/// The header segments of a key's tokens, one for each `typ` that is written.
pub(crate) struct Headers([(Typ, String); 3]);

impl Headers {
    /// Prepares `{"alg":…,"typ":…}`, with `kid` if the key has one.
    pub(crate) fn new(alg: &str, kid: Option<&str>) -> Self {
        Self(Typ::KNOWN.map(|typ| (typ, encode(alg, typ, kid))))
    }

    /// Returns the header segment with this `typ`.
    pub(crate) fn with_typ(&self, typ: Typ) -> &str {
        let [(_, jwt), others @ ..] = &self.0;
        others.iter().find(|(other, _)| *other == typ).map_or(jwt, |(_, header)| header)
    }

    /// Returns the header segments with their `typ`.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Typ, &str)> {
        self.0.iter().map(|(typ, header)| (*typ, header.as_str()))
    }
}

fn encode(alg: &str, typ: Typ, kid: Option<&str>) -> String {
    let typ = typ.name();
    let json = match kid {
        None => format!("{{\"alg\":\"{alg}\",\"typ\":\"{typ}\"}}"),
        Some(kid) => {
            let kid = serde_json::Value::from(kid);
            format!("{{\"alg\":\"{alg}\",\"typ\":\"{typ}\",\"kid\":{kid}}}")
        }
    };
    URL_SAFE_NO_PAD.encode_to_string(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_compared_as_media_types() {
        for (name, typ) in [
            ("JWT", Typ::Jwt),
            ("jwt", Typ::Jwt),
            ("application/jwt", Typ::Jwt),
            ("at+jwt", Typ::AccessToken),
            ("AT+JWT", Typ::AccessToken),
            ("application/at+jwt", Typ::AccessToken),
            ("Application/At+Jwt", Typ::AccessToken),
            ("refresh+jwt", Typ::RefreshToken),
            ("application/refresh+jwt", Typ::RefreshToken),
            ("", Typ::Other),
            ("application/", Typ::Other),
            ("application/application/at+jwt", Typ::Other),
            (" at+jwt", Typ::Other),
            ("at+jwt;q=1", Typ::Other),
            ("x/at+jwt", Typ::Other),
            ("logout+jwt", Typ::Other),
            ("applicatioñ/at+jwt", Typ::Other),
        ] {
            assert_eq!(Typ::parse(name), typ, "{name:?}");
        }
    }

    #[test]
    fn headers_are_prepared_for_each_type() {
        let headers = Headers::new("HS256", None);
        // As upstream writes it.
        assert_eq!(headers.with_typ(Typ::Jwt), "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9");
        assert_eq!(headers.with_typ(Typ::Other), headers.with_typ(Typ::Jwt));
        let kept = Headers::new("RS256", Some("a \"key\""));
        for typ in Typ::KNOWN {
            let header = kept.with_typ(typ);
            assert!(kept.iter().any(|own| own == (typ, header)));
            assert!(headers.iter().all(|(_, other)| other != header));
            let json = URL_SAFE_NO_PAD.decode_to_vec(header).unwrap();
            let read = super::super::Header::parse(&json).unwrap();
            assert_eq!((read.alg.as_str(), read.typ), ("RS256", typ));
            assert_eq!(read.kid.as_deref(), Some("a \"key\""));
        }
    }
}
