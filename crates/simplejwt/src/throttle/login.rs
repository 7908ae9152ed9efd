//! The decision whether a login may be attempted, and what its outcome counts.

use std::net::IpAddr;
use std::time::Duration;

use super::in_flight::Reserved;
use super::{Limits, Rate, Throttle};
use crate::clock::Timestamp;
use crate::error::{StoreError, ThrottleScope, Throttled};
use crate::store::throttle::{Charge, Counted, CounterId};
use crate::users::Source;

/// Who asks for a login.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login<'a> {
    /// The account's name, as sent.
    pub(crate) name: &'a str,
    pub(crate) address: Option<IpAddr>,
    /// The id of the device, if it is known to be the account's.
    pub(crate) device: Option<&'a str>,
}

/// The reason why a login may not be attempted.
#[derive(Debug)]
pub(crate) enum Refused {
    /// With the counter that it is for.
    Throttled(Throttled, CounterId),
    Store(StoreError),
}

/// A login that is being attempted. It counts as a failure until it is dropped.
#[derive(Debug)]
pub(crate) struct Attempt {
    throttle: Throttle,
    charges: Vec<Charge>,
    /// The counter that a success clears, if there is anything to clear.
    clears: Option<CounterId>,
    _reserved: Reserved,
}

/// The counters of a login, with what is known of each.
struct Counters {
    /// That of the account from this address, or of the device.
    own: CounterId,
    account: CounterId,
    address: Option<CounterId>,
    is_known: bool,
}

enum Verdict {
    /// It may be attempted; a failure costs the own counter so much.
    Go {
        own_cost: Duration,
    },
    Throttled(Throttled),
    /// Other attempts have to end first.
    Crowded(CounterId),
}

impl Counters {
    fn ids(&self) -> Vec<CounterId> {
        [self.own, self.account].into_iter().chain(self.address).collect()
    }

    /// Decides by the counters' arrival times and the attempts under way, in the order of
    /// [`ids`](Self::ids).
    fn verdict(
        &self,
        limits: &Limits,
        arrivals: &[Option<Timestamp>],
        attempts: &[u32],
        now: Timestamp,
    ) -> Verdict {
        let of = |at: usize| {
            let arrival = arrivals.get(at).copied().flatten();
            (arrival, attempts.get(at).copied().unwrap_or_default())
        };
        let check = |scope, rate: Rate, id, (arrival, attempts)| {
            if let Some(wait) = rate.wait(arrival, 0, now) {
                return Some(Verdict::Throttled(Throttled::new(
                    scope,
                    rate.limit(),
                    rate.period(),
                    wait,
                )));
            }
            rate.wait(arrival, attempts, now).map(|_| Verdict::Crowded(id))
        };
        if let Some(address) = self.address
            && let Some(verdict) =
                check(ThrottleScope::LoginAddress, limits.login_address, address, of(2))
        {
            return verdict;
        }
        let own = of(0);
        if let Some(verdict) = check(ThrottleScope::Login, limits.login, self.own, own) {
            return verdict;
        }
        let interval = limits.login.interval();
        let account = of(1);
        if self.is_known {
            return Verdict::Go { own_cost: interval };
        }
        let rate = limits.login_account;
        if let Some(wait) = rate.wait(account.0, account.1, now) {
            // Somebody is guessing. Whoever hasn't failed from this address may be the owner, and
            // has one attempt.
            let forgotten = own.0.filter(|arrival| *arrival > now);
            if let Some(forgotten) = forgotten {
                let micros = forgotten.as_micros().saturating_sub(now.as_micros());
                let wait = wait.min(Duration::from_micros(micros.unsigned_abs()));
                return Verdict::Throttled(Throttled::new(
                    ThrottleScope::LoginAccount,
                    rate.limit(),
                    rate.period(),
                    wait,
                ));
            }
            if own.1 > 0 {
                return Verdict::Crowded(self.own);
            }
            return Verdict::Go { own_cost: interval * limits.login.limit() };
        }
        Verdict::Go { own_cost: interval }
    }
}

impl Throttle {
    fn counters_of(&self, login: &Login<'_>) -> Counters {
        let name = super::name::folded(login.name);
        let address = login.address.map(|address| Source::from(address).to_string());
        let text = address.as_deref().unwrap_or_default();
        let own = match login.device {
            Some(device) => self.id(Counted::Device, &[&name, device]),
            None => self.id(Counted::Pair, &[&name, text]),
        };
        Counters {
            own,
            account: self.id(Counted::Account, &[&name]),
            // If nobody's address is known, it isn't anybody's.
            address: address.as_deref().map(|address| self.id(Counted::Address, &[address])),
            is_known: login.device.is_some(),
        }
    }

    /// Begins to attempt a login, if that may be done now. Waits while so many others with the same
    /// name or from the same address are being attempted that, if they failed, this one might not be.
    ///
    /// # Errors
    /// It may not, or the store failed.
    pub(crate) async fn begin(
        &self,
        login: &Login<'_>,
        now: impl Fn() -> Timestamp,
    ) -> Result<Attempt, Refused> {
        let counters = self.counters_of(login);
        let ids = counters.ids();
        loop {
            let (reserved, attempts) = self.0.in_flight.reserve(&ids);
            let arrivals = self.0.store.arrivals(&ids).await.map_err(Refused::Store)?;
            let now = now();
            match counters.verdict(&self.0.limits, &arrivals, &attempts, now) {
                Verdict::Throttled(throttled) => {
                    let id = match (throttled.scope(), counters.address) {
                        (ThrottleScope::LoginAddress, Some(address)) => address,
                        _ => counters.own,
                    };
                    return Err(Refused::Throttled(throttled, id));
                }
                Verdict::Crowded(id) => reserved.leave_and_wait(id).await,
                Verdict::Go { own_cost } => {
                    let limits = &self.0.limits;
                    let account = limits.login_account.interval();
                    let address = limits.login_address.interval();
                    let costs = [own_cost, account, address];
                    let charges = ids.iter().zip(costs);
                    let charges = charges.map(|(id, cost)| Charge { id: *id, cost }).collect();
                    let owes = arrivals.first().copied().flatten().is_some_and(|at| at > now);
                    return Ok(Attempt {
                        throttle: self.clone(),
                        charges,
                        clears: owes.then_some(counters.own),
                        _reserved: reserved,
                    });
                }
            }
        }
    }
}

impl Attempt {
    /// Counts a failure.
    ///
    /// # Errors
    /// The store failed, so it isn't counted.
    pub(crate) async fn failed(self, now: Timestamp) -> Result<(), StoreError> {
        self.throttle.0.store.charge(&self.charges, now).await
    }

    /// Forgets the failures of this account from this address, or of this device; those of the
    /// account and of the address may be somebody else's.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn succeeded(self) -> Result<(), StoreError> {
        match self.clears {
            Some(id) => self.throttle.0.store.clear(id).await,
            None => Ok(()),
        }
    }
}
