//! Tests that docs/database-urls.md has the tables that URLs are read by.

use std::fmt::Write as _;

use simplejwt::sql::url::{Effect, UrlParameter};
use simplejwt::{mysql, postgres, sqlite};

use super::database_url::{SCHEMES, Scheme};

const PAGE: &str = include_str!("../../../../docs/database-urls.md");

fn words(values: &[&str]) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
}

fn table(rows: &[UrlParameter]) -> String {
    let mut text = "| parameter | effect | |\n|---|---|---|\n".to_owned();
    for row in rows {
        let effect = match row.effect {
            Effect::Honoured => "honoured".to_owned(),
            Effect::Ignored => "ignored, with a warning".to_owned(),
            Effect::IgnoredBut(known) => format!("ignored, with a warning unless {}", words(known)),
            Effect::Only(known) => format!("only {}; refused otherwise", words(known)),
            Effect::Refused => "refused".to_owned(),
            _ => panic!("a kind of effect that the page doesn't know"),
        };
        writeln!(text, "| `{}` | {effect} | {} |", row.name, row.note).unwrap();
    }
    text
}

#[test]
fn the_page_has_every_parameter() {
    for (heading, rows) in [
        ("## PostgreSQL", postgres::URL_PARAMETERS),
        ("## MySQL and MariaDB", mysql::URL_PARAMETERS),
        ("## SQLite", sqlite::URL_PARAMETERS),
    ] {
        let (_, section) = PAGE.split_once(&format!("\n{heading}\n")).expect(heading);
        let section = section.split("\n## ").next().unwrap();
        let expected = table(rows);
        assert!(section.contains(&expected), "{heading} is to have this table:\n{expected}");
        let lines = section.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(lines, rows.len(), "{heading} has rows of its own");
        for (at, row) in rows.iter().enumerate() {
            let same = |other: &UrlParameter| {
                other.name.replace('-', "_").eq_ignore_ascii_case(&row.name.replace('-', "_"))
            };
            assert!(!rows.iter().skip(at + 1).any(same), "{} is there twice", row.name);
        }
    }
}

#[test]
fn the_page_has_every_scheme() {
    for (scheme, kind) in SCHEMES {
        let kind = match kind {
            Scheme::Sqlite => "SQLite".to_owned(),
            Scheme::Postgres => "PostgreSQL".to_owned(),
            Scheme::Mysql => "MySQL, MariaDB".to_owned(),
            Scheme::Other(database) => format!("{database}: refused"),
        };
        let line = PAGE.lines().find(|line| line.contains(&format!("`{scheme}`")));
        assert!(
            line.is_some_and(|line| line.ends_with(&format!("| {kind} |"))),
            "{scheme}: {line:?}"
        );
    }
}
