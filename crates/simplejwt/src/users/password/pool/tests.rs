//! The pool's threads, its bound, and its end.

use std::sync::mpsc;

use super::super::{Hasher, Parameters};
use super::*;

fn pool(threads: usize, waiting: usize) -> HashingPool {
    let parameters = Parameters { pbkdf2_iterations: 10, ..Parameters::default() };
    let hashers = Hashers::new([Hasher::Pbkdf2Sha256]).unwrap();
    let hashers = hashers.with_parameters(parameters).unwrap();
    HashingPool::new(hashers, PoolOptions { threads, waiting }).unwrap()
}

fn password(text: &str) -> Password {
    text.to_owned().into()
}

#[tokio::test]
async fn answers_verify_and_encode() {
    let pool = pool(2, 8);
    let stored = pool.encode(password("secret")).await.unwrap();
    let right = pool.verify(password("secret"), Some(stored.clone())).await.unwrap();
    assert_eq!(right, Verdict::Correct { must_update: false });
    let wrong = pool.verify(password("guess"), Some(stored)).await.unwrap();
    assert_eq!(wrong, Verdict::Wrong);
    let before = pool.hashers().computations();
    assert_eq!(pool.verify(password("secret"), None).await.unwrap(), Verdict::Wrong);
    assert_eq!(pool.hashers().computations() - before, 1);
}

#[tokio::test]
async fn one_more_than_may_wait_is_turned_away() {
    let pool = pool(1, 2);
    let release = pool.hold().await.unwrap();
    let waiting = [pool.start(|_| 1).unwrap(), pool.start(|_| 2).unwrap()];
    assert_eq!(pool.waiting(), 2);
    let turned_away = pool.verify(password("secret"), None).await;
    assert!(matches!(turned_away, Err(PoolError::Full)));
    drop(release);
    for (number, answer) in (1..).zip(waiting) {
        assert_eq!(answer.await.unwrap().unwrap(), number);
    }
    assert_eq!(pool.verify(password("secret"), None).await.unwrap(), Verdict::Wrong);
}

fn source(number: u8) -> Option<Source> {
    Some(std::net::IpAddr::from([192, 0, 2, number]).into())
}

#[tokio::test]
async fn sources_take_turns() {
    let pool = pool(1, 8);
    let release = pool.hold().await.unwrap();
    let (sender, order) = mpsc::channel();
    let ask = |from: Option<Source>, name: &'static str| {
        let sender = sender.clone();
        pool.on_behalf_of(from).start(move |_| sender.send(name).unwrap()).unwrap()
    };
    let asked = [
        ask(source(1), "a1"),
        ask(source(1), "a2"),
        ask(source(1), "a3"),
        ask(source(2), "b1"),
        ask(None, "c1"),
        ask(source(2), "b2"),
        ask(None, "c2"),
    ];
    drop(release);
    for answer in asked {
        answer.await.unwrap().unwrap();
    }
    let order: Vec<_> = order.try_iter().collect();
    assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "c2", "a3"]);
}

#[tokio::test]
async fn a_flood_is_refused_in_place_of_others() {
    let pool = pool(1, 4);
    let release = pool.hold().await.unwrap();
    let ask = |from: u8, number: u32| pool.on_behalf_of(source(from)).start(move |_| number);
    let flood: Vec<_> = (0..4).map(|number| ask(1, number).unwrap()).collect();
    assert!(matches!(ask(1, 4), Err(PoolError::Full)), "it can't push out itself");
    let others = [ask(2, 10).unwrap(), ask(3, 11).unwrap()];
    assert!(matches!(ask(2, 12), Err(PoolError::Full)), "that would be as many as the flood has");
    assert_eq!(pool.waiting(), 4);
    drop(release);
    for (number, answer) in (10..).zip(others) {
        assert_eq!(answer.await.unwrap().unwrap(), number);
    }
    let mut answered = Vec::new();
    for answer in flood {
        answered.push(answer.await.unwrap().ok());
    }
    assert_eq!(answered, [Some(0), Some(1), None, None], "its last ones were refused");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn its_threads_yield_to_others() {
    let pool = pool(1, 1);
    let nice = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
    let own = nice();
    assert_eq!(pool.run(move |_| nice()).await.unwrap(), (own + 10).min(19));
}

#[tokio::test]
async fn nobody_waits_for_it_nobody_computes_it() {
    let pool = pool(1, 2);
    let release = pool.hold().await.unwrap();
    let before = pool.hashers().computations();
    for _ in 0..2 {
        drop(pool.start(|hashers| hashers.dummy_work("secret")).unwrap());
    }
    let wanted = pool.start(|hashers| hashers.dummy_work("secret")).unwrap();
    assert_eq!(pool.waiting(), 1, "the abandoned ones made room");
    drop(pool.start(|hashers| hashers.dummy_work("secret")).unwrap());
    drop(release);
    wanted.await.unwrap().unwrap();
    pool.start(|_| ()).unwrap().await.unwrap().unwrap();
    assert_eq!(pool.hashers().computations() - before, 1);
}

#[tokio::test]
async fn a_panic_ends_the_job_and_not_the_thread() {
    let pool = pool(1, 8);
    let failed: Result<(), _> = pool.run(|_| panic!("on purpose")).await;
    assert!(matches!(failed, Err(PoolError::Panicked)));
    assert_eq!(pool.verify(password("secret"), None).await.unwrap(), Verdict::Wrong);
}

#[tokio::test]
async fn a_panic_outside_of_the_work_ends_no_thread_either() {
    struct PanicsWhenDropped;
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("on purpose");
            }
        }
    }
    let pool = pool(1, 8);
    let release = pool.hold().await.unwrap();
    // The thread drops the result, since nobody waits for it.
    let (started, running) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let answer = pool
        .start(move |_| {
            started.send(()).unwrap();
            let _ = wait.recv();
            PanicsWhenDropped
        })
        .unwrap();
    drop(release);
    running.recv().unwrap();
    drop(answer);
    drop(go);
    assert_eq!(pool.verify(password("secret"), None).await.unwrap(), Verdict::Wrong);
}

#[tokio::test]
async fn the_last_clone_takes_the_threads_and_the_queue_along() {
    struct SendsWhenTheThreadEnds(mpsc::Sender<()>);
    impl Drop for SendsWhenTheThreadEnds {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    thread_local! {
        static AT_THE_END: std::cell::RefCell<Option<SendsWhenTheThreadEnds>> =
            const { std::cell::RefCell::new(None) };
    }

    let pool = pool(1, 8);
    let (sender, ended) = mpsc::channel();
    let set = move |_: &Hashers| {
        AT_THE_END.with_borrow_mut(|slot| *slot = Some(SendsWhenTheThreadEnds(sender)));
    };
    pool.run(set).await.unwrap();
    let clone = pool.clone();
    drop(pool);
    assert_eq!(clone.verify(password("secret"), None).await.unwrap(), Verdict::Wrong);

    let release = clone.hold().await.unwrap();
    let queued = clone.start(|_| ()).unwrap();
    drop(clone);
    assert!(queued.await.is_err());
    drop(release);
    ended.recv().unwrap();
}

#[tokio::test]
async fn debug_shows_no_password() {
    let pool = pool(1, 8);
    let release = pool.hold().await.unwrap();
    let held = password("hunter2");
    let _answer = pool.start(move |hashers| hashers.dummy_work(&held)).unwrap();
    let shown = format!("{pool:?}");
    assert!(shown.contains("waiting: 1") && !shown.contains("hunter2"), "{shown}");
    assert!(!shown.contains('$'), "{shown}");
    drop(release);
}
