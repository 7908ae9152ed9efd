//! The requests that are counted.

use anyhow::{Context as _, Result};

use super::site::{CLIENT, LOGIN, Server};
use crate::bench::http::{Connection, text_of};

/// A request, of which so many are sent.
pub(super) struct Request {
    pub(super) name: &'static str,
    pub(super) server: Server,
    pub(super) count: u32,
    ask: Ask,
    status: u16,
}

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Get(&'static str),
    /// With an access token.
    GetAs(&'static str),
    /// With an access token that nobody has signed.
    GetForged(&'static str),
    Verify,
    /// With a body that lacks the token.
    VerifyNothing,
    Introspect,
    Login,
    /// With the refresh token that was answered last.
    Refresh,
    /// Of a session of its own.
    Logout,
}

/// All of them, those of a server in the order in which they are counted.
pub(super) const ALL: [Request; 15] = [
    of_rotating("healthz", 500, Ask::Get("/healthz"), 200),
    of_rotating("unknown-path", 500, Ask::Get("/api/unknown/"), 404),
    of_rotating("verify", 300, Ask::Verify, 200),
    of_rotating("protected-stateless", 300, Ask::GetAs("/api/protected-stateless/"), 200),
    of_rotating("bad-token", 300, Ask::GetForged("/api/protected-stateless/"), 401),
    of_rotating("bad-body", 300, Ask::VerifyNothing, 400),
    of_rotating("protected", 300, Ask::GetAs("/api/protected/"), 200),
    of_rotating("authenticate", 300, Ask::GetAs("/api/token/authenticate/"), 204),
    of_rotating("sessions", 300, Ask::GetAs("/api/token/sessions/"), 200),
    of_rotating("introspect", 300, Ask::Introspect, 200),
    of_rotating("rotation", 200, Ask::Refresh, 200),
    of_rotating("login", 200, Ask::Login, 200),
    of_rotating("logout", 200, Ask::Logout, 200),
    of_plain("verify-unlisted", 300, Ask::Verify, 200),
    of_plain("refresh", 300, Ask::Refresh, 200),
];

const fn of_rotating(name: &'static str, count: u32, ask: Ask, status: u16) -> Request {
    Request { name, server: Server::Rotating, count, ask, status }
}

const fn of_plain(name: &'static str, count: u32, ask: Ask, status: u16) -> Request {
    Request { name, server: Server::Plain, count, ask, status }
}

/// A client with its tokens, on one connection.
pub(super) struct Client {
    connection: Connection,
    access: String,
    /// One of each session, the last of which is used first.
    refresh: Vec<String>,
}

impl Client {
    /// Logs in.
    ///
    /// # Errors
    /// The login fails.
    pub(super) fn new(address: &str) -> Result<Self> {
        let connection = Connection::to(address);
        let mut client = Self { connection, access: String::new(), refresh: Vec::new() };
        client.send(Ask::Login, 200)?;
        Ok(client)
    }

    /// Prepares this number of requests.
    ///
    /// # Errors
    /// A login fails.
    pub(super) fn prepare(&mut self, request: &Request, count: u32) -> Result<()> {
        let sessions = if request.ask == Ask::Logout { count } else { 0 };
        (0..sessions).try_for_each(|_| self.send(Ask::Login, 200))
    }

    /// Sends a request.
    ///
    /// # Errors
    /// It isn't answered as it should be.
    pub(super) fn ask(&mut self, request: &Request) -> Result<()> {
        self.send(request.ask, request.status)
    }

    fn send(&mut self, ask: Ask, expected: u16) -> Result<()> {
        const JSON: &str = "Content-Type: application/json\r\n";
        let refresh = match ask {
            Ask::Refresh | Ask::Logout => self.refresh.pop().context("no refresh token is left")?,
            _ => String::new(),
        };
        let (access, refreshing) = (&self.access, || format!("{{\"refresh\":\"{refresh}\"}}"));
        let connection = &mut self.connection;
        let (status, answer) = match ask {
            Ask::Get(path) => connection.ask("GET", path, "", ""),
            Ask::GetAs(path) => connection.get(path, access),
            Ask::GetForged(path) => connection.get(path, &forged(access)),
            Ask::VerifyNothing => connection.post("/api/token/verify/", "{}"),
            Ask::Verify => {
                connection.post("/api/token/verify/", &format!("{{\"token\":\"{access}\"}}"))
            }
            Ask::Introspect => {
                let form = "Content-Type: application/x-www-form-urlencoded\r\n";
                let headers = format!("{form}Authorization: Basic {CLIENT}\r\n");
                let body = format!("token={access}");
                connection.ask("POST", "/api/token/introspect/", &headers, &body)
            }
            Ask::Login => connection.ask("POST", "/api/token/", JSON, LOGIN),
            Ask::Refresh => connection.ask("POST", "/api/token/refresh/", JSON, &refreshing()),
            Ask::Logout => connection.ask("POST", "/api/token/logout/", JSON, &refreshing()),
        }?;
        anyhow::ensure!(status == expected, "{status} instead of {expected}: {answer}");
        if let Some(access) = text_of(answer, "access") {
            access.clone_into(&mut self.access);
        }
        match (ask, text_of(answer, "refresh")) {
            (Ask::Login | Ask::Refresh, Some(next)) => self.refresh.push(next.to_owned()),
            // Without rotation it is still good.
            (Ask::Refresh, None) => self.refresh.push(refresh),
            _ => {}
        }
        Ok(())
    }
}

/// Returns the token with another signature.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let signature: String = signature.chars().rev().collect();
    // The last character has bits that must be zero.
    format!("{signed}.A{}A", signature.get(2..).unwrap_or_default())
}
