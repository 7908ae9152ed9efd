//! The configuration file as a JSON Schema (2020-12), for completion and checks in editors.
//!
//! It is generated from the list of settings. The parser refuses whatever the schema refuses; only
//! the parser knows which values of the right form are meaningless or contradict another setting.

use serde_json::{Map, Value, json};
use simplejwt::settings::value::NO_VALUES;

use super::dictionary::DONE_ANYWAY;
use super::form::{Form, Member, Rule, Unit};
use super::list::{self, Setting};
use super::{realm, realms, simple_jwt};

/// Returns the schema as text.
pub(crate) fn text() -> String {
    format!("{:#}\n", schema())
}

/// Returns the schema of the whole file.
fn schema() -> Value {
    let mut tables: Map<String, Value> = list::tables()
        .map(|(table, about)| (table.to_owned(), table_schema(table, about)))
        .collect();
    tables.insert(realms::TABLE.to_owned(), realms_schema());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "simplejwt.toml",
        "description": "Configuration of simplejwt. Unknown names are refused.",
        "type": "object",
        "properties": tables,
        "additionalProperties": false,
        "$defs": {
            "switch": any_of(&[
                json!({ "type": "boolean" }),
                json!({ "enum": [0, 1] }),
                any_case(&["true", "false", "1", "0", "yes", "no", "on", "off"]),
            ]),
            "duration": duration("minimum"),
            "positive_duration": duration("exclusiveMinimum"),
            "text": with(no_word_for_nothing(), "minLength", 1.into()),
            "optional_text": no_word_for_nothing(),
            "texts": any_of(&[
                json!({ "type": "array", "items": no_word_for_nothing() }),
                no_word_for_nothing(),
            ]),
        },
    })
}

/// Returns the schema of `[realms]`: the tables of a realm are those at the top, without what the
/// process has only once.
fn realms_schema() -> Value {
    let place = |(name, _, doc): (&str, &str, &str)| {
        let schema = json!({ "type": "string", "minLength": 1, "description": doc });
        (name.to_owned(), schema)
    };
    let mut properties: Map<String, Value> = realms::PLACES.into_iter().map(place).collect();
    let tables = list::tables().filter(|(table, _)| realms::can_have(table));
    properties.extend(tables.map(|(table, about)| {
        let is_whole = list::of_table(table).all(|setting| !realms::is_of_process(setting));
        let schema = match is_whole {
            true => json!({ "$ref": format!("#/properties/{table}") }),
            false => part_of_table(table, about),
        };
        (table.to_owned(), schema)
    }));
    let one: Vec<_> =
        realms::PLACES.into_iter().map(|(name, ..)| json!({ "required": [name] })).collect();
    json!({
        "title": "[realms]",
        "description": "Issuers side by side, each with its own keys, users and tables.",
        "type": "object",
        "propertyNames": { "pattern": realm::NAMES },
        "additionalProperties": {
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "oneOf": one,
        },
    })
}

/// Returns the schema of a table of which a realm can have a part.
fn part_of_table(table: &str, about: &str) -> Value {
    let settings = list::of_table(table).filter(|setting| !realms::is_of_process(*setting));
    let reference = |setting: Setting| {
        let reference = format!("#/properties/{table}/properties/{}", setting.name);
        (setting.name.to_owned(), json!({ "$ref": reference }))
    };
    json!({
        "title": format!("[realms.NAME.{table}]"),
        "description": about,
        "type": "object",
        "properties": settings.map(reference).collect::<Map<_, _>>(),
        "additionalProperties": false,
    })
}

fn table_schema(table: &str, about: &str) -> Value {
    if let Some(setting) = list::of_table(table).find(|setting| setting.is_table()) {
        return described(setting, of_setting(setting));
    }
    let mut properties = Map::new();
    let mut excluded = Vec::new();
    for setting in list::of_table(table) {
        let name = setting.name.to_owned();
        let mut names = vec![(name.clone(), described(setting, of_setting(setting)))];
        if setting.file.is_some() {
            let file = format!("{name}_file");
            excluded.push(vec![name.clone(), file.clone()]);
            names.push((file, file_schema(setting)));
        }
        for (name, schema) in names {
            if setting.upstream {
                let reference = format!("#/properties/{table}/properties/{name}");
                properties.insert(name.to_ascii_uppercase(), json!({ "$ref": reference }));
            }
            properties.insert(name, schema);
        }
    }
    if table == simple_jwt::TABLE {
        for (name, done) in DONE_ANYWAY {
            // TOML has no null, the only possible value of JSON_ENCODER.
            let Some(done) = done else { continue };
            let schema = json!({
                "title": name,
                "description": "A Python object; only the one that this server implements is \
                    accepted.",
                "const": done,
            });
            properties.insert(name.to_owned(), schema.clone());
            properties.insert(name.to_ascii_lowercase(), schema);
        }
    }
    let places = list::of_table(table).filter(|setting| setting.names_database());
    let places: Vec<_> = places.map(|setting| setting.name.to_owned()).collect();
    if places.len() > 1 {
        excluded.push(places);
    }
    let mut schema = json!({
        "title": format!("[{table}]"),
        "description": about,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !excluded.is_empty() {
        let one: Vec<_> = excluded.iter().map(|n| json!({ "not": { "required": n } })).collect();
        schema = with(schema, "allOf", one.into());
    }
    schema
}

/// Adds the setting's description to a schema.
fn described(setting: Setting, schema: Value) -> Value {
    let description = format!("{} Environment: {}", setting.doc, setting.env);
    let schema = with(schema, "title", setting.label().into());
    let schema = with(schema, "description", description.into());
    let schema = with(schema, "x-environment", setting.env.into());
    match (setting.default(), default_or_example(setting)) {
        (Some(_), Some(value)) => with(schema, "default", value),
        (None, Some(value)) if !setting.secret || setting.form().has_members() => {
            with(schema, "examples", vec![value].into())
        }
        _ => schema,
    }
}

/// Returns the default, or the example.
fn default_or_example(setting: Setting) -> Option<Value> {
    let text = setting.shown.text();
    let text = if setting.is_table() { text.to_owned() } else { format!("value = {text}") };
    let mut table = serde_json::to_value(text.parse::<toml::Table>().ok()?).ok()?;
    if setting.is_table() { Some(table) } else { Some(table.get_mut("value")?.take()) }
}

fn file_schema(setting: Setting) -> Value {
    json!({
        "title": format!("{}_FILE", setting.label()),
        "description": format!(
            "The file that holds {}; a path relative to this file's directory. Environment: \
             {}_FILE",
            setting.name, setting.env
        ),
        "x-environment": format!("{}_FILE", setting.env),
        "type": "string",
        "minLength": 1,
    })
}

fn of_setting(setting: Setting) -> Value {
    match setting.form() {
        Form::Words => {
            let words = setting.words();
            any_of(&[json!({ "enum": words }), any_case(&words)])
        }
        form => of_form(&form),
    }
}

fn of_form(form: &Form) -> Value {
    match form {
        Form::Switch => defined("switch"),
        Form::Duration { zero, most } => {
            let name = if *zero { "duration" } else { "positive_duration" };
            let schema = with(defined(name), "x-unit", "seconds".into());
            most.map_or(schema.clone(), |most| with(schema, "maximum", most.into()))
        }
        Form::Count { least, most, unit } => count(*least, *most, *unit),
        // The words come from the setting.
        Form::Words => json!({ "type": "string" }),
        Form::Constants(words) => json!({ "enum": words }),
        Form::Text | Form::FilePath => defined("text"),
        Form::OptionalText | Form::Path => defined("optional_text"),
        Form::Verbatim | Form::SecretPath => json!({ "type": "string" }),
        Form::Matching(pattern) => json!({ "type": "string", "pattern": pattern }),
        Form::Texts => defined("texts"),
        Form::True => json!({ "const": true }),
        Form::Anything => json!({}),
        Form::OneOf(forms) => any_of(&forms.iter().map(of_form).collect::<Vec<_>>()),
        Form::List(form) => json!({ "type": "array", "items": of_form(form) }),
        Form::Table(members) => members_schema(members),
        Form::Map { names, values } => json!({
            "type": "object",
            "propertyNames": { "pattern": names },
            "additionalProperties": of_form(values),
        }),
        Form::OrJson(form) => {
            any_of(&[of_form(form), json!({ "type": "string", "pattern": "^\\s*[\\[{]" })])
        }
    }
}

fn members_schema(members: &[Member]) -> Value {
    let property = |member: &Member| {
        let schema = with(of_form(&member.form), "description", member.doc.into());
        (member.name.to_owned(), schema)
    };
    let of = |rule: Rule| members.iter().filter(move |m| m.rule == rule).map(|m| m.name);
    let required: Vec<_> = of(Rule::Required).collect();
    let schema = json!({
        "type": "object",
        "properties": members.iter().map(property).collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    });
    let one: Vec<_> = of(Rule::OneOf).map(|name| json!({ "required": [name] })).collect();
    if one.is_empty() { schema } else { with(schema, "oneOf", one.into()) }
}

fn count(least: u64, most: u64, unit: Unit) -> Value {
    let mut number = json!({ "type": "integer", "minimum": least });
    if most < u64::MAX {
        number = with(number, "maximum", most.into());
    }
    let digits = json!({ "type": "string", "pattern": "^\\s*\\+?[0-9]+\\s*$" });
    let schema = any_of(&[number, digits]);
    match unit {
        Unit::None => schema,
        unit => with(schema, "x-unit", unit.as_str().into()),
    }
}

/// The strings and numbers that the library's `duration` takes.
fn duration(least: &str) -> Value {
    let units = "ns|nanos?|nsecs?|nanoseconds?|us|\u{b5}s|\u{3bc}s|micros?|usecs?|microseconds?|\
                 ms|millis?|msecs?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|\
                 h|hrs?|hours?|d|days?|w|wks?|weeks?";
    let number = "[0-9]+([.,][0-9]+)?";
    let texts = [
        "\\+?[0-9]+".to_owned(),
        "(-?0|[0-9]+)(\\.[0-9]*)?([eE][+-]?[0-9]+)?".to_owned(),
        "\\+?[Pp][0-9.,WwDdTtHhMmSs]+".to_owned(),
        format!(
            "\\+?({number}\\s*({units})?\\s*,?\\s*)*({number}\\s*({units})|[0-9]+:[0-9]{{2}}:[0-9]{{2}}(\\.[0-9]+)?)"
        ),
        "(datetime\\.)?timedelta\\([^()]*\\),?".to_owned(),
    ];
    let mut number = json!({ "type": "number" });
    number = with(number, least, 0.into());
    let pattern = format!("^\\s*({})\\s*$", texts.join("|"));
    let mut text = json!({ "type": "string", "pattern": pattern });
    if least == "exclusiveMinimum" {
        text = with(text, "not", json!({ "pattern": "^\\s*[+-]?0+(\\.0*)?\\s*$" }));
    }
    let part = json!({ "type": "number" });
    any_of(&[
        number,
        text,
        json!({
            "type": "object",
            "description": "The arguments of Python's timedelta.",
            "properties": {
                "weeks": part, "days": part, "hours": part, "minutes": part, "seconds": part,
                "milliseconds": part, "microseconds": part,
            },
            "additionalProperties": false,
            "minProperties": 1,
        }),
    ])
}

/// A string, but not another language's word for nothing.
fn no_word_for_nothing() -> Value {
    let pattern = format!("^\\s*({})\\s*$", NO_VALUES.join("|"));
    json!({ "type": "string", "not": { "pattern": pattern } })
}

/// One of these words in upper or lower case, with white space around it.
fn any_case(words: &[&str]) -> Value {
    let letter = |c: char| match (c.to_ascii_lowercase(), c.to_ascii_uppercase()) {
        (lower, upper) if lower != upper => format!("[{upper}{lower}]"),
        (other, _) => other.to_string(),
    };
    let words: Vec<_> = words.iter().map(|w| w.chars().map(letter).collect::<String>()).collect();
    json!({ "type": "string", "pattern": format!("^\\s*({})\\s*$", words.join("|")) })
}

fn defined(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn any_of(schemas: &[Value]) -> Value {
    json!({ "anyOf": schemas })
}

fn with(mut schema: Value, name: &str, value: Value) -> Value {
    if let Some(members) = schema.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'v>(schema: &'v Value, pointer: &str) -> &'v Value {
        schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"))
    }

    #[test]
    fn every_setting_is_in_the_schema_under_each_of_its_names() {
        let schema = schema();
        let mut found = 0;
        for setting in list::all() {
            let table = format!("/properties/{}", setting.table());
            let mut names = vec![setting.name.to_owned()];
            names.extend(setting.file.map(|_| format!("{}_file", setting.name)));
            if setting.upstream {
                names.extend(names.clone().iter().map(|name| name.to_ascii_uppercase()));
            }
            for name in names {
                let place = match setting.is_table() {
                    true => table.clone(),
                    false => format!("{table}/properties/{name}"),
                };
                let mut described = at(&schema, &place);
                if let Some(reference) = described["$ref"].as_str()
                    && reference.starts_with("#/properties")
                {
                    described = at(&schema, reference.trim_start_matches('#'));
                }
                let env = described["x-environment"].as_str().unwrap();
                assert!(env.starts_with(setting.env), "{place}");
                assert!(described["description"].as_str().unwrap().contains(env), "{place}");
                assert!(!described["title"].as_str().unwrap().is_empty(), "{place}");
                found += 1;
            }
            let shows = at(&schema, &table).to_string();
            assert!(setting.default().is_none() || shows.contains("\"default\""), "{setting:?}");
        }
        assert!(found > 130, "{found}");
    }

    /// This holds for tables at any depth, except those whose names are the user's.
    #[test]
    fn unknown_names_are_refused() {
        fn look(schema: &Value, closed: &mut usize) {
            if schema["type"] == "object" && schema["propertyNames"].is_null() {
                assert_eq!(schema["additionalProperties"], false, "{schema}");
                *closed += 1;
            }
            match schema {
                Value::Object(members) => members.values().for_each(|one| look(one, closed)),
                Value::Array(items) => items.iter().for_each(|one| look(one, closed)),
                _ => {}
            }
        }
        let mut closed = 0;
        look(&schema(), &mut closed);
        assert!(closed > list::tables().count(), "{closed}");
    }
}
