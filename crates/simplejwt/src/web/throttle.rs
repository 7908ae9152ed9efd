//! How a throttled request is answered: in Django REST framework's words, with `Retry-After` (RFC 9110
//! section 10.2.3) and the `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers-11.

use http::header::{HeaderName, HeaderValue, RETRY_AFTER};

use crate::error::Throttled;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Returns the sentence of Django REST framework's `Throttled`.
pub(super) fn sentence(throttled: &Throttled) -> String {
    let seconds = throttled.retry_after();
    let unit = if seconds == 1 { "second" } else { "seconds" };
    format!("Request was throttled. Expected available in {seconds} {unit}.")
}

/// Returns the headers: the time to wait, and the limit, by the name of its setting.
pub(super) fn headers(throttled: &Throttled) -> Vec<(HeaderName, HeaderValue)> {
    let (scope, seconds) = (throttled.scope(), throttled.retry_after());
    let policy = format!("\"{scope}\";q={};w={}", throttled.limit(), throttled.period().as_secs());
    let fields = [
        (RETRY_AFTER, seconds.to_string()),
        (POLICY, policy),
        (LIMIT, format!("\"{scope}\";r=0;t={seconds}")),
    ];
    let value = |(name, text)| Some((name, HeaderValue::try_from(text).ok()?));
    fields.into_iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::error::{Error, ThrottleScope, Throttled};
    use crate::settings::Settings;
    use crate::web::error_response;

    #[test]
    fn a_throttled_request_is_told_how_long_to_wait() {
        for (millis, seconds, unit) in
            [(1, 1, "second"), (1001, 2, "seconds"), (17_000, 17, "seconds")]
        {
            let (period, wait) = (Duration::from_secs(3600), Duration::from_millis(millis));
            let throttled = Throttled::new(ThrottleScope::LoginAccount, 100, period, wait);
            let response = error_response(&Error::Throttled(throttled), &Settings::default());
            assert_eq!(response.status(), 429);
            let body = format!(
                "{{\"detail\":\"Request was throttled. Expected available in {seconds} {unit}.\",\
                 \"code\":\"throttled\"}}"
            );
            assert_eq!(String::from_utf8_lossy(response.body()), body);
            let headers = response.headers();
            assert_eq!(headers["retry-after"], seconds.to_string());
            assert_eq!(headers["ratelimit-policy"], "\"login_account\";q=100;w=3600");
            assert_eq!(headers["ratelimit"], format!("\"login_account\";r=0;t={seconds}"));
            assert!(!headers.contains_key("www-authenticate"));
        }
    }
}
