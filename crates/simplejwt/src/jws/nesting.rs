//! The nesting depth of the JSON in a token.

/// The maximum nesting depth of arrays and objects in a member of a header or payload.
pub(crate) const MAX_DEPTH: usize = 64;

/// Returns the nesting depth of arrays and objects in this JSON.
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
