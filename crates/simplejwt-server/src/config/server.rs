//! `[server]`: how requests are answered.

use std::time::Duration;

use serde_json::Value;
use simplejwt::settings::value::{count, shown, text};
use simplejwt::web::endpoint::Authentication;

use super::bind::bind;
use super::form::{Form, Unit};
use super::item::Shown::Default as Def;
use super::item::{Range, Section, number, other, positive_time, switch, time, word};

/// How requests are answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Server {
    pub(crate) bind: String,
    pub(crate) prefix: String,
    pub(crate) append_slash: bool,
    pub(crate) demo: bool,
    /// How a protected route finds out who calls.
    pub(crate) authentication: Authentication,
    pub(crate) body_limit: usize,
    pub(crate) header_limit: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) max_connections: usize,
    /// Proxies in front that add to X-Forwarded-For and can be trusted.
    pub(crate) num_proxies: usize,
    pub(crate) proxy_header: ProxyHeader,
    /// Of a Unix socket.
    pub(crate) socket_mode: u32,
    /// How long a client may take nothing.
    pub(crate) write_timeout: Duration,
    /// How long requests are still taken after the signal to stop.
    pub(crate) drain_delay: Duration,
    /// All bodies' together.
    pub(crate) max_body_memory: usize,
}

/// Where proxies write whom they ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyHeader {
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:8000".into(),
            prefix: "/api/token/".into(),
            append_slash: true,
            demo: false,
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

/// An address with its port, or a Unix socket.
const BIND: &str = "^\\s*(unix:.*/.*|.*:\\+?[0-9]+)\\s*$";

pub(super) static SECTION: Section<Server> = Section {
    table: "server",
    about: "How requests are answered.",
    items: &[
        other(
            "bind",
            "SIMPLEJWT_BIND",
            Def("\"127.0.0.1:8000\""),
            "Address and port to listen on, or \"unix:/run/simplejwt.sock\" for a Unix socket. \
             Port 0 takes a free one, which the log names. Sockets that systemd passes on count \
             for more.",
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
            "The path under which the token endpoints are.",
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
            "Django's APPEND_SLASH: a path without its last slash is redirected to the one with it.",
            |s| &mut s.append_slash,
        ),
        switch(
            "demo",
            "SIMPLEJWT_DEMO",
            Def("false"),
            "Whether /api/protected/ and /api/protected-stateless/ are there to try tokens on.",
            |s| &mut s.demo,
        ),
        word(
            "authentication",
            "SIMPLEJWT_AUTHENTICATION",
            Def("\"user\""),
            "How /api/protected/ finds its user: \"user\" loads the row (JWTAuthentication), \
             \"stateless\" goes by the token alone (JWTStatelessUserAuthentication).",
            &[
                ("user", |s| s.authentication = Authentication::User),
                ("stateless", |s| s.authentication = Authentication::Stateless),
            ],
        ),
        number(
            "body_limit",
            "SIMPLEJWT_BODY_LIMIT",
            Def("65536"),
            "The largest request body, in bytes, at least 512; a larger one is answered with 413.",
            Range::from(512).of(Unit::Bytes),
            |s, v| count(v).map(|n| s.body_limit = n),
        ),
        number(
            "header_limit",
            "SIMPLEJWT_HEADER_LIMIT",
            Def("32768"),
            "The largest request head, in bytes, at least 8192; a larger one is answered with 431.",
            Range::from(8192).of(Unit::Bytes),
            |s, v| count(v).map(|n| s.header_limit = n),
        ),
        positive_time(
            "header_timeout",
            "SIMPLEJWT_HEADER_TIMEOUT",
            Def("\"30s\""),
            "How long a client may take for a request's head; an idle connection is closed then.",
            |s| &mut s.header_timeout,
        ),
        positive_time(
            "body_timeout",
            "SIMPLEJWT_BODY_TIMEOUT",
            Def("\"30s\""),
            "How long a client may take for a request's body; a slower one is answered with 408.",
            |s| &mut s.body_timeout,
        ),
        time(
            "shutdown_timeout",
            "SIMPLEJWT_SHUTDOWN_TIMEOUT",
            Def("\"30s\""),
            "How long requests in flight may take to finish after SIGTERM or SIGINT and drain_delay.",
            |s| &mut s.shutdown_timeout,
        ),
        number(
            "max_connections",
            "SIMPLEJWT_MAX_CONNECTIONS",
            Def("16384"),
            "Connections open at one time; more of them wait to be accepted.",
            Range::between(1, 1_000_000),
            |s, v| count(v).map(|n| s.max_connections = n),
        ),
        number(
            "num_proxies",
            "SIMPLEJWT_NUM_PROXIES",
            Def("0"),
            "Proxies in front of this server that add their client to proxy_header, as Django REST \
             framework's NUM_PROXIES. 0: the address of the connection is the client's.",
            Range::ANY,
            |s, v| count(v).map(|n| s.num_proxies = n),
        ),
        other(
            "socket_mode",
            "SIMPLEJWT_SOCKET_MODE",
            Def("\"660\""),
            "Who may connect to a Unix socket that bind names: the file's mode, in octal digits.",
            Form::Matching("^\\s*(0o)?\\+?[0-7]+\\s*$"),
            |s, v| mode(v).map(|mode| s.socket_mode = mode),
        ),
        positive_time(
            "write_timeout",
            "SIMPLEJWT_WRITE_TIMEOUT",
            Def("\"30s\""),
            "How long a client may take nothing of an answer; its connection is closed then.",
            |s| &mut s.write_timeout,
        ),
        time(
            "drain_delay",
            "SIMPLEJWT_DRAIN_DELAY",
            Def("\"5s\""),
            "How long requests are still taken after SIGTERM or SIGINT, while /readyz is 503 and \
             each answer closes its connection, so that proxies turn elsewhere. 0: not at all.",
            |s| &mut s.drain_delay,
        ),
        number(
            "max_body_memory",
            "SIMPLEJWT_MAX_BODY_MEMORY",
            Def("67108864"),
            "The memory that request bodies may take, all of them together, in bytes. Where there \
             is no more, the one that has been coming for longest is answered with 503.",
            Range::ANY.of(Unit::Bytes),
            |s, v| count(v).map(|n| s.max_body_memory = n),
        ),
        word(
            "proxy_header",
            "SIMPLEJWT_PROXY_HEADER",
            Def("\"X-Forwarded-For\""),
            "Where the proxies that num_proxies counts write their clients: \"X-Forwarded-For\", \
             or \"Forwarded\" (RFC 7239). The other one is ignored.",
            &[
                ("X-Forwarded-For", |s| s.proxy_header = ProxyHeader::XForwardedFor),
                ("Forwarded", |s| s.proxy_header = ProxyHeader::Forwarded),
            ],
        ),
    ],
    idle: &[],
};

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
