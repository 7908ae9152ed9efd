//! Upstream's dictionary: its names, its types, and what of it is Python and nothing else.

use serde_json::{Map, Value};
use simplejwt::settings::{Audience, NOT_APPLICABLE, TokenClass};

use super::duration;
use super::item::{Item, Shown, item};
use super::suggest::did_you_mean;
use super::value::{boolean, list, optional_text, parsed, shown, text};
use super::{Config, Given, Layer};
use Shown::{Default as Def, Example};

pub(crate) const TABLE: &str = "simple_jwt";

/// Names that upstream had once and refuses now.
const REMOVED: [(&str, &str); 4] = [
    ("AUTH_HEADER_TYPE", "AUTH_HEADER_TYPES"),
    ("AUTH_TOKEN_CLASS", "AUTH_TOKEN_CLASSES"),
    ("SECRET_KEY", "SIGNING_KEY"),
    ("TOKEN_BACKEND_CLASS", "ALGORITHM"),
];

/// Settings that hold the dotted path of a Python object, with the one value that is done here.
const DOTTED: [(&str, Option<&str>); 11] = [
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

/// Whether this is a setting of upstream's, which messages spell in capitals.
pub(crate) fn is_upstream(item: &Item) -> bool {
    item.table == TABLE && !OUR_OWN.contains(&item.name)
}

/// Whether upstream has a setting of this name, in capitals.
pub(super) fn is_name(upper: &str) -> bool {
    ITEMS.iter().any(|item| is_upstream(item) && item.name.eq_ignore_ascii_case(upper))
}

const OUR_OWN: [&str; 2] = ["token_blacklist", "allow_weak_key"];

const fn setting(
    name: &'static str,
    env: &'static str,
    shown: Shown,
    doc: &'static str,
    set: fn(&mut Config, &Value) -> Result<(), String>,
) -> Item {
    item(TABLE, name, env, shown, doc, set)
}

pub(crate) static ITEMS: &[Item] = &[
    setting(
        "access_token_lifetime",
        "SIMPLEJWT_ACCESS_TOKEN_LIFETIME",
        Def("\"5m\""),
        "How long an access token is good for. Recommended: \"15m\" or less.",
        |c, v| duration(v).map(|time| c.settings.access_token_lifetime = time),
    ),
    setting(
        "refresh_token_lifetime",
        "SIMPLEJWT_REFRESH_TOKEN_LIFETIME",
        Def("\"1d\""),
        "How long a refresh token is good for. Recommended: \"7d\", with rotation.",
        |c, v| duration(v).map(|time| c.settings.refresh_token_lifetime = time),
    ),
    setting(
        "rotate_refresh_tokens",
        "SIMPLEJWT_ROTATE_REFRESH_TOKENS",
        Def("false"),
        "Whether a refresh answers with a new refresh token too. Recommended: true.",
        |c, v| boolean(v).map(|on| c.settings.rotate_refresh_tokens = on),
    ),
    setting(
        "blacklist_after_rotation",
        "SIMPLEJWT_BLACKLIST_AFTER_ROTATION",
        Def("false"),
        "Whether rotation blacklists the old refresh token; needs token_blacklist. Recommended: \
         true.",
        |c, v| boolean(v).map(|on| c.settings.blacklist_after_rotation = on),
    ),
    setting(
        "token_blacklist",
        "SIMPLEJWT_TOKEN_BLACKLIST",
        Def("false"),
        "What rest_framework_simplejwt.token_blacklist in INSTALLED_APPS decides: refresh and \
         sliding tokens are registered and can be blacklisted. Recommended: true.",
        |c, v| boolean(v).map(|on| c.settings.token_blacklist = on),
    ),
    setting(
        "update_last_login",
        "SIMPLEJWT_UPDATE_LAST_LOGIN",
        Def("false"),
        "Whether a login writes the user's last_login.",
        |c, v| boolean(v).map(|on| c.settings.update_last_login = on),
    ),
    setting(
        "algorithm",
        "SIMPLEJWT_ALGORITHM",
        Def("\"HS256\""),
        "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, \
         ES256K or EdDSA.",
        |c, v| {
            c.settings.algorithm = parsed(
                v,
                "an algorithm: write HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, \
                 PS512, ES256, ES384, ES512, ES256K or EdDSA",
            )?;
            Ok(())
        },
    ),
    Item {
        secret: true,
        from_file: true,
        ..setting(
            "signing_key",
            "SIMPLEJWT_SIGNING_KEY",
            Example("\"…\""),
            "The HMAC secret, or the private key as PEM. Default: Django's secret_key for HS*; \
             none for the others, which then only verify.",
            |c, v| {
                c.settings.signing_key = match v {
                    Value::Null => None,
                    Value::String(key) => Some(key.as_str().into()),
                    // Not shown: it may be the key all the same.
                    _ => return Err("is not a text".into()),
                };
                Ok(())
            },
        )
    },
    Item {
        from_file: true,
        ..setting(
            "verifying_key",
            "SIMPLEJWT_VERIFYING_KEY",
            Example("\"-----BEGIN PUBLIC KEY-----…\""),
            "The public key as PEM, certificate or OpenSSH line, which all but HS* need. `simplejwt key \
             public --format pem` prints the one of a signing key.",
            |c, v| optional_text(v).map(|key| c.settings.verifying_key = key),
        )
    },
    setting(
        "audience",
        "SIMPLEJWT_AUDIENCE",
        Example("\"https://api.example.com\""),
        "The aud claim that is written and demanded: a text, or a list of which any one is enough.",
        |c, v| {
            let is_list = v.is_array() || v.as_str().is_some_and(|t| t.starts_with('['));
            c.settings.audience = if is_list {
                Some(Audience::Many(list(v)?))
            } else {
                optional_text(v)?.map(Audience::One)
            };
            Ok(())
        },
    ),
    setting(
        "issuer",
        "SIMPLEJWT_ISSUER",
        Example("\"https://example.com\""),
        "The iss claim that is written and demanded.",
        |c, v| optional_text(v).map(|name| c.settings.issuer = name),
    ),
    setting(
        "jwk_url",
        "SIMPLEJWT_JWK_URL",
        Example("\"https://example.com/.well-known/jwks.json\""),
        "Where the verifying keys are fetched from, as a JWK set; not for HS*.",
        |c, v| optional_text(v).map(|url| c.settings.jwk_url = url),
    ),
    setting(
        "leeway",
        "SIMPLEJWT_LEEWAY",
        Def("0"),
        "How far clocks may be apart when exp, nbf and iat are checked.",
        // Upstream takes None for none.
        |c, v| {
            let leeway = if v.is_null() { Ok(std::time::Duration::ZERO) } else { duration(v) };
            leeway.map(|time| c.settings.leeway = time)
        },
    ),
    setting(
        "auth_header_types",
        "SIMPLEJWT_AUTH_HEADER_TYPES",
        Def("[\"Bearer\"]"),
        "The authentication schemes taken; the first is the one in WWW-Authenticate.",
        |c, v| list(v).map(|schemes| c.settings.auth_header_types = schemes),
    ),
    setting(
        "auth_header_name",
        "SIMPLEJWT_AUTH_HEADER_NAME",
        Def("\"HTTP_AUTHORIZATION\""),
        "The request header that holds the token, spelt as in Django's request.META.",
        |c, v| text(v).map(|name| c.settings.auth_header_name = name),
    ),
    setting(
        "user_id_field",
        "SIMPLEJWT_USER_ID_FIELD",
        Def("\"id\""),
        "The user's field that identifies it in tokens.",
        |c, v| text(v).map(|name| c.settings.user_id_field = name),
    ),
    setting(
        "user_id_claim",
        "SIMPLEJWT_USER_ID_CLAIM",
        Def("\"user_id\""),
        "The claim that holds it.",
        |c, v| text(v).map(|name| c.settings.user_id_claim = name),
    ),
    setting(
        "auth_token_classes",
        "SIMPLEJWT_AUTH_TOKEN_CLASSES",
        Def("[\"AccessToken\"]"),
        "The kinds of token that a protected route takes: AccessToken, RefreshToken, \
         SlidingToken, UntypedToken, or their dotted paths.",
        |c, v| {
            c.settings.auth_token_classes =
                list(v)?.iter().map(|path| token_class(path)).collect::<Result<_, _>>()?;
            Ok(())
        },
    ),
    setting(
        "token_type_claim",
        "SIMPLEJWT_TOKEN_TYPE_CLAIM",
        Def("\"token_type\""),
        "The claim that holds the kind of token; \"\" (upstream's None) neither writes nor checks \
         it.",
        |c, v| optional_text(v).map(|name| c.settings.token_type_claim = name),
    ),
    setting(
        "jti_claim",
        "SIMPLEJWT_JTI_CLAIM",
        Def("\"jti\""),
        "The claim that holds the token's id; \"\" (upstream's None) neither writes nor checks it.",
        |c, v| optional_text(v).map(|name| c.settings.jti_claim = name),
    ),
    setting(
        "sliding_token_refresh_exp_claim",
        "SIMPLEJWT_SLIDING_TOKEN_REFRESH_EXP_CLAIM",
        Def("\"refresh_exp\""),
        "The claim that says until when a sliding token can be refreshed.",
        |c, v| text(v).map(|name| c.settings.sliding_token_refresh_exp_claim = name),
    ),
    setting(
        "sliding_token_lifetime",
        "SIMPLEJWT_SLIDING_TOKEN_LIFETIME",
        Def("\"5m\""),
        "How long a sliding token is good for.",
        |c, v| duration(v).map(|time| c.settings.sliding_token_lifetime = time),
    ),
    setting(
        "sliding_token_refresh_lifetime",
        "SIMPLEJWT_SLIDING_TOKEN_REFRESH_LIFETIME",
        Def("\"1d\""),
        "How long a sliding token can be refreshed.",
        |c, v| duration(v).map(|time| c.settings.sliding_token_refresh_lifetime = time),
    ),
    setting(
        "check_revoke_token",
        "SIMPLEJWT_CHECK_REVOKE_TOKEN",
        Def("false"),
        "Whether a changed password ends the tokens that were issued before.",
        |c, v| boolean(v).map(|on| c.settings.check_revoke_token = on),
    ),
    setting(
        "revoke_token_claim",
        "SIMPLEJWT_REVOKE_TOKEN_CLAIM",
        Def("\"hash_password\""),
        "The claim that CHECK_REVOKE_TOKEN goes by.",
        |c, v| text(v).map(|name| c.settings.revoke_token_claim = name),
    ),
    setting(
        "check_user_is_active",
        "SIMPLEJWT_CHECK_USER_IS_ACTIVE",
        Def("true"),
        "Whether inactive users are refused.",
        |c, v| boolean(v).map(|on| c.settings.check_user_is_active = on),
    ),
    setting(
        "allow_weak_key",
        "SIMPLEJWT_ALLOW_WEAK_KEY",
        Def("false"),
        "Takes an HMAC secret shorter than its hash, or a placeholder. For old tokens and for \
         developing only.",
        |c, v| boolean(v).map(|on| c.settings.allow_weak_key = on),
    ),
];

/// Sorts out a dictionary: the names we have as settings, with problems for the others.
/// `sibling` resolves `<name>_file`, where the source allows it.
pub(crate) fn read(
    dictionary: &Map<String, Value>,
    origin: &str,
    problems: &mut Vec<String>,
) -> Layer {
    let mut layer = Layer::new();
    for (name, value) in dictionary {
        let upper = name.to_ascii_uppercase();
        if let Some(item) = ITEMS.iter().find(|item| item.name.eq_ignore_ascii_case(name)) {
            if layer.iter().any(|(other, _): &(&Item, Given)| other.name == item.name) {
                problems.push(format!(
                    "{origin}: {upper} is there twice, in upper and lower case: remove one"
                ));
            }
            layer.push((item, Given { value: value.clone(), origin: origin.to_owned() }));
        } else if let Err(problem) = without_item(name, &upper, value) {
            problems.push(format!("{origin}: {problem}"));
        }
    }
    layer
}

/// A name that is no setting here: fine if it asks for what is done anyway.
fn without_item(name: &str, upper: &str, value: &Value) -> Result<(), String> {
    if let Some((_, successor)) = REMOVED.iter().find(|(removed, _)| *removed == upper) {
        let hint = match *successor {
            "ALGORITHM" => "tokens are made and checked as ALGORITHM says".to_owned(),
            "SIGNING_KEY" => "write SIGNING_KEY, or leave it to Django's SECRET_KEY (the \
                              environment variable, or secret_key in [django])"
                .to_owned(),
            successor => format!("write {successor}"),
        };
        return Err(format!("the '{upper}' setting has been removed upstream: {hint}"));
    }
    if let Some((_, done)) = DOTTED.iter().find(|(dotted, _)| *dotted == upper) {
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
            "{upper} is {}, and only {only} can be served: {}",
            shown(value),
            instead_of_python(upper),
        ));
    }
    let known = ITEMS.iter().map(|item| item.name).chain(DOTTED.iter().map(|(dotted, _)| *dotted));
    // Suggestions are spelt the way the unknown name is.
    let hint = did_you_mean(name, known);
    let hint = if name == upper { upper_name(&hint) } else { hint };
    let hint = super::file::elsewhere(name, value, &hint).unwrap_or(hint);
    Err(format!("unknown setting {name} in SIMPLE_JWT{hint}"))
}

/// What does here what Python code would do.
fn instead_of_python(upper: &str) -> String {
    let library = NOT_APPLICABLE
        .iter()
        .find(|(setting, _)| *setting == upper)
        .map_or("Python code can't run here", |(_, instead)| *instead);
    // What most of them are for has a setting.
    let configured = match upper {
        "TOKEN_OBTAIN_SERIALIZER"
        | "SLIDING_TOKEN_OBTAIN_SERIALIZER"
        | "TOKEN_REFRESH_SERIALIZER"
        | "SLIDING_TOKEN_REFRESH_SERIALIZER" => {
            "the claims that a get_token() adds are lines of [claims] (or SIMPLEJWT_CLAIMS), as in \
             email = \"email\"; whatever else it does, without the server: "
        }
        "USER_AUTHENTICATION_RULE" => {
            "whether inactive users may log in is CHECK_USER_IS_ACTIVE, and allow_inactive_login in \
             [users]; another rule, without the server: "
        }
        "ON_LOGIN_SUCCESS" => {
            "whether a login writes last_login is UPDATE_LAST_LOGIN, and logins are in the log; \
             whatever else it does, without the server: "
        }
        "ON_LOGIN_FAILED" => {
            "refused logins are in the log; whatever else it does, without the server: "
        }
        _ => "",
    };
    format!("{configured}{library} (in a program of your own that uses the simplejwt library)")
}

fn upper_name(hint: &str) -> String {
    match hint.rsplit_once(' ') {
        Some((text, name)) => format!("{text} {}", name.to_ascii_uppercase()),
        None => hint.to_owned(),
    }
}

fn token_class(path: &str) -> Result<TokenClass, String> {
    TokenClass::from_dotted_path(path).ok_or_else(|| {
        format!(
            "names {path:?}, a class that isn't upstream's own: write \
             rest_framework_simplejwt.tokens.AccessToken, RefreshToken, SlidingToken or \
             UntypedToken; kinds of your own are `TokenType`s in a program that uses the \
             simplejwt library"
        )
    })
}
