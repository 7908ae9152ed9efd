//! The driver's configuration for a PostgreSQL URL: hosts, account, timeouts and the server's
//! options.

use std::time::Duration;

use tokio_postgres::config::{
    ChannelBinding, LoadBalanceHosts, SslNegotiation, TargetSessionAttrs,
};

use super::HOW;
use crate::sql::url::{Parts, Query};

/// Returns the driver's configuration, without TLS. The error is the end of a sentence about the
/// URL.
pub(super) fn config_of(parts: &Parts, query: &Query) -> Result<tokio_postgres::Config, String> {
    let mut config = tokio_postgres::Config::new();
    let seconds = |name: &str| query.number(name).map(|n| n.filter(|n| *n > 0));
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
    if let Some(on) = query.number("keepalives")? {
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
    if let Some(attributes) = query.one_of(
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
    if let Some(binding) = query.one_of(
        "channel_binding",
        &[
            ("disable", ChannelBinding::Disable),
            ("prefer", ChannelBinding::Prefer),
            ("require", ChannelBinding::Require),
        ],
    )? {
        config.channel_binding(binding);
    }
    if let Some(balance) = query.one_of(
        "load_balance_hosts",
        &[("disable", LoadBalanceHosts::Disable), ("random", LoadBalanceHosts::Random)],
    )? {
        config.load_balance_hosts(balance);
    }
    if let Some(negotiation) = query.one_of(
        "sslnegotiation",
        &[("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)],
    )? {
        config.ssl_negotiation(negotiation);
    }
    Ok(config)
}

/// Returns the server's options (`-c name=value`), including those that have a parameter of their
/// own.
fn options_of(query: &Query) -> String {
    let mut options: Vec<String> = query.get(&["options"]).map(str::to_owned).into_iter().collect();
    let mut set = |name: &str, value: &str| {
        // Before a blank or another backslash, the server takes a backslash as an escape.
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

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::super::Target;
    use super::*;

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
}
