//! Request bodies of every media type that Django REST framework takes.

use http::header::CONTENT_TYPE;
use http::request::Parts;

use super::accept::MediaRange;
use super::form::form_pairs;
use super::json::{self, Text, Value};

/// What a client sent, before it is validated.
#[derive(Debug, PartialEq)]
pub(crate) enum Data {
    /// A JSON document.
    Json(Value),
    /// A form; the last of doubled fields counts.
    Form(Vec<(String, Field)>),
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    Text(String),
    /// An uploaded file, which no field here takes.
    File,
}

/// Why a body was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// 415, with the media type as it was sent.
    UnsupportedMediaType(String),
    /// 400, with the sentence for the client.
    Malformed(String),
}

/// Reads a body; an empty one of any media type holds no fields.
pub(crate) async fn parse(parts: &Parts, body: Vec<u8>) -> Result<Data, BodyError> {
    if body.is_empty() {
        return Ok(Data::Form(Vec::new()));
    }
    let content_type = parts
        .headers
        .get(CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default();
    let media_type = MediaRange::parse(&content_type);
    if media_type.takes(&("application", "json")) {
        let text = decode(body, media_type.parameter("charset"))
            .map_err(|error| BodyError::Malformed(format!("JSON parse error - {error}")))?;
        return json::parse(&text)
            .map(Data::Json)
            .map_err(|error| BodyError::Malformed(format!("JSON parse error - {error}")));
    }
    if media_type.takes(&("application", "x-www-form-urlencoded")) {
        let fields = form_pairs(&body).map(|(name, value)| (name, Field::Text(value)));
        return Ok(Data::Form(fields.collect()));
    }
    if media_type.takes(&("multipart", "form-data")) {
        return multipart(&content_type, body).await.map(Data::Form);
    }
    Err(BodyError::UnsupportedMediaType(content_type))
}

impl Data {
    /// The value of a field: `None` if it is missing.
    pub(crate) fn field(&self, name: &str) -> Option<Value> {
        match self {
            Self::Json(Value::Object(members)) => {
                members.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
            }
            Self::Json(_) => None,
            Self::Form(fields) => {
                fields.iter().rev().find(|(other, _)| other == name).map(|(_, value)| match value {
                    Field::Text(value) => {
                        Value::Text(Text { value: value.clone(), surrogate: None })
                    }
                    Field::File => Value::List,
                })
            }
        }
    }
}

async fn multipart(content_type: &str, body: Vec<u8>) -> Result<Vec<(String, Field)>, BodyError> {
    let malformed = |why: &str| BodyError::Malformed(format!("Multipart form parse error - {why}"));
    let boundary = multer::parse_boundary(content_type)
        .map_err(|_| malformed("Invalid boundary in multipart: None"))?;
    let stream = futures_util::stream::once(async move { Ok::<_, std::io::Error>(body) });
    let mut form = multer::Multipart::new(stream, boundary);
    let mut fields = Vec::new();
    loop {
        let field = match form.next_field().await {
            Ok(Some(field)) => field,
            // Django takes what it has got so far where a form ends too early.
            Ok(None) | Err(_) => return Ok(fields),
        };
        let Some(name) = field.name().map(str::to_owned) else {
            continue;
        };
        if field.file_name().is_some() {
            fields.push((name, Field::File));
            continue;
        }
        match field.bytes().await {
            Ok(value) => {
                fields.push((name, Field::Text(String::from_utf8_lossy(&value).into_owned())));
            }
            Err(_) => return Ok(fields),
        }
    }
}

/// The text of a JSON body in its `charset`, UTF-8 if it names none or an unknown one. A
/// character that is cut off by the end of the body is dropped, as Python's stream reader does.
fn decode(body: Vec<u8>, charset: Option<&str>) -> Result<String, String> {
    let charset = charset.unwrap_or("utf-8").trim().to_ascii_lowercase();
    let other = match charset.as_str() {
        "utf-8" | "utf8" | "u8" => None,
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" | "cp819" => {
            return Ok(body.into_iter().map(char::from).collect());
        }
        _ => encoding_rs::Encoding::for_label(charset.as_bytes())
            .filter(|encoding| *encoding != encoding_rs::UTF_8),
    };
    if let Some(encoding) = other {
        let (text, _, malformed) = encoding.decode(&body);
        return if malformed {
            Err(format!("'{charset}' codec can't decode the body"))
        } else {
            Ok(text.into_owned())
        };
    }
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

    async fn read(content_type: Option<&str>, body: &[u8]) -> Result<Data, BodyError> {
        let mut request = http::Request::builder();
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        parse(&request.body(()).unwrap().into_parts().0, body.to_vec()).await
    }

    fn text(value: &str) -> Option<Value> {
        Some(Value::Text(Text { value: value.into(), surrogate: None }))
    }

    #[tokio::test]
    async fn media_types() {
        for json in ["application/json", "APPLICATION/JSON; charset=utf-8", "*/*", "application/*"]
        {
            let data = read(Some(json), br#"{"a":"b"}"#).await.unwrap();
            assert_eq!(data.field("a"), text("b"), "{json}");
        }
        for other in ["text/plain; charset=utf-8", "", "json"] {
            let refused = BodyError::UnsupportedMediaType(other.into());
            assert_eq!(read(Some(other), b"x").await, Err(refused));
            assert_eq!(read(Some(other), b"").await, Ok(Data::Form(vec![])));
        }
        assert!(matches!(read(None, b"x").await, Err(BodyError::UnsupportedMediaType(_))));
    }

    #[tokio::test]
    async fn urlencoded_forms() {
        let form = "application/x-www-form-urlencoded";
        let data = read(Some(form), b"a=1&a=b+c%20%C3%A9&b&=x&c=%zz%&d=%ff").await.unwrap();
        assert_eq!(data.field("a"), text("b c é"));
        assert_eq!(data.field("b"), text(""));
        assert_eq!(data.field("c"), text("%zz%"));
        assert_eq!(data.field("d"), text("\u{fffd}"));
        assert_eq!(data.field("e"), None);
    }

    #[tokio::test]
    async fn multipart_forms() {
        let body = b"--abc\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
            --abc\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n2\r\n\
            --abc\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nx\r\n--abc--\r\n";
        let data = read(Some("multipart/form-data; boundary=abc"), body).await.unwrap();
        assert_eq!(data.field("a"), text("2"));
        assert_eq!(data.field("f"), Some(Value::List));
        let cut = read(Some("multipart/form-data; boundary=abc"), &body[..70]).await.unwrap();
        assert_eq!(cut.field("f"), None);
        let refused = read(Some("multipart/form-data"), body).await.unwrap_err();
        let BodyError::Malformed(why) = refused else { panic!("{refused:?}") };
        assert_eq!(why, "Multipart form parse error - Invalid boundary in multipart: None");
    }

    #[tokio::test]
    async fn charsets() {
        let latin = read(Some("application/json; charset=latin-1"), b"{\"a\":\"\xe9\"}").await;
        assert_eq!(latin.unwrap().field("a"), text("é"));
        let utf16: Vec<u8> =
            "\u{feff}{\"a\":\"é\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let data = read(Some("application/json; charset=utf-16"), &utf16).await;
        assert_eq!(data.unwrap().field("a"), text("é"));
        let unknown = read(Some("application/json; charset=klingon"), "{\"a\":\"é\"}".as_bytes());
        assert_eq!(unknown.await.unwrap().field("a"), text("é"));
        for (body, why) in [
            (&b"{\"username\":\"\xff\"}"[..], "byte 0xff in position 13: invalid start byte"),
            (b"{\"username\":\"\xe2\x82\"}", "bytes in position 13-14: invalid continuation byte"),
        ] {
            let refused = read(Some("application/json"), body).await.unwrap_err();
            let expected = format!("JSON parse error - 'utf-8' codec can't decode {why}");
            assert_eq!(refused, BodyError::Malformed(expected));
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body: Vec<u8>, kind in 0..5_usize) {
            let kinds = [
                "application/json", "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x", "application/json; charset=utf-16", "text/plain",
            ];
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _ = runtime.block_on(read(Some(kinds[kind]), &body));
        }
    }
}
