//! Contradictions between settings, each with what to do about it.

use std::time::Duration;

use super::{Audience, Profile, Settings, SettingsError};

impl Settings {
    /// Checks the settings for contradictions, so that they show at startup rather than to a user.
    ///
    /// # Errors
    /// All problems at once, each with what to do about it.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let mut problems = Vec::new();
        let mut problem = |when: bool, text: &str| {
            if when {
                problems.push(text.to_owned());
            }
        };

        problem(
            self.blacklist_after_rotation && !self.token_blacklist,
            "BLACKLIST_AFTER_ROTATION is on, but there is no blacklist: set token_blacklist = true \
             (and run `simplejwt migrate` for its tables), or switch BLACKLIST_AFTER_ROTATION off",
        );
        problem(
            self.token_blacklist && self.jti_claim.is_none(),
            "token_blacklist finds tokens by their id, but JTI_CLAIM is null: name a claim, or set \
             token_blacklist = false",
        );
        problem(
            self.auth_header_types.is_empty(),
            "AUTH_HEADER_TYPES is empty: name at least one scheme, as in [\"Bearer\"]",
        );
        problem(
            self.auth_header_types.iter().any(|scheme| !is_http_token(scheme)),
            "AUTH_HEADER_TYPES holds a scheme that isn't one word of letters, digits and hyphens: \
             write \"Bearer\", without a colon or space",
        );
        problem(
            self.auth_header().is_none(),
            "AUTH_HEADER_NAME is not the name of a request header: write it as in Django's \
             request.META, for example HTTP_AUTHORIZATION or HTTP_X_ACCESS_TOKEN",
        );
        problem(
            self.auth_token_classes.is_empty(),
            "AUTH_TOKEN_CLASSES is empty, so no token would open a protected route: name at least \
             rest_framework_simplejwt.tokens.AccessToken",
        );
        problem(
            matches!(&self.audience, Some(Audience::Many(all)) if all.is_empty()),
            "AUDIENCE is an empty list, so no token would be accepted: name an audience, or leave \
             it out",
        );
        problem(
            !self.jwk_url.is_empty() && self.algorithm.is_symmetric(),
            "JWK_URL is set, but ALGORITHM is an HMAC, which has no public keys to fetch: choose \
             an RS, PS, ES or EdDSA algorithm, or remove JWK_URL",
        );
        problem(
            self.jwk_url_max_stale.is_some_and(|time| time < Duration::from_secs(60)),
            "jwk_url_max_stale is shorter than a minute, so that tokens couldn't be checked between \
             two fetches: write a duration such as \"1d\", or \"unlimited\"",
        );
        for (name, lifetime) in [
            ("ACCESS_TOKEN_LIFETIME", self.access_token_lifetime),
            ("REFRESH_TOKEN_LIFETIME", self.refresh_token_lifetime),
            ("SLIDING_TOKEN_LIFETIME", self.sliding_token_lifetime),
            ("SLIDING_TOKEN_REFRESH_LIFETIME", self.sliding_token_refresh_lifetime),
        ] {
            problem(
                lifetime < Duration::from_secs(1),
                &format!(
                    "{name} is shorter than a second, so tokens would be issued expired: \
                          write a duration such as \"5m\" or 300"
                ),
            );
            problem(
                lifetime > LONGEST_LIFETIME,
                &format!("{name} is longer than 1000 years: write a duration such as \"1d\""),
            );
        }
        self.check_claim_names(&mut problem);
        self.check_marks(&mut problem);
        self.check_sessions(&mut problem);
        self.check_transport(&mut problem);
        self.check_origins(&mut problem);

        if problems.is_empty() { Ok(()) } else { Err(SettingsError { problems }) }
    }

    /// Returns settings that are valid but probably not intended, each with what to do about it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut settings = simplejwt::Settings::default();
    /// assert!(settings.warnings().is_empty());
    /// settings.access_token_lifetime = Duration::from_secs(30);
    /// settings.sessions.rotation_grace = Duration::from_secs(60);
    /// assert!(settings.warnings()[0].contains("rotation_grace"));
    /// ```
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let (grace, lifetime) = (self.sessions.rotation_grace, self.access_token_lifetime);
        if grace > lifetime {
            warnings.push(format!(
                "rotation_grace ({} s) outlasts the access token ({} s): a refresh that is \
                 repeated after that gets a new access token instead of the one that was handed \
                 out first. Write a rotation_grace of a few seconds, or a longer \
                 ACCESS_TOKEN_LIFETIME",
                grace.as_secs(),
                lifetime.as_secs()
            ));
        }
        let seconds = |time: Duration| time.as_secs();
        for (name, lifetime, other, longer, cure) in [
            (
                "ACCESS_TOKEN_LIFETIME",
                self.access_token_lifetime,
                "REFRESH_TOKEN_LIFETIME",
                self.refresh_token_lifetime,
                "its refresh token is useless: write \"5m\" for the former, or more for the latter",
            ),
            (
                "SLIDING_TOKEN_LIFETIME",
                self.sliding_token_lifetime,
                "SLIDING_TOKEN_REFRESH_LIFETIME",
                self.sliding_token_refresh_lifetime,
                "it can't be refreshed when it expires: write \"5m\" for the former, or more for the \
                 latter",
            ),
            (
                "idle_lifetime",
                self.sessions.idle_lifetime.unwrap_or_default(),
                "REFRESH_TOKEN_LIFETIME",
                self.refresh_token_lifetime,
                "a session can't last that long without a refresh: write less, or leave it out",
            ),
            (
                "idle_lifetime",
                self.sessions.idle_lifetime.unwrap_or_default(),
                "lifetime of a session",
                self.sessions.lifetime.unwrap_or(Duration::MAX),
                "a session can't last that long: write less, or leave it out",
            ),
            (
                "LEEWAY",
                self.leeway,
                "ACCESS_TOKEN_LIFETIME",
                self.access_token_lifetime,
                "tokens would be accepted after their end for longer than before it: write a few seconds",
            ),
        ] {
            if lifetime > longer {
                warnings.push(format!(
                    "{name} ({} s) is longer than {other} ({} s): {cure}",
                    seconds(lifetime),
                    seconds(longer)
                ));
            }
        }
        warnings
    }

    /// Two settings that write the same claim would silently overwrite each other.
    fn check_claim_names(&self, problem: &mut impl FnMut(bool, &str)) {
        let mut named = vec![("USER_ID_CLAIM", self.user_id_claim.as_str())];
        named.extend(self.token_type_claim.as_deref().map(|name| ("TOKEN_TYPE_CLAIM", name)));
        named.extend(self.jti_claim.as_deref().map(|name| ("JTI_CLAIM", name)));
        named.push((
            "SLIDING_TOKEN_REFRESH_EXP_CLAIM",
            self.sliding_token_refresh_exp_claim.as_str(),
        ));
        if self.check_revoke_token {
            named.push(("REVOKE_TOKEN_CLAIM", self.revoke_token_claim.as_str()));
        }
        if self.profile == Profile::Rfc9068 {
            named.push(("the client_id of profile = \"rfc9068\"", "client_id"));
        }
        const REGISTERED: [&str; 5] = ["exp", "iat", "nbf", "aud", "iss"];
        for (i, (setting, claim)) in named.iter().enumerate() {
            problem(claim.is_empty(), &format!("{setting} is empty: name a claim"));
            problem(
                REGISTERED.contains(claim),
                &format!(
                    "{setting} is {claim:?}, a claim with a meaning of its own \
                          (RFC 7519 section 4.1): choose another name"
                ),
            );
            for (other, same) in named.iter().skip(i + 1) {
                problem(
                    claim == same && !claim.is_empty(),
                    &format!("{setting} and {other} are both {claim:?}: give them different names"),
                );
            }
        }
    }
}

const LONGEST_LIFETIME: Duration = Duration::from_secs(1000 * 366 * 24 * 60 * 60);

pub(super) fn is_http_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
