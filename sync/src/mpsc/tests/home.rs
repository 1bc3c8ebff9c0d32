//! A receiver that serves itself at home, and those who wait there and elsewhere.

use crate::mpsc::{Receiver, Sender, channel};
use crate::sync::membarrier;
use crate::testing::{Count, poll, poll_with};
use std::task::Poll;
use wakeline_context::replace_home;

const HOME: usize = 7;
const ELSEWHERE: usize = 8;

/// A full channel of `room` slots whose receiver, at home, has a batch under way.
fn full_with_a_batch(room: usize) -> (Sender<usize>, Receiver<usize>) {
    replace_home(HOME);
    let (sender, mut receiver) = channel(room);
    for n in 0..room {
        sender.try_send(n).unwrap();
    }
    assert_eq!(receiver.try_recv(), Ok(0)); // and the others are taken along
    assert_eq!(receiver.is_at_home(), membarrier::is_there());
    sender.try_send(room).unwrap();
    (sender, receiver)
}

/// A sender that waits `at` this place has the slot that the receiver frees at `home`.
fn waits_and_is_served(at: usize, home: usize) -> Receiver<usize> {
    let (sender, mut receiver) = full_with_a_batch(4);
    replace_home(at);
    let (woken, waker) = Count::new();
    let mut send = sender.send(5);
    assert!(poll_with(&mut send, &waker).is_pending());
    replace_home(home);
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(woken.get(), 1);
    assert_eq!(poll(&mut send), Poll::Ready(Ok(())));
    for n in 2..6 {
        assert_eq!(receiver.try_recv(), Ok(n));
    }
    assert_eq!(sender.capacity(), 4);
    receiver
}

#[test]
fn who_waits_is_served_wherever_both_are() {
    for at in [0, HOME, ELSEWHERE] {
        for home in [0, HOME, ELSEWHERE] {
            drop(waits_and_is_served(at, home));
        }
    }
}

#[test]
fn a_batch_has_no_home_any_more_after_a_wait_elsewhere() {
    assert_eq!(
        waits_and_is_served(HOME, HOME).is_at_home(),
        membarrier::is_there()
    );
    assert!(!waits_and_is_served(ELSEWHERE, HOME).is_at_home());
}

#[test]
fn without_a_home_no_batch_has_one() {
    replace_home(0);
    let (sender, mut receiver) = channel(2);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));
    assert!(!receiver.is_at_home());
}

#[test]
fn a_barrier_that_is_refused_later_keeps_nobody_waiting() {
    membarrier::refuse(true);
    drop(waits_and_is_served(ELSEWHERE, HOME));
    membarrier::refuse(false);
}

/// A wake that is lost between them would have this wait for ever.
#[test]
fn threads_that_wait_elsewhere_miss_no_slot() {
    // Anew each time, as only the first wait elsewhere pays for a barrier.
    const ROUNDS: usize = if cfg!(miri) { 2 } else { 50 };
    const EACH: usize = if cfg!(miri) { 4 } else { 100 };
    for room in [2, 3, 8] {
        for _ in 0..ROUNDS {
            let (sender, mut receiver) = full_with_a_batch(room);
            let senders: Vec<_> = [0, ELSEWHERE]
                .map(|home| {
                    let sender = sender.clone();
                    std::thread::spawn(move || {
                        replace_home(home);
                        for n in 0..EACH {
                            sender.blocking_send(n).unwrap();
                        }
                    })
                })
                .into();
            drop(sender);
            let mut count = 0;
            while receiver.blocking_recv().is_some() {
                count += 1;
            }
            assert_eq!(count, room + 2 * EACH);
            for sender in senders {
                sender.join().unwrap();
            }
        }
    }
}
