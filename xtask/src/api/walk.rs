//! Walks from the crate's root to every item that others can name.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::shown::{UNKNOWN, bounds, generics, header, of_type, path, signature, variant};

/// Returns the lines, sorted.
///
/// # Errors
/// The format isn't the expected one.
pub(super) fn lines(document: &Value) -> Result<BTreeSet<String>> {
    let index = document.get("index").context("rustdoc's JSON has no index")?;
    let root = key(&document["root"]).context("rustdoc's JSON has no root")?;
    let mut walk = Walk { index, seen: BTreeSet::new(), uses: Vec::new(), lines: BTreeSet::new() };
    let name = index[&root]["name"].as_str().context("the root has no name")?;
    walk.item(&root, name)?;
    // An item that is listed at another path is named there; any other is listed here.
    while let Some((at, id, source)) = walk.uses.pop() {
        if walk.seen.contains(&id) || index.get(&id).is_none() {
            walk.lines.insert(format!("use {at} = {source}"));
        } else {
            walk.item(&id, &at)?;
        }
    }
    if let Some(unknown) = walk.lines.iter().find(|line| line.contains(UNKNOWN)) {
        bail!("rustdoc's JSON has something that can't be read: {unknown}");
    }
    Ok(walk.lines)
}

struct Walk<'a> {
    index: &'a Value,
    seen: BTreeSet<String>,
    /// Re-exports: the module, the item, and its name there.
    uses: Vec<(String, String, String)>,
    lines: BTreeSet<String>,
}

fn key(id: &Value) -> Option<String> {
    id.as_u64().map(|number| number.to_string()).or_else(|| id.as_str().map(str::to_owned))
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(key).collect()
}

impl Walk<'_> {
    /// Lists an item with the path `at`.
    fn item(&mut self, id: &str, at: &str) -> Result<()> {
        let Some(item) = self.index.get(id) else { return Ok(()) };
        let (kind, of) = variant(&item["inner"]);
        if kind != "use" && !self.seen.insert(id.to_owned()) {
            return Ok(());
        }
        let (parameters, conditions) = generics(&of["generics"]);
        let mut line = |text: String| {
            let old = if item["deprecation"].is_null() { "" } else { " (deprecated)" };
            self.lines.insert(text + old);
        };
        match kind {
            "module" => {
                line(format!("mod {at}"));
                self.children(&ids(&of["items"]), at)?;
            }
            "use" => {
                let source = of["source"].as_str().unwrap_or_default().to_owned();
                let name = of["name"].as_str().unwrap_or_default();
                match (key(&of["id"]), of["is_glob"] == true) {
                    (Some(id), true) => {
                        let items = ids(&self.index[&id]["inner"]["module"]["items"]);
                        self.children(&items, parent(at))?;
                    }
                    (Some(id), false) => {
                        self.uses.push((format!("{}::{name}", parent(at)), id, source));
                    }
                    (None, _) => line(format!("use {}::{name} = {source}", parent(at))),
                }
            }
            "struct" | "union" => {
                line(format!("{kind} {at}{parameters}{conditions}"));
                let (shape, fields) = variant(&of["kind"]);
                match shape {
                    "plain" => {
                        if fields["has_stripped_fields"] == true || is_open(item) {
                            line(format!("{kind} {at} has or may get other fields"));
                        }
                        self.children(&ids(&fields["fields"]), at)?;
                    }
                    "tuple" => self.children(&ids(fields), at)?,
                    _ => {}
                }
                self.impls(&ids(&of["impls"]), at)?;
            }
            "enum" => {
                line(format!("enum {at}{parameters}{conditions}"));
                if is_open(item) {
                    line(format!("enum {at} may get other variants"));
                }
                self.children(&ids(&of["variants"]), at)?;
                self.impls(&ids(&of["impls"]), at)?;
            }
            "variant" => {
                line(format!("variant {at}"));
                let (shape, fields) = variant(&of["kind"]);
                match shape {
                    "tuple" => self.children(&ids(fields), at)?,
                    "struct" => self.children(&ids(&fields["fields"]), at)?,
                    _ => {}
                }
            }
            "struct_field" => line(format!("field {at}: {}", of_type(of))),
            "function" => {
                let (words, sig) = (header(&of["header"]), signature(&of["sig"]));
                let given = if of["has_body"] == false { " (required)" } else { "" };
                line(format!("{words}fn {at}{parameters}{sig}{conditions}{given}"));
            }
            "trait" => {
                let above = bounds(&of["bounds"]);
                let above = if above.is_empty() { above } else { format!(": {above}") };
                line(format!("trait {at}{parameters}{above}{conditions}"));
                self.children(&ids(&of["items"]), at)?;
            }
            "type_alias" => line(format!("type {at}{parameters} = {}", of_type(&of["type"]))),
            "constant" => line(format!("const {at}: {}", of_type(&of["type"]))),
            "static" => line(format!("static {at}: {}", of_type(&of["type"]))),
            "assoc_const" => line(format!("const {at}: {}", of_type(&of["type"]))),
            "assoc_type" => {
                let is = if of["type"].is_null() {
                    String::new()
                } else {
                    format!(" = {}", of_type(&of["type"]))
                };
                let above = bounds(&of["bounds"]);
                let above = if above.is_empty() { above } else { format!(": {above}") };
                line(format!("type {at}{parameters}{above}{is}"));
            }
            "macro" | "proc_macro" => line(format!("macro {at}")),
            other => {
                bail!("rustdoc's JSON has an item of the kind {other}, which can't be read: {at}")
            }
        }
        Ok(())
    }

    /// Returns those that others can name; items of traits and variants have no visibility of their
    /// own.
    fn children(&mut self, ids: &[String], at: &str) -> Result<()> {
        for id in ids {
            let Some(item) = self.index.get(id) else { continue };
            if matches!(item["visibility"].as_str(), Some("public" | "default")) {
                let name = item["name"].as_str().unwrap_or_default();
                self.item(id, &format!("{at}::{name}"))?;
            }
        }
        Ok(())
    }

    fn impls(&mut self, ids: &[String], at: &str) -> Result<()> {
        for id in ids {
            let of = &self.index[id]["inner"]["impl"];
            if of["is_synthetic"] == true || !of["blanket_impl"].is_null() {
                continue;
            }
            let items = self::ids(&of["items"]);
            if of["trait"].is_null() {
                let public: Vec<_> = items
                    .into_iter()
                    .filter(|item| self.index[item]["visibility"] == "public")
                    .collect();
                self.children(&public, at)?;
            } else {
                let (parameters, conditions) = generics(&of["generics"]);
                let name = path(&of["trait"]);
                self.lines.insert(format!(
                    "impl{parameters} {name} for {}{conditions} ({at})",
                    of_type(&of["for"])
                ));
            }
        }
        Ok(())
    }
}

/// Returns the part before the last name.
fn parent(at: &str) -> &str {
    at.rsplit_once("::").map_or(at, |(before, _)| before)
}

fn is_open(item: &Value) -> bool {
    let mut attributes = item["attrs"].as_array().into_iter().flatten();
    attributes.any(|attribute| attribute.to_string().contains("non_exhaustive"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn public_items_are_found_where_they_can_be_named() {
        let item = |name: &str, visibility: &str, inner: Value| json!({ "name": name, "visibility": visibility, "deprecation": null, "attrs": [], "inner": inner });
        let none = json!({ "params": [], "where_predicates": [] });
        let unit = json!({ "struct": { "kind": "unit", "generics": none, "impls": [] } });
        let document = json!({ "root": 0, "index": {
            "0": item("a", "public", json!({ "module": { "items": [1, 2, 5] } })),
            "1": item("open", "public", json!({ "module": { "items": [3] } })),
            "2": item("hidden", "crate", json!({ "module": { "items": [4] } })),
            "3": item("Shown", "public", unit.clone()),
            "4": item("Lifted", "public", unit),
            "5": item("", "public", json!({ "use": { "source": "hidden::Lifted", "name": "Lifted", "id": 4, "is_glob": false } })),
        } });
        let lines: Vec<_> = lines(&document).unwrap().into_iter().collect();
        assert_eq!(lines, ["mod a", "mod a::open", "struct a::Lifted", "struct a::open::Shown"]);
    }

    #[test]
    fn another_format_is_told() {
        let document =
            json!({ "root": 0, "index": { "0": { "name": "a", "inner": { "new": {} } } } });
        assert!(lines(&document).unwrap_err().to_string().contains("kind new"));
        assert!(lines(&json!({})).is_err());
    }
}
