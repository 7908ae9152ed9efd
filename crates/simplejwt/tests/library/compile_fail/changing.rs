//! A token's claims are looked at, not changed.

use simplejwt::{Access, Token};

fn promoted(token: Token<Access>) -> Token<Access> {
    token.claims().set("is_staff", true).unwrap(); //~ E0596
    token
}
