//! The end: shut down, or one side went away.

use super::super::*;
use super::{drain, put, ready};
use crate::error::Closed;
use crate::testing::{Count, poll, poll_with};

#[test]
fn a_graceful_shutdown_fails_puts_and_lets_the_rest_be_received() {
    let (tx, rx) = fifo(2);
    put(&tx, [1, 2]);
    let mut blocked = tx.send(3);
    let mut reserve = tx.reserve();
    assert!(poll(&mut blocked).is_pending());
    assert!(poll(&mut reserve).is_pending());
    tx.shutdown(Shutdown::Graceful);
    assert_eq!(ready(poll(&mut blocked)), Err(SendError(3)));
    assert!(matches!(ready(poll(&mut reserve)), Err(Closed(()))));
    assert_eq!(ready(poll(&mut tx.send(4))), Err(SendError(4)));
    assert_eq!(tx.try_send(5), Err(TrySendError::Closed(5)));
    let mut join = tx.join();
    assert!(poll(&mut join).is_pending());
    let (one, two) = (rx.try_recv().unwrap(), rx.try_recv().unwrap());
    assert_eq!((*one, *two), (1, 2));
    assert!(ready(poll(&mut rx.recv())).is_err());
    assert!(poll(&mut join).is_pending());
    drop((one, two));
    assert!(poll(&mut join).is_ready());
    assert!(tx.is_closed());
}

#[test]
fn a_put_that_had_a_slot_and_did_not_look_fails_at_a_shutdown() {
    let (tx, rx) = fifo(1);
    put(&tx, [1]);
    let mut send = tx.send(2);
    assert!(poll(&mut send).is_pending());
    assert_eq!(drain(&rx), [1]); // the slot is granted
    tx.shutdown(Shutdown::Graceful);
    // And receivers do not wait for it: it may never be polled.
    assert!(ready(poll(&mut rx.recv())).is_err());
    assert_eq!(ready(poll(&mut send)), Err(SendError(2)));
    // The same for one that is dropped.
    let (tx, rx) = fifo(1);
    put(&tx, [1]);
    let mut send = tx.send(2);
    assert!(poll(&mut send).is_pending());
    assert_eq!(drain(&rx), [1]);
    tx.shutdown(Shutdown::Immediate);
    drop(send);
    assert!(ready(poll(&mut rx.recv())).is_err());
}

#[test]
fn a_shutdown_wakes_receivers_when_nothing_can_come() {
    for how in [Shutdown::Graceful, Shutdown::Immediate] {
        let (tx, rx) = fifo::<u8>(1);
        let (woken, waker) = Count::new();
        let mut recv = rx.recv();
        assert!(poll_with(&mut recv, &waker).is_pending());
        tx.shutdown(how);
        assert_eq!(woken.get(), 1);
        assert!(ready(poll(&mut recv)).is_err());
    }
}

#[test]
fn an_immediate_shutdown_drops_the_rest_and_counts_it_as_done_but_not_what_was_taken() {
    let (tx, rx) = fifo(8);
    let alive = Arc::new(());
    put(&tx, (0..3).map(|_| Arc::clone(&alive)));
    let job = rx.try_recv().unwrap();
    let mut granted = rx.recv();
    let mut join = tx.join();
    assert!(poll(&mut join).is_pending());
    tx.shutdown(Shutdown::Graceful);
    tx.shutdown(Shutdown::Immediate);
    assert_eq!(Arc::strong_count(&alive), 2); // ours and the job's
    assert_eq!((tx.len(), tx.unfinished()), (0, 1));
    assert!(ready(poll(&mut granted)).is_err());
    assert!(poll(&mut join).is_pending());
    job.requeue(); // too late: dropped and done
    assert!(poll(&mut join).is_ready());
    assert_eq!(Arc::strong_count(&alive), 1);
    tx.shutdown(Shutdown::Graceful); // cannot turn it back
    assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Closed);
}

#[test]
fn an_immediate_shutdown_ends_the_wait_of_one_who_was_granted_an_item() {
    let (tx, rx) = fifo(8);
    let (mut seen, mut unseen) = (rx.recv(), rx.recv());
    assert!(poll(&mut seen).is_pending() && poll(&mut unseen).is_pending());
    put(&tx, [1, 2]);
    tx.shutdown(Shutdown::Immediate);
    assert!(ready(poll(&mut seen)).is_err());
    drop(unseen);
    assert_eq!(tx.unfinished(), 0);
}

#[test]
fn permits_that_are_out_keep_receivers_waiting() {
    let (tx, rx) = fifo(2);
    let first = ready(poll(&mut tx.reserve())).unwrap();
    let second = ready(poll(&mut tx.reserve())).unwrap();
    tx.shutdown(Shutdown::Graceful);
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending());
    assert_eq!(first.send(1), Ok(()));
    assert_eq!(*ready(poll(&mut recv)).unwrap(), 1);
    let (woken, waker) = Count::new();
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, &waker).is_pending());
    drop(second);
    assert_eq!(woken.get(), 1);
    assert!(ready(poll(&mut recv)).is_err());
    // Too late for one.
    let (tx, _rx) = fifo(1);
    let permit = ready(poll(&mut tx.reserve())).unwrap();
    tx.shutdown(Shutdown::Immediate);
    assert_eq!(permit.send(3), Err(SendError(3)));
}

#[test]
fn the_last_producer_closes_and_the_rest_is_received() {
    let (tx, rx) = fifo(8);
    let other = tx.clone();
    put(&tx, [1]);
    drop(tx);
    put(&other, [2]);
    let (woken, waker) = Count::new();
    drop(other);
    assert_eq!(drain(&rx), [1, 2]);
    assert!(ready(poll_with(&mut rx.recv(), &waker)).is_err());
    assert!(ready(poll(&mut rx.recv())).is_err());
    assert_eq!(woken.get(), 0);
}

#[test]
fn the_last_consumer_fails_puts_and_drops_the_rest_once() {
    let (tx, rx) = fifo(1);
    let other = rx.clone();
    let alive = Arc::new(());
    put(&tx, [Arc::clone(&alive)]);
    let mut blocked = tx.send(Arc::clone(&alive));
    assert!(poll(&mut blocked).is_pending());
    let mut join = tx.join();
    assert!(poll(&mut join).is_pending());
    drop(rx);
    assert!(poll(&mut blocked).is_pending());
    drop(other);
    assert!(poll(&mut join).is_ready());
    let Err(SendError(back)) = ready(poll(&mut blocked)) else {
        panic!("nobody can receive it")
    };
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(back);
    assert_eq!(tx.unfinished(), 0);
}

#[test]
fn an_item_that_another_was_granted_counts_as_there_until_it_is_taken() {
    let (tx, rx) = fifo(1);
    let mut granted = rx.recv();
    assert!(poll(&mut granted).is_pending());
    put(&tx, [1]);
    drop(tx);
    let mut second = rx.recv();
    assert!(poll(&mut second).is_pending()); // not closed: the other may give up
    drop(granted);
    assert_eq!(*ready(poll(&mut second)).unwrap(), 1);
    assert!(ready(poll(&mut rx.recv())).is_err());
}
