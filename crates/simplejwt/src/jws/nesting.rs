//! How deep the JSON of a token may go.

/// How deep arrays and objects may be nested in a member of a header or payload.
pub(crate) const MAX_DEPTH: usize = 64;

/// How deep arrays and objects are nested in this JSON.
pub(crate) fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in json {
        match byte {
            b'"' if !escaped => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    deepest
}
