//! Endpoints as data, from which the routes, the answer to `OPTIONS`, `Allow`, the fields read from
//! a body, the cookies and the table in docs/http-api.md are derived.

mod common;

use http::{Method, StatusCode};

use super::RouterOptions;
use common::{ACCESS_TOKEN, DOCUMENT, GATEWAY, OAUTH, REST, REST_BODY};
pub(super) use common::{
    AMBIGUOUS_COOKIES, BLACKLIST_DISABLED, FAULT, LOGIN_DISABLED, NO_ACTIVE_ACCOUNT, NO_COOKIE,
    NO_SUCH_USER, PASSWORD_CHANGED, PERMISSION_DENIED, SESSIONS_DISABLED, SIGNING_DISABLED,
    THROTTLED, TOKEN_NOT_VALID, TOKEN_TOO_LONG, USER_INACTIVE, USER_NOT_FOUND,
};

/// An endpoint as data.
///
/// ```
/// use simplejwt::web::endpoint::{Endpoint, RouterOptions};
///
/// let spec = Endpoint::TokenRefresh.spec();
/// assert_eq!((spec.path, spec.allow().as_deref()), ("refresh/", Some("POST, OPTIONS")));
/// let (fields, options) = (spec.operations[0].fields.iter(), RouterOptions::default());
/// let names: Vec<_> = fields.map(|field| field.name(&options)).collect();
/// assert_eq!(names, ["refresh", "access"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spec {
    /// The path below its [`base`](Self::base): empty or with a trailing slash, which only that of a
    /// [document](Protocol::Document) lacks, and with the names of its parameters in braces.
    pub path: &'static str,
    /// The base of the path.
    pub base: Base,
    /// The name in the answer to `OPTIONS`.
    pub name: &'static str,
    /// The description in the answer to `OPTIONS`: for upstream's views, in upstream's words.
    pub description: &'static str,
    /// The protocol whose conventions it follows.
    pub protocol: Protocol,
    /// `true` if credentials are required before the method is checked, as by a Django REST
    /// framework view with permission classes.
    pub credentials_first: bool,
    /// The operations, by method.
    pub operations: &'static [Operation],
}

/// The base of an endpoint's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Base {
    /// [`RouterOptions::prefix`].
    Prefix,
    /// `/api/`; such endpoints exist only with [`RouterOptions::demo`].
    Demo,
    /// The root of the host; such endpoints exist only with [`RouterOptions::well_known`].
    Root,
}

/// The conventions that an endpoint follows: the order of checks, the form of refusals, and the
/// treatment of a path without its trailing slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// Django REST framework's. A path without its trailing slash is redirected, if the options say
    /// so.
    Rest,
    /// Those of gateways: only the head of a request is used, by any method, with and without the
    /// trailing slash and with any path appended.
    Gateway,
    /// OAuth's (RFC 6749 section 5.2), with and without the trailing slash. Such endpoints exist
    /// only if there are [`clients`](RouterOptions::clients).
    OAuth,
    /// Those of public documents, which anybody may read and keep: only `GET` and `HEAD`, without
    /// credentials, at one path.
    Document,
}

/// An endpoint's operation for one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// The method.
    pub verb: Verb,
    /// A summary in a few words.
    pub summary: &'static str,
    /// The credentials that authenticate the client, besides the fields.
    pub credentials: Credentials,
    /// The fields read from a request, and those that Django REST framework would report from the
    /// serializer.
    pub fields: &'static [Field],
    /// The effect on a browser's cookies, if tokens are kept in them.
    pub cookies: Cookies,
    /// All of the operation's own answers; [`outcomes`](Spec::outcomes) adds those of its protocol.
    pub outcomes: &'static [Outcome],
}

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// Any method.
    Any,
    /// `GET`, and with it `HEAD`.
    Get,
    /// `POST`.
    Post,
    /// `DELETE`.
    Delete,
}

/// The credentials that authenticate a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// None besides the fields.
    None,
    /// An access token, in the header or a cookie.
    AccessToken,
    /// An access token, or one of the fields.
    AccessTokenOrField,
    /// An OAuth client's id and secret, in the header or the body.
    Client,
}

/// An operation's effect on a browser's cookies, if tokens are kept in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cookies {
    /// None.
    Untouched,
    /// Sets them, to the tokens of a login.
    Login,
    /// Sets them, if the token came in one, to the tokens of a refresh.
    Renewal,
    /// Removes them.
    Removal,
}

/// A cookie that holds a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenCookie {
    /// The access token's, which also holds a sliding token.
    Access,
    /// The refresh token's.
    Refresh,
}

/// A field of a request, or a member of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    name: Name,
    /// The place in a request.
    pub place: Place,
    /// The type of its value.
    pub value: Value,
    /// Says whether it is required.
    pub presence: Presence,
    /// The cookie that replaces it if it is left out.
    pub cookie: Option<TokenCookie>,
    /// A description in a few words.
    pub description: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Fixed(&'static str),
    /// The login field of the users.
    Login,
}

/// The place of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In the body.
    Body,
    /// In the query.
    Query,
    /// In the path.
    Path,
    /// In the header of this name.
    Header,
}

/// Says whether a field is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// Required, unless a cookie replaces it.
    Required,
    /// It may be left out.
    Optional,
    /// Never read: a member of the answer that `OPTIONS` lists, as upstream does.
    ReadOnly,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// A string.
    Text,
    /// A password, taken exactly as sent.
    Password,
    /// A token in compact form.
    Token,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A whole number.
    Integer,
    /// true or false.
    Boolean,
    /// A time in ISO 8601, in UTC.
    DateTime,
    /// Seconds since 1970 (RFC 7519's NumericDate).
    NumericDate,
    /// A string or a list of strings.
    TextOrList,
    /// A list of strings.
    TextList,
    /// A list of JSON Web Keys (RFC 7517 section 4).
    Keys,
}

/// A possible outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The status.
    pub status: StatusCode,
    /// The stable code of a refusal: the one passed to an [`ErrorShape`](crate::web::ErrorShape)
    /// or, for OAuth's clients, the member `error`.
    pub code: Option<&'static str>,
    /// The condition under which it occurs.
    pub meaning: &'static str,
    /// The body of a success.
    pub body: Body,
}

/// The body of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// None.
    Empty,
    /// An object with these members.
    Object(&'static [Field]),
    /// A list of objects with these members.
    List(&'static [Field]),
    /// A refusal in the form of its protocol or of the application.
    Refusal,
}

impl Spec {
    /// Returns the operation for this method; `HEAD` counts as `GET`.
    pub fn operation(&self, method: &Method) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.verb.is(method))
    }

    /// Returns the header `Allow`; `None` if every method is answered.
    pub fn allow(&self) -> Option<String> {
        let mut methods = Vec::new();
        for operation in self.operations {
            methods.extend(operation.verb.methods()?);
        }
        if self.protocol == Protocol::Rest {
            methods.push("OPTIONS");
        }
        Some(methods.join(", "))
    }

    /// Returns all outcomes of this operation: its own, and those added by its protocol.
    pub fn outcomes(&self, operation: &Operation) -> impl Iterator<Item = &'static Outcome> {
        let (common, of_body): (&[Outcome], &[Outcome]) = match self.protocol {
            Protocol::Rest if operation.reads_body() => (REST, REST_BODY),
            Protocol::Rest => (REST, &[]),
            Protocol::Gateway => (GATEWAY, &[]),
            Protocol::OAuth => (OAUTH, &[]),
            Protocol::Document => (DOCUMENT, &[]),
        };
        let of_token: &[Outcome] = match operation.credentials {
            Credentials::AccessToken | Credentials::AccessTokenOrField => ACCESS_TOKEN,
            Credentials::None | Credentials::Client => &[],
        };
        operation.outcomes.iter().chain(of_token).chain(common).chain(of_body)
    }
}

impl Operation {
    /// `true` if any field is read from a body.
    pub fn reads_body(&self) -> bool {
        self.body_fields().next().is_some()
    }

    /// Returns the fields read from a body.
    pub fn body_fields(&self) -> impl Iterator<Item = &'static Field> {
        let is_read =
            |field: &&Field| field.place == Place::Body && field.presence != Presence::ReadOnly;
        self.fields.iter().filter(is_read)
    }
}

impl Verb {
    fn is(self, method: &Method) -> bool {
        match self.methods() {
            None => true,
            Some(methods) => methods.contains(&method.as_str()),
        }
    }

    /// Returns the methods that it stands for; `None` for any.
    pub const fn methods(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Any => None,
            Self::Get => Some(&["GET", "HEAD"]),
            Self::Post => Some(&["POST"]),
            Self::Delete => Some(&["DELETE"]),
        }
    }
}

impl Field {
    const fn new(name: Name, value: Value, description: &'static str) -> Self {
        let (place, presence) = (Place::Body, Presence::Required);
        Self { name, place, value, presence, cookie: None, description }
    }

    /// Creates a required field of the body.
    pub(super) const fn required(
        name: &'static str,
        value: Value,
        description: &'static str,
    ) -> Self {
        Self::new(Name::Fixed(name), value, description)
    }

    /// Creates a field of the body that may be left out.
    pub(super) const fn optional(
        name: &'static str,
        value: Value,
        description: &'static str,
    ) -> Self {
        Self { presence: Presence::Optional, ..Self::required(name, value, description) }
    }

    /// Creates a member of the answer, for `OPTIONS`.
    pub(super) const fn read_only(
        name: &'static str,
        value: Value,
        description: &'static str,
    ) -> Self {
        Self { presence: Presence::ReadOnly, ..Self::required(name, value, description) }
    }

    /// Creates the login field of the users, whatever its name.
    pub(super) const fn login(description: &'static str) -> Self {
        Self::new(Name::Login, Value::Text, description)
    }

    /// Returns this field with a cookie that replaces it.
    pub(super) const fn or_cookie(self, cookie: TokenCookie) -> Self {
        Self { cookie: Some(cookie), ..self }
    }

    /// Returns this field in a place other than the body.
    pub(super) const fn in_the(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Returns the name with these options.
    pub fn name(self, options: &RouterOptions) -> &str {
        match self.name {
            Name::Fixed(name) => name,
            Name::Login => &options.username_field,
        }
    }
}

impl Outcome {
    /// Creates a success.
    pub(super) const fn success(status: StatusCode, meaning: &'static str, body: Body) -> Self {
        Self { status, code: None, meaning, body }
    }

    /// Creates a refusal with its code.
    pub(super) const fn refusal(
        status: StatusCode,
        code: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { status, code: Some(code), meaning, body: Body::Refusal }
    }
}
