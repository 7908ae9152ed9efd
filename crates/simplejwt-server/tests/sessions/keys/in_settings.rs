//! Keys in the settings, and in files that they name, that change while a server runs.

use std::fs;
use std::path::Path;

use super::{good, is_good, kid, list, log_in, until};
use crate::support::databases::DatabaseKind;
use crate::support::process::Server;
use crate::support::site::Site;

/// Returns a secret.
fn secret(name: &str) -> String {
    format!("a-secret-key-that-is-long-enough-for-hs256-{name}")
}

/// Replaces a file at once, so that no half of it is read.
fn replace(path: &Path, text: &str) {
    let other = path.with_extension("new");
    fs::write(&other, text).unwrap();
    fs::rename(other, path).unwrap();
}

/// Starts a server whose configuration is in a file, and whose SECRET_KEY isn't set.
fn serve(site: &mut Site, configuration: &str) {
    let file = site.directory().join("simplejwt.toml");
    replace(&file, configuration);
    site.set("SIMPLEJWT_CONFIG", file.to_str().unwrap());
    let mut environment = site.environment();
    environment.retain(|(name, _)| *name != "SECRET_KEY");
    let server = Server::start(&["serve"], &environment, site.directory());
    site.servers.push(server);
}

#[test]
fn files_of_keys_are_read_when_they_change() {
    let mut site = Site::new(DatabaseKind::Sqlite, 0, 60, &[]);
    let directory = site.directory().to_owned();
    let (signing, former) = (directory.join("signing.key"), directory.join("former.key"));
    replace(&signing, &secret("1"));
    replace(&former, &secret("0"));
    let configuration = "[simple_jwt]\nsigning_key_file = \"signing.key\"\n\
                         verifying_keys = [{ key_file = \"former.key\" }]\n";
    serve(&mut site, configuration);
    let first = log_in(&site, 0);
    replace(&signing, &secret("2"));
    let line = site.servers[0].expect_stderr("event=keys_reread");
    assert!(line.contains("simple_jwt.signing_key") && !line.contains("secret-key"), "{line}");
    let second = log_in(&site, 0);
    assert!(!is_good(&site, 0, &first) && is_good(&site, 0, &second));
    // A key in the list.
    replace(&former, &secret("1"));
    let line = site.servers[0].expect_stderr("event=keys_reread");
    assert!(line.contains("simple_jwt.verifying_keys"), "{line}");
    assert!(is_good(&site, 0, &first) && is_good(&site, 0, &second));

    // A bad one is told once, and so is that there is none.
    replace(&signing, "short");
    let line = site.servers[0].expect_stderr("event=keys_kept");
    assert!(line.contains("SIGNING_KEY") && !line.contains("short-"), "{line}");
    fs::remove_file(&signing).unwrap();
    let line = site.servers[0].expect_stderr("event=keys_kept");
    assert!(line.contains("there is no such file"), "{line}");
    let begun = site.servers[0].log().len();
    crate::support::site::wait(std::time::Duration::from_secs(11));
    assert_eq!((begun, site.servers[0].told("keys_kept")), (0, 0), "once");
    assert!(is_good(&site, 0, &log_in(&site, 0)) && is_good(&site, 0, &first));
    replace(&signing, &secret("3"));
    site.servers[0].expect_stderr("event=keys_reread");
    assert!(!is_good(&site, 0, &second) && is_good(&site, 0, &first));

    // SIGHUP sees them at once, and other lists.
    replace(&former, &secret("2"));
    site.servers[0].signal("-HUP");
    let line = site.servers[0].expect_stderr("event=configuration_reread");
    assert!(line.contains("changed=simple_jwt.verifying_keys after_restart=nothing"), "{line}");
    assert!(is_good(&site, 0, &second) && !is_good(&site, 0, &first));
    let file = directory.join("simplejwt.toml");
    replace(&file, &configuration.replace("[{", "[\"a-key-of-nobody-that-is-long-enough\", {"));
    site.servers[0].signal("-HUP");
    let line = site.servers[0].expect_stderr("event=configuration_reread");
    assert!(line.contains("changed=simple_jwt.verifying_keys after_restart=nothing"), "{line}");
    replace(&file, &format!("{configuration}kid = true\n"));
    site.servers[0].signal("-HUP");
    let line = site.servers[0].expect_stderr("event=configuration_reread");
    assert!(line.contains("simple_jwt.kid") && line.contains("after_restart=nothing"), "{line}");
    assert!(kid(&log_in(&site, 0)).is_some());
    site.servers[0].signal("-HUP");
    let line = site.servers[0].expect_stderr("event=configuration_reread");
    assert!(line.contains("changed=nothing"), "{line}");
}

#[test]
fn keys_that_follow_each_other_stay_when_those_of_the_settings_change() {
    let mut site = Site::new(DatabaseKind::Sqlite, 0, 60, &[]);
    let directory = site.directory().to_owned();
    let (signing, ring) = (directory.join("signing.key"), directory.join("keys.json"));
    replace(&signing, &secret("1"));
    let settings = "[simple_jwt]\nkid = true\nsigning_key_file = \"signing.key\"\n[keys]\n\
                    store = \"file\"\nfile = \"keys.json\"\npublication_delay = \"2s\"\n";
    fs::write(&ring, "{\"keys\": []}").unwrap();
    serve(&mut site, settings);
    let of_settings = log_in(&site, 0);
    good(&site.try_command(&["key", "rotate"], ""));
    let first = list(&site).pop().unwrap().kid;
    until("the first key signs", || kid(&log_in(&site, 0)).as_ref() == Some(&first));
    let of_ring = log_in(&site, 0);

    replace(&signing, &secret("2"));
    site.servers[0].signal("-HUP");
    let line = site.servers[0].expect_stderr("event=configuration_reread");
    assert!(line.contains("changed=simple_jwt.signing_key"), "{line}");
    until("its tokens are refused", || !is_good(&site, 0, &of_settings));
    assert!(is_good(&site, 0, &of_ring));
    assert_eq!(kid(&log_in(&site, 0)), Some(first.clone()));
    // Without SIGHUP, too.
    replace(&signing, &secret("1"));
    site.servers[0].expect_stderr("event=keys_reread");
    until("its tokens are good", || is_good(&site, 0, &of_settings));
    assert!(is_good(&site, 0, &of_ring));
    assert_eq!(kid(&log_in(&site, 0)), Some(first));
    // Where the keys are kept is settled at the start, and so are the keys then.
    replace(&signing, &secret("3"));
    let file = directory.join("simplejwt.toml");
    replace(&file, settings.split("[keys]").next().unwrap());
    site.servers[0].signal("-HUP");
    let line = site.servers[0].expect_stderr("event=configuration_reread");
    assert!(line.contains("changed=nothing") && line.contains("keys.store"), "{line}");
    assert!(is_good(&site, 0, &of_ring) && is_good(&site, 0, &of_settings));
}
