//! Two issuers in one program: the middleware of one satisfies no extractor of the other.

use actix_web::rt::System;
use actix_web::test::{TestRequest, call_and_read_body, call_service, init_service};
use actix_web::{App, web};
use simplejwt::{Access, Auth, Settings, Token, Tokens};
use simplejwt_actix::{AccessToken, OptionalToken, RequireAuth};

use super::servers;

fn tokens(issuer: &str) -> Tokens {
    let issuer = Some(issuer.to_owned());
    servers::tokens_of(Settings { issuer, ..servers::settings() })
}

fn bearer(tokens: &Tokens) -> (&'static str, String) {
    let token = tokens.encode(&tokens.issue::<Access>("1")).unwrap();
    ("authorization", format!("Bearer {token}"))
}

/// What a middleware has left.
type Left = Option<web::ReqData<Token<Access>>>;

#[test]
fn each_verifies_for_itself() {
    System::new().block_on(async {
        let (a, b) = (tokens("a"), tokens("b"));
        let (of_a, of_b) = (Auth::new(a.clone()), Auth::new(b.clone()));
        let required = web::scope("/required")
            .wrap(RequireAuth::new(of_a.clone()))
            .route("/token", web::get().to(async |_: AccessToken| "b"))
            .route("/optional", web::get().to(async |_: OptionalToken| "b"));
        let app = init_service(App::new().app_data(of_b).service(required)).await;
        for path in ["/required/token", "/required/optional"] {
            let request = TestRequest::get().uri(path).insert_header(bearer(&a));
            // The middleware accepts it, and the extractor doesn't.
            assert_eq!(call_service(&app, request.to_request()).await.status(), 401);
        }
        let plain = web::scope("/own")
            .wrap(RequireAuth::new(of_a.clone()))
            .route("/left", web::get().to(async |left: Left| left.is_some().to_string()));
        let app = init_service(App::new().app_data(of_a).service(plain)).await;
        let request = TestRequest::get().uri("/own/left").insert_header(bearer(&a));
        let answer = call_and_read_body(&app, request.to_request()).await;
        assert_eq!(answer, "true");
    });
}
