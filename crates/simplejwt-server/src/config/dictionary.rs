//! Reads upstream's dictionary: names in either case, and settings that are Python objects.

use serde_json::{Map, Value};
use simplejwt::settings::NOT_APPLICABLE;
use simplejwt::settings::value::shown;

use super::elsewhere::elsewhere;
use super::list::{self, Setting};
use super::simple_jwt::TABLE;
use super::suggest::did_you_mean;
use super::{Given, Layer};

/// Names that upstream once had and now refuses.
const REMOVED: [(&str, &str); 4] = [
    ("AUTH_HEADER_TYPE", "AUTH_HEADER_TYPES"),
    ("AUTH_TOKEN_CLASS", "AUTH_TOKEN_CLASSES"),
    ("SECRET_KEY", "SIGNING_KEY"),
    ("TOKEN_BACKEND_CLASS", "ALGORITHM"),
];

/// Settings that hold the dotted path of a Python object, with the only value that is supported
/// here.
pub(super) const DONE_ANYWAY: [(&str, Option<&str>); 11] = [
    ("JSON_ENCODER", None),
    ("ON_LOGIN_SUCCESS", Some("rest_framework_simplejwt.serializers.default_on_login_success")),
    ("ON_LOGIN_FAILED", Some("rest_framework_simplejwt.serializers.default_on_login_failed")),
    ("TOKEN_USER_CLASS", Some("rest_framework_simplejwt.models.TokenUser")),
    (
        "USER_AUTHENTICATION_RULE",
        Some("rest_framework_simplejwt.authentication.default_user_authentication_rule"),
    ),
    (
        "TOKEN_OBTAIN_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenObtainPairSerializer"),
    ),
    (
        "TOKEN_REFRESH_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenRefreshSerializer"),
    ),
    ("TOKEN_VERIFY_SERIALIZER", Some("rest_framework_simplejwt.serializers.TokenVerifySerializer")),
    (
        "TOKEN_BLACKLIST_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenBlacklistSerializer"),
    ),
    (
        "SLIDING_TOKEN_OBTAIN_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenObtainSlidingSerializer"),
    ),
    (
        "SLIDING_TOKEN_REFRESH_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenRefreshSlidingSerializer"),
    ),
];

/// Sorts a dictionary into the settings that exist here and problems for the others.
pub(super) fn read(
    dictionary: &Map<String, Value>,
    origin: &str,
    problems: &mut Vec<String>,
) -> Layer {
    let mut layer = Layer::new();
    for (name, value) in dictionary {
        let upper = name.to_ascii_uppercase();
        if let Some(item) = list::of_table(TABLE).find(|item| item.name.eq_ignore_ascii_case(name))
        {
            if layer.iter().any(|(other, _): &(Setting, Given)| other.name == item.name) {
                problems.push(format!(
                    "{origin}: {upper} is set twice, in upper and in lower case: remove one"
                ));
            }
            layer.push((item, Given::new(value.clone(), origin.to_owned())));
        } else if let Err(problem) = without_item(name, &upper, value) {
            problems.push(format!("{origin}: {problem}"));
        }
    }
    layer
}

/// Returns `true` if upstream has a setting with this name in capitals.
pub(super) fn is_name(upper: &str) -> bool {
    list::of_table(TABLE).any(|item| item.upstream && item.name.eq_ignore_ascii_case(upper))
}

/// Accepts a name that isn't a setting here if its value is the built-in behaviour.
fn without_item(name: &str, upper: &str, value: &Value) -> Result<(), String> {
    if let Some((_, successor)) = REMOVED.iter().find(|(removed, _)| *removed == upper) {
        let hint = match *successor {
            "ALGORITHM" => "ALGORITHM decides how tokens are signed and verified".to_owned(),
            "SIGNING_KEY" => "write SIGNING_KEY, or leave it to Django's SECRET_KEY (the \
                              environment variable, or secret_key in [django])"
                .to_owned(),
            successor => format!("write {successor}"),
        };
        return Err(format!("the '{upper}' setting has been removed upstream: {hint}"));
    }
    if let Some((_, done)) = DONE_ANYWAY.iter().find(|(dotted, _)| *dotted == upper) {
        let as_done = match (value, done) {
            (Value::Null, None) => true,
            (Value::String(path), Some(done)) => path == done,
            _ => false,
        };
        if as_done {
            return Ok(());
        }
        let only = done.map_or_else(|| "null".to_owned(), |path| format!("{path:?}"));
        return Err(format!(
            "{upper} is {}, but only {only} is supported: {}",
            shown(value),
            instead_of_python(upper),
        ));
    }
    let known = list::of_table(TABLE)
        .map(|item| item.name)
        .chain(DONE_ANYWAY.iter().map(|(dotted, _)| *dotted));
    // Suggestions are spelt in the same case as the unknown name.
    let hint = did_you_mean(name, known);
    let hint = if name == upper { upper_name(&hint) } else { hint };
    let hint = elsewhere(name, value, &hint).unwrap_or(hint);
    Err(format!("unknown setting {name} in SIMPLE_JWT{hint}"))
}

/// Returns what replaces the Python code of a setting.
fn instead_of_python(upper: &str) -> String {
    let library = NOT_APPLICABLE
        .iter()
        .find(|(setting, _)| *setting == upper)
        .map_or("Python code can't run here", |(_, instead)| *instead);
    // Most of them have settings that serve the same purpose.
    let configured = match upper {
        "TOKEN_OBTAIN_SERIALIZER"
        | "SLIDING_TOKEN_OBTAIN_SERIALIZER"
        | "TOKEN_REFRESH_SERIALIZER"
        | "SLIDING_TOKEN_REFRESH_SERIALIZER" => {
            "write the claims that get_token() adds in [claims] (or SIMPLEJWT_CLAIMS), such as \
             email = \"email\"; for anything else, use the library instead of the server: "
        }
        "USER_AUTHENTICATION_RULE" => {
            "CHECK_USER_IS_ACTIVE, and allow_inactive_login in [users], decide whether inactive \
             users may log in; for another rule, use the library instead of the server: "
        }
        "ON_LOGIN_SUCCESS" => {
            "UPDATE_LAST_LOGIN decides whether a login writes last_login, and logins are in the \
             log; for anything else, use the library instead of the server: "
        }
        "ON_LOGIN_FAILED" => {
            "refused logins are in the log; for anything else, use the library instead of the \
            server: "
        }
        _ => "",
    };
    format!("{configured}{library} (in your own program that uses the simplejwt library)")
}

fn upper_name(hint: &str) -> String {
    match hint.rsplit_once(' ') {
        Some((text, name)) => format!("{text} {}", name.to_ascii_uppercase()),
        None => hint.to_owned(),
    }
}
