//! What a URL says of a PostgreSQL server, and how it is connected to.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{
    ChannelBinding, Host, LoadBalanceHosts, SslMode, SslNegotiation, TargetSessionAttrs,
};

use super::explain::ConnectError;
use super::parameters::URL_PARAMETERS;
use crate::sql::tls::{IdentityFiles, TlsOptions, Verify};
use crate::sql::url::{Parts, Query, same};

/// A URL, taken apart.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) config: tokio_postgres::Config,
    verify: Verify,
    roots: Option<PathBuf>,
    identity: Option<IdentityFiles>,
}

const SYSTEM: &str = "system";

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        Self::read(url).map(|(target, _)| target)
    }

    /// The target, and what is to be told of the URL.
    fn read(url: &str) -> Result<(Self, Vec<String>), ConnectError> {
        let wrong = ConnectError::Url;
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .ok_or_else(|| wrong(format!("is not one: {HOW}")))?;
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parts = Parts::parse(before).map_err(wrong)?;
        let query = Query::parse(query, URL_PARAMETERS).map_err(wrong)?;
        parts.replace(&query);
        let mut config = config_of(&parts, &query).map_err(wrong)?;
        let roots = query.get(&["sslrootcert"]).map(PathBuf::from);
        // libpq's word for those that the operating system trusts.
        let system = roots.as_deref() == Some(SYSTEM.as_ref());
        let roots = roots.filter(|_| !system);
        let (ssl, verify) = secured(&query, roots.is_some(), system).map_err(wrong)?;
        let identity = match (query.get(&["sslcert"]), query.get(&["sslkey"])) {
            (None, None) => None,
            (None, Some(_)) => {
                return Err(wrong("has sslkey without sslcert: name the certificate, too".into()));
            }
            (Some(certificate), key) => Some(IdentityFiles {
                certificate: certificate.into(),
                key: key.unwrap_or(certificate).into(),
            }),
        };
        // Nobody listens in on a socket, and a server's certificate has no name for it.
        let is_local = |host: &Host| !matches!(host, Host::Tcp(_));
        let local = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_local);
        config.ssl_mode(if local { SslMode::Disable } else { ssl });
        let direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        if direct && config.get_ssl_mode() == SslMode::Prefer {
            return Err(wrong(
                "has sslnegotiation=direct, which needs sslmode=require, verify-ca or verify-full"
                    .into(),
            ));
        }
        let target = Self { config, verify, roots, identity };
        Ok((target, query.warning().into_iter().collect()))
    }

    /// What the URL says of TLS.
    pub(super) fn tls_options(&self) -> TlsOptions {
        TlsOptions {
            verify: self.verify,
            authorities: self.roots.clone(),
            identity: self.identity.clone(),
        }
    }

    /// Where it is, for messages.
    pub(super) fn server(&self) -> String {
        let ports = self.config.get_ports();
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let of_host = |(at, host): (usize, &Host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(at)),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        };
        let (hosts, addresses) = (self.config.get_hosts(), self.config.get_hostaddrs());
        let names: Vec<_> = match hosts {
            [] => (0..).zip(addresses).map(|(at, ip)| format!("{ip}:{}", port(at))).collect(),
            hosts => hosts.iter().enumerate().map(of_host).collect(),
        };
        names.join(", ")
    }
}

/// Leaves the password out.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("server", &self.server())
            .field("database", &self.config.get_dbname())
            .field("user", &self.config.get_user())
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

const HOW: &str = "write postgres://user:password@host/database";

/// What of a URL has no effect, told as sentences; nothing if all of it has.
///
/// ```
/// use simplejwt::postgres::url_warnings;
///
/// let told = url_warnings("postgres://app:secret@db.example.com/app?conn_max_age=60").unwrap();
/// assert!(told[0].contains("conn_max_age has no effect"));
/// ```
///
/// # Errors
/// [`ConnectError::Url`]: the URL can't be what was meant, or asks for what isn't supported.
pub fn url_warnings(url: &str) -> Result<Vec<String>, ConnectError> {
    Target::read(url).map(|(_, warnings)| warnings)
}

/// All but TLS. The error is the end of a sentence about the URL.
fn config_of(parts: &Parts, query: &Query) -> Result<tokio_postgres::Config, String> {
    let mut config = tokio_postgres::Config::new();
    let seconds = |name: &str| number(query, name).map(|n| n.filter(|n| *n > 0));
    for host in &parts.hosts {
        if host.is_empty() {
            return Err(format!("has an empty host: {HOW}"));
        }
        match host.as_str() {
            #[cfg(unix)]
            path if path.starts_with('/') => config.host_path(path),
            name => config.host(name),
        };
    }
    let addresses = query.get(&["hostaddr"]).unwrap_or_default();
    for address in addresses.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        config.hostaddr(address.parse().map_err(|_| "has a hostaddr that is no address")?);
    }
    let (hosts, addresses) = (config.get_hosts().len(), config.get_hostaddrs().len());
    if hosts == 0 && addresses == 0 {
        return Err(format!(
            "names no host: {HOW}, or ?host=/run/postgresql for a socket's folder"
        ));
    }
    if hosts > 0 && addresses > 0 && hosts != addresses {
        return Err(format!("has {addresses} hostaddr for {hosts} hosts: write one for each"));
    }
    for port in parts.ports(hosts.max(addresses), 5432)? {
        config.port(port);
    }
    match &parts.user {
        Some(user) => config.user(user),
        None => return Err(format!("names no user: {HOW}")),
    };
    if let Some(password) = &parts.password {
        config.password(password);
    }
    if let Some(database) = &parts.database {
        config.dbname(database);
    }
    let options = options_of(query);
    if !options.is_empty() {
        config.options(&options);
    }
    let name = query.get(&["application_name", "fallback_application_name"]);
    config.application_name(name.unwrap_or("simplejwt"));
    if let Some(time) = seconds("connect_timeout")? {
        config.connect_timeout(Duration::from_secs(time));
    }
    if let Some(time) = seconds("tcp_user_timeout")? {
        config.tcp_user_timeout(Duration::from_millis(time));
    }
    if let Some(on) = number(query, "keepalives")? {
        config.keepalives(on != 0);
    }
    if let Some(time) = seconds("keepalives_idle")? {
        config.keepalives_idle(Duration::from_secs(time));
    }
    if let Some(time) = seconds("keepalives_interval")? {
        config.keepalives_interval(Duration::from_secs(time));
    }
    for name in ["keepalives_count", "keepalives_retries"] {
        if let Some(count) = seconds(name)? {
            config.keepalives_retries(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }
    let only_reads = "read-only or standby, which can't be written: write read-write";
    if let Some(attributes) = one_of(
        query,
        "target_session_attrs",
        &[
            ("any", Ok(TargetSessionAttrs::Any)),
            ("read-write", Ok(TargetSessionAttrs::ReadWrite)),
            ("primary", Ok(TargetSessionAttrs::ReadWrite)),
            ("read-only", Err(only_reads)),
            ("standby", Err(only_reads)),
            ("prefer-standby", Err(only_reads)),
        ],
    )? {
        config.target_session_attrs(
            attributes.map_err(|problem| format!("has target_session_attrs={problem}"))?,
        );
    }
    if let Some(binding) = one_of(
        query,
        "channel_binding",
        &[
            ("disable", ChannelBinding::Disable),
            ("prefer", ChannelBinding::Prefer),
            ("require", ChannelBinding::Require),
        ],
    )? {
        config.channel_binding(binding);
    }
    if let Some(balance) = one_of(
        query,
        "load_balance_hosts",
        &[("disable", LoadBalanceHosts::Disable), ("random", LoadBalanceHosts::Random)],
    )? {
        config.load_balance_hosts(balance);
    }
    if let Some(negotiation) = one_of(
        query,
        "sslnegotiation",
        &[("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)],
    )? {
        config.ssl_negotiation(negotiation);
    }
    Ok(config)
}

/// How the connection is secured: libpq's `sslmode`, and what others write in its place.
fn secured(query: &Query, has_roots: bool, system: bool) -> Result<(SslMode, Verify), String> {
    let mode = query.get(&["sslmode"]).map(str::to_ascii_lowercase);
    if system {
        return match mode.as_deref() {
            // And for nothing weaker.
            None | Some("verify-full") => Ok((SslMode::Require, Verify::Name)),
            Some(_) => {
                Err("has sslrootcert=system, which goes with sslmode=verify-full alone".into())
            }
        };
    }
    let switched = match query.get(&["ssl"]) {
        Some("no-verify" | "require") => Some(true),
        _ => query.switch(&["ssl"])?,
    };
    let mode = mode.or(switched.map(|on| if on { "require" } else { "disable" }.to_owned()));
    let weak = matches!(mode.as_deref(), None | Some("disable" | "prefer" | "allow"));
    let mode = match query.switch(&["ssl_require"])? {
        Some(true) if weak => Some("require".to_owned()),
        _ => mode,
    };
    let strict = [("strict", true), ("accept_invalid_certs", false)];
    let mode = match one_of(query, "sslaccept", &strict)? {
        Some(true) if mode.as_deref() != Some("disable") => Some("verify-full".to_owned()),
        _ => mode,
    };
    Ok(match (mode.as_deref(), has_roots) {
        (Some("disable"), _) => (SslMode::Disable, Verify::Nothing),
        (None | Some("prefer" | "allow"), false) => (SslMode::Prefer, Verify::Nothing),
        (Some("require"), false) | (Some("no-verify"), _) => (SslMode::Require, Verify::Nothing),
        (Some("verify-ca" | "require"), _) => (SslMode::Require, Verify::Issuer),
        (Some("verify-full"), _) | (None | Some("prefer" | "allow"), true) => {
            (SslMode::Require, Verify::Name)
        }
        (Some(_), _) => {
            return Err("has an unknown sslmode: write disable, prefer, require, verify-ca or \
                        verify-full"
                .into());
        }
    })
}

/// The server's options, with those that have a parameter of their own.
fn options_of(query: &Query) -> String {
    let mut options: Vec<String> = query.get(&["options"]).map(str::to_owned).into_iter().collect();
    let mut set = |name: &str, value: &str| {
        // The server takes a backslash for what it is before a blank or another backslash.
        let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
        options.push(format!("-c {name}={value}"));
    };
    if let Some(schema) = query.get(&["schema"]) {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let quoted = match schema.bytes().all(plain) {
            true => schema.to_owned(),
            false => format!("\"{}\"", schema.replace('"', "\"\"")),
        };
        set("search_path", &quoted);
    }
    if let Some(path) = query.get(&["search_path", "schema_search_path", "currentSchema"]) {
        set("search_path", path);
    }
    if let Some(role) = query.get(&["assume_role", "role"]) {
        set("role", role);
    }
    options.join(" ")
}

/// A whole number; what is less than zero counts as zero, as in libpq.
fn number(query: &Query, name: &str) -> Result<Option<u64>, String> {
    let Some(value) = query.get(&[name]) else { return Ok(None) };
    match value.trim().parse::<i64>() {
        Ok(number) => Ok(Some(u64::try_from(number).unwrap_or_default())),
        Err(_) => Err(format!("has the parameter {name} that is no whole number")),
    }
}

/// One of a few words.
fn one_of<T: Copy>(query: &Query, name: &str, words: &[(&str, T)]) -> Result<Option<T>, String> {
    let Some(value) = query.get(&[name]) else { return Ok(None) };
    let found = words.iter().find(|(word, _)| same(word, value)).map(|(_, meaning)| *meaning);
    found.map(Some).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("has an unknown {name}: write one of {}", words.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, server, ssl, verify) in [
            ("postgres://u:p@h/db", "h:5432", SslMode::Prefer, Verify::Nothing),
            (
                "postgres://u@h:1,i:2/db?sslmode=disable",
                "h:1, i:2",
                SslMode::Disable,
                Verify::Nothing,
            ),
            ("postgres://u@h/db?sslmode=require", "h:5432", SslMode::Require, Verify::Nothing),
            (
                "postgres://u@h/db?sslmode=require&sslrootcert=x",
                "h:5432",
                SslMode::Require,
                Verify::Issuer,
            ),
            ("postgresql://u@h/db?sslmode=verify-full", "h:5432", SslMode::Require, Verify::Name),
            ("postgres://u@h/db?sslrootcert=x", "h:5432", SslMode::Require, Verify::Name),
            ("postgres://u@h/db?sslrootcert=system", "h:5432", SslMode::Require, Verify::Name),
            ("postgres://u@/db?host=/run/pg", "/run/pg", SslMode::Disable, Verify::Nothing),
            (
                "postgres://u@/db?hostaddr=192.0.2.1&port=7",
                "192.0.2.1:7",
                SslMode::Prefer,
                Verify::Nothing,
            ),
            (
                "postgres://u@%2Frun%2Fpg/db?sslmode=require",
                "/run/pg",
                SslMode::Disable,
                Verify::Nothing,
            ),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.server().as_str(), target.verify), (server, verify), "{url}");
            assert_eq!(target.config.get_ssl_mode(), ssl, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_told_without_what_may_be_secret() {
        for (url, told) in [
            ("postgres://u@h/db?sslmode=maybe", "unknown sslmode"),
            ("postgres://h/db?sslkey=x&user=u", "sslcert"),
            ("postgres://h/db?sslcert=x&sslkey=y&sslpassword=s3cret&user=u", "sslpassword"),
            ("postgres://u@h/db?sslcrldir=x", "sslcrldir"),
            ("postgres://u@h/db?sslrootcert=system&sslmode=require", "verify-full"),
            ("postgres://u@h/db?sslnegotiation=direct", "sslmode=require"),
            ("postgres:///db?user=u", "no host"),
            ("postgres://h/db", "no user"),
            ("postgres://u:x@h/db?conn_max_aeg=s3cret", "conn_max_aeg, which isn't known"),
            ("postgres://u:1234/s3cret@h/db", "%2F"),
            ("postgres://u:12?s3cret@h/db", "%3F"),
            ("postgres://u:s3cret@h:port/db", "a number from 1 to 65535"),
            ("postgres://u:s3cret@h:1,i/db?port=1,2,3", "3 ports for 2 hosts"),
            ("postgres://u:s3cret@h/db?hostaddr=s3cret", "hostaddr that is no address"),
            ("postgres://u@h,i/db?hostaddr=192.0.2.1", "1 hostaddr for 2 hosts"),
            ("postgres://u@h/db?connect_timeout=5s", "connect_timeout that is no whole number"),
            ("postgres://u@h/db?target_session_attrs=prefer-standby", "write read-write"),
            ("postgres://u@h/db?target_session_attrs=writable", "unknown target_session_attrs"),
            ("postgres://u@h/db?gssencmode=require", "gssencmode with a value other than disable"),
            ("postgres://u@h/db?require_auth=md5", "require_auth, which isn't supported"),
            ("postgres://u@h/db?ssl_min_protocol_version=TLSv1.3", "ssl_min_protocol_version"),
            ("postgres://u@h/db?service=app&passfile=x", "passfile"),
            ("postgres://u@h/db?ssl=maybe", "ssl that is no switch"),
            ("postgres://u@,h/db", "empty host"),
            ("mysql://u@h/db", "write postgres://"),
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("s3cret"), "{url}: {error}");
        }
    }

    #[test]
    fn parameters_do_what_the_table_says() {
        let config = |query: &str| {
            let url = format!("postgres://u:p@h:5/db?{query}");
            Target::parse(&url).unwrap_or_else(|error| panic!("{url}: {error}")).config
        };
        for (query, options) in [
            ("options=-c+search_path%3Dx", Some("-c search_path=x")),
            ("options=-c%20search_path%3Dx", Some("-c search_path=x")),
            ("options=-c+application_name%3Da%2Bb", Some("-c application_name=a+b")),
            ("options=endpoint%3Dep-1", Some("endpoint=ep-1")),
            ("schema=public", Some("-c search_path=public")),
            ("schema=My+App", Some("-c search_path=\"My+App\"")),
            ("schema=my%20app", Some("-c search_path=\"my\\ app\"")),
            ("currentSchema=a,%20b", Some("-c search_path=a,\\ b")),
            (
                "options=-c+a%3Db&search_path=c&assume_role=d",
                Some("-c a=b -c search_path=c -c role=d"),
            ),
            ("", None),
        ] {
            assert_eq!(config(query).get_options(), options, "{query}");
        }
        let all = config(
            "port=6432&host=i,/run/pg&user=v&password=a%2Bb+&dbname=e&connect_timeout=3\
             &keepalives_idle=7&keepalives_interval=8&keepalives_count=9&tcp_user_timeout=1500\
             &application_name=x&target_session_attrs=primary&channel_binding=require\
             &load_balance_hosts=random&sslmode=require&sslnegotiation=direct&keepalives=1",
        );
        let expected: tokio_postgres::Config =
            "host=i,/run/pg port=6432,6432 user=v password='a+b+' dbname=e connect_timeout=3 \
             keepalives_idle=7 keepalives_interval=8 keepalives_retries=9 application_name=x \
             target_session_attrs=read-write channel_binding=require load_balance_hosts=random \
             sslnegotiation=direct"
                .parse()
                .unwrap();
        let hosts = [Host::Tcp("i".into()), Host::Unix("/run/pg".into())];
        assert_eq!(all.get_hosts(), hosts);
        assert_eq!(all.get_tcp_user_timeout(), Some(&Duration::from_millis(1500)));
        assert_eq!((all.get_ports(), all.get_user()), (expected.get_ports(), expected.get_user()));
        assert_eq!(all.get_password(), expected.get_password());
        assert_eq!(all.get_dbname(), expected.get_dbname());
        assert_eq!(all.get_connect_timeout(), expected.get_connect_timeout());
        assert_eq!(all.get_keepalives_idle(), expected.get_keepalives_idle());
        assert_eq!(all.get_keepalives_interval(), expected.get_keepalives_interval());
        assert_eq!(all.get_keepalives_retries(), expected.get_keepalives_retries());
        assert_eq!(all.get_application_name(), expected.get_application_name());
        assert_eq!(all.get_target_session_attrs(), expected.get_target_session_attrs());
        assert_eq!(all.get_channel_binding(), expected.get_channel_binding());
        assert_eq!(all.get_load_balance_hosts(), expected.get_load_balance_hosts());
        assert_eq!(all.get_ssl_negotiation(), expected.get_ssl_negotiation());
        assert!(!config("keepalives=0").get_keepalives());
        assert_eq!(config("connect_timeout=-1").get_connect_timeout(), None);
        assert_eq!(config("fallback_application_name=y").get_application_name(), Some("y"));
        assert_eq!(config("").get_application_name(), Some("simplejwt"));
    }

    #[test]
    fn tls_in_the_words_of_others() {
        for (query, ssl, verify) in [
            ("ssl=true", SslMode::Require, Verify::Nothing),
            ("ssl=0", SslMode::Disable, Verify::Nothing),
            ("ssl=true&sslmode=verify-full", SslMode::Require, Verify::Name),
            ("ssl=true&sslrootcert=x", SslMode::Require, Verify::Issuer),
            ("ssl_require=True", SslMode::Require, Verify::Nothing),
            ("ssl_require=true&sslmode=prefer", SslMode::Require, Verify::Nothing),
            ("ssl_require=true&sslmode=verify-ca", SslMode::Require, Verify::Issuer),
            ("ssl_require=false", SslMode::Prefer, Verify::Nothing),
            ("sslmode=no-verify", SslMode::Require, Verify::Nothing),
            ("sslmode=require&sslaccept=strict", SslMode::Require, Verify::Name),
            ("sslmode=require&sslaccept=accept_invalid_certs", SslMode::Require, Verify::Nothing),
            ("sslmode=", SslMode::Prefer, Verify::Nothing),
        ] {
            let target = Target::parse(&format!("postgres://u@h/db?{query}")).unwrap();
            assert_eq!((target.config.get_ssl_mode(), target.verify), (ssl, verify), "{query}");
        }
    }

    #[test]
    fn what_has_no_effect_is_told_once() {
        let url = "postgres://u:p@h/db?conn_max_age=600&conn_health_checks=true&ssl_require=true\
                   &pgbouncer=true&schema=public&keepalives=1&client_encoding=UTF8\
                   &gssencmode=disable&ssl=true";
        let warnings = url_warnings(url).unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("conn_max_age, conn_health_checks, pgbouncer have no effect"));
        assert!(url_warnings("postgres://u@h/db").unwrap().is_empty());
    }

    #[test]
    fn debug_shows_no_password() {
        let target = Target::parse("postgres://ann:s3cret@h/db").unwrap();
        let shown = format!("{target:?}");
        assert!(shown.contains("ann") && !shown.contains("s3cret"), "{shown}");
    }
}
