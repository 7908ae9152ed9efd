//! Whether browsers would send the cookies of one realm to another, or replace them.

use super::super::Config;
use super::super::realm::{Place, Realm};

/// Returns the problem if a cookie of one realm can meet one of the other with the same name.
pub(super) fn problem(one: &Config, other: &Config) -> Option<String> {
    let has_cookies = |config: &Config| config.settings.transport.has_cookies();
    if !has_cookies(one) || !has_cookies(other) || !have_hosts_in_common(one, other) {
        return None;
    }
    let (ours, theirs) = (cookies(one), cookies(other));
    let (setting, name) = theirs.into_iter().find_map(|(setting, name, path)| {
        let meets = |(_, same, at): &(&str, String, String)| {
            *same == name && (path.starts_with(&**at) || at.starts_with(&*path))
        };
        ours.iter().any(meets).then_some((setting, name))
    })?;
    Some(format!(
        "{} and {} have cookies with the name {name}, which browsers would mistake for each other: \
         write another {setting} in {}",
        one.realm,
        other.realm,
        other.realm.table("cookies")
    ))
}

/// Realms by prefix are on every host; one by host shares its cookies if they have a domain.
fn have_hosts_in_common(one: &Config, other: &Config) -> bool {
    let is_by_host =
        |config: &Config| matches!(config.realm, Realm::Named { place: Place::Host(_), .. });
    let has_domain = |config: &Config| config.settings.cookies.domain.is_some();
    has_domain(one) || has_domain(other) || !is_by_host(one) && !is_by_host(other)
}

/// Returns the cookies of a realm: the setting of the name, the name and the path.
fn cookies(config: &Config) -> Vec<(&'static str, String, String)> {
    let settings = &config.settings;
    let prefix = format!("{}{}", config.realm.root_path(), config.server.prefix);
    let path = settings.cookies.refresh_path.clone().unwrap_or(prefix);
    let mut cookies = vec![
        ("access_name", settings.access_cookie().to_owned(), "/".to_owned()),
        ("refresh_name", settings.refresh_cookie_at(&path).to_owned(), path.clone()),
    ];
    // Removed under its former name, too.
    if let Some(former) = settings.former_refresh_cookie_at(&path) {
        let former_path = if path == "/" { "/api/token/" } else { "/" };
        cookies.push(("refresh_name", former.to_owned(), former_path.to_owned()));
    }
    cookies
}
