//! The end of what `quickstart` prints: shell commands that log in, use the token, refresh and log
//! out.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use simplejwt::settings::Transport;

use super::FIRST_USER;
use crate::commands::reachable::reachable;
use crate::config::Config;

/// Returns lines that can be pasted as a whole into bash, dash, zsh and other shells. They contain
/// no comments, which zsh rejects. Those that ask for a password are in braces, so that `read`
/// doesn't take the next pasted line.
pub(super) fn walkthrough(
    address: SocketAddr,
    config: &Config,
    file: &Path,
    password: Option<&str>,
) -> String {
    let scheme = if config.tls.certificate.is_some() { "https" } else { "http" };
    let site = format!("{scheme}://{}", reachable(address));
    if config.settings.transport == Transport::Cookie {
        return format!("\nTokens travel in cookies: a browser can log in at {site}/.\n\n");
    }
    let lines = lines(&site, config, password).join("\n");
    match password {
        Some(_) => format!("\nTry it in another terminal:\n\n{lines}\n\n"),
        None => format!(
            "\nTry it in another terminal (to set a new password: simplejwt user set-password \
             {FIRST_USER} --config {}):\n\n{{\n{lines}\n}}\n\n",
            quoted(file)
        ),
    }
}

fn lines(site: &str, config: &Config, password: Option<&str>) -> Vec<String> {
    let api = format!("{site}{}", config.server.prefix);
    let take =
        |name: &str| format!(r#"$(printf %s "$TOKENS" | sed 's/.*"{name}":"\([^"]*\)".*/\1/')"#);
    let (access, refresh) = (take("access"), take("refresh"));
    // The server's own certificate is accepted, whatever names it has.
    let curl = if config.tls.certificate.is_some() { "curl -sSk" } else { "curl -sS" };
    let field = &config.users.username_field;
    let known = match password {
        Some(password) => format!("PASSWORD={password}"),
        // A blank line pasted after the block is not an answer.
        None => format!(
            "PASSWORD=; while [ -z \"$PASSWORD\" ]; do printf 'The password of {FIRST_USER}: '; \
             read -r PASSWORD || break; done"
        ),
    };
    let mut lines = vec![
        known,
        format!(
            r#"TOKENS=$({curl} {api} -d {field}={FIRST_USER} --data-urlencode password="$PASSWORD"); printf 'log in: %s\n' "$TOKENS""#
        ),
    ];
    let mut call = |what: &str, url: String, rest: String| {
        lines.push(format!(r#"printf '{what}: %s\n' "$({curl} {url} {rest})""#));
    };
    let bearer = format!(r#"-H "Authorization: Bearer {access}""#);
    if config.server.demo {
        call("use", format!("{site}/api/protected/"), bearer.clone());
    }
    call("verify", format!("{api}verify/"), format!(r#"-d token="{access}""#));
    lines.push(format!(
        r#"TOKENS=$({curl} {api}refresh/ -d refresh="{refresh}"); printf 'refresh: %s\n' "$TOKENS""#
    ));
    let mut call = |what: &str, url: String, rest: String| {
        lines.push(format!(r#"printf '{what}: %s\n' "$({curl} {url} {rest})""#));
    };
    if config.settings.has_sessions() {
        call("sessions", format!("{api}sessions/"), bearer);
        call("log out", format!("{api}logout/"), format!(r#"-d refresh="{refresh}""#));
    } else if config.settings.token_blacklist {
        call("log out", format!("{api}blacklist/"), format!(r#"-d refresh="{refresh}""#));
    }
    lines
}

/// Quotes a path for a shell.
pub(super) fn quoted(path: &Path) -> String {
    let text = PathBuf::from(path).display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_a_shell_where_they_need_it() {
        assert_eq!(quoted(Path::new("a/b.toml")), "a/b.toml");
        assert_eq!(quoted(Path::new("my dir/it's")), r"'my dir/it'\''s'");
    }
}
