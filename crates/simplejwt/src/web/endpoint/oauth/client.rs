//! OAuth's clients with their secrets (RFC 6749 section 2.3.1), which may ask about tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::settings::SettingsError;

type Hash = [u8; 32];

/// A system that may revoke and introspect tokens. Only a hash of its secret is kept.
///
/// ```
/// use simplejwt::web::endpoint::OAuthClient;
///
/// let client = OAuthClient::new("billing", "0a9f27d4c1b84e6e9d51f3a6c27b8e40")?;
/// # Ok::<_, simplejwt::settings::SettingsError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OAuthClient {
    id: String,
    secret: Hash,
    refresh_tokens: bool,
    introspection_max_age: Option<Duration>,
}

impl OAuthClient {
    /// The minimum length of a secret, in bytes: that of `openssl rand -hex 16`.
    pub const SHORTEST_SECRET: usize = 32;

    /// Creates a client from its secret, which must be random, since it is hashed only once.
    ///
    /// # Errors
    /// The id isn't valid, or the secret is too short.
    pub fn new(id: &str, secret: &str) -> Result<Self, SettingsError> {
        if secret.len() < Self::SHORTEST_SECRET {
            return Err(SettingsError::one(format!(
                "the secret of the client {id:?} is shorter than {} characters: make one with \
                 `openssl rand -hex 32`",
                Self::SHORTEST_SECRET
            )));
        }
        Self::with_hash(id, Sha256::digest(secret).into())
    }

    /// Creates a client from the SHA-256 of its secret.
    ///
    /// # Errors
    /// The id isn't valid.
    pub fn with_hash(id: &str, secret: [u8; 32]) -> Result<Self, SettingsError> {
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b':';
        if id.is_empty() || !id.bytes().all(plain) {
            return Err(SettingsError::one(format!(
                "{id:?} is not the id of a client: write visible ASCII characters without a colon"
            )));
        }
        let id = id.to_owned();
        Ok(Self { id, secret, refresh_tokens: false, introspection_max_age: None })
    }

    /// Returns the client's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Makes introspection tell this client of active refresh tokens. Other clients learn that they
    /// aren't active, since most look at nothing else before they let somebody in.
    ///
    /// ```
    /// use simplejwt::web::endpoint::OAuthClient;
    ///
    /// let client = OAuthClient::new("console", "0a9f27d4c1b84e6e9d51f3a6c27b8e40")?;
    /// assert!(client.with_refresh_tokens().sees_refresh_tokens());
    /// # Ok::<_, simplejwt::settings::SettingsError>(())
    /// ```
    #[must_use]
    pub fn with_refresh_tokens(mut self) -> Self {
        self.refresh_tokens = true;
        self
    }

    /// Returns `true` if introspection tells this client of active refresh tokens.
    pub fn sees_refresh_tokens(&self) -> bool {
        self.refresh_tokens
    }

    /// Sets the time after which this client has to introspect a token again: the `exp` of an answer
    /// is at most this far in the future. For clients that keep an answer until `exp` (RFC 7662
    /// section 4).
    #[must_use]
    pub fn with_introspection_max_age(mut self, max_age: Duration) -> Self {
        self.introspection_max_age = Some(max_age);
        self
    }

    /// Returns the time after which this client has to introspect a token again, if it is limited.
    pub fn introspection_max_age(&self) -> Option<Duration> {
        self.introspection_max_age
    }
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The clients. Without any, their endpoints don't exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OAuthClients(Arc<[OAuthClient]>);

impl OAuthClients {
    /// Creates the set of these clients.
    ///
    /// # Errors
    /// Two clients have the same id.
    pub fn new(clients: impl IntoIterator<Item = OAuthClient>) -> Result<Self, SettingsError> {
        let clients: Arc<[OAuthClient]> = clients.into_iter().collect();
        for (at, client) in clients.iter().enumerate() {
            if clients.iter().take(at).any(|other| other.id == client.id) {
                return Err(SettingsError::one(format!(
                    "the client {:?} is given twice: give each one its own id",
                    client.id
                )));
            }
        }
        Ok(Self(clients))
    }

    /// `true` if there are no clients.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the clients, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &OAuthClient> {
        self.0.iter()
    }

    /// Returns the client with this id and secret. A wrong id takes as long as a wrong secret.
    pub(super) fn find(&self, id: &str, secret: &str) -> Option<&OAuthClient> {
        let (id, secret): (Hash, Hash) = (Sha256::digest(id).into(), Sha256::digest(secret).into());
        let mut found = None;
        for client in self.0.iter() {
            let own: Hash = Sha256::digest(&client.id).into();
            let same: Choice = own.ct_eq(&id) & client.secret.ct_eq(&secret);
            if bool::from(same) {
                found = Some(client);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a-secret-of-more-than-32-characters";

    #[test]
    fn ids_and_secrets() {
        for id in ["", "a:b", "a\n", "Zoë"] {
            assert!(OAuthClient::new(id, SECRET).is_err(), "{id:?}");
        }
        for secret in ["", "brief", "thirty-one-characters-are-short"] {
            let problem = OAuthClient::new("a", secret).unwrap_err().to_string();
            assert!(secret.is_empty() || !problem.contains(secret), "{problem}");
        }
        assert_eq!(OAuthClient::new("a b", SECRET).unwrap().id(), "a b");
    }

    #[test]
    fn only_both_together_are_a_client() {
        let clients = OAuthClients::new([
            OAuthClient::new("one", SECRET).unwrap(),
            OAuthClient::with_hash("two", Sha256::digest("another").into()).unwrap(),
        ])
        .unwrap();
        for (id, secret, expected) in [
            ("one", SECRET, Some("one")),
            ("two", "another", Some("two")),
            ("two", SECRET, None),
            ("one", "another", None),
            ("One", SECRET, None),
            ("", "", None),
        ] {
            assert_eq!(clients.find(id, secret).map(OAuthClient::id), expected, "{id} {secret}");
        }
        assert!(OAuthClients::default().find("one", SECRET).is_none());
        let one = OAuthClient::new("one", SECRET).unwrap();
        assert!(OAuthClients::new([one.clone(), one]).is_err());
    }

    #[test]
    fn debug_shows_neither_secret_nor_hash() {
        let client = OAuthClient::new("one", SECRET).unwrap();
        let shown = format!("{:?}", OAuthClients::new([client]).unwrap());
        assert_eq!(shown, r#"OAuthClients([OAuthClient { id: "one", .. }])"#);
    }
}
