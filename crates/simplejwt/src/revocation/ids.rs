//! The ids of sessions and tokens, compactly.

use std::collections::HashMap;

use crate::clock::Timestamp;

/// Ids, each with the time at which it can be forgotten.
///
/// Nearly all are UUIDs as upstream writes them, 32 lowercase hexadecimal digits, which are kept as
/// 16 bytes in place: some 50 bytes an id, and no allocation for each.
#[derive(Default)]
pub(super) struct Ids {
    uuids: HashMap<[u8; 16], Timestamp>,
    others: HashMap<Box<str>, Timestamp>,
}

impl Ids {
    pub(super) fn len(&self) -> usize {
        self.uuids.len() + self.others.len()
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        match uuid(id) {
            Some(uuid) => self.uuids.contains_key(&uuid),
            None => self.others.contains_key(id),
        }
    }

    /// Adds an id, or keeps a known one until then if that is later.
    pub(super) fn insert(&mut self, id: String, expires_at: Timestamp) {
        let longer = |known: &mut Timestamp| *known = (*known).max(expires_at);
        match uuid(&id) {
            Some(uuid) => self.uuids.entry(uuid).and_modify(longer).or_insert(expires_at),
            None => self.others.entry(id.into()).and_modify(longer).or_insert(expires_at),
        };
    }

    /// Forgets those that stopped counting by `due`, and gives back memory if most are gone.
    pub(super) fn forget(&mut self, due: Timestamp) {
        self.uuids.retain(|_, expires_at| *expires_at > due);
        self.others.retain(|_, expires_at| *expires_at > due);
        if self.uuids.len() < self.uuids.capacity() / 4 {
            self.uuids.shrink_to(self.uuids.len() * 2);
        }
        if self.others.len() < self.others.capacity() / 4 {
            self.others.shrink_to(self.others.len() * 2);
        }
    }
}

/// Returns the bytes of a text of 32 lowercase hexadecimal digits. Any other text of the same UUID is
/// another id.
fn uuid(id: &str) -> Option<[u8; 16]> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_uuid = id.len() == 32 && id.bytes().all(is_hex);
    is_uuid.then(|| u128::from_str_radix(id, 16).ok().map(u128::to_be_bytes)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0123456789abcdef0123456789abcdef";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn only_the_same_text_is_the_same_id() {
        let others = [
            UUID.to_uppercase(),
            format!("{}A", &UUID[..31]),
            format!("+{}", &UUID[1..]),
            format!(" {}", &UUID[1..]),
            UUID[1..].to_owned(),
            format!("0{UUID}"),
            "01234567-89ab-cdef-0123-456789abcdef".to_owned(),
            "0".repeat(32),
            String::new(),
            "é".repeat(16),
        ];
        let mut ids = Ids::default();
        ids.insert(UUID.to_owned(), at(1));
        assert!(ids.contains(UUID));
        for other in &others {
            assert!(!ids.contains(other), "{other:?}");
        }
        for other in &others {
            ids.insert(other.clone(), at(1));
            assert!(ids.contains(other), "{other:?}");
        }
        assert_eq!(ids.len(), 1 + others.len());
    }

    #[test]
    fn the_later_time_counts() {
        for id in [UUID, "another"] {
            let mut ids = Ids::default();
            ids.insert(id.to_owned(), at(5));
            ids.insert(id.to_owned(), at(3));
            ids.forget(at(4));
            assert!(ids.contains(id), "{id}");
            ids.insert(id.to_owned(), at(7));
            ids.forget(at(6));
            assert_eq!(ids.len(), 1, "{id}");
            ids.forget(at(7));
            assert_eq!((ids.contains(id), ids.len()), (false, 0), "{id}");
        }
    }

    #[test]
    fn memory_is_given_back() {
        let mut ids = Ids::default();
        for number in 0..1000 {
            ids.insert(format!("{number:032x}"), at(number));
            ids.insert(number.to_string(), at(number));
        }
        assert!(ids.uuids.capacity() * 25 < 1000 * 64);
        ids.forget(at(989));
        assert_eq!(ids.len(), 20);
        assert!(ids.uuids.capacity() < 100 && ids.others.capacity() < 100);
        assert!(ids.contains(&format!("{:032x}", 995)) && ids.contains("995"));
    }
}
