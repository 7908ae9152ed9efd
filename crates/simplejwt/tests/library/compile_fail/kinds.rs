//! A token of one kind is no token of another.

use simplejwt::{Access, Refresh, Sliding, Token, Tokens, Untyped};

fn handler(_: Token<Access>) {}

fn a_refresh_token_opens_nothing(token: Token<Refresh>) {
    handler(token); //~ E0308
}

fn nor_does_a_sliding_one(token: Token<Sliding>) {
    handler(token); //~ E0308
}

fn nor_one_of_any_kind(token: Token<Untyped>) {
    handler(token); //~ E0308
}

fn nor_what_was_decoded_as_something_else(tokens: &Tokens, sent: &str) {
    handler(tokens.decode::<Refresh>(sent).unwrap()); //~ E0308
}

fn an_access_token_is_not_refreshed(tokens: &Tokens, token: &Token<Access>) {
    tokens.access_from(token); //~ E0308
}

fn no_kind_becomes_another(token: Token<Refresh>) {
    handler(token.into()); //~ E0277
}

fn not_even_by_what_the_flows_use(token: Token<Refresh>) {
    handler(token.into_kind()); //~ E0624
}

fn text_is_no_token(sent: String) {
    handler(sent); //~ E0308
}
