//! Cookies that another host has set under the names of ours: a browser sends both, in any order.

use axum::http::StatusCode;
use serde_json::json;
use simplejwt::settings::{CookieSettings, Transport};
use simplejwt::{Settings, Tokens, Untyped};

use super::{Browser, LOGOUT, REFRESH, settings};

const ACCESS: &str = "__Host-access";
const SECURE: &str = "__Secure-refresh";
const HOST: &str = "__Host-refresh";
const BLACKLIST: &str = "/api/token/blacklist/";

fn with_sid() -> Settings {
    let mut settings = settings(Transport::Cookie);
    settings.sessions.session_claim = true;
    settings
}

/// A login's cookies: refresh and access.
async fn logged_in(browser: &Browser, name: &str) -> (String, String) {
    let mut other = browser.another();
    other.log_in(name).await;
    let refresh = other.jar.iter().find(|(name, _)| name.ends_with("refresh")).unwrap();
    (refresh.1.value().to_owned(), other.cookie(ACCESS).to_owned())
}

/// Whom the answer's refresh cookie is for.
fn user_of(browser: &Browser, settings: &Settings) -> String {
    let clock = browser.clock.clone();
    let tokens = Tokens::with(settings.clone(), settings.key_set().unwrap(), clock).unwrap();
    let token = tokens.decode::<Untyped>(browser.cookie(SECURE)).unwrap();
    tokens.user_id(&token).unwrap().as_str().to_owned()
}

/// What isn't ours: no tokens, tokens of other keys, and too many of both.
fn junk() -> Vec<Vec<String>> {
    let other = Settings {
        signing_key: Some("another secret, of another host, long enough for it".into()),
        ..settings(Transport::Cookie)
    };
    let tokens = Tokens::new(other).unwrap();
    let foreign = || tokens.encode(&tokens.issue::<simplejwt::Refresh>("1")).unwrap();
    vec![
        vec!["junk".into()],
        vec!["a.b.c".into()],
        vec![foreign()],
        (0..10).map(|_| foreign()).collect(),
        (0..200).map(|n| format!("junk{n}")).collect(),
    ]
}

#[tokio::test]
async fn what_is_not_ours_changes_nothing_in_any_order() {
    for junk in junk() {
        for junk_first in [true, false] {
            let mut browser = Browser::of(with_sid());
            let sent = |name: &'static str, ours: &str| {
                let foreign = junk.iter().map(|value| (name, value.clone()));
                let ours = [(name, ours.to_owned())];
                let sent: Vec<_> = match junk_first {
                    true => foreign.chain(ours).collect(),
                    false => ours.into_iter().chain(foreign).collect(),
                };
                sent
            };
            let (refresh, access) = logged_in(&browser, "alice").await;
            let cookies = [sent(ACCESS, &access), sent(SECURE, &refresh)].concat();
            let cookies: Vec<_> = cookies.iter().map(|(name, value)| (*name, &**value)).collect();
            browser.sending(&cookies);
            assert_eq!(browser.get("/me").await.text, "alice");
            assert_eq!(browser.get("/optional").await.text, "alice");
            let gateway = browser.get("/api/token/authenticate/").await;
            assert_eq!(gateway.headers["x-auth-user"], "1");
            let verified = browser.post("/api/token/verify/", json!({})).await;
            assert_eq!(verified.status, StatusCode::OK, "{}", verified.text);
            assert_eq!(browser.post(REFRESH, json!({})).await.status, StatusCode::OK);
            let refresh = browser.cookie(SECURE).to_owned();
            let cookies = sent(SECURE, &refresh);
            let cookies: Vec<_> = cookies.iter().map(|(name, value)| (*name, &**value)).collect();
            let out = browser.sending(&cookies).post(LOGOUT, json!({})).await;
            assert_eq!(out.json(), json!({"ended": 1}));
        }
    }
}

/// Another host sets the cookie of its own login: the browser doesn't become that user.
#[tokio::test]
async fn a_good_token_of_another_user_takes_nobody_over() {
    for foreign_first in [true, false] {
        for expired in [false, true] {
            let settings = with_sid();
            let mut browser = Browser::of(settings.clone());
            let (ours, access) = logged_in(&browser, "alice").await;
            let (theirs, _) = logged_in(&browser, "root").await;
            if expired {
                browser.clock.advance(std::time::Duration::from_secs(600));
            }
            let mut both = vec![(SECURE, &*theirs), (SECURE, &*ours)];
            if !foreign_first {
                both.reverse();
            }
            // The access token's cookie, which no other host can set, tells whose browser it is.
            both.push((ACCESS, &access));
            let refreshed = browser.sending(&both).post(REFRESH, json!({})).await;
            assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.text);
            assert_eq!(user_of(&browser, &settings), "1");
            // Without it, nothing does; and neither token is used up.
            let (ours, _) = logged_in(&browser, "alice").await;
            let both = [(SECURE, &*theirs), (SECURE, &*ours)];
            for path in [REFRESH, BLACKLIST] {
                let refused = browser.sending(&both).post(path, json!({})).await;
                assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
                assert_eq!(refused.json()["code"], "ambiguous_cookies");
                assert!(refused.set().is_empty());
            }
            for token in [ours, theirs] {
                let next = browser.sending(&[(SECURE, &token)]).post(REFRESH, json!({})).await;
                assert_eq!(next.status, StatusCode::OK);
            }
        }
    }
}

/// Nor where ours is gone or dead, as long as the access token's cookie tells whose browser it is.
#[tokio::test]
async fn alone_a_token_of_another_user_takes_nobody_over() {
    for ours_is_there in [true, false] {
        let mut browser = Browser::of(with_sid());
        let (ours, access) = logged_in(&browser, "alice").await;
        let (theirs, _) = logged_in(&browser, "root").await;
        let mut sent = vec![(SECURE, &*theirs), (ACCESS, &*access)];
        if ours_is_there {
            let out = browser.sending(&[(SECURE, &ours)]).post(LOGOUT, json!({})).await;
            assert_eq!(out.status, StatusCode::OK);
            sent.insert(0, (SECURE, &*ours));
        }
        for path in [REFRESH, BLACKLIST] {
            let refused = browser.sending(&sent).post(path, json!({})).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(refused.json()["code"], "ambiguous_cookies");
            assert!(refused.set().is_empty());
        }
        let next = browser.sending(&[(SECURE, &theirs)]).post(REFRESH, json!({})).await;
        assert_eq!(next.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn good_access_tokens_of_two_users_are_nobodys() {
    let mut browser = Browser::of(with_sid());
    let (_, alices) = logged_in(&browser, "alice").await;
    let (_, roots) = logged_in(&browser, "root").await;
    browser.sending(&[(ACCESS, &roots), (ACCESS, &alices)]);
    for path in ["/me", "/optional", "/staff", "/api/token/authenticate/"] {
        let refused = browser.get(path).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(refused.json()["code"], "ambiguous_cookies");
    }
    assert_eq!(browser.get("/greet").await.text, "nobody");
}

/// Two of ours, as after the path has been changed.
#[tokio::test]
async fn of_one_users_sessions_the_newest_that_lives_counts() {
    let settings = with_sid();
    let mut browser = Browser::of(settings);
    let (old, _) = logged_in(&browser, "alice").await;
    browser.clock.advance(std::time::Duration::from_secs(5));
    let (new, _) = logged_in(&browser, "alice").await;
    browser.sending(&[(SECURE, &old), (SECURE, &new)]);
    assert_eq!(browser.post(REFRESH, json!({})).await.status, StatusCode::OK);
    let successor = browser.cookie(SECURE).to_owned();
    // The new one was used up: the old one, which lives, was not.
    let spent = browser.sending(&[(SECURE, &old)]).post(REFRESH, json!({})).await;
    assert_eq!(spent.status, StatusCode::OK);
    let old = browser.cookie(SECURE).to_owned();
    let out = browser.sending(&[(SECURE, &successor)]).post(LOGOUT, json!({})).await;
    assert_eq!(out.json(), json!({"ended": 1}));
    browser.sending(&[(SECURE, &successor), (SECURE, &old)]);
    let dead_beside = browser.post(REFRESH, json!({})).await;
    assert_eq!(dead_beside.status, StatusCode::OK, "{}", dead_beside.text);
}

/// A spent token that a browser keeps under another path isn't a stolen one.
#[tokio::test]
async fn a_spent_token_beside_its_successor_ends_nothing() {
    for spent_first in [true, false] {
        let mut browser = Browser::of(with_sid());
        let (spent, _) = logged_in(&browser, "alice").await;
        browser.sending(&[(SECURE, &spent)]).post(REFRESH, json!({})).await;
        for _ in 0..3 {
            // Long enough for a spent token to count as stolen.
            browser.clock.advance(std::time::Duration::from_secs(60));
            let next = browser.cookie(SECURE).to_owned();
            let mut both = [(SECURE, &*spent), (SECURE, &*next)];
            if !spent_first {
                both.reverse();
            }
            let answer = browser.sending(&both).post(REFRESH, json!({})).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn logout_ends_what_any_of_the_tokens_names() {
    let mut browser = Browser::of(with_sid());
    // A refresh cookie of another host's login, and our access cookie.
    let (ours, access) = logged_in(&browser, "alice").await;
    let (theirs, _) = logged_in(&browser, "root").await;
    browser.sending(&[(SECURE, &theirs), (ACCESS, &access)]);
    let out = browser.post(LOGOUT, json!({})).await;
    assert_eq!(out.json(), json!({"ended": 2}));
    assert_eq!(out.set().len(), 2, "both cookies are removed");
    for dead in [&ours, &theirs] {
        let answer = browser.sending(&[(SECURE, dead)]).post(REFRESH, json!({})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }

    // One that isn't ours at all.
    let (ours, access) = logged_in(&browser, "alice").await;
    browser.sending(&[(SECURE, "a.b.c"), (ACCESS, &access)]);
    assert_eq!(browser.post(LOGOUT, json!({})).await.json(), json!({"ended": 1}));
    let dead = browser.sending(&[(SECURE, &ours)]).post(REFRESH, json!({})).await;
    assert_eq!(dead.status, StatusCode::UNAUTHORIZED);

    // In the body and in a cookie.
    let (in_body, _) = logged_in(&browser, "alice").await;
    let (ours, _) = logged_in(&browser, "alice").await;
    browser.sending(&[(SECURE, &ours)]);
    let out = browser.post(LOGOUT, json!({"refresh": in_body})).await;
    assert_eq!(out.json(), json!({"ended": 2}));

    // Of each user all but the session that asks, or all.
    for (scope, ended, left) in [("others", 2, true), ("all", 4, false)] {
        let (first, _) = logged_in(&browser, "alice").await;
        let (ours, access) = logged_in(&browser, "alice").await;
        let (others, _) = logged_in(&browser, "root").await;
        let (theirs, _) = logged_in(&browser, "root").await;
        browser.sending(&[(SECURE, &theirs), (SECURE, &ours), (ACCESS, &access)]);
        let out = browser.post(LOGOUT, json!({"scope": scope})).await;
        assert_eq!(out.json(), json!({"ended": ended}), "{scope}");
        for (token, lives) in [(first, false), (others, false), (ours, left), (theirs, left)] {
            let answer = browser.sending(&[(SECURE, &token)]).post(REFRESH, json!({})).await;
            assert_eq!(answer.status == StatusCode::OK, lives, "{scope}");
        }
        browser.sending(&[(ACCESS, &access)]).post(LOGOUT, json!({"scope": "all"})).await;
        let (_, roots) = logged_in(&browser, "root").await;
        browser.sending(&[(ACCESS, &roots)]).post(LOGOUT, json!({"scope": "all"})).await;
    }
}

#[tokio::test]
async fn a_logout_that_ends_nothing_is_no_success() {
    let mut browser = Browser::of(with_sid());
    let (refresh, access) = logged_in(&browser, "alice").await;
    let out = browser.sending(&[(SECURE, &refresh)]).post(LOGOUT, json!({})).await;
    assert_eq!(out.json(), json!({"ended": 1}));
    browser.clock.advance(std::time::Duration::from_secs(1));
    for (cookies, code, removed) in [
        (&[][..], "not_authenticated", true),
        (&[(SECURE, &*refresh)], "token_not_valid", true),
        (&[(ACCESS, &*access)], "token_not_valid", true),
        (&[(SECURE, &*refresh), (ACCESS, &*access)], "token_not_valid", true),
        (&[(SECURE, "junk")], "token_not_valid", true),
        // Another server may know the key.
        (&[(SECURE, "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl")], "token_not_valid", false),
    ] {
        let out = browser.sending(cookies).post(LOGOUT, json!({})).await;
        assert_eq!(out.status, StatusCode::UNAUTHORIZED, "{cookies:?}: {}", out.text);
        assert_eq!(out.json()["code"], code);
        assert_eq!(!out.set().is_empty(), removed, "{cookies:?}");
    }
}

/// With the path `/` no other host can set the refresh token's cookie, either; and who has one
/// under the old name stays logged in.
#[tokio::test]
async fn host_prefix_where_the_path_allows_it() {
    let mut settings = with_sid();
    let root = CookieSettings { refresh_path: Some("/".into()), ..CookieSettings::default() };
    settings.cookies = root.clone();
    assert_eq!(settings.refresh_cookie(), HOST);
    let mut browser = Browser::of(settings.clone());
    let login = browser.log_in("alice").await;
    let cookie = &browser.jar[HOST];
    assert_eq!((cookie.path(), cookie.secure(), cookie.domain()), (Some("/"), Some(true), None));
    assert_eq!(login.set().len(), 2);
    assert_eq!(browser.post(REFRESH, json!({})).await.status, StatusCode::OK);

    let ours = browser.cookie(HOST).to_owned();
    let (theirs, _) = logged_in(&browser, "root").await;
    // Another host can set the old name alone: ours counts.
    browser.sending(&[(SECURE, &theirs), (HOST, &ours)]);
    assert_eq!(browser.post(REFRESH, json!({})).await.status, StatusCode::OK);
    let ours = browser.cookie(HOST).to_owned();
    let still = browser.sending(&[(HOST, &theirs)]).post(REFRESH, json!({})).await;
    assert_eq!(still.status, StatusCode::OK, "theirs wasn't used up");

    let moved = browser.sending(&[(SECURE, &ours)]).post(REFRESH, json!({})).await;
    let set = moved.set();
    let removed: Vec<_> = set.iter().filter(|c| c.max_age().unwrap().is_zero()).collect();
    assert_eq!(removed.len(), 1);
    assert_eq!((removed[0].name(), removed[0].path()), (SECURE, Some("/api/token/")));
    assert!(browser.jar.contains_key(HOST));

    // A name that was chosen is the only one.
    settings.cookies.refresh_name = Some(HOST.into());
    let mut browser = Browser::of(settings);
    browser.log_in("alice").await;
    let ours = browser.cookie(HOST).to_owned();
    let other = browser.sending(&[(SECURE, &ours)]).post(REFRESH, json!({})).await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED);
    // A domain rules the prefix out.
    let with_domain = CookieSettings { domain: Some("example.com".into()), ..root };
    let settings = Settings { cookies: with_domain, ..with_sid() };
    assert_eq!(settings.refresh_cookie(), SECURE);
}
