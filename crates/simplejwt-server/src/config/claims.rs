//! `[claims]`: claims that tokens carry in addition to those of the flows.

mod source;
mod template;

use serde_json::{Map, Value};
use simplejwt::Settings;
use simplejwt::settings::value::shown;
use simplejwt::sql::table::UserTable;

use super::form::Form;
use super::item::Shown::{Default as Def, Example};
use super::item::{Idle, Section, other, whole_table, word};
use super::toml_text::toml_key;
use super::users::Users;
pub(crate) use source::Source;
pub(crate) use template::Template;

/// The claims added at login, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Claims {
    pub(crate) added: Vec<(String, Source)>,
    pub(crate) on_refresh: OnRefresh,
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
        when: |s| {
            s.on_refresh == OnRefresh::Recompute && !s.added.iter().any(|(_, s)| s.can_change())
        },
        why: "[claims] has nothing that is read from the database",
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
                 tenant = { value = \"acme\" }\n\
                 jid = { template = \"{username}@example.org\" }\n\
                 scope = { groups = { staff = \"read write\", ops = \"admin\" } }\n\
                 fresh = { fresh = true }\n\
                 auth_time = { auth_time = true }",
            ),
            "Each name is the name of a claim. Its value is a column of the users' table, or one \
             of these tables: { groups = true } for the names of the user's groups, { permissions \
             = true } for Django's user.get_all_permissions(), { value = … } for a constant; \
             { template = \"{username}@example.org\" } for text with columns in braces ({{ and }} \
             are braces), null if one of them is; { groups = { staff = \"read write\" } } for the \
             scopes of the user's groups, separated by spaces (RFC 8693), without the claim if \
             there are none; { fresh = true } for true at a login and false after a refresh; \
             { auth_time = true } for the time of the login, in seconds. \
             Anybody who gets a token can read its claims. In the environment, for the whole \
             table: a JSON object of the same form, or claim=column,claim=column.",
            Form::Map { names: "^[^\\u0000-\\u001f\\u007f-\\u009f]+$", values: &source::FORM },
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
        .map(|(name, value)| match Source::parse(&value) {
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

impl Claims {
    /// Returns the columns that have to be read.
    pub(crate) fn columns(&self) -> Vec<String> {
        let columns = self.added.iter().flat_map(|(_, source)| source.columns());
        let mut columns: Vec<_> = columns.map(str::to_owned).collect();
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
            let secret = source.columns().into_iter().find(|column| users.is_secret(column));
            secret.map(|column| {
                format!(
                    "{name} would hold the column {column}, which by its name holds a secret: \
                     anybody who gets a token can read its claims"
                )
            })
        }
    };
    claims.added.iter().filter_map(problem).map(|problem| format!("[claims]: {problem}")).collect()
}

/// Returns the claims as lines of TOML.
fn lines(value: &Value) -> Vec<String> {
    let line =
        |(name, source): (String, Source)| format!("{} = {}", toml_key(&name), source.to_toml());
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
            (json!({"groups": "staff"}), "neither true nor a table"),
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
