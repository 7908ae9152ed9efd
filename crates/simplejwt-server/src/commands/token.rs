//! `simplejwt token inspect|blacklist|flush-expired`

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Read as _;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use simplejwt::keys::MAX_TOKEN_BYTES;
use simplejwt::settings::{Rows, SESSION_CLAIM};
use simplejwt::store::Blacklisting;
use simplejwt::{Error, TokenError, Tokens, Untyped};

use super::{block_on, flows};
use crate::cli::{Token, TokenFrom};
use crate::config::{Config, Loaded};
use crate::database::Database;
use crate::failure::Failure;
use crate::purge::{Purge, Speed, Stop, kept_by};
use crate::{app, output, throttle};

pub(crate) fn run(loaded: &Loaded, command: Token) -> Result<ExitCode, Failure> {
    match command {
        Token::Inspect(from) => inspect(&loaded.config, &read(&from)?),
        Token::Blacklist(from) => blacklist(&loaded.config, &read(&from)?),
        Token::FlushExpired { batch, paced } => flush_expired(&loaded.config, batch, paced),
    }
}

/// Reads the token from standard input.
fn read(from: &TokenFrom) -> Result<String, Failure> {
    if from.from != "-" {
        return Err(Failure::Usage(
            "a token can't be an argument, because other users of this machine could read it: \
             pass it on standard input, as in `simplejwt token inspect < token.txt`"
                .into(),
        ));
    }
    let mut text = String::new();
    std::io::stdin()
        .take(2 * MAX_TOKEN_BYTES as u64)
        .read_to_string(&mut text)
        .map_err(|error| Failure::Failed(format!("can't read standard input: {error}")))?;
    let token = text.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
    if token.is_empty() {
        return Err(Failure::Usage("there is no token on standard input".into()));
    }
    Ok(token.to_owned())
}

fn inspect(config: &Config, token: &str) -> Result<ExitCode, Failure> {
    let tokens = block_on(app::tokens_with_keys(config))?;
    let mut text = String::new();
    let mut segments = token.split('.');
    for name in ["header", "payload"] {
        let json = segments.next().and_then(json_of);
        let shown = json.as_ref().map_or_else(
            || "not JSON in base64url".to_owned(),
            |json| serde_json::to_string_pretty(json).unwrap_or_default(),
        );
        // Writing to a string can't fail, here and below.
        let _ = writeln!(text, "{name}: {shown}");
        for claim in ["iat", "nbf", "exp", &tokens.settings().sliding_token_refresh_exp_claim] {
            if let Some(time) = json.as_ref().and_then(|json| json.get(claim)?.as_i64())
                && let Ok(time) = jiff::Timestamp::from_second(time)
            {
                let _ = writeln!(text, "{claim}: {time}");
            }
        }
    }
    let verdict = block_on(verdict(config, &tokens, token))?;
    match &verdict {
        Ok(()) => text.push_str("the token is valid\n"),
        Err(error) => {
            let _ = writeln!(text, "the token is not valid: {error}");
        }
    }
    output::print(&text)?;
    Ok(if verdict.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn verdict(
    config: &Config,
    tokens: &Tokens,
    token: &str,
) -> Result<Result<(), TokenError>, Failure> {
    let token = match tokens.decode::<Untyped>(token) {
        Ok(token) => token,
        Err(error) => return Ok(Err(error)),
    };
    if config.settings.token_blacklist
        && let Some(jti) = tokens.jti(&token)
    {
        let store = Database::open(config).await?.store().await?;
        let is_spent = match store.rows() {
            Rows::Tokens => store.is_blacklisted(&jti).await,
            Rows::Sessions => store.is_spent(&jti, session(config, &token).as_deref()).await,
        };
        if is_spent.map_err(|error| crate::database::failed(&error))? {
            return Ok(Err(TokenError::Blacklisted));
        }
    }
    Ok(Ok(()))
}

/// Returns the session that a refresh or sliding token names.
fn session(config: &Config, token: &simplejwt::Token<Untyped>) -> Option<String> {
    let kind = token.claims().str(config.settings.token_type_claim.as_deref()?)?;
    let named = token.claims().str(SESSION_CLAIM).map(Cow::into_owned);
    named.filter(|_| ["refresh", "sliding"].contains(&&*kind))
}

fn json_of(segment: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).ok()?).ok()
}

/// Blacklists a refresh or sliding token. Access tokens are refused: nobody looks them up in the
/// blacklist.
fn blacklist(config: &Config, token: &str) -> Result<ExitCode, Failure> {
    if !config.settings.token_blacklist {
        return Err(Failure::config(
            "token_blacklist is off, so a blacklisted token would still be accepted: set \
             token_blacklist = true in [simple_jwt], and run `simplejwt migrate`",
        ));
    }
    let tokens = block_on(app::tokens_with_keys(config))?;
    let refused = |error: TokenError| Failure::Failed(format!("the token is not valid: {error}"));
    let verified = tokens.decode::<Untyped>(token).map_err(refused)?;
    if let Some(claim) = &config.settings.token_type_claim {
        match verified.claims().str(claim).as_deref() {
            Some("refresh" | "sliding") => {}
            _ => {
                return Err(Failure::Failed(
                    "only refresh and sliding tokens are looked up in the blacklist: an access \
                     token is valid until it expires"
                        .into(),
                ));
            }
        }
    }
    tokens.jti(&verified).ok_or_else(|| refused(TokenError::MissingId))?;
    let outcome = block_on(async {
        let database = Database::open(config).await?;
        let auth = flows::with_blacklist(tokens.clone(), &database).await?;
        auth.blacklist_any(token).await.map_err(|error| match error {
            Error::Token(error) => refused(error),
            error => flows::failed(&error),
        })
    })?;
    output::print(match outcome {
        Blacklisting::Blacklisted => "blacklisted\n",
        Blacklisting::AlreadyBlacklisted => "the token was already blacklisted\n",
    })?;
    Ok(ExitCode::SUCCESS)
}

fn flush_expired(config: &Config, batch: u32, paced: bool) -> Result<ExitCode, Failure> {
    let purged = block_on(async {
        let database = Database::open(config).await?;
        let store = database.store().await?;
        if database.counts(config).await {
            let purged = throttle::purge(&*database.counters()).await;
            purged.map_err(|error| crate::database::failed(&error))?;
        }
        let holder = format!("command-{}", std::process::id());
        let purge = Purge::new(store, config, batch, holder, Stop::default());
        let speed = if paced { Speed::BesideOthers } else { Speed::Full };
        let purged = Purge { speed, ..purge }.once().await;
        purged.map_err(|error| crate::database::failed(&error))
    })?;
    let Some(purged) = purged else {
        output::print("another process is already deleting expired tokens\n")?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut text = format!("deleted {} expired tokens", purged.tokens);
    if purged.sessions > 0 {
        text.push_str(&format!(" and {} session rows", purged.sessions));
    }
    text.push('\n');
    output::print(&text)?;
    let kept: Vec<_> = purged.referenced.iter().map(kept_by).collect();
    crate::telemetry::warn(&kept);
    Ok(ExitCode::SUCCESS)
}
