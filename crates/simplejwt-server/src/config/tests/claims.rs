//! `[claims]`.

use super::*;

#[test]
fn claims_come_from_the_file_or_the_environment() {
    let column = |name: &str| ClaimSource::Column(name.into());
    let text = "[claims]\nemail = \"email\"\nroles = { groups = true }\n\"a b\" = { value = [1, { x = \"y\" }] }\n\
                [users]\nclaims_on_refresh = \"recompute\"\n[django]\n\
                secret_key = \"a-secret-key-that-is-long-enough-for-hs256\"\n";
    let loaded = file(text, &Environment::default()).unwrap();
    let expected = vec![
        ("a b".to_owned(), ClaimSource::Constant(serde_json::json!([1, { "x": "y" }]))),
        ("email".to_owned(), column("email")),
        ("roles".to_owned(), ClaimSource::Groups),
    ];
    assert_eq!(loaded.config.claims.added, expected);
    assert_eq!(loaded.config.claims.on_refresh, OnRefresh::Recompute);
    assert_eq!(loaded.config.claims.columns(), ["email"]);
    assert!(loaded.given["claims"].origin.ends_with("simplejwt.toml"));

    // What is printed can be read again.
    let printed: toml::Table = example::effective(&loaded).parse().unwrap();
    let again = toml::Value::Table(printed["claims"].as_table().unwrap().clone());
    let mut config = Config::default();
    let item = list::of_table("claims").next().unwrap();
    item.set(&mut config, &serde_json::to_value(again).unwrap()).unwrap();
    assert_eq!(config.claims.added, expected);

    // The environment takes precedence, as a whole.
    let environment = Environment::of([("SIMPLEJWT_CLAIMS", "mail=email")]);
    let loaded = file(text, &environment).unwrap();
    assert_eq!(loaded.config.claims.added, [("mail".to_owned(), column("email"))]);
    let none = file(text, &Environment::of([("SIMPLEJWT_CLAIMS", "")])).unwrap();
    assert!(none.config.claims.added.is_empty());
}

#[test]
fn claims_that_mean_something_already_are_refused() {
    for (claims, told) in [
        ("exp=date_joined", "exp has its own meaning"),
        ("sub=username", "sub has its own meaning"),
        ("user_id=username", "user_id is USER_ID_CLAIM"),
        ("token_type=username", "token_type is a claim that tokens need"),
        ("sid=username", "sid is a claim that tokens need"),
        ("hash_password=username", "hash_password is a claim"),
        ("refresh_exp=username", "refresh_exp is a claim"),
        ("pw=password", "holds a secret"),
        ("otp=totp_secret", "holds a secret"),
        ("{\"a\": {\"group\": true}}", "SIMPLEJWT_CLAIMS: [claims] has a value for a that"),
        ("email", "SIMPLEJWT_CLAIMS: [claims] has \"email\""),
    ] {
        let problem = with([("SIMPLEJWT_CLAIMS", claims)]).expect_err(claims);
        assert!(problem.contains(told), "{claims}: {problem}");
    }
    let settings = r#"{"USER_ID_CLAIM": "uid", "JTI_CLAIM": "tid"}"#;
    for (claim, good) in [("uid", false), ("tid", false), ("jti", false), ("user_id", true)] {
        let claims = format!("{claim}=email");
        let loaded = with([("SIMPLE_JWT", settings), ("SIMPLEJWT_CLAIMS", &claims)]);
        assert_eq!(loaded.is_ok(), good, "{claim}: {loaded:?}");
    }
    assert!(with([("SIMPLEJWT_CLAIMS_ON_REFRESH", "sometimes")]).is_err());
}
