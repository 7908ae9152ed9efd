//! Parses as much of a certificate (RFC 5280 section 4.1) as is needed, of any version and in any
//! state: extensions are read only on demand.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::keys::der::Reader;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_3: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// 2.5.4.3
const COMMON_NAME: &[u8] = b"\x55\x04\x03";
/// 2.5.29.15
pub(super) const KEY_USAGE: &[u8] = b"\x55\x1d\x0f";
/// 2.5.29.17
pub(super) const SUBJECT_ALT_NAME: &[u8] = b"\x55\x1d\x11";
/// 2.5.29.19
pub(super) const BASIC_CONSTRAINTS: &[u8] = b"\x55\x1d\x13";
/// 2.5.29.30
pub(super) const NAME_CONSTRAINTS: &[u8] = b"\x55\x1d\x1e";
/// 2.5.29.37
pub(super) const EXTENDED_KEY_USAGE: &[u8] = b"\x55\x1d\x25";

/// 1.2.840.113549.1.1.1 and .10, as elements
const RSA: [&[u8]; 2] = [
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01",
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a",
];
/// 1.3.101.113, as an element
const ED448: &[u8] = b"\x06\x03\x2b\x65\x71";
/// The length of the shortest accepted `RSAPublicKey`, which contains a modulus of 2048 bits.
const SHORTEST_RSA: usize = 2048 / 8;

/// A parsed certificate. Names and algorithms are the contents of their elements.
#[derive(Debug)]
pub(crate) struct Certificate<'d> {
    /// The signed part, with its header.
    pub(super) to_be_signed: &'d [u8],
    /// 1, 2 or 3.
    pub(super) version: u8,
    pub(super) issuer: &'d [u8],
    pub(super) subject: &'d [u8],
    /// The algorithm in the signed part, and once more outside of it.
    pub(super) algorithms: (&'d [u8], &'d [u8]),
    pub(super) signature: &'d [u8],
    /// The whole `SubjectPublicKeyInfo`, with its header.
    pub(super) key_info: &'d [u8],
    pub(super) key_algorithm: &'d [u8],
    pub(super) key: &'d [u8],
    validity: &'d [u8],
    extensions: Option<&'d [u8]>,
}

/// An extension of a certificate.
pub(super) struct Extension<'d> {
    pub(super) id: &'d [u8],
    pub(super) critical: bool,
    pub(super) value: &'d [u8],
}

/// The names of `subjectAltName` that can be a host's.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AltNames {
    pub(super) dns: Vec<String>,
    pub(super) addresses: Vec<Vec<u8>>,
}

impl<'d> Certificate<'d> {
    /// Parses a certificate; returns `None` if it isn't one.
    pub(crate) fn read(der: &'d [u8]) -> Option<Self> {
        let mut whole = Reader::sequence(der)?;
        let (to_be_signed, content) = whole.element(SEQUENCE)?;
        let outer = whole.expect(SEQUENCE)?;
        let signature = whole.bits()?;
        let mut reader = Reader::of(content);
        let version = match reader.optional(CONTEXT_0) {
            Some(version) => Reader::of(version).expect(INTEGER)?.last()?.saturating_add(1),
            None => 1,
        };
        reader.expect(INTEGER)?;
        let inner = reader.expect(SEQUENCE)?;
        let issuer = reader.expect(SEQUENCE)?;
        let validity = reader.expect(SEQUENCE)?;
        let subject = reader.expect(SEQUENCE)?;
        let (key_info, info) = reader.element(SEQUENCE)?;
        let mut info = Reader::of(info);
        let key_algorithm = info.expect(SEQUENCE)?;
        let key = info.bits()?;
        let mut extensions = None;
        while let Some((tag, content)) = reader.next() {
            if tag == CONTEXT_3 {
                extensions = Reader::of(content).expect(SEQUENCE);
            }
        }
        Some(Self {
            to_be_signed,
            version,
            issuer,
            subject,
            algorithms: (inner, outer),
            signature,
            key_info,
            key_algorithm,
            key,
            validity,
            extensions,
        })
    }

    /// Returns the first and last time of its validity, in seconds since 1970.
    pub(super) fn validity(&self) -> Option<(i64, i64)> {
        let mut reader = Reader::of(self.validity);
        Some((seconds(reader.next()?)?, seconds(reader.next()?)?))
    }

    /// Returns its extensions; `None` if they can't be read.
    pub(super) fn extensions(&self) -> Option<Vec<Extension<'d>>> {
        let mut reader = Reader::of(self.extensions.unwrap_or_default());
        let mut found = Vec::new();
        while !reader.is_empty() {
            let mut extension = reader.enter()?;
            let id = extension.expect(OBJECT_IDENTIFIER)?;
            let critical = extension.optional(BOOLEAN).is_some_and(|value| value != [0]);
            found.push(Extension { id, critical, value: extension.expect(OCTET_STRING)? });
        }
        Some(found)
    }

    fn extension(&self, id: &[u8]) -> Option<&'d [u8]> {
        self.extensions()?.into_iter().find(|found| found.id == id).map(|found| found.value)
    }

    pub(super) fn has_extension(&self, id: &[u8]) -> bool {
        self.extension(id).is_some()
    }

    /// Returns whether `basicConstraints` makes it an authority; `None` without that extension.
    pub(super) fn is_authority(&self) -> Option<bool> {
        let mut constraints = Reader::sequence(self.extension(BASIC_CONSTRAINTS)?)?;
        Some(constraints.optional(BOOLEAN).is_some_and(|value| value != [0]))
    }

    /// Returns `true` if `keyUsage` has a bit, counted from 0, or without that extension.
    pub(super) fn may(&self, bit: u8) -> bool {
        let Some(usage) = self.extension(KEY_USAGE) else { return true };
        let bits = Reader::of(usage).expect(BIT_STRING).and_then(|bits| bits.split_first());
        bits.and_then(|(_, bits)| bits.get(usize::from(bit / 8)))
            .is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
    }

    /// Returns `true` if `extendedKeyUsage` names a purpose, or without that extension.
    pub(super) fn is_for(&self, purpose: &[u8]) -> bool {
        let Some(value) = self.extension(EXTENDED_KEY_USAGE) else { return true };
        let Some(mut purposes) = Reader::sequence(value) else { return false };
        std::iter::from_fn(|| purposes.next()).any(|(_, id)| id == purpose)
    }

    /// Returns the names and addresses of `subjectAltName`.
    pub(super) fn alt_names(&self) -> AltNames {
        let mut names = AltNames::default();
        let Some(mut reader) = self.extension(SUBJECT_ALT_NAME).and_then(Reader::sequence) else {
            return names;
        };
        while let Some((tag, content)) = reader.next() {
            match tag {
                DNS_NAME => names.dns.push(text(content)),
                IP_ADDRESS => names.addresses.push(content.to_vec()),
                _ => {}
            }
        }
        names
    }

    /// Returns the first common name of its subject.
    pub(super) fn common_name(&self) -> Option<String> {
        common_name(self.subject)
    }

    /// Returns its issuer's name, for messages.
    pub(super) fn issuer_name(&self) -> String {
        common_name(self.issuer).unwrap_or_else(|| "somebody without a common name".into())
    }

    /// Returns `true` if signatures of its key can be verified here: not for RSA of less than 2048
    /// bits, and not for Ed448.
    pub(crate) fn is_provable(&self) -> bool {
        let short = self.is_rsa() && self.key.len() < SHORTEST_RSA;
        !short && self.key_algorithm != ED448
    }

    pub(super) fn is_rsa(&self) -> bool {
        RSA.iter().any(|id| self.key_algorithm.starts_with(id))
    }

    /// Returns the object identifier of the algorithm that signed it, and its parameters.
    pub(crate) fn signed_with(&self) -> Option<(&'d [u8], &'d [u8])> {
        let mut reader = Reader::of(self.algorithms.1);
        let id = reader.expect(OBJECT_IDENTIFIER)?;
        Some((id, reader.rest()))
    }
}

fn common_name(name: &[u8]) -> Option<String> {
    let mut sets = Reader::of(name);
    while let Some(set) = sets.expect(SET) {
        let mut attribute = Reader::of(set).enter()?;
        if attribute.expect(OBJECT_IDENTIFIER)? == COMMON_NAME {
            return attribute.next().map(|(_, value)| text(value));
        }
    }
    None
}

/// Returns text for comparison and display: with anything that isn't UTF-8 or is a control
/// character, it fits no host.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(|c: char| c.is_control(), "\u{fffd}")
}

/// Parses `Time`: one form has two digits of the year, the other four.
fn seconds((tag, content): (u8, &[u8])) -> Option<i64> {
    let digits = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (year, rest) = digits.split_at_checked(match tag {
        UTC_TIME => 2,
        GENERALIZED_TIME => 4,
        _ => return None,
    })?;
    let year: i16 = match year.parse().ok()? {
        year @ 0..50 if tag == UTC_TIME => 2000 + year,
        year if tag == UTC_TIME => 1900 + year,
        year => year,
    };
    let part = |at: usize| rest.get(at..at + 2).and_then(|part| part.parse::<i8>().ok());
    let seconds = part(8).unwrap_or(0);
    let civil = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, seconds, 0).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}
