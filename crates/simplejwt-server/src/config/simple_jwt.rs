//! `[simple_jwt]`: upstream's dictionary, its names and its types.

use std::time::Duration;

use simplejwt::Settings;
use simplejwt::settings::value::{duration, list, optional_text};
use simplejwt::settings::{Audience, Profile, TokenClass, Transport, Typ, WwwAuthenticate};

use super::form::Form;
use super::item::Shown::{Default as Def, Example};
use super::item::{
    Idle, Section, optional_string, other, string, strings, switch, time, upstream, word,
};

pub(super) const TABLE: &str = "simple_jwt";

pub(super) static SECTION: Section<Settings> = Section {
    table: TABLE,
    about: "Django's SIMPLE_JWT: upstream's names in upper or lower case, and some more.",
    items: &[
        upstream(time(
            "access_token_lifetime",
            "SIMPLEJWT_ACCESS_TOKEN_LIFETIME",
            Def("\"5m\""),
            "The lifetime of an access token. Recommended: \"15m\" or less.",
            |s| &mut s.access_token_lifetime,
        )),
        upstream(time(
            "refresh_token_lifetime",
            "SIMPLEJWT_REFRESH_TOKEN_LIFETIME",
            Def("\"1d\""),
            "The lifetime of a refresh token. Recommended: \"7d\", with rotation.",
            |s| &mut s.refresh_token_lifetime,
        )),
        upstream(switch(
            "rotate_refresh_tokens",
            "SIMPLEJWT_ROTATE_REFRESH_TOKENS",
            Def("false"),
            "A refresh also issues a new refresh token. Recommended: true.",
            |s| &mut s.rotate_refresh_tokens,
        )),
        upstream(switch(
            "blacklist_after_rotation",
            "SIMPLEJWT_BLACKLIST_AFTER_ROTATION",
            Def("false"),
            "Rotation blacklists the old refresh token; needs token_blacklist. Recommended: true.",
            |s| &mut s.blacklist_after_rotation,
        )),
        switch(
            "token_blacklist",
            "SIMPLEJWT_TOKEN_BLACKLIST",
            Def("false"),
            "Registers refresh and sliding tokens in the database, so that they can be \
             blacklisted, as rest_framework_simplejwt.token_blacklist in INSTALLED_APPS does. \
             Recommended: true.",
            |s| &mut s.token_blacklist,
        ),
        upstream(switch(
            "update_last_login",
            "SIMPLEJWT_UPDATE_LAST_LOGIN",
            Def("false"),
            "A login updates the user's last_login.",
            |s| &mut s.update_last_login,
        )),
        upstream(other(
            "audience",
            "SIMPLEJWT_AUDIENCE",
            Example("\"https://api.example.com\""),
            "The aud claim that is written and required: a string, or a list of which any one is \
             enough.",
            Form::Texts,
            |s, v| {
                let is_list = v.is_array() || v.as_str().is_some_and(|t| t.starts_with('['));
                s.audience = if is_list {
                    Some(Audience::Many(list(v)?))
                } else {
                    optional_text(v)?.map(Audience::One)
                };
                Ok(())
            },
        )),
        optional_string(
            "refresh_audience",
            "SIMPLEJWT_REFRESH_AUDIENCE",
            Example("\"https://example.com/api/token/refresh/\""),
            "The aud claim of refresh tokens, in place of audience, which is then that of all \
             others: programs that check aud don't accept refresh tokens by mistake. Refresh \
             tokens that were issued before stay valid. Not beside a Django that refreshes tokens.",
            |s| &mut s.refresh_audience,
        ),
        word(
            "typ",
            "SIMPLEJWT_TYP",
            Def("\"JWT\""),
            "The typ in the header of tokens: \"JWT\", as upstream; or \"by_kind\", which writes \
             at+jwt (RFC 9068) for access and sliding tokens and refresh+jwt for refresh tokens, \
             and refuses tokens with the typ of another kind. Tokens with JWT stay valid.",
            &[("JWT", |s| s.typ = Typ::Jwt), ("by_kind", |s| s.typ = Typ::ByKind)],
        ),
        word(
            "profile",
            "SIMPLEJWT_PROFILE",
            Def("\"simplejwt\""),
            "The claims of access tokens: \"simplejwt\" for upstream's; \"rfc9068\" for those that \
             RFC 9068 requires, which needs issuer, audience, user_id_claim = \"sub\", client_id and \
             typ = \"by_kind\".",
            &[
                ("simplejwt", |s| s.profile = Profile::Simplejwt),
                ("rfc9068", |s| s.profile = Profile::Rfc9068),
            ],
        ),
        optional_string(
            "client_id",
            "SIMPLEJWT_CLIENT_ID",
            Example("\"web\""),
            "The client_id claim of access tokens with profile = \"rfc9068\": the application that \
             users log in with.",
            |s| &mut s.client_id,
        ),
        switch(
            "ensure_ascii",
            "SIMPLEJWT_ENSURE_ASCII",
            Def("true"),
            "Writes characters outside ASCII as \\uXXXX in tokens, as Python does. With false they \
             are UTF-8, for programs that don't decode such escapes (HAProxy).",
            |s| &mut s.ensure_ascii,
        ),
        upstream(optional_string(
            "issuer",
            "SIMPLEJWT_ISSUER",
            Example("\"https://example.com\""),
            "The iss claim that is written and required.",
            |s| &mut s.issuer,
        )),
        upstream(other(
            "leeway",
            "SIMPLEJWT_LEEWAY",
            Def("0"),
            "The difference between clocks that is tolerated when exp, nbf and iat are checked.",
            Form::DURATION, // Upstream takes None for none.
            |s, v| {
                let leeway = if v.is_null() { Ok(Duration::ZERO) } else { duration(v) };
                leeway.map(|time| s.leeway = time)
            },
        )),
        upstream(strings(
            "auth_header_types",
            "SIMPLEJWT_AUTH_HEADER_TYPES",
            Def("[\"Bearer\"]"),
            "The accepted authentication schemes; WWW-Authenticate names the first.",
            |s| &mut s.auth_header_types,
        )),
        word(
            "www_authenticate",
            "SIMPLEJWT_WWW_AUTHENTICATE",
            Def("\"simplejwt\""),
            "What WWW-Authenticate says in the answers of protected routes: \"simplejwt\", the scheme \
             alone, as upstream; \"rfc6750\", also error and error_description, as in RFC 6750.",
            &[
                ("simplejwt", |s| s.www_authenticate = WwwAuthenticate::Simplejwt),
                ("rfc6750", |s| s.www_authenticate = WwwAuthenticate::Rfc6750),
            ],
        ),
        upstream(string(
            "auth_header_name",
            "SIMPLEJWT_AUTH_HEADER_NAME",
            Def("\"HTTP_AUTHORIZATION\""),
            "The request header that holds the token, spelt as in Django's request.META.",
            |s| &mut s.auth_header_name,
        )),
        upstream(string(
            "user_id_field",
            "SIMPLEJWT_USER_ID_FIELD",
            Def("\"id\""),
            "The user's field that identifies the user in tokens.",
            |s| &mut s.user_id_field,
        )),
        upstream(string(
            "user_id_claim",
            "SIMPLEJWT_USER_ID_CLAIM",
            Def("\"user_id\""),
            "The claim that holds the value of USER_ID_FIELD.",
            |s| &mut s.user_id_claim,
        )),
        upstream(other(
            "auth_token_classes",
            "SIMPLEJWT_AUTH_TOKEN_CLASSES",
            Def("[\"AccessToken\"]"),
            "The token types that protected routes accept: AccessToken, RefreshToken, \
             SlidingToken, UntypedToken, or their dotted paths.",
            Form::Texts,
            |s, v| {
                s.auth_token_classes =
                    list(v)?.iter().map(|path| token_class(path)).collect::<Result<_, _>>()?;
                Ok(())
            },
        )),
        upstream(optional_string(
            "token_type_claim",
            "SIMPLEJWT_TOKEN_TYPE_CLAIM",
            Def("\"token_type\""),
            "The claim that holds the token type. \"\" (upstream's None): it is neither written \
             nor checked.",
            |s| &mut s.token_type_claim,
        )),
        upstream(optional_string(
            "jti_claim",
            "SIMPLEJWT_JTI_CLAIM",
            Def("\"jti\""),
            "The claim that holds the token's id. \"\" (upstream's None): it is neither written \
             nor checked.",
            |s| &mut s.jti_claim,
        )),
        upstream(string(
            "sliding_token_refresh_exp_claim",
            "SIMPLEJWT_SLIDING_TOKEN_REFRESH_EXP_CLAIM",
            Def("\"refresh_exp\""),
            "The claim that holds the time until which a sliding token can be refreshed.",
            |s| &mut s.sliding_token_refresh_exp_claim,
        )),
        upstream(time(
            "sliding_token_lifetime",
            "SIMPLEJWT_SLIDING_TOKEN_LIFETIME",
            Def("\"5m\""),
            "The lifetime of a sliding token.",
            |s| &mut s.sliding_token_lifetime,
        )),
        upstream(time(
            "sliding_token_refresh_lifetime",
            "SIMPLEJWT_SLIDING_TOKEN_REFRESH_LIFETIME",
            Def("\"1d\""),
            "The time for which a sliding token can be refreshed.",
            |s| &mut s.sliding_token_refresh_lifetime,
        )),
        upstream(switch(
            "check_revoke_token",
            "SIMPLEJWT_CHECK_REVOKE_TOKEN",
            Def("false"),
            "A changed password ends the tokens that were issued before.",
            |s| &mut s.check_revoke_token,
        )),
        upstream(string(
            "revoke_token_claim",
            "SIMPLEJWT_REVOKE_TOKEN_CLAIM",
            Def("\"hash_password\""),
            "The claim that CHECK_REVOKE_TOKEN uses.",
            |s| &mut s.revoke_token_claim,
        )),
        upstream(switch(
            "check_user_is_active",
            "SIMPLEJWT_CHECK_USER_IS_ACTIVE",
            Def("true"),
            "Refuses inactive users.",
            |s| &mut s.check_user_is_active,
        )),
    ],
    idle: &[
        Idle {
            names: &["auth_header_types", "auth_header_name"],
            when: |s| s.transport == Transport::Cookie,
            why: "with transport = \"cookie\" no header is read: write \"both\"",
        },
        Idle {
            names: &["revoke_token_claim"],
            when: |s| !s.check_revoke_token,
            why: "CHECK_REVOKE_TOKEN is off",
        },
        Idle {
            names: &["client_id"],
            when: |s| s.profile == Profile::Simplejwt,
            why: "only profile = \"rfc9068\" writes that claim",
        },
    ],
};

fn token_class(path: &str) -> Result<TokenClass, String> {
    TokenClass::from_dotted_path(path).ok_or_else(|| {
        format!(
            "names {path:?}, a class that isn't upstream's own: write \
             rest_framework_simplejwt.tokens.AccessToken, RefreshToken, SlidingToken or \
             UntypedToken; kinds of your own are `TokenType`s in a program that uses the simplejwt \
             library"
        )
    })
}
