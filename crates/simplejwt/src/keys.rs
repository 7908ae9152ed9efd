//! stub
use std::fmt;
/// A
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// h
    Hs256,
}
impl Algorithm {
    /// s
    pub fn is_symmetric(self) -> bool {
        true
    }
}
impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HS256")
    }
}
/// E
#[derive(Debug, thiserror::Error)]
#[error("key")]
pub struct KeyError;
/// S
#[derive(Debug, Clone)]
pub struct SigningKey;
/// V
#[derive(Debug, Clone)]
pub struct VerifyingKey;
/// K
#[derive(Debug, Clone)]
pub struct KeySet;
impl SigningKey {
    /// p
    pub fn parse(_: Algorithm, _: &[u8], _: bool) -> Result<Self, KeyError> {
        Ok(Self)
    }
}
impl VerifyingKey {
    /// p
    pub fn parse(_: Algorithm, _: &[u8], _: bool) -> Result<Self, KeyError> {
        Ok(Self)
    }
}
impl KeySet {
    /// n
    pub fn new(_: SigningKey) -> Self {
        Self
    }
    /// w
    pub fn with_signing_and_verifying(_: SigningKey, _: VerifyingKey) -> Result<Self, KeyError> {
        Ok(Self)
    }
    /// v
    pub fn verify_only(_: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, KeyError> {
        Ok(Self)
    }
    /// s
    pub fn signing(&self) -> Option<&SigningKey> {
        None
    }
    /// d
    pub fn verify_compact(&self, _: &str) -> Result<Vec<u8>, KeyError> {
        Err(KeyError)
    }
    /// e
    pub fn sign_compact(&self, _: &[u8]) -> Result<String, KeyError> {
        Err(KeyError)
    }
}
