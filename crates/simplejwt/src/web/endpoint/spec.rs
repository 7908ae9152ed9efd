//! What an endpoint is, as data: its routes, the answer to `OPTIONS`, `Allow`, what a body is looked
//! through for, its cookies and the table in docs/http-api.md come of it.

mod common;

use http::{Method, StatusCode};

use super::RouterOptions;
use common::{ACCESS_TOKEN, GATEWAY, OAUTH, REST, REST_BODY};
pub(super) use common::{
    AMBIGUOUS_COOKIES, BLACKLIST_DISABLED, FAULT, LOGIN_DISABLED, NO_ACTIVE_ACCOUNT, NO_COOKIE,
    NO_SUCH_USER, PASSWORD_CHANGED, PERMISSION_DENIED, SESSIONS_DISABLED, SIGNING_DISABLED,
    TOKEN_NOT_VALID, TOKEN_TOO_LONG, USER_INACTIVE, USER_NOT_FOUND,
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
    /// Where it stands below its [`base`](Self::base): ends with a slash or is empty, and has the
    /// names of its parameters in braces.
    pub path: &'static str,
    /// What the path is below.
    pub base: Base,
    /// The name, as `OPTIONS` tells it.
    pub name: &'static str,
    /// What it does, as `OPTIONS` tells it: of upstream's views upstream's words.
    pub description: &'static str,
    /// Whose conventions it keeps.
    pub protocol: Protocol,
    /// Whether credentials are asked for before the method is looked at, as by a view of Django
    /// REST framework's with permission classes.
    pub credentials_first: bool,
    /// What it does, by method.
    pub operations: &'static [Operation],
}

/// What an endpoint's path is below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Base {
    /// [`RouterOptions::prefix`].
    Prefix,
    /// `/api/`, and there only with [`RouterOptions::demo`].
    Demo,
}

/// Whose conventions an endpoint keeps: in which order a request is checked, what refusals look
/// like, and what becomes of a path without its last slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// Django REST framework's. A path without its last slash is redirected, if the options say so.
    Rest,
    /// What gateways ask: of a request the head alone, by any method, with and without the last
    /// slash and with anything behind it.
    Gateway,
    /// OAuth's (RFC 6749 section 5.2), with and without the last slash. There only where there are
    /// [`clients`](RouterOptions::clients).
    OAuth,
}

/// What an endpoint does when it is asked by one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// The method.
    pub verb: Verb,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// What proves who asks, beside the fields.
    pub credentials: Credentials,
    /// What is read of a request, and what Django REST framework would tell of the serializer.
    pub fields: &'static [Field],
    /// What becomes of a browser's cookies, where tokens are kept in them.
    pub cookies: Cookies,
    /// Every answer that is this operation's own; [`outcomes`](Spec::outcomes) has those that its
    /// protocol adds.
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

/// What proves who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// Nothing beside the fields.
    None,
    /// An access token, in the header or a cookie.
    AccessToken,
    /// An access token, or one of the fields.
    AccessTokenOrField,
    /// An OAuth client's id and secret, in the header or the body.
    Client,
}

/// What an operation does with the cookies of a browser, where tokens are kept in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cookies {
    /// Nothing.
    Untouched,
    /// Sets them: the tokens of a login.
    Login,
    /// Sets them where the token came in one: the tokens of a refresh.
    Renewal,
    /// Removes them.
    Removal,
}

/// A cookie that holds a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenCookie {
    /// The access token's; a sliding token is in it, too.
    Access,
    /// The refresh token's.
    Refresh,
}

/// What is read of a request, or a member of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    name: Name,
    /// Where it stands in a request.
    pub place: Place,
    /// What it holds.
    pub value: Value,
    /// Whether it has to be there.
    pub presence: Presence,
    /// The cookie that stands for it where it is left out.
    pub cookie: Option<TokenCookie>,
    /// What it is, in a few words.
    pub description: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Fixed(&'static str),
    /// The login field of the users.
    Login,
}

/// Where a field stands.
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

/// Whether a field has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// It has to be there, unless a cookie stands for it.
    Required,
    /// It may be left out.
    Optional,
    /// It is never read: a member of the answer that `OPTIONS` tells of, as upstream does.
    ReadOnly,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// A string.
    Text,
    /// A password, taken exactly as it was sent.
    Password,
    /// A token in compact form.
    Token,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A whole number.
    Integer,
    /// true or false.
    Boolean,
    /// A moment, as ISO 8601 has it, in UTC.
    DateTime,
    /// Seconds since 1970 (RFC 7519's NumericDate).
    NumericDate,
    /// A string or a list of strings.
    TextOrList,
}

/// One way in which an operation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The status.
    pub status: StatusCode,
    /// The stable code of a refusal: what an [`ErrorShape`](crate::web::ErrorShape) is told, or
    /// for OAuth's clients the member `error`.
    pub code: Option<&'static str>,
    /// When it is answered.
    pub meaning: &'static str,
    /// What the body of a success is.
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
    /// A refusal in its protocol's form, or the application's.
    Refusal,
}

impl Spec {
    /// The operation of this method; `HEAD` is `GET`.
    pub fn operation(&self, method: &Method) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.verb.is(method))
    }

    /// The header `Allow`; `None` where any method is answered.
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

    /// Every way in which this operation ends: its own, and what its protocol adds.
    pub fn outcomes(&self, operation: &Operation) -> impl Iterator<Item = &'static Outcome> {
        let (common, of_body): (&[Outcome], &[Outcome]) = match self.protocol {
            Protocol::Rest if operation.reads_body() => (REST, REST_BODY),
            Protocol::Rest => (REST, &[]),
            Protocol::Gateway => (GATEWAY, &[]),
            Protocol::OAuth => (OAUTH, &[]),
        };
        let of_token: &[Outcome] = match operation.credentials {
            Credentials::AccessToken | Credentials::AccessTokenOrField => ACCESS_TOKEN,
            Credentials::None | Credentials::Client => &[],
        };
        operation.outcomes.iter().chain(of_token).chain(common).chain(of_body)
    }
}

impl Operation {
    /// Whether there is anything to be read of a body.
    pub fn reads_body(&self) -> bool {
        self.body_fields().next().is_some()
    }

    /// The fields that a body is looked through for.
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

    /// The methods that it stands for; `None` for any.
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

    /// A field of the body that has to be there.
    pub(super) const fn required(
        name: &'static str,
        value: Value,
        description: &'static str,
    ) -> Self {
        Self::new(Name::Fixed(name), value, description)
    }

    /// A field of the body that may be left out.
    pub(super) const fn optional(
        name: &'static str,
        value: Value,
        description: &'static str,
    ) -> Self {
        Self { presence: Presence::Optional, ..Self::required(name, value, description) }
    }

    /// A member of the answer that `OPTIONS` tells of.
    pub(super) const fn read_only(
        name: &'static str,
        value: Value,
        description: &'static str,
    ) -> Self {
        Self { presence: Presence::ReadOnly, ..Self::required(name, value, description) }
    }

    /// The login field of the users, whatever its name.
    pub(super) const fn login(description: &'static str) -> Self {
        Self::new(Name::Login, Value::Text, description)
    }

    /// This field, for which a cookie can stand.
    pub(super) const fn or_cookie(self, cookie: TokenCookie) -> Self {
        Self { cookie: Some(cookie), ..self }
    }

    /// This field, elsewhere than in the body.
    pub(super) const fn in_the(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// The name, as these options have it.
    pub fn name(self, options: &RouterOptions) -> &str {
        match self.name {
            Name::Fixed(name) => name,
            Name::Login => &options.username_field,
        }
    }
}

impl Outcome {
    /// A success.
    pub(super) const fn success(status: StatusCode, meaning: &'static str, body: Body) -> Self {
        Self { status, code: None, meaning, body }
    }

    /// A refusal with its code.
    pub(super) const fn refusal(
        status: StatusCode,
        code: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { status, code: Some(code), meaning, body: Body::Refusal }
    }
}
