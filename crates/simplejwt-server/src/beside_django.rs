//! What a database says of the Django beside this server, looked at before anything is served.

use simplejwt::store::OutstandingToken;
use simplejwt::store::retention::Retention;

use crate::config::Loaded;
use crate::database::{Database, failed};
use crate::failure::Failure;

/// Registered tokens that are looked at; the newest.
const SAMPLE: u32 = 200;
/// Zones are a multiple of this from UTC, and no farther than [`FARTHEST`]; in seconds.
const STEP: i64 = 15 * 60;
const FARTHEST: i64 = 14 * 60 * 60;
/// How far `created_at` may be from `iat` for both to be the same moment, in seconds.
const SAME: i64 = 60;

/// Whether what was configured fits to what Django keeps in the database; what whoever runs the
/// server should know.
///
/// # Errors
/// A blacklist that would be ignored without anybody having said so; the database's.
pub(crate) async fn look(loaded: &Loaded) -> Result<Vec<String>, Failure> {
    let config = &loaded.config;
    let database = Database::open(config).await?;
    if config.settings.token_blacklist {
        let store = database.store().await?;
        let newest = store.newest(SAMPLE).await.map_err(|error| failed(&error))?;
        let shift = shift(&newest, &Retention::of(&config.settings));
        return Ok(shift.map(shifted).into_iter().collect());
    }
    if !database.blacklist_in_use().await? {
        return Ok(Vec::new());
    }
    if !loaded.given.contains_key("simple_jwt.token_blacklist") {
        return Err(Failure::config(
            "the database has the tables of Django's token_blacklist, but the setting \
             token_blacklist says nothing of them, so that tokens which Django blacklisted would \
             be good here: write token_blacklist = true in [simple_jwt] or set \
             SIMPLEJWT_TOKEN_BLACKLIST=true, and run `simplejwt migrate`; or write false, if that \
             is meant",
        ));
    }
    Ok(vec![
        "token_blacklist is false although the database has the tables of Django's \
         token_blacklist: tokens that Django blacklisted are good here"
            .to_owned(),
    ])
}

/// By how many seconds the columns of the newest shifted token are off, as Django shifts them
/// without `USE_TZ`.
fn shift(newest: &[OutstandingToken], retention: &Retention) -> Option<i64> {
    newest.iter().find_map(|token| {
        let times = retention.times_of(&token.token)?;
        let shift = token.expires_at.as_secs().checked_sub(times.exp?)?;
        let is_zone = shift != 0 && shift % STEP == 0 && shift.abs() <= FARTHEST;
        // Django shifts both columns. Where only one is off, an application has set `exp` anew.
        let is_alone = times.iat.is_some_and(|iat| {
            token.created_at.as_secs().checked_sub(iat).is_some_and(|apart| apart.abs() <= SAME)
        });
        (is_zone && !is_alone).then_some(shift)
    })
}

fn shifted(shift: i64) -> String {
    let (sign, minutes) = (if shift > 0 { '-' } else { '+' }, shift.abs() / 60);
    let zone = format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    let consequence = if shift > 0 {
        "Django's own flushexpiredtokens deletes what is registered here that much too early, and \
         with it the blacklisting"
    } else {
        "other programs that read those columns take tokens for expired too early"
    };
    format!(
        "Django runs with USE_TZ = False in the zone {zone}: its registered tokens have times in \
         the database that are off by that much. The purge here goes by the tokens themselves; \
         {consequence}. Set USE_TZ = True in Django's settings"
    )
}

#[cfg(test)]
mod tests {
    use simplejwt::{Settings, Timestamp, Tokens};

    use super::*;

    const HOUR: i64 = 3600;

    /// A registered token whose columns are off by so many seconds.
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
            // No zone is there.
            (-15 * HOUR, -15 * HOUR, None),
            (-100, -100, None),
            // An application gave the token another `exp`.
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
    fn the_zone_is_named() {
        for (shift, zone) in
            [(-8 * HOUR, "UTC+08:00"), (5 * HOUR, "UTC-05:00"), (-20_700, "UTC+05:45")]
        {
            assert!(shifted(shift).contains(zone), "{}", shifted(shift));
        }
    }
}
