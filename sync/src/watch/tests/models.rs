//! Races between a change, a look and the end.

use crate::watch::channel;
use loom::future::block_on;
use loom::thread;

/// A change while a receiver is about to wait is seen.
#[test]
fn loom_a_change_is_never_missed() {
    loom::model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || {
            sender.send(1).unwrap();
            sender // the end wakes as well: that comes later
        });
        block_on(receiver.changed()).unwrap();
        assert_eq!(*receiver.borrow_and_update(), 1);
        drop(other.join().unwrap());
    });
}

/// The sender sends and goes: the receiver sees the value before the end.
#[test]
fn loom_the_last_value_comes_before_the_end() {
    loom::model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || sender.send(1).unwrap());
        assert!(block_on(receiver.changed()).is_ok());
        assert_eq!(*receiver.borrow(), 1);
        assert!(block_on(receiver.changed()).is_err());
        other.join().unwrap();
    });
}

/// What is marked as seen was seen: the mark and the value belong together.
#[test]
fn loom_a_mark_belongs_to_its_value() {
    loom::model(|| {
        let (sender, mut receiver) = channel(0);
        let other = thread::spawn(move || sender.send(1).map(|()| sender).unwrap());
        let value = *receiver.borrow_and_update();
        let sender = other.join().unwrap();
        assert_eq!(receiver.has_changed(), Ok(value == 0));
        drop(sender);
    });
}

/// The last receiver goes while a sender is about to wait for that.
#[test]
fn loom_nobody_left_is_never_missed() {
    loom::model(|| {
        let (sender, receiver) = channel(0);
        let other = thread::spawn(move || drop(receiver));
        block_on(sender.closed());
        other.join().unwrap();
    });
}
