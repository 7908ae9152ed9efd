//! Checks a token that Django or the server has issued, and prints its claims: no web framework, no
//! database, no runtime.
//!
//! ```sh
//! SIGNING_KEY="Django's SECRET_KEY" cargo run --example verify_only -- eyJ…
//! ```

use std::error::Error;
use std::process::ExitCode;

use simplejwt::{Access, Settings, Token, Tokens};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let key = std::env::var("SIGNING_KEY").map_err(|_| "SIGNING_KEY is not set")?;
    let tokens = Tokens::new(Settings {
        signing_key: Some(key.into()),
        allow_weak_key: true, // Django takes any
        ..Settings::default()
    })?;
    let sent = std::env::args().nth(1).ok_or("give the token as the first argument")?;

    let token: Result<Token<Access>, _> = tokens.decode(&sent);
    Ok(match token {
        Ok(token) => {
            println!("{}", token.claims().to_json());
            ExitCode::SUCCESS
        }
        Err(refused) => {
            println!("{refused}");
            ExitCode::FAILURE
        }
    })
}
