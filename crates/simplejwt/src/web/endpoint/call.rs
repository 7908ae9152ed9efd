//! A request as the endpoints' own files receive it, and their answer.

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde::Serialize;

use super::oauth::OAuthClient;
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
use crate::web::validate::{self, CharField};
use crate::web::{json_response, request};

/// A request that has passed its protocol's checks.
pub(super) struct Call<'a> {
    /// The flows, for this client.
    pub(super) auth: &'a Auth,
    pub(super) endpoint: Endpoint,
    pub(super) options: &'a RouterOptions,
    pub(super) parts: &'a Parts,
    /// The endpoint's operation for this method; `None` if there is none.
    pub(super) operation: Option<&'static Operation>,
    /// The fields of the body that the operation reads.
    pub(super) data: Data,
    /// The OAuth client, at the endpoints for such clients.
    pub(super) client: Option<&'a OAuthClient>,
    /// The indentation of JSON, in spaces.
    pub(super) indent: Option<usize>,
}

/// An endpoint's answer.
pub(super) type Answer = Result<Response<Vec<u8>>, Refusal>;

/// The reason an endpoint refuses a request.
pub(super) enum Refusal {
    /// This error, in the form of its protocol.
    Flow(Error),
    /// This error, with headers that remove cookies.
    RemovingCookies(Error, Vec<(HeaderName, HeaderValue)>),
    /// This status and body.
    Other(StatusCode, Json),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Flow(error)
    }
}

/// Refuses fields, each with its reasons.
pub(super) fn invalid(errors: validate::Errors) -> Refusal {
    Refusal::Other(StatusCode::BAD_REQUEST, errors)
}

impl<'a> Call<'a> {
    /// Creates a call without a body and without a client.
    pub(super) fn new(
        auth: &'a Auth,
        endpoint: Endpoint,
        options: &'a RouterOptions,
        parts: &'a Parts,
    ) -> Self {
        let operation = endpoint.spec().operation(&parts.method);
        let data = Data::Form(Vec::new());
        Self { auth, endpoint, options, parts, operation, data, client: None, indent: None }
    }

    /// Answers a method for which the endpoint has no operation.
    pub(super) fn without_operation(&self) -> Answer {
        if self.parts.method == Method::OPTIONS {
            return Ok(self.json(&metadata::of(self.endpoint.spec(), self.options)));
        }
        let detail = format!("Method \"{}\" not allowed.", self.parts.method);
        Err(Refusal::Other(StatusCode::METHOD_NOT_ALLOWED, object([("detail", detail.into())])))
    }

    /// Answers 200 with this body.
    pub(super) fn json(&self, body: &impl Serialize) -> Response<Vec<u8>> {
        json_response(StatusCode::OK, body, self.indent)
    }

    /// Returns the credentials for a login.
    ///
    /// # Errors
    /// The reasons why the fields are refused.
    pub(super) fn credentials(&self) -> Result<Credentials, Refusal> {
        let name = self.options.username_field.as_str();
        let fields = [(name, CharField::Trimmed), ("password", CharField::Password)];
        let [username, password] = validate::fields(&self.data, fields).map_err(invalid)?;
        Ok(Credentials::new(username, password))
    }

    /// Reads a field that may be left out.
    ///
    /// # Errors
    /// The reasons why it is refused.
    pub(super) fn optional(&self, field: &Field) -> Result<Option<String>, Refusal> {
        validate::optional(&self.data, field.name(self.options), CharField::Trimmed)
            .map_err(invalid)
    }

    /// Returns a field that is known to be present, exactly as sent.
    pub(super) fn as_sent(&self, field: &Field) -> &str {
        match self.data.field(field.name(self.options)) {
            Some(Value::Text(text)) => &text.value,
            _ => "",
        }
    }

    /// Verifies the access token.
    ///
    /// # Errors
    /// The token is missing or invalid.
    pub(super) async fn access_token(&self) -> Result<Token<Access>, Error> {
        let parts = self.parts;
        let settings = self.auth.settings();
        let sent = access_tokens(&parts.method, &parts.uri, &parts.headers, settings)?;
        request::verify(self.auth, &sent).await
    }

    /// Refuses clients that aren't staff, by the user's row, since tokens don't contain that.
    /// Returns the user.
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

/// Makes an answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Vec<u8>> {
    let mut response = json_response(status, &Json::Null, None);
    response.body_mut().clear();
    response.headers_mut().remove(CONTENT_TYPE);
    response
}
