//! A token can't be written out.

use std::marker::PhantomData;

use simplejwt::{Access, Claims, Token};

fn written_out(claims: Claims) -> Token<Access> {
    Token { claims, kind: PhantomData } //~ E0451
}
