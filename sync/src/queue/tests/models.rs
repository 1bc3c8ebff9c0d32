//! Races between those who put, get, wait, give up and end it.

use super::super::*;
use loom::future::block_on;
use loom::thread;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// One poll with a waker that counts nothing, so that its end is up to others.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A put that races with a receiver on its way into the line wakes it.
#[test]
fn loom_a_put_is_never_missed() {
    loom::model(|| {
        let (tx, rx) = fifo::<u8>(1);
        let receiver = thread::spawn(move || block_on(rx.recv()).unwrap().into_inner());
        tx.try_send(1).unwrap();
        assert_eq!(receiver.join().unwrap(), 1);
        assert_eq!(tx.unfinished(), 0);
    });
}

/// A receiver takes an item while another put is on its way into the line: the
/// put gets the slot.
#[test]
fn loom_a_slot_is_never_missed() {
    loom::model(|| {
        let (tx, rx) = fifo::<u8>(1);
        tx.try_send(1).unwrap();
        let sender = thread::spawn({
            let tx = tx.clone();
            move || block_on(tx.send(2)).unwrap()
        });
        let job = block_on(rx.recv()).unwrap();
        sender.join().unwrap(); // also while the first one is worked on
        assert_eq!(*job, 1);
        assert_eq!(rx.try_recv().unwrap().into_inner(), 2);
    });
}

/// A receiver is dropped while an item is being granted to it: the one behind
/// it gets the item.
#[test]
fn loom_an_item_granted_to_one_who_gives_up_goes_to_the_next() {
    loom::model(|| {
        let (tx, rx) = fifo(2);
        let mut first = rx.recv();
        assert!(poll_once(&mut first).is_pending());
        let second = thread::spawn({
            let rx = rx.clone();
            move || {
                tx.try_send(1).unwrap();
                block_on(rx.recv()).unwrap().into_inner()
            }
        });
        drop(first);
        assert_eq!(second.join().unwrap(), 1);
    });
}

/// A put is dropped while a slot is being granted to it: its value comes back,
/// and the one behind it gets the slot.
#[test]
fn loom_a_slot_granted_to_one_who_gives_up_goes_to_the_next() {
    loom::model(|| {
        let (tx, rx) = fifo::<u8>(1);
        tx.try_send(0).unwrap();
        let mut first = tx.send(1);
        assert!(poll_once(&mut first).is_pending());
        let second = thread::spawn({
            let tx = tx.clone();
            move || {
                rx.try_recv().unwrap().done();
                block_on(tx.send(2)).unwrap();
                rx
            }
        });
        assert_eq!(first.into_inner(), Some(1));
        let rx = second.join().unwrap();
        assert_eq!(rx.try_recv().unwrap().into_inner(), 2);
    });
}

/// A job ends while somebody is on the way to wait for it.
#[test]
fn loom_join_never_misses_the_last_job() {
    loom::model(|| {
        let (tx, rx) = fifo(1);
        tx.try_send(()).unwrap();
        let worker = thread::spawn(move || {
            drop(rx.try_recv());
            rx
        });
        block_on(tx.join());
        assert_eq!(tx.unfinished(), 0);
        worker.join().unwrap();
    });
}

/// The last producer goes while a receiver is on its way into the line.
#[test]
fn loom_the_last_producer_ends_every_wait() {
    loom::model(|| {
        let (tx, rx) = fifo::<u8>(1);
        let receiver = thread::spawn(move || block_on(rx.recv()).is_err());
        drop(tx);
        assert!(receiver.join().unwrap());
    });
}

/// The end comes while a put waits: it is either received or given back.
#[test]
fn loom_a_shutdown_loses_no_value() {
    loom::model(|| {
        let (tx, rx) = fifo(0);
        let sender = thread::spawn({
            let tx = tx.clone();
            move || block_on(tx.send(1))
        });
        let mut recv = rx.recv();
        let taken = matches!(poll_once(&mut recv), Poll::Ready(Ok(_)));
        tx.shutdown(Shutdown::Graceful);
        let stored = tx.len();
        let sent = sender.join().unwrap();
        drop(recv);
        assert_eq!(tx.len(), stored, "put after the end");
        match sent {
            // It is still there if it was not taken.
            Ok(()) => assert_eq!(tx.len(), usize::from(!taken)),
            Err(SendError(value)) => assert_eq!((value, tx.len(), taken), (1, 0, false)),
        }
        assert_eq!(tx.unfinished(), tx.len());
    });
}

/// The job of a worker that dies comes back to one who waits, also at the end
/// of the queue.
#[test]
fn loom_a_job_that_comes_back_is_never_missed() {
    loom::model(|| {
        let (tx, rx) = Builder::fifo(1).requeue_on_drop(true).build();
        tx.try_send(1).unwrap();
        drop(tx);
        let job = rx.try_recv().unwrap();
        let other = thread::spawn(move || {
            let job = block_on(rx.recv()).unwrap();
            assert_eq!(job.attempts(), 2);
            job.done();
            block_on(rx.recv()).is_err()
        });
        drop(job);
        assert!(other.join().unwrap());
    });
}
