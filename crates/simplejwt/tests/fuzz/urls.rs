//! Addresses of databases, as they are configured. None has a password in what is said of it.

use simplejwt::sqlite::SqliteUrl;
use simplejwt::{mysql, postgres};

use crate::engine::{corpus, run};

#[test]
fn url() {
    run("url", &corpus("url"), |input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let said = [
            format!("{:?}", SqliteUrl::parse(text).map(|_| ())),
            format!("{:?}", postgres::url_warnings(text)),
            format!("{:?}", mysql::url_warnings(text)),
        ];
        let sent = text.contains(":s3cret@");
        assert!(!sent || said.iter().all(|said| !said.contains("s3cret")), "{said:?}");
    });
}
