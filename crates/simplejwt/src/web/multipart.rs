//! `multipart/form-data` bodies (RFC 7578), parsed leniently as Django does: a boundary counts
//! anywhere, the last one may be missing, and a part needs only a `Content-Disposition` with a
//! name.

use memchr::memmem::Finder;

use super::charset::Charset;
use super::form::MAX_FIELDS;
use super::json::{Text, Value};
use super::parameters::Parameters;

/// The maximum length of a part's header, in bytes.
const MAX_HEADER: usize = 1024;
/// The maximum number of files in a body: Django's `DATA_UPLOAD_MAX_NUMBER_FILES`.
const MAX_FILES: usize = 100;
/// The maximum length of a boundary, in bytes (RFC 2046 allows 70).
const MAX_BOUNDARY: usize = 201;

/// Returns the wanted fields, the last one of duplicates; a file takes precedence over a text of
/// the same name.
///
/// # Errors
/// The text after `Multipart form parse error - `.
pub(crate) fn fields(
    content_type: &str,
    body: &[u8],
    charset: Charset,
    wanted: &[&str],
) -> Result<Vec<(String, Value)>, String> {
    let separator = format!("--{}", boundary(content_type)?);
    let mut fields: Vec<(String, Value)> = Vec::new();
    // The pieces before the first boundary and after the last one are counted, too.
    let (mut left, mut files) = (MAX_FIELDS + 2, MAX_FILES);
    for piece in pieces(body, separator.as_bytes()) {
        let part = Part::of(piece)?;
        let count = if part.is_file() { &mut files } else { &mut left };
        *count = count.checked_sub(1).ok_or("Too many parts")?;
        let Some(name) = part.name(charset).filter(|name| wanted.contains(&name.as_str())) else {
            continue;
        };
        let value = match part.is_file() {
            true if part.has_a_file_name() => Value::List,
            true => continue,
            false => Value::Text(Text { value: part.text(charset), surrogate: None }),
        };
        match fields.iter_mut().find(|(other, _)| *other == name) {
            Some((_, other)) if *other == Value::List => {}
            Some((_, other)) => *other = value,
            None => fields.push((name, value)),
        }
    }
    Ok(fields)
}

fn boundary(content_type: &str) -> Result<String, String> {
    if !content_type.starts_with("multipart/") {
        return Err(format!("Invalid Content-Type: {content_type}"));
    }
    if !content_type.is_ascii() {
        return Err(format!("Invalid non-ASCII Content-Type in multipart: {content_type}"));
    }
    let parameters = Parameters::parse(content_type);
    let boundary = parameters.get("boundary");
    let is_boundary = |boundary: &&str| {
        (1..=MAX_BOUNDARY).contains(&boundary.len())
            && boundary.bytes().all(|byte| matches!(byte, b' '..=b'~'))
            && !boundary.ends_with(' ')
    };
    let found = boundary.filter(is_boundary).map(str::to_owned);
    found.ok_or_else(|| format!("Invalid boundary in multipart: {}", boundary.unwrap_or("None")))
}

/// Returns the pieces between the boundaries, without the line end before each boundary.
fn pieces<'b>(body: &'b [u8], separator: &[u8]) -> impl Iterator<Item = &'b [u8]> {
    let mut pieces = split(body, separator).peekable();
    std::iter::from_fn(move || {
        let piece = pieces.next()?;
        if pieces.peek().is_none() {
            return Some(piece);
        }
        let piece = piece.strip_suffix(b"\n").unwrap_or(piece);
        Some(piece.strip_suffix(b"\r").unwrap_or(piece))
    })
}

fn split<'b>(text: &'b [u8], separator: &[u8]) -> impl Iterator<Item = &'b [u8]> {
    let finder = Finder::new(separator).into_owned();
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (piece, behind) = match finder.find(text).and_then(|at| text.split_at_checked(at)) {
            Some((piece, behind)) => (piece, behind.get(finder.needle().len()..)),
            None => (text, None),
        };
        rest = behind;
        Some(piece)
    })
}

/// A piece with its header fields.
#[derive(Default)]
struct Part<'b> {
    disposition: Option<Parameters>,
    is_base64: bool,
    content: &'b [u8],
}

impl<'b> Part<'b> {
    fn of(piece: &'b [u8]) -> Result<Self, String> {
        let head = piece.get(..MAX_HEADER).unwrap_or(piece);
        let end = match memchr::memmem::find(head, b"\r\n\r\n") {
            Some(end) => end,
            None if head.len() == MAX_HEADER => {
                return Err("Request max total header size exceeded.".into());
            }
            None => return Ok(Self::default()),
        };
        let mut part =
            Self { content: piece.get(end + 4..).unwrap_or_default(), ..Self::default() };
        let head = head.get(..end).unwrap_or_default();
        for line in split(head, b"\r\n") {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let parameters = Parameters::parse(line);
            match parameters.value.split_once(':') {
                Some(("content-disposition", _)) => part.disposition = Some(parameters),
                Some(("content-transfer-encoding", how)) => part.is_base64 = how.trim() == "base64",
                _ => {}
            }
        }
        Ok(part)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.disposition.as_ref()?.get(name)
    }

    fn name(&self, charset: Charset) -> Option<String> {
        self.parameter("name").map(|name| charset.decode_lossy(name.trim().as_bytes()))
    }

    fn is_file(&self) -> bool {
        self.parameter("filename").is_some_and(|name| !name.is_empty())
    }

    /// `true` if the file's name is more than folders; otherwise it isn't a file.
    fn has_a_file_name(&self) -> bool {
        let name = self.parameter("filename").unwrap_or_default();
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        !matches!(name.as_str(), "" | "." | "..")
    }

    fn text(&self, charset: Charset) -> String {
        let decoded = self.is_base64.then(|| from_base64(self.content)).flatten();
        charset.decode_lossy(decoded.as_deref().unwrap_or(self.content))
    }
}

/// Decodes base64 up to its padding, ignoring other characters; `None` if it is incomplete.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let is_of_it = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let text: Vec<u8> = text.iter().copied().filter(is_of_it).collect();
    let end = text.iter().position(|&byte| byte == b'=').unwrap_or(text.len());
    let padded = end.next_multiple_of(4);
    base64_simd::STANDARD.decode_to_vec(text.get(..padded)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORM: &str = "multipart/form-data; boundary=b";

    fn read(content_type: &str, body: &[u8]) -> Result<Vec<(String, Value)>, String> {
        fields(content_type, body, Charset::Utf8, &["a", "f"])
    }

    fn text(name: &str, value: &str) -> (String, Value) {
        (name.into(), Value::Text(Text { value: value.into(), surrogate: None }))
    }

    #[test]
    fn boundaries_are_taken_as_django_takes_them() {
        let body = |boundary: &str| {
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
                 --{boundary}--\r\n"
            )
        };
        for (parameter, boundary) in [
            ("boundary=b", "b"),
            ("boundary=\"b\"", "b"),
            ("BOUNDARY=b", "b"),
            ("boundary=a; boundary=b", "b"),
            ("charset=utf-8; boundary=b; x=y", "b"),
            ("boundary=()/,:=?'+_-.", "()/,:=?'+_-."),
            ("boundary=a b", "a b"),
            ("boundary=\"a;b\"", "a;b"),
            ("boundary=\"a\\\"b\"", "a\"b"),
            ("boundary*0=a; boundary*1=b", "ab"),
        ] {
            let content_type = format!("multipart/form-data; {parameter}");
            let found = read(&content_type, body(boundary).as_bytes());
            assert_eq!(found, Ok(vec![text("a", "1")]), "{parameter}");
        }
        for (content_type, why) in [
            ("multipart/form-data", "Invalid boundary in multipart: None"),
            ("multipart/form-data; boundary=", "Invalid boundary in multipart: "),
            ("multipart/form-data; boundary=\"a \"", "Invalid boundary in multipart: a "),
            (
                "Multipart/form-data; boundary=b",
                "Invalid Content-Type: Multipart/form-data; boundary=b",
            ),
        ] {
            assert_eq!(read(content_type, body("b").as_bytes()), Err(why.to_owned()));
        }
        let long = format!("multipart/form-data; boundary={}", "b".repeat(202));
        assert!(read(&long, b"x").is_err());
    }

    #[test]
    fn parts_are_taken_as_django_takes_them() {
        let file = || ("f".to_owned(), Value::List);
        for (body, expected) in [
            // The last boundary is missing, or cut off.
            ("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1", vec![text("a", "1")]),
            ("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b", vec![text("a", "1")]),
            // Bare line feeds end a value, but not a header.
            ("--b\nContent-Disposition: form-data; name=a\r\n\r\n1\n--b--", vec![text("a", "1")]),
            ("--b\nContent-Disposition: form-data; name=a\n\n1\n--b--", vec![]),
            (
                "--b\r\nCONTENT-DISPOSITION: FORM-DATA; NAME=\" a \"; x\r\n\r\n1\r\n--b--",
                vec![text("a", "1")],
            ),
            (
                "--b\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--b--",
                vec![text("a", "1")],
            ),
            (
                "--b\r\nContent-Disposition: form-data; name=a; filename=\"\"\r\n\r\n1\r\n--b--",
                vec![text("a", "1")],
            ),
            (
                "--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n1\r\n--b--",
                vec![file()],
            ),
            (
                "--b\r\nContent-Disposition: form-data; name=f; filename*=utf-8''x\r\n\r\n1\r\n--b--",
                vec![file()],
            ),
            (
                "--b\r\nContent-Disposition: form-data; name=f; filename=\"a/..\"\r\n\r\n1\r\n--b--",
                vec![],
            ),
            // Without a name, or without a disposition.
            ("--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--", vec![]),
            ("--b\r\nContent-Type: text/plain\r\n\r\n1\r\n--b--", vec![]),
            ("--b\r\n\r\n1\r\n--b--", vec![]),
            (
                "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n\
                 --b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n2\r\n\r\n--b--",
                vec![text("a", "\r\n2\r\n")],
            ),
            (
                "--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n1\r\n\
                 --b\r\nContent-Disposition: form-data; name=f\r\n\r\n2\r\n--b--",
                vec![file()],
            ),
            (
                "--b\r\nContent-Disposition: form-data; name=a\r\n\
                 Content-Transfer-Encoding: Base64\r\n\r\nw6\r\nk=\r\n--b--",
                vec![text("a", "é")],
            ),
            (
                "--b\r\nContent-Disposition: form-data; name=a\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\nw6k\r\n--b--",
                vec![text("a", "w6k")],
            ),
            // The piece before the first boundary is a part like any other.
            ("Content-Disposition: form-data; name=a\r\n\r\n1\r\n--b--", vec![text("a", "1")]),
            ("no boundary at all", vec![]),
        ] {
            assert_eq!(read(FORM, body.as_bytes()), Ok(expected), "{body}");
        }
    }

    #[test]
    fn parts_and_their_headers_are_bounded() {
        let part = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
        assert!(read(FORM, (part.repeat(MAX_FIELDS) + "--b--\r\n").as_bytes()).is_ok());
        assert!(read(FORM, (part.repeat(MAX_FIELDS + 1) + "--b--\r\n").as_bytes()).is_err());
        let file = part.replace("name=a", "name=f; filename=x");
        assert!(read(FORM, (file.repeat(MAX_FILES) + "--b--\r\n").as_bytes()).is_ok());
        assert!(read(FORM, (file.repeat(MAX_FILES + 1) + "--b--\r\n").as_bytes()).is_err());
        let long = part.replace("name=a", &format!("x={}; name=a", "y".repeat(MAX_HEADER)));
        let refused = read(FORM, long.as_bytes()).unwrap_err();
        assert_eq!(refused, "Request max total header size exceeded.");
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body: Vec<u8>) {
            let _ = read(FORM, &body);
        }

        #[test]
        fn any_parts_are_read_or_refused(
            body in r#"(--b|\r\n|-|Content-Disposition: form-data; |name=a|filename="?x|;|[a "]){0,40}"#,
        ) {
            let _ = read(FORM, body.as_bytes());
        }
    }
}
