//! The rules that every [`UserStore`](super::UserStore) must follow, races included: one function
//! for each rule.
//!
//! The suite creates users in the store under test, and changes and deletes them as another process
//! would. An application provides the means with a [`Fixture`] and runs [`all`] in a test. Optional
//! features of a store are declared in [`Abilities`], and those that aren't declared must be
//! absent.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//!
//! use simplejwt::users::conformance::{self, Fixture, TestUser};
//! use simplejwt::users::password::HashingPool;
//! use simplejwt::{Credentials, StoreError, User, UserId, UserStore};
//!
//! type Rows = Arc<Mutex<BTreeMap<i64, TestUser>>>;
//!
//! /// The application's store.
//! struct Members(Rows, HashingPool);
//!
//! impl Members {
//!     fn first(&self, is_it: impl Fn(&User) -> bool) -> Option<User> {
//!         let rows = self.0.lock().unwrap();
//!         let users = rows.iter().map(|(id, row)| {
//!             let mut user = User::new(id.to_string(), &*row.name);
//!             user.password = row.hash.clone();
//!             user.is_active = row.is_active;
//!             user
//!         });
//!         users.into_iter().find(is_it)
//!     }
//! }
//!
//! #[simplejwt::async_trait]
//! impl UserStore for Members {
//!     async fn authenticate(&self, sent: &Credentials) -> Result<Option<User>, StoreError> {
//!         let user = self.first(|user| user.username == sent.username);
//!         let password = sent.password.clone();
//!         let verdict = match &user {
//!             Some(user) if !user.is_active => {
//!                 self.1.verify_refused(password, user.password.clone()).await
//!             }
//!             user => self.1.verify(password, user.as_ref().map(|u| u.password.clone())).await,
//!         };
//!         let verdict = verdict.map_err(|error| StoreError::unavailable("authenticate", error))?;
//!         Ok(user.filter(|user| user.is_active && verdict.is_correct()))
//!     }
//!     async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
//!         Ok(self.first(|user| user.id == *id))
//!     }
//! }
//!
//! /// Its table, as the suite gets at it.
//! #[derive(Default)]
//! struct Table(Rows);
//!
//! #[simplejwt::async_trait]
//! impl Fixture for Table {
//!     async fn open(&self, pool: HashingPool, _: bool) -> Arc<dyn UserStore> {
//!         Arc::new(Members(self.0.clone(), pool))
//!     }
//!     async fn add(&self, user: &TestUser) -> UserId {
//!         let mut rows = self.0.lock().unwrap();
//!         let id = rows.last_key_value().map_or(1, |(last, _)| last + 1);
//!         rows.insert(id, user.clone());
//!         id.to_string().into()
//!     }
//!     async fn change(&self, id: &UserId, user: &TestUser) {
//!         self.0.lock().unwrap().insert(id.as_str().parse().unwrap(), user.clone());
//!     }
//!     async fn delete(&self, id: &UserId) {
//!         self.0.lock().unwrap().remove(&id.as_str().parse().unwrap());
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! conformance::all(
//!     || async { Table::default() },
//!     |task| {
//!         tokio::spawn(task);
//!     },
//! )
//! .await;
//! # }
//! ```

mod details;
mod fixture;
mod logins;
mod lookups;
mod races;
mod rehash;
mod site;

use std::future::Future;

pub use details::*;
pub use fixture::{Abilities, Fixture, IdType, LoginNames, TestUser};
pub use logins::*;
pub use lookups::*;
pub use races::*;
pub use rehash::*;

pub use crate::suite::Task;

/// Reports the name of the rule when it is broken; the panic itself gives the details.
struct Rule(&'static str);

impl Drop for Rule {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("users::conformance::{} is broken", self.0);
        }
    }
}

/// Runs the whole suite; panics with the rule that was broken.
///
/// `make` returns a table without users, a new one or an emptied one each time. `spawn` runs a task
/// on the caller's threads: the more threads, the harder the races.
///
/// # Panics
/// If the store doesn't follow the contract.
pub async fn all<F, Make, Made>(make: Make, spawn: impl Fn(Task))
where
    F: Fixture,
    Make: Fn() -> Made,
    Made: Future<Output = F>,
{
    macro_rules! rules {
        ($($rule:ident),* $(,)?) => {
            $({
                let _rule = Rule(stringify!($rule));
                $rule(&make().await).await;
            })*
        };
    }
    macro_rules! races {
        ($($rule:ident),* $(,)?) => {
            $({
                let _rule = Rule(stringify!($rule));
                $rule(&make().await, &spawn).await;
            })*
        };
    }
    rules![
        the_right_password_logs_in,
        passwords_are_compared_exactly,
        hashes_that_nobody_can_log_in_with_are_refused,
        inactive_users_are_refused,
        refusals_take_equal_work,
        a_password_that_cant_be_compared_is_not_wrong,
        login_names_are_compared_by_the_columns_rules,
        names_that_no_row_can_hold_are_nobodys,
        users_are_found_by_id,
        ids_have_one_spelling,
        ids_that_no_row_can_hold_are_nobodys,
        changes_are_seen,
        several_with_one_id_are_an_error,
        what_cant_be_asked_is_an_error,
        outdated_hashes_are_rewritten,
        a_late_rehash_leaves_another_password_alone,
        a_late_rehash_goes_by_what_is_stored,
        whoever_is_deleted_meanwhile_stays_deleted,
        last_login_is_noted,
        groups_and_permissions_are_the_users,
        surveys_tell_every_kind_of_hash,
    ];
    races![
        racing_logins_agree_on_the_hash,
        a_rehash_never_overwrites_a_newer_password,
        logins_bring_nobody_back,
    ];
}
