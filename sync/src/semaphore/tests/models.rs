//! Races between those who take, give, wait and give up.

use super::super::*;
use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize as Counter;
use loom::thread;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// One poll with a waker that counts nothing, so that its end is up to others.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A release that races with an acquire on its way into the queue is not lost.
#[test]
fn loom_a_release_is_never_missed() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let other = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.add_permits(1)
        });
        let permit = block_on(semaphore.acquire()).unwrap();
        drop(permit);
        other.join().unwrap();
        assert_eq!(semaphore.available(), 1);
    });
}

/// At most one holds the only permit, and sees what the one before did.
#[test]
fn loom_one_permit_is_a_lock() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let inside = Arc::new(Counter::new(0));
        let done = Arc::new(Counter::new(0));
        let work = |semaphore: Arc<Semaphore>, inside: Arc<Counter>, done: Arc<Counter>| {
            let permit = block_on(semaphore.acquire()).unwrap();
            // Relaxed all: only the semaphore orders them.
            assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
            let seen = done.load(Ordering::Relaxed);
            done.store(seen + 1, Ordering::Relaxed);
            inside.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        };
        let other = thread::spawn({
            let (semaphore, inside, done) = (semaphore.clone(), inside.clone(), done.clone());
            move || work(semaphore, inside, done)
        });
        work(semaphore.clone(), inside, done.clone());
        other.join().unwrap();
        assert_eq!(done.load(Ordering::Relaxed), 2);
        assert_eq!(semaphore.available(), 1);
    });
}

/// A waiter is dropped while a permit is being granted to it: the one behind
/// it gets that permit.
#[test]
fn loom_a_grant_to_one_who_gives_up_is_handed_on() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut first = semaphore.acquire();
        assert!(poll_once(&mut first).is_pending());
        let second = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || {
                semaphore.add_permits(1);
                block_on(semaphore.acquire()).unwrap().forget();
            }
        });
        drop(first);
        second.join().unwrap();
        assert_eq!(semaphore.available(), 0);
    });
}

/// The same where others are behind it: the hand-over in a crowd.
#[test]
fn loom_a_permit_passed_on_in_a_crowd_is_never_lost() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let (mut first, mut second) = (semaphore.acquire(), semaphore.acquire());
        assert!(poll_once(&mut first).is_pending());
        assert!(poll_once(&mut second).is_pending());
        let giver = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.add_permits(1)
        });
        drop(first);
        giver.join().unwrap();
        assert!(poll_once(&mut second).is_ready());
    });
}

/// What the front has collected is neither lost nor doubled when it gives up
/// during a release.
#[test]
fn loom_a_part_collected_comes_back() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let mut two = semaphore.acquire_many(2);
        assert!(poll_once(&mut two).is_pending());
        let other = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.add_permits(1)
        });
        drop(two);
        other.join().unwrap();
        assert_eq!(semaphore.available(), 2);
    });
}

/// Close races with a waiter on its way into the queue: the wait ends.
#[test]
fn loom_close_ends_every_wait() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let closer = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.close()
        });
        assert!(block_on(semaphore.acquire()).is_err());
        closer.join().unwrap();
        assert!(semaphore.is_closed());
    });
}

/// Close races with a release and with a waiter: whoever comes first, the
/// permit is there in the end.
#[test]
fn loom_close_loses_no_permit() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let closer = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.close()
        });
        let giver = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.add_permits(1)
        });
        drop(block_on(semaphore.acquire()));
        closer.join().unwrap();
        giver.join().unwrap();
        assert_eq!(semaphore.available(), 1);
    });
}

/// `try_acquire` on the fast path against a waiter that has collected: nobody
/// barges in, nothing is counted twice.
#[test]
fn loom_nobody_barges_in() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.try_acquire().map(Permit::forget).is_ok()
        });
        let mut both = semaphore.acquire_many(2);
        assert!(poll_once(&mut both).is_pending());
        semaphore.add_permits(1);
        let got_both = poll_once(&mut both); // and keeps them
        let barged = other.join().unwrap();
        assert_ne!(got_both.is_ready(), barged);
        drop(got_both);
        drop(both);
    });
}
