//! Settings of connections: sockets, TLS, time, memory, proxies. The older ones are in `item.rs`.

use std::path::PathBuf;

use serde_json::Value;

use super::duration;
use super::item::Shown::{Default as Def, Example};
use super::item::{Item, item, positive};
use super::value::{choice, count, optional_text, shown};
use super::{Config, ProxyHeader};

pub(super) static ITEMS: &[Item] = &[
    item(
        "server",
        "socket_mode",
        "SIMPLEJWT_SOCKET_MODE",
        Def("\"660\""),
        "Who may connect to a Unix socket that bind names: the file's mode, in octal digits.",
        |c, v| mode(v).map(|mode| c.server.socket_mode = mode),
    ),
    item(
        "server",
        "write_timeout",
        "SIMPLEJWT_WRITE_TIMEOUT",
        Def("\"30s\""),
        "How long a client may take nothing of an answer; its connection is closed then.",
        |c, v| positive(v).map(|time| c.server.write_timeout = time),
    ),
    item(
        "server",
        "drain_delay",
        "SIMPLEJWT_DRAIN_DELAY",
        Def("\"5s\""),
        "How long requests are still taken after SIGTERM or SIGINT, while /readyz is 503 and each \
         answer closes its connection, so that proxies turn elsewhere. 0: not at all.",
        |c, v| duration(v).map(|time| c.server.drain_delay = time),
    ),
    item(
        "server",
        "max_body_memory",
        "SIMPLEJWT_MAX_BODY_MEMORY",
        Def("67108864"),
        "The memory that request bodies may take, all of them together, in bytes. Where there is no \
         more, the one that has been coming for longest is answered with 503.",
        |c, v| count(v).map(|bytes| c.server.max_body_memory = bytes),
    ),
    item(
        "server",
        "proxy_header",
        "SIMPLEJWT_PROXY_HEADER",
        Def("\"X-Forwarded-For\""),
        "Where the proxies that num_proxies counts write their clients: \"X-Forwarded-For\", or \
         \"Forwarded\" (RFC 7239). The other one is ignored.",
        |c, v| {
            let choices = [
                ("x-forwarded-for", ProxyHeader::XForwardedFor),
                ("forwarded", ProxyHeader::Forwarded),
            ];
            c.server.proxy_header = choice(v, &choices)?;
            Ok(())
        },
    ),
    item(
        "tls",
        "certificate",
        "SIMPLEJWT_TLS_CERTIFICATE",
        Example("\"fullchain.pem\""),
        "The certificate and those of its issuers, in PEM, relative to this file's directory. With \
         it TLS alone is spoken. It is read again when it changes, and at SIGHUP.",
        |c, v| optional_text(v).map(|path| c.tls.certificate = path.map(PathBuf::from)),
    ),
    item(
        "tls",
        "key",
        "SIMPLEJWT_TLS_KEY",
        Example("\"privkey.pem\""),
        "The certificate's private key, in PEM, relative to this file's directory.",
        |c, v| optional_text(v).map(|path| c.tls.key = path.map(PathBuf::from)),
    ),
];

/// Paths that are relative to the file in which they stand.
pub(super) fn names_a_file(item: &Item) -> bool {
    item.table == "tls"
}

/// `"660"`, `"0660"`, `"0o660"`. A number may have been written in octal or not: nobody can tell.
fn mode(value: &Value) -> Result<u32, String> {
    let text = value.as_str().unwrap_or_default().trim();
    let digits = text.strip_prefix("0o").unwrap_or(text);
    match u32::from_str_radix(digits, 8) {
        // Whoever may connect has to be able to write.
        Ok(mode) if mode <= 0o777 && mode & 0o222 != 0 => Ok(mode),
        _ => Err(format!("is {}, not a file's mode in quotes: write \"660\"", shown(value))),
    }
}

/// What contradicts itself.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    match (&config.tls.certificate, &config.tls.key) {
        (Some(_), None) => problems.push(
            "[tls] has a certificate and no key: write key, or SIMPLEJWT_TLS_KEY, too".to_owned(),
        ),
        (None, Some(_)) => problems.push(
            "[tls] has a key and no certificate: write certificate, or SIMPLEJWT_TLS_CERTIFICATE, \
             too"
            .to_owned(),
        ),
        _ => {}
    }
    let (limit, memory) = (config.server.body_limit, config.server.max_body_memory);
    if memory < limit {
        problems.push(format!(
            "max_body_memory is {memory} bytes, less than body_limit ({limit}): one request would \
             be too much; write 67108864"
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{Environment, load};

    #[test]
    fn modes() {
        for (value, expected) in [
            (json!("660"), Some(0o660)),
            (json!("0660"), Some(0o660)),
            (json!("0o600"), Some(0o600)),
            (json!(666), None),
            (json!(0o660), None),
            (json!("rw-rw----"), None),
            (json!("444"), None),
            (json!("1660"), None),
            (json!("-1"), None),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(mode(&value).ok(), expected, "{value}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let key = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");
        for (name, value, told) in [
            ("SIMPLEJWT_TLS_KEY", "key.pem", "no certificate"),
            ("SIMPLEJWT_TLS_CERTIFICATE", "chain.pem", "no key"),
            ("SIMPLEJWT_MAX_BODY_MEMORY", "1000", "less than body_limit"),
            ("SIMPLEJWT_MAX_BODY_MEMORY", "-1", "SIMPLEJWT_MAX_BODY_MEMORY"),
            ("SIMPLEJWT_PROXY_HEADER", "both", "write \"x-forwarded-for\" or \"forwarded\""),
            ("SIMPLEJWT_WRITE_TIMEOUT", "0", "SIMPLEJWT_WRITE_TIMEOUT"),
        ] {
            let problem = load(None, &Environment::of([key, (name, value)])).unwrap_err();
            assert!(problem.to_string().contains(told), "{name}: {problem}");
        }
    }

    #[test]
    fn certificates_are_beside_the_file_that_names_them() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("simplejwt.toml");
        let text = "[tls]\ncertificate = \"chain.pem\"\nkey = \"/srv/key.pem\"\n";
        std::fs::write(&path, text).unwrap();
        let tls = load(Some(&path), &Environment::of([])).unwrap().config.tls;
        assert_eq!(tls.certificate, Some(place.path().join("chain.pem")));
        assert_eq!(tls.key, Some("/srv/key.pem".into()));
        let names = [("SIMPLEJWT_TLS_CERTIFICATE", "a.pem"), ("SIMPLEJWT_TLS_KEY", "b.pem")];
        let tls = load(None, &Environment::of(names)).unwrap().config.tls;
        assert_eq!((tls.certificate, tls.key), (Some("a.pem".into()), Some("b.pem".into())));
    }
}
