//! The client that a request came from.

use std::net::IpAddr;

use http::header::{HeaderValue, USER_AGENT};
use http::request::Parts;

#[cfg(feature = "web")]
use super::request_id::RequestId;
#[cfg(feature = "web")]
use crate::service::Auth;
use crate::store::session::Client;

/// The client's address, put into a request's extensions by the program that accepts the
/// connection, or taken from a trusted proxy. Never supplied by the client itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Returns the request's client.
pub fn client(parts: &Parts) -> Client {
    seen(parts)()
}

/// Keeps what makes the request's client, which most requests don't need.
fn seen(parts: &Parts) -> impl Fn() -> Client + Send + Sync + 'static {
    let address = parts.extensions.get::<ClientAddress>().copied();
    let mut user_agents = parts.headers.get_all(USER_AGENT).iter().cloned();
    let user_agent = user_agents.next();
    let others: Vec<HeaderValue> = user_agents.collect();
    move || {
        // A client should have a single text form: on a dual-stack socket an IPv4 client is
        // `::ffff:192.0.2.1`.
        let address = address.map(|client| client.0.to_canonical().to_string());
        // Bytes beyond ASCII have no agreed meaning in this header.
        let user_agents = user_agent.iter().chain(&others);
        let user_agents: Vec<_> =
            user_agents.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let user_agent = (!user_agents.is_empty()).then(|| user_agents.join(", "));
        Client::new(address.as_deref(), user_agent.as_deref())
    }
}

/// The flows for this request: from its client, and with the [`RequestId`] that its extensions may have.
#[cfg(feature = "web")]
pub(super) fn flows_for(auth: &Auth, parts: &Parts) -> Auth {
    auth.for_call(seen(parts), parts.extensions.get::<RequestId>().map(RequestId::shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_one_address_by_whatever_socket_it_comes() {
        for (seen, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            let (mut parts, ()) = http::Request::new(()).into_parts();
            parts.extensions.insert(ClientAddress(seen.parse().unwrap()));
            assert_eq!(client(&parts).address.as_deref(), Some(expected));
        }
    }
}
