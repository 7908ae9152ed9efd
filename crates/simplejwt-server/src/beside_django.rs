//! Checks the database against the Django that runs beside this server, before anything is served.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use simplejwt::Settings;
use simplejwt::store::OutstandingToken;
use simplejwt::store::retention::Retention;

use crate::config::Loaded;
use crate::database::{Database, failed};
use crate::failure::Failure;

/// The number of registered tokens that are examined, the newest first.
const SAMPLE: u32 = 200;
/// The step between time zones, in seconds. Each is a multiple of it from UTC, and at most
/// [`FARTHEST`].
const STEP: i64 = 15 * 60;
const FARTHEST: i64 = 14 * 60 * 60;
/// The maximum distance between `created_at` and `iat` of the same token, in seconds.
const SAME: i64 = 60;

/// Compares the configuration with what Django keeps in the database, and returns warnings for the
/// operator.
///
/// # Errors
/// The database has a blacklist that the configuration would ignore without saying so; errors of
/// the database.
pub(crate) async fn check(loaded: &Loaded) -> Result<Vec<String>, Failure> {
    let config = &loaded.config;
    let database = Database::open(config).await?;
    if config.settings.token_blacklist {
        let store = database.store().await?;
        let newest = store.newest(SAMPLE).await.map_err(|error| failed(&error))?;
        let shift = shift(&newest, &Retention::of(&config.settings));
        let mut warnings: Vec<_> = shift.map(shifted).into_iter().collect();
        warnings.extend(unmarked(&newest, &config.settings));
        return Ok(warnings);
    }
    if !database.blacklist_in_use().await? {
        return Ok(Vec::new());
    }
    if !loaded.given.contains_key("simple_jwt.token_blacklist") {
        return Err(Failure::config(
            "the database has the tables of Django's token_blacklist, but the setting \
             token_blacklist isn't set, so tokens that Django has blacklisted would be accepted \
             here: write token_blacklist = true in [simple_jwt] or set \
             SIMPLEJWT_TOKEN_BLACKLIST=true, and run `simplejwt migrate`; or write false, if you \
             mean it",
        ));
    }
    Ok(vec![
        "token_blacklist is false although the database has the tables of Django's \
         token_blacklist: tokens that Django has blacklisted are accepted here"
            .to_owned(),
    ])
}

/// Returns the number of seconds by which the columns of the newest shifted token are off. Without
/// `USE_TZ`, Django shifts them by the offset of its time zone.
fn shift(newest: &[OutstandingToken], retention: &Retention) -> Option<i64> {
    newest.iter().find_map(|token| {
        let times = retention.times_of(&token.token)?;
        let shift = token.expires_at.as_secs().checked_sub(times.exp?)?;
        let is_zone = shift != 0 && shift % STEP == 0 && shift.abs() <= FARTHEST;
        // Django shifts both columns. If only one is off, an application has changed `exp`.
        let is_alone = times.iat.is_some_and(|iat| {
            token.created_at.as_secs().checked_sub(iat).is_some_and(|apart| apart.abs() <= SAME)
        });
        (is_zone && !is_alone).then_some(shift)
    })
}

/// Returns a warning if a refresh token without `refresh_audience` is newer than one with it: Django
/// issues or rotates refresh tokens, too.
fn unmarked(newest: &[OutstandingToken], settings: &Settings) -> Option<String> {
    let own = settings.refresh_audience.as_deref()?;
    let type_claim = settings.token_type_claim.as_deref()?;
    let issued = |is_marked: bool| {
        let claims = newest.iter().filter_map(|token| payload(&token.token));
        claims.filter_map(move |claims| {
            let aud = &claims["aud"];
            let names = aud.as_array().map_or(std::slice::from_ref(aud), Vec::as_slice);
            let has_own = names.iter().any(|name| name == own);
            (claims[type_claim] == "refresh" && has_own == is_marked)
                .then(|| claims["iat"].as_i64())?
        })
    };
    let first_marked = issued(true).min()?;
    issued(false).any(|iat| iat > first_marked).then(|| {
        "another program, such as Django, issues refresh tokens without refresh_audience in this \
         database: they are accepted here, but it may refuse those from here, or copy their aud \
         into access tokens. Let only this server refresh tokens, or leave refresh_audience out and \
         write typ = \"by_kind\", which Django ignores"
            .to_owned()
    })
}

/// Returns the claims of a stored token, with or without its signature.
fn payload(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn shifted(shift: i64) -> String {
    let (sign, minutes) = (if shift > 0 { '-' } else { '+' }, shift.abs() / 60);
    let zone = format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    let consequence = if shift > 0 {
        "Django's own flushexpiredtokens deletes tokens registered here that much too early, and \
         their blacklisting with them"
    } else {
        "other programs that read those columns consider tokens expired too early"
    };
    format!(
        "Django runs with USE_TZ = False in the time zone {zone}: in the database, the times of \
         its registered tokens are off by that much. The purge here uses the times in the tokens \
         themselves; {consequence}. Set USE_TZ = True in Django's settings"
    )
}

#[cfg(test)]
mod tests {
    use simplejwt::{Timestamp, Tokens};

    use super::*;

    const HOUR: i64 = 3600;

    /// A registered token whose columns are off by these numbers of seconds.
    fn registered(created_off: i64, expires_off: i64) -> OutstandingToken {
        let settings = Settings {
            signing_key: Some("a secret of at least thirty-two bytes".into()),
            ..Settings::default()
        };
        let tokens = Tokens::new(settings).unwrap();
        let token = tokens.issue::<simplejwt::Refresh>("1");
        let exp = tokens.expires_at(&token).unwrap().as_secs();
        let iat: i64 = token.claims().get("iat").unwrap().unwrap();
        OutstandingToken {
            jti: tokens.jti(&token).unwrap(),
            token: tokens.encode(&token).unwrap(),
            user_id: None,
            created_at: Timestamp::from_secs(iat + created_off),
            expires_at: Timestamp::from_secs(exp + expires_off),
        }
    }

    #[test]
    fn a_zone_is_told_from_other_differences() {
        let retention = Retention::of(&Settings::default());
        for (created, expires, found) in [
            (0, 0, None),
            (-8 * HOUR, -8 * HOUR, Some(-8 * HOUR)),
            (5 * HOUR, 5 * HOUR, Some(5 * HOUR)),
            // Nepal.
            (-20_700, -20_700, Some(-20_700)),
            (-14 * HOUR, -14 * HOUR, Some(-14 * HOUR)),
            // No time zone has this offset.
            (-15 * HOUR, -15 * HOUR, None),
            (-100, -100, None),
            // An application gave the token a different `exp`.
            (0, HOUR, None),
            (2, -HOUR, None),
        ] {
            let tokens = [registered(0, 0), registered(created, expires)];
            assert_eq!(shift(&tokens, &retention), found, "{created} {expires}");
        }
        let unreadable = OutstandingToken { token: "a.b.c".into(), ..registered(-HOUR, -HOUR) };
        assert_eq!(shift(&[unreadable], &retention), None);
    }

    #[test]
    fn another_issuer_of_refresh_tokens_is_noticed() {
        let settings = Settings { refresh_audience: Some("us".into()), ..Settings::default() };
        let token = |kind: &str, aud: Value, iat: i64| {
            let claims = serde_json::json!({"token_type": kind, "aud": aud, "iat": iat});
            let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
            OutstandingToken { token: format!("e30.{payload}."), ..registered(0, 0) }
        };
        let ours = |iat| token("refresh", "us".into(), iat);
        let theirs = |iat| token("refresh", Value::Null, iat);
        for (newest, is_told) in [
            (vec![], false),
            (vec![ours(2), theirs(1)], false),
            (vec![theirs(2), theirs(1)], false),
            (vec![theirs(3), ours(2), ours(1)], true),
            (vec![ours(3), theirs(2), ours(1)], true),
            (vec![ours(3), token("refresh", serde_json::json!(["api"]), 2), ours(1)], true),
            (vec![token("refresh", serde_json::json!(["us"]), 3), ours(1)], false),
            (vec![token("sliding", Value::Null, 3), ours(1)], false),
        ] {
            assert_eq!(unmarked(&newest, &settings).is_some(), is_told, "{newest:?}");
            assert_eq!(unmarked(&newest, &Settings::default()), None);
        }
        let unreadable = OutstandingToken { token: "a.b.c".into(), ..registered(0, 0) };
        assert_eq!(unmarked(&[unreadable, ours(1)], &settings), None);
    }

    #[test]
    fn the_zone_is_named() {
        for (shift, zone) in
            [(-8 * HOUR, "UTC+08:00"), (5 * HOUR, "UTC-05:00"), (-20_700, "UTC+05:45")]
        {
            assert!(shifted(shift).contains(zone), "{}", shifted(shift));
        }
    }
}
