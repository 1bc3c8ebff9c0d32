//! Two tasks need the value at once.

use super::super::*;
use loom::future::block_on;
use loom::thread;
use std::future::{pending, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

/// One of the two makes it, and both have that one.
#[test]
fn loom_the_value_is_made_once() {
    loom::model(|| {
        let cell = Arc::new(OnceCell::new());
        let made = Arc::new(AtomicUsize::new(0));
        let make = |cell: &OnceCell<usize>, made: &AtomicUsize| {
            *block_on(cell.get_or_init(|| ready(made.fetch_add(1, Ordering::Relaxed))))
        };
        let other = thread::spawn({
            let (cell, made) = (cell.clone(), made.clone());
            move || make(&cell, &made)
        });
        assert_eq!(make(&cell, &made), 0);
        assert_eq!(other.join().unwrap(), 0);
        assert_eq!(made.load(Ordering::Relaxed), 1);
    });
}

/// The one that makes it fails while the other waits: that one makes it.
#[test]
fn loom_a_failure_leaves_it_to_the_next() {
    loom::model(|| {
        let cell = Arc::new(OnceCell::new());
        let other = thread::spawn({
            let cell = cell.clone();
            move || block_on(cell.get_or_try_init(|| ready(Err::<u32, ()>(())))).is_err()
        });
        assert_eq!(*block_on(cell.get_or_init(|| ready(7))), 7);
        let _ = other.join().unwrap(); // it came first and failed, or later
    });
}

/// The one that makes it is dropped while the other waits, or comes.
#[test]
fn loom_giving_up_leaves_it_to_the_next() {
    loom::model(|| {
        let cell = Arc::new(OnceCell::new());
        let mut gives_up = cell.get_or_init(pending);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut gives_up).poll(&mut cx).is_pending());
        let other = thread::spawn({
            let cell = cell.clone();
            move || *block_on(cell.get_or_init(|| ready(7)))
        });
        drop(gives_up);
        assert_eq!(other.join().unwrap(), 7);
    });
}
