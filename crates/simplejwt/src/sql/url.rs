//! What the URL of a database server may say, whichever server it is.
//!
//! URLs are read as libpq and Django's URL packages read them: dj-database-url, django-environ and
//! environs. Every parameter that they, SQLAlchemy, Prisma, Rails, Laravel and the drivers know is in
//! a table that says what becomes of it ([`UrlParameter`]); one that isn't there is refused by its
//! name, so that none is ignored unseen.

/// A parameter behind a URL's question mark, and what becomes of it.
///
/// ```
/// # #[cfg(feature = "postgres")] {
/// use simplejwt::postgres::URL_PARAMETERS;
/// use simplejwt::sql::url::Effect;
///
/// let row = URL_PARAMETERS.iter().find(|row| row.name == "conn_max_age").unwrap();
/// assert_eq!(row.effect, Effect::Ignored);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlParameter {
    /// Its name. Upper and lower case are the same, and so are `-` and `_`.
    pub name: &'static str,
    /// What becomes of it.
    pub effect: Effect,
    /// What it does, or what serves in its place.
    pub note: &'static str,
}

/// What becomes of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// It does what the note says.
    Honoured,
    /// It is taken, does nothing, and is warned of.
    Ignored,
    /// With one of these values it says what is done anyway; another does nothing and is warned of.
    IgnoredBut(&'static [&'static str]),
    /// With one of these values it says what is done anyway; another is refused.
    Only(&'static [&'static str]),
    /// It is refused, since to ignore it would mean something else than the URL says.
    Refused,
}

pub(crate) const fn row(name: &'static str, effect: Effect, note: &'static str) -> UrlParameter {
    UrlParameter { name, effect, note }
}

/// Those in which a plus sign is a blank, as in a form; elsewhere it is itself, as libpq has it.
const WITH_BLANKS: [&str; 2] = ["options", "init_command"];

/// What stands behind the question mark.
#[derive(Debug, Default)]
pub(crate) struct Query {
    values: Vec<(&'static UrlParameter, String)>,
    /// The names of what does nothing, as they were written.
    pub(crate) ignored: Vec<String>,
}

impl Query {
    /// Sorts the parameters out. The error is the end of a sentence about the URL; it names
    /// parameters and no values.
    pub(crate) fn parse(text: &str, table: &'static [UrlParameter]) -> Result<Self, String> {
        let pairs: Vec<(&str, &str)> = text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        let of = |name: &str| table.iter().find(|row| same(row.name, name));
        let suspicious = pairs.iter().any(|(name, _)| !is_name(name))
            || text.contains('@') && pairs.iter().any(|(name, _)| of(name).is_none());
        if suspicious {
            // Perhaps the rest of a password.
            return Err("has a ? or & that isn't where it belongs: in a user's name or password \
                        write %3F or %26"
                .into());
        }
        let mut query = Self::default();
        let mut problems = Vec::new();
        for (name, value) in pairs {
            let Some(row) = of(name) else {
                problems.push(format!(
                    "has the parameter {name}, which isn't known: remove it, or see \
                     docs/database-urls.md for those that are"
                ));
                continue;
            };
            let blank = WITH_BLANKS.iter().any(|with| same(with, name));
            let value = if blank { value.replace('+', " ") } else { value.to_owned() };
            let Some(value) = decoded(&value) else {
                problems.push(format!("has a value of the parameter {name} that isn't UTF-8"));
                continue;
            };
            // An empty one says nothing, to libpq and to Django's packages.
            if value.is_empty() {
                continue;
            }
            let is_one_of = |known: &[&str]| known.iter().any(|one| same(one, &value));
            match row.effect {
                Effect::Honoured => {}
                Effect::Ignored => query.ignored.push(name.to_owned()),
                Effect::IgnoredBut(known) if is_one_of(known) => {}
                Effect::IgnoredBut(_) => query.ignored.push(name.to_owned()),
                Effect::Only(known) if is_one_of(known) => {}
                Effect::Only(known) => problems.push(format!(
                    "has the parameter {name} with a value other than {}, which isn't supported: \
                     {}",
                    known.join(", "),
                    row.note
                )),
                Effect::Refused => problems
                    .push(format!("has the parameter {name}, which isn't supported: {}", row.note)),
            }
            if query.values.iter().any(|(other, given)| *other == row && *given != value) {
                problems.push(format!("has the parameter {name} twice: remove one"));
            }
            query.values.push((row, value));
        }
        query.ignored.dedup();
        if problems.is_empty() { Ok(query) } else { Err(problems.join("; it ")) }
    }

    /// The value of the first of these parameters that is there.
    pub(crate) fn get(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            let found = self.values.iter().find(|(row, _)| same(row.name, name));
            found.map(|(_, value)| value.as_str())
        })
    }

    /// A switch: `true`, `1`, `yes`, `on` and their opposites. The error is the end of a sentence.
    pub(crate) fn switch(&self, names: &[&str]) -> Result<Option<bool>, String> {
        let Some(value) = self.get(names) else { return Ok(None) };
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "no" | "off" => Ok(Some(false)),
            _ => Err(format!(
                "has the parameter {} that is no switch: write true or false",
                names.join(" or ")
            )),
        }
    }

    /// What whoever reads the log is told of parameters that do nothing.
    pub(crate) fn warning(&self) -> Option<String> {
        if self.ignored.is_empty() {
            return None;
        }
        Some(format!(
            "of the database's URL, {} {} no effect here: see docs/database-urls.md for what serves \
             in place",
            self.ignored.join(", "),
            if self.ignored.len() == 1 { "has" } else { "have" },
        ))
    }
}

/// The same name or word: `ssl-ca`, `ssl_ca` and `SSL_CA`.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(|(a, b)| plain(a) == plain(b))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte))
}

/// What stands before the question mark, with what the query says in its place.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
    /// Names, addresses, or paths of sockets.
    pub(crate) hosts: Vec<String>,
    ports: Vec<String>,
    pub(crate) database: Option<String>,
}

impl Parts {
    /// Takes apart what stands between `scheme://` and the question mark. The error is the end of a
    /// sentence about the URL, and holds nothing of it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (authority, path) = text.split_once('/').unwrap_or((text, ""));
        // `postgres:////run/postgresql/db`, `postgres://user:password@//cloudsql/a:b:c/db`
        let (folder, database) = match path.strip_prefix('/').and_then(|p| p.rsplit_once('/')) {
            Some((folder, database)) => (Some(format!("/{folder}")), database),
            None => (None, path),
        };
        let in_path = folder.as_deref().unwrap_or_default();
        if in_path.contains(['@', '#']) || database.contains(['@', ':', '/', '#']) {
            return Err("has an @, :, / or # that isn't where it belongs: in a user's name or \
                        password write %40, %3A, %2F or %23"
                .into());
        }
        let (account, places) = match authority.rsplit_once('@') {
            Some((account, places)) => (Some(account), places),
            None => (None, authority),
        };
        let mut parts = Self {
            database: Some(text_of(database, "database's name")?).filter(|name| !name.is_empty()),
            ..Self::default()
        };
        if let Some(account) = account {
            let (user, password) = match account.split_once(':') {
                Some((user, password)) => (user, Some(bytes_of(password))),
                None => (account, None),
            };
            parts.user = Some(text_of(user, "user's name")?).filter(|name| !name.is_empty());
            parts.password = password.filter(|password| !password.is_empty());
        }
        match (folder, places) {
            (Some(folder), "") => parts.hosts.push(text_of(&folder, "socket")?),
            (Some(_), _) => {
                return Err("names a host and a folder: write the folder alone, as in \
                            postgres:////run/postgresql/database, or the database alone after \
                            the host"
                    .into());
            }
            (None, "") => {}
            (None, places) => {
                for place in places.split(',') {
                    let (host, port) = host_and_port(place)?;
                    parts.hosts.push(text_of(host, "host")?);
                    parts.ports.push(port.to_owned());
                }
            }
        }
        Ok(parts)
    }

    /// What the query says in place of the rest, as libpq has it: host, port, user, password and the
    /// database's name.
    pub(crate) fn replace(&mut self, query: &Query) {
        let list = |text: &str| text.split(',').map(|one| one.trim().to_owned()).collect();
        if let Some(hosts) = query.get(&["host"]) {
            self.hosts = list(hosts);
        }
        if let Some(ports) = query.get(&["port"]) {
            self.ports = list(ports);
        }
        if let Some(user) = query.get(&["user", "username"]) {
            self.user = Some(user.to_owned());
        }
        if let Some(password) = query.get(&["password", "passwd"]) {
            self.password = Some(password.into());
        }
        if let Some(database) = query.get(&["dbname", "database", "db"]) {
            self.database = Some(database.to_owned());
        }
    }

    /// A port for each of so many hosts. The error is the end of a sentence.
    pub(crate) fn ports(&self, hosts: usize, default: u16) -> Result<Vec<u16>, String> {
        let port = |text: &String| match text.parse::<u16>() {
            _ if text.is_empty() => Ok(default),
            Ok(0) | Err(_) => Err("has a port that isn't a number from 1 to 65535".to_owned()),
            Ok(port) => Ok(port),
        };
        let given: Vec<u16> = self.ports.iter().map(port).collect::<Result<_, _>>()?;
        match given.as_slice() {
            [] => Ok(vec![default; hosts]),
            [one] => Ok(vec![*one; hosts]),
            each if each.len() == hosts => Ok(given),
            _ if self.ports.iter().all(String::is_empty) => Ok(vec![default; hosts]),
            each => Err(format!(
                "has {} ports for {hosts} hosts: write one port for all, or one for each",
                each.len()
            )),
        }
    }
}

fn host_and_port(place: &str) -> Result<(&str, &str), String> {
    if let Some(rest) = place.strip_prefix('[') {
        let wrong = || "has a [ without ] and port after it: write [::1]:5432".to_owned();
        let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
        return match port.strip_prefix(':') {
            Some(port) => Ok((host, port)),
            None if port.is_empty() => Ok((host, "")),
            None => Err(wrong()),
        };
    }
    match place.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            Err("has an IPv6 address without brackets, or a : in a user's name or password: write \
                 [::1], or %3A"
                .into())
        }
        Some((host, port)) => Ok((host, port)),
        None => Ok((place, "")),
    }
}

fn text_of(text: &str, part: &str) -> Result<String, String> {
    decoded(text).ok_or_else(|| format!("has a {part} that isn't UTF-8"))
}

/// Percent-decoded; a `%` that begins no byte is itself, as in Django.
pub(crate) fn decoded(text: &str) -> Option<String> {
    String::from_utf8(bytes_of(text)).ok().filter(|text| !text.contains('\0'))
}

fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let digit = |at: usize| tail.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (digit(0), digit(1)) {
            (Some(high), Some(low)) if *first == b'%' => {
                bytes.push((high * 16 + low) as u8);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: &[UrlParameter] = &[
        row("options", Effect::Honoured, ""),
        row("password", Effect::Honoured, ""),
        row("ssl-ca", Effect::Honoured, ""),
        row("port", Effect::Honoured, ""),
        row("host", Effect::Honoured, ""),
        row("pool", Effect::Ignored, ""),
        row("charset", Effect::IgnoredBut(&["utf8mb4", "utf8"]), ""),
        row("gss", Effect::Only(&["disable"]), "there is none"),
        row("crl", Effect::Refused, "not yet"),
    ];

    #[test]
    fn a_query_is_sorted_out() {
        let query = Query::parse(
            "options=-c+a%3Db%2Bc%20d&password=a+b%zz&SSL_CA=/c%2B+.pem&POOL=1&charset=UTF8&gss=\
             &&pool=1&crl=",
            TABLE,
        )
        .unwrap();
        assert_eq!(query.get(&["options"]), Some("-c a=b+c d"));
        assert_eq!(query.get(&["password"]), Some("a+b%zz"));
        assert_eq!(query.get(&["nothing", "ssl-ca"]), Some("/c++.pem"));
        assert_eq!(query.get(&["gss"]), None, "empty");
        assert_eq!(query.ignored, ["POOL", "pool"]);
        assert!(query.warning().unwrap().contains("POOL, pool have no effect"));
        let one = Query::parse("charset=latin1", TABLE).unwrap();
        assert!(one.warning().unwrap().contains("charset has no effect"));
        assert_eq!(Query::parse("charset=utf8mb4", TABLE).unwrap().warning(), None);
    }

    #[test]
    fn what_is_wrong_with_a_query_is_named_in_full_without_its_value() {
        for (text, told) in [
            ("conn_max_aeg=s3cret", &["the parameter conn_max_aeg, which isn't known"][..]),
            ("flag", &["the parameter flag, which"]),
            ("x=1&y=2", &["parameter x,", "parameter y,"]),
            ("crl=s3cret", &["the parameter crl, which isn't supported: not yet"]),
            ("gss=s3cret", &["gss with a value other than disable", "there is none"]),
            ("ssl_ca=s3cret&ssl-ca=b", &["ssl-ca twice"]),
            ("ssl-ca=%ff", &["ssl-ca", "UTF-8"]),
            // The rest of a password with a question mark in it.
            ("s3cret@host/db", &["%3F"]),
            ("s3cret=s3cret@host/db", &["%3F"]),
            ("s3cret&t@host/db?x=1", &["%3F"]),
            ("=s3cret", &["%3F"]),
        ] {
            let problem = Query::parse(text, TABLE).unwrap_err();
            assert!(told.iter().all(|part| problem.contains(part)), "{text}: {problem}");
            assert!(!problem.contains("s3cret"), "{text}: {problem}");
        }
        assert!(Query::parse("ssl_ca=a&ssl-ca=a", TABLE).is_ok(), "said twice");
    }

    fn parts(text: &str, query: &str) -> Parts {
        let mut parts = Parts::parse(text).unwrap();
        parts.replace(&Query::parse(query, TABLE).unwrap());
        parts
    }

    #[test]
    fn parts_are_found_as_django_finds_them() {
        let all = parts("al%40ice:p%2F%3A%25x:y@z@[::1]:1,b,%2Frun%2Fpg/d%20b", "");
        assert_eq!(all.user.as_deref(), Some("al@ice"));
        assert_eq!(all.password.as_deref(), Some(&b"p/:%x:y@z"[..]));
        assert_eq!(all.hosts, ["::1", "b", "/run/pg"]);
        assert_eq!(all.ports(3, 5).unwrap(), [1, 5, 5]);
        assert_eq!(all.database.as_deref(), Some("d b"));
        let odd = parts("u:50%@h", "");
        assert_eq!(odd.password.as_deref(), Some(&b"50%"[..]));
        assert_eq!((odd.hosts, odd.database), (vec!["h".to_owned()], None));
        let socket = parts("u:p@//cloudsql/a:b:c/db", "");
        assert_eq!(
            (socket.hosts, socket.database),
            (vec!["/cloudsql/a:b:c".to_owned()], Some("db".into()))
        );
        assert_eq!(parts("//run/postgresql/db", "").hosts, ["/run/postgresql"]);
        let bare = parts("/db", "");
        assert_eq!((bare.user, bare.password, bare.hosts.len()), (None, None, 0));
    }

    #[test]
    fn the_query_counts_for_more_as_in_libpq() {
        let ports = |text: &str, query: &str, hosts| parts(text, query).ports(hosts, 5);
        assert_eq!(ports("h:1/d", "port=2", 1).unwrap(), [2]);
        assert_eq!(ports("a,b:7/d", "", 2).unwrap(), [5, 7]);
        assert_eq!(ports("a,b:7/d", "port=2", 2).unwrap(), [2, 2]);
        assert_eq!(ports("/d", "host=a,b&port=,9", 2).unwrap(), [5, 9]);
        assert_eq!(ports("a,b/d", "host=/run", 1).unwrap(), [5]);
        assert_eq!(parts("a:1/d", "host=/run/x,b").hosts, ["/run/x", "b"]);
        assert_eq!(parts("u:p@a/d", "password=q+").password.unwrap(), b"q+");
        for (text, query, told) in [
            ("a,b/d", "port=1,2,3", "3 ports for 2 hosts"),
            ("a/d", "port=0", "1 to 65535"),
            ("a/d", "port=99999", "1 to 65535"),
        ] {
            let problem = ports(text, query, 2).unwrap_err();
            assert!(problem.contains(told), "{problem}");
        }
    }

    #[test]
    fn parts_that_are_not_where_they_belong() {
        for (text, told) in [
            ("u:1234/s3cret@h/db", "%2F"),
            ("h/d:b", "%3A"),
            ("h/d#b", "%23"),
            ("::1/db", "[::1]"),
            ("[::1/db", "write [::1]:5432"),
            ("[::1]x/db", "write [::1]:5432"),
            ("u:%ff@h/%ff", "UTF-8"),
            ("h//run/db", "a host and a folder"),
        ] {
            let problem = Parts::parse(text).unwrap_err();
            assert!(problem.contains(told) && !problem.contains("s3cret"), "{text}: {problem}");
        }
    }
}
