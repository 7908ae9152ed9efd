//! A request to an endpoint, as the endpoint's own file gets it, and what it answers with.

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde::Serialize;

use super::spec::{Field, Operation};
use super::{Endpoint, RouterOptions, metadata};
use crate::error::Error;
use crate::event::Actor;
use crate::service::Auth;
use crate::token::{Access, Token};
use crate::users::Credentials;
use crate::web::body::Data;
use crate::web::json::Value;
use crate::web::object::{Json, object};
use crate::web::transport::access_tokens;
use crate::web::validate::{self, Kind};
use crate::web::{json_response, request};

/// A request whose form has been found good.
pub(super) struct Call<'a> {
    /// The flows, for this client.
    pub(super) auth: &'a Auth,
    pub(super) endpoint: Endpoint,
    pub(super) options: &'a RouterOptions,
    pub(super) parts: &'a Parts,
    /// What the endpoint does by this method; `None` where it does nothing.
    pub(super) operation: Option<&'static Operation>,
    /// The fields of the body that the operation reads.
    pub(super) data: Data,
    /// The OAuth client that asks, at the endpoints that are for such clients.
    pub(super) client_id: Option<&'a str>,
    /// How far JSON is indented.
    pub(super) indent: Option<usize>,
}

/// What an endpoint answers with.
pub(super) type Answer = Result<Response<Vec<u8>>, Refusal>;

/// Why it doesn't do what it was asked for.
pub(super) enum Refusal {
    /// For this error, which its protocol knows how to put.
    Flow(Error),
    /// For this error, with headers that remove cookies.
    Parting(Error, Vec<(HeaderName, HeaderValue)>),
    /// With this status and body.
    Other(StatusCode, Json),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Flow(error)
    }
}

/// The refusal of fields: each with its reasons.
pub(super) fn invalid(errors: validate::Errors) -> Refusal {
    Refusal::Other(StatusCode::BAD_REQUEST, errors)
}

impl<'a> Call<'a> {
    /// Without a body, and from nobody.
    pub(super) fn new(
        auth: &'a Auth,
        endpoint: Endpoint,
        options: &'a RouterOptions,
        parts: &'a Parts,
    ) -> Self {
        let operation = endpoint.spec().operation(&parts.method);
        let data = Data::Form(Vec::new());
        Self { auth, endpoint, options, parts, operation, data, client_id: None, indent: None }
    }

    /// The answer to a method by which the endpoint does nothing.
    pub(super) fn without_operation(&self) -> Answer {
        if self.parts.method == Method::OPTIONS {
            return Ok(self.json(&metadata::of(self.endpoint.spec(), self.options)));
        }
        let detail = format!("Method \"{}\" not allowed.", self.parts.method);
        Err(Refusal::Other(StatusCode::METHOD_NOT_ALLOWED, object([("detail", detail.into())])))
    }

    /// 200 with this body.
    pub(super) fn json(&self, body: &impl Serialize) -> Response<Vec<u8>> {
        json_response(StatusCode::OK, body, self.indent)
    }

    /// What a login is tried with.
    ///
    /// # Errors
    /// Why the fields are refused.
    pub(super) fn credentials(&self) -> Result<Credentials, Refusal> {
        let name = self.options.username_field.as_str();
        let fields = [(name, Kind::Trimmed), ("password", Kind::Password)];
        let [username, password] = validate::fields(&self.data, fields).map_err(invalid)?;
        Ok(Credentials::new(username, password))
    }

    /// A field that may be left out.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn optional(&self, field: &Field) -> Result<Option<String>, Refusal> {
        validate::optional(&self.data, field.name(self.options), Kind::Trimmed).map_err(invalid)
    }

    /// A field that has been found to be there, exactly as it was sent.
    pub(super) fn as_sent(&self, field: &Field) -> &str {
        match self.data.field(field.name(self.options)) {
            Some(Value::Text(text)) => &text.value,
            _ => "",
        }
    }

    /// The access token, verified.
    ///
    /// # Errors
    /// There is none, or it isn't good.
    pub(super) async fn access_token(&self) -> Result<Token<Access>, Error> {
        let parts = self.parts;
        let settings = self.auth.settings();
        let sent = access_tokens(&parts.method, &parts.uri, &parts.headers, settings)?;
        request::verify(self.auth, &sent).await
    }

    /// Refuses whoever isn't staff, by the user's row: a token doesn't say. Who it is.
    ///
    /// # Errors
    /// [`Error::PermissionDenied`]; those of [`access_token`](Self::access_token).
    pub(super) async fn require_staff(&self) -> Result<Actor, Error> {
        let token = self.access_token().await?;
        let user = self.auth.user_of(&token).await?;
        match user.is_staff {
            true => Ok(Actor::Staff { user_id: user.id }),
            false => Err(Error::PermissionDenied),
        }
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Vec<u8>> {
    let mut response = json_response(status, &Json::Null, None);
    response.body_mut().clear();
    response.headers_mut().remove(CONTENT_TYPE);
    response
}
