//! What was seen, what was not, and when it is over.

use crate::testing::{Count, poll, poll_with};
use crate::watch::{RecvError, SendError, channel};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

#[test]
fn the_first_value_counts_as_seen() {
    let (sender, mut receiver) = channel(1);
    assert_eq!(receiver.has_changed(), Ok(false));
    assert!(poll(&mut receiver.changed()).is_pending());
    assert!(!receiver.borrow().has_changed());
    assert_eq!(*sender.borrow(), 1);
}

#[test]
fn the_last_value_wins() {
    let (sender, mut receiver) = channel(0);
    for n in 1..=3 {
        sender.send(n).unwrap();
    }
    assert!(receiver.borrow().has_changed());
    assert_eq!(poll(&mut receiver.changed()), Poll::Ready(Ok(())));
    assert_eq!(*receiver.borrow(), 3);
    assert!(poll(&mut receiver.changed()).is_pending());
}

#[test]
fn every_receiver_sees_each_change_for_itself() {
    let (sender, mut one) = channel(0);
    let mut two = one.clone();
    sender.send(1).unwrap();
    let mut late = sender.subscribe();
    assert!(one.borrow_and_update().has_changed());
    assert_eq!(one.has_changed(), Ok(false));
    assert_eq!(two.has_changed(), Ok(true));
    assert_eq!(two.clone().has_changed(), Ok(true)); // a clone has seen as much
    assert!(poll(&mut late.changed()).is_pending());
    two.mark_unchanged();
    assert_eq!(two.has_changed(), Ok(false));
    two.mark_changed();
    assert_eq!(poll(&mut two.changed()), Poll::Ready(Ok(())));
    assert!(one.same_channel(&late) && sender.same_channel(&sender.clone()));
    assert_eq!(sender.receiver_count(), 3);
}

#[test]
fn a_change_wakes_everyone_who_waits() {
    let (sender, mut one) = channel(0);
    let mut two = sender.subscribe();
    let (woken, waker) = Count::new();
    let (mut first, mut second) = (one.changed(), two.changed());
    assert!(poll_with(&mut first, &waker).is_pending());
    assert!(poll_with(&mut second, &waker).is_pending());
    sender.send_modify(|n| *n += 1);
    assert_eq!(woken.get(), 2);
    assert!(poll(&mut first).is_ready() && poll(&mut second).is_ready());
}

#[test]
fn the_latest_waker_is_the_one_that_is_woken() {
    let (sender, mut receiver) = channel(0);
    let ((old_woken, old), (new_woken, new)) = (Count::new(), Count::new());
    let mut changed = receiver.changed();
    assert!(poll_with(&mut changed, &old).is_pending());
    assert!(poll_with(&mut changed, &new).is_pending());
    sender.send(1).unwrap();
    assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
}

#[test]
fn a_wait_that_is_given_up_leaves_the_change_unseen_and_no_entry() {
    let (sender, mut receiver) = channel(0);
    let (woken, waker) = Count::new();
    let mut changed = receiver.changed();
    assert!(poll_with(&mut changed, &waker).is_pending());
    drop(changed);
    assert_eq!(Arc::strong_count(&woken), 2);
    let mut changed = receiver.changed();
    assert!(poll_with(&mut changed, &waker).is_pending());
    sender.send(1).unwrap();
    drop(changed); // granted, and never polled
    assert_eq!(receiver.has_changed(), Ok(true));
    assert_eq!(poll(&mut receiver.changed()), Poll::Ready(Ok(())));
}

#[test]
fn the_last_value_is_there_when_the_sender_is_gone() {
    let (sender, mut receiver) = channel(0);
    let other = sender.clone();
    assert_eq!(sender.sender_count(), 2);
    drop(sender);
    other.send(1).unwrap();
    drop(other);
    assert_eq!(receiver.has_changed(), Ok(true));
    assert_eq!(poll(&mut receiver.changed()), Poll::Ready(Ok(())));
    assert_eq!(*receiver.borrow(), 1);
    assert_eq!(receiver.has_changed(), Err(RecvError(())));
    assert_eq!(
        poll(&mut receiver.changed()),
        Poll::Ready(Err(RecvError(())))
    );
    assert_eq!(*receiver.borrow(), 1);
}

#[test]
fn the_last_sender_wakes_who_waits_for_a_change() {
    let (sender, mut receiver) = channel(0);
    let (woken, waker) = Count::new();
    let mut changed = receiver.changed();
    assert!(poll_with(&mut changed, &waker).is_pending());
    drop(sender);
    assert_eq!(woken.get(), 1);
    assert_eq!(poll(&mut changed), Poll::Ready(Err(RecvError(()))));
}

#[test]
fn a_value_for_nobody_comes_back_and_is_not_stored() {
    let (sender, receiver) = channel(1);
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send(2), Err(SendError(2)));
    assert_eq!(*sender.borrow(), 1);
    assert_eq!(sender.send_replace(3), 1);
    let late = sender.subscribe();
    assert_eq!((*late.borrow(), late.has_changed()), (3, Ok(false)));
}

#[test]
fn closed_is_ready_when_the_last_receiver_goes() {
    let (sender, one) = channel(0);
    let two = one.clone();
    let (woken, waker) = Count::new();
    let mut closed = sender.closed();
    let other = sender.closed();
    assert!(poll_with(&mut closed, &waker).is_pending());
    drop(one);
    assert!(poll_with(&mut closed, &waker).is_pending());
    drop(two);
    assert_eq!(woken.get(), 1);
    // It was closed while this waited, whoever comes afterwards.
    let late = sender.subscribe();
    assert!(poll(&mut closed).is_ready());
    drop((late, other));
    assert!(poll(&mut sender.closed()).is_ready());
}

#[test]
fn a_change_that_is_none_wakes_nobody() {
    let (sender, mut receiver) = channel(0);
    let (woken, waker) = Count::new();
    let mut changed = receiver.changed();
    assert!(poll_with(&mut changed, &waker).is_pending());
    assert!(!sender.send_if_modified(|n| {
        *n = 7;
        false
    }));
    let panics = AssertUnwindSafe(|| sender.send_modify(|_| panic!("planned")));
    assert!(catch_unwind(panics).is_err());
    assert_eq!(woken.get(), 0);
    assert!(poll(&mut changed).is_pending());
    drop(changed);
    assert_eq!(*receiver.borrow(), 7);
    assert!(sender.send_if_modified(|_| true));
    assert_eq!(receiver.has_changed(), Ok(true));
}

#[test]
fn wait_for_looks_at_the_current_value_first_and_at_each_later_once() {
    let (sender, mut receiver) = channel(1);
    let found = receiver.wait_for(|n| *n == 1);
    drop(found);
    assert!(matches!(poll(&mut receiver.wait_for(|n| *n == 1)), Poll::Ready(Ok(v)) if *v == 1));
    let mut asked = Vec::new();
    let mut wait = receiver.wait_for(|n| {
        asked.push(*n);
        *n > 3
    });
    let (woken, waker) = Count::new();
    for n in 2..=4 {
        assert!(poll_with(&mut wait, &waker).is_pending());
        assert!(poll_with(&mut wait, &waker).is_pending());
        sender.send(n).unwrap();
    }
    assert_eq!(woken.get(), 3);
    assert!(matches!(poll(&mut wait), Poll::Ready(Ok(v)) if *v == 4 && v.has_changed()));
    drop(wait);
    assert_eq!(asked, [1, 2, 3, 4]);
    assert_eq!(receiver.has_changed(), Ok(false));
}

#[test]
fn wait_for_fails_when_the_last_value_is_not_it() {
    let (sender, mut receiver) = channel(1);
    sender.send(2).unwrap();
    drop(sender);
    assert!(matches!(
        poll(&mut receiver.wait_for(|n| *n == 2)),
        Poll::Ready(Ok(_))
    ));
    assert!(matches!(
        poll(&mut receiver.wait_for(|n| *n == 3)),
        Poll::Ready(Err(_))
    ));
}

#[test]
fn an_old_value_may_use_the_channel_when_it_is_dropped() {
    struct Nosy(Option<crate::watch::Sender<Nosy>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            if let Some(sender) = self.0.take() {
                assert!(sender.borrow().0.is_none());
                drop(sender.send_replace(Nosy(None)));
            }
        }
    }
    let (sender, receiver) = channel(Nosy(None));
    sender.send(Nosy(Some(sender.clone()))).unwrap();
    sender.send(Nosy(None)).unwrap();
    assert_eq!(receiver.has_changed().ok(), Some(true));
    assert_eq!(sender.sender_count(), 1);
}
