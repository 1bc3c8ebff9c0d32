//! Readers against writers. The cell is loom's: a write beside any other access,
//! or one that nothing orders, ends a model by itself.

use super::super::*;
use loom::future::block_on;
use loom::thread;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A reader sees what was written, or what was there before.
#[test]
fn loom_a_writer_is_alone() {
    loom::model(|| {
        let lock = Arc::new(RwLock::new((0, 0)));
        let other = thread::spawn({
            let lock = lock.clone();
            move || {
                let mut writes = block_on(lock.write());
                writes.0 = 1;
                writes.1 = 1;
            }
        });
        let reads = block_on(lock.read());
        assert_eq!(reads.0, reads.1);
        drop(reads);
        other.join().unwrap();
    });
}

/// A writer gives up while the last reader before it leaves: those behind it,
/// and then another writer, get in.
#[test]
fn loom_a_writer_that_gives_up_gives_back_what_it_had() {
    loom::model(|| {
        let lock = Arc::new(RwLock::new(0));
        let reads = lock.try_read_owned().unwrap();
        let mut gives_up = lock.write();
        assert!(poll_once(&mut gives_up).is_pending());
        let other = thread::spawn(move || drop(reads));
        drop(gives_up);
        *block_on(lock.write()) += 1;
        other.join().unwrap();
    });
}

/// Between writing and reading on nobody else writes, also if one came before.
#[test]
fn loom_no_writer_comes_between_writing_and_reading_on() {
    loom::model(|| {
        let lock = Arc::new(RwLock::new(0));
        let mut writes = lock.try_write().unwrap();
        let other = thread::spawn({
            let lock = lock.clone();
            move || *block_on(lock.write()) += 1
        });
        *writes += 1;
        let reads = RwLockWriteGuard::downgrade(writes);
        assert_eq!(*reads, 1);
        drop(reads);
        other.join().unwrap();
        assert_eq!(*lock.try_read().unwrap(), 2);
    });
}
