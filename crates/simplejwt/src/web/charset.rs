//! The `charset` of a body: Python's codecs by Python's names. Encodings known to browsers are
//! decoded by encoding_rs; unknown ones are read as UTF-8, as Django does.

use encoding_rs::{DecoderResult, Encoding};

/// The encoding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    /// With a byte order mark, which is removed.
    Utf8Sig,
    Ascii,
    Latin1,
    /// Only the double bytes of GB 2312, without those added by GBK.
    Gb2312,
    /// Units of two or four bytes in this byte order; `None` if a byte order mark must tell.
    Utf16(Option<End>),
    Utf32(Option<End>),
    Other(&'static Encoding),
}

/// A byte order, named by the end that comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Little,
    Big,
}

impl Charset {
    /// Returns the charset of this name; UTF-8 without a name, or with an unknown one.
    pub(crate) fn named(name: Option<&str>) -> Self {
        let name = normal(name.unwrap_or_default());
        match name.as_str() {
            "utf_8_sig" => Self::Utf8Sig,
            "ascii" | "us_ascii" | "us" | "646" | "ansi_x3.4_1968" | "ansi_x3_4_1968"
            | "ansi_x3.4_1986" | "cp367" | "csascii" | "ibm367" | "iso646_us"
            | "iso_646.irv_1991" | "iso_ir_6" => Self::Ascii,
            "latin_1" | "latin1" | "latin" | "l1" | "iso_8859_1" | "iso8859_1" | "iso8859"
            | "8859" | "cp819" | "ibm819" | "csisolatin1" | "iso_8859_1_1987" | "iso_ir_100" => {
                Self::Latin1
            }
            "gb2312" | "chinese" | "csiso58gb231280" | "euc_cn" | "euccn" | "eucgb2312_cn"
            | "gb2312_1980" | "gb2312_80" | "iso_ir_58" => Self::Gb2312,
            "utf_16" | "utf16" | "u16" => Self::Utf16(None),
            "utf_16_le" | "utf_16le" | "unicodelittleunmarked" => Self::Utf16(Some(End::Little)),
            "utf_16_be" | "utf_16be" | "unicodebigunmarked" => Self::Utf16(Some(End::Big)),
            "utf_32" | "utf32" | "u32" => Self::Utf32(None),
            "utf_32_le" | "utf_32le" => Self::Utf32(Some(End::Little)),
            "utf_32_be" | "utf_32be" => Self::Utf32(Some(End::Big)),
            _ => [name.clone(), name.replace('_', "-"), name.replace('_', "")]
                .iter()
                .find_map(|label| Encoding::for_label_no_replacement(label.as_bytes()))
                .filter(|encoding| *encoding != encoding_rs::UTF_8)
                .map_or(Self::Utf8, Self::Other),
        }
    }

    /// Decodes a body. A character cut off by its end is dropped, as in Python's stream reader.
    ///
    /// # Errors
    /// The reason it can't be decoded, in Python's words for Python's own encodings.
    pub(crate) fn decode(self, body: Vec<u8>) -> Result<String, String> {
        match self {
            Self::Utf8 => utf8(body),
            Self::Utf8Sig => match body.strip_prefix("\u{feff}".as_bytes()) {
                Some(behind) => utf8(behind.to_vec()),
                None => utf8(body),
            },
            Self::Ascii => match body.iter().position(|byte| !byte.is_ascii()) {
                None => utf8(body),
                Some(at) => {
                    let byte = body.get(at).copied().unwrap_or_default();
                    Err(format!(
                        "'ascii' codec can't decode byte 0x{byte:02x} in position {at}: ordinal \
                         not in range(128)"
                    ))
                }
            },
            Self::Latin1 => Ok(body.into_iter().map(char::from).collect()),
            Self::Gb2312 if !is_gb2312(&body) => {
                Err("'gb2312' codec can't decode the body: illegal multibyte sequence".into())
            }
            Self::Gb2312 => by(encoding_rs::GBK, &body),
            Self::Utf16(end) => {
                let (end, body) = marked("UTF-16", end, &body, [&[0xff, 0xfe], &[0xfe, 0xff]])?;
                let units = body.as_chunks::<2>().0.iter().map(|&pair| match end {
                    End::Little => u16::from_le_bytes(pair),
                    End::Big => u16::from_be_bytes(pair),
                });
                utf16(units)
            }
            Self::Utf32(end) => {
                let marks: [&[u8]; 2] = [&[0xff, 0xfe, 0, 0], &[0, 0, 0xfe, 0xff]];
                let (end, body) = marked("UTF-32", end, &body, marks)?;
                let codes = body.as_chunks::<4>().0.iter().map(|&four| match end {
                    End::Little => u32::from_le_bytes(four),
                    End::Big => u32::from_be_bytes(four),
                });
                let text: Option<String> = codes.map(char::from_u32).collect();
                text.ok_or_else(|| "'utf-32' codec can't decode the body".to_owned())
            }
            Self::Other(encoding) => by(encoding, &body),
        }
    }

    /// Decodes a field, replacing invalid bytes with U+FFFD.
    pub(crate) fn decode_lossy(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 | Self::Utf8Sig => String::from_utf8_lossy(bytes).into_owned(),
            Self::Ascii => bytes
                .iter()
                .map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' })
                .collect(),
            Self::Gb2312 => encoding_rs::GBK.decode_without_bom_handling(bytes).0.into_owned(),
            Self::Other(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
            Self::Latin1 | Self::Utf16(_) | Self::Utf32(_) => {
                self.decode(bytes.to_vec()).unwrap_or_else(|_| '\u{fffd}'.into())
            }
        }
    }
}

/// Normalizes a name as Python does for comparison: lower case, with a single underscore for any
/// separators.
fn normal(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.trim().chars() {
        if c.is_ascii_alphanumeric() || c == '.' {
            normal.push(c.to_ascii_lowercase());
        } else if !normal.is_empty() && !normal.ends_with('_') {
            normal.push('_');
        }
    }
    normal.truncate(normal.trim_end_matches('_').len());
    normal
}

/// Determines a body's byte order from its mark, unless the charset specifies it.
fn marked<'b>(
    name: &str,
    end: Option<End>,
    body: &'b [u8],
    [little, big]: [&[u8]; 2],
) -> Result<(End, &'b [u8]), String> {
    if let Some(end) = end {
        return Ok((end, body));
    }
    let by_mark = body.strip_prefix(little).map(|rest| (End::Little, rest));
    by_mark
        .or_else(|| body.strip_prefix(big).map(|rest| (End::Big, rest)))
        .ok_or_else(|| format!("{name} stream does not start with BOM"))
}

fn utf16(units: impl Iterator<Item = u16>) -> Result<String, String> {
    let mut text = String::new();
    let mut units = char::decode_utf16(units).peekable();
    while let Some(unit) = units.next() {
        match unit {
            Ok(c) => text.push(c),
            // Its second half may have been cut off.
            Err(half) if half.unpaired_surrogate() < 0xdc00 && units.peek().is_none() => break,
            Err(_) => return Err("'utf-16' codec can't decode the body: illegal encoding".into()),
        }
    }
    Ok(text)
}

/// `true` if the double bytes are within GB 2312's 94 by 94 table; the last one may be cut off.
fn is_gb2312(body: &[u8]) -> bool {
    let mut bytes = body.iter();
    while let Some(&lead) = bytes.next() {
        if lead.is_ascii() {
            continue;
        }
        let trail = bytes.next().is_none_or(|trail| (0xa1..=0xfe).contains(trail));
        if !(0xa1..=0xf7).contains(&lead) || !trail {
            return false;
        }
    }
    true
}

fn by(encoding: &'static Encoding, body: &[u8]) -> Result<String, String> {
    let malformed = || format!("'{}' codec can't decode the body", encoding.name());
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let length = decoder.max_utf8_buffer_length_without_replacement(body.len());
    let mut text = String::with_capacity(length.ok_or_else(malformed)?);
    match decoder.decode_to_string_without_replacement(body, &mut text, false) {
        (DecoderResult::InputEmpty, _) => Ok(text),
        _ => Err(malformed()),
    }
}

fn utf8(body: Vec<u8>) -> Result<String, String> {
    let error = match String::from_utf8(body) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let (start, length) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len());
    let mut bytes = error.into_bytes();
    match length {
        None => {
            bytes.truncate(start);
            String::from_utf8(bytes).map_err(|error| error.to_string())
        }
        Some(length) => {
            let byte = bytes.get(start).copied().unwrap_or_default();
            let why = match byte {
                0xc2..=0xf4 => "invalid continuation byte",
                _ => "invalid start byte",
            };
            Err(if length > 1 {
                let end = start + length - 1;
                format!("'utf-8' codec can't decode bytes in position {start}-{end}: {why}")
            } else {
                format!("'utf-8' codec can't decode byte 0x{byte:02x} in position {start}: {why}")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_pythons() {
        for (name, charset) in [
            (None, Charset::Utf8),
            (Some(""), Charset::Utf8),
            (Some("UTF-8"), Charset::Utf8),
            (Some("utf8"), Charset::Utf8),
            (Some("klingon"), Charset::Utf8),
            (Some("utf-8-sig"), Charset::Utf8Sig),
            (Some("US-ASCII"), Charset::Ascii),
            (Some("ISO-8859-1"), Charset::Latin1),
            (Some("Latin 1"), Charset::Latin1),
            (Some("GB2312"), Charset::Gb2312),
            (Some("utf-16"), Charset::Utf16(None)),
            (Some("UTF-16LE"), Charset::Utf16(Some(End::Little))),
            (Some("utf_32_be"), Charset::Utf32(Some(End::Big))),
            (Some("iso-8859-15"), Charset::Other(encoding_rs::ISO_8859_15)),
            (Some("ISO_8859-2"), Charset::Other(encoding_rs::ISO_8859_2)),
            (Some("windows-1252"), Charset::Other(encoding_rs::WINDOWS_1252)),
            (Some("shift_jis"), Charset::Other(encoding_rs::SHIFT_JIS)),
            (Some("euc_kr"), Charset::Other(encoding_rs::EUC_KR)),
            (Some("koi8-r"), Charset::Other(encoding_rs::KOI8_R)),
            (Some("gb18030"), Charset::Other(encoding_rs::GB18030)),
            (Some("big5"), Charset::Other(encoding_rs::BIG5)),
        ] {
            assert_eq!(Charset::named(name), charset, "{name:?}");
        }
    }

    #[test]
    fn bodies_are_decoded_or_refused_as_python_does() {
        for (name, body, text) in [
            ("utf-8", &b"a\xc3\xa9"[..], Some("aé")),
            ("utf-8", b"a\xc3", Some("a")),
            ("utf-8", b"a\xff", None),
            ("utf-8", b"\xef\xbb\xbfa", Some("\u{feff}a")),
            ("utf-8-sig", b"\xef\xbb\xbfa", Some("a")),
            ("us-ascii", b"a", Some("a")),
            ("us-ascii", b"\xc3\xa9", None),
            ("latin-1", b"\xe9\x80", Some("é\u{80}")),
            ("gb2312", b"\xc4\xe3a\xba", Some("你a")),
            ("gb2312", b"\x81\x40", None),
            ("gbk", b"\x81\x40", Some("丂")),
            ("utf-16", b"\xff\xfea\0\xe9\0", Some("aé")),
            ("utf-16", b"\xfe\xff\0a", Some("a")),
            ("utf-16", b"a\0", None),
            ("utf-16-le", b"a\0b", Some("a")),
            ("utf-16-be", b"\0a\xd8\x3d\xde\0", Some("a😀")),
            ("utf-16-be", b"\0a\xd8\x3d", Some("a")),
            ("utf-16-be", b"\xde\0\0a", None),
            ("utf-32", b"\xff\xfe\0\0a\0\0\0b", Some("a")),
            ("utf-32", b"a\0\0\0", None),
            ("utf-32-be", b"\0\0\0a", Some("a")),
            ("utf-32-be", b"\0\0\xd8\0", None),
            ("koi8-r", b"\xc1", Some("а")),
            ("shift_jis", b"\x83", Some("")),
            ("shift_jis", b"\xff", None),
        ] {
            let decoded = Charset::named(Some(name)).decode(body.to_vec());
            assert_eq!(decoded.as_deref().ok(), text, "{name} {body:?} {decoded:?}");
        }
    }

    #[test]
    fn fields_have_a_mark_for_what_is_no_text() {
        for (name, bytes, text) in [
            ("utf-8", &b"a\xff"[..], "a\u{fffd}"),
            ("ascii", b"a\xff", "a\u{fffd}"),
            ("latin-1", b"a\xff", "aÿ"),
            ("gb2312", b"\xc4\xe3\xff", "你\u{fffd}"),
        ] {
            assert_eq!(Charset::named(Some(name)).decode_lossy(bytes), text, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_name_and_body_are_taken_or_refused(name: String, body: Vec<u8>) {
            let charset = Charset::named(Some(&name));
            let _ = charset.decode(body.clone());
            let _ = charset.decode_lossy(&body);
        }
    }
}
