//! Requests that cost as much as any of their length, in every form that a body or header can have.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request};
use simplejwt::settings::Transport;
use simplejwt::store::memory::MemoryStore;
use simplejwt::web::endpoint::{self, Endpoint, OAuthClient, OAuthClients, RouterOptions};
use simplejwt::{Auth, Settings, Tokens};

pub(crate) const SECRET: &str = "the secret of a client, which is long enough";

/// A way to fill a request with this many bytes.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    content_type: &'static str,
    fill: fn(usize) -> Vec<u8>,
}

const JSON: &str = "application/json";
const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=b";

/// Every form of a body.
pub(crate) const BODIES: [Form; 26] = [
    form("JSON, members", JSON, |n| object(n, |i| format!("\"{i:x}\":0"))),
    form("JSON, one member again and again", JSON, |n| object(n, |_| "\"x\":0".into())),
    form("JSON, a field again and again", JSON, |n| object(n, |_| "\"refresh\":\"x\"".into())),
    form("JSON, names with escapes", JSON, |n| object(n, |i| format!("\"\\u0061{i:x}\":0"))),
    form("JSON, members of members", JSON, |n| {
        object(n, |i| format!("\"{i:x}\":{{\"{i:x}\":[]}}"))
    }),
    form("JSON, numbers", JSON, |n| object(n, |i| format!("\"{i:x}\":1.5e-9"))),
    form("JSON, deep again and again", JSON, |n| {
        object(n, |_| format!("\"x\":{}{}", "[".repeat(60), "]".repeat(60)))
    }),
    form("JSON, too deep", JSON, |n| "[".repeat(n).into()),
    form("JSON, a list", JSON, |n| format!("[{}0]", "0,".repeat(n / 2)).into()),
    form("JSON, a text with escapes", JSON, |n| {
        format!("{{\"refresh\":\"{}\"}}", "\\u00e9\\ud83d".repeat(n / 12)).into()
    }),
    form("JSON, white space", JSON, |n| format!("{{{}}}", " \n".repeat(n / 2)).into()),
    form("JSON, an error at the end", JSON, |n| format!("[{}x]", "\"é\",\n".repeat(n / 6)).into()),
    form("JSON, digits", JSON, |n| "1".repeat(n).into()),
    form("JSON in UTF-16", "application/json; charset=utf-16-le", |n| {
        let json = String::from_utf8(object(n / 2, |i| format!("\"{i:x}\":0"))).unwrap_or_default();
        json.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }),
    form("JSON in GB 2312", "application/json; charset=gb2312", |n| {
        [&b"[\""[..], &b"\xc4\xe3".repeat(n / 2), b"\"]"].concat()
    }),
    form("form, fields", URLENCODED, |n| fields(n, |i| format!("{i:x}="))),
    form("form, long fields", URLENCODED, |n| fields(n, |i| format!("{i:x}={}", "x".repeat(80)))),
    form("form, a field again and again", URLENCODED, |n| {
        fields(n, |_| format!("refresh={}", "%41".repeat(25)))
    }),
    form("form, one long field", URLENCODED, |n| {
        format!("refresh={}", "%C3%a9+é".repeat(n / 9)).into()
    }),
    form("form, too many fields", URLENCODED, |n| "&".repeat(n).into()),
    form("multipart, parts", MULTIPART, |n| {
        parts(n, |i| format!("Content-Disposition: form-data; name={i:x}\r\n\r\n"))
    }),
    form("multipart, long dispositions", MULTIPART, |n| {
        parts(n, |i| {
            let more = "; a=b".repeat(192);
            format!("Content-Disposition: form-data; name={i:x}{more}\r\n\r\n")
        })
    }),
    form("multipart, dispositions in pieces", MULTIPART, |n| {
        parts(n, |i| {
            let more = "; name*1*=%41".repeat(74);
            format!("Content-Disposition: form-data; name={i:x}{more}\r\n\r\n")
        })
    }),
    form("multipart, boundaries", MULTIPART, |n| "--b".repeat(n / 3).into()),
    form("multipart, halves of boundaries", MULTIPART, |n| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=refresh\r\n\r\n{}",
            "\r\n--".repeat(n / 4)
        )
        .into()
    }),
    form("multipart, base64", MULTIPART, |n| {
        let head = "Content-Disposition: form-data; name=refresh\r\n\
                    Content-Transfer-Encoding: base64\r\n\r\n";
        format!("--b\r\n{head}{}\r\n--b--", "eHh4 ".repeat(n / 5)).into()
    }),
];

/// Header fields that anybody can make long: how they begin, and with what they go on and on.
pub(crate) const HEADERS: [(HeaderName, &str, &str); 18] = [
    (ACCEPT, "", "a/b,"),
    (ACCEPT, "", "a/b;c=d;e,"),
    (ACCEPT, "", ";a=b"),
    (ACCEPT, "", "*/*;a=b,"),
    (ACCEPT, "", "\";a*1=b,"),
    (ACCEPT, "application/json", ";a=b"),
    (ACCEPT, "application/json", ";a*1=b"),
    (ACCEPT, "application/json", ";a*1*=%41"),
    (ACCEPT, "application/json;a=\"", "\\\\;\\\""),
    (CONTENT_TYPE, "", ";a=b"),
    (CONTENT_TYPE, "", ";a*1=b"),
    (CONTENT_TYPE, "application/json", ";charset*1*=%41"),
    (CONTENT_TYPE, "multipart/form-data", ";boundary=b"),
    (CONTENT_TYPE, "multipart/form-data", ";boundary*1*=%41"),
    (CONTENT_TYPE, "multipart/form-data;boundary=\"", "\\\\;\\\""),
    (COOKIE, "", "__Host-access=a.b.c; "),
    (COOKIE, "", "a=b; "),
    (AUTHORIZATION, "", "x "),
];

/// A header's value of at most this many bytes, and not much fewer.
pub(crate) fn value(begin: &str, part: &str, bytes: usize) -> HeaderValue {
    let value = begin.to_owned() + &part.repeat(bytes.saturating_sub(begin.len()) / part.len());
    HeaderValue::try_from(value).expect("a header's value")
}

/// Every endpoint that reads a body.
pub(crate) const ENDPOINTS: [Endpoint; 9] = [
    Endpoint::TokenObtainPair,
    Endpoint::TokenRefresh,
    Endpoint::TokenVerify,
    Endpoint::TokenBlacklist,
    Endpoint::TokenObtainSliding,
    Endpoint::TokenRefreshSliding,
    Endpoint::Logout,
    Endpoint::Revoke,
    Endpoint::Introspect,
];

const fn form(name: &'static str, content_type: &'static str, fill: fn(usize) -> Vec<u8>) -> Form {
    Form { name, content_type, fill }
}

impl Form {
    /// A body of at most this many bytes, and not much fewer.
    pub(crate) fn body(&self, bytes: usize) -> Vec<u8> {
        (self.fill)(bytes)
    }

    /// The head of a request with such a body, for OAuth's endpoints from a client that is known.
    pub(crate) fn head(&self) -> Parts {
        let mut parts = head();
        parts.headers.insert(CONTENT_TYPE, self.content_type.parse().expect("a media type"));
        let credentials = base64_simd::STANDARD.encode_to_string(format!("client:{SECRET}"));
        let credentials = format!("Basic {credentials}").parse().expect("a header's value");
        parts.headers.insert(AUTHORIZATION, credentials);
        parts
    }
}

pub(crate) fn head() -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::POST;
    parts
}

fn repeated(bytes: usize, one: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(bytes + 100);
    for i in 0.. {
        let next = one(i);
        if text.len() + next.len() > bytes {
            break;
        }
        text.push_str(&next);
    }
    text
}

fn object(bytes: usize, member: impl Fn(usize) -> String) -> Vec<u8> {
    let members = repeated(bytes.saturating_sub(6), |i| format!("{},", member(i)));
    format!("{{{members}\"\":0}}").into()
}

/// As many as may be, which is a thousand.
fn fields(bytes: usize, field: impl Fn(usize) -> String) -> Vec<u8> {
    let most = |i: usize| if i < 1000 { format!("{}&", field(i)) } else { "x".into() };
    let mut text = repeated(bytes, most);
    text.truncate(bytes);
    text.into()
}

fn parts(bytes: usize, part: impl Fn(usize) -> String) -> Vec<u8> {
    let most = |i: usize| if i < 999 { format!("--b\r\n{}\r\n", part(i)) } else { "x".into() };
    repeated(bytes, most).into()
}

/// What answers them, with cookies as well as headers.
pub(crate) fn auth() -> Auth {
    let settings = Settings {
        signing_key: Some("a secret of at least thirty-two bytes".into()),
        token_blacklist: true,
        transport: Transport::Both,
        ..Settings::default()
    };
    let tokens = Tokens::new(settings).expect("settings that are valid");
    Auth::new(tokens).with_sessions(MemoryStore::default())
}

pub(crate) fn options() -> RouterOptions {
    let client = OAuthClient::new("client", SECRET).expect("a client");
    RouterOptions {
        clients: OAuthClients::new([client]).expect("one client"),
        ..RouterOptions::default()
    }
}

/// The status of the answer.
pub(crate) fn ask(
    runtime: &tokio::runtime::Runtime,
    (auth, options): (&Auth, &RouterOptions),
    endpoint: Endpoint,
    parts: &Parts,
    body: Vec<u8>,
) -> u16 {
    let answer = endpoint::respond(auth, endpoint, options, parts, || async { Ok(body) });
    runtime.block_on(answer).status().as_u16()
}
