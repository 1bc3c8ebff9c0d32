//! Who gives up leaves nothing behind and loses nothing; and capacity 0.

use crate::mpsc::{SendError, TryRecvError, TrySendError, channel};
use crate::testing::{Count, panics, poll, poll_with};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

#[test]
fn a_promised_slot_passes_on_when_its_sender_gives_up() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(0).unwrap();
    let (woken, waker) = Count::new();
    let mut first = sender.send(1);
    let mut second = sender.send(2);
    assert!(poll(&mut first).is_pending());
    assert!(poll_with(&mut second, &waker).is_pending());
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!(woken.get(), 0);
    drop(first);
    assert_eq!(woken.get(), 1);
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
    assert_eq!(poll(&mut second), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_sender_that_gives_up_in_the_queue_leaves_no_entry() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(0).unwrap();
    let mut sends: Vec<_> = (1..4).map(|n| sender.send(n)).collect();
    for send in &mut sends {
        assert!(poll(send).is_pending());
    }
    drop(sends.remove(1));
    assert_eq!(receiver.try_recv(), Ok(0));
    assert!(poll(&mut sends[1]).is_pending());
    assert!(poll(&mut sends[0]).is_ready());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert!(poll(&mut sends[1]).is_ready());
    assert_eq!(receiver.try_recv(), Ok(3));
    drop(sends);
    assert_eq!(sender.capacity(), 1);
}

#[test]
fn a_send_that_is_given_up_has_its_value() {
    let (sender, mut receiver) = channel(1);
    assert_eq!(
        sender.send("never polled").into_inner(),
        Some("never polled")
    );
    let mut sent = sender.send("a");
    assert!(poll(&mut sent).is_ready());
    assert_eq!(sent.into_inner(), None);
    let mut waits = sender.send("b");
    assert!(poll(&mut waits).is_pending());
    assert_eq!(waits.into_inner(), Some("b"));
    // Also when it had been promised a slot, which is free then.
    let mut promised = sender.send("c");
    assert!(poll(&mut promised).is_pending());
    assert_eq!(receiver.try_recv(), Ok("a"));
    assert_eq!(promised.into_inner(), Some("c"));
    assert_eq!(sender.try_send("d"), Ok(()));
    // And after a close the error has it.
    let mut late = sender.send("e");
    assert!(poll(&mut late).is_pending());
    drop(receiver);
    assert_eq!(poll(&mut late), Poll::Ready(Err(SendError("e"))));
    assert_eq!(late.into_inner(), None);
}

#[test]
fn a_send_from_resumes_where_it_was_given_up() {
    let (sender, mut receiver) = channel(1);
    let mut value = Some(1);
    assert_eq!(poll(&mut sender.send_from(&mut value)), Poll::Ready(Ok(())));
    assert_eq!(value, None);
    assert_eq!(poll(&mut sender.send_from(&mut value)), Poll::Ready(Ok(())));
    value = Some(2);
    for _ in 0..3 {
        assert!(poll(&mut sender.send_from(&mut value)).is_pending());
    }
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty)); // 1 was sent once
    assert_eq!(poll(&mut sender.send_from(&mut value)), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(2));
    receiver.close();
    value = Some(3);
    assert_eq!(
        poll(&mut sender.send_from(&mut value)),
        Poll::Ready(Err(SendError(())))
    );
    assert_eq!(value, Some(3));
}

#[test]
fn a_reservation_that_gives_up_passes_its_slot_on() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(0).unwrap();
    let mut owned = sender.clone().reserve_owned();
    let mut behind = sender.reserve();
    assert!(poll(&mut owned).is_pending() && poll(&mut behind).is_pending());
    assert_eq!(receiver.try_recv(), Ok(0));
    drop(owned);
    let Poll::Ready(Ok(permit)) = poll(&mut behind) else {
        panic!("the slot passed on")
    };
    permit.send(1);
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(sender.strong_count(), 1);
}

#[test]
fn a_receive_that_gives_up_loses_nothing_and_leaves_no_waker() {
    let (sender, mut receiver) = channel(2);
    let (woken, waker) = Count::new();
    let mut recv = receiver.recv();
    assert!(poll_with(&mut recv, &waker).is_pending());
    assert_eq!(Arc::strong_count(&woken), 3);
    drop(recv);
    assert_eq!(Arc::strong_count(&woken), 2);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    assert_eq!(woken.get(), 0);
    // A value came, and its receive is dropped before it is polled again.
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Ok(2));
    let mut recv = receiver.recv();
    assert!(poll_with(&mut recv, &waker).is_pending());
    sender.try_send(3).unwrap();
    drop(recv);
    assert_eq!(receiver.try_recv(), Ok(3));
}

#[test]
fn with_capacity_zero_a_sender_and_a_receiver_meet() {
    let (sender, mut receiver) = channel(0);
    assert_eq!(sender.try_send(0), Err(TrySendError::Full(0)));
    let mut first = sender.send(1);
    let mut second = sender.send(2);
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    assert_eq!(sender.capacity(), 0);
    let (woken, waker) = Count::new();
    let mut recv = receiver.recv();
    assert!(poll_with(&mut recv, &waker).is_pending());
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9))); // it is the first's
    assert!(poll(&mut second).is_pending());
    assert_eq!(poll(&mut first), Poll::Ready(Ok(())));
    assert_eq!(woken.get(), 1);
    assert!(poll(&mut second).is_pending()); // one receiver, one value
    assert_eq!(poll(&mut recv), Poll::Ready(Some(1)));
    drop(recv);
    assert!(poll(&mut second).is_pending());
    let mut recv = receiver.recv();
    assert!(poll(&mut recv).is_pending());
    assert_eq!(poll(&mut second), Poll::Ready(Ok(())));
    assert_eq!(poll(&mut recv), Poll::Ready(Some(2)));
}

#[test]
fn with_capacity_zero_a_receiver_that_gives_up_takes_its_slot_back() {
    let (sender, mut receiver) = channel(0);
    let mut recv = receiver.recv();
    assert!(poll(&mut recv).is_pending());
    assert_eq!(sender.capacity(), 1);
    drop(recv);
    assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
    // Promised before it gave up: the value waits for the next receive.
    let mut send = sender.send(2);
    assert!(poll(&mut send).is_pending());
    let mut recv = receiver.recv();
    assert!(poll(&mut recv).is_pending());
    drop(recv);
    assert_eq!(poll(&mut send), Poll::Ready(Ok(())));
    assert_eq!(poll(&mut receiver.recv()), Poll::Ready(Some(2)));
    assert_eq!(sender.capacity(), 0);
}

#[test]
fn with_capacity_zero_a_sender_that_gives_up_lets_the_next_one_meet() {
    let (sender, mut receiver) = channel(0);
    let mut first = sender.send(1);
    let mut second = sender.send(2);
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    let mut recv = receiver.recv();
    assert!(poll(&mut recv).is_pending());
    drop(first);
    assert_eq!(poll(&mut second), Poll::Ready(Ok(())));
    assert_eq!(poll(&mut recv), Poll::Ready(Some(2)));
}

#[test]
fn with_capacity_zero_a_try_invites_the_front() {
    let (sender, mut receiver) = channel(0);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(sender.try_send(0), Err(TrySendError::Full(0)));
    let (woken, waker) = Count::new();
    let mut send = sender.send(1);
    assert!(poll_with(&mut send, &waker).is_pending());
    let mut behind = sender.send(2);
    assert!(poll(&mut behind).is_pending());
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(woken.get(), 1);
    assert!(poll(&mut behind).is_pending());
    assert!(poll(&mut send).is_ready());
    assert_eq!(receiver.try_recv(), Ok(1));
    drop((send, behind));
    drop(sender);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn with_capacity_zero_a_close_fails_those_who_wait() {
    let (sender, receiver) = channel(0);
    let mut send = sender.send(1);
    assert!(poll(&mut send).is_pending());
    drop(receiver);
    assert_eq!(poll(&mut send), Poll::Ready(Err(SendError(1))));
}

#[test]
fn a_slot_that_was_used_is_not_given_back_when_the_receivers_waker_panics() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(1).unwrap();
    let mut send = sender.send(2);
    assert!(poll(&mut send).is_pending());
    assert_eq!(receiver.try_recv(), Ok(1)); // its slot is the send's
    let waker = panics();
    let mut cx = Context::from_waker(&waker);
    assert!(receiver.poll_recv(&mut cx).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut send))).is_err());
    drop(send);
    assert_eq!((receiver.len(), sender.capacity()), (1, 0));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(sender.capacity(), 1);
}
