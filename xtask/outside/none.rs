//! A resource server: it verifies and asks nobody.

use simplejwt::store::memory::MemoryStore;
use simplejwt::{Access, Auth, Settings, Token, Tokens};

pub fn verified(key: &str, sent: &str) -> Result<Token<Access>, Box<dyn std::error::Error>> {
    let tokens = Tokens::new(Settings { signing_key: Some(key.into()), ..Settings::default() })?;
    Ok(tokens.decode(sent)?)
}

pub async fn asked(tokens: Tokens, sent: &str) -> Result<Token<Access>, simplejwt::Error> {
    Auth::new(tokens).with_store(MemoryStore::default()).authenticate(sent).await
}
