//! The framing of keys in text: PEM (RFC 7468) and its headers (RFC 1421).

use base64_simd::STANDARD;
use zeroize::Zeroizing;

use super::KeyError;

/// A PEM block: its label, and its content in DER or its fault.
pub(super) struct Block<'t> {
    pub(super) label: &'t str,
    pub(super) der: Result<Zeroizing<Vec<u8>>, KeyError>,
    /// `Proc-Type: 4,ENCRYPTED`
    pub(super) encrypted: bool,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";

/// Returns all blocks of `text`. Text before, between and after them is ignored (RFC 7468 section
/// 2), whatever its bytes; white space within them is skipped. A damaged block doesn't affect the
/// others.
pub(super) fn blocks(text: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = split(rest, BEGIN) {
        // A block without an end line ends where the next one begins.
        let own = split(after, BEGIN).map_or(after, |(own, _)| own);
        rest = after.get(own.len()..).unwrap_or_default();
        blocks.push(block(own));
    }
    blocks
}

/// Reads the text after `-----BEGIN `.
fn block(text: &[u8]) -> Block<'_> {
    let labelled = split(text, DASHES).and_then(|(label, after)| {
        let label = std::str::from_utf8(label).ok()?;
        let plain = label.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        plain.then_some((label, after))
    });
    let Some((label, after)) = labelled else {
        return Block { label: "", der: Err(damage(text)), encrypted: false };
    };
    let end = [b"-----END ", label.as_bytes(), DASHES].concat();
    let Some((body, _)) = split(after, &end) else {
        return Block { label, der: Err(damage(after)), encrypted: false };
    };
    let mut encrypted = false;
    let mut base64 = Zeroizing::new(Vec::with_capacity(body.len()));
    for line in body.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if let Some((name, value)) = split(line, b":") {
            encrypted |= name.trim_ascii() == b"Proc-Type" && find(value, b"ENCRYPTED").is_some();
        } else {
            base64.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }
    // The "DEK-Info" of an encrypted key may be folded, but its content isn't read anyway.
    let der = match STANDARD.decode_to_vec(base64.as_slice()) {
        Ok(der) => Ok(Zeroizing::new(der)),
        Err(_) if encrypted => Ok(Zeroizing::default()),
        Err(_) => Err(damage(body)),
    };
    Block { label, der, encrypted }
}

fn damage(text: &[u8]) -> KeyError {
    if find(text, b"\\n").is_some() { KeyError::EscapedLineBreaks } else { KeyError::DamagedPem }
}

/// Returns the text before and after the first `separator`.
fn split<'t>(text: &'t [u8], separator: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let at = find(text, separator)?;
    Some((text.get(..at)?, text.get(at + separator.len()..)?))
}

/// Returns the position of the first `needle` in `haystack`.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
