//! `[keys]`: keys that follow each other.

use std::path::PathBuf;
use std::time::Duration;

use simplejwt::keys::ring::Schedule;
use simplejwt::keys::seal::KeyEncryptionKey;
use simplejwt::settings::KeyId;
use simplejwt::settings::value::{optional_text, parsed};
use simplejwt::{Algorithm, Settings};

use super::form::Form;
use super::item::Shown::{Default as Def, Example};
use super::item::{FileHolds, Idle, Section, other, positive, positive_time, secret, word};
use super::signing::ALGORITHMS;

/// Where the keys are, and how they follow each other.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) store: KeyStorage,
    pub(crate) file: Option<PathBuf>,
    pub(crate) encryption_key: Option<KeyEncryptionKey>,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) rotate_every: Option<Duration>,
    pub(crate) publication_delay: Duration,
}

/// Where the keys are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum KeyStorage {
    /// In the settings: one signs, and doesn't change by itself.
    #[default]
    Settings,
    /// In a file of their own.
    File,
    /// In the database.
    Database,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            store: KeyStorage::Settings,
            file: None,
            encryption_key: None,
            algorithm: None,
            rotate_every: None,
            publication_delay: Duration::from_secs(60 * 60),
        }
    }
}

/// The key that encrypts is compared by whether it is there.
impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        let all = |keys: &Self| {
            let encrypts = keys.encryption_key.is_some();
            let times = (keys.rotate_every, keys.publication_delay);
            (keys.store, keys.file.clone(), encrypts, keys.algorithm, times)
        };
        all(self) == all(other)
    }
}

impl Keys {
    /// Returns `true` if the keys follow each other.
    pub(crate) fn has_ring(&self) -> bool {
        self.store != KeyStorage::Settings
    }

    /// Returns the times by which they do. A key verifies for as long as a token that it signed may
    /// be valid.
    pub(crate) fn schedule(&self, settings: &Settings) -> Schedule {
        let lifetimes = [
            settings.access_token_lifetime,
            settings.refresh_token_lifetime,
            settings.sliding_token_lifetime,
        ];
        Schedule {
            publication_delay: self.publication_delay,
            rotate_every: self.rotate_every,
            keep: lifetimes.into_iter().max().unwrap_or_default() + settings.leeway,
        }
    }
}

pub(super) static SECTION: Section<Keys> = Section {
    table: "keys",
    about: "Signing keys that follow each other, so that a new one logs nobody out.",
    items: &[
        word(
            "store",
            "SIMPLEJWT_KEYS_STORE",
            Def("\"settings\""),
            "Where the signing keys are: \"settings\" for the one in [simple_jwt], \"file\" for a \
             file of this server alone, \"database\" for all servers that share the database. The \
             key in [simple_jwt] signs until the first of the others does, and its tokens stay \
             valid as long as it is there. `simplejwt key rotate` makes the next one.",
            &[
                ("settings", |s| s.store = KeyStorage::Settings),
                ("file", |s| s.store = KeyStorage::File),
                ("database", |s| s.store = KeyStorage::Database),
            ],
        ),
        other(
            "file",
            "SIMPLEJWT_KEYS_FILE",
            Example("\"keys.json\""),
            "The file that holds the keys, for store = \"file\"; a path relative to this file's \
             directory. `simplejwt key rotate` creates it. Anybody who has it can issue tokens for \
             any user.",
            Form::Path,
            |s, v| optional_text(v).map(|path| s.file = path.map(PathBuf::from)),
        ),
        secret(
            FileHolds::Text,
            other(
                "encryption_key",
                "SIMPLEJWT_KEYS_ENCRYPTION_KEY",
                Example("\"…\""),
                "32 random bytes in base64 or hex, as `openssl rand -base64 32` makes them: they \
                 encrypt the keys where they are stored (AES-256-GCM). store = \"database\" needs \
                 it, so that whoever reads the database can't sign.",
                Form::Verbatim,
                |s, v| {
                    let text = v.as_str().ok_or("is not a string")?;
                    let key = KeyEncryptionKey::parse(text.as_bytes());
                    s.encryption_key = Some(key.map_err(|error| format!("is wrong: {error}"))?);
                    Ok(())
                },
            ),
        ),
        other(
            "algorithm",
            "SIMPLEJWT_KEYS_ALGORITHM",
            Example("\"ES256\""),
            "The algorithm of new keys. Default: that of [simple_jwt]. It may be another one: each \
             key verifies its own tokens.",
            Form::Constants(&ALGORITHMS),
            |s, v| {
                let what = "an algorithm: write one such as HS256, RS256 or ES256";
                s.algorithm = Some(parsed(v, what)?);
                Ok(())
            },
        ),
        other(
            "rotate_every",
            "SIMPLEJWT_KEYS_ROTATE_EVERY",
            Example("\"30d\""),
            "The time for which a key signs before the next one does. Default: until `simplejwt \
             key rotate`.",
            Form::POSITIVE,
            |s, v| {
                s.rotate_every = Some(positive(v)?);
                Ok(())
            },
        ),
        positive_time(
            "publication_delay",
            "SIMPLEJWT_KEYS_PUBLICATION_DELAY",
            Def("\"1h\""),
            "The time for which a new key is published before it signs: whoever verifies tokens by \
             /.well-known/jwks.json has to fetch it at least so often. Servers read the stored keys \
             four times in it, at least every ten seconds.",
            |s| &mut s.publication_delay,
        ),
    ],
    idle: &[
        Idle {
            names: &["file", "encryption_key", "algorithm", "rotate_every", "publication_delay"],
            when: |s| s.store == KeyStorage::Settings,
            why: "the key is in the settings: write store = \"file\" or \"database\"",
        },
        Idle {
            names: &["file"],
            when: |s| s.store == KeyStorage::Database,
            why: "the keys are in the database",
        },
    ],
};

/// Returns the contradictions between these settings and others.
pub(super) fn problems(keys: &Keys, settings: &Settings) -> Vec<String> {
    if !keys.has_ring() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let mut problem = |when: bool, text: &str| {
        if when {
            problems.push(format!("[keys]: {text}"));
        }
    };
    problem(
        keys.store == KeyStorage::File && keys.file.is_none(),
        "store is \"file\", but no file is named: write file = \"keys.json\"",
    );
    problem(
        keys.store == KeyStorage::Database && keys.encryption_key.is_none(),
        "store is \"database\", but there is no encryption_key: name a file that holds one in \
         encryption_key_file (`openssl rand -base64 32` makes one)",
    );
    problem(
        settings.kid == KeyId::None,
        "keys that follow each other have key ids: write kid = true in [simple_jwt]",
    );
    problem(
        matches!(settings.kid, KeyId::Named(_)),
        "kid in [simple_jwt] is the id of a single key: write kid = true",
    );
    problem(
        !settings.jwk_url.is_empty(),
        "JWK_URL is set, so these keys would never be tried: leave one of them out",
    );
    problem(
        keys.publication_delay < Duration::from_secs(1),
        "publication_delay is less than a second: write a duration such as \"1h\"",
    );
    problem(
        keys.rotate_every.is_some_and(|every| every < keys.publication_delay),
        "rotate_every is shorter than publication_delay, so that a key would be replaced before \
         it signs",
    );
    problems
}
