//! There is no way to a token but minting or verifying.

use simplejwt::{Access, Claims, Token, Tokens};

fn from_claims(claims: Claims) -> Token<Access> {
    claims.into() //~ E0277
}

fn by_trying(claims: Claims) -> Token<Access> {
    claims.try_into().unwrap() //~ E0277
}

fn by_a_constructor(claims: Claims) -> Token<Access> {
    Token::new(claims, std::sync::Arc::new(())) //~ E0624
}

fn by_minting(tokens: &Tokens, claims: Claims) -> Token<Access> {
    tokens.mint(claims) //~ E0624
}

fn by_leaving_the_signature_out(tokens: &Tokens, claims: Claims) -> Token<Access> {
    tokens.accept(claims).unwrap() //~ E0624
}

fn by_default() -> Token<Access> {
    Default::default() //~ E0277
}

fn by_parsing(text: &str) -> Token<Access> {
    text.parse().unwrap() //~ E0277
}

fn by_exchanging_the_claims_of_another(mut token: Token<Access>, claims: Claims) -> Token<Access> {
    token.claims = claims; //~ E0616
    token
}
