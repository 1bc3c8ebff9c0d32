//! Races for the permits of a limiter.

use super::super::*;
use loom::future::block_on;
use loom::thread;
use std::pin::Pin;
use std::task::{Context, Waker};

/// The limit grows while the only one who waits gives up: the room is there for
/// the next.
#[test]
fn loom_room_made_for_one_who_gives_up_is_room_for_the_next() {
    loom::model(|| {
        let limiter = Arc::new(Limiter::new(0));
        let mut gives_up = limiter.acquire();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut gives_up).poll(&mut cx).is_pending());
        let other = thread::spawn({
            let limiter = limiter.clone();
            move || limiter.set_total(1)
        });
        drop(gives_up);
        drop(block_on(limiter.acquire()));
        other.join().unwrap();
        assert_eq!(limiter.borrowed(), 0);
    });
}

/// A release that races with an acquire on its way into the queue is not missed.
#[test]
fn loom_a_permit_given_back_is_never_missed() {
    loom::model(|| {
        let limiter = Arc::new(Limiter::new(1));
        let held = limiter.try_acquire_owned().unwrap();
        let other = thread::spawn(move || drop(held));
        drop(block_on(limiter.acquire()));
        other.join().unwrap();
        assert_eq!(limiter.borrowed(), 0);
    });
}
