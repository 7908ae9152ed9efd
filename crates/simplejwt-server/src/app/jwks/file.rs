//! A JWK set in a file, which may be replaced while the server runs.

use std::error::Error;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use simplejwt::jwk::JwkSet;
use simplejwt::keys::{KeySource, Published};

use super::http::LARGEST;

/// The time after which the file is read again.
const FRESH_FOR: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct File(pub(super) PathBuf);

/// The reason why a file has no keys.
#[derive(Debug, thiserror::Error)]
enum FileFailure {
    #[error("{0} is not a file")]
    NotAFile(String),
    #[error("{0} has more than {LARGEST} bytes")]
    TooLarge(String),
}

impl File {
    fn read(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        // Opening a pipe would wait for a writer.
        if !std::fs::metadata(&self.0)?.is_file() {
            return Err(FileFailure::NotAFile(self.name()).into());
        }
        let mut bytes = Vec::new();
        std::fs::File::open(&self.0)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(FileFailure::TooLarge(self.name()).into());
        }
        Ok(bytes)
    }
}

#[async_trait]
impl KeySource for File {
    async fn fetch(&self) -> Result<Published, Box<dyn Error + Send + Sync>> {
        let file = Self(self.0.clone());
        let bytes = tokio::task::spawn_blocking(move || file.read()).await??;
        Ok(Published::from(JwkSet::from_json(&bytes)?).fresh_for(FRESH_FOR))
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}
