//! `[claims]`: claims that tokens carry in addition to those of the flows.

use serde_json::{Map, Value};
use simplejwt::Settings;
use simplejwt::settings::value::{shown, text};
use simplejwt::sql::table::UserTable;

use super::form::{Form, Member};
use super::item::Shown::{Default as Def, Example};
use super::item::{Idle, Section, other, whole_table, word};
use super::toml_text::{toml_key, toml_of};
use super::users::Users;

/// The claims added at login, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Claims {
    pub(crate) added: Vec<(String, Source)>,
    pub(crate) on_refresh: OnRefresh,
}

/// The source of a claim's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// A column of the user's row.
    Column(String),
    /// The names of the user's groups.
    Groups,
    /// The user's permissions.
    Permissions,
    /// The same value for every user.
    Constant(Value),
}

/// The source of the claims on a refresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnRefresh {
    /// They keep their values from the login.
    #[default]
    Copy,
    /// They are read again.
    Recompute,
}

/// The form of one claim's value.
const SOURCE: Form = Form::OneOf(&[
    Form::Text,
    Form::Table(&[Member::required("column", "A column of the users' table.", Form::Text)]),
    Form::Table(&[Member::required("groups", "The names of the user's groups.", Form::True)]),
    Form::Table(&[Member::required("permissions", "The user's permissions.", Form::True)]),
    Form::Table(&[Member::required("value", "The same for everybody.", Form::Anything)]),
]);

/// This setting is in `[users]`, because the names in `[claims]` belong to the user.
pub(super) static ON_REFRESH: Section<Claims> = Section {
    table: "users",
    about: "",
    items: &[word(
        "claims_on_refresh",
        "SIMPLEJWT_CLAIMS_ON_REFRESH",
        Def("\"copy\""),
        "The source of the claims in [claims] on a refresh: \"copy\" keeps them as they were at \
         login, as upstream does; \"recompute\" reads them again.",
        &[
            ("copy", |s| s.on_refresh = OnRefresh::Copy),
            ("recompute", |s| s.on_refresh = OnRefresh::Recompute),
        ],
    )],
    idle: &[Idle {
        names: &["claims_on_refresh"],
        when: |s| s.on_refresh == OnRefresh::Recompute && s.added.is_empty(),
        why: "[claims] is empty",
    }],
};

pub(super) static SECTION: Section<Claims> = Section {
    table: "claims",
    about: "Claims that tokens carry beside the user's id; see also claims_on_refresh in [users].",
    items: &[whole_table(
        lines,
        other(
            "",
            "SIMPLEJWT_CLAIMS",
            Example(
                "email = \"email\"\n\
                 roles = { groups = true }\n\
                 permissions = { permissions = true }\n\
                 tenant = { value = \"acme\" }",
            ),
            "Each name is the name of a claim. Its value is a column of the users' table, or one \
             of these tables: { groups = true } for the names of the user's groups, { permissions \
             = true } for Django's user.get_all_permissions(), { value = … } for a constant. \
             Anybody who gets a token can read its claims. In the environment, for the whole \
             table: a JSON object of the same form, or claim=column,claim=column.",
            Form::Map { names: "^[^\\u0000-\\u001f\\u007f-\\u009f]+$", values: &SOURCE },
            |s, v| {
                s.added = added(v)?;
                Ok(())
            },
        ),
    )],
    idle: &[],
};

/// Parses the claims that a value of the configuration describes.
pub(crate) fn added(value: &Value) -> Result<Vec<(String, Source)>, String> {
    let described = match value {
        Value::String(text) if text.trim_start().starts_with('{') => {
            serde_json::from_str::<Map<String, Value>>(text)
                .map_err(|error| format!("is not a JSON object: {error}"))?
        }
        Value::String(text) => pairs(text)?,
        Value::Object(described) => described.clone(),
        other => {
            return Err(format!("is {}: write claim=column, or a JSON object", shown(other)));
        }
    };
    described
        .into_iter()
        .map(|(name, value)| match source(&value) {
            _ if name.is_empty() || name.chars().any(char::is_control) => {
                Err(format!("has {name:?}, which can't be a claim's name"))
            }
            Ok(source) => Ok((name, source)),
            Err(problem) => Err(format!("has a value for {name} that {problem}")),
        })
        .collect()
}

fn pairs(text: &str) -> Result<Map<String, Value>, String> {
    let mut pairs = Map::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((claim, column)) = pair.split_once('=') else {
            return Err(format!("has \"{pair}\": write claim=column, or a JSON object"));
        };
        let claim = claim.trim().to_owned();
        if pairs.contains_key(&claim) {
            return Err(format!("has {claim} twice"));
        }
        pairs.insert(claim, column.trim().into());
    }
    Ok(pairs)
}

fn source(value: &Value) -> Result<Source, String> {
    const FORMS: &str =
        "write a column's name, { groups = true }, { permissions = true } or { value = … }";
    let Value::Object(described) = value else {
        return text(value).map(Source::Column).map_err(|problem| format!("{problem}: {FORMS}"));
    };
    let mut members = described.iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => match (name.as_str(), value) {
            ("column", column) => text(column).map(Source::Column),
            ("groups", Value::Bool(true)) => Ok(Source::Groups),
            ("permissions", Value::Bool(true)) => Ok(Source::Permissions),
            ("groups" | "permissions", Value::Bool(false)) => {
                Err("is false: leave the claim out".into())
            }
            ("value", constant) => Ok(Source::Constant(constant.clone())),
            _ => Err(format!("is a table with {name}: {FORMS}")),
        },
        _ => Err(format!("is a table of {} entries: {FORMS}", described.len())),
    }
}

impl Claims {
    /// Returns the columns that have to be read.
    pub(crate) fn columns(&self) -> Vec<String> {
        let column = |(_, source): &(String, Source)| match source {
            Source::Column(column) => Some(column.clone()),
            _ => None,
        };
        let mut columns: Vec<_> = self.added.iter().filter_map(column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

/// Returns the problems of the claims, given all other settings.
pub(super) fn problems(claims: &Claims, users: &Users, settings: &Settings) -> Vec<String> {
    let reserved = settings.reserved_claims();
    let users = UserTable { password: users.password.clone(), ..UserTable::default() };
    let problem = |(name, source): &(String, Source)| {
        let registered = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];
        if *name == settings.user_id_claim {
            Some(format!(
                "{name} is USER_ID_CLAIM, which identifies the user by USER_ID_FIELD: choose \
                 another name"
            ))
        } else if registered.contains(&name.as_str()) {
            Some(format!("{name} has its own meaning in every JWT (RFC 7519): choose another name"))
        } else if reserved.contains(&name.as_str())
            || *name == settings.revoke_token_claim
            || name == simplejwt::settings::SESSION_CLAIM
        {
            Some(format!("{name} is a claim that tokens need themselves: choose another name"))
        } else {
            match source {
                Source::Column(column) if users.is_secret(column) => Some(format!(
                    "{name} would hold the column {column}, which by its name holds a secret: \
                     anybody who gets a token can read its claims"
                )),
                _ => None,
            }
        }
    };
    claims.added.iter().filter_map(problem).map(|problem| format!("[claims]: {problem}")).collect()
}

/// Returns the claims as lines of TOML.
fn lines(value: &Value) -> Vec<String> {
    let line = |(name, source): (String, Source)| {
        let name = toml_key(&name);
        let value = match source {
            Source::Column(column) => toml_of(&Value::String(column)),
            Source::Groups => "{ groups = true }".to_owned(),
            Source::Permissions => "{ permissions = true }".to_owned(),
            // TOML has no null, and nothing can stand for it inside a constant.
            Source::Constant(Value::Null) => "{ value = \"\" }".to_owned(),
            Source::Constant(constant) => {
                format!("{{ value = {} }}", toml_of(&constant))
            }
        };
        format!("{name} = {value}")
    };
    // Values that aren't understood were refused when they were read.
    added(value).unwrap_or_default().into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(value: Value) -> Result<Source, String> {
        added(&json!({ "c": value })).map(|mut claims| claims.remove(0).1)
    }

    #[test]
    fn a_claim_is_a_column_groups_permissions_or_a_constant() {
        assert_eq!(one(json!("email")), Ok(Source::Column("email".into())));
        assert_eq!(one(json!({"column": "email"})), Ok(Source::Column("email".into())));
        assert_eq!(one(json!({"groups": true})), Ok(Source::Groups));
        assert_eq!(one(json!({"permissions": true})), Ok(Source::Permissions));
        assert_eq!(one(json!({"value": [1, null]})), Ok(Source::Constant(json!([1, null]))));
        for (value, told) in [
            (json!(""), "is empty"),
            (json!(7), "is 7, not a string"),
            (json!({}), "0 entries"),
            (json!({"groups": true, "value": 1}), "2 entries"),
            (json!({"groups": false}), "leave the claim out"),
            (json!({"groups": "staff"}), "a table with groups"),
            (json!({"grops": true}), "a table with grops"),
            (json!(["email"]), "a list"),
        ] {
            let problem = one(value.clone()).unwrap_err();
            assert!(problem.contains(told) && problem.contains(" c "), "{value}: {problem}");
        }
    }

    #[test]
    fn the_environment_has_pairs_or_json() {
        let column = |name: &str| Source::Column(name.into());
        let expected = vec![("a".to_owned(), column("b")), ("mail".to_owned(), column("email"))];
        assert_eq!(added(&json!(" mail = email, a=b ,")), Ok(expected.clone()));
        assert_eq!(added(&json!(r#" {"mail": "email", "a": "b"}"#)), Ok(expected));
        assert_eq!(added(&json!("")), Ok(vec![]));
        for (text, told) in [
            ("email", "write claim=column"),
            ("a=b,a=c", "a twice"),
            ("=email", "can't be a claim's name"),
            ("a=", "is empty"),
            ("{", "not a JSON object"),
        ] {
            let problem = added(&json!(text)).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }
}
