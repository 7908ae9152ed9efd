//! The same application behind both adapters, each on a real socket.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::rt::System;
use actix_web::{App, HttpServer, web};
use axum::extract::Extension;
use axum::routing::get;
use simplejwt::store::memory::MemoryStore;
use simplejwt::users::memory::MemoryUsers;
use simplejwt::users::password::{Hashers, HashingPool, PoolOptions};
use simplejwt::web::client::ClientAddress;
use simplejwt::web::permission::IsAdminUser;
use simplejwt::{Access, Auth, ManualClock, Settings, Timestamp, Token, Tokens, User};
use simplejwt_actix::{AccessToken, CurrentUser, OptionalToken, OptionalUser, RequireAuth};

pub(crate) const PASSWORD: &str = "wonderland";
pub(crate) const BODY_LIMIT: usize = 1000;
const NOW: i64 = 1_700_000_000;

/// At the moment that the tests' clock shows.
pub(crate) fn tokens_of(settings: Settings) -> Tokens {
    let keys = settings.key_set().unwrap();
    Tokens::with(settings, keys, Arc::new(ManualClock::at(Timestamp::from_secs(NOW)))).unwrap()
}

pub(crate) fn settings() -> Settings {
    let mut settings = Settings {
        signing_key: Some("a-secret-key-that-is-long-enough-for-hs256".into()),
        rotate_refresh_tokens: true,
        blacklist_after_rotation: true,
        token_blacklist: true,
        issuer: Some("https://login.example.com/tenant1".into()),
        ..Settings::default()
    };
    settings.sessions.session_claim = true;
    settings.sessions.rotation_grace = Duration::from_secs(60);
    settings
}

/// With Alice, whose rows are this instance's own.
pub(crate) fn auth(tokens: Tokens) -> Auth {
    let hashers = Hashers::from_setting(["md5"]).unwrap();
    let pool = HashingPool::new(hashers, PoolOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut alice = User::new("1", "alice");
    alice.password = runtime.block_on(pool.encode(PASSWORD.to_owned().into())).unwrap();
    let users = MemoryUsers::new(pool);
    users.insert(alice);
    Auth::new(tokens).with_users(users).with_sessions(MemoryStore::default())
}

pub(crate) fn axum(auth: Auth) -> SocketAddr {
    use simplejwt::web::axum::{CurrentUser, RouterOptions, not_found_with, router_with};
    use simplejwt::web::cors::AllowedOriginsLayer;
    use simplejwt::web::layer::RequireAuthLayer;

    // What the layer has left.
    type Left = Extension<Token<Access>>;

    let options = RouterOptions { demo: true, body_limit: BODY_LIMIT, ..RouterOptions::default() };
    let layered = axum::Router::new()
        .route("/required/token", get(async |Extension(token): Left| name(Some(&token))))
        .layer(RequireAuthLayer::new(auth.clone()));
    let lenient = axum::Router::new()
        .route(
            "/lenient/token",
            get(async |left: Option<Left>| name(left.map(|Extension(token)| token).as_ref())),
        )
        .layer(RequireAuthLayer::new(auth.clone()).optional());
    let staff = axum::Router::new()
        .route("/staff/", get(async || "staff"))
        .layer(RequireAuthLayer::new(auth.clone()).permission(IsAdminUser));
    let router = axum::Router::new()
        .merge(staff)
        .route("/token", get(async |token: Token<Access>| name(Some(&token))))
        .route("/user", get(async |CurrentUser(user): CurrentUser| user.username))
        .route("/optional/token", get(async |token: Option<Token<Access>>| name(token.as_ref())))
        .route(
            "/optional/user",
            get(async |user: Option<CurrentUser>| greeted(user.map(|CurrentUser(user)| user))),
        )
        .merge(layered)
        .merge(lenient)
        .merge(router_with(auth.clone(), &options))
        .fallback(not_found_with(auth.clone()))
        .layer(Extension(ClientAddress(Ipv4Addr::LOCALHOST.into())))
        .layer(AllowedOriginsLayer::new(auth.settings()))
        .with_state(auth);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread::spawn(move || {
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    address
}

pub(crate) fn actix(auth: Auth) -> SocketAddr {
    use simplejwt_actix::{AllowedOrigins, RouterOptions, configure, not_found};

    // What the middleware has left.
    type Left = web::ReqData<Token<Access>>;

    let options = RouterOptions { demo: true, body_limit: BODY_LIMIT, ..RouterOptions::default() };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        System::new().block_on(async move {
            let app = move || {
                App::new()
                    .configure(configure(auth.clone(), &options))
                    .route("/token", web::get().to(async |token: AccessToken| name(Some(&token))))
                    .route(
                        "/user",
                        web::get().to(async |CurrentUser(user): CurrentUser| user.username),
                    )
                    .route(
                        "/optional/token",
                        web::get()
                            .to(async |OptionalToken(token): OptionalToken| name(token.as_ref())),
                    )
                    .route(
                        "/optional/user",
                        web::get().to(async |OptionalUser(user): OptionalUser| greeted(user)),
                    )
                    .service(
                        web::scope("/required")
                            .wrap(RequireAuth::new(auth.clone()))
                            .route("/token", web::get().to(async |left: Left| name(Some(&left)))),
                    )
                    .service(
                        web::scope("/lenient")
                            .wrap(RequireAuth::new(auth.clone()).optional())
                            .route(
                                "/token",
                                web::get().to(async |left: Option<Left>| name(left.as_deref())),
                            ),
                    )
                    .service(
                        web::scope("/staff")
                            .wrap(RequireAuth::new(auth.clone()).permission(IsAdminUser))
                            .route("/", web::get().to(async || "staff")),
                    )
                    .default_service(web::to(not_found))
                    .wrap(AllowedOrigins::new(auth.settings()))
            };
            let server = HttpServer::new(app).workers(1).disable_signals();
            server.listen(listener).unwrap().run().await.unwrap();
        });
    });
    address
}

fn name(token: Option<&Token<Access>>) -> String {
    match token {
        Some(token) => token.claims().str("user_id").unwrap_or_default().into_owned(),
        None => "nobody".to_owned(),
    }
}

fn greeted(user: Option<User>) -> String {
    user.map_or_else(|| "nobody".to_owned(), |user| user.username)
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in small letters, without what is the connection's or the moment's.
    pub(crate) headers: BTreeMap<String, Vec<String>>,
    pub(crate) body: String,
}

/// Sends these bytes over a connection of their own; `end` says that no more will come.
pub(crate) fn send(address: SocketAddr, request: &[u8], end: bool) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request).unwrap();
    if end {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default();
    let mut headers = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name = name.to_ascii_lowercase();
        if name != "date" && name != "connection" {
            headers.entry(name).or_default().push(value.to_owned());
        }
    }
    Answer { status: status.parse().unwrap_or_default(), headers, body: body.to_owned() }
}

/// A request of these parts, as bytes.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    use std::fmt::Write as _;

    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    let chunked = headers.iter().any(|(name, _)| *name == "transfer-encoding");
    let sized = headers.iter().any(|(name, _)| *name == "content-length");
    if chunked {
        write!(text, "\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).unwrap();
    } else if sized || body.is_empty() {
        write!(text, "\r\n{body}").unwrap();
    } else {
        write!(text, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    }
    text.into_bytes()
}
