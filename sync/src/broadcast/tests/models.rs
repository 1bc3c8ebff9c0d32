//! Races between a send, a wait, a lag and the end.

use crate::broadcast::{RecvError, TryRecvError, channel};
use loom::future::block_on;
use loom::thread;

/// A value sent while a receiver is about to wait is received.
#[test]
fn loom_a_broadcast_value_is_never_missed() {
    loom::model(|| {
        let (sender, mut receiver) = channel(1);
        let other = thread::spawn(move || {
            sender.send(7).unwrap();
            sender // the end wakes as well: that comes later
        });
        assert_eq!(block_on(receiver.recv()), Ok(7));
        drop(other.join().unwrap());
    });
}

/// The last sender goes while a receiver is about to wait.
#[test]
fn loom_the_end_of_a_broadcast_is_never_missed() {
    loom::model(|| {
        let (sender, mut receiver) = channel::<u8>(1);
        let other = thread::spawn(move || drop(sender));
        assert_eq!(block_on(receiver.recv()), Err(RecvError::Closed));
        other.join().unwrap();
    });
}

/// A receive that races with the send that pushes its value out: each value is
/// received, or counted as missed, once.
#[test]
fn loom_a_value_is_received_or_missed() {
    loom::model(|| {
        let (sender, mut receiver) = channel(1);
        sender.send(1).unwrap();
        let other = thread::spawn(move || sender.send(2).unwrap());
        let mut values = Vec::new();
        let mut missed = 0;
        loop {
            match receiver.try_recv() {
                Ok(value) => values.push(value),
                Err(TryRecvError::Lagged(n)) => missed += n,
                Err(TryRecvError::Empty) => thread::yield_now(),
                Err(TryRecvError::Closed) => break,
            }
        }
        other.join().unwrap();
        assert_eq!(values.len() as u64 + missed, 2);
        assert_eq!(values.last(), Some(&2));
    });
}
