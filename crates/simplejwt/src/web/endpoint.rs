//! The endpoints, each with its name, fields and flow, and how a request to one is answered.
//!
//! The order of the checks is Django REST framework's: what the client accepts, who it is (where
//! that matters), the method, the body's form, its fields, and only then the flow.

mod authenticate;
mod cookies;
mod logout;
mod oauth;
mod sessions;

use std::borrow::Cow;
use std::future::Future;

use http::header::{ALLOW, HeaderName, HeaderValue, VARY};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use super::accept::{self, Rendering, Unacceptable};
use super::body::{self, BodyError, Data};
use super::csrf;
use super::object::{Json, object, texts};
use super::request;
use super::singleton;
use super::transport::access_tokens;
use super::validate::{self, Kind};
use super::{error_response, error_shape, json_response};
use crate::claims::Claims;
use crate::error::Error;
use crate::service::Auth;
use crate::token::{Access, Token};
use crate::users::Credentials;
pub use authenticate::GatewayOptions;
use cookies::Presented;
pub use oauth::{OAuthClient, OAuthClients};

/// An endpoint, named after upstream's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Logs in: a refresh and an access token.
    TokenObtainPair,
    /// A new access token for a refresh token.
    TokenRefresh,
    /// Whether a token is good.
    TokenVerify,
    /// Puts a refresh token on the blacklist.
    TokenBlacklist,
    /// Logs in: a sliding token.
    TokenObtainSliding,
    /// A sliding token with its lifetime renewed.
    TokenRefreshSliding,
    /// Ends sessions: the one that asks, the user's others, or all.
    Logout,
    /// The user's sessions.
    Sessions,
    /// One of them, to be ended.
    Session,
    /// The guides' protected view: greets the user, as its row has it or as
    /// [`Authentication`] says.
    Protected,
    /// The same, always by the token alone.
    ProtectedStateless,
    /// Whether a gateway may let a request through: 204 and who it is, or 401.
    Authenticate,
    /// Revokes a token, for OAuth's clients (RFC 7009).
    Revoke,
    /// What a token is worth, for OAuth's clients (RFC 7662).
    Introspect,
}

/// How [`Endpoint::Protected`] finds out who the user is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Loads the row: upstream's `JWTAuthentication`.
    #[default]
    User,
    /// Believes the token: upstream's `JWTStatelessUserAuthentication`.
    Stateless,
}

/// What an endpoint has to know beside the flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointOptions {
    /// How [`Endpoint::Protected`] authenticates.
    pub authentication: Authentication,
    /// The name of the login field: the user model's `USERNAME_FIELD`.
    pub username_field: String,
    /// What the token endpoints' paths begin with: where the refresh token's cookie is sent.
    pub prefix: String,
    /// What [`Endpoint::Authenticate`] looks at, and tells.
    pub gateway: GatewayOptions,
    /// Who may use [`Endpoint::Revoke`] and [`Endpoint::Introspect`]; without any, they answer
    /// with 404.
    pub clients: OAuthClients,
}

impl Default for EndpointOptions {
    fn default() -> Self {
        Self {
            authentication: Authentication::User,
            username_field: "username".into(),
            prefix: "/api/token/".into(),
            gateway: GatewayOptions::default(),
            clients: OAuthClients::default(),
        }
    }
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Longer than the limit.
    TooLarge,
    /// The connection broke off or was too slow.
    Incomplete,
}

impl Endpoint {
    /// The endpoints below the prefix.
    pub const TOKEN: [Self; 9] = [
        Self::TokenObtainPair,
        Self::TokenRefresh,
        Self::TokenVerify,
        Self::TokenBlacklist,
        Self::TokenObtainSliding,
        Self::TokenRefreshSliding,
        Self::Logout,
        Self::Sessions,
        Self::Session,
    ];

    /// Those beside them that answer with and without a slash at their end: a gateway takes a
    /// redirect for a failure, and OAuth's clients follow one with a GET. The latter's are there
    /// where there are clients.
    pub const fn without_redirect(has_clients: bool) -> &'static [Self] {
        if has_clients {
            &[Self::Authenticate, Self::Revoke, Self::Introspect]
        } else {
            &[Self::Authenticate]
        }
    }

    /// Where the endpoint stands: below the prefix, or for the protected ones below `/api/`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::TokenObtainPair => "",
            Self::TokenRefresh => "refresh/",
            Self::TokenVerify => "verify/",
            Self::TokenBlacklist => "blacklist/",
            Self::TokenObtainSliding => "sliding/",
            Self::TokenRefreshSliding => "sliding/refresh/",
            Self::Logout => "logout/",
            Self::Sessions => "sessions/",
            Self::Session => "sessions/{id}/",
            Self::Protected => "protected/",
            Self::ProtectedStateless => "protected-stateless/",
            Self::Authenticate => "authenticate/",
            Self::Revoke => "revoke/",
            Self::Introspect => "introspect/",
        }
    }

    const fn allow(self) -> &'static str {
        match self {
            Self::Protected | Self::ProtectedStateless | Self::Sessions => "GET, HEAD, OPTIONS",
            Self::Session => "DELETE, OPTIONS",
            Self::Revoke | Self::Introspect => "POST",
            _ => "POST, OPTIONS",
        }
    }

    /// Name and description, as `OPTIONS` tells them.
    const fn description(self) -> (&'static str, &'static str) {
        match self {
            Self::TokenObtainPair => (
                "Token Obtain Pair",
                "Takes a set of user credentials and returns an access and refresh JSON web\n\
                 token pair to prove the authentication of those credentials.",
            ),
            Self::TokenRefresh => (
                "Token Refresh",
                "Takes a refresh type JSON web token and returns an access type JSON web\n\
                 token if the refresh token is valid.",
            ),
            Self::TokenVerify => (
                "Token Verify",
                "Takes a token and indicates if it is valid.  This view provides no\n\
                 information about a token's fitness for a particular use.",
            ),
            Self::TokenBlacklist => (
                "Token Blacklist",
                "Takes a token and blacklists it. Must be used with the\n\
                 `rest_framework_simplejwt.token_blacklist` app installed.",
            ),
            Self::TokenObtainSliding => (
                "Token Obtain Sliding",
                "Takes a set of user credentials and returns a sliding JSON web token to\n\
                 prove the authentication of those credentials.",
            ),
            Self::TokenRefreshSliding => (
                "Token Refresh Sliding",
                "Takes a sliding JSON web token and returns a new, refreshed version if the\n\
                 token's refresh period has not expired.",
            ),
            Self::Logout => (
                "Logout",
                "Ends the session of a token, the user's other sessions, or all of them.",
            ),
            Self::Sessions => ("Sessions", "The user's sessions."),
            Self::Session => ("Session", "One of the user's sessions."),
            Self::Protected => ("Protected", ""),
            Self::ProtectedStateless => ("Protected Stateless", ""),
            Self::Authenticate => ("Authenticate", ""),
            Self::Revoke => ("Revoke", ""),
            Self::Introspect => ("Introspect", ""),
        }
    }

    /// The fields that a body is looked through for.
    fn fields(self, options: &EndpointOptions) -> Vec<&str> {
        match self {
            Self::TokenObtainPair | Self::TokenObtainSliding => {
                vec![options.username_field.as_str(), "password"]
            }
            Self::TokenRefresh | Self::TokenBlacklist => vec!["refresh"],
            Self::TokenVerify | Self::TokenRefreshSliding => vec!["token"],
            Self::Logout => vec!["scope", "refresh", "user"],
            Self::Sessions
            | Self::Session
            | Self::Protected
            | Self::ProtectedStateless
            | Self::Authenticate
            | Self::Revoke
            | Self::Introspect => Vec::new(),
        }
    }

    /// The answer to `OPTIONS`.
    fn metadata(self, options: &EndpointOptions) -> Json {
        let (name, description) = self.description();
        let mut metadata: Vec<(Cow<'static, str>, Json)> = vec![
            ("name".into(), name.into()),
            ("description".into(), description.into()),
            ("renders".into(), texts(["application/json", "text/html"])),
            (
                "parses".into(),
                texts([
                    "application/json",
                    "application/x-www-form-urlencoded",
                    "multipart/form-data",
                ]),
            ),
        ];
        let mut fields = match self {
            Self::TokenObtainPair | Self::TokenObtainSliding => {
                vec![field(&options.username_field, true), field("password", true)]
            }
            Self::TokenRefresh | Self::TokenBlacklist => vec![field("refresh", true)],
            Self::TokenVerify | Self::TokenRefreshSliding => vec![field("token", true)],
            Self::Logout => ["scope", "refresh", "user"]
                .map(|name| (name.into(), optional_field(name)))
                .into_iter()
                .collect(),
            Self::Protected
            | Self::ProtectedStateless
            | Self::Sessions
            | Self::Session
            | Self::Authenticate
            | Self::Revoke
            | Self::Introspect => return Json::Object(metadata),
        };
        if self == Self::TokenRefresh {
            fields.push(field("access", false));
        }
        metadata.push(("actions".into(), object([("POST", Json::Object(fields))])));
        Json::Object(metadata)
    }
}

fn optional_field(name: &'static str) -> Json {
    let (_, metadata) = field(name, false);
    match metadata {
        Json::Object(mut members) => {
            members.iter_mut().filter(|(name, _)| name == "read_only").for_each(|(_, value)| {
                *value = false.into();
            });
            Json::Object(members)
        }
        other => other,
    }
}

fn field(name: &str, written: bool) -> (Cow<'static, str>, Json) {
    let mut label = name.replace('_', " ").to_lowercase();
    if let Some(first) = label.get(..1).map(str::to_uppercase) {
        label.replace_range(..1, &first);
    }
    let metadata = object([
        ("type", "string".into()),
        ("required", written.into()),
        ("read_only", (!written).into()),
        ("label", label.into()),
    ]);
    (name.to_owned().into(), metadata)
}

/// Answers a request to an endpoint. The body is read only once it is needed.
pub async fn respond<F>(
    auth: &Auth,
    endpoint: Endpoint,
    options: &EndpointOptions,
    parts: &Parts,
    read_body: impl FnOnce() -> F,
) -> Response<Vec<u8>>
where
    F: Future<Output = Result<Vec<u8>, ReadError>>,
{
    // What these answer is no matter of Accept, and no page of Django REST framework's.
    match endpoint {
        Endpoint::Authenticate => {
            return error_shape::apply(auth, authenticate::respond(auth, options, parts).await);
        }
        Endpoint::Revoke | Endpoint::Introspect => {
            return oauth::respond(auth, endpoint, options, parts, read_body).await;
        }
        _ => {}
    }
    let mut response = match accept::negotiate(parts) {
        Ok(rendering) => {
            let auth = auth.from_client(super::client::client(parts));
            let answer = answer(&auth, endpoint, options, parts, read_body).await;
            match answer {
                Ok(reply) => reply.response(rendering),
                Err(Refusal::Flow(error)) => refuse(&error, &auth, rendering),
                Err(Refusal::Parting(error, cookies)) => {
                    let mut response = refuse(&error, &auth, rendering);
                    response.headers_mut().extend(cookies);
                    response
                }
                Err(Refusal::Other(status, body)) => json_response(status, &body, rendering.indent),
            }
        }
        Err(Unacceptable::NoMediaType) => json_response(
            StatusCode::NOT_ACCEPTABLE,
            &object([("detail", "Could not satisfy the request Accept header.".into())]),
            None,
        ),
        Err(Unacceptable::UnknownFormat) => {
            json_response(StatusCode::NOT_FOUND, &object([("detail", "Not found.".into())]), None)
        }
    };
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(endpoint.allow()));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    error_shape::apply(auth, response)
}

/// What an endpoint answers with.
struct Reply {
    status: StatusCode,
    body: Json,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl From<(StatusCode, Json)> for Reply {
    fn from((status, body): (StatusCode, Json)) -> Self {
        Self { status, body, headers: Vec::new() }
    }
}

impl Reply {
    fn response(self, rendering: Rendering) -> Response<Vec<u8>> {
        let mut response = match self.status {
            StatusCode::NO_CONTENT => no_content(),
            status => json_response(status, &self.body, rendering.indent),
        };
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

fn no_content() -> Response<Vec<u8>> {
    let mut response = json_response(StatusCode::NO_CONTENT, &Json::Null, None);
    response.body_mut().clear();
    response.headers_mut().remove(http::header::CONTENT_TYPE);
    response
}

/// An error's answer, indented as asked.
fn refuse(error: &Error, auth: &Auth, rendering: Rendering) -> Response<Vec<u8>> {
    let mut response = error_response(error, auth.settings());
    if rendering.indent.is_some() {
        let indented = {
            let body = super::body_under(error, auth.settings());
            json_response(response.status(), &body, rendering.indent)
        };
        *response.body_mut() = indented.into_body();
    }
    response
}

enum Refusal {
    Flow(Error),
    /// With headers that remove cookies.
    Parting(Error, Vec<(HeaderName, HeaderValue)>),
    Other(StatusCode, Json),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Flow(error)
    }
}

type Answer = Result<(StatusCode, Json), Refusal>;

async fn answer<F>(
    auth: &Auth,
    endpoint: Endpoint,
    options: &EndpointOptions,
    parts: &Parts,
    read_body: impl FnOnce() -> F,
) -> Result<Reply, Refusal>
where
    F: Future<Output = Result<Vec<u8>, ReadError>>,
{
    singleton::check(&parts.headers, auth.settings())?;
    if auth.settings().transport.has_cookies() {
        csrf::check(&parts.method, &parts.uri, &parts.headers, auth.settings())?;
    }
    let username = match endpoint {
        Endpoint::Protected => Some(username(auth, options.authentication, parts).await?),
        Endpoint::ProtectedStateless => {
            Some(username(auth, Authentication::Stateless, parts).await?)
        }
        _ => None,
    };
    let is_about_sessions = match endpoint {
        Endpoint::Sessions => matches!(parts.method, Method::GET | Method::HEAD),
        Endpoint::Session => parts.method == Method::DELETE,
        _ => false,
    };
    if is_about_sessions && let Some(answer) = sessions::answer(auth, parts).await {
        return answer.map(Reply::from);
    }
    match (&parts.method, username) {
        (&Method::OPTIONS, _) => Ok((StatusCode::OK, endpoint.metadata(options)).into()),
        (&Method::GET | &Method::HEAD, Some(username)) => {
            let message = format!("Welcome, {username}!");
            Ok((StatusCode::OK, object([("message", message.into())])).into())
        }
        (&Method::POST, None) if !matches!(endpoint, Endpoint::Sessions | Endpoint::Session) => {
            let body = read_body().await.map_err(unread)?;
            let wanted = endpoint.fields(options);
            let data = body::parse(parts, body, &wanted).map_err(unparsed)?;
            if endpoint == Endpoint::Logout {
                return logout::log_out(auth, options, parts, &data).await;
            }
            let presented = Presented::of(auth, endpoint, options, parts, &data).await?;
            let by_cookie = matches!(presented, Some(Presented::Cookie(_)));
            let mut body = match flow(auth, endpoint, options, presented.as_ref(), &data).await {
                Err(Refusal::Flow(error))
                    if by_cookie
                        && endpoint != Endpoint::TokenVerify
                        && super::status(&error) == StatusCode::UNAUTHORIZED =>
                {
                    let cookies = cookies::remove_dead(auth, options, parts).await;
                    return Err(Refusal::Parting(error, cookies));
                }
                answer => answer?,
            };
            let headers = match endpoint {
                Endpoint::TokenBlacklist if by_cookie => cookies::remove(auth, options, parts),
                _ => {
                    let presented = presented.as_ref();
                    cookies::deliver(auth, endpoint, options, parts, presented, &mut body)?
                }
            };
            Ok(Reply { status: StatusCode::OK, body, headers })
        }
        (method, _) => Err(Refusal::Other(
            StatusCode::METHOD_NOT_ALLOWED,
            object([("detail", format!("Method \"{method}\" not allowed.").into())]),
        )),
    }
}

/// The access token of a request.
async fn token_of(auth: &Auth, parts: &Parts) -> Result<Token<Access>, Error> {
    let sent = access_tokens(&parts.method, &parts.uri, &parts.headers, auth.settings())?;
    request::verify(auth, &sent).await
}

/// The name that a protected view greets.
async fn username(
    auth: &Auth,
    authentication: Authentication,
    parts: &Parts,
) -> Result<String, Error> {
    let token = token_of(auth, parts).await?;
    match authentication {
        Authentication::User => Ok(auth.user_of(&token).await?.username),
        Authentication::Stateless => {
            auth.stateless_user_of(&token)?;
            Ok(python_text(token.claims(), "username"))
        }
    }
}

/// A claim as Python's `str()` shows it; empty if it is missing.
fn python_text(claims: &Claims, name: &str) -> String {
    match claims.raw(name) {
        None => String::new(),
        Some("null") => "None".to_owned(),
        Some("true") => "True".to_owned(),
        Some("false") => "False".to_owned(),
        Some(other) => claims.str(name).map_or_else(|| other.to_owned(), Into::into),
    }
}

fn unread(error: ReadError) -> Refusal {
    let (status, detail) = match error {
        ReadError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request body is too large."),
        ReadError::Incomplete => (StatusCode::BAD_REQUEST, "Request body is incomplete."),
    };
    Refusal::Other(status, object([("detail", detail.into())]))
}

fn unparsed(error: BodyError) -> Refusal {
    match error {
        BodyError::Malformed(detail) => {
            Refusal::Other(StatusCode::BAD_REQUEST, object([("detail", detail.into())]))
        }
        BodyError::UnsupportedMediaType(sent) => Refusal::Other(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            object([("detail", format!("Unsupported media type \"{sent}\" in request.").into())]),
        ),
    }
}

fn invalid(errors: validate::Errors) -> Refusal {
    Refusal::Other(StatusCode::BAD_REQUEST, errors)
}

/// The body that upstream would answer with.
async fn flow(
    auth: &Auth,
    endpoint: Endpoint,
    options: &EndpointOptions,
    presented: Option<&Presented>,
    data: &Data,
) -> Result<Json, Refusal> {
    let credentials = || {
        let fields =
            [(options.username_field.as_str(), Kind::Trimmed), ("password", Kind::Password)];
        let [username, password] = validate::fields(data, fields).map_err(invalid)?;
        Ok::<_, Refusal>(Credentials::new(username, password))
    };
    let token = presented.map(Presented::token).unwrap_or_default();
    Ok(match endpoint {
        Endpoint::TokenObtainPair => {
            let pair = auth.obtain_pair(&credentials()?).await?;
            object([("refresh", pair.refresh.into()), ("access", pair.access.into())])
        }
        Endpoint::TokenRefresh => {
            let refreshed = auth.refresh(token).await?;
            match refreshed.refresh {
                Some(refresh) => {
                    object([("access", refreshed.access.into()), ("refresh", refresh.into())])
                }
                None => object([("access", refreshed.access.into())]),
            }
        }
        Endpoint::TokenVerify => {
            auth.verify(token).await?;
            object([])
        }
        Endpoint::TokenBlacklist => {
            auth.blacklist(token).await?;
            object([])
        }
        Endpoint::TokenObtainSliding => {
            object([("token", auth.obtain_sliding(&credentials()?).await?.into())])
        }
        Endpoint::TokenRefreshSliding => {
            object([("token", auth.refresh_sliding(token).await?.into())])
        }
        // Answered above.
        Endpoint::Protected
        | Endpoint::ProtectedStateless
        | Endpoint::Logout
        | Endpoint::Sessions
        | Endpoint::Session
        | Endpoint::Authenticate
        | Endpoint::Revoke
        | Endpoint::Introspect => object([]),
    })
}
