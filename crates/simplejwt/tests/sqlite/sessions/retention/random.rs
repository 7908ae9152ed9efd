//! Random histories of a session, after which nothing that was revoked opens anything.

use proptest::prelude::*;
use simplejwt::event::Act;
use simplejwt::service::{Caller, Scope};
use simplejwt::settings::{RevocationMode, TokenClass};
use simplejwt::store::OutstandingToken;
use simplejwt::{Access, Auth, Error, Refresh, Settings, Timestamp, TokenError};

use crate::world::{NOW, Pair, World, alice, credentials, jti, seconds};

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
            stateless: with(RevocationMode::Stateless),
            feed: with(RevocationMode::Feed),
            strict: with(RevocationMode::Strict),
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
