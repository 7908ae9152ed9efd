//! A token can't be written out.

use std::marker::PhantomData;
use std::sync::Arc;

use simplejwt::{Access, Claims, Token};

fn written_out(claims: Claims) -> Token<Access> {
    Token { claims, origin: Arc::default(), kind: PhantomData } //~ E0451
}
