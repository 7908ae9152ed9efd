//! Database URLs: the parts that are the same for all databases.
//!
//! URLs are parsed as libpq and Django's URL packages parse them: dj-database-url, django-environ
//! and environs. Every parameter known to them, SQLAlchemy, Prisma, Rails, Laravel or the drivers
//! is in a table with its effect ([`UrlParameter`]); any other is refused by its name, so that none
//! is silently ignored.

mod parts;
mod query;
mod security;

pub(crate) use parts::Parts;
pub(crate) use query::Query;
pub use security::ConnectionSecurity;
pub(crate) use security::is_loopback;

/// A parameter after a URL's question mark, and its effect.
///
/// ```
/// # #[cfg(feature = "postgres")] {
/// use simplejwt::postgres::URL_PARAMETERS;
/// use simplejwt::sql::url::Effect;
///
/// let row = URL_PARAMETERS.iter().find(|row| row.name == "conn_max_age").unwrap();
/// assert_eq!(row.effect, Effect::Ignored);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlParameter {
    /// Its name. Case doesn't matter, and `-` and `_` are the same.
    pub name: &'static str,
    /// Its effect.
    pub effect: Effect,
    /// A few words on what it does, or on what to use in its place.
    pub note: &'static str,
}

/// The effect of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// It has the effect that the note describes.
    Honoured,
    /// Accepted without effect; a warning says so.
    Ignored,
    /// Accepted: one of these values asks for what is done anyway; any other has no effect and
    /// causes a warning.
    IgnoredBut(&'static [&'static str]),
    /// Accepted with one of these values, which ask for what is done anyway; refused with any
    /// other.
    Only(&'static [&'static str]),
    /// Refused, since ignoring it would mean something other than the URL says.
    Refused,
}

/// A row of a table of parameters.
pub(crate) const fn row(name: &'static str, effect: Effect, note: &'static str) -> UrlParameter {
    UrlParameter { name, effect, note }
}

/// Returns the parts of a URL before and after its question mark, without the scheme; `None` if it
/// has none of these schemes.
pub(crate) fn split<'a>(url: &'a str, schemes: &[&str]) -> Option<(&'a str, &'a str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    schemes.contains(&scheme).then_some((before, query))
}

/// Returns `true` for two spellings of a name or word: `ssl-ca`, `ssl_ca` and `SSL_CA`.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(|(a, b)| plain(a) == plain(b))
}

/// Returns the text, percent-decoded; `None` if that isn't UTF-8 or has a NUL. A `%` without two
/// hexadecimal digits stands for itself, as in Django.
pub(crate) fn decoded(text: &str) -> Option<String> {
    String::from_utf8(bytes_of(text)).ok().filter(|text| !text.contains('\0'))
}

fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let digit = |at: usize| tail.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (digit(0), digit(1)) {
            (Some(high), Some(low)) if *first == b'%' => {
                bytes.push((high * 16 + low) as u8);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with all effects.
    pub(super) static TABLE: &[UrlParameter] = &[
        row("options", Effect::Honoured, ""),
        row("password", Effect::Honoured, ""),
        row("ssl-ca", Effect::Honoured, ""),
        row("port", Effect::Honoured, ""),
        row("host", Effect::Honoured, ""),
        row("pool", Effect::Ignored, ""),
        row("charset", Effect::IgnoredBut(&["utf8mb4", "utf8"]), ""),
        row("gss", Effect::Only(&["disable"]), "there is none"),
        row("crl", Effect::Refused, "not yet"),
    ];
}
