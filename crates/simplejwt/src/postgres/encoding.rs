//! The texts that a database can hold, and making a client's description fit.

use std::borrow::Cow;
use std::error::Error;

use tokio_postgres::Client as Connection;
use tokio_postgres::types::{FromSql, Type};

use super::tokens::PgResult;
use crate::store::session::Client;

/// The characters that a database's encoding has, as far as it is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// All characters: `UTF8`.
    Any,
    /// The first 256 characters: `LATIN1`.
    Latin1,
    /// ASCII, which every encoding has. In `SQL_ASCII`, lengths are also counted in bytes.
    Ascii,
}

impl Encoding {
    /// Returns the encoding of the connected database.
    pub(super) async fn of(connection: &Connection) -> PgResult<Self> {
        let row = connection.query_one("SHOW server_encoding", &[]).await?;
        Ok(Self::named(row.try_get(0)?))
    }

    fn named(name: &str) -> Self {
        match name {
            "UTF8" => Self::Any,
            "LATIN1" => Self::Latin1,
            _ => Self::Ascii,
        }
    }

    fn has(self, c: char) -> bool {
        match self {
            Self::Any => true,
            Self::Latin1 => c <= '\u{ff}',
            Self::Ascii => c.is_ascii(),
        }
    }

    /// Returns the client, with a question mark for each character that can't be stored: a login
    /// doesn't fail because of text that only the list of sessions shows.
    pub(super) fn fitted(self, client: &Client) -> Cow<'_, Client> {
        let texts = [&client.address, &client.user_agent];
        let fits = |text: &str| text.chars().all(|c| self.has(c));
        if self == Self::Any || texts.into_iter().flatten().all(|text| fits(text)) {
            return Cow::Borrowed(client);
        }
        let fitted = |text: &Option<String>| {
            let shown = |c| if self.has(c) { c } else { '?' };
            text.as_deref().map(|text| text.chars().map(shown).collect())
        };
        let (address, user_agent) = (fitted(&client.address), fitted(&client.user_agent));
        Cow::Owned(Client { address, user_agent })
    }
}

/// A text stored by somebody else, with U+FFFD for bytes that aren't UTF-8: in `SQL_ASCII` the
/// database accepts any bytes, and one such row mustn't make those beside it fail.
pub(crate) struct Text(pub(crate) String);

impl<'a> FromSql<'a> for Text {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(String::from_utf8_lossy(raw).into_owned()))
    }

    fn accepts(kind: &Type) -> bool {
        <&str as FromSql>::accepts(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_encoding_lacks_is_a_question_mark() {
        let client = Client::new(Some("192.0.2.1"), Some("Browser ü € 🦀"));
        for (name, expected) in [
            ("UTF8", "Browser ü € 🦀"),
            ("LATIN1", "Browser ü ? ?"),
            ("SQL_ASCII", "Browser ? ? ?"),
            ("WIN1252", "Browser ? ? ?"),
        ] {
            let fitted = Encoding::named(name).fitted(&client);
            assert_eq!(fitted.user_agent.as_deref(), Some(expected), "{name}");
            assert_eq!(fitted.address, client.address);
        }
    }
}
