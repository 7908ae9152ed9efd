//! Request bodies of every media type that Django REST framework accepts.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;

use super::accept::MediaRange;
use super::charset::Charset;
use super::json::{self, Text, Value};
use super::{form, multipart};

/// A client's data before validation: the wanted fields.
#[derive(Debug, PartialEq)]
pub(crate) enum Data {
    /// A JSON document.
    Json(Value),
    /// A form. A file counts as a list, which none of the fields accepts.
    Form(Vec<(String, Value)>),
}

/// The reason a body was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// 415, with the media type as sent.
    UnsupportedMediaType(String),
    /// 400, with the sentence for the client.
    Malformed(String),
}

/// Reads the `wanted` fields of a body; an empty body of any media type has none.
pub(crate) fn parse(parts: &Parts, body: Vec<u8>, wanted: &[&str]) -> Result<Data, BodyError> {
    if body.is_empty() {
        return Ok(Data::Form(Vec::new()));
    }
    let content_type = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let content_type = content_type.unwrap_or_default();
    // What nearly all clients send has nothing to parse.
    if content_type == b"application/json" {
        return parse_json(body, Charset::Utf8, wanted);
    }
    let content_type = String::from_utf8_lossy(content_type).into_owned();
    let media_type = MediaRange::parse(&content_type);
    let charset = Charset::named(media_type.parameter("charset"));
    if media_type.takes(&("application", "json")) {
        return parse_json(body, charset, wanted);
    }
    if media_type.takes(&("application", "x-www-form-urlencoded")) {
        if form::has_too_many_fields(&body) {
            let why = format!("Form parse error - More than {} fields", form::MAX_FIELDS);
            return Err(BodyError::Malformed(why));
        }
        let fields = form::fields(body, charset, wanted).into_iter();
        let text = |value| Value::Text(Text { value, surrogate: None });
        return Ok(Data::Form(fields.map(|(name, value)| (name, text(value))).collect()));
    }
    if media_type.takes(&("multipart", "form-data")) {
        let fields = multipart::fields(&content_type, &body, charset, wanted);
        let malformed = |why| BodyError::Malformed(format!("Multipart form parse error - {why}"));
        return fields.map(Data::Form).map_err(malformed);
    }
    Err(BodyError::UnsupportedMediaType(content_type))
}

fn parse_json(body: Vec<u8>, charset: Charset, wanted: &[&str]) -> Result<Data, BodyError> {
    let value = charset.decode(body).and_then(|text| json::parse(&text, wanted));
    let value = value.map_err(|why| BodyError::Malformed(format!("JSON parse error - {why}")));
    value.map(Data::Json)
}

impl Data {
    /// Returns the value of a field; `None` if it is missing.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        let (Self::Json(Value::Object(fields)) | Self::Form(fields)) = self else { return None };
        fields.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(content_type: Option<&str>, body: &[u8]) -> Result<Data, BodyError> {
        let mut request = http::Request::builder();
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        parse(&parts, body.to_vec(), &["a", "b", "c", "d", "f", "username"])
    }

    fn text(value: &str) -> Option<Value> {
        Some(Value::Text(Text { value: value.into(), surrogate: None }))
    }

    #[test]
    fn media_types() {
        for json in ["application/json", "APPLICATION/JSON; charset=utf-8", "*/*", "application/*"]
        {
            let data = read(Some(json), br#"{"a":"b"}"#).unwrap();
            assert_eq!(data.field("a").cloned(), text("b"), "{json}");
        }
        for other in ["text/plain; charset=utf-8", "", "json"] {
            let refused = BodyError::UnsupportedMediaType(other.into());
            assert_eq!(read(Some(other), b"x"), Err(refused));
            assert_eq!(read(Some(other), b""), Ok(Data::Form(vec![])));
        }
        assert!(matches!(read(None, b"x"), Err(BodyError::UnsupportedMediaType(_))));
    }

    #[test]
    fn urlencoded_forms() {
        let form = "application/x-www-form-urlencoded";
        let data = read(Some(form), b"a=1&a=b+c%20%C3%A9&b&=x&c=%zz%&d=%ff").unwrap();
        assert_eq!(data.field("a").cloned(), text("b c é"));
        assert_eq!(data.field("b").cloned(), text(""));
        assert_eq!(data.field("c").cloned(), text("%zz%"));
        assert_eq!(data.field("d").cloned(), text("\u{fffd}"));
        assert_eq!(data.field("e"), None);
    }

    #[test]
    fn multipart_forms() {
        let body = b"--abc\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
            --abc\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n2\r\n\
            --abc\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nx\r\n--abc--\r\n";
        let data = read(Some("multipart/form-data; boundary=abc"), body).unwrap();
        assert_eq!(data.field("a").cloned(), text("2"));
        assert_eq!(data.field("f"), Some(&Value::List));
        let cut = read(Some("multipart/form-data; boundary=abc"), &body[..70]).unwrap();
        assert_eq!(cut.field("f"), None);
        let refused = read(Some("multipart/form-data"), body).unwrap_err();
        let BodyError::Malformed(why) = refused else { panic!("{refused:?}") };
        assert_eq!(why, "Multipart form parse error - Invalid boundary in multipart: None");
    }

    #[test]
    fn charsets() {
        let latin = read(Some("application/json; charset=latin-1"), b"{\"a\":\"\xe9\"}");
        assert_eq!(latin.unwrap().field("a").cloned(), text("é"));
        let utf16: Vec<u8> =
            "\u{feff}{\"a\":\"é\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let data = read(Some("application/json; charset=utf-16"), &utf16);
        assert_eq!(data.unwrap().field("a").cloned(), text("é"));
        let unknown = read(Some("application/json; charset=klingon"), "{\"a\":\"é\"}".as_bytes());
        assert_eq!(unknown.unwrap().field("a").cloned(), text("é"));
        for (body, why) in [
            (&b"{\"username\":\"\xff\"}"[..], "byte 0xff in position 13: invalid start byte"),
            (b"{\"username\":\"\xe2\x82\"}", "bytes in position 13-14: invalid continuation byte"),
        ] {
            let refused = read(Some("application/json"), body).unwrap_err();
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
            let _ = read(Some(kinds[kind]), &body);
        }
    }
}
