//! The times of a certificate (RFC 5280 section 4.1.2.5), read from its DER.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The first and the last second at which a certificate is valid, since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which certificates of version 1 don't have.
const VERSION: u8 = 0xa0;

/// Returns the times of the first certificate in PEM; `None` if there is none, or it isn't one.
pub(super) fn validity(pem: &[u8]) -> Option<Validity> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    let (certificate, _) = read(&certificate, SEQUENCE)?;
    let (mut rest, _) = read(certificate, SEQUENCE)?;
    if let Some((_, after)) = read(rest, VERSION) {
        rest = after;
    }
    // The serial number, the signature's algorithm, the issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = read(rest, tag)?.1;
    }
    let (times, _) = read(rest, SEQUENCE)?;
    let (not_before, times) = time(times)?;
    let (not_after, _) = time(times)?;
    Some(Validity { not_before, not_after })
}

/// Returns the content of the element at the beginning, and what follows it.
fn read(der: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if tag != expected {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Nothing longer than four bytes of length is a certificate.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Returns the time at the beginning, and what follows it.
fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let (text, rest, year_digits) = match read(der, UTC_TIME) {
        Some((text, rest)) => (text, rest, 2),
        None => {
            let (text, rest) = read(der, GENERALIZED_TIME)?;
            (text, rest, 4)
        }
    };
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, others) = text.split_at_checked(year_digits)?;
    if others.len() != 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let year: i16 = year.parse().ok()?;
    let year = match year_digits {
        2 if year >= 50 => 1900 + year,
        2 => 2000 + year,
        _ => year,
    };
    let part = |at: usize| others.get(at * 2..at * 2 + 2)?.parse::<i8>().ok();
    let moment = DateTime::new(year, part(0)?, part(1)?, part(2)?, part(3)?, part(4)?, 0).ok()?;
    let moment = moment.to_zoned(TimeZone::UTC).ok()?;
    Some((moment.timestamp().as_second(), rest))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let mut der = match content.len() {
            0..=0x7f => vec![tag, length[1]],
            _ => vec![tag, 0x82, length[0], length[1]],
        };
        der.extend_from_slice(content);
        der
    }

    /// The beginning of a certificate with these times.
    fn pem(version: bool, from: &[u8], until: &[u8]) -> Vec<u8> {
        let version = if version { element(VERSION, &element(INTEGER, &[2])) } else { Vec::new() };
        let times = element(SEQUENCE, &[from, until].concat());
        let issuer = element(SEQUENCE, &[0; 200]);
        let parts =
            [version, element(INTEGER, &[1]), element(SEQUENCE, &[]), issuer, times].concat();
        let der = element(SEQUENCE, &element(SEQUENCE, &parts));
        let text = STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").into_bytes()
    }

    #[test]
    fn times_of_both_kinds() {
        let utc = |text: &str| element(UTC_TIME, text.as_bytes());
        let general = |text: &str| element(GENERALIZED_TIME, text.as_bytes());
        for version in [true, false] {
            let read = validity(&pem(version, &utc("700101000001Z"), &general("20500101000000Z")));
            let expected = Validity { not_before: 1, not_after: 2_524_608_000 };
            assert_eq!(read, Some(expected));
        }
        let read = validity(&pem(true, &utc("490101000000Z"), &utc("500101000000Z"))).unwrap();
        assert!(read.not_before > 0 && read.not_after < 0, "49 is 2049, and 50 is 1950: {read:?}");
    }

    #[test]
    fn anything_else_is_none() {
        let utc = |text: &str| element(UTC_TIME, text.as_bytes());
        let good = utc("700101000000Z");
        for wrong in ["701301000000Z", "7001010000Z", "700101000000+0100", "70010100000xZ", "", "é"]
        {
            assert_eq!(validity(&pem(true, &good, &utc(wrong))), None, "{wrong}");
        }
        let whole = pem(true, &good, &good);
        let text = String::from_utf8(whole).unwrap();
        let der = STANDARD.decode(text.lines().nth(1).unwrap()).unwrap();
        for length in 0..der.len() {
            let cut = STANDARD.encode(&der[..length]);
            let cut = format!("-----BEGIN CERTIFICATE-----\n{cut}\n-----END CERTIFICATE-----\n");
            assert_eq!(validity(cut.as_bytes()), None, "{length}");
        }
        assert_eq!(validity(b"no PEM"), None);
    }
}
