//! Messages for files that aren't valid TOML, in words for the person who wrote them.

use std::collections::BTreeMap;

use simplejwt::settings::value::is_no_value;

/// Returns the sentence for what the parser couldn't read, with the line.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> String {
    if let Some(twice) = twice(text) {
        return twice;
    }
    let at = error.span().map(|span| line_of(text, span.start));
    let line = at.and_then(|at| text.lines().nth(at - 1)).unwrap_or_default();
    let said = error.message().lines().next().unwrap_or("not TOML");
    let place = at.map_or_else(String::new, |at| format!(", line {at}"));
    match hint(line) {
        Some(hint) => format!("{place}: {hint}"),
        None => format!("{place}: {said}"),
    }
}

/// Returns the number of the line at an offset.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Finds a name or a table that occurs twice, and returns a sentence with both lines.
fn twice(text: &str) -> Option<String> {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut table = String::new();
    let mut within = None;
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        // Lines of a multi-line string or a list aren't settings.
        if let Some(end) = within {
            within = (!line.contains(end)).then_some(end);
            continue;
        }
        let line = line.split_once(" #").map_or(line, |(before, _)| before.trim());
        if line.is_empty() || line.starts_with('#') || line.starts_with("[[") {
            table = if line.starts_with("[[") { format!("{line} in line {at}") } else { table };
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            table = name.trim().to_owned();
            if let Some(first) = seen.insert((table.clone(), String::new()), at) {
                return Some(format!(
                    ", line {at}: [{table}] is in line {first} already: put both together"
                ));
            }
            continue;
        }
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.trim().trim_matches(['"', '\'']).to_owned();
        let value = value.trim();
        within = ["\"\"\"", "'''"]
            .into_iter()
            .find(|quotes| value.starts_with(quotes) && value.matches(quotes).count() == 1)
            .or((value.starts_with('[') && !value.contains(']')).then_some("]"));
        if let Some(first) = seen.insert((table.clone(), name.clone()), at) {
            return Some(format!(
                ", line {at}: {name} is in line {first} already: remove one of them"
            ));
        }
    }
    None
}

/// Returns the TOML for a line in another language's syntax.
fn hint(line: &str) -> Option<String> {
    let (name, value) = line.split_once('=')?;
    let (name, value) = (name.trim(), value.split(" #").next()?.trim().trim_end_matches(','));
    if is_no_value(value) {
        return Some(format!("{name} is {value}: leave the line out, TOML has no null"));
    }
    match value {
        "" => return Some(format!("{name} has no value")),
        "True" | "TRUE" | "yes" | "on" => return Some(format!("write {name} = true")),
        "False" | "FALSE" | "no" | "off" => return Some(format!("write {name} = false")),
        _ => {}
    }
    if value.contains("timedelta(") {
        return Some(format!(
            "{name} is a Python expression: write a duration such as {name} = \"5m\""
        ));
    }
    if value.starts_with('{') && value.contains(':') && !value.contains('=') {
        return Some(format!("{name} is written as in JSON: write {name} = {{ \"a\" = \"b\" }}"));
    }
    if value.starts_with('(') {
        return Some(format!("{name} is a Python tuple: write {name} = [\"…\"]"));
    }
    let is_bare = |first: char| first.is_alphanumeric() || "/.:*".contains(first);
    if value.starts_with(is_bare) && !value.contains('"') {
        return Some(format!("{name} is a string without quotation marks: write {name} = \"…\""));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        explain(text, &text.parse::<toml::Table>().expect_err(text))
    }

    #[test]
    fn a_name_that_is_there_twice_is_named_with_both_lines() {
        for (text, expected) in [
            (
                "[server]\ndemo = true\n\n# demo\ndemo = false\n",
                "line 5: demo is in line 2 already",
            ),
            ("[server]\n\"demo\" = true\ndemo = false", "line 3: demo is in line 2"),
            ("[server]\n[log]\n[server]\n", "line 3: [server] is in line 1 already"),
            (
                "[a]\nx = \"\"\"\nx = 1\n\"\"\"\ny = [\n 1,\n]\nx = 2",
                "line 8: x is in line 2 already",
            ),
            ("[a]\nx = 1\n[b]\nx = 2 # x\n[b.c]\nx = 1\nx = 3", "line 7: x is in line 6 already"),
        ] {
            assert!(told(text).contains(expected), "{text}: {}", told(text));
        }
        let several = "[[oauth.clients]]\nid = \"a\"\n[[oauth.clients]]\nid = \"b\"\n[x]\ny = None";
        assert!(told(several).contains("line 6: y is None"), "{}", told(several));
    }

    #[test]
    fn words_of_other_languages() {
        for (value, expected) in [
            ("None", "level is None: leave the line out"),
            ("null", "level is null: leave the line out"),
            ("undefined", "leave the line out"),
            ("True", "write level = true"),
            ("off # not", "write level = false"),
            ("timedelta(minutes=5)", "write a duration"),
            ("datetime.timedelta(days=1),", "write a duration"),
            ("warn", "level = \"…\""),
            ("127.0.0.1:8000", "level = \"…\""),
            ("(\"Bearer\",)", "level = [\"…\"]"),
            ("{\"a\": \"b\"}", "as in JSON"),
            ("", "level has no value"),
        ] {
            let text = format!("[log]\nlevel = {value}\n");
            let told = told(&text);
            assert!(told.contains(expected) && told.contains("line 2"), "{value}: {told}");
        }
        assert!(told("[log\n").starts_with(", line 1: "));
        assert!(!told("[log]\nlevel = \"a").contains("None"));
    }
}
