//! The conformance suites of [`TokenStore`], [`SessionStore`], [`Leases`], [`KeyStore`]
//! and [`ThrottleStore`], including races.
//!
//! ```
//! use simplejwt::store::{conformance, memory::MemoryStore};
//!
//! # #[tokio::main]
//! # async fn main() {
//! conformance::all(
//!     || async { MemoryStore::default() },
//!     |task| {
//!         tokio::spawn(task);
//!     },
//! )
//! .await;
//! # }
//! ```

mod end_rules;
mod event_rules;
mod feed_rules;
mod key_rules;
mod named;
mod purge_rules;
mod races;
mod row_rules;
mod rules;
mod session_races;
mod session_rules;
mod spent_rules;
mod throttle_rules;
pub(crate) mod verdict_table;
pub(crate) mod verdict_trials;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::flush::FlushExpired;
use super::retention::{MARGIN, Retention};
use super::session::{
    Client, NewSession, NextToken, OpenSession, RetainUntil, SessionRefresh, SessionStore,
};
use super::{KeyStore, Leases, OutstandingToken, ThrottleStore, TokenStore};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::event::{Act, Cause, Recorded};
use crate::settings::{Rows, Settings};
pub use crate::suite::Task;
use crate::suite::{broken, good, together};
use named::Named;

/// Runs the whole suite; panics with the rule that was broken.
///
/// `make` returns a new, empty store each time, which knows the users `1` and `2`; a store that
/// keeps its users elsewhere may know any. `spawn` runs a task on threads of the caller: the more
/// there are, the harder the races.
///
/// # Panics
/// If the store breaks the contract.
pub async fn all<S, Make, Made>(make: Make, spawn: impl Fn(Task))
where
    S: TokenStore,
    Make: Fn() -> Made,
    Made: Future<Output = S>,
{
    rules::record_leaves_what_is_there(&make().await).await;
    rules::blacklist_says_whether_it_was_first(&make().await).await;
    rules::an_unregistered_token_is_registered_when_blacklisted(&make().await).await;
    rules::rotate_spends_once(&make().await).await;
    rules::a_replay_changes_nothing(&make().await).await;
    rules::ids_are_compared_exactly(&make().await).await;
    rules::unknown_users_are_no_obstacle(&make().await).await;
    rules::blacklist_all_takes_the_users_tokens(&make().await).await;
    rules::flush_takes_what_has_expired(&make().await).await;
    rules::flush_keeps_to_its_batch(&make().await).await;
    rules::flush_goes_by_what_tokens_say(&make().await).await;
    rules::flush_keeps_what_slides(&make().await).await;
    rules::flush_goes_on_past_what_stays(&make().await).await;
    rules::the_newest_tokens_are_told(&make().await).await;
    rules::it_answers(&make().await).await;
    event_rules::acts_are_recorded(&make().await).await;
    event_rules::rotations_are_recorded(&make().await).await;
    races::one_rotation_wins(Arc::new(make().await), &spawn).await;
    races::rotation_and_blacklisting_dont_both_win(Arc::new(make().await), &spawn).await;
    races::one_blacklisting_is_the_first(Arc::new(make().await), &spawn).await;
    races::tokens_are_registered_once(Arc::new(make().await), &spawn).await;
    races::nothing_slips_past_blacklist_all(Arc::new(make().await), &spawn).await;
}

/// Runs the suite for what a [`SessionStore`] has to do beyond [`all`]; panics with the rule that
/// was broken. `make` and `spawn` are as in [`all`].
///
/// A store with [a row for each session](Rows::Sessions) is always told the session that a token
/// names, and asked whether a token is valid, not whether it is on the blacklist. A session has one
/// token there, and none is registered.
///
/// # Panics
/// If the store breaks the contract.
pub async fn sessions<S, Make, Made>(make: Make, spawn: impl Fn(Task))
where
    S: SessionStore,
    Make: Fn() -> Made,
    Made: Future<Output = S>,
{
    let named = || async { Named::new(make().await) };
    boxed(|| refreshes(&named)).await;
    boxed(|| ends(&named)).await;
    boxed(|| spent_tokens(&named)).await;
    boxed(|| event_rules::of_sessions(&named, &spawn)).await;
    boxed(|| races_of_sessions(&named, &spawn)).await;
    if make().await.rows() == Rows::Sessions {
        boxed(|| rows_of_sessions(&named)).await;
    }
    leases(make, spawn).await;
}

/// Returns a group of rules as a future on the heap, made in a frame of its own: in a debug build,
/// the frame of a function that awaits many rules has room for all of their futures, which is too
/// much for a test's thread.
#[inline(never)]
fn boxed<F: Future<Output = ()>>(group: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(group())
}

async fn refreshes<S: SessionStore, Made: Future<Output = S>>(make: &impl Fn() -> Made) {
    session_rules::a_login_opens_a_session(&make().await).await;
    session_rules::a_rotation_stays_in_the_session(&make().await).await;
    session_rules::an_unknown_token_joins_a_session(&make().await).await;
    session_rules::a_token_is_added_or_kept(&make().await).await;
    session_rules::the_immediate_parent_is_answered_within_the_grace(&make().await).await;
    session_rules::a_lost_answer_of_the_database_is_found_again(&make().await).await;
    session_rules::reuse_ends_the_session(&make().await).await;
    session_rules::without_grace_clocks_may_differ(&make().await).await;
    session_rules::the_grace_never_outlives_the_session(&make().await).await;
    session_rules::what_others_blacklisted_ends_the_session(&make().await).await;
    session_rules::spent_tokens_are_known(&make().await).await;
    session_rules::sessions_expire(&make().await).await;
    session_rules::another_password_changes_nothing(&make().await).await;
}

async fn rows_of_sessions<S: SessionStore, Made: Future<Output = S>>(make: &impl Fn() -> Made) {
    row_rules::a_session_has_one_token(&make().await).await;
    row_rules::no_token_is_registered(&make().await).await;
    row_rules::rows_are_flushed_when_they_are_due(&make().await).await;
}

async fn ends<S: SessionStore, Made: Future<Output = S>>(make: &impl Fn() -> Made) {
    end_rules::sessions_are_listed(&make().await).await;
    end_rules::sessions_are_ended(&make().await).await;
    end_rules::all_but_one_are_ended(&make().await).await;
    end_rules::many_sessions_are_ended(&make().await).await;
    end_rules::limits_are_kept(&make().await).await;
    feed_rules::revocations_come_in_order(&make().await).await;
    feed_rules::another_history_is_noticed(make).await;
    feed_rules::revoked_tokens_are_known(&make().await).await;
    purge_rules::what_has_expired_is_flushed(&make().await).await;
    purge_rules::sessions_that_go_on_are_not_in_the_way_of_the_flush(&make().await).await;
    session_rules::ids_are_compared_exactly(&make().await).await;
}

async fn spent_tokens<S: SessionStore, Made: Future<Output = S>>(make: &impl Fn() -> Made) {
    spent_rules::within_the_tolerance_a_spent_token_ends_nothing(&make().await).await;
    spent_rules::what_others_blacklist_is_tolerated_as_long(&make().await).await;
    spent_rules::the_time_of_blacklisting_may_be_any_zones(&make().await).await;
    spent_rules::any_ancestor_is_answered_with_the_newest(&make().await).await;
    spent_rules::the_newest_has_to_be_good(&make().await).await;
    spent_rules::the_session_is_looked_at_before_a_pair_is_repeated(&make().await).await;
    spent_rules::a_clock_that_is_ahead_lengthens_what_there_is(&make().await).await;
    spent_rules::a_descent_is_followed_so_far(&make().await).await;
    spent_rules::another_users_session_is_left_alone(&make().await).await;
    spent_rules::a_row_that_is_gone_is_made_anew(&make().await).await;
    spent_rules::a_spent_token_stays_so_without_its_row(&make().await).await;
    spent_rules::what_nobody_remembers_is_refused(&make().await).await;
}

async fn races_of_sessions<S: SessionStore, Made: Future<Output = S>>(
    make: &impl Fn() -> Made,
    spawn: &impl Fn(Task),
) {
    verdict_trials::every_row_of_the_table_is_kept(&make().await).await;
    session_races::one_refresh_wins(Arc::new(make().await), spawn).await;
    session_races::those_that_lose_end_nothing(Arc::new(make().await), spawn).await;
    session_races::ancestors_beside_the_newest(Arc::new(make().await), spawn).await;
    session_races::a_row_that_is_gone_is_made_once(Arc::new(make().await), spawn).await;
    session_races::all_get_the_same_successor(Arc::new(make().await), spawn).await;
    session_races::an_unknown_token_joins_once(Arc::new(make().await), spawn).await;
    session_races::nothing_slips_past_the_end(Arc::new(make().await), spawn).await;
    session_races::reuse_and_the_next_refresh(Arc::new(make().await), spawn).await;
    session_races::no_login_too_many(Arc::new(make().await), spawn).await;
    session_races::nobody_misses_a_revocation(Arc::new(make().await), spawn).await;
}

/// Runs the suite for [`Leases`], which is part of [`sessions`]; panics with the rule that was
/// broken. `make` and `spawn` are as in [`all`].
///
/// # Panics
/// If the store breaks the contract.
pub async fn leases<S, Make, Made>(make: Make, spawn: impl Fn(Task))
where
    S: Leases,
    Make: Fn() -> Made,
    Made: Future<Output = S>,
{
    purge_rules::a_lease_has_one_holder(&make().await).await;
    session_races::one_holder_wins(Arc::new(make().await), &spawn).await;
}

/// Runs the suite for a [`KeyStore`]; panics with the rule that was broken. `make` returns a new,
/// empty store each time; `spawn` is as in [`all`].
///
/// # Panics
/// If the store breaks the contract.
pub async fn keys<S, Make, Made>(make: Make, spawn: impl Fn(Task))
where
    S: KeyStore,
    Make: Fn() -> Made,
    Made: Future<Output = S>,
{
    key_rules::keys_are_kept_as_they_are(&make().await).await;
    key_rules::a_number_and_a_name_are_given_once(&make().await).await;
    key_rules::a_successor_ends_those_before_it(&make().await).await;
    key_rules::an_end_only_comes_nearer(&make().await).await;
    key_rules::what_has_ended_is_deleted_but_the_newest(&make().await).await;
    key_rules::one_successor_wins(Arc::new(make().await), &spawn).await;
}

/// Runs the suite for a [`ThrottleStore`]; panics with the rule that was broken. `make` returns a
/// new, empty store each time; `spawn` is as in [`all`].
///
/// # Panics
/// If the store breaks the contract.
pub async fn throttle<S, Make, Made>(make: Make, spawn: impl Fn(Task))
where
    S: ThrottleStore,
    Make: Fn() -> Made,
    Made: Future<Output = S>,
{
    throttle_rules::charges_add_up(&make().await).await;
    throttle_rules::what_is_past_counts_nothing(&make().await).await;
    throttle_rules::a_cleared_counter_has_forgotten(&make().await).await;
    throttle_rules::only_what_is_forgotten_is_flushed(&make().await).await;
    throttle_rules::no_charge_is_lost(Arc::new(make().await), &spawn).await;
}

/// The time at which the suite takes place.
const NOW: Timestamp = Timestamp::from_micros(1_767_323_045_678_901);

/// The cause of what the suite does: by the user, from one client.
fn cause(at: Timestamp) -> Cause {
    Cause { client: Client::new(Some("192.0.2.1"), Some("suite")), ..Cause::at(at) }
}

/// The same, without an event.
fn act(at: Timestamp) -> Act {
    Act::untold(cause(at))
}

/// Returns the outcome of a call that has to succeed.
fn done<T>(recorded: Result<Recorded<T>, StoreError>) -> T {
    good(recorded).outcome
}

fn token(jti: &str) -> OutstandingToken {
    OutstandingToken {
        jti: jti.to_owned(),
        token: format!("header.{jti}.signature"),
        user_id: Some("1".into()),
        created_at: NOW,
        expires_at: after(60),
    }
}

fn token_of(user: &str, jti: &str) -> OutstandingToken {
    OutstandingToken { user_id: Some(user.into()), ..token(jti) }
}

fn session(id: &str) -> NewSession {
    NewSession { id: id.to_owned(), user_id: "1".into(), password: Some("fingerprint".into()) }
}

fn retain_until() -> RetainUntil {
    RetainUntil { refresh: after(100), access: after(50) }
}

/// Returns the login whose first token, and therefore session, has this id.
fn open(id: &str) -> OpenSession {
    OpenSession {
        session: session(id),
        token: token(id),
        expires_at: after(60),
        limit: None,
        cause: cause(NOW),
        retain_until: retain_until(),
    }
}

/// Returns the refresh that replaces `spent` with `next`, and would join the session `spent`.
fn refresh(spent: &str, next: &str) -> SessionRefresh {
    SessionRefresh {
        token: token(spent),
        next: NextToken::Rotated { token: token(next), access_jti: format!("access of {next}") },
        session: session(spent),
        grace: std::time::Duration::ZERO,
        tolerance: std::time::Duration::ZERO,
        idle: None,
        lifetime: None,
        cause: cause(NOW),
        retain_until: retain_until(),
    }
}

/// The same at another time.
fn refresh_at(spent: &str, next: &str, seconds: i64, grace: u64) -> SessionRefresh {
    let at = after(seconds);
    let mut refresh = SessionRefresh {
        cause: cause(at),
        grace: std::time::Duration::from_secs(grace),
        ..refresh(spent, next)
    };
    if let NextToken::Rotated { token, .. } = &mut refresh.next {
        token.created_at = at;
    }
    refresh
}

/// Returns the time so many seconds after [`NOW`]; before it, if negative.
fn after(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOW.as_micros() + seconds * 1_000_000)
}

/// Returns the first step of a purge for which everything is due up to `before`, if its token says
/// no more than its column.
fn flush(before: Timestamp, batch: u32) -> FlushExpired {
    FlushExpired::new(Retention::of(&Settings::default()), before + MARGIN, batch)
}

/// Returns the number of tokens that such a step deletes.
async fn deleted(store: &impl TokenStore, before: Timestamp, batch: u32) -> u64 {
    good(store.flush_expired(&flush(before, batch)).await).deleted
}

/// Returns the number of registered tokens that this many tokens of sessions make.
fn registered(store: &impl SessionStore, tokens: u64) -> u64 {
    match store.rows() {
        Rows::Tokens => tokens,
        Rows::Sessions => 0,
    }
}

/// Returns the successors that a refresh may ask for, without one that stays valid beside the token
/// if the store has no place for it.
fn nexts(store: &impl SessionStore, next: &str) -> Vec<NextToken> {
    let rotated = refresh("", next).next;
    let mut nexts = vec![rotated, NextToken::None];
    if store.rows() == Rows::Tokens {
        nexts.push(NextToken::Added(token(next)));
    }
    nexts
}

/// Returns a token with this payload.
fn encoded(payload: &str) -> String {
    format!("e30.{}.signature", base64_simd::URL_SAFE_NO_PAD.encode_to_string(payload))
}
