//! Races between those who send, receive, give up and go.

use crate::mpsc::{Receiver, Sender, TryRecvError, channel, unbounded};
use crate::sync::enter_home;
use loom::future::block_on;
use loom::thread;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// One poll with a waker that wakes nobody.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A full channel of `room` slots whose receiver has had the 1, and has taken those
/// behind it along.
fn full_with_a_batch(room: u32) -> (Sender<u32>, Receiver<u32>) {
    let (sender, mut receiver) = channel(room as usize);
    for value in 1..=room {
        sender.try_send(value).unwrap();
    }
    assert_eq!(receiver.try_recv(), Ok(1));
    sender.try_send(room + 1).unwrap();
    (sender, receiver)
}

/// A value sent while the receiver is about to wait is received.
#[test]
fn loom_a_sent_value_is_never_missed() {
    loom::model(|| {
        let (sender, mut receiver) = channel(1);
        let other = thread::spawn(move || {
            sender.try_send(7).unwrap();
            sender // the end wakes as well: that comes later
        });
        assert_eq!(block_on(receiver.recv()), Some(7));
        drop(other.join().unwrap());
    });
}

/// A slot that becomes free while a sender is about to queue is that sender's.
#[test]
fn loom_a_freed_slot_is_never_missed() {
    loom::model(|| {
        let (sender, mut receiver) = channel(1);
        sender.try_send(1).unwrap();
        let other = thread::spawn(move || {
            assert_eq!(receiver.try_recv(), Ok(1));
            receiver
        });
        let permit = block_on(sender.reserve()).unwrap();
        permit.send(2);
        assert_eq!(other.join().unwrap().try_recv(), Ok(2));
    });
}

/// A sender is dropped while a slot is being promised to it: the one behind it
/// gets that slot.
#[test]
fn loom_a_slot_of_one_who_gives_up_is_handed_on() {
    loom::model(|| {
        let (sender, mut receiver) = channel(1);
        sender.try_send(1).unwrap();
        let mut first = sender.send(2);
        assert!(poll_once(&mut first).is_pending());
        let second = thread::spawn({
            let sender = sender.clone();
            move || {
                assert_eq!(receiver.try_recv(), Ok(1));
                block_on(sender.send(3)).unwrap();
                assert_eq!(receiver.try_recv(), Ok(3));
                receiver
            }
        });
        drop(first);
        let receiver = second.join().unwrap();
        assert_eq!(receiver.capacity(), 1);
    });
}

/// A send that waits, or is about to, while the receiver closes: it fails, and
/// does not wait for ever.
#[test]
fn loom_a_close_reaches_everyone_who_waits() {
    loom::model(|| {
        let (sender, mut receiver) = channel(1);
        sender.try_send(1).unwrap();
        let other = thread::spawn(move || {
            receiver.close();
            receiver
        });
        assert_eq!(block_on(sender.send(2)).map_err(|error| error.0), Err(2));
        assert_eq!(other.join().unwrap().try_recv(), Ok(1));
    });
}

/// A send that races with a close: the value is at exactly one of the two.
#[test]
fn loom_a_value_is_sent_or_comes_back() {
    loom::model(|| {
        let (sender, mut receiver) = unbounded();
        let other = thread::spawn(move || sender.send(7).is_ok());
        receiver.close();
        let received = receiver.try_recv() == Ok(7);
        let sent = other.join().unwrap();
        assert_eq!(sent, received || receiver.try_recv() == Ok(7));
        // After the close nothing is added.
        assert_eq!(received, sent);
    });
}

/// The last sender goes while the receiver is about to wait: it sees the end.
#[test]
fn loom_the_end_is_never_missed() {
    loom::model(|| {
        let (sender, mut receiver) = channel::<u8>(1);
        let other = thread::spawn(move || drop(sender));
        assert_eq!(block_on(receiver.recv()), None);
        other.join().unwrap();
    });
}

/// A permit is dropped after the close, while the receiver waits for it.
#[test]
fn loom_a_permit_that_goes_ends_the_wait() {
    loom::model(|| {
        let (sender, mut receiver) = channel::<u8>(1);
        let permit = sender.clone().try_reserve_owned().unwrap();
        receiver.close();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        let other = thread::spawn(move || permit.release());
        assert_eq!(block_on(receiver.recv()), None);
        drop(other.join().unwrap());
    });
}

/// A slot was promised to a sender that looks for it just when the receiver is
/// dropped: the value is sent, or it comes back.
#[test]
fn loom_a_promise_of_a_receiver_that_goes_is_not_a_loss() {
    loom::model(|| {
        let (sender, mut receiver) = channel(1);
        let value = std::sync::Arc::new(());
        sender.try_send(value.clone()).unwrap();
        let mut send = sender.send(value.clone());
        assert!(poll_once(&mut send).is_pending());
        drop(receiver.try_recv());
        let other = thread::spawn(move || drop(receiver));
        let back = match poll_once(&mut send) {
            Poll::Ready(sent) => sent.map_err(|error| error.0).err(),
            Poll::Pending => panic!("it was promised"),
        };
        other.join().unwrap();
        drop(back);
        drop(send);
        // Dropped with the channel's rest, or by the one it came back to.
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
    });
}

/// The receiver serves itself from its batch, without the lock, while a sender is
/// about to queue: the slot is that sender's.
#[test]
fn loom_a_slot_served_without_the_lock_is_never_missed() {
    loom::model(|| {
        let (sender, mut receiver) = full_with_a_batch(2);
        let other = thread::spawn(move || {
            assert_eq!(receiver.try_recv(), Ok(2));
            receiver
        });
        block_on(sender.send(4)).unwrap();
        let mut receiver = other.join().unwrap();
        assert_eq!(receiver.try_recv(), Ok(3));
        assert_eq!(receiver.try_recv(), Ok(4));
        assert_eq!(sender.capacity(), 2);
    });
}

/// A slot that the receiver frees without the lock is the waiting sender's from
/// that moment on: another one that comes by does not get it.
#[test]
fn loom_nobody_barges_into_a_slot_served_without_the_lock() {
    loom::model(|| {
        let (sender, mut receiver) = full_with_a_batch(2);
        let mut first = sender.send(4);
        assert!(poll_once(&mut first).is_pending());
        let other = thread::spawn(move || {
            assert_eq!(receiver.try_recv(), Ok(2));
            receiver
        });
        assert!(sender.try_send(5).is_err());
        let mut second = sender.reserve();
        assert!(poll_once(&mut second).is_pending());
        let receiver = other.join().unwrap();
        assert_eq!(sender.capacity(), 0);
        assert!(poll_once(&mut first).is_ready());
        drop(second);
        assert_eq!(receiver.len(), 2);
    });
}

/// The same at home, where the receiver serves itself without an atomic step, and the
/// sender is about to queue elsewhere.
#[test]
fn loom_a_slot_served_at_home_is_never_missed() {
    loom::model(|| {
        enter_home(1);
        let (sender, mut receiver) = full_with_a_batch(2);
        let other = thread::spawn(move || {
            block_on(sender.send(4)).unwrap();
            sender
        });
        assert_eq!(receiver.try_recv(), Ok(2));
        let sender = other.join().unwrap();
        assert_eq!(receiver.try_recv(), Ok(3));
        assert_eq!(receiver.try_recv(), Ok(4));
        assert_eq!(sender.capacity(), 2);
    });
}

/// What a receiver frees at home is the waiting sender's at once, there as elsewhere.
#[test]
fn loom_nobody_barges_into_a_slot_served_at_home() {
    loom::model(|| {
        enter_home(1);
        let (sender, mut receiver) = full_with_a_batch(2);
        let mut first = sender.send(4);
        assert!(poll_once(&mut first).is_pending()); // at home: no barrier
        let other = thread::spawn({
            let sender = sender.clone();
            move || {
                assert!(sender.try_send(5).is_err());
                let mut second = sender.reserve();
                assert!(poll_once(&mut second).is_pending());
            }
        });
        assert_eq!(receiver.try_recv(), Ok(2));
        other.join().unwrap();
        assert_eq!(sender.capacity(), 0);
        assert!(poll_once(&mut first).is_ready());
        assert_eq!(receiver.len(), 2);
    });
}

/// A receiver that has left the home of its batch, where a sender is about to queue and
/// so pays for no barrier.
#[test]
fn loom_a_slot_served_away_from_home_is_never_missed() {
    loom::model(|| {
        enter_home(1);
        let (sender, mut receiver) = full_with_a_batch(3);
        assert_eq!(receiver.try_recv(), Ok(2)); // at home
        sender.try_send(5).unwrap();
        let other = thread::spawn(move || {
            assert_eq!(receiver.try_recv(), Ok(3));
            receiver
        });
        block_on(sender.send(6)).unwrap();
        let mut receiver = other.join().unwrap();
        for value in 4..=6 {
            assert_eq!(receiver.try_recv(), Ok(value));
        }
        assert_eq!(sender.capacity(), 3);
    });
}
