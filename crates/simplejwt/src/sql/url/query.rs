//! The parameters after a URL's question mark, each handled according to its database's table.

use super::{Effect, UrlParameter, decoded, same};

/// Those in which a plus sign is a blank, as in a form; elsewhere it is literal, as in libpq.
const WITH_BLANKS: [&str; 2] = ["options", "init_command"];

/// The parameters that have a value. Those that aren't allowed have been refused.
#[derive(Debug, Default)]
pub(crate) struct Query {
    values: Vec<(&'static UrlParameter, String)>,
    /// The names of those without effect, as written.
    ignored: Vec<String>,
}

impl Query {
    /// Parses the part after the question mark. The error is the end of a sentence about the URL;
    /// it names parameters and no values.
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
            // An empty one is ignored, as by libpq and Django's packages.
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

    /// Returns the value of the first of these parameters that is present.
    pub(crate) fn get(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            let found = self.values.iter().find(|(row, _)| same(row.name, name));
            found.map(|(_, value)| value.as_str())
        })
    }

    /// Returns the value of a switch: `true`, `1`, `yes`, `on` or one of their opposites. The error
    /// is the end of a sentence about the URL.
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

    /// Returns a whole number; a negative one counts as zero, as in libpq. The error is the end of
    /// a sentence about the URL.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let Some(value) = self.get(&[name]) else { return Ok(None) };
        match value.trim().parse::<i64>() {
            Ok(number) => Ok(Some(u64::try_from(number).unwrap_or_default())),
            Err(_) => Err(format!("has the parameter {name} that is no whole number")),
        }
    }

    /// Returns the meaning of one of a few words. The error is the end of a sentence about the URL.
    pub(crate) fn one_of<T: Copy>(
        &self,
        name: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, String> {
        let Some(value) = self.get(&[name]) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| same(word, value)).map(|(_, meaning)| *meaning);
        found.map(Some).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            format!("has an unknown {name}: write one of {}", words.join(", "))
        })
    }

    /// Returns the value of Prisma's `sslaccept`: `true` if certificates are to be verified. The
    /// error is the end of a sentence about the URL.
    pub(crate) fn is_strict(&self) -> Result<bool, String> {
        let words = [("strict", true), ("accept_invalid_certs", false)];
        Ok(self.one_of("sslaccept", &words)?.unwrap_or_default())
    }

    /// Returns a sentence for the log about the parameters that have no effect.
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

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::super::tests::TABLE;
    use super::*;

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
}
