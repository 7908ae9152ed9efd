//! Files named by parameters of a URL.

use std::fmt::Write as _;
use std::path::Path;

use super::{same, trimmed};

/// The parameters that name files.
const FILES: [&str; 8] =
    ["sslrootcert", "sslcert", "sslkey", "sslcrl", "ssl_ca", "sslca", "ssl_cert", "ssl_key"];

/// Resolves relative paths in the URL's parameters against `directory`.
pub(in crate::config) fn relative_to(directory: &Path, url: &str) -> String {
    let Some((before, query)) = trimmed(url).split_once('?') else { return url.to_owned() };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, file)) if FILES.iter().any(|known| same(name, known)) => {
            let path = percent_decoded(file);
            match path.as_deref() {
                // `system` is not a file.
                None | Some("" | "system") => pair.to_owned(),
                Some(path) => {
                    format!("{name}={}", percent_encoded(&directory.join(path).to_string_lossy()))
                }
            }
        }
        _ => pair.to_owned(),
    });
    format!("{before}?{}", pairs.collect::<Vec<_>>().join("&"))
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Decodes like the library: a `%` that doesn't begin an encoded byte stands for itself.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let digit = |at: usize| tail.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (digit(0), digit(1)) {
            (Some(high), Some(low)) if *first == b'%' => {
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_url_are_looked_for_in_a_directory() {
        let directory = Path::new("/etc/my app");
        for (url, expected) in [
            (
                "postgres://u@h/d?sslrootcert=ca.pem&a=b",
                "postgres://u@h/d?sslrootcert=/etc/my%20app/ca.pem&a=b",
            ),
            ("postgres://u@h/d?sslrootcert=/ca.pem", "postgres://u@h/d?sslrootcert=/ca.pem"),
            ("postgres://u@h/d?sslrootcert=system", "postgres://u@h/d?sslrootcert=system"),
            ("mysql://u@h/d?SSL-CA=a%2Bb+c", "mysql://u@h/d?SSL-CA=/etc/my%20app/a%2Bb%2Bc"),
            ("mysql://u@h/d?ssl-ca=", "mysql://u@h/d?ssl-ca="),
            ("mysql://u@h/d", "mysql://u@h/d"),
        ] {
            assert_eq!(relative_to(directory, url), expected);
        }
        assert_eq!(relative_to(Path::new(""), "mysql://u@h/d?ssl-ca=x"), "mysql://u@h/d?ssl-ca=x");
    }
}
