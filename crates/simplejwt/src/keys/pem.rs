//! The framing of keys in text: PEM (RFC 7468) and its headers (RFC 1421).

use base64_simd::STANDARD;
use zeroize::Zeroizing;

use super::KeyError;

/// A PEM block: its label, and its content in DER.
pub(super) struct Block<'t> {
    pub(super) label: &'t str,
    pub(super) der: Zeroizing<Vec<u8>>,
    /// `Proc-Type: 4,ENCRYPTED`
    pub(super) encrypted: bool,
}

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// Every block of `text`. What stands before, between and behind them is skipped, and inside of
/// them white space.
pub(super) fn blocks(text: &[u8]) -> Result<Vec<Block<'_>>, KeyError> {
    // Anything before the first block may be in any encoding; the blocks are ASCII.
    let Some(start) = find(text, BEGIN.as_bytes()) else { return Err(KeyError::NoPem) };
    let mut rest = text.get(start..).map(ascii_prefix).ok_or(KeyError::NoPem)?;
    let mut blocks = Vec::new();
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (label, after) = after.split_once(DASHES).ok_or(KeyError::DamagedPem)?;
        let end = format!("-----END {label}{DASHES}");
        let (body, after) = after.split_once(&end).ok_or_else(|| damage(after))?;
        blocks.push(block(label, body)?);
        rest = after;
    }
    Ok(blocks)
}

fn block<'t>(label: &'t str, body: &str) -> Result<Block<'t>, KeyError> {
    let mut encrypted = false;
    let mut base64 = Zeroizing::new(Vec::with_capacity(body.len()));
    for line in body.lines() {
        if let Some((name, value)) = line.split_once(':') {
            encrypted |= name.trim() == "Proc-Type" && value.contains("ENCRYPTED");
        } else {
            base64.extend(line.bytes().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }
    let der = STANDARD.decode_to_vec(base64.as_slice()).or_else(|_| {
        // The "DEK-Info" of an encrypted key may be folded; its content isn't read anyway.
        if encrypted { Ok(Vec::new()) } else { Err(damage(body)) }
    })?;
    Ok(Block { label, der: Zeroizing::new(der), encrypted })
}

fn damage(text: &str) -> KeyError {
    if text.contains("\\n") { KeyError::EscapedLineBreaks } else { KeyError::DamagedPem }
}

fn ascii_prefix(text: &[u8]) -> &str {
    let length = text.iter().position(|byte| !byte.is_ascii()).unwrap_or(text.len());
    text.get(..length).and_then(|ascii| std::str::from_utf8(ascii).ok()).unwrap_or_default()
}

/// Where `needle` starts in `haystack`.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
