//! `[throttle]`: limits against brute force.

use serde_json::Value;
use simplejwt::settings::value::text;
use simplejwt::throttle::{Limits, Rate};

use super::bind::UNIX;
use super::form::Form;
use super::item::Shown::Default as Def;
use super::item::{Idle, Item, Section, other, switch, word};
use super::server::Server;

/// The limits, and where failures are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Throttle {
    pub(crate) enabled: bool,
    pub(crate) store: CounterStore,
    pub(crate) limits: Limits,
}

/// Where the failures of logins are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CounterStore {
    /// In the database if it has the table, otherwise in memory.
    #[default]
    Auto,
    Database,
    Memory,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { enabled: true, store: CounterStore::Auto, limits: Limits::default() }
    }
}

/// A number from 1 to 1000000, a slash and a unit.
const RATE: Form = Form::Matching(
    "^\\s*0*([1-9][0-9]{0,5}|1000000)/(s|sec|second|seconds|m|min|minute|minutes|h|hour|hours|d|day|\
     days)\\s*$",
);

const fn rate(
    name: &'static str,
    env: &'static str,
    default: &'static str,
    doc: &'static str,
    put: fn(&mut Throttle, &Value) -> Result<(), String>,
) -> Item<Throttle> {
    other(name, env, Def(default), doc, RATE, put)
}

fn read(value: &Value) -> Result<Rate, String> {
    let text = text(value)?;
    text.parse().map_err(|error| format!("is {text:?}: {error}"))
}

pub(super) static SECTION: Section<Throttle> = Section {
    table: "throttle",
    about: "Limits against brute force. Only failures count.",
    items: &[
        switch(
            "enabled",
            "SIMPLEJWT_THROTTLE_ENABLED",
            Def("true"),
            "Answers requests after too many failures with 429. false: something in front does it.",
            |s| &mut s.enabled,
        ),
        word(
            "store",
            "SIMPLEJWT_THROTTLE_STORE",
            Def("\"auto\""),
            "Where failed logins are counted: \"database\" for all servers that share it; \
             \"memory\" for each server by itself; \"auto\" for the database if it has the table \
             simplejwt_throttle, which `simplejwt migrate` creates, and otherwise for memory. Other \
             failures are counted by each server.",
            &[
                ("auto", |s| s.store = CounterStore::Auto),
                ("database", |s| s.store = CounterStore::Database),
                ("memory", |s| s.store = CounterStore::Memory),
            ],
        ),
        rate(
            "login",
            "SIMPLEJWT_THROTTLE_LOGIN",
            "\"10/hour\"",
            "Failed logins to one account from one address (an IPv4 address, or the first 64 bits of \
             an IPv6 address). Then the right password is refused from there, too, until a failure \
             is forgotten: here, after 6 minutes. Units: s, min, hour, day.",
            |s, v| read(v).map(|rate| s.limits.login = rate),
        ),
        rate(
            "login_account",
            "SIMPLEJWT_THROTTLE_LOGIN_ACCOUNT",
            "\"100/hour\"",
            "Failed logins to one account from all addresses. Then each address has one attempt, \
             until its failure is forgotten.",
            |s, v| read(v).map(|rate| s.limits.login_account = rate),
        ),
        rate(
            "login_address",
            "SIMPLEJWT_THROTTLE_LOGIN_ADDRESS",
            "\"300/hour\"",
            "Failed logins from one address, to any accounts.",
            |s, v| read(v).map(|rate| s.limits.login_address = rate),
        ),
        rate(
            "refresh",
            "SIMPLEJWT_THROTTLE_REFRESH",
            "\"300/hour\"",
            "Refreshes with invalid tokens from one address; valid, expired and blacklisted ones \
             don't count, and are never throttled.",
            |s, v| read(v).map(|rate| s.limits.refresh = rate),
        ),
        rate(
            "verify",
            "SIMPLEJWT_THROTTLE_VERIFY",
            "\"1000/hour\"",
            "The same for verify/.",
            |s, v| read(v).map(|rate| s.limits.verify = rate),
        ),
        rate(
            "introspect",
            "SIMPLEJWT_THROTTLE_INTROSPECT",
            "\"100/hour\"",
            "Wrong credentials of OAuth clients from one address, at introspect/ and revoke/. Right \
             ones are never throttled.",
            |s, v| read(v).map(|rate| s.limits.introspect = rate),
        ),
    ],
    idle: &[Idle {
        names: &[
            "store",
            "login",
            "login_account",
            "login_address",
            "refresh",
            "verify",
            "introspect",
        ],
        when: |s| !s.enabled,
        why: "enabled in [throttle] is false: remove one of them",
    }],
};

/// Returns a warning if no client's address will be known.
pub(super) fn warnings(throttle: &Throttle, server: &Server) -> Option<String> {
    (throttle.enabled && server.bind.starts_with(UNIX) && server.num_proxies == 0).then(|| {
        format!(
            "{} has no addresses of clients, so failed logins are counted by account alone, and \
             whoever guesses a password keeps its owner out for minutes: set num_proxies in [server] \
             to the number of proxies in front",
            server.bind
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_without_a_proxy_is_warned_of() {
        let warned = |bind: &str, num_proxies, enabled| {
            let server = Server { bind: bind.into(), num_proxies, ..Server::default() };
            warnings(&Throttle { enabled, ..Throttle::default() }, &server).is_some()
        };
        assert!(warned("unix:/run/simplejwt.sock", 0, true));
        assert!(!warned("unix:/run/simplejwt.sock", 1, true));
        assert!(!warned("unix:/run/simplejwt.sock", 0, false));
        assert!(!warned("0.0.0.0:8000", 0, true));
    }

    #[test]
    fn rates_that_are_none_are_refused_with_what_to_write() {
        for text in ["5", "5/week", "0/min", "1000001/s", "many/hour", "5 / min", "5/Min"] {
            let told = read(&Value::from(text)).unwrap_err();
            assert!(told.contains("\"10/hour\""), "{told}");
        }
        assert_eq!(read(&Value::from(" 05/m ")).unwrap().to_string(), "5/min");
    }
}
