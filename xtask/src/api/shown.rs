//! Formats types, bounds and signatures from rustdoc's JSON as Rust source.

use serde_json::Value;

/// Marks parts that can't be read.
pub(super) const UNKNOWN: char = '‽';

fn joined(values: &Value, between: &str, one: impl Fn(&Value) -> String) -> String {
    let all = values.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().map(one).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(between)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns the single key of an enum's value, and its content.
pub(super) fn variant(value: &Value) -> (&str, &Value) {
    match value {
        Value::Object(map) => {
            map.iter().next().map_or(("", &Value::Null), |(key, of)| (key.as_str(), of))
        }
        other => (text(other), &Value::Null),
    }
}

/// Formats a type.
pub(super) fn of_type(value: &Value) -> String {
    let (kind, of) = variant(value);
    match kind {
        "resolved_path" => path(of),
        "dyn_trait" => {
            let lifetime = of["lifetime"].as_str().map(|name| format!(" + {name}"));
            let traits = joined(&of["traits"], " + ", |one| path(&one["trait"]));
            format!("dyn {traits}{}", lifetime.unwrap_or_default())
        }
        "generic" | "primitive" => text(of).to_owned(),
        "function_pointer" => format!("fn{}", signature(&of["sig"])),
        "tuple" => format!("({})", joined(of, ", ", of_type)),
        "slice" => format!("[{}]", of_type(of)),
        "array" => format!("[{}; {}]", of_type(&of["type"]), text(&of["len"])),
        "impl_trait" => format!("impl {}", bounds(of)),
        "infer" => "_".to_owned(),
        "raw_pointer" => format!("*{} {}", mutable(of, "const "), of_type(&of["type"])),
        "borrowed_ref" => {
            let lifetime = of["lifetime"].as_str().map(|name| format!("{name} "));
            format!("&{}{}{}", lifetime.unwrap_or_default(), mutable(of, ""), of_type(&of["type"]))
        }
        "qualified_path" => {
            let (this, name) = (of_type(&of["self_type"]), text(&of["name"]));
            match of["trait"].is_null() || text(&of["trait"]["path"]).is_empty() {
                true => format!("{this}::{name}{}", arguments(&of["args"])),
                false => {
                    format!("<{this} as {}>::{name}{}", path(&of["trait"]), arguments(&of["args"]))
                }
            }
        }
        other => format!("{UNKNOWN}{other}"),
    }
}

fn mutable(of: &Value, otherwise: &'static str) -> &'static str {
    if of["is_mutable"] == true { "mut " } else { otherwise }
}

/// Formats a path with its arguments.
pub(super) fn path(of: &Value) -> String {
    format!("{}{}", text(&of["path"]), arguments(&of["args"]))
}

fn arguments(value: &Value) -> String {
    let (kind, of) = variant(value);
    match kind {
        "angle_bracketed" => {
            let one = |argument: &Value| match variant(argument) {
                ("type", of) => of_type(of),
                ("lifetime", of) => text(of).to_owned(),
                ("const", of) => text(&of["expr"]).to_owned(),
                (other, _) => other.to_owned(),
            };
            let constraint = |of: &Value| match variant(&of["binding"]) {
                ("equality", to) => {
                    let to = variant(to);
                    let to =
                        if to.0 == "type" { of_type(to.1) } else { text(&to.1["expr"]).to_owned() };
                    format!("{} = {to}", text(&of["name"]))
                }
                (_, to) => format!("{}: {}", text(&of["name"]), bounds(to)),
            };
            let parts =
                [joined(&of["args"], ", ", one), joined(&of["constraints"], ", ", constraint)];
            let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            if parts.is_empty() { String::new() } else { format!("<{}>", parts.join(", ")) }
        }
        "parenthesized" => {
            format!("({}){}", joined(&of["inputs"], ", ", of_type), output(&of["output"]))
        }
        _ => String::new(),
    }
}

/// Formats bounds, such as `A + 'b`.
pub(super) fn bounds(values: &Value) -> String {
    joined(values, " + ", |bound| match variant(bound) {
        ("trait_bound", of) => {
            let modifier = if of["modifier"] == "maybe" { "?" } else { "" };
            format!("{modifier}{}", path(&of["trait"]))
        }
        ("outlives", of) => text(of).to_owned(),
        _ => String::new(),
    })
}

fn output(value: &Value) -> String {
    if value.is_null() { String::new() } else { format!(" -> {}", of_type(value)) }
}

/// Formats a signature, such as `(a: A) -> B`.
pub(super) fn signature(sig: &Value) -> String {
    let input = |input: &Value| {
        let (name, of) = (text(&input[0]), of_type(&input[1]));
        match (name, of.as_str()) {
            ("self", "Self") => "self".to_owned(),
            ("self", "&Self") => "&self".to_owned(),
            ("self", "&mut Self") => "&mut self".to_owned(),
            ("" | "_", _) => of,
            _ => format!("{name}: {of}"),
        }
    };
    format!("({}){}", joined(&sig["inputs"], ", ", input), output(&sig["output"]))
}

/// Formats generics, such as `<T: A>` and ` where U: B`.
pub(super) fn generics(value: &Value) -> (String, String) {
    let parameter = |of: &Value| {
        let name = text(&of["name"]);
        match variant(&of["kind"]) {
            // `impl Trait` in argument position, which is in the argument's type.
            ("type", kind) if kind["is_synthetic"] == true => String::new(),
            ("type", kind) if kind["bounds"].as_array().is_some_and(|all| !all.is_empty()) => {
                format!("{name}: {}", bounds(&kind["bounds"]))
            }
            ("const", kind) => format!("const {name}: {}", of_type(&kind["type"])),
            _ => name.to_owned(),
        }
    };
    let predicate = |of: &Value| match variant(of) {
        ("bound_predicate", of) => format!("{}: {}", of_type(&of["type"]), bounds(&of["bounds"])),
        ("lifetime_predicate", of) => {
            format!(
                "{}: {}",
                text(&of["lifetime"]),
                joined(&of["outlives"], " + ", |one| text(one).to_owned())
            )
        }
        ("eq_predicate", of) => {
            format!("{} = {}", of_type(&of["lhs"]), of_type(&of["rhs"]["type"]))
        }
        _ => String::new(),
    };
    let parameters = joined(&value["params"], ", ", parameter);
    let predicates = joined(&value["where_predicates"], ", ", predicate);
    (
        if parameters.is_empty() { String::new() } else { format!("<{parameters}>") },
        if predicates.is_empty() { String::new() } else { format!(" where {predicates}") },
    )
}

/// Returns the keywords before a function's name.
pub(super) fn header(of: &Value) -> String {
    let words = [("is_const", "const "), ("is_async", "async "), ("is_unsafe", "unsafe ")];
    words.iter().filter(|(key, _)| of[*key] == true).map(|(_, word)| *word).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_written_as_in_the_source() {
        let string = json!({ "resolved_path": { "path": "String", "args": null } });
        let option = json!({ "resolved_path": { "path": "Option", "args": {
            "angle_bracketed": { "args": [{ "type": string }], "constraints": [] } } } });
        let borrowed = json!({ "borrowed_ref": { "lifetime": "'a", "is_mutable": true, "type": { "slice": option } } });
        assert_eq!(of_type(&borrowed), "&'a mut [Option<String>]");
        let shown = json!({ "inputs": [["self", { "borrowed_ref": { "lifetime": null, "is_mutable": false,
            "type": { "generic": "Self" } } }], ["n", { "primitive": "u8" }]], "output": { "tuple": [] } });
        assert_eq!(signature(&shown), "(&self, n: u8) -> ()");
        let iterator = json!({ "impl_trait": [{ "trait_bound": { "modifier": "none", "generic_params": [], "trait": {
            "path": "Iterator", "args": { "angle_bracketed": { "args": [], "constraints": [
                { "name": "Item", "args": null, "binding": { "equality": { "type": string } } }] } } } } },
            { "outlives": "'a" }] });
        assert_eq!(of_type(&iterator), "impl Iterator<Item = String> + 'a");
        assert_eq!(of_type(&json!({ "new_kind": {} })), format!("{UNKNOWN}new_kind"));
    }
}
