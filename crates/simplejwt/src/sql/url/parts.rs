//! The part before a URL's question mark: user, password, hosts and the database's name.

use super::query::Query;
use super::{bytes_of, decoded};

/// A user, hosts and a database, each as far as the URL names it.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) user: Option<String>,
    /// PostgreSQL's needn't be UTF-8.
    pub(crate) password: Option<Vec<u8>>,
    /// Names, addresses, or paths of sockets.
    pub(crate) hosts: Vec<String>,
    /// As written; an empty one is the database's usual port.
    ports: Vec<String>,
    pub(crate) database: Option<String>,
}

impl Parts {
    /// Parses the part between `scheme://` and the question mark. The error is the end of a
    /// sentence about the URL, and contains nothing of it.
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

    /// Takes host, port, user, password and database from the query if it has them, as libpq does.
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

    /// Returns a port for each of this number of hosts. The error is the end of a sentence about
    /// the URL.
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

/// Returns a host and its port, which is empty if none is written.
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

#[cfg(test)]
mod tests {
    use super::super::tests::TABLE;
    use super::*;

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
