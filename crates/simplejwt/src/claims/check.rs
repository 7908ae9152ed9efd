//! The registered claims (RFC 7519 section 4.1), checked against the settings and the clock.

use std::borrow::Cow;
use std::time::Duration;

use super::{Claims, id, string};
use crate::clock::Timestamp;
use crate::error::{TokenError, can_be_id};
use crate::settings::{SESSION_CLAIM, Settings, TokenClass};

/// The first second of the year 10000, which neither Python's datetimes nor SQL's can hold.
const YEAR_10000: i64 = 253_402_300_800;

impl Claims {
    /// Returns a NumericDate (RFC 7519 section 2) in whole seconds, without its fraction.
    pub(crate) fn numeric_date(&self, name: &str) -> Result<Option<i64>, TokenError> {
        self.raw(name).map(numeric_date).transpose()
    }

    /// Checks the registered claims in PyJWT's order: `iat`, `nbf`, `exp`, `iss`, `aud`, `sub`,
    /// `jti`.
    pub(crate) fn check_registered(
        &self,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let mut claims = Registered::default();
        for member in &self.members {
            let claim = match self.bytes(member.name) {
                b"iat" => &mut claims.iat,
                b"nbf" => &mut claims.nbf,
                b"exp" => &mut claims.exp,
                b"sub" => &mut claims.sub,
                b"jti" => &mut claims.jti,
                _ => continue,
            };
            *claim = Some(self.slice(member.value));
        }
        let latest = (now + settings.leeway).as_secs();
        for claim in [claims.iat, claims.nbf].into_iter().flatten() {
            if numeric_date(claim)? > latest {
                return Err(TokenError::Invalid);
            }
        }
        if let Some(exp) = claims.exp {
            let exp = numeric_date(exp)?;
            if has_passed(exp, now, settings.leeway) {
                return Err(TokenError::Expired);
            }
            if exp >= YEAR_10000 {
                return Err(TokenError::Invalid);
            }
        }
        if let Some(issuer) = &settings.issuer
            && self.str("iss").as_deref() != Some(issuer)
        {
            return Err(TokenError::Invalid);
        }
        self.check_audience(settings)?;
        if [claims.sub, claims.jti].into_iter().flatten().any(|claim| string(claim).is_none()) {
            return Err(TokenError::Invalid);
        }
        Ok(())
    }

    /// Checks that the claims under which a token and its session are stored fit into the tables:
    /// `JTI_CLAIM`, and `sid` where tokens carry their session. Both columns hold 255 characters.
    ///
    /// Done here for all stores, before any is asked: a value that a database can't hold was never
    /// registered, and needn't be looked up.
    pub(crate) fn check_ids(&self, settings: &Settings) -> Result<(), TokenError> {
        if !settings.token_blacklist {
            return Ok(());
        }
        let is_id = |id: Option<Cow<'_, str>>| id.is_some_and(|id| can_be_id(&id));
        if let Some(claim) = &settings.jti_claim
            && let Some(value) = self.raw(claim)
            && !is_id(id(value))
        {
            return Err(TokenError::Invalid);
        }
        let in_session = settings.has_sessions() && settings.sessions.session_claim;
        if in_session
            && let Some(value) = self.raw(SESSION_CLAIM)
            && !is_id(string(value))
        {
            return Err(TokenError::Invalid);
        }
        Ok(())
    }

    fn check_audience(&self, settings: &Settings) -> Result<(), TokenError> {
        if let Some(own) = &settings.refresh_audience {
            let is_refresh =
                self.token_type(settings).as_deref() == Some(TokenClass::Refresh.token_type());
            if self.audience().is_some_and(|names| names.contains(own)) {
                return if is_refresh { Ok(()) } else { Err(TokenError::Invalid) };
            }
            // Issued before refresh tokens had an audience of their own.
            if is_refresh && settings.audience.is_none() && self.contains("aud") {
                return Err(TokenError::Invalid);
            }
        }
        if let Some(audience) = &settings.audience {
            let in_token = self.audience().ok_or(TokenError::Invalid)?;
            if !audience.iter().any(|name| in_token.iter().any(|other| other == name)) {
                return Err(TokenError::Invalid);
            }
        }
        Ok(())
    }

    fn audience(&self) -> Option<Vec<String>> {
        match self.str("aud") {
            Some(name) => Some(vec![name.into_owned()]),
            None => self.get::<Vec<String>>("aud").ok().flatten(),
        }
    }

    /// Fails if the time in `claim` has passed, or if the claim is missing.
    pub(crate) fn check_expiry(
        &self,
        claim: &str,
        now: Timestamp,
        leeway: Duration,
    ) -> Result<(), TokenError> {
        match self.numeric_date(claim)? {
            None => Err(TokenError::MissingClaim(claim.to_owned())),
            Some(time) if has_passed(time, now, leeway) => {
                Err(TokenError::ClaimExpired(claim.to_owned()))
            }
            Some(time) if time >= YEAR_10000 => Err(TokenError::Invalid),
            Some(_) => Ok(()),
        }
    }
}

/// The registered claims that are checked, as JSON.
#[derive(Default)]
struct Registered<'a> {
    iat: Option<&'a str>,
    nbf: Option<&'a str>,
    exp: Option<&'a str>,
    sub: Option<&'a str>,
    jti: Option<&'a str>,
}

fn numeric_date(value: &str) -> Result<i64, TokenError> {
    if let Ok(seconds) = value.parse() {
        return Ok(seconds);
    }
    let number: f64 = serde_json::from_str(value).map_err(|_| TokenError::Invalid)?;
    // The cast saturates, and a value out of range is in the past or future anyway.
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    if number.is_finite() { Ok(number.trunc() as i64) } else { Err(TokenError::Invalid) }
}

/// The last second isn't part of the lifetime: `exp <= now - leeway` has passed.
fn has_passed(time: i64, now: Timestamp, leeway: Duration) -> bool {
    time <= (now - leeway).as_secs()
}
