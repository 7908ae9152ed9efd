//! Sessions as one row each: what is written, and tokens that come from elsewhere.

use simplejwt::service::Revoking;
use simplejwt::store::Blacklisting;
use simplejwt::{Refresh, UserId};

use crate::world::{World, alice, jti, seconds};

async fn world() -> World {
    World::by_session(|_| ()).await.unwrap()
}

fn count(world: &World, what: &str) -> i64 {
    let sql = format!("SELECT {what}");
    world.raw().unwrap().query_one(&sql, (), |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn rotations_leave_one_row_and_djangos_tables_alone() {
    let world = world().await;
    let mut token = world.log_in().await.refresh;
    let rotated = async |mut token: String, times: u32| {
        for _ in 0..times {
            world.advance(seconds(20));
            token = world.next(&token).await.refresh;
        }
        token
    };
    token = rotated(token, 5).await;
    let pages = count(&world, "page_count FROM pragma_page_count");
    token = rotated(token, 300).await;
    assert_eq!(count(&world, "page_count FROM pragma_page_count"), pages);
    assert_eq!(count(&world, "count(*) FROM simplejwt_refresh_session"), 1);
    assert_eq!(count(&world, "generation FROM simplejwt_refresh_session"), 305);
    world.auth.log_out_with(&token).await.unwrap();
    for table in [
        "token_blacklist_outstandingtoken",
        "token_blacklist_blacklistedtoken",
        "simplejwt_session",
        "simplejwt_session_token",
    ] {
        assert_eq!(count(&world, &format!("count(*) FROM {table}")), 0, "{table}");
    }
}

/// An access token names the session, but isn't its refresh token.
#[tokio::test]
async fn access_tokens_are_no_refresh_tokens() {
    let world = world().await;
    let first = world.log_in().await;
    let second = world.next(&first.refresh).await;
    for access in [&first.access, &second.access] {
        world.auth.verify(access).await.unwrap();
        assert!(world.auth.introspect(access).await.unwrap().is_some());
    }
    assert!(world.auth.verify(&first.refresh).await.is_err());
    assert!(world.auth.introspect(&first.refresh).await.unwrap().is_none());
    assert!(world.auth.introspect(&second.refresh).await.unwrap().is_some());
    // One that staff blacklists ends its session, and is refused itself.
    let outcome = world.auth.blacklist_any(&second.access).await.unwrap();
    assert_eq!(outcome, Blacklisting::Blacklisted);
    assert!(world.auth.verify(&second.access).await.is_err());
    assert!(world.auth.verify(&first.access).await.is_ok());
    world.assert_blacklisted(&second.refresh, "its session has ended").await;
    assert_eq!(world.auth.revoke(&second.refresh).await.unwrap(), Revoking::NotGood);
}

/// As Django issues them, with the same key: without a `sid`, registered or not.
#[tokio::test]
async fn a_token_from_elsewhere_opens_a_session_unless_it_is_blacklisted() {
    let world = world().await;
    let tokens = world.auth.tokens();
    let issued = || tokens.encode(&tokens.issue::<Refresh>("1")).unwrap();
    let (good, listed) = (issued(), issued());
    let first = world.next(&good).await;
    assert_eq!(world.live().await, 1);
    let second = world.next(&first.refresh).await;
    world.advance(seconds(60));
    world.assert_blacklisted(&good, "it was spent").await;
    world.assert_blacklisted(&second.refresh, "its session has ended").await;

    world.auth.blacklist(&listed).await.unwrap();
    world.advance(seconds(60));
    world.assert_blacklisted(&listed, "it was blacklisted").await;
    assert_eq!(world.live().await, 0);
    // Blacklisted with all of the user's, before it was seen.
    let late = issued();
    let _ = world.auth.blacklist_any(&issued()).await.unwrap();
    let other = world.log_in().await;
    world.auth.password_changed(&UserId::from("1")).await.unwrap();
    world.assert_blacklisted(&other.refresh, "all were ended").await;
    // It is in no table, so nobody knew of it.
    world.next(&late).await;
    assert_eq!(world.auth.sessions_of(&alice()).await.unwrap()[0].id, jti(&late));
}
