//! `application/x-www-form-urlencoded` text: bodies and query strings.

/// The pairs of `application/x-www-form-urlencoded` text: `+` is a space, bad percent signs stay
/// as they are, what isn't UTF-8 becomes U+FFFD.
pub(crate) fn form_pairs(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    text.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut halves = pair.splitn(2, |&byte| byte == b'=');
        let mut half = || unquote(halves.next().unwrap_or_default());
        (half(), half())
    })
}

/// A part of a path, with its percent signs resolved.
pub(crate) fn unquote_path(text: &[u8]) -> String {
    resolve(text, b'+')
}

/// A name or value, with its percent signs and plus signs resolved.
pub(crate) fn unquote(text: &[u8]) -> String {
    resolve(text, b' ')
}

fn resolve(text: &[u8], plus: u8) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(plus),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
