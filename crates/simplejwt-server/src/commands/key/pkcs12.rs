//! Private keys in PKCS#12 (RFC 7292): `.p12` and `.pfx` files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::Pkcs12Archive;
use zeroize::Zeroizing;

/// The beginning of every file: a sequence, the version 3, another sequence.
const VERSION: [u8; 4] = [0x02, 0x01, 0x03, 0x30];
/// The farthest that the version can be from the beginning: after a tag and the longest length.
const FARTHEST: usize = 6;

/// Returns `true` if a file is PKCS#12.
pub(super) fn is_pkcs12(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(FARTHEST + VERSION.len())).unwrap_or_default();
    bytes.first() == Some(&0x30) && head.windows(VERSION.len()).any(|window| window == VERSION)
}

/// Returns the private key in a PKCS#12 file, as PEM.
///
/// # Errors
/// The end of a sentence that begins with the file's name.
pub(super) fn private_key(bytes: &[u8], passphrase: &str) -> Result<Zeroizing<String>, String> {
    use p12_keystore::error::Error;

    let archive = Pkcs12Archive::from_pkcs12(bytes, passphrase).map_err(|error| match error {
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => {
            "the passphrase doesn't decrypt this PKCS#12 file".to_owned()
        }
        error => format!(
            "the PKCS#12 file can't be read ({error}): convert it with `openssl pkcs12 -nodes`"
        ),
    })?;
    let [key] = archive.keys.as_slice() else {
        return Err(match archive.keys.len() {
            0 => "the PKCS#12 file has no private key, only certificates".to_owned(),
            count => format!(
                "the PKCS#12 file has {count} private keys: export the one that signs by itself"
            ),
        });
    };
    let text = Zeroizing::new(STANDARD.encode(key.key.as_der()));
    let mut pem = Zeroizing::new(String::from("-----BEGIN PRIVATE KEY-----\n"));
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Ok(pem)
}
