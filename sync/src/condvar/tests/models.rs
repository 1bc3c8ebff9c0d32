//! Races between those who wait, notify and give up.

use super::super::*;
use crate::mutex::Mutex;
use loom::future::block_on;
use loom::thread;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Changed under the lock, notified after it: whoever looked before the change
/// and waits now is woken.
#[test]
fn loom_a_change_between_the_look_and_the_wait_is_not_missed() {
    loom::model(|| {
        let both = Arc::new((Mutex::new(false), Condvar::new()));
        let other = thread::spawn({
            let both = both.clone();
            move || {
                *block_on(both.0.lock()) = true;
                both.1.notify_one();
            }
        });
        let mut guard = block_on(both.0.lock());
        while !*guard {
            guard = block_on(both.1.wait(guard));
        }
        drop(guard);
        other.join().unwrap();
    });
}

/// A waiter is dropped while it is being notified: the one behind it goes on.
#[test]
fn loom_a_notification_to_one_who_gives_up_goes_to_the_next() {
    loom::model(|| {
        let (mutex, condvar) = (Mutex::new(()), Arc::new(Condvar::new()));
        let mut gives_up = condvar.wait(mutex.try_lock().unwrap());
        assert!(poll_once(&mut gives_up).is_pending());
        let mut next = condvar.wait(mutex.try_lock().unwrap());
        assert!(poll_once(&mut next).is_pending());
        let other = thread::spawn({
            let condvar = condvar.clone();
            move || condvar.notify_one()
        });
        drop(gives_up);
        drop(block_on(next));
        other.join().unwrap();
    });
}

/// A waiter that was notified is dropped while the mutex is being granted to it:
/// the next one gets the notification and then the mutex.
#[test]
fn loom_one_who_gives_up_on_the_way_to_the_lock_hands_on_both() {
    loom::model(|| {
        let (mutex, condvar) = (Arc::new(Mutex::new(())), Condvar::new());
        let mut gives_up = condvar.wait(mutex.try_lock().unwrap());
        assert!(poll_once(&mut gives_up).is_pending());
        let mut next = condvar.wait(mutex.try_lock().unwrap());
        assert!(poll_once(&mut next).is_pending());
        let held = mutex.try_lock_owned().unwrap();
        condvar.notify_one();
        assert!(poll_once(&mut gives_up).is_pending());
        let other = thread::spawn(move || drop(held));
        drop(gives_up);
        drop(block_on(next));
        other.join().unwrap();
    });
}
