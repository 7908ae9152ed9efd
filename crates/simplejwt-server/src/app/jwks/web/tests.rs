//! Sets behind real servers, honest and otherwise.

mod metadata;
mod server;
mod tls;

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use self::server::{Asked, answer, redirect, serve};
use super::super::http::LARGEST;
use super::*;
use crate::app::proxy::Proxies;
use crate::failure::chain;

/// A set of one key, which isn't read here.
const SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn client() -> Client {
    Client {
        proxies: Proxies::default(),
        ca: None,
        allow_http: false,
        timeout: Duration::from_secs(5),
    }
}

fn web(url: &str) -> Web {
    Web::new(client(), url.parse().unwrap(), None)
}

async fn keys(web: &Web) -> Result<usize, String> {
    let fetched = web.fetch().await.map_err(|error| chain(&*error))?;
    Ok(fetched.set.keys().len())
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_set_is_taken_whatever_its_type_and_compression() {
    for head in [
        "Content-Type: application/json",
        "Content-Type: application/jwk-set+json",
        "Content-Type: text/plain",
        "Content-Type: application/octet-stream",
        "X-Nothing: 1",
        "Content-Encoding: identity",
    ] {
        let (address, asked) = serve(move |_| answer(head, SET.as_bytes()));
        assert_eq!(keys(&web(&format!("http://{address}/"))).await, Ok(1), "{head}");
        let asked = asked.lock().unwrap().join("\n").to_ascii_lowercase();
        assert!(asked.contains("accept-encoding: identity"), "{asked}");
        assert!(asked.contains("accept: application/json"), "{asked}");
    }
    let (address, _) = serve(|_| answer("Content-Encoding: gzip", &gzipped(SET.as_bytes())));
    assert_eq!(keys(&web(&format!("http://{address}/"))).await, Ok(1));
}

#[tokio::test]
async fn what_is_no_set_is_refused_and_said() {
    let padded = format!("{SET}{}", " ".repeat(usize::try_from(LARGEST).unwrap()));
    let cut = gzipped(SET.as_bytes())[..20].to_vec();
    for (head, body, told) in [
        ("Content-Type: text/html", b"<html>".to_vec(), "not a JWK set, but \"text/html\""),
        ("X-Nothing: 1", b"[]".to_vec(), "not a JWK set"),
        ("X-Nothing: 1", Vec::new(), "not a JWK set"),
        ("X-Nothing: 1", padded.clone().into_bytes(), "limit"),
        ("Content-Encoding: gzip", gzipped(padded.as_bytes()), "more than 1048576 bytes"),
        ("Content-Encoding: gzip", SET.as_bytes().to_vec(), "gzip"),
        ("Content-Encoding: gzip", cut, ""),
        ("Content-Encoding: br", SET.as_bytes().to_vec(), "\"br\""),
    ] {
        let (address, _) = serve(move |_| answer(head, &body));
        let error = keys(&web(&format!("http://{address}/"))).await.unwrap_err();
        assert!(error.contains(told), "{head} {told}: {error}");
    }
    for (status, told) in [
        ("404 Not Found", "404"),
        ("503 Service Unavailable", "503"),
        ("300 Multiple Choices", "status 300"),
        ("304 Not Modified", "304"),
        ("302 Found", "can't be followed"),
    ] {
        let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let (address, _) = serve(move |_| head.clone().into_bytes());
        let error = keys(&web(&format!("http://{address}/"))).await.unwrap_err();
        assert!(error.contains(told), "{status}: {error}");
    }
    let nobody = server::nobody();
    let error = keys(&web(&format!("http://{nobody}/"))).await.unwrap_err();
    assert!(error.contains(&format!("asking {nobody}")), "{error}");
}

#[tokio::test]
async fn a_server_that_dribbles_is_given_up() {
    let address = server::dribble(SET);
    let client = Client { timeout: Duration::from_millis(300), ..client() };
    let slow = Web::new(client, format!("http://{address}/").parse().unwrap(), None);
    let error = keys(&slow).await.unwrap_err();
    assert!(error.contains("timeout"), "{error}");
}

#[tokio::test]
async fn redirections_are_followed_within_limits() {
    let (other, _) = serve(|_| answer("X-Nothing: 1", SET.as_bytes()));
    let (address, asked) = serve(move |path| match path {
        "/here" => redirect("/jwks.json"),
        "/there" => redirect(&format!("http://{other}/jwks.json")),
        "/away" => redirect("http://192.0.2.1/jwks.json"),
        "/file" => redirect("file:///etc/passwd"),
        "/round" => redirect("/round"),
        _ => answer("X-Nothing: 1", SET.as_bytes()),
    });
    let at = |path: &str| web(&format!("http://{address}{path}"));
    assert_eq!(keys(&at("/here")).await, Ok(1));
    assert_eq!(keys(&at("/there")).await, Ok(1));
    // http leaves this machine only if that is allowed, whoever asks for it.
    let error = keys(&at("/away")).await.unwrap_err();
    assert!(error.contains("jwk_url_allow_http = true"), "{error}");
    let error = keys(&at("/file")).await.unwrap_err();
    assert!(error.contains("can't be followed"), "{error}");
    asked.lock().unwrap().clear();
    let error = keys(&at("/round")).await.unwrap_err();
    assert!(error.contains("more than 3 times"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 4);
}

/// Returns the values of a header in all requests.
fn told(asked: &Asked, name: &str) -> Vec<String> {
    let asked = asked.lock().unwrap();
    let value = |line: &str| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then(|| value.to_owned())
    };
    asked.iter().flat_map(|request| request.lines().filter_map(value).collect::<Vec<_>>()).collect()
}

#[tokio::test]
async fn a_set_that_is_known_isnt_sent_again() {
    let times = std::sync::atomic::AtomicUsize::new(0);
    let (address, asked) = serve(move |_| {
        let unchanged = |more: &str| {
            format!("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n{more}\r\n").into_bytes()
        };
        match times.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => answer("ETag: \"one\"\r\nCache-Control: max-age=600", SET.as_bytes()),
            1 => unchanged(""),
            2 => unchanged("Cache-Control: max-age=1200\r\n"),
            3 => answer("ETag: W/\"two\"", br#"{"keys":[]}"#),
            4 => answer("X-Nothing: 1", SET.as_bytes()),
            _ => answer("X-Nothing: 1", SET.as_bytes()),
        }
    });
    let web = web(&format!("http://{address}/"));
    let mut fetched = Vec::new();
    for _ in 0..6 {
        let published = web.fetch().await.unwrap();
        let minutes = published.fresh_for.map(|time| time.as_secs() / 60);
        fetched.push((published.set.keys().len(), minutes));
    }
    let expected = [(1, Some(10)), (1, Some(10)), (1, Some(20)), (0, None), (1, None), (1, None)];
    assert_eq!(fetched, expected);
    let tags = ["\"one\"", "\"one\"", "\"one\"", "W/\"two\""];
    assert_eq!(told(&asked, "if-none-match"), tags, "the last had none");
}
