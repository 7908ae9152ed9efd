//! Where a request came from.

use std::net::IpAddr;

use http::header::USER_AGENT;
use http::request::Parts;

use crate::store::session::Client;

/// The client's address, put into a request's extensions by whoever knows it: the program that
/// accepts the connection, or what is told by a proxy that can be trusted. Never by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The request's client.
pub fn client(parts: &Parts) -> Client {
    let address = parts.extensions.get::<ClientAddress>().map(|client| client.0.to_string());
    let user_agent = parts.headers.get(USER_AGENT).map(|value| {
        // Bytes beyond ASCII have no agreed meaning here.
        String::from_utf8_lossy(value.as_bytes()).into_owned()
    });
    Client::new(address.as_deref(), user_agent.as_deref())
}
