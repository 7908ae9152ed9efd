//! The sources of a claim's value.

use serde_json::{Map, Value};
use simplejwt::settings::value::text;

use super::super::form::{Form, Member};
use super::super::toml_text::toml_of;
use super::Template;

/// The source of a claim's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// A column of the user's row.
    Column(String),
    /// Text with columns of the user's row.
    Template(Template),
    /// The names of the user's groups.
    Groups,
    /// The scopes that the user's groups give.
    Scope(ScopeMap),
    /// The user's permissions.
    Permissions,
    /// `true` at a login and `false` after a refresh.
    Fresh,
    /// The time of the login.
    AuthTime,
    /// The same value for every user.
    Constant(Value),
}

/// The form of a value.
pub(super) const FORM: Form = Form::OneOf(&[
    Form::Text,
    Form::Table(&[Member::required("column", "A column of the users' table.", Form::Text)]),
    Form::Table(&[Member::required(
        "template",
        "Text with columns in braces: {username}@example.org.",
        Form::Matching(r"^([^{}]|\{\{|\}\})*\{[^{}]+\}([^{}]|\{\{|\}\}|\{[^{}]+\})*$"),
    )]),
    Form::Table(&[Member::required(
        "groups",
        "true for the names of the user's groups, or the scopes of each group.",
        Form::OneOf(&[
            Form::True,
            Form::Map {
                names: "^[\\s\\S]+$",
                values: &Form::Matching(r"^\s*[!#-\[\]-~]+(\s+[!#-\[\]-~]+)*\s*$"),
            },
        ]),
    )]),
    Form::Table(&[Member::required("permissions", "The user's permissions.", Form::True)]),
    Form::Table(&[Member::required("fresh", "true at a login, false later.", Form::True)]),
    Form::Table(&[Member::required("auth_time", "The time of the login.", Form::True)]),
    Form::Table(&[Member::required("value", "The same for everybody.", Form::Anything)]),
]);

impl Source {
    /// Reads a value of the configuration. The error is the end of a sentence.
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        const FORMS: &str = "write a column's name, { template = … }, { groups = true }, { groups = \
                             { … } }, { permissions = true }, { fresh = true }, { auth_time = true \
                             } or { value = … }";
        let Value::Object(described) = value else {
            return text(value).map(Self::Column).map_err(|problem| format!("{problem}: {FORMS}"));
        };
        let mut members = described.iter();
        match (members.next(), members.next()) {
            (Some((name, value)), None) => match (name.as_str(), value) {
                ("column", column) => text(column).map(Self::Column),
                ("template", Value::String(text)) => Template::parse(text).map(Self::Template),
                ("template", _) => Err("has a template that is not a string".into()),
                ("groups", Value::Bool(true)) => Ok(Self::Groups),
                ("groups", Value::Object(scopes)) => ScopeMap::parse(scopes).map(Self::Scope),
                ("permissions", Value::Bool(true)) => Ok(Self::Permissions),
                ("fresh", Value::Bool(true)) => Ok(Self::Fresh),
                ("auth_time", Value::Bool(true)) => Ok(Self::AuthTime),
                ("groups" | "permissions" | "fresh" | "auth_time", Value::Bool(false)) => {
                    Err("is false: leave the claim out".into())
                }
                ("groups", _) => {
                    Err(format!("has groups that are neither true nor a table: {FORMS}"))
                }
                ("value", constant) => Ok(Self::Constant(constant.clone())),
                _ => Err(format!("is a table with {name}: {FORMS}")),
            },
            _ => Err(format!("is a table of {} entries: {FORMS}", described.len())),
        }
    }

    /// Returns the columns that have to be read.
    pub(crate) fn columns(&self) -> Vec<&str> {
        match self {
            Self::Column(column) => vec![column],
            Self::Template(template) => template.columns().collect(),
            _ => Vec::new(),
        }
    }

    /// Returns `true` if the value can be another one at each refresh, as the database has it then.
    pub(super) fn can_change(&self) -> bool {
        !matches!(self, Self::Fresh | Self::AuthTime | Self::Constant(_))
    }

    /// Formats the value as TOML.
    pub(super) fn to_toml(&self) -> String {
        match self {
            Self::Column(column) => toml_of(&Value::String(column.clone())),
            Self::Template(template) => {
                format!("{{ template = {} }}", toml_of(&Value::String(template.to_string())))
            }
            Self::Groups => "{ groups = true }".to_owned(),
            Self::Scope(scopes) => format!("{{ groups = {} }}", toml_of(&scopes.to_value())),
            Self::Permissions => "{ permissions = true }".to_owned(),
            Self::Fresh => "{ fresh = true }".to_owned(),
            Self::AuthTime => "{ auth_time = true }".to_owned(),
            // TOML has no null, and nothing can stand for it inside a constant.
            Self::Constant(Value::Null) => "{ value = \"\" }".to_owned(),
            Self::Constant(constant) => format!("{{ value = {} }}", toml_of(constant)),
        }
    }
}

/// The scopes that each group gives (RFC 6749 section 3.3), in the order of the groups' names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScopeMap(Vec<(String, Vec<String>)>);

impl ScopeMap {
    fn parse(groups: &Map<String, Value>) -> Result<Self, String> {
        let scopes = |(group, value): (&String, &Value)| {
            let Value::String(text) = value else {
                return Err(format!("has scopes of the group {group:?} that are not a string"));
            };
            let scopes: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
            let is_scope_char = |byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
            if let Some(wrong) = scopes.iter().find(|scope| !scope.bytes().all(is_scope_char)) {
                return Err(format!(
                    "has the scope {wrong:?} of the group {group:?}: a scope is visible ASCII \
                     without quotes and backslashes (RFC 6749 section 3.3)"
                ));
            }
            if group.is_empty() || scopes.is_empty() {
                return Err(format!(
                    "has the group {group:?} without a name or scopes: write staff = \"read write\""
                ));
            }
            Ok((group.clone(), scopes))
        };
        if groups.is_empty() {
            return Err("has groups without scopes: write { staff = \"read write\" }".into());
        }
        groups.iter().map(scopes).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the scopes of a user who is in these groups, separated by spaces and each once (RFC
    /// 8693 section 4.2), in the order of the groups' names and of their scopes; `None` if there
    /// are none.
    pub(crate) fn of(&self, groups: &[String]) -> Option<String> {
        let mut scopes: Vec<&str> = Vec::new();
        for (_, given) in self.0.iter().filter(|(group, _)| groups.contains(group)) {
            for scope in given {
                if !scopes.contains(&scope.as_str()) {
                    scopes.push(scope);
                }
            }
        }
        (!scopes.is_empty()).then(|| scopes.join(" "))
    }

    fn to_value(&self) -> Value {
        let group =
            |(group, scopes): &(String, Vec<String>)| (group.clone(), scopes.join(" ").into());
        Value::Object(self.0.iter().map(group).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scopes(value: &Value) -> ScopeMap {
        match Source::parse(&json!({ "groups": value })) {
            Ok(Source::Scope(scopes)) => scopes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn scopes_are_those_of_the_user_s_groups_each_once() {
        let map = scopes(&json!({
            "staff": "rabbitmq.read:*/*  rabbitmq.write:*/*", "ops": "admin rabbitmq.read:*/*",
            "Zo\u{eb}": "zoo",
        }));
        let of = |groups: &[&str]| {
            map.of(&groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>())
        };
        let both = Some("admin rabbitmq.read:*/* rabbitmq.write:*/*".to_owned());
        assert_eq!(of(&["staff", "ops"]), both);
        assert_eq!(of(&["ops", "other", "staff"]), both, "whatever order the groups come in");
        assert_eq!(of(&["Zo\u{eb}"]), Some("zoo".into()));
        assert_eq!((of(&[]), of(&["Staff", "other"])), (None, None));
        let again = Source::Scope(map.clone()).to_toml();
        let again: toml::Table = format!("c = {again}").parse().unwrap();
        let again = serde_json::to_value(&again["c"]).unwrap();
        assert_eq!(Source::parse(&again), Ok(Source::Scope(map)));
    }

    #[test]
    fn scopes_that_are_none() {
        for (value, told) in [
            (json!({}), "without scopes"),
            (json!({"a": ""}), "without a name or scopes"),
            (json!({"": "b"}), "without a name or scopes"),
            (json!({"a": ["b"]}), "not a string"),
            (json!({"a": "b\"c"}), "the scope \"b\\\"c\" of the group \"a\""),
            (json!({"a": "b\\c"}), "visible ASCII"),
            (json!({"a": "ë"}), "visible ASCII"),
            (json!(1), "neither true nor a table"),
        ] {
            let problem = Source::parse(&json!({ "groups": value })).unwrap_err();
            assert!(problem.contains(told), "{value}: {problem}");
        }
    }
}
