//! Rules for counters of failures.

use std::sync::Arc;
use std::time::Duration;

use super::{NOW, after, good};
use crate::clock::Timestamp;
use crate::store::throttle::{Charge, Counted, CounterId, ThrottleStore};
use crate::suite::{Task, together};

const SECOND: Duration = Duration::from_secs(1);

fn id(number: u8) -> CounterId {
    let mut hash = [0xab; 16];
    hash[15] = number;
    CounterId { counted: Counted::Pair, hash }
}

fn charge(number: u8, seconds: u32) -> Charge {
    Charge { id: id(number), cost: SECOND * seconds }
}

async fn arrival(store: &impl ThrottleStore, number: u8) -> Option<Timestamp> {
    let arrivals = good(store.arrivals(&[id(number)]).await);
    assert_eq!(arrivals.len(), 1, "one arrival time for each counter");
    arrivals.into_iter().next().flatten()
}

pub(super) async fn charges_add_up(store: &impl ThrottleStore) {
    assert_eq!(good(store.arrivals(&[]).await), []);
    assert_eq!(good(store.arrivals(&[id(1), id(2)]).await), [None, None]);
    good(store.charge(&[], NOW).await);
    good(store.charge(&[charge(2, 10), charge(1, 20), charge(3, 30)], NOW).await);
    good(store.charge(&[charge(1, 20), charge(2, 10)], NOW).await);
    let arrivals = good(store.arrivals(&[id(1), id(2), id(3), id(4)]).await);
    let expected = [Some(after(40)), Some(after(20)), Some(after(30)), None];
    assert_eq!(arrivals, expected, "in the order in which they were asked for");
    let arrivals = good(store.arrivals(&[id(3), id(1)]).await);
    assert_eq!(arrivals, [Some(after(30)), Some(after(40))]);
    good(store.charge(&[charge(1, 20)], after(39)).await);
    assert_eq!(arrival(store, 1).await, Some(after(60)), "by a later clock");
}

pub(super) async fn what_is_past_counts_nothing(store: &impl ThrottleStore) {
    good(store.charge(&[charge(1, 20)], NOW).await);
    good(store.charge(&[charge(1, 20)], after(100)).await);
    assert_eq!(arrival(store, 1).await, Some(after(120)));
}

pub(super) async fn a_cleared_counter_has_forgotten(store: &impl ThrottleStore) {
    good(store.charge(&[charge(1, 20), charge(2, 20)], NOW).await);
    good(store.clear(id(1)).await);
    assert_eq!(arrival(store, 1).await, None);
    assert_eq!(arrival(store, 2).await, Some(after(20)), "others haven't");
    good(store.clear(id(1)).await);
    good(store.charge(&[charge(1, 5)], NOW).await);
    assert_eq!(arrival(store, 1).await, Some(after(5)));
}

pub(super) async fn only_what_is_forgotten_is_flushed(store: &impl ThrottleStore) {
    for number in 0..5 {
        good(store.charge(&[charge(number, 10 + u32::from(number))], NOW).await);
    }
    assert_eq!(good(store.flush_counters(after(9), 100).await), 0);
    assert_eq!(good(store.flush_counters(after(12), 2).await), 2, "no more than a batch");
    assert_eq!(good(store.flush_counters(after(12), 2).await), 1, "the rest");
    let arrivals = good(store.arrivals(&[0, 1, 2, 3, 4].map(id)).await);
    assert_eq!(arrivals, [None, None, None, Some(after(13)), Some(after(14))]);
}

/// Failures at the same time, of several counters in any order.
pub(super) async fn no_charge_is_lost<S: ThrottleStore>(store: Arc<S>, spawn: &impl Fn(Task)) {
    let attempt = |n: u8| {
        let store = Arc::clone(&store);
        async move {
            let mut charges = vec![charge(1, 1), charge(2, 1), charge(10 + n % 4, 1)];
            charges.rotate_left(usize::from(n) % 3);
            for _ in 0..4 {
                good(store.charge(&charges, NOW).await);
            }
        }
    };
    together(spawn, (0..16).map(attempt)).await;
    let arrivals = good(store.arrivals(&[id(1), id(2), id(10), id(13)]).await);
    let expected = [Some(after(64)), Some(after(64)), Some(after(16)), Some(after(16))];
    assert_eq!(arrivals, expected);
}
