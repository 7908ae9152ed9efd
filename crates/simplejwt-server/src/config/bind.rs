//! The address to listen on.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use simplejwt::settings::value::shown;

/// The prefix of a Unix socket's path.
pub(crate) const UNIX: &str = "unix:";
/// The maximum length of a Unix socket's path, in bytes, without the terminating zero.
const LONGEST_PATH: usize = 107;

/// Parses a host and port, or [`UNIX`] and a path. The error is the end of a sentence.
pub(crate) fn bind(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.trim(),
        Value::Number(number) => return Err(needs_a_host(&number.to_string(), value)),
        other => return Err(format!("is {}: {}", shown(other), how("8000"))),
    };
    if let Some(path) = text.strip_prefix(UNIX) {
        let path = path.strip_prefix("//").unwrap_or(path);
        return unix(path).ok_or_else(|| {
            format!(
                "is {}: write \"unix:/run/simplejwt.sock\", an absolute path of {LONGEST_PATH} \
                 bytes at most",
                shown(value)
            )
        });
    }
    if text.contains("://") {
        return Err(format!("is {}, a URL: {}", shown(value), how("8000")));
    }
    if text.starts_with('/') {
        return Err(format!(
            "is {}: for a Unix socket write \"unix:{text}\"; otherwise {}",
            shown(value),
            how("8000")
        ));
    }
    let Some((host, port)) = text.rsplit_once(':') else { return Err(needs_a_host(text, value)) };
    if port.parse::<u16>().is_err() {
        return Err(format!(
            "is {}, without a port from 0 to 65535: {}",
            shown(value),
            how("8000")
        ));
    }
    match host {
        "" => Err(needs_a_host(port, value)),
        "*" => Err(format!("is {}, and * is not an address: {}", shown(value), how(port))),
        // As to Django's runserver.
        "0" => Ok(format!("0.0.0.0:{port}")),
        host if is_address(host) || is_name(host) => Ok(format!("{host}:{port}")),
        host if host.parse::<Ipv6Addr>().is_ok() => Ok(format!("[{host}]:{port}")),
        _ => Err(format!("is {}, which names no host: {}", shown(value), how(port))),
    }
}

fn unix(path: &str) -> Option<String> {
    // A directory isn't a socket.
    let named = path.len() <= LONGEST_PATH && !path.ends_with('/');
    (path.starts_with('/') && named && !path.contains('\0')).then(|| format!("{UNIX}{path}"))
}

/// Refuses a port alone, which means this machine to some programs and everybody to others.
fn needs_a_host(port: &str, value: &Value) -> String {
    let port = if port.parse::<u16>().is_ok() { port } else { "8000" };
    format!("is {}, without an address: {}", shown(value), how(port))
}

fn how(port: &str) -> String {
    format!(
        "write \"127.0.0.1:{port}\" for this machine alone, or \"0.0.0.0:{port}\" for everybody"
    )
}

fn is_address(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bracketed {
        // With a zone: fe80::1%eth0
        Some(host) => host.split('%').next().is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()),
        None => host.parse::<Ipv4Addr>().is_ok(),
    }
}

fn is_name(host: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_number = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    !is_number
        && host.len() <= 253
        && host.trim_end_matches('.').split('.').all(|label| {
            (1..=63).contains(&label.len()) && label.bytes().all(of_name) && !label.starts_with('-')
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            (" 0.0.0.0:0 ", "0.0.0.0:0"),
            ("0:8000", "0.0.0.0:8000"),
            ("localhost:65535", "localhost:65535"),
            ("my-host.example.com.:80", "my-host.example.com.:80"),
            ("[::]:8000", "[::]:8000"),
            ("[fe80::1%eth0]:8000", "[fe80::1%eth0]:8000"),
            ("::1:8000", "[::1]:8000"),
            ("unix:/run/simplejwt.sock", "unix:/run/simplejwt.sock"),
            ("unix:///run/simplejwt.sock", "unix:/run/simplejwt.sock"),
        ] {
            assert_eq!(bind(&json!(text)).as_deref(), Ok(expected), "{text}");
        }
        for (value, told) in [
            (json!("8000"), "\"127.0.0.1:8000\" for this machine alone, or \"0.0.0.0:8000\""),
            (json!(8080), "127.0.0.1:8080"),
            (json!(":9000"), "127.0.0.1:9000"),
            (json!("localhost"), "without an address: write \"127.0.0.1:8000\""),
            (json!("127.0.0.1"), "127.0.0.1:8000"),
            (json!("127.0.0.1:"), "65535"),
            (json!("127.0.0.1:65536"), "65535"),
            (json!("127.0.0.1:-1"), "65535"),
            (json!("127.0.0.1:80 80"), "65535"),
            (json!("256.0.0.1:8000"), "names no host"),
            (json!("1.2.3:8000"), "names no host"),
            (json!("*:8000"), "0.0.0.0:8000"),
            (json!("http://127.0.0.1:8000"), "a URL"),
            (json!("/run/simplejwt.sock"), "write \"unix:/run/simplejwt.sock\""),
            (json!("unix:simplejwt.sock"), "an absolute path"),
            (json!("unix:/run/"), "an absolute path"),
            (json!("unix:@simplejwt"), "an absolute path"),
            (json!("unix:"), "an absolute path"),
            (json!(format!("unix:/{}", "x".repeat(107))), "107 bytes at most"),
            (json!("[::1:8000"), "names no host"),
            (json!("a b:8000"), "names no host"),
            (json!("-a:8000"), "names no host"),
            (json!(""), "without an address"),
            (json!(null), "null"),
            (json!([]), "a list"),
            (json!(true), "true"),
        ] {
            let problem = bind(&value).expect_err(&value.to_string());
            assert!(problem.contains(told) && problem.contains("write "), "{value}: {problem}");
        }
    }
}
