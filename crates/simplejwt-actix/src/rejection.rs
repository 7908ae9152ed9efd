//! The answer to a request that an extractor refuses.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use simplejwt::web::{error_response, refuse, status};
use simplejwt::{Auth, Error, Settings};

use crate::convert;

/// The answer to a request that an extractor refuses: upstream's status, body and
/// `WWW-Authenticate`.
#[derive(Debug)]
pub struct Rejection {
    /// The reason.
    pub error: Error,
    response: Box<http::Response<Vec<u8>>>,
}

impl Rejection {
    pub(crate) fn new(error: Error, auth: &Auth) -> Self {
        Self { response: Box::new(refuse(&error, auth)), error }
    }

    /// There is no `Auth` in the application's data.
    pub(crate) fn not_configured() -> Self {
        let error = Error::Hook(
            "no `Auth` in the application's data: add `.app_data(auth)`, or `configure`".into(),
        );
        Self { response: Box::new(error_response(&error, &Settings::default())), error }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Rejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        convert::status(status(&self.error))
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        convert::response((*self.response).clone())
    }
}
