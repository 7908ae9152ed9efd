//! `test_models.py`: the stateless user, which is the token itself here.

use simplejwt::Access;

use crate::world::{World, put};

/// `test_models.py::TestTokenUser::test_id`, `test_pk`, `test_username`, `test_get_username`,
/// `test_get_custom_claims_through_backup_getattr`
#[tokio::test]
async fn the_token_says_who_its_user_is() {
    let world = World::new(|_| ());
    let token = world.made::<Access>(|claims| {
        put(claims, "user_id", "42");
        put(claims, "username", "deep-thought");
        put(claims, "some_other_stuff", "arstarst");
    });
    let token = world.auth.authenticate(&token).await.unwrap();
    assert_eq!(world.auth.stateless_user_of(&token).unwrap().as_str(), "42");
    assert_eq!(token.claims().str("username").as_deref(), Some("deep-thought"));
    assert_eq!(token.claims().str("some_other_stuff").as_deref(), Some("arstarst"));
}

/// `test_models.py::TestTokenUser::test_is_staff`, `test_is_superuser`
#[test]
fn rights_are_claims() {
    let world = World::new(|_| ());
    let plain = world.tokens.decode::<Access>(&world.access()).unwrap();
    assert_eq!(plain.claims().get::<bool>("is_staff").unwrap(), None);
    let staff = world.made::<Access>(|claims| {
        put(claims, "is_staff", true);
        put(claims, "is_superuser", true);
    });
    let staff = world.tokens.decode::<Access>(&staff).unwrap();
    assert_eq!(staff.claims().get::<bool>("is_staff").unwrap(), Some(true));
    assert_eq!(staff.claims().get::<bool>("is_superuser").unwrap(), Some(true));
}
