//! External keys: behind `JWK_URL`, through proxies, and in files of every form.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simplejwt::{Access, Algorithm, KeySet, Settings, SigningKey, SystemClock, Tokens};

use super::{SECRET, Site};
use crate::support::process::{PATIENCE, Response, Server, run, stderr, stdout};

pub(super) fn key(kid: &str) -> SigningKey {
    let pem = SigningKey::generate(Algorithm::Es256).unwrap();
    SigningKey::parse(Algorithm::Es256, pem.as_bytes(), false).unwrap().with_kid(kid)
}

pub(super) fn jwk(key: &SigningKey) -> Value {
    serde_json::to_value(key.verifying_key().to_jwk().unwrap()).unwrap()
}

pub(super) fn token(key: &SigningKey) -> String {
    let settings = Settings { algorithm: Algorithm::Es256, ..Settings::default() };
    let tokens = Tokens::with(settings, KeySet::new(key.clone()), Arc::new(SystemClock)).unwrap();
    tokens.encode(&tokens.issue::<Access>("1")).unwrap()
}

/// The first line of each request to a web server.
pub(super) type Asked = Arc<Mutex<Vec<String>>>;

/// Runs a web server and a proxy in one. It answers with the result of `answer` for the request's
/// first line: a whole answer, or nothing.
fn web_on(listener: TcpListener, answer: impl Fn(&str) -> String + Send + 'static) -> Asked {
    let asked = Asked::default();
    let told = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            loop {
                let (mut first, mut line) = (String::new(), String::new());
                // A client that disconnects has read enough.
                if reader.read_line(&mut first).unwrap_or(0) == 0 {
                    break;
                }
                while reader.read_line(&mut line).unwrap_or(0) > 2 {
                    line.clear();
                }
                told.lock().unwrap().push(first.trim().to_owned());
                if first.starts_with("CONNECT ") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                    continue;
                }
                let _ = stream.write_all(answer(&first).as_bytes());
                break;
            }
        }
    });
    asked
}

pub(super) fn web(answer: impl Fn(&str) -> String + Send + 'static) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap(), web_on(listener, answer))
}

pub(super) fn ok(body: impl std::fmt::Display) -> String {
    let body = body.to_string();
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Returns an address on which nobody listens.
pub(super) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(super) fn bearer(server: &Server, token: &str) -> Response {
    let bearer = format!("Bearer {token}");
    server.request("GET", "/api/protected-stateless/", &[("Authorization", &bearer)], "")
}

pub(super) fn with_keys_behind(url: &str) -> Vec<(&str, &str)> {
    vec![("SIMPLEJWT_ALGORITHM", "ES256"), ("SIMPLEJWT_JWK_URL", url), ("SIMPLEJWT_DEMO", "true")]
}

#[test]
fn one_bad_key_is_left_out_alone_and_named() {
    let good = key("good");
    let (mut odd, mut other) = (jwk(&key("odd")), jwk(&good));
    odd["y"] = odd["x"].clone();
    other["use"] = "enc".into();
    let set = json!({"keys": [odd, null, {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "old"},
                              other, jwk(&good)]});
    let (address, _) = web(move |_| ok(&set));
    let (site, url) = (Site::new(), format!("http://user:s3cret@{address}/jwks.json"));
    let environment = with_keys_behind(&url);
    let server = site.serve(&environment);
    for (kid, why) in [("odd", "not on the curve"), ("old", "needs an EC key"), ("good", "(use,")] {
        let lines: Vec<_> =
            server.before.lines().filter(|line| line.contains(&format!(" kid={kid} "))).collect();
        let [line] = lines[..] else { panic!("{}", server.before) };
        assert!(line.contains(why), "{line}");
    }
    assert!(!server.before.contains("s3cret"), "{}", server.before);
    assert_eq!(bearer(&server, &token(&good)).status, 200);
    assert_eq!(bearer(&server, &token(&key("odd"))).status, 401);
    assert_eq!(server.get("/readyz").status, 200);

    let checked = run(&["config", "check"], &site.environment(&environment));
    let said = stdout(&checked);
    assert!(checked.status.success(), "{}", stderr(&checked));
    for part in ["\"odd\" is not used", "number 2 is not used", "1 key to verify with", "are fine"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn without_keys_nothing_is_said_of_a_token_until_they_are_there() {
    let (good, site, nowhere) = (key("good"), Site::new(), nobody());
    let url = format!("http://{nowhere}/jwks.json");
    let environment = with_keys_behind(&url);
    let server = site.serve(&environment);
    let line = server.before.lines().find(|line| line.contains("could not be fetched")).unwrap();
    assert!(line.contains(&format!("asking {nowhere}")), "{line}");
    assert!(line.contains("refused"), "{line}");
    let ready = server.get("/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("JWK_URL"), "{ready:?}");
    assert_eq!(server.get("/healthz").status, 200);
    let verified = json!({"token": token(&good)}).to_string();
    for answer in [bearer(&server, &token(&good)), server.post("/api/token/verify/", &verified), {
        let bearer = format!("Bearer {}", token(&good));
        server.request("GET", "/api/token/authenticate", &[("Authorization", &bearer)], "")
    }] {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.head.contains("\r\nretry-after: "), "{answer:?}");
        assert!(answer.body.contains("\"unavailable\""), "{answer:?}");
    }
    assert_eq!(server.get("/api/protected-stateless/").status, 401, "no token at all");

    for (page, told) in [
        (None, "refused"),
        (Some("<html>"), "not a JWK set"),
        (Some("{\"keys\":[]}"), "it is empty"),
        (Some("{\"keys\":[{\"kty\":\"AKP\",\"kid\":\"pq\"}]}"), "\"pq\": the JWK is not usable"),
    ] {
        let url = match page {
            None => url.clone(),
            Some(page) => format!("http://{}/", web(move |_| ok(page)).0),
        };
        let checked = run(&["config", "check"], &site.environment(&with_keys_behind(&url)));
        let said = stderr(&checked);
        assert_eq!(checked.status.code(), Some(1), "{said}");
        assert!(said.starts_with("error: JWK_URL: ") && said.contains(told), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let inspected =
        super::run_with_input(&["token", "inspect"], &site.environment(&environment), "a.b.c\n");
    assert!(stderr(&inspected).contains("JWK_URL"), "not that the token is bad: {inspected:?}");

    // The source becomes available, and nothing has to be restarted. This takes the ten seconds in
    // which a fetch isn't repeated.
    let set = json!({"keys": [jwk(&good)]});
    web_on(TcpListener::bind(nowhere).unwrap(), move |_| ok(&set));
    #[allow(clippy::disallowed_methods, reason = "the process has the real clock")]
    let begun = Instant::now();
    while server.get("/readyz").status != 200 {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!(bearer(&server, &token(&good)).status, 200);
    assert_eq!(
        bearer(&server, &token(&key("new"))).status,
        401,
        "the set is known, and it isn't in it"
    );
}

#[test]
fn proxies_and_redirections_are_gone_by_as_elsewhere() {
    let good = key("good");
    let set = json!({"keys": [jwk(&good)]});
    let (proxy, through) = web(move |_| ok(&set));
    let set = json!({"keys": [jwk(&good)]});
    let (origin, direct) = web(move |first| match first.split(' ').nth(1) {
        Some("/moved") => {
            "HTTP/1.1 302 Found\r\nLocation: /jwks.json\r\nContent-Length: 0\r\n\r\n".into()
        }
        Some("/round") => {
            "HTTP/1.1 307 Again\r\nLocation: round\r\nContent-Length: 0\r\n\r\n".into()
        }
        Some("/jwks.json") => ok(&set),
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(),
    });
    let site = Site::new();
    let check = |path: &str, more: &[(&str, &str)]| {
        let url = format!("http://{origin}{path}");
        let mut environment = with_keys_behind(&url);
        // The proxy is another machine, as far as can be told.
        environment.push(("SIMPLEJWT_JWK_URL_ALLOW_HTTP", "true"));
        environment.extend(more);
        run(&["config", "check"], &site.environment(&environment))
    };
    let (proxy, dead) = (format!("http://{proxy}"), format!("http://u:s3cret@{}", nobody()));
    for (more, by_proxy) in [
        (&[("HTTPS_PROXY", dead.as_str())][..], false),
        (&[("HTTP_PROXY", &proxy)], true),
        (&[("http_proxy", &proxy), ("HTTP_PROXY", &dead)], true),
        (&[("HTTP_PROXY", &dead), ("REQUEST_METHOD", "GET")], false),
        (&[("ALL_PROXY", &proxy)], true),
        (&[("HTTP_PROXY", &dead), ("NO_PROXY", "localhost, 127.0.0.1")], false),
        (&[("HTTP_PROXY", &dead), ("NO_PROXY", "127.0.0.0/8")], false),
        (&[("HTTP_PROXY", &dead), ("no_proxy", "*")], false),
    ] {
        let checked = check("/jwks.json", more);
        assert!(checked.status.success(), "{more:?} {}", stderr(&checked));
        let count = |asked: &Asked| std::mem::take(&mut *asked.lock().unwrap()).len();
        let first = through.lock().unwrap().first().cloned();
        // The whole URL is requested, as by curl, Python and Go.
        assert!(first.is_none_or(|line| line.starts_with(&format!("GET http://{origin}/"))));
        let (proxied, asked) = (count(&through), count(&direct));
        assert_eq!((proxied > 0, asked > 0), (by_proxy, !by_proxy), "{more:?}");
    }
    let told = stderr(&check("/jwks.json", &[("HTTP_PROXY", &dead)]));
    assert!(told.contains("through the proxy 127.0.0.1:") && told.contains("HTTP_PROXY"), "{told}");
    assert!(told.contains("refused") && !told.contains("s3cret"), "{told}");
    let told = stderr(&check("/jwks.json", &[("HTTP_PROXY", "socks5://a:1")]));
    assert!(told.contains("HTTP_PROXY is not the URL of a proxy"), "{told}");
    let far = [("HTTP_PROXY", proxy.as_str()), ("SIMPLEJWT_JWK_URL_ALLOW_HTTP", "false")];
    let told = stderr(&check("/jwks.json", &far));
    assert!(told.contains("write jwk_url_allow_http = true"), "{told}");
    assert!(check("/moved", &[]).status.success());
    let told = stderr(&check("/round", &[]));
    assert!(told.contains("more than 3 times"), "{told}");
    let told = stderr(&check("/nowhere", &[]));
    assert!(told.contains("404") && told.contains(&format!("asking {origin}")), "{told}");
}

#[test]
fn key_files_are_read_as_the_bytes_that_they_are() {
    let site = Site::new();
    let private = SigningKey::generate(Algorithm::Es256).unwrap();
    let public = SigningKey::parse(Algorithm::Es256, private.as_bytes(), false)
        .unwrap()
        .verifying_key()
        .to_pem()
        .unwrap();
    let path = |name: &str| site.directory.path().join(name).display().to_string();
    let check = |private: &[u8], public: &[u8]| {
        std::fs::write(path("private"), private).unwrap();
        std::fs::write(path("public"), public).unwrap();
        let (private, public) = (path("private"), path("public"));
        run(
            &["config", "check"],
            &site.environment(&[
                ("SIMPLEJWT_ALGORITHM", "ES256"),
                ("SIMPLEJWT_SIGNING_KEY_FILE", &private),
                ("SIMPLEJWT_VERIFYING_KEY_FILE", &public),
            ]),
        )
    };
    let named = [b"Bag Attributes\n    friendlyName: Schl\xfcssel\n", public.as_bytes()].concat();
    let bundle = [&named[..], b"friendlyName: \xe9\n", private.as_bytes(), b"\xff\n"].concat();
    for file in [&bundle[..], String::from_utf8_lossy(&bundle).as_bytes()] {
        let checked = check(file, file);
        assert!(checked.status.success(), "{}", stderr(&checked));
    }
    let wide: Vec<u8> =
        b"\xff\xfe".iter().copied().chain(private.bytes().flat_map(|byte| [byte, 0])).collect();
    for (file, told) in [
        (&wide[..], "UTF-16"),
        (b"\x30\x03\x02\x01\xff", "not UTF-8 text"),
        (b"", "-----BEGIN"),
        (b"{\"kty\":\"EC\"}", "JWK"),
    ] {
        let said = stderr(&check(file, public.as_bytes()));
        assert!(said.contains(told), "{told}: {said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{said}");
    }
    // A secret is read byte for byte, or not at all.
    std::fs::write(path("secret"), b"a secret of more than 32 bytes \xff\xfe\xfd").unwrap();
    let secret = path("secret");
    let refused = run(
        &["config", "check"],
        &site.environment(&[("SIMPLEJWT_SIGNING_KEY_FILE", &secret), SECRET]),
    );
    assert!(stderr(&refused).contains("not UTF-8 text"), "{}", stderr(&refused));
}
