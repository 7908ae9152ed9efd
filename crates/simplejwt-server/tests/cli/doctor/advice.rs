//! For each code a configuration that raises it, and its advice carried out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::site::{PLAIN, STRONG, Site, of_severity, open, with_code};

/// A code, the configuration, the lines that raise it as `[table] lines`, and what else does.
struct Case {
    code: &'static str,
    base: &'static str,
    lines: &'static [(&'static str, &'static str)],
    /// Settings that are removed first.
    without: &'static [(&'static str, &'static str)],
    before: fn(&mut Site),
    /// What a person does whom a sentence tells to.
    by_hand: fn(&mut Site),
}

const fn case(code: &'static str, lines: &'static [(&'static str, &'static str)]) -> Case {
    Case { code, base: STRONG, lines, without: &[], before: |_| {}, by_hand: |_| {} }
}

impl Case {
    const fn plain(self) -> Self {
        Self { base: PLAIN, ..self }
    }

    const fn without(self, without: &'static [(&'static str, &'static str)]) -> Self {
        Self { without, ..self }
    }

    const fn before(self, before: fn(&mut Site)) -> Self {
        Self { before, ..self }
    }

    const fn by_hand(self, by_hand: fn(&mut Site)) -> Self {
        Self { by_hand, ..self }
    }
}

const KEY: (&str, &str) = ("simple_jwt", "signing_key_file");
const RING: (&str, &str) = ("keys", "store = \"file\"\nfile = \"keys.json\"");
const COOKIE: &str = "transport = \"cookie\"\n";

const CASES: &[Case] = &[
    // Keys.
    case("weak_hmac_key", &[("simple_jwt", "signing_key = \"short\"\nallow_weak_key = true")])
        .without(&[KEY]),
    case("weak_keys_allowed", &[("simple_jwt", "allow_weak_key = true")]),
    case("django_secret_key", &[("django", "secret_key = \"a-secret-key-of-thirty-two-bytes-or-more\"")])
        .without(&[KEY]),
    case("symmetric_key", &[]),
    case("symmetric_key", &[RING]),
    case("empty_jwks", &[("simple_jwt", "issuer = \"https://auth.example.com\"")]),
    case(
        "short_rsa_key",
        &[(
            "simple_jwt",
            "algorithm = \"RS256\"\nsigning_key_file = \"rsa.pem\"\nverifying_key_file = \"rsa.pub\"",
        )],
    )
    .before(rsa_2048),
    case("no_kid", &[("simple_jwt", "kid = false")]),
    case("no_key_rotation", &[]),
    case("rotation_by_hand", &[RING]),
    case("old_signing_key", &[RING]).before(old_ring),
    case("unused_settings_key", &[RING]).before(old_ring),
    case("further_keys", &[("simple_jwt", "verifying_keys = [\"another-key-of-thirty-two-bytes-or-more\"]")])
        .by_hand(|site| site.remove("simple_jwt", "verifying_keys")),
    case("keys_over_http", &[("simple_jwt", REMOTE)]).plain().without(&[KEY]),
    case("stale_keys", &[("simple_jwt", REMOTE), ("simple_jwt", "jwk_url_max_stale = \"unlimited\"")])
        .plain()
        .without(&[KEY]),
    // Tokens.
    case("no_token_type", &[("simple_jwt", "token_type_claim = \"\"")]).plain(),
    case("unmarked_refresh_tokens", &[("simple_jwt", "typ = \"JWT\"")]),
    case("no_issuer", &[]),
    case("no_audience", &[]),
    // Lifetimes.
    case("long_leeway", &[("simple_jwt", "leeway = \"10m\"")]),
    case(
        "long_access_lifetime",
        &[("simple_jwt", "access_token_lifetime = \"2h\""), ("sessions", "revocation = \"stateless\"")],
    ),
    case("long_refresh_lifetime", &[("simple_jwt", "refresh_token_lifetime = \"91d\"")]),
    case("long_refresh_lifetime", &[("simple_jwt", "refresh_token_lifetime = \"91d\"")]).plain(),
    case("no_rotation", &[]).plain(),
    case(
        "rotation_without_blacklist",
        &[("simple_jwt", "rotate_refresh_tokens = true")],
    )
    .plain(),
    case("long_sliding_lifetime", &[("simple_jwt", "sliding_token_lifetime = \"2h\"")]).plain(),
    // Sessions.
    case("inactive_users_accepted", &[("simple_jwt", "check_user_is_active = false")]),
    case("password_change_keeps_tokens", &[]),
    case("no_blacklist", &[]).plain(),
    case("sessions_off", &[("simple_jwt", "token_blacklist = true"), ("sessions", "enabled = false")])
        .plain(),
    case("long_rotation_grace", &[("sessions", "rotation_grace = \"2m\"")]),
    case("long_reuse_tolerance", &[("sessions", "reuse_tolerance = \"2m\"")]),
    case("unlimited_session", &[]).without(&[("sessions", "lifetime")]),
    case("stateless_revocation", &[("sessions", "revocation = \"stateless\"")]),
    case("feed_lost_accepted", &[("sessions", "feed_lost = \"accept\"")]),
    case("purge_off", &[("database", "purge_interval = \"0\"")]),
    case("tokens_at_rest", &[("sessions", "token_at_rest = \"full\"")]),
    // Passwords.
    case("weak_password_hashing", &[("password", "pbkdf2_iterations = 1000")]),
    case("weak_password_hashing", &[("password", "hashers = [\"argon2\"]\nargon2_memory_cost = 1024")]),
    case("weak_password_hashing", &[("password", "hashers = [\"bcrypt\"]\nbcrypt_rounds = 5")]),
    case("weak_password_hashing", &[("password", "hashers = [\"scrypt\"]\nscrypt_work_factor = 1024")]),
    case("weak_password_hashing", &[("password", "hashers = [\"pbkdf2_sha1\", \"md5\"]")]),
    case("weak_password_hashing", &[("password", "hashers = [\"md5\"]")]),
    case("md5_accepted", &[("password", "hashers = [\"pbkdf2_sha256\", \"md5\"]")]),
    case("weak_stored_hashes_stay", &[("password", "rehash = \"never\"")]).before(weak_hash),
    case("weak_stored_hashes", &[]).before(weak_hash).by_hand(|site| {
        site.shell("simplejwt user set-password alice --generate-password");
    }),
    // Browsers.
    case("insecure_cookies", &[("cookies", COOKIE), ("cookies", "secure = false")]),
    case("cookie_domain", &[("cookies", COOKIE), ("cookies", "domain = \"example.com\"")]),
    case("access_cookie_prefix", &[("cookies", COOKIE), ("cookies", "access_name = \"jwt\"")]),
    case("refresh_cookie_prefix", &[("cookies", COOKIE), ("cookies", "refresh_name = \"jwt\"")]),
    case("cookies_from_any_site", &[("cookies", COOKIE), ("cookies", "same_site = \"none\"")]),
    case("wildcard_origin", &[("server", "allowed_origins = [\"https://*.example.com\"]")]),
    case("plain_http_origin", &[("server", "allowed_origins = [\"http://app.lan\"]")]),
    // Transport.
    case("plain_http", &[("server", "bind = \"0.0.0.0:8443\"")]),
    case("reachable_past_proxies", &[("server", "bind = \"[::]:8000\"\nnum_proxies = 1")]),
    case("demo", &[("server", "demo = true")]),
    case("public_demo", &[("server", "bind = \"0.0.0.0:80\"\ndemo = true")]),
    case("certificate_expires_soon", &[("tls", TLS)])
        .before(|site| certificate(site, "5"))
        .by_hand(|site| certificate(site, "90")),
    // Files.
    case("file_open_to_all", &[]).before(|site| {
        open(&site.path("."));
        site.shell("chmod 644 signing.key");
    }),
    case("file_open_to_all", &[]).before(|site| {
        open(&site.path("."));
        site.shell("chmod 666 simplejwt.toml");
    }),
    case("file_open_to_group", &[]).before(|site| {
        open(&site.path("."));
        site.shell("chmod 640 db.sqlite3");
    }),
    // The database.
    case("database_not_ready", &[("database", "path = \"new.sqlite3\"")])
        .before(|site| fs::write(site.path("new.sqlite3"), "").unwrap()),
    case("database_in_memory", &[]).before(in_memory).by_hand(|site| {
        site.shell("mv \"$(cat place)\" db.sqlite3 && rm -r \"$(dirname \"$(cat place)\")\"");
    }),
    case("database_not_verified", &[("database", "url = \"postgres://u:p@192.0.2.1/d\"\nconnect_timeout = \"100ms\"")])
        .without(&[("database", "path")])
        .by_hand(|site| site.change("database", "url = \"mysql://u:p@192.0.2.1/d?ssl-mode=verify_identity\"")),
    case(
        "database_name_not_verified",
        &[("database", "url = \"mysql://u:p@192.0.2.1/d?ssl-mode=verify_ca\"\nconnect_timeout = \"100ms\"")],
    )
    .without(&[("database", "path")])
    .by_hand(|site| site.change("database", "url = \"mysql://u:p@192.0.2.1/d?ssl-mode=verify_identity\"")),
    case("database_unreachable", &[("database", "path = \"none.sqlite3\"")]).by_hand(|site| {
        site.change("database", "path = \"db.sqlite3\"");
    }),
    // Clients.
    case("stateless_gateway", &[("gateway", "authentication = \"stateless\"")]),
    case("clients_see_refresh_tokens", &[("oauth", CLIENT)])
        .by_hand(|site| site.remove("oauth", "clients")),
    case("personal_claims", &[("claims", "contact = \"email\"\ntenant = { value = \"acme\" }")]),
    // The rest.
    case("setting", &[("sessions", "revocation = \"strict\"\nfeed_max_age = \"9s\"")])
        .by_hand(|site| site.remove("sessions", "feed_max_age")),
];

/// Codes that only a unit test can raise: other versions, other machines, other programs, outages.
const ELSEWHERE: [&str; 9] = [
    "beside_django",
    "certificate_expired",
    "certificate_not_yet_valid",
    "database_end_of_life",
    "database_on_network",
    "database_unread",
    "hashes_unread",
    "keys_unread",
    "tokens_unread",
];

const REMOTE: &str = "algorithm = \"RS256\"\njwk_url = [\"http://192.0.2.1/jwks.json\"]\n\
                      jwk_url_allow_http = true";
const TLS: &str = "certificate = \"chain.pem\"\nkey = \"chain.key\"";
const CLIENT: &str = "clients = [{ id = \"api\", refresh_tokens = true, secret = \
                      \"a-client-secret-of-thirty-two-characters\" }]";

fn rsa_2048(site: &mut Site) {
    let pem = include_bytes!("../../../../simplejwt/tests/fixtures/keys/rsa2048.pkcs8.pem");
    fs::write(site.path("rsa.pem"), pem).unwrap();
    site.shell("chmod 600 rsa.pem && openssl pkey -in rsa.pem -pubout -out rsa.pub");
}

/// Makes a ring whose key has signed for years.
fn old_ring(site: &mut Site) {
    site.change(RING.0, RING.1);
    site.shell("simplejwt key rotate --at-once");
    let text = fs::read_to_string(site.path("keys.json")).unwrap();
    let mut ring: serde_json::Value = serde_json::from_str(&text).unwrap();
    for name in ["created_at", "activates_at"] {
        ring["keys"][0][name] = "2024-02-29T00:00:00Z".into();
    }
    fs::write(site.path("keys.json"), ring.to_string()).unwrap();
}

fn weak_hash(site: &mut Site) {
    site.shell(
        "SIMPLEJWT_PASSWORD_PBKDF2_ITERATIONS=1000 simplejwt user add alice --generate-password",
    );
}

fn certificate(site: &mut Site, days: &str) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-subj", "/CN=localhost", "-days", days])
        .args(["-out", "chain.pem", "-keyout", "chain.key"])
        .current_dir(site.path("."))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

fn in_memory(site: &mut Site) {
    let place = tempfile::tempdir_in("/dev/shm").unwrap().keep().join("db.sqlite3");
    fs::copy(site.path("db.sqlite3"), &place).unwrap();
    fs::write(site.path("place"), place.to_str().unwrap()).unwrap();
    site.set("database", "path", place.to_str().unwrap().into());
}

#[test]
fn each_code_goes_if_its_advice_is_carried_out() {
    let works = |case: &&Case| std::panic::catch_unwind(|| carried_out(case)).is_ok();
    let failed: Vec<_> = CASES.iter().filter(|case| !works(case)).map(|case| case.code).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

fn carried_out(case: &Case) {
    let mut site = Site::new(case.base);
    for (table, name) in case.without {
        site.remove(table, name);
    }
    for (table, lines) in case.lines {
        site.change(table, lines);
    }
    (case.before)(&mut site);
    let report = site.report();
    let findings = with_code(&report, case.code);
    assert!(!findings.is_empty(), "{}: {report:#}", case.code);
    for finding in findings {
        assert_ne!(finding["severity"], "ok", "{finding:#}");
        let steps = finding["remedy"].as_array().unwrap();
        assert!(case.code == "setting" || !steps.is_empty(), "{finding:#}");
        for step in steps {
            site.carry_out(step);
        }
    }
    (case.by_hand)(&mut site);
    let mended = site.report();
    assert!(with_code(&mended, case.code).is_empty(), "{}: {mended:#}", case.code);
    // Mending one thing breaks no other.
    for severity in ["warning", "error"] {
        let before: BTreeSet<_> = of_severity(&report, severity).into_iter().collect();
        let after: BTreeSet<_> = of_severity(&mended, severity).into_iter().collect();
        let new: Vec<_> = after.difference(&before).collect();
        assert!(new.is_empty(), "{}: {new:?} {mended:#}", case.code);
    }
}

/// Returns the codes that the source passes to a constructor of findings that aren't fine.
fn codes_in(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]").next().unwrap();
    let makers =
        ["Finding::note(", "Finding::warning(", "Finding::unknown(", "Finding::new(", "unread("];
    let mut codes = BTreeSet::new();
    for maker in makers {
        for rest in source.split(maker).skip(1) {
            if let Some(code) = rest.trim_start().strip_prefix('"') {
                codes.insert(code.split('"').next().unwrap().to_owned());
            }
        }
    }
    codes
}

#[test]
fn every_code_is_raised_and_documented() {
    let mut codes = BTreeSet::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
    let files = fs::read_dir(directory.join("doctor")).unwrap().map(|file| file.unwrap().path());
    for file in files.chain([directory.join("doctor.rs")]).filter(|file| file.is_file()) {
        codes.extend(codes_in(&fs::read_to_string(file).unwrap()));
    }
    assert!(codes.len() > 50, "{codes:?}");
    let raised: BTreeSet<_> = CASES.iter().map(|case| case.code.to_owned()).collect();
    let elsewhere: BTreeSet<_> = ELSEWHERE.iter().map(|code| (*code).to_owned()).collect();
    let known: BTreeSet<_> = raised.union(&elsewhere).cloned().collect();
    assert_eq!(codes.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
    let page = include_str!("../../../../../docs/operations.md");
    let (_, section) = page.split_once("\n## What is weak\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let documented: BTreeSet<_> = section
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned()))
        .collect();
    assert_eq!(documented, known);
}
