//! Whole configurations, from every source.

mod claims;
mod database;
mod dictionary;
mod environment;
mod every;
mod file;
mod layout;
mod oauth;

use super::*;

const KEY: (&str, &str) = ("SECRET_KEY", "a-secret-key-that-is-long-enough-for-hs256");

fn with<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Config, String> {
    let environment = Environment::of(std::iter::once(KEY).chain(pairs));
    load(None, &environment).map(|loaded| loaded.config).map_err(|error| error.to_string())
}

fn dictionary(json: &str) -> Result<Settings, String> {
    with([("SIMPLE_JWT", json)]).map(|config| config.settings)
}

fn file(text: &str, environment: &Environment) -> Result<Loaded, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("simplejwt.toml");
    std::fs::write(directory.path().join("key"), "the-key-in-a-file-which-is-long-enough\n")
        .unwrap();
    std::fs::write(&path, text).unwrap();
    load(Some(&path), environment).map_err(|error| error.to_string())
}

fn toml(text: &str) -> Result<Config, String> {
    file(text, &Environment::default()).map(|loaded| loaded.config)
}
