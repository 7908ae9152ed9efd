//! The keys of a ring in a file of their own, which only its owner can read.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::{Value, json};
use simplejwt::keys::ring::StoredKey;
use simplejwt::store::KeyStore;
use simplejwt::{StoreError, Timestamp};

use crate::files;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A file with the keys, as JSON. A change replaces the whole file; a second file beside it is
/// locked meanwhile.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl KeyFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn read(&self) -> Result<Vec<StoredKey>, Cause> {
        let told = |problem: String| format!("{}: {problem}", self.path.display());
        let metadata = fs::metadata(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                told("there is no such file: create it with `simplejwt key rotate`".to_owned())
            }
            _ => told(error.to_string()),
        })?;
        if metadata.len() > LARGEST {
            return Err(told("it is larger than 1 MiB".to_owned()).into());
        }
        let text = zeroize::Zeroizing::new(
            fs::read_to_string(&self.path).map_err(|error| told(error.to_string()))?,
        );
        parse(&text).map_err(|problem| told(problem.to_owned()).into())
    }

    /// Changes the keys, if there is something to change.
    fn change<T>(
        &self,
        operation: &'static str,
        change: impl FnOnce(&mut Vec<StoredKey>) -> (T, bool),
    ) -> Result<T, StoreError> {
        let failed = |cause: Cause| StoreError::unavailable(operation, cause);
        let _locked = lock(&self.path).map_err(|error| {
            failed(format!("can't lock {}: {error}", self.path.display()).into())
        })?;
        let exists = self.path.try_exists().map_err(|error| failed(error.into()))?;
        let mut keys = if exists { self.read().map_err(failed)? } else { Vec::new() };
        let (outcome, is_changed) = change(&mut keys);
        if is_changed {
            keys.sort_by_key(|key| key.number);
            files::replace_private(&self.path, to_text(&keys).as_bytes())
                .map_err(|failure| failed(failure.to_string().into()))?;
        }
        Ok(outcome)
    }
}

/// Locks a file beside that one, until the returned one is dropped.
fn lock(path: &Path) -> io::Result<File> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".lock");
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path.with_file_name(name))?;
    file.lock()?;
    Ok(file)
}

fn parse(text: &str) -> Result<Vec<StoredKey>, &'static str> {
    const WRONG: &str = "it isn't a file of keys as `simplejwt key rotate` writes it";
    let value: Value = serde_json::from_str(text).map_err(|_| WRONG)?;
    let keys = value.get("keys").and_then(Value::as_array).ok_or(WRONG)?;
    keys.iter().map(|key| stored_key(key).ok_or(WRONG)).collect()
}

fn stored_key(value: &Value) -> Option<StoredKey> {
    let text = |name| value.get(name)?.as_str().map(str::to_owned);
    let time = |name| {
        let moment: jiff::Timestamp = value.get(name)?.as_str()?.parse().ok()?;
        Some(Timestamp::from_micros(moment.as_microsecond()))
    };
    let verifies_until = match value.get("verifies_until") {
        None | Some(Value::Null) => None,
        Some(_) => Some(time("verifies_until")?),
    };
    Some(StoredKey {
        number: value.get("number")?.as_i64()?,
        kid: text("kid")?,
        algorithm: text("algorithm")?,
        key: text("key")?,
        created_at: time("created_at")?,
        activates_at: time("activates_at")?,
        verifies_until,
    })
}

fn to_text(keys: &[StoredKey]) -> zeroize::Zeroizing<String> {
    let time = |at: Timestamp| {
        jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default().to_string()
    };
    let key = |key: &StoredKey| {
        json!({
            "number": key.number,
            "kid": key.kid,
            "algorithm": key.algorithm,
            "created_at": time(key.created_at),
            "activates_at": time(key.activates_at),
            "verifies_until": key.verifies_until.map(time),
            "key": key.key,
        })
    };
    let keys: Vec<_> = keys.iter().map(key).collect();
    zeroize::Zeroizing::new(format!("{:#}\n", json!({ "keys": keys })))
}

#[async_trait]
impl KeyStore for KeyFile {
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.read().map_err(|cause| StoreError::unavailable("keys", cause))
    }

    async fn add_key(&self, key: &StoredKey, others_until: Timestamp) -> Result<bool, StoreError> {
        self.change("add_key", |keys| {
            if keys.iter().any(|other| other.number == key.number || other.kid == key.kid) {
                return (false, false);
            }
            for other in keys.iter_mut().filter(|other| other.number < key.number) {
                other.verifies_until.get_or_insert(others_until);
            }
            keys.push(key.clone());
            (true, true)
        })
    }

    async fn retire_key(&self, kid: &str, at: Timestamp) -> Result<bool, StoreError> {
        self.change("retire_key", |keys| {
            let Some(key) = keys.iter_mut().find(|key| key.kid == kid) else {
                return (false, false);
            };
            key.verifies_until = Some(key.verifies_until.map_or(at, |until| until.min(at)));
            (true, true)
        })
    }

    async fn delete_keys(&self, before: Timestamp) -> Result<u64, StoreError> {
        let is_due = |key: &StoredKey| key.verifies_until.is_some_and(|until| until <= before);
        if !self.keys().await?.iter().any(is_due) {
            return Ok(0);
        }
        self.change("delete_keys", |keys| {
            let (count, newest) = (keys.len(), keys.last().map(|key| key.number));
            keys.retain(|key| Some(key.number) == newest || !is_due(key));
            ((count - keys.len()) as u64, keys.len() < count)
        })
    }
}

#[cfg(test)]
mod tests {
    use simplejwt::store::conformance;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_file_is_a_store_of_keys() {
        let directory = tempfile::tempdir().unwrap();
        let count = std::sync::atomic::AtomicUsize::new(0);
        let make = || async {
            let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let path = directory.path().join(format!("keys-{number}.json"));
            files::create_private(&path, b"{\"keys\": []}").unwrap();
            KeyFile::new(path)
        };
        conformance::keys(make, |task| drop(tokio::spawn(task))).await;
    }

    #[tokio::test]
    async fn a_file_that_is_something_else_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        let told = async || {
            let error = KeyFile::new(path.clone()).keys().await.unwrap_err();
            crate::failure::chain(&error)
        };
        assert!(told().await.contains("simplejwt key rotate"), "{}", told().await);
        for text in
            ["", "[]", "{}", r#"{"keys":[{}]}"#, r#"{"keys":[{"number":1,"kid":"secret"}]}"#]
        {
            fs::write(&path, text).unwrap();
            let told = told().await;
            assert!(told.contains("keys.json: it isn't a file of keys"), "{told}");
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
