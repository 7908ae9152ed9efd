//! `[server]`: the HTTP server.

use std::time::Duration;

use serde_json::Value;
use simplejwt::settings::value::{count, shown, text};
use simplejwt::web::endpoint::Authentication;

use super::bind::bind;
use super::form::{Form, Unit};
use super::item::Shown::Default as Def;
use super::item::{Range, Section, number, other, positive_time, switch, time, word};

/// The settings of the HTTP server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Server {
    pub(crate) bind: String,
    pub(crate) prefix: String,
    pub(crate) append_slash: bool,
    pub(crate) demo: bool,
    /// Says whether the public keys and the issuer's metadata are published.
    pub(crate) well_known: bool,
    /// The authentication of the protected routes.
    pub(crate) authentication: Authentication,
    pub(crate) body_limit: usize,
    pub(crate) header_limit: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) max_connections: usize,
    /// The number of trusted proxies in front that add to X-Forwarded-For.
    pub(crate) num_proxies: usize,
    pub(crate) proxy_header: ProxyHeader,
    /// The file mode of a Unix socket.
    pub(crate) socket_mode: u32,
    /// The time that a client may go without reading anything.
    pub(crate) write_timeout: Duration,
    /// The time for which requests are still accepted after the signal to stop.
    pub(crate) drain_delay: Duration,
    /// The memory for all bodies together, in bytes.
    pub(crate) max_body_memory: usize,
}

/// The header in which proxies write their client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyHeader {
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:8000".into(),
            prefix: "/api/token/".into(),
            append_slash: true,
            demo: false,
            well_known: true,
            authentication: Authentication::User,
            body_limit: 64 * 1024,
            header_limit: 32 * 1024,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(30),
            max_connections: 16_384,
            num_proxies: 0,
            proxy_header: ProxyHeader::XForwardedFor,
            socket_mode: 0o660,
            write_timeout: Duration::from_secs(30),
            drain_delay: Duration::from_secs(5),
            max_body_memory: 64 * 1024 * 1024,
        }
    }
}

/// The pattern of an address with its port, or of a Unix socket.
const BIND: &str = "^\\s*(unix:.*/.*|.*:\\+?[0-9]+)\\s*$";

pub(super) static SECTION: Section<Server> = Section {
    table: "server",
    about: "The HTTP server.",
    items: &[
        other(
            "bind",
            "SIMPLEJWT_BIND",
            Def("\"127.0.0.1:8000\""),
            "The address and port to listen on, or \"unix:/run/simplejwt.sock\" for a Unix \
             socket. Port 0 takes a free port, which the log shows. Sockets passed on by systemd \
             take precedence.",
            Form::Matching(BIND),
            |s, v| {
                s.bind = bind(v)?;
                Ok(())
            },
        ),
        other(
            "prefix",
            "SIMPLEJWT_PREFIX",
            Def("\"/api/token/\""),
            "The path prefix of the token endpoints.",
            Form::Matching("^[A-Za-z0-9._~/-]+$"),
            |s, v| {
                let given = text(v)?;
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
                if !given.bytes().all(plain) || given.contains("//") {
                    return Err(
                        "is not a path of letters, digits and -._~/: write \"/api/token/\"".into(),
                    );
                }
                let trimmed = given.trim_matches('/');
                s.prefix = if trimmed.is_empty() { "/".into() } else { format!("/{trimmed}/") };
                Ok(())
            },
        ),
        switch(
            "append_slash",
            "SIMPLEJWT_APPEND_SLASH",
            Def("true"),
            "Django's APPEND_SLASH: redirects a path without its last slash to the path with it.",
            |s| &mut s.append_slash,
        ),
        switch(
            "demo",
            "SIMPLEJWT_DEMO",
            Def("false"),
            "Serves /api/protected/ and /api/protected-stateless/, for trying out tokens.",
            |s| &mut s.demo,
        ),
        switch(
            "well_known",
            "SIMPLEJWT_WELL_KNOWN",
            Def("true"),
            "Serves the public keys at /.well-known/jwks.json and, if ISSUER is an https URL, the \
             issuer's metadata at /.well-known/oauth-authorization-server.",
            |s| &mut s.well_known,
        ),
        word(
            "authentication",
            "SIMPLEJWT_AUTHENTICATION",
            Def("\"user\""),
            "The authentication of /api/protected/: \"user\" loads the user's row \
             (JWTAuthentication), \"stateless\" uses only the token \
             (JWTStatelessUserAuthentication).",
            &[
                ("user", |s| s.authentication = Authentication::User),
                ("stateless", |s| s.authentication = Authentication::Stateless),
            ],
        ),
        number(
            "body_limit",
            "SIMPLEJWT_BODY_LIMIT",
            Def("65536"),
            "The maximum size of a request body, in bytes (at least 512). A larger one is \
             answered with 413.",
            Range::from(512).of(Unit::Bytes),
            |s, v| count(v).map(|n| s.body_limit = n),
        ),
        number(
            "header_limit",
            "SIMPLEJWT_HEADER_LIMIT",
            Def("32768"),
            "The maximum size of a request head, in bytes (at least 8192). A larger one is \
             answered with 431.",
            Range::from(8192).of(Unit::Bytes),
            |s, v| count(v).map(|n| s.header_limit = n),
        ),
        positive_time(
            "header_timeout",
            "SIMPLEJWT_HEADER_TIMEOUT",
            Def("\"30s\""),
            "The time that a client has to send a request's head. An idle connection is also \
             closed after it.",
            |s| &mut s.header_timeout,
        ),
        positive_time(
            "body_timeout",
            "SIMPLEJWT_BODY_TIMEOUT",
            Def("\"30s\""),
            "The time that a client has to send a request's body. A slower one is answered with \
             408.",
            |s| &mut s.body_timeout,
        ),
        time(
            "shutdown_timeout",
            "SIMPLEJWT_SHUTDOWN_TIMEOUT",
            Def("\"30s\""),
            "The time that requests in flight have to finish after SIGTERM (and drain_delay) or \
             SIGINT.",
            |s| &mut s.shutdown_timeout,
        ),
        number(
            "max_connections",
            "SIMPLEJWT_MAX_CONNECTIONS",
            Def("16384"),
            "The maximum number of open connections. Further ones wait to be accepted.",
            Range::between(1, 1_000_000),
            |s, v| count(v).map(|n| s.max_connections = n),
        ),
        number(
            "num_proxies",
            "SIMPLEJWT_NUM_PROXIES",
            Def("0"),
            "The number of proxies in front of this server that add their client's address to \
             proxy_header, as Django REST framework's NUM_PROXIES. 0: the client is the other end \
             of the connection.",
            Range::ANY,
            |s, v| count(v).map(|n| s.num_proxies = n),
        ),
        other(
            "socket_mode",
            "SIMPLEJWT_SOCKET_MODE",
            Def("\"660\""),
            "The file mode of the Unix socket in bind, in octal digits: it decides who can \
             connect.",
            Form::Matching("^\\s*(0o)?\\+?[0-7]+\\s*$"),
            |s, v| mode(v).map(|mode| s.socket_mode = mode),
        ),
        positive_time(
            "write_timeout",
            "SIMPLEJWT_WRITE_TIMEOUT",
            Def("\"30s\""),
            "The time that a client may read nothing of an answer before its connection is closed.",
            |s| &mut s.write_timeout,
        ),
        time(
            "drain_delay",
            "SIMPLEJWT_DRAIN_DELAY",
            Def("\"5s\""),
            "The time for which requests are still accepted after SIGTERM, while /readyz answers \
             503 and each answer closes its connection, so that proxies turn elsewhere. 0: none.",
            |s| &mut s.drain_delay,
        ),
        number(
            "max_body_memory",
            "SIMPLEJWT_MAX_BODY_MEMORY",
            Def("67108864"),
            "The maximum memory for all request bodies together, in bytes. When it is used up, \
             the request whose body has been arriving the longest is answered with 503.",
            Range::ANY.of(Unit::Bytes),
            |s, v| count(v).map(|n| s.max_body_memory = n),
        ),
        word(
            "proxy_header",
            "SIMPLEJWT_PROXY_HEADER",
            Def("\"X-Forwarded-For\""),
            "The header in which the proxies counted by num_proxies write their client's address: \
             \"X-Forwarded-For\", or \"Forwarded\" (RFC 7239). The other one is ignored.",
            &[
                ("X-Forwarded-For", |s| s.proxy_header = ProxyHeader::XForwardedFor),
                ("Forwarded", |s| s.proxy_header = ProxyHeader::Forwarded),
            ],
        ),
    ],
    idle: &[],
};

/// Parses `"660"`, `"0660"` or `"0o660"`. A number is refused, because it may be octal or decimal.
fn mode(value: &Value) -> Result<u32, String> {
    let text = value.as_str().unwrap_or_default().trim();
    let digits = text.strip_prefix("0o").unwrap_or(text);
    match u32::from_str_radix(digits, 8) {
        // A client needs write permission to connect.
        Ok(mode) if mode <= 0o777 && mode & 0o222 != 0 => Ok(mode),
        _ => Err(format!("is {}, not a file's mode in quotes: write \"660\"", shown(value))),
    }
}

/// Returns the contradiction between settings, if there is one.
pub(super) fn problems(server: &Server) -> Option<String> {
    let (limit, memory) = (server.body_limit, server.max_body_memory);
    (memory < limit).then(|| {
        format!(
            "max_body_memory is {memory} bytes, less than body_limit ({limit}): one request would \
             be too much; write 67108864"
        )
    })
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
            ("SIMPLEJWT_PROXY_HEADER", "both", "write \"X-Forwarded-For\" or \"Forwarded\""),
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
