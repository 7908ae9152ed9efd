//! What has to compile, so that the others can't fail for another reason.

use simplejwt::{Access, Claims, Error, Refresh, Settings, Token, TokenError, Tokens};

fn handler(_: Token<Access>) {}

fn verified(tokens: &Tokens, sent: &str) -> Result<(), TokenError> {
    handler(tokens.decode::<Access>(sent)?);
    handler(tokens.access_from(&tokens.decode::<Refresh>(sent)?));
    Ok(())
}

fn minted(settings: Settings) -> Result<String, Error> {
    let tokens = Tokens::new(settings).expect("good settings");
    let token = tokens.issue_with("1", |claims| claims.set("is_staff", true).expect("JSON"));
    handler(token);
    tokens.encode(&tokens.issue::<Access>("1"))
}

fn looked_at(token: &Token<Access>) -> &Claims {
    token.claims()
}
