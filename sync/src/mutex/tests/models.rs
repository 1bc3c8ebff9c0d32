//! Races for the lock. The cell is loom's: two accesses that overlap, or that
//! nothing orders, end a model by themselves.

use super::super::*;
use loom::future::block_on;
use loom::thread;
use std::pin::Pin;
use std::task::{Context, Waker};

/// What one holder wrote is what the next one finds.
#[test]
fn loom_one_at_a_time_and_one_after_the_other() {
    loom::model(|| {
        let lock = Arc::new(Mutex::new(0));
        let other = thread::spawn({
            let lock = lock.clone();
            move || *block_on(lock.lock()) += 1
        });
        *block_on(lock.lock()) += 1;
        other.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 2);
    });
}

/// The waiter is dropped while the lock is being granted to it: the lock is
/// free afterwards.
#[test]
fn loom_a_lock_granted_to_one_who_gives_up_is_handed_on() {
    loom::model(|| {
        let lock = Arc::new(Mutex::new(0));
        let held = lock.try_lock_owned().unwrap();
        let mut gives_up = lock.lock();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut gives_up).poll(&mut cx).is_pending());
        let other = thread::spawn(move || drop(held));
        drop(gives_up);
        *block_on(lock.lock()) += 1;
        other.join().unwrap();
    });
}

/// `try_lock` beside a holder: not both.
#[test]
fn loom_try_lock_has_the_lock_or_nothing() {
    loom::model(|| {
        let lock = Arc::new(Mutex::new(0));
        let other = thread::spawn({
            let lock = lock.clone();
            move || lock.try_lock().map(|mut guard| *guard += 1).is_ok()
        });
        *block_on(lock.lock()) += 1;
        let both = other.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 1 + usize::from(both));
    });
}
