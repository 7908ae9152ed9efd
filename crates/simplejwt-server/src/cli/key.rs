//! `simplejwt key`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Generate a signing key: random text for HS*, a private key in PEM for the others.
    #[command(after_help = "Examples:
  simplejwt key generate --out signing.key
  simplejwt key generate --algorithm ES256 --out signing.pem")]
    Generate {
        /// The algorithm of the key.
        #[arg(long, value_name = "ALGORITHM", default_value = "HS256")]
        algorithm: simplejwt::Algorithm,
        /// The file to create, readable only for you. An existing file is not changed.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List the keys with their states: next, active, retiring, gone.
    #[command(after_help = "Example:\n  simplejwt key list --config simplejwt.toml")]
    List,
    /// Make the next signing key, and print when it signs and when those before it are gone.
    #[command(after_help = "Examples:
  simplejwt key rotate --dry-run
  simplejwt key rotate --algorithm ES256

It needs [keys] with store = \"file\" or \"database\". Running servers follow by themselves.")]
    Rotate {
        /// The algorithm of the key. Default: that of [keys].
        #[arg(long, value_name = "ALGORITHM")]
        algorithm: Option<simplejwt::Algorithm>,
        /// Sign with it as soon as every server knows it, before whoever caches the published keys
        /// does.
        #[arg(long)]
        at_once: bool,
        /// Only print what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Refuse the tokens of a key from now on, as after a theft. A key that signs has to be replaced
    /// first.
    #[command(after_help = "Example:
  simplejwt key rotate --at-once
  simplejwt key retire --kid NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")]
    Retire {
        /// Its key id, as `key list` prints it.
        #[arg(long, value_name = "KID", allow_hyphen_values = true)]
        kid: String,
    },
    /// Take an existing key as the next signing key.
    #[command(after_help = "Example:
  simplejwt key import --file former.pem --algorithm RS256")]
    Import {
        /// The file that holds it: PEM (also encrypted), PKCS#12, a private JWK, or the secret of
        /// an HS* algorithm.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Its algorithm. Default: that of [keys].
        #[arg(long, value_name = "ALGORITHM")]
        algorithm: Option<simplejwt::Algorithm>,
        /// The file that holds its passphrase, if it is encrypted.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// Sign with it as soon as every server knows it.
        #[arg(long)]
        at_once: bool,
    },
    /// Print the public keys of the configuration.
    #[command(after_help = "Example:
  simplejwt key public --config simplejwt.toml > jwks.json
  SIMPLEJWT_ALGORITHM=ES256 SIMPLEJWT_SIGNING_KEY_FILE=signing.pem \\
      simplejwt key public --format pem > verifying.pem")]
    Public {
        /// The output format.
        #[arg(long, value_enum, default_value_t = PublicFormat::Jwks)]
        format: PublicFormat,
        /// Only the key with this key id.
        #[arg(long, value_name = "KID", allow_hyphen_values = true)]
        kid: Option<String>,
    },
    /// Print the secret of an HS* algorithm, or a private key, in the form that another program
    /// reads.
    #[command(after_help = "Examples:
  simplejwt key secret --format jwk > ejabberd.jwk
  simplejwt key secret --format raw --no-newline > slurm.key")]
    Secret {
        /// The output format.
        #[arg(long, value_enum)]
        format: SecretFormat,
        /// Only the key with this key id. Default: the one that signs.
        #[arg(long, value_name = "KID", allow_hyphen_values = true)]
        kid: Option<String>,
        /// Leave out the line break at the end.
        #[arg(long)]
        no_newline: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SecretFormat {
    /// As it is: the text of a secret, or PEM.
    Raw,
    /// Base64 of the secret's bytes.
    Base64,
    /// The same in the URL-safe alphabet, without padding.
    Base64url,
    /// The bytes in hex.
    Hex,
    /// A JWK (RFC 7517).
    Jwk,
    /// A set of that JWK.
    Jwks,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PublicFormat {
    /// A JWK set (RFC 7517).
    Jwks,
    /// A single JWK.
    Jwk,
    /// PEM (SPKI).
    Pem,
}
