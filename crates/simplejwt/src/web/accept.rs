//! Content negotiation as in Django REST framework, by `Accept` and `?format=`.

use http::request::Parts;

use super::parameters::Parameters;

/// The media types on offer. The second is answered with JSON as well, since there are no pages
/// here.
const OFFERED: [(&str, &str); 2] = [("application", "json"), ("text", "html")];
const MAX_INDENT: usize = 8;

/// The way an answer is rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rendering {
    /// The indentation in spaces per level; `None` means compact.
    pub(crate) indent: Option<usize>,
}

/// The reason no rendering fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unacceptable {
    /// 406
    NoMediaType,
    /// 404: `?format=` is something other than `json` and `api`.
    UnknownFormat,
}

pub(crate) fn negotiate(parts: &Parts) -> Result<Rendering, Unacceptable> {
    let formats: &[(&str, &str)] = match format(parts.uri.query().unwrap_or_default()) {
        None => &OFFERED,
        Some(format) if format == "json" => &OFFERED[..1],
        Some(format) if format == "api" => &OFFERED[1..],
        Some(_) => return Err(Unacceptable::UnknownFormat),
    };
    let mut values = parts.headers.get_all(http::header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return Ok(Rendering::default());
    }
    // For each type the most precise range that matches counts, and of equally precise ones the
    // first. Weights are ignored.
    let mut best: [Option<(u8, Rendering)>; OFFERED.len()] = [None; OFFERED.len()];
    for value in values {
        let value = String::from_utf8_lossy(value.as_bytes());
        for text in value.split(',').filter(|text| may_take(text, formats)) {
            let range = MediaRange::parse(text);
            for (offered, best) in formats.iter().zip(&mut best) {
                let is_better = best.is_none_or(|(precision, _)| range.precision() > precision);
                if is_better && range.takes(offered) {
                    let indent = if *offered == OFFERED[0] { range.indent() } else { None };
                    *best = Some((range.precision(), Rendering { indent }));
                }
            }
        }
    }
    let found = best.into_iter().flatten().next();
    found.map(|(_, rendering)| rendering).ok_or(Unacceptable::NoMediaType)
}

/// `true` if the parameters need to be parsed: most media types in requests have nothing to do with
/// JSON.
fn may_take(range: &str, formats: &[(&str, &str)]) -> bool {
    let essence = range.split(';').next().unwrap_or_default().trim();
    let is = |sent: &str, offered: &str| sent == "*" || sent.eq_ignore_ascii_case(offered);
    essence.contains('"')
        || essence.split_once('/').is_some_and(|(main, sub)| {
            formats.iter().any(|offered| is(main, offered.0) && is(sub, offered.1))
        })
}

/// Returns the last `format` of the query, unless it is empty.
fn format(query: &str) -> Option<String> {
    super::form::form_pairs(query.as_bytes())
        .filter(|(name, _)| name == "format")
        .last()
        .map(|(_, value)| value)
        .filter(|format| !format.is_empty())
}

/// One entry of `Accept` or a `Content-Type` (RFC 9110 section 12.5.1).
pub(crate) struct MediaRange {
    main: String,
    sub: String,
    parameters: Parameters,
}

impl MediaRange {
    pub(crate) fn parse(text: &str) -> Self {
        let parameters = Parameters::parse(text);
        let (main, sub) = parameters.value.split_once('/').unwrap_or((&parameters.value, ""));
        Self { main: main.to_owned(), sub: sub.to_owned(), parameters }
    }

    pub(crate) fn takes(&self, (main, sub): &(&str, &str)) -> bool {
        (self.main == "*" || self.main == *main) && (self.sub == "*" || self.sub == *sub)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name)
    }

    fn precision(&self) -> u8 {
        match (self.main.as_str(), self.sub.as_str()) {
            ("*", _) => 0,
            (_, "*") => 1,
            _ if !self.parameters.has_more_than_q() => 2,
            _ => 3,
        }
    }

    fn indent(&self) -> Option<usize> {
        let indent: i64 = self.parameter("indent")?.trim().parse().ok()?;
        match usize::try_from(indent).unwrap_or(0).min(MAX_INDENT) {
            0 => None,
            indent => Some(indent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str, accept: Option<&str>) -> Result<Option<usize>, Unacceptable> {
        let mut request = http::Request::builder().uri(format!("/api/token/{query}"));
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        negotiate(&request.body(()).unwrap().into_parts().0).map(|rendering| rendering.indent)
    }

    #[test]
    fn json_answers_what_upstream_answers_with_json_or_a_page() {
        use Unacceptable::{NoMediaType, UnknownFormat};
        for (query, accept, expected) in [
            ("", None, Ok(None)),
            ("", Some("*/*"), Ok(None)),
            ("", Some("application/*"), Ok(None)),
            ("", Some("APPLICATION/JSON"), Ok(None)),
            ("", Some("application/json;q=0"), Ok(None)),
            ("", Some("application/json; indent=4"), Ok(Some(4))),
            ("", Some("*/*; indent=99"), Ok(Some(8))),
            ("", Some("application/json; indent=-1"), Ok(None)),
            ("", Some("text/html"), Ok(None)),
            ("", Some("text/html, application/json; indent=2"), Ok(Some(2))),
            ("", Some(""), Err(NoMediaType)),
            ("", Some("application/xml"), Err(NoMediaType)),
            ("", Some("json"), Err(NoMediaType)),
            ("", Some("image/png, */*; indent=3, application/json"), Ok(None)),
            ("", Some("application/json; indent=3, application/json; indent=4"), Ok(Some(3))),
            ("", Some("application/json, application/json; indent=4; q=0.1"), Ok(Some(4))),
            ("", Some("text/html, */*; indent=2"), Ok(Some(2))),
            ("", Some(" application/JSON ;indent=2"), Ok(Some(2))),
            ("?format=json", Some("text/html"), Err(NoMediaType)),
            ("?format=json", None, Ok(None)),
            ("?format=xml", None, Err(UnknownFormat)),
            ("?format=JSON", None, Err(UnknownFormat)),
            ("?format=", None, Ok(None)),
            ("?format=xml&format=json", None, Ok(None)),
            ("?format=api", Some("application/json"), Err(NoMediaType)),
        ] {
            assert_eq!(asked(query, accept), expected, "{query} {accept:?}");
        }
    }
}
