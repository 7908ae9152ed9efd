//! How clients reach the server: addresses, proxies, TLS.

use std::net::IpAddr;
use std::time::Duration;

use simplejwt::Timestamp;

use super::certificate::Validity;
use super::finding::{DAY, Finding, Severity};
use crate::config::{Config, UNIX};

/// The days before its end on which a certificate should have been renewed.
const SOON: Duration = DAY.saturating_mul(14);

/// Returns `true` for a name or address of this machine alone.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns `true` if other machines can connect.
fn is_public(bind: &str) -> bool {
    let host = bind.rsplit_once(':').map_or(bind, |(host, _)| host);
    !bind.starts_with(UNIX) && !is_loopback(host)
}

/// The certificate, if there is one and its times could be read.
pub(super) fn findings(
    config: &Config,
    certificate: Option<&Validity>,
    now: Timestamp,
) -> Vec<Finding> {
    let server = &config.server;
    let bind = server.bind.as_str();
    let (is_public, has_tls) = (is_public(bind), config.tls.certificate.is_some());
    let port = bind.rsplit_once(':').map_or("8000", |(_, port)| port);
    let mut findings = vec![match (is_public, has_tls, server.num_proxies) {
        (_, true, _) => Finding::ok("encryption", format!("{bind} speaks TLS")),
        (false, false, _) => {
            Finding::ok("encryption", format!("{bind} is reached from this machine alone"))
        }
        (true, false, 0) => Finding::warning(
            "plain_http",
            format!("{bind} speaks plain HTTP to other machines, and no proxy is configured"),
            "passwords and tokens can be read on the way. Either listen on this machine alone, \
             behind a proxy with a certificate; or name a certificate in [tls]; or, if the proxy is \
             on another machine, write num_proxies",
        )
        .write("server.bind", format!("127.0.0.1:{port}")),
        (true, false, proxies) => Finding::note(
            "reachable_past_proxies",
            format!("{bind} is behind {}, and other machines can connect to it", counted(proxies)),
            "whoever reaches it past them speaks plain HTTP, and chooses the client's address that \
             is recorded: a firewall has to keep others out. In a container that is the usual case",
        )
        .write("server.bind", format!("127.0.0.1:{port}")),
    }];
    findings.push(match server.num_proxies {
        0 => Finding::ok("client_address", "a client's address is that of its connection"),
        proxies => Finding::ok(
            "client_address",
            format!("a client's address is what {} wrote into a header", counted(proxies)),
        ),
    });
    if server.demo {
        let found = "/api/protected/ is served, for trying out tokens (demo is true)";
        let why = "it is of no use to anybody else";
        let severity = if is_public { Severity::Warning } else { Severity::Note };
        let code = if is_public { "public_demo" } else { "demo" };
        findings.push(Finding::new(code, severity, found, why).write("server.demo", false));
    }
    findings.extend(certificate.and_then(|times| of_certificate(config, times, now)));
    findings
}

fn counted(proxies: usize) -> String {
    if proxies == 1 { "one proxy".to_owned() } else { format!("{proxies} proxies") }
}

fn of_certificate(config: &Config, times: &Validity, now: Timestamp) -> Option<Finding> {
    let path = config.tls.certificate.as_ref()?.display();
    let left = times.not_after - now.as_secs();
    let days = left.abs() / 86_400;
    let renew = format!("renew {path}: a running server reads it again when it changes");
    Some(if left < 0 {
        Finding::new(
            "certificate_expired",
            Severity::Error,
            format!("the certificate in {path} expired {days} days ago"),
            "clients refuse it",
        )
        .act(renew)
    } else if now.as_secs() < times.not_before {
        Finding::new(
            "certificate_not_yet_valid",
            Severity::Error,
            format!("the certificate in {path} isn't valid yet"),
            "clients refuse it until then; or this machine's clock is wrong",
        )
        .act(renew)
    } else if left < i64::try_from(SOON.as_secs()).unwrap_or(i64::MAX) {
        Finding::warning(
            "certificate_expires_soon",
            format!("the certificate in {path} expires in {days} days"),
            "it should have been renewed by now: clients refuse an expired one",
        )
        .act(renew)
    } else {
        Finding::ok("certificate", format!("the certificate in {path} is valid for {days} days"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::told;
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn of(bind: &str, proxies: usize, tls: bool, demo: bool) -> Vec<(&'static str, Severity)> {
        let mut config = Config::default();
        config.server.bind = bind.into();
        config.server.num_proxies = proxies;
        config.server.demo = demo;
        config.tls.certificate = tls.then(|| "chain.pem".into());
        told(&findings(&config, None, Timestamp::from_secs(NOW)))
    }

    #[test]
    fn weak_and_strong() {
        for local in ["127.0.0.1:8000", "localhost:1", "[::1]:8000", "unix:/run/a.sock"] {
            assert_eq!(of(local, 0, false, false), [], "{local}");
            assert_eq!(of(local, 1, false, true), [("demo", Severity::Note)], "{local}");
        }
        for public in ["0.0.0.0:8000", "[::]:8000", "10.0.0.1:80", "auth.example.com:80"] {
            assert_eq!(of(public, 0, false, false), [("plain_http", Severity::Warning)]);
            assert_eq!(of(public, 2, false, false), [("reachable_past_proxies", Severity::Note)]);
            assert_eq!(of(public, 0, true, false), []);
            assert_eq!(of(public, 0, true, true), [("public_demo", Severity::Warning)]);
        }
    }

    #[test]
    fn the_port_is_kept() {
        let mut config = Config::default();
        config.server.bind = "[::]:8443".into();
        let findings = findings(&config, None, Timestamp::from_secs(NOW));
        let line =
            super::super::finding::Remedy::Write("server.bind".into(), "127.0.0.1:8443".into());
        assert_eq!(findings[0].remedies, [line]);
    }

    #[test]
    fn the_certificate_s_times() {
        let day = 86_400;
        for (before, after, expected) in [
            (-day, 30 * day, None),
            (-day, 14 * day, None),
            (-day, 13 * day, Some(("certificate_expires_soon", Severity::Warning))),
            (-day, 0, Some(("certificate_expires_soon", Severity::Warning))),
            (-2 * day, -1, Some(("certificate_expired", Severity::Error))),
            (day, 30 * day, Some(("certificate_not_yet_valid", Severity::Error))),
        ] {
            let mut config = Config::default();
            config.tls.certificate = Some("chain.pem".into());
            let times = Validity { not_before: NOW + before, not_after: NOW + after };
            let found = told(&findings(&config, Some(&times), Timestamp::from_secs(NOW)));
            assert_eq!(found, Vec::from_iter(expected), "{before} {after}");
        }
    }
}
