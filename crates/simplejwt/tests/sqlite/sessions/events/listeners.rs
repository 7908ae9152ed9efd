//! Listeners: which of them is told, and that no secret is in what they are given.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use simplejwt::event::Actor;
use simplejwt::store::session::Client;
use simplejwt::{Credentials, UserStore as _};

use super::{Told, log_in, next, windows};
use crate::world::{PASSWORD, alice, seconds, worlds, worlds_of_tokens};

/// Listeners hand records on, to files and to others: they get nothing that opens something.
#[tokio::test]
async fn records_hold_no_secret() {
    for world in worlds(windows).await {
        let client = Client::new(Some("192.0.2.7"), Some("browser"));
        let (auth, told) = Told::to(&world.auth.from_client(client.clone()));
        let mut secrets = vec![PASSWORD.to_owned(), "wrong-password".into()];
        secrets.push(world.users.find(&alice()).await.unwrap().unwrap().password);
        let first = log_in(&auth).await;
        let second = next(&auth, &first.refresh).await;
        next(&auth, &first.refresh).await;
        let misplaced = Credentials::new(second.refresh.clone(), "wrong-password");
        assert!(auth.obtain_pair(&misplaced).await.is_err());
        world.advance(seconds(30));
        assert!(auth.refresh(&first.refresh).await.is_err());
        assert!(auth.log_out_with(&second.refresh).await.is_err());
        auth.password_changed(&alice()).await.unwrap();
        for token in [first.access, first.refresh, second.access, second.refresh] {
            secrets.extend(token.split('.').skip(1).map(str::to_owned));
        }
        let records = told.0.lock().unwrap().clone();
        let names: BTreeSet<_> = records.iter().map(|record| record.event.name()).collect();
        assert_eq!(names.len(), 8, "{names:?}");
        for record in &records {
            assert_eq!((&record.client, &record.actor), (&client, &Actor::User));
            let shown = format!("{record:?} {}", serde_json::to_string(record).unwrap());
            for secret in &secrets {
                assert!(!shown.contains(secret.as_str()), "{secret} in {shown}");
            }
        }
    }
}

/// Each listener is told, in the order in which they were added, also of what a clone does.
#[tokio::test]
async fn everybody_who_listens_is_told() {
    let [world, _] = worlds_of_tokens(|_| ()).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let (first, second) = (Arc::clone(&order), Arc::clone(&order));
    let auth = world
        .auth
        .clone()
        .on_event(move |_| first.lock().unwrap().push(1))
        .on_event(move |_| second.lock().unwrap().push(2));
    log_in(&auth.from_client(Client::default())).await;
    assert_eq!(*order.lock().unwrap(), [1, 2]);
    // Who was there before goes on without them.
    world.log_in().await;
    assert_eq!(order.lock().unwrap().len(), 2);
}
