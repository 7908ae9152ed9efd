//! The database: its version, the way to it, and where its file is.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use simplejwt::sql::url::ConnectionSecurity;
use simplejwt::{Timestamp, mysql, postgres};

use super::finding::Finding;
use super::mount::{is_remote, is_volatile};
use crate::config::{Config, DatabaseUrl};

/// What was read of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DatabaseSeen {
    /// The version, as a server states it, or that of the SQLite library.
    pub(super) version: String,
    /// The kind of file system that an SQLite file is on.
    pub(super) file_system: Option<String>,
}

/// The dates on which support ends, by the projects' own tables of supported versions.
const POSTGRES: [(u32, Date); 7] = [
    (12, date(2024, 11, 21)),
    (13, date(2025, 11, 13)),
    (14, date(2026, 11, 12)),
    (15, date(2027, 11, 11)),
    (16, date(2028, 11, 9)),
    (17, date(2029, 11, 8)),
    (18, date(2030, 11, 14)),
];
/// The long-term releases of MariaDB.
const MARIADB: [((u32, u32), Date); 5] = [
    ((10, 5), date(2025, 6, 24)),
    ((10, 6), date(2026, 7, 6)),
    ((10, 11), date(2028, 2, 16)),
    ((11, 4), date(2029, 5, 29)),
    ((11, 8), date(2028, 6, 4)),
];
const MYSQL: [((u32, u32), Date); 2] = [((8, 0), date(2026, 4, 30)), ((8, 4), date(2032, 4, 30))];

/// The result is the reason if the database couldn't be opened. `is_url` is `true` if an SQLite file
/// is named by a URL.
pub(super) fn findings(
    config: &Config,
    seen: Result<&DatabaseSeen, &str>,
    is_url: bool,
    now: Timestamp,
) -> Vec<Finding> {
    let Some(url) = &config.database.url else { return Vec::new() };
    let mut findings: Vec<Finding> = security(url).into_iter().collect();
    match seen {
        Ok(seen) => {
            findings.extend(of_version(url, &seen.version, now));
            findings.extend(of_file_system(seen, is_url));
        }
        Err(reason) => findings.push(
            Finding::unknown(
                "database_unreachable",
                "the database and what is stored in it could not be looked at",
                reason.to_owned(),
            )
            .act("`simplejwt config check` says more once it can be reached"),
        ),
    }
    findings
}

/// Whether others can read or change what goes to the database.
fn security(url: &DatabaseUrl) -> Option<Finding> {
    let (security, parameters) = match url {
        DatabaseUrl::Sqlite(_) => return None,
        DatabaseUrl::Postgres(url) => {
            (postgres::url_security(url).ok()?, "sslmode=verify-full&sslrootcert=FILE")
        }
        DatabaseUrl::Mysql(url) => {
            (mysql::url_security(url).ok()?, "ssl-mode=verify_identity&ssl-ca=FILE")
        }
    };
    let mend = format!(
        "add {parameters} to the parameters of url in [database], where FILE has the certificate of \
         the authority that issued the server's"
    );
    let weak = |found: &str, why: &str| {
        Finding::warning("database_not_verified", found, why).act(mend.clone())
    };
    Some(match security {
        ConnectionSecurity::Local => {
            Finding::ok("database_connection", "the database is on this machine")
        }
        ConnectionSecurity::Verified => Finding::ok(
            "database_connection",
            "the database is reached by TLS, and its certificate and name are verified",
        ),
        ConnectionSecurity::Issuer => Finding::note(
            "database_name_not_verified",
            "the database's certificate is verified, but not the name in it",
            "whoever has another certificate of the same authority can take its place",
        )
        .act(mend.clone()),
        ConnectionSecurity::Plain => weak(
            "the database on another machine is reached without TLS",
            "password hashes and tokens can be read and changed on the way",
        ),
        ConnectionSecurity::Preferred => weak(
            "the database on another machine is reached by TLS only if it offers that",
            "whoever is on the way can say that it doesn't, and read password hashes and tokens",
        ),
        _ => weak(
            "the database on another machine is reached by TLS with any certificate",
            "whoever is on the way can present one, and read password hashes and tokens",
        ),
    })
}

/// Returns the numbers at the beginning: 11.8 of `11.8.3-MariaDB`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(|c: char| !c.is_ascii_digit());
    let major = parts.next()?.parse().ok()?;
    Some((major, parts.next().and_then(|minor| minor.parse().ok()).unwrap_or(0)))
}

fn of_version(url: &DatabaseUrl, version: &str, now: Timestamp) -> Option<Finding> {
    let (name, ends) = match url {
        DatabaseUrl::Sqlite(_) => ("SQLite", None),
        DatabaseUrl::Postgres(_) => {
            let (major, _) = numbers(version)?;
            ("PostgreSQL", of_table(POSTGRES.map(|(known, end)| ((known, 0), end)), (major, 0)))
        }
        // MariaDB may put "5.5.5-" before its own version.
        DatabaseUrl::Mysql(_) if version.contains("MariaDB") => {
            let own = version.strip_prefix("5.5.5-").unwrap_or(version);
            ("MariaDB", of_table(MARIADB, numbers(own)?))
        }
        DatabaseUrl::Mysql(_) => ("MySQL", of_table(MYSQL, numbers(version)?)),
    };
    let today = jiff::Timestamp::from_second(now.as_secs()).ok()?.to_zoned(TimeZone::UTC).date();
    let found = format!("the database is {name} {version}");
    Some(match ends {
        Some(end) if end < today => Finding::warning(
            "database_end_of_life",
            format!("{found}, whose support ended by {end}"),
            "known holes in it stay open",
        )
        .act("upgrade it: docs/databases.md lists the versions that this server is tested with"),
        Some(end) => Finding::ok("database_version", format!("{found}, supported until {end}")),
        None => Finding::ok("database_version", found),
    })
}

/// Returns the end of a version's support: for one before all of the table, that of the first.
fn of_table<const N: usize>(table: [((u32, u32), Date); N], version: (u32, u32)) -> Option<Date> {
    let first = table.first()?;
    if version < first.0 {
        return Some(first.1);
    }
    table.iter().find(|(known, _)| *known == version).map(|(_, end)| *end)
}

fn of_file_system(seen: &DatabaseSeen, is_url: bool) -> Option<Finding> {
    const PLACE: &str = "/var/lib/simplejwt/db.sqlite3";
    let kind = seen.file_system.as_deref()?;
    let finding = if is_volatile(kind) {
        Finding::warning(
            "database_in_memory",
            format!("the database's file is on {kind}, in memory"),
            "users, sessions and the blacklist are gone when this machine restarts",
        )
    } else if is_remote(kind) {
        Finding::warning(
            "database_on_network",
            format!("the database's file is on {kind}, a file system of another machine"),
            "SQLite's locks and its WAL need a local one: two servers can damage the file",
        )
    } else {
        return Some(Finding::ok("database_file", format!("the database's file is on {kind}")));
    };
    let finding = match is_url {
        true => finding.write("database.url", format!("sqlite:///{PLACE}")),
        false => finding.write("database.path", PLACE),
    };
    Some(finding.act(format!("move the file to {PLACE} while no server runs")))
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Severity, told};
    use super::*;

    const TODAY: Timestamp = Timestamp::from_secs(1_795_910_400); // 2026-11-29

    fn of(url: DatabaseUrl, version: &str, file_system: Option<&str>) -> Vec<Finding> {
        let mut config = Config::default();
        config.database.url = Some(url);
        let file_system = file_system.map(str::to_owned);
        let seen = DatabaseSeen { version: version.into(), file_system };
        findings(&config, Ok(&seen), false, TODAY)
    }

    fn postgres(rest: &str) -> DatabaseUrl {
        DatabaseUrl::Postgres(format!("postgres://app:secret@{rest}"))
    }

    fn mysql(rest: &str) -> DatabaseUrl {
        DatabaseUrl::Mysql(format!("mysql://app:secret@{rest}"))
    }

    #[test]
    fn versions() {
        let old = ("database_end_of_life", Severity::Warning);
        for (url, version, is_old) in [
            (postgres("localhost/d"), "17.2 (Debian 17.2-1.pgdg120+1)", false),
            (postgres("localhost/d"), "14.20", true),
            (postgres("localhost/d"), "15.0", false),
            (postgres("localhost/d"), "9.6.24", true),
            (postgres("localhost/d"), "19beta1", false),
            (mysql("localhost/d"), "8.0.40-0ubuntu0.24.04.1", true),
            (mysql("localhost/d"), "8.4.3", false),
            (mysql("localhost/d"), "5.7.44", true),
            (mysql("localhost/d"), "9.1.0", false),
            (mysql("localhost/d"), "11.8.3-MariaDB-0+deb13u1", false),
            (mysql("localhost/d"), "5.5.5-10.6.22-MariaDB", true),
            (mysql("localhost/d"), "10.11.6-MariaDB", false),
            (mysql("localhost/d"), "10.3.39-MariaDB", true),
            (mysql("localhost/d"), "12.1.2-MariaDB", false),
            (DatabaseUrl::Sqlite("/srv/d".into()), "3.50.2", false),
        ] {
            let found = of(url, version, None);
            assert_eq!(told(&found), if is_old { vec![old] } else { vec![] }, "{version}");
        }
    }

    #[test]
    fn the_way_to_it() {
        let weak = Some(("database_not_verified", Severity::Warning));
        for (url, expected) in [
            (postgres("localhost/d"), None),
            (postgres("h/d"), weak),
            (postgres("h/d?sslmode=disable"), weak),
            (postgres("h/d?sslmode=require"), weak),
            (
                postgres("h/d?sslmode=verify-ca&sslrootcert=x"),
                Some(("database_name_not_verified", Severity::Note)),
            ),
            (postgres("h/d?sslmode=verify-full"), None),
            (mysql("h/d"), weak),
            (mysql("h/d?ssl-ca=x"), None),
        ] {
            let found = of(url, "17", None);
            let told: Vec<_> = told(&found)
                .into_iter()
                .filter(|(code, _)| *code != "database_end_of_life")
                .collect();
            assert_eq!(told, Vec::from_iter(expected), "{found:?}");
            assert!(!format!("{found:?}").contains("secret"));
        }
    }

    #[test]
    fn the_file() {
        for (kind, expected) in [
            ("ext4", None),
            ("tmpfs", Some(("database_in_memory", Severity::Warning))),
            ("nfs4", Some(("database_on_network", Severity::Warning))),
        ] {
            let found = of(DatabaseUrl::Sqlite("/srv/d".into()), "3.50.2", Some(kind));
            assert_eq!(told(&found), Vec::from_iter(expected), "{kind}");
        }
    }

    #[test]
    fn one_that_is_down_is_not_judged() {
        let mut config = Config::default();
        config.database.url = Some(postgres("localhost/d"));
        let found = findings(&config, Err("nobody listens there"), false, TODAY);
        assert_eq!(told(&found), [("database_unreachable", Severity::Unknown)]);
        assert_eq!(found[1].why, "nobody listens there");
    }
}
