//! Races at a barrier.

use super::super::*;
use loom::future::block_on;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

/// Two come at once: both go on, one leads.
#[test]
fn loom_one_of_two_leads() {
    loom::model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let other = thread::spawn({
            let barrier = barrier.clone();
            move || block_on(barrier.wait()).unwrap().is_leader()
        });
        let leads = block_on(barrier.wait()).unwrap().is_leader();
        assert_ne!(leads, other.join().unwrap());
    });
}

/// One gives up while the other comes: the two have met, or the one that left
/// is not counted.
#[test]
fn loom_one_who_gave_up_is_not_counted() {
    loom::model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let left = Arc::new(AtomicBool::new(false));
        let mut cx = Context::from_waker(Waker::noop());
        let mut gives_up = barrier.wait();
        assert!(Pin::new(&mut gives_up).poll(&mut cx).is_pending());
        let other = thread::spawn({
            let (barrier, left) = (barrier.clone(), left.clone());
            move || {
                let comes_later = left.load(Ordering::Acquire);
                let mut wait = barrier.wait();
                let mut cx = Context::from_waker(Waker::noop());
                let met = Pin::new(&mut wait).poll(&mut cx).is_ready();
                assert!(!(met && comes_later), "met by one who had left");
                assert_eq!(barrier.waiting(), usize::from(!met));
            }
        });
        drop(gives_up);
        left.store(true, Ordering::Release);
        other.join().unwrap();
        assert_eq!(barrier.waiting(), 0);
    });
}
