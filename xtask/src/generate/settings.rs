//! docs/settings.md, read out of the documentation of `Settings`.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};

const INTRODUCTION: &str = "\
# Settings

Made by `cargo xtask generate` from `crates/simplejwt/src/settings.rs`; change it there.

In the server's configuration file these stand under `[simple_jwt]`, under either name. In the
environment variable `SIMPLE_JWT` they stand in one JSON object, under upstream's names. In Rust
they are the fields of `simplejwt::Settings`. Durations are written as seconds (`300`), with a unit
(`\"5m\"`, `\"1d\"`) or as ISO 8601 (`\"PT5M\"`). Where users and tokens are kept is said by
`DATABASE_URL`: [database-urls.md](database-urls.md).
";

struct Field {
    name: String,
    upstream: Option<String>,
    default: String,
    text: String,
}

/// The page for this source text of `settings.rs`.
pub(super) fn page(source: &str) -> Result<String> {
    let (upstream, own): (Vec<_>, Vec<_>) =
        fields(source)?.into_iter().partition(|field| field.upstream.is_some());
    let mut page = String::from(INTRODUCTION);
    page.push_str("\n## Upstream's settings\n\n");
    page.push_str("| Upstream | Here | Default | Meaning |\n|---|---|---|---|\n");
    for field in &upstream {
        let alias = field.upstream.as_deref().unwrap_or_default();
        writeln!(page, "| `{alias}` | `{}` | {} | {} |", field.name, field.default, field.text)?;
    }
    page.push_str("\n## Settings of our own\n\n| Here | Default | Meaning |\n|---|---|---|\n");
    for field in &own {
        writeln!(page, "| `{}` | {} | {} |", field.name, field.default, field.text)?;
    }
    page.push_str("\n## Upstream's settings that have no field here\n\n");
    page.push_str("| Upstream | Why, and what serves instead |\n|---|---|\n");
    for (name, reason) in not_applicable(source)? {
        writeln!(page, "| `{name}` | {} |", cell(&reason))?;
    }
    Ok(page)
}

/// Each field of the struct, with its documentation.
fn fields(source: &str) -> Result<Vec<Field>> {
    let (_, body) =
        source.split_once("pub struct Settings {\n").context("there is no `struct Settings`")?;
    let (body, _) = body.split_once("\n}\n").context("`struct Settings` has no end")?;
    let mut fields = Vec::new();
    let mut doc = String::new();
    let mut upstream = None;
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text);
        } else if let Some(alias) = line.strip_prefix("#[doc(alias = \"") {
            upstream = alias.split('"').next().map(str::to_owned);
        } else if let Some(declared) = line.strip_prefix("pub ") {
            let name = declared.split(':').next().unwrap_or_default().to_owned();
            let (text, default) = without_default(&links_as_names(doc.trim()))
                .with_context(|| format!("`{name}` has no `Default: ….` in its documentation"))?;
            fields.push(Field { name, upstream: upstream.take(), default, text });
            doc.clear();
        }
    }
    if fields.is_empty() {
        bail!("`struct Settings` has no fields");
    }
    Ok(fields)
}

/// The documentation and the default that its sentence `Default: ….` names, as table cells.
fn without_default(doc: &str) -> Option<(String, String)> {
    let (before, from) = doc.split_once("Default: ")?;
    let end = from.find(". ").unwrap_or_else(|| from.trim_end_matches('.').len());
    let default = from.get(..end)?;
    let after = from.get(end..)?.trim_start_matches('.');
    let text = format!("{} {}", before.trim(), after.trim());
    Some((cell(text.trim()), cell(default)))
}

/// `[`name`](Self::name)` as `` `name` ``.
fn links_as_names(doc: &str) -> String {
    let mut text = String::new();
    let mut rest = doc;
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((name, after)) = link.split_once("`]") else { break };
        let after = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_target, after)) => after,
            None => after,
        };
        text.push_str(before);
        text.push('`');
        text.push_str(name);
        text.push('`');
        rest = after;
    }
    text + rest
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The pairs of `NOT_APPLICABLE`: every second string literal is a reason.
fn not_applicable(source: &str) -> Result<Vec<(String, String)>> {
    let (_, list) = source
        .split_once("NOT_APPLICABLE: &[(&str, &str)] = &[")
        .context("there is no list `NOT_APPLICABLE`")?;
    let (list, _) = list.split_once("\n];").context("`NOT_APPLICABLE` has no end")?;
    let literals: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    let (pairs, []) = literals.as_chunks::<2>() else {
        bail!("`NOT_APPLICABLE` is not made of pairs");
    };
    Ok(pairs.iter().map(|[name, reason]| ((*name).to_owned(), (*reason).to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
pub const NOT_APPLICABLE: &[(&str, &str)] = &[
    ("ENCODER", "a class; `serde`"),
    (
        "OTHER",
        "another",
    ),
];
pub struct Settings {
    /// How long. Needs
    /// [`other`](Self::other). Default: 5 minutes.
    #[doc(alias = "LIFETIME")]
    pub lifetime: Duration,
    /// Whether. Default: off.
    pub other: bool,
}
"#;

    #[test]
    fn fields_and_reasons_are_found() {
        let page = page(SOURCE).unwrap();
        assert!(
            page.contains("| `LIFETIME` | `lifetime` | 5 minutes | How long. Needs `other`. |")
        );
        assert!(page.contains("| `other` | off | Whether. |"));
        assert!(page.contains("| `ENCODER` | a class; `serde` |\n| `OTHER` | another |"));
    }

    #[test]
    fn a_field_without_its_default_is_an_error() {
        assert!(page(&SOURCE.replace("Default: off.", "")).is_err());
    }
}
