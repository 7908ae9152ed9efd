//! Two users, sessions in memory, and requests to endpoints without a framework.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Method, Request};
use serde_json::{Value, json};
use simplejwt::error::StoreErrorKind;
use simplejwt::keys::SigningKey;
use simplejwt::settings::Transport;
use simplejwt::store::memory::MemoryStore;
use simplejwt::web::ErrorShape;
use simplejwt::web::client::ClientAddress;
use simplejwt::web::endpoint::{
    self, Base, Endpoint, OAuthClient, OAuthClients, Protocol, ReadError, RouterOptions,
};
use simplejwt::{
    Access, Algorithm, Auth, Credentials, KeySet, ManualClock, Settings, StoreError, SystemClock,
    Timestamp, Tokens, User, UserId, UserStore,
};

pub(crate) const PASSWORD: &str = "wonderland";
pub(crate) const CLIENT_SECRET: &str = "a secret of a client, long enough for one";
const SECRET: &str = "a secret that only these tests know, long enough";

/// Users whose password is [`PASSWORD`], and a switch that makes every call fail.
#[derive(Debug, Default)]
pub(crate) struct People {
    rows: Mutex<Vec<User>>,
    failure: Mutex<Option<StoreErrorKind>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl People {
    pub(crate) fn fail(&self, kind: StoreErrorKind) {
        *lock(&self.failure) = Some(kind);
    }

    pub(crate) fn recover(&self) {
        *lock(&self.failure) = None;
    }

    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut User)) {
        if let Some(user) = lock(&self.rows).iter_mut().find(|user| user.id.as_str() == id) {
            change(user);
        }
    }

    pub(crate) fn delete(&self, id: &str) {
        lock(&self.rows).retain(|user| user.id.as_str() != id);
    }

    fn one(&self, is_it: impl Fn(&User) -> bool) -> Result<Option<User>, StoreError> {
        match *lock(&self.failure) {
            Some(kind) => Err(StoreError::new("find", kind, "the cable is out")),
            None => Ok(lock(&self.rows).iter().find(|user| is_it(user)).cloned()),
        }
    }
}

#[simplejwt::async_trait]
impl UserStore for People {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<User>, StoreError> {
        let is_right = credentials.password.as_str() == PASSWORD;
        self.one(|user| is_right && user.username == credentials.username)
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        self.one(|user| user.id == *id)
    }
}

pub(crate) struct World {
    pub(crate) people: Arc<People>,
    pub(crate) auth: Auth,
    pub(crate) options: RouterOptions,
}

impl World {
    pub(crate) fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            token_blacklist: true,
            rotate_refresh_tokens: true,
            blacklist_after_rotation: true,
            issuer: Some("https://issuer.example".into()),
            ..Settings::default()
        };
        settings.sessions.session_claim = true;
        change(&mut settings);
        let people = Arc::new(People::default());
        for (id, name) in [("1", "alice"), ("2", "bob")] {
            let mut user = User::new(id, name);
            user.password = "a hash".into();
            lock(&people.rows).push(user);
        }
        let auth = Auth::new(tokens(settings, keys()))
            .with_users(Arc::clone(&people))
            .with_sessions(MemoryStore::default());
        let client = OAuthClient::new("billing", CLIENT_SECRET).unwrap();
        let shape =
            ErrorShape::json(|refusal| json!({"code": refusal.code(), "body": refusal.body()}));
        let options = RouterOptions {
            demo: true,
            clients: OAuthClients::new([client]).unwrap(),
            error: Some(shape),
            ..RouterOptions::default()
        };
        Self { people, auth, options }
    }

    /// With the tokens in cookies.
    pub(crate) fn with_cookies(change: impl FnOnce(&mut Settings)) -> Self {
        Self::new(|settings| {
            settings.transport = Transport::Cookie;
            change(settings);
        })
    }

    /// The same flows, but there are no users to ask.
    pub(crate) fn without_users(&self) -> Auth {
        Auth::new(self.auth.tokens().clone()).with_sessions(MemoryStore::default())
    }

    /// The same flows, but they can't sign.
    pub(crate) fn without_signing(&self) -> Auth {
        let verifying = keys().verifying().first().unwrap().clone();
        let keys = KeySet::verify_only([verifying]).unwrap();
        Auth::new(tokens(self.auth.settings().clone(), keys))
            .with_users(Arc::clone(&self.people))
            .with_sessions(MemoryStore::default())
    }

    /// An access token of Alice that has expired.
    pub(crate) fn expired_access(&self) -> String {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_700_000_000)));
        let tokens = Tokens::with(self.auth.settings().clone(), keys(), clock).unwrap();
        tokens.encode(&tokens.issue::<Access>("1")).unwrap()
    }

    pub(crate) async fn log_in(&self, name: &str) -> (String, String) {
        let pair = self.auth.obtain_pair(&Credentials::new(name, PASSWORD)).await.unwrap();
        (pair.refresh.token, pair.access.token)
    }

    pub(crate) async fn log_in_sliding(&self, name: &str) -> String {
        self.auth.obtain_sliding(&Credentials::new(name, PASSWORD)).await.unwrap().token
    }

    pub(crate) async fn ask(&self, endpoint: Endpoint, ask: Ask) -> Seen {
        self.ask_of(&self.auth, endpoint, ask).await
    }

    /// Asks these flows in place of the world's own.
    pub(crate) async fn ask_of(&self, auth: &Auth, endpoint: Endpoint, ask: Ask) -> Seen {
        let (parts, ()) = ask.head.body(()).unwrap().into_parts();
        let body = ask.body;
        let read = || async { body };
        let response = endpoint::respond(auth, endpoint, &self.options, &parts, read).await;
        let (head, body) = response.into_parts();
        let body = match body.as_slice() {
            [] => None,
            body => Some(serde_json::from_slice::<Value>(body).unwrap()),
        };
        let member = match endpoint.spec().protocol {
            Protocol::OAuth => "error",
            _ => "code",
        };
        let code = body.as_ref().filter(|_| head.status.as_u16() >= 400);
        let code = code.and_then(|body| body[member].as_str()).map(str::to_owned);
        Seen {
            endpoint,
            method: parts.method,
            status: head.status.as_u16(),
            code,
            body,
            head: head.headers,
        }
    }
}

fn keys() -> KeySet {
    KeySet::new(SigningKey::from_secret(Algorithm::Hs256, SECRET.as_bytes()).unwrap())
}

fn tokens(settings: Settings, keys: KeySet) -> Tokens {
    Tokens::with(settings, keys, Arc::new(SystemClock)).unwrap()
}

/// A request.
pub(crate) struct Ask {
    head: http::request::Builder,
    body: Result<Vec<u8>, ReadError>,
}

impl Ask {
    /// By the first of the methods of what the endpoint does, at its path under the default prefix.
    pub(crate) fn of(endpoint: Endpoint) -> Self {
        let verb = endpoint.spec().operations.first().unwrap().verb;
        let method = verb.methods().and_then(|methods| methods.first()).unwrap_or(&"GET");
        Self::new(endpoint, method)
    }

    pub(crate) fn new(endpoint: Endpoint, method: &str) -> Self {
        let spec = endpoint.spec();
        let path = spec.path.replace("{id}", "unknown");
        let base = if spec.base == Base::Root { "/" } else { "/api/token/" };
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let head = Request::builder().method(method).uri(format!("{base}{path}"));
        Self { head, body: Ok(Vec::new()) }
    }

    pub(crate) fn at(mut self, uri: &str) -> Self {
        self.head = self.head.uri(uri);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head = self.head.header(name, value);
        self
    }

    /// From a client with this address.
    pub(crate) fn from(mut self, address: &str) -> Self {
        self.head = self.head.extension(ClientAddress(address.parse().unwrap()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn cookies(self, cookies: &[(&str, &str)]) -> Self {
        let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.header("cookie", &pairs.join("; "))
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = Ok(body.to_string().into_bytes());
        self.header("content-type", "application/json")
    }

    /// As a form, from the client that is known.
    pub(crate) fn by_client(self, fields: &[(&str, &str)]) -> Self {
        let credentials = format!("billing:{CLIENT_SECRET}");
        let credentials = base64_simd::STANDARD.encode_to_string(credentials);
        self.header("authorization", &format!("Basic {credentials}")).form(fields)
    }

    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.body = Ok(pairs.join("&").into_bytes());
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    pub(crate) fn raw(mut self, media_type: &str, body: &str) -> Self {
        self.body = Ok(body.as_bytes().to_vec());
        self.header("content-type", media_type)
    }

    pub(crate) fn unread(mut self, error: ReadError) -> Self {
        self.body = Err(error);
        self.header("content-type", "application/x-www-form-urlencoded")
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: Method,
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) body: Option<Value>,
    pub(crate) head: http::HeaderMap,
}

impl Seen {
    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.head.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
    }

    pub(crate) fn allow(&self) -> Option<&str> {
        self.head.get("allow").map(|value| value.to_str().unwrap())
    }

    /// The names of the members of an object.
    pub(crate) fn members(value: &Value) -> BTreeSet<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }
}
