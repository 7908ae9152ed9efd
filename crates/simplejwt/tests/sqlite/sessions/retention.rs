//! What was revoked stays so for as long as any check could let it through: past purges of ours
//! and of Django's, with any leeway, and whatever the lifetimes are changed to.

use proptest::prelude::*;
use simplejwt::event::Act;
use simplejwt::service::{Caller, Scope};
use simplejwt::settings::{Revocation, TokenClass};
use simplejwt::store::OutstandingToken;
use simplejwt::{Access, Auth, Error, Refresh, Settings, Timestamp, TokenError};

use crate::world::{DAY, NOW, Pair, World, alice, credentials, jti, seconds, worlds};

fn with_leeway(settings: &mut Settings) {
    settings.refresh_token_lifetime = seconds(3);
    settings.leeway = seconds(600);
}

/// Also of a token that was rotated into its session, and of one that is in none.
#[tokio::test]
async fn within_leeway_what_was_logged_out_stays_so() {
    for sessions in [true, false] {
        for world in worlds(|settings| {
            with_leeway(settings);
            settings.sessions.enabled = sessions;
        })
        .await
        {
            let spent = world.log_in().await.refresh;
            let last = world.next(&spent).await.refresh;
            world.auth.blacklist(&last).await.unwrap();
            for past in [4, 300, 298, 86_400] {
                world.advance(seconds(past));
                world.purge().await;
                for token in [&spent, &last] {
                    let refused = world.auth.refresh(token).await;
                    assert!(refused.is_err(), "{}: {refused:?}", world.name());
                    assert!(world.auth.verify(token).await.is_err(), "{}", world.name());
                }
                if past < 298 {
                    world.assert_blacklisted(&last, "within the leeway").await;
                }
            }
        }
    }
}

fn sliding(settings: &mut Settings) {
    settings.sliding_token_lifetime = seconds(4);
    settings.sliding_token_refresh_lifetime = seconds(3600);
    settings.auth_token_classes = vec![TokenClass::Sliding];
}

#[tokio::test]
async fn a_sliding_token_that_slid_stays_revoked() {
    for sessions in [true, false] {
        for world in worlds(|settings| {
            sliding(settings);
            settings.sessions.enabled = sessions;
        })
        .await
        {
            let first = world.auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
            world.advance(seconds(2));
            let slid = world.auth.refresh_sliding(&first).await.unwrap().token;
            let _ = world.auth.revoke(&slid).await.unwrap();
            for _ in 0..3 {
                world.advance(seconds(1));
                world.purge().await;
                assert!(world.auth.authenticate(&slid).await.is_err(), "{}", world.name());
                assert!(world.auth.refresh_sliding(&first).await.is_err(), "{}", world.name());
                let refused = world.auth.refresh_sliding(&slid).await.unwrap_err();
                let blacklisted = matches!(refused, Error::Token(TokenError::Blacklisted));
                assert!(blacklisted, "{}: {refused:?}", world.name());
            }
        }
    }
}

/// The first `exp`, which the column keeps, is more than a day ago.
#[tokio::test]
async fn a_sliding_token_that_slid_for_days_stays_revoked() {
    for sessions in [true, false] {
        for world in worlds(|settings| {
            sliding(settings);
            settings.sliding_token_lifetime = seconds(20 * 3600);
            settings.sliding_token_refresh_lifetime = 5 * DAY;
            settings.sessions.enabled = sessions;
        })
        .await
        {
            let mut token = world.auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
            for _ in 0..3 {
                // No purge in between: the row that is blacklisted is the first.
                world.advance(seconds(19 * 3600));
                token = world.auth.refresh_sliding(&token).await.unwrap().token;
            }
            let _ = world.auth.revoke(&token).await.unwrap();
            for _ in 0..3 {
                world.purge().await;
                let refused = world.auth.refresh_sliding(&token).await.unwrap_err();
                let blacklisted = matches!(refused, Error::Token(TokenError::Blacklisted));
                assert!(blacklisted, "{}: {refused:?}", world.name());
                assert!(world.auth.authenticate(&token).await.is_err(), "{}", world.name());
                world.advance(seconds(6 * 3600));
            }
        }
    }
}

/// The row says that it has expired, the token doesn't.
#[tokio::test]
async fn all_of_a_users_tokens_are_those_that_slid_too() {
    for world in worlds(sliding).await {
        let foreign = world.node(|settings| settings.sessions.enabled = false);
        let first = foreign.obtain_sliding(&credentials("alice")).await.unwrap().token;
        world.advance(seconds(3));
        let slid = foreign.refresh_sliding(&first).await.unwrap().token;
        world.advance(seconds(2));
        let caller = Caller { user_id: alice(), session: None, is_spent: false };
        world.auth.log_out(&caller, Scope::All).await.unwrap();
        if let Some(user) = registered_user(&world) {
            assert_eq!(user, "1");
        }
        assert!(world.auth.authenticate(&slid).await.is_err(), "{}", world.name());
        assert!(world.auth.refresh_sliding(&slid).await.is_err(), "{}", world.name());
    }
}

fn registered_user(world: &World) -> Option<String> {
    let sql = "SELECT CAST(user_id AS text) FROM token_blacklist_outstandingtoken LIMIT 1";
    world.raw().map(|raw| raw.query_one(sql, [], |row| row.get(0)).unwrap())
}

/// Upstream's `TokenVerifySerializer` asks for any token's id.
#[tokio::test]
async fn verify_knows_access_tokens_on_the_blacklist() {
    for world in worlds(|_| ()).await {
        let access = world.log_in().await.access;
        world.auth.verify(&access).await.unwrap();
        let row = OutstandingToken {
            jti: jti(&access),
            token: access.clone(),
            user_id: Some(alice()),
            created_at: NOW,
            expires_at: NOW + seconds(300),
        };
        let _ = world.store.blacklist(&row, &Act::at(NOW)).await.unwrap();
        let refused = world.auth.verify(&access).await;
        assert!(matches!(refused, Err(Error::VerifiedBlacklisted)), "{}", world.name());
        assert!(world.auth.introspect(&access).await.unwrap().is_none(), "{}", world.name());
        let plain = world.node(|settings| settings.blacklist_after_rotation = false);
        plain.verify(&access).await.unwrap();
    }
}

/// Django rotated the token, and its successor is in no session here: it names one that ended.
#[tokio::test]
async fn verify_knows_tokens_that_name_an_ended_session() {
    for world in worlds(|settings| settings.sessions.session_claim = true).await {
        let first = world.log_in().await.refresh;
        let django = world.node(|settings| {
            settings.sessions.enabled = false;
            settings.sessions.session_claim = false;
        });
        let successor = django.refresh(&first).await.unwrap().refresh.unwrap().token;
        world.auth.verify(&successor).await.unwrap();
        world.auth.log_out_with(&first).await.unwrap();
        let refused = world.auth.verify(&successor).await;
        assert!(matches!(refused, Err(Error::VerifiedBlacklisted)), "{}", world.name());
        world.assert_blacklisted(&successor, "of the ended session").await;
    }
}

/// Without rotation the last access token outlives the refresh token that it came of.
#[tokio::test]
async fn an_access_token_keeps_its_session() {
    for checking in [Revocation::Feed, Revocation::Strict] {
        for world in worlds(|settings| {
            settings.rotate_refresh_tokens = false;
            settings.blacklist_after_rotation = false;
            settings.refresh_token_lifetime = 7 * DAY;
            settings.access_token_lifetime = 5 * DAY;
            settings.sessions.session_claim = true;
            settings.sessions.revocation = checking;
        })
        .await
        {
            let refresh = world.log_in().await.refresh;
            world.advance(7 * DAY - seconds(60));
            let access = world.auth.refresh(&refresh).await.unwrap().access.token;
            for _ in 0..4 {
                world.advance(DAY);
                world.purge().await;
                world.auth.poll_revocations().await.unwrap();
                world.auth.authenticate(&access).await.unwrap();
                assert!(world.auth.introspect(&access).await.unwrap().is_some());
            }
            let caller = Caller { user_id: alice(), session: None, is_spent: false };
            assert_eq!(world.auth.log_out(&caller, Scope::All).await.unwrap(), 1);
            world.auth.poll_revocations().await.unwrap();
            assert!(world.auth.authenticate(&access).await.is_err(), "{}", world.name());
        }
    }
}

/// Its lifetime was a week when it was issued; who revoked it knows of five minutes.
#[tokio::test]
async fn a_feed_that_has_forgotten_asks_the_database() {
    for world in worlds(|settings| {
        settings.sessions.session_claim = true;
        settings.sessions.revocation = Revocation::Feed;
    })
    .await
    {
        let long = world.node(|settings| settings.access_token_lifetime = 7 * DAY);
        let pair = Pair::from(long.obtain_pair(&credentials("alice")).await.unwrap());
        world.auth.blacklist(&pair.refresh).await.unwrap();
        for _ in 0..6 {
            world.advance(DAY);
            world.purge().await;
            world.auth.poll_revocations().await.unwrap();
            assert!(world.auth.authenticate(&pair.access).await.is_err(), "{}", world.name());
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    LogIn,
    LogInSliding,
    /// Django issues a pair: with lifetimes of its own, in seconds, and columns that its zone
    /// has shifted, in hours.
    Django {
        refresh: u64,
        access: u64,
        zone: i64,
    },
    Refresh(usize),
    Slide(usize),
    LogOut(usize),
    Blacklist(usize),
    Revoke(usize),
    LogOutOfAll,
    Purge,
    /// `manage.py flushexpiredtokens`, in a zone so many hours from UTC.
    DjangoFlush(i64),
    Advance(u64),
    Change {
        access: u64,
        refresh: u64,
        sliding: u64,
        sliding_refresh: u64,
        leeway: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    const HOUR: u64 = 3600;
    let short = || prop_oneof![Just(60), Just(300), Just(HOUR), Just(12 * HOUR)];
    let long = || prop_oneof![Just(HOUR), Just(24 * HOUR), Just(100 * HOUR)];
    let zone = || prop_oneof![Just(-12_i64), Just(-5), Just(0), Just(8), Just(14)];
    prop_oneof![
        2 => Just(Step::LogIn),
        2 => Just(Step::LogInSliding),
        1 => (long(), short(), zone())
            .prop_map(|(refresh, access, zone)| Step::Django { refresh, access, zone }),
        3 => any::<usize>().prop_map(Step::Refresh),
        3 => any::<usize>().prop_map(Step::Slide),
        2 => any::<usize>().prop_map(Step::LogOut),
        2 => any::<usize>().prop_map(Step::Blacklist),
        2 => any::<usize>().prop_map(Step::Revoke),
        1 => Just(Step::LogOutOfAll),
        4 => Just(Step::Purge),
        2 => zone().prop_map(Step::DjangoFlush),
        6 => prop_oneof![
            0..120_u64, 250..350_u64, Just(HOUR), 10 * HOUR..15 * HOUR, 20 * HOUR..30 * HOUR
        ].prop_map(Step::Advance),
        2 => (short(), long(), short(), long(), prop_oneof![Just(0), Just(600), Just(6 * HOUR)])
            .prop_map(|(access, refresh, sliding, sliding_refresh, leeway)| Step::Change {
                access, refresh, sliding, sliding_refresh, leeway
            }),
    ]
}

/// The tokens that come of one login.
#[derive(Default)]
struct Family {
    id: String,
    /// The newest is last.
    refresh: Vec<String>,
    access: Vec<String>,
    sliding: Vec<String>,
    /// Whether the session's rows know of it.
    is_ours: bool,
    revoked: bool,
}

/// Processes with the same settings on one store, but for how they check access tokens.
struct Nodes {
    stateless: Auth,
    feed: Auth,
    strict: Auth,
}

impl Nodes {
    fn new(world: &World, sessions: bool, change: &impl Fn(&mut Settings)) -> Self {
        let with = |revocation| {
            world.node(|settings| {
                change(settings);
                settings.sessions.enabled = sessions;
                if sessions {
                    settings.sessions.session_claim = true;
                    settings.sessions.revocation = revocation;
                }
                settings.auth_token_classes = vec![TokenClass::Access, TokenClass::Sliding];
            })
        };
        Self {
            stateless: with(Revocation::Stateless),
            feed: with(Revocation::Feed),
            strict: with(Revocation::Strict),
        }
    }
}

async fn refused<T>(outcome: impl Future<Output = Result<T, Error>>, what: &str, token: &str) {
    let outcome = outcome.await.map(drop);
    assert!(
        outcome.is_err(),
        "{what} lets a revoked token through: {}",
        crate::world::claims(token)
    );
}

impl Family {
    /// No check takes any of its tokens.
    async fn assert_refused(&self, nodes: &Nodes, sessions: bool) {
        for token in self.refresh.iter() {
            refused(nodes.stateless.refresh(token), "refresh", token).await;
            refused(nodes.stateless.verify(token), "verify", token).await;
        }
        for token in &self.sliding {
            refused(nodes.stateless.refresh_sliding(token), "sliding refresh", token).await;
            refused(nodes.stateless.authenticate(token), "authenticate", token).await;
            refused(nodes.stateless.verify(token), "verify", token).await;
        }
        // Without sessions access tokens live until they expire.
        for token in self.access.iter().filter(|_| sessions) {
            for node in [&nodes.feed, &nodes.strict] {
                refused(node.authenticate(token), "authenticate", token).await;
                refused(node.verify(token), "verify", token).await;
            }
        }
    }
}

struct Run<'a> {
    world: &'a World,
    nodes: Nodes,
    /// Whether there are any.
    sessions: bool,
    families: Vec<Family>,
}

impl Run<'_> {
    fn pick(&mut self, number: usize) -> Option<&mut Family> {
        let count = self.families.len();
        self.families.get_mut(number.checked_rem(count)?)
    }

    async fn take(&mut self, step: Step) {
        let auth = self.nodes.stateless.clone();
        let needs_sessions =
            matches!(step, Step::LogOut(_) | Step::LogOutOfAll | Step::DjangoFlush(_));
        if needs_sessions && !self.sessions {
            return;
        }
        match step {
            Step::LogIn => {
                let pair = Pair::from(auth.obtain_pair(&credentials("alice")).await.unwrap());
                self.families.push(Family {
                    id: jti(&pair.refresh),
                    refresh: vec![pair.refresh],
                    access: vec![pair.access],
                    is_ours: true,
                    ..Family::default()
                });
            }
            Step::LogInSliding => {
                let token = auth.obtain_sliding(&credentials("alice")).await.unwrap().token;
                self.families.push(Family {
                    id: jti(&token),
                    sliding: vec![token],
                    is_ours: true,
                    ..Family::default()
                });
            }
            Step::Django { refresh, access, zone } => {
                let other = self.world.node(|settings| {
                    settings.refresh_token_lifetime = seconds(refresh);
                    settings.access_token_lifetime = seconds(access);
                });
                let tokens = other.tokens();
                let (refresh, access) = (tokens.issue::<Refresh>("1"), tokens.issue::<Access>("1"));
                let exp = tokens.expires_at(&refresh).unwrap();
                let encoded = tokens.encode(&refresh).unwrap();
                let row = OutstandingToken {
                    jti: jti(&encoded),
                    token: encoded.clone(),
                    user_id: Some(alice()),
                    created_at: shifted(tokens.now(), -zone),
                    expires_at: shifted(exp, -zone),
                };
                self.world.store.record(&row, &Act::at(NOW)).await.unwrap();
                self.families.push(Family {
                    id: row.jti,
                    refresh: vec![encoded],
                    access: vec![tokens.encode(&access).unwrap()],
                    ..Family::default()
                });
            }
            Step::Refresh(number) => {
                if let Some(family) = self.pick(number)
                    && let Some(token) = family.refresh.last()
                    && let Ok(next) = auth.refresh(token).await
                {
                    assert!(!family.revoked, "a revoked token was refreshed");
                    family.refresh.push(next.refresh.unwrap().token);
                    if !family.is_ours {
                        // Django's names no session.
                        family.access.clear();
                        family.is_ours = true;
                    }
                    family.access.push(next.access.token);
                }
            }
            Step::Slide(number) => {
                if let Some(family) = self.pick(number)
                    && let Some(token) = family.sliding.last()
                    && let Ok(next) = auth.refresh_sliding(token).await
                {
                    assert!(!family.revoked, "a revoked token slid");
                    family.sliding.push(next.token);
                }
            }
            Step::LogOut(number) => {
                let Some(family) = self.pick(number).filter(|family| family.is_ours) else {
                    return;
                };
                let caller =
                    Caller { user_id: alice(), session: Some(family.id.clone()), is_spent: false };
                match auth.log_out(&caller, Scope::This).await {
                    Ok(ended) => family.revoked |= ended > 0,
                    Err(error) => {
                        // It has ended before, or nobody remembers it.
                        let is_over = matches!(
                            error,
                            Error::Token(TokenError::Blacklisted) | Error::SessionUnknown
                        );
                        assert!(is_over, "{error:?}");
                    }
                }
            }
            Step::Blacklist(number) => {
                let Some(family) = self.pick(number) else { return };
                let Some(token) = family.refresh.last() else { return };
                if auth.blacklist(token).await.is_ok() {
                    family.revoked = true;
                    if !family.is_ours {
                        // It names no session that its access token could be known by.
                        family.access.clear();
                    }
                }
            }
            Step::Revoke(number) => {
                let Some(family) = self.pick(number).filter(|family| family.is_ours) else {
                    return;
                };
                let newest = family.refresh.last().or(family.sliding.last());
                let Some(token) = newest else { return };
                let outcome = auth.revoke(token).await.unwrap();
                family.revoked |= outcome == simplejwt::service::Revoking::Revoked;
            }
            Step::LogOutOfAll => {
                let caller = Caller { user_id: alice(), session: None, is_spent: false };
                auth.log_out(&caller, Scope::All).await.unwrap();
                for family in &mut self.families {
                    family.revoked = true;
                }
            }
            Step::Purge => self.purge().await,
            Step::DjangoFlush(zone) => {
                if self.world.raw().is_some() {
                    self.world.django_flush(shifted(auth.tokens().now(), -zone));
                    // Of these nobody here knows more than Django's tables did.
                    self.families.retain(|family| family.is_ours);
                }
            }
            Step::Advance(by) => self.world.advance(seconds(by)),
            Step::Change { access, refresh, sliding, sliding_refresh, leeway } => {
                self.nodes = Nodes::new(self.world, self.sessions, &|settings: &mut Settings| {
                    settings.access_token_lifetime = seconds(access);
                    settings.refresh_token_lifetime = seconds(refresh);
                    settings.sliding_token_lifetime = seconds(sliding);
                    settings.sliding_token_refresh_lifetime = seconds(sliding_refresh);
                    settings.leeway = seconds(leeway);
                });
            }
        }
    }

    async fn purge(&self) {
        self.world.purge_as(&self.nodes.stateless).await;
    }

    async fn check(&self) {
        self.nodes.feed.poll_revocations().await.unwrap();
        for family in self.families.iter().filter(|family| family.revoked) {
            family.assert_refused(&self.nodes, self.sessions).await;
        }
    }

    /// What was rotated away is spent; to present it may end its session, so this comes last.
    async fn check_spent(&self) {
        for family in &self.families {
            let Some((_, spent)) = family.refresh.split_last() else { continue };
            for token in spent {
                refused(self.nodes.stateless.refresh(token), "refresh", token).await;
                refused(self.nodes.stateless.verify(token), "verify", token).await;
            }
        }
    }
}

fn shifted(at: Timestamp, hours: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros() + hours * 3_600_000_000)
}

async fn run(world: &World, sessions: bool, steps: Vec<Step>) {
    let nodes = Nodes::new(world, sessions, &|_: &mut Settings| ());
    let mut run = Run { world, nodes, sessions, families: Vec::new() };
    for step in steps {
        run.take(step).await;
        run.check().await;
    }
    run.purge().await;
    run.check().await;
    run.check_spent().await;
}

fn hold(cases: u32, in_memory: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(sessions: bool, steps in prop::collection::vec(step(), 1..40))| {
        runtime.block_on(async {
            let world = if in_memory { World::in_memory(|_| ()).await } else { World::in_sqlite(|_| ()).await };
            run(&world, sessions, steps).await;
        });
    });
}

#[test]
fn nothing_revoked_comes_back_in_memory() {
    hold(400, true);
}

#[test]
fn nothing_revoked_comes_back_in_sqlite() {
    hold(48, false);
}
