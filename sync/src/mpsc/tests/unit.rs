//! One poll at a time: order, slots, the end, and what the counts say.

use crate::mpsc::{SendError, TryRecvError, TrySendError, channel, unbounded};
use crate::testing::{Count, panics, poll, poll_with};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

#[test]
fn values_come_in_the_order_in_which_they_were_sent() {
    let (sender, mut receiver) = channel(4);
    for n in 0..4 {
        assert_eq!(sender.try_send(n), Ok(()));
    }
    assert_eq!(sender.try_send(4), Err(TrySendError::Full(4)));
    assert_eq!((receiver.len(), receiver.capacity()), (4, 0));
    for n in 0..4 {
        assert_eq!(poll(&mut receiver.recv()), Poll::Ready(Some(n)));
    }
    assert!(receiver.is_empty());
    assert_eq!((sender.capacity(), sender.max_capacity()), (4, 4));
}

#[test]
fn a_value_wakes_the_receiver_once() {
    let (sender, mut receiver) = channel(4);
    let (woken, waker) = Count::new();
    let mut recv = receiver.recv();
    assert!(poll_with(&mut recv, &waker).is_pending());
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    assert_eq!(woken.get(), 1);
    assert_eq!(poll(&mut recv), Poll::Ready(Some(1)));
}

#[test]
fn the_receiver_that_changed_tasks_wakes_the_later_one() {
    let (sender, mut receiver) = channel(1);
    let ((old_woken, old), (new_woken, new)) = (Count::new(), Count::new());
    let mut recv = receiver.recv();
    assert!(poll_with(&mut recv, &old).is_pending());
    assert!(poll_with(&mut recv, &new).is_pending());
    sender.try_send(()).unwrap();
    assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
}

#[test]
fn a_sender_that_changed_tasks_wakes_the_later_one() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(1).unwrap();
    let ((old_woken, old), (new_woken, new)) = (Count::new(), Count::new());
    let mut send = sender.send(2);
    assert!(poll_with(&mut send, &old).is_pending());
    assert!(poll_with(&mut send, &new).is_pending());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
}

#[test]
fn a_freed_slot_is_the_fronts_before_it_runs() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(1).unwrap();
    let (woken, waker) = Count::new();
    let mut first = sender.send(2);
    let mut second = sender.send(3);
    assert!(poll_with(&mut first, &waker).is_pending());
    assert!(poll(&mut second).is_pending());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(woken.get(), 1);
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
    assert!(sender.try_reserve().is_err());
    assert!(poll(&mut second).is_pending());
    assert_eq!(poll(&mut first), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(poll(&mut second), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(3));
}

#[test]
fn a_permit_is_a_slot_that_nobody_else_has() {
    let (sender, mut receiver) = channel(2);
    let permit = sender.try_reserve().unwrap();
    assert_eq!(sender.capacity(), 1);
    let owned = sender.clone().try_reserve_owned().unwrap();
    assert_eq!(sender.try_send(0), Err(TrySendError::Full(0)));
    assert_eq!(sender.strong_count(), 2);
    drop(permit);
    assert_eq!(sender.try_send(1), Ok(()));
    drop(owned.send(2));
    assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(1), Ok(2)));
    let owned = sender.clone().try_reserve_owned().unwrap();
    drop(owned.release());
    assert_eq!((sender.capacity(), sender.strong_count()), (2, 1));
}

#[test]
fn the_last_sender_ends_the_channel_once_it_is_drained() {
    let (sender, mut receiver) = channel(2);
    let other = sender.clone();
    sender.try_send(1).unwrap();
    drop(sender);
    assert!(!receiver.is_closed());
    other.try_send(2).unwrap();
    drop(other);
    assert!(receiver.is_closed());
    assert_eq!(poll(&mut receiver.recv()), Poll::Ready(Some(1)));
    assert_eq!(poll(&mut receiver.recv()), Poll::Ready(Some(2)));
    assert_eq!(poll(&mut receiver.recv()), Poll::Ready(None));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn the_last_sender_wakes_a_receiver_that_waits() {
    let (sender, mut receiver) = channel::<u8>(2);
    let (woken, waker) = Count::new();
    let other = sender.clone();
    let mut recv = receiver.recv();
    assert!(poll_with(&mut recv, &waker).is_pending());
    drop(sender);
    assert_eq!(woken.get(), 0);
    drop(other);
    assert_eq!(woken.get(), 1);
    assert_eq!(poll(&mut recv), Poll::Ready(None));
}

#[test]
fn a_close_fails_those_who_wait_and_keeps_what_was_sent() {
    let (sender, mut receiver) = channel(1);
    sender.try_send("sent").unwrap();
    let (woken, waker) = Count::new();
    let mut blocked = sender.send("blocked");
    let mut reserve = sender.reserve();
    assert!(poll_with(&mut blocked, &waker).is_pending());
    assert!(poll_with(&mut reserve, &waker).is_pending());
    receiver.close();
    assert_eq!(woken.get(), 2);
    assert_eq!(poll(&mut blocked), Poll::Ready(Err(SendError("blocked"))));
    assert!(matches!(
        poll(&mut reserve),
        Poll::Ready(Err(SendError(())))
    ));
    assert!(sender.is_closed());
    assert_eq!(sender.capacity(), 0);
    assert_eq!(sender.try_send("late"), Err(TrySendError::Closed("late")));
    assert_eq!(receiver.try_recv(), Ok("sent"));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_receiver_that_is_dropped_gives_every_blocked_value_back() {
    let (sender, receiver) = channel(1);
    sender.try_send(0).unwrap();
    let mut sends: Vec<_> = (1..4).map(|n| sender.send(n)).collect();
    for send in &mut sends {
        assert!(poll(send).is_pending());
    }
    drop(receiver);
    for (n, send) in (1..4).zip(&mut sends) {
        assert_eq!(poll(send), Poll::Ready(Err(SendError(n))));
    }
}

#[test]
fn a_slot_promised_before_the_receiver_was_dropped_fails_with_the_value() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(0).unwrap();
    let mut send = sender.send(1);
    assert!(poll(&mut send).is_pending());
    assert_eq!(receiver.try_recv(), Ok(0)); // promised to it
    drop(receiver);
    assert_eq!(poll(&mut send), Poll::Ready(Err(SendError(1))));
}

#[test]
fn a_slot_promised_before_a_close_is_still_good() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(0).unwrap();
    let mut send = sender.send(1);
    assert!(poll(&mut send).is_pending());
    assert_eq!(receiver.try_recv(), Ok(0));
    receiver.close();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(poll(&mut send), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_closed_receiver_waits_for_permits_until_used_or_dropped() {
    for used in [true, false] {
        let (sender, mut receiver) = channel(2);
        let permit = sender.try_reserve().unwrap();
        receiver.close();
        let (woken, waker) = Count::new();
        let mut recv = receiver.recv();
        assert!(poll_with(&mut recv, &waker).is_pending());
        if used {
            permit.send(7);
        } else {
            drop(permit);
        }
        assert_eq!(woken.get(), 1);
        assert_eq!(poll(&mut recv), Poll::Ready(used.then_some(7)));
    }
}

#[test]
fn closed_wakes_every_sender_that_wants_to_know() {
    for dropped in [true, false] {
        let (sender, mut receiver) = channel::<u8>(1);
        let other = sender.clone();
        let (woken, waker) = Count::new();
        let (mut one, mut two) = (sender.closed(), other.closed());
        assert!(poll_with(&mut one, &waker).is_pending());
        assert!(poll_with(&mut two, &waker).is_pending());
        if dropped {
            drop(receiver);
        } else {
            receiver.close();
        }
        assert_eq!(woken.get(), 2);
        assert!(poll(&mut one).is_ready() && poll(&mut two).is_ready());
        assert!(poll(&mut other.closed()).is_ready());
    }
}

#[test]
fn a_senders_waker_that_panics_keeps_nobody_from_hearing_of_the_close() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(1).unwrap();
    let mut blocked = sender.send(2);
    assert!(poll_with(&mut blocked, &panics()).is_pending());
    let (woken, waker) = Count::new();
    let mut closed = sender.closed();
    assert!(poll_with(&mut closed, &waker).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| receiver.close())).is_err());
    assert_eq!(woken.get(), 1);
    assert!(poll(&mut closed).is_ready());
    assert_eq!(poll(&mut blocked), Poll::Ready(Err(SendError(2))));
}

/// Who receives has what it took, whatever becomes of those who wait for its slot.
#[test]
fn a_senders_waker_that_panics_costs_no_value() {
    for many in [false, true] {
        let (sender, mut receiver) = channel(2);
        sender.try_send(1).unwrap();
        sender.try_send(2).unwrap();
        let (woken, waker) = Count::new();
        let (mut third, mut fourth) = (sender.send(3), sender.send(4));
        assert!(poll_with(&mut third, &panics()).is_pending());
        assert!(poll_with(&mut fourth, &panics()).is_pending());
        let mut fifth = sender.send(5);
        assert!(poll_with(&mut fifth, &waker).is_pending());
        let mut got = Vec::new();
        if many {
            let taken = poll(&mut receiver.recv_many(&mut got, 2));
            assert_eq!(taken, Poll::Ready(2));
        } else {
            // With the lock, and then without.
            got.extend(receiver.try_recv());
            match poll(&mut receiver.recv()) {
                Poll::Ready(value) => got.extend(value),
                Poll::Pending => panic!("the second is there"),
            }
        }
        assert_eq!(poll(&mut third), Poll::Ready(Ok(())));
        assert_eq!(poll(&mut fourth), Poll::Ready(Ok(())));
        assert_eq!(woken.get(), 0);
        got.extend(receiver.try_recv());
        assert_eq!(woken.get(), 1, "the slot is the next one's");
        assert_eq!(poll(&mut fifth), Poll::Ready(Ok(())));
        got.extend((0..2).map_while(|_| receiver.try_recv().ok()));
        assert_eq!(got, [1, 2, 3, 4, 5]);
    }
}

#[test]
fn a_weak_sender_does_not_keep_the_channel_open() {
    let (sender, mut receiver) = channel::<u8>(1);
    let weak = sender.downgrade();
    let again = weak.upgrade().unwrap();
    assert!(again.same_channel(&sender));
    assert!(!channel(1).0.same_channel(&sender));
    drop((sender, again));
    assert!(weak.clone().upgrade().is_none());
    assert_eq!(poll(&mut receiver.recv()), Poll::Ready(None));
}

#[test]
fn what_an_unbounded_channel_holds_takes_no_room() {
    let (sender, mut receiver) = unbounded();
    for n in 0..3 {
        sender.send(n).unwrap();
        assert_eq!(receiver.capacity(), usize::MAX);
    }
    for n in 0..3 {
        assert_eq!(receiver.try_recv(), Ok(n));
        assert_eq!(receiver.capacity(), usize::MAX);
    }
    receiver.close();
    assert_eq!(receiver.capacity(), 0);
}

#[test]
fn an_unbounded_channel_always_has_room() {
    let (sender, mut receiver) = unbounded();
    let weak = sender.downgrade();
    let other = weak.upgrade().unwrap();
    for n in 0..1_000 {
        assert_eq!(sender.send(n), Ok(()));
    }
    assert!(other.same_channel(&sender));
    assert_eq!(sender.strong_count(), 2);
    let mut all = Vec::new();
    assert_eq!(
        poll(&mut receiver.recv_many(&mut all, 2_000)),
        Poll::Ready(1_000)
    );
    assert!(all.into_iter().eq(0..1_000));
    receiver.close();
    assert!(sender.is_closed() && poll(&mut sender.closed()).is_ready());
    assert_eq!(sender.send(0), Err(SendError(0)));
    drop((sender, other));
    assert!(weak.upgrade().is_none());
}

#[test]
fn many_at_once_free_their_slots_for_many() {
    let (sender, mut receiver) = channel(2);
    sender.try_send(0).unwrap();
    sender.try_send(1).unwrap();
    let (woken, waker) = Count::new();
    let mut sends: Vec<_> = (2..5).map(|n| sender.send(n)).collect();
    for send in &mut sends {
        assert!(poll_with(send, &waker).is_pending());
    }
    let mut some = Vec::new();
    assert_eq!(poll(&mut receiver.recv_many(&mut some, 0)), Poll::Ready(0));
    assert_eq!(poll(&mut receiver.recv_many(&mut some, 9)), Poll::Ready(2));
    assert_eq!(woken.get(), 2);
    assert!(poll(&mut sends[0]).is_ready() && poll(&mut sends[1]).is_ready());
    assert!(poll(&mut sends[2]).is_pending());
    assert_eq!(poll(&mut receiver.recv_many(&mut some, 1)), Poll::Ready(1));
    assert_eq!(some, [0, 1, 2]);
}

#[test]
fn threads_outside_of_the_runtime_block() {
    let (sender, mut receiver) = channel(1);
    let thread = std::thread::spawn(move || {
        for n in 0..100 {
            sender.blocking_send(n).unwrap();
        }
    });
    for n in 0..100 {
        assert_eq!(receiver.blocking_recv(), Some(n));
    }
    thread.join().unwrap();
    assert_eq!(receiver.blocking_recv(), None);
}

#[test]
#[should_panic(expected = "await it instead")]
fn a_task_must_not_block() {
    let (_sender, mut receiver) = channel::<u8>(1);
    let _poll = wakeline_context::Polling::begin();
    receiver.blocking_recv();
}

#[test]
fn a_value_may_use_its_own_channel_when_it_is_dropped() {
    struct Nosy(crate::mpsc::UnboundedSender<Nosy>, Arc<Count>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            use std::task::Wake;
            Arc::clone(&self.1).wake();
            if self.1.get() < 10 {
                let again = Nosy(self.0.clone(), Arc::clone(&self.1));
                assert!(self.0.is_closed());
                drop(self.0.send(again)); // in vain, and dropped in its turn
            }
        }
    }
    let (sender, receiver) = unbounded();
    let (dropped, _) = Count::new();
    sender
        .send(Nosy(sender.clone(), Arc::clone(&dropped)))
        .unwrap();
    drop(receiver);
    assert_eq!(dropped.get(), 10);
}

#[test]
fn values_that_nobody_received_are_dropped_once() {
    let value = Arc::new(());
    let (sender, mut receiver) = channel(3);
    for _ in 0..3 {
        sender.try_send(Arc::clone(&value)).unwrap();
    }
    drop(receiver.try_recv());
    let permit = sender.try_reserve().unwrap();
    assert_eq!(Arc::strong_count(&value), 3);
    drop(receiver);
    assert_eq!(Arc::strong_count(&value), 1);
    permit.send(Arc::clone(&value));
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn what_the_receiver_took_along_still_fills_its_slots() {
    let (sender, mut receiver) = channel(4);
    for n in 0..4 {
        sender.try_send(n).unwrap();
    }
    for n in 0..3 {
        assert_eq!(receiver.try_recv(), Ok(n)); // each frees one slot, not four
        assert_eq!((sender.capacity(), receiver.len()), (n + 1, 3 - n));
    }
    let mut sends: Vec<_> = (4..8).map(|n| sender.send(n)).collect();
    let (woken, waker) = Count::new();
    for send in &mut sends {
        let _ = poll_with(send, &waker);
    }
    assert_eq!((receiver.len(), woken.get()), (4, 0));
    assert_eq!(receiver.try_recv(), Ok(3)); // the last of the batch
    assert_eq!(woken.get(), 1);
    assert!(poll(&mut sends[3]).is_ready());
    let mut rest = Vec::new();
    assert_eq!(poll(&mut receiver.recv_many(&mut rest, 9)), Poll::Ready(4));
    assert_eq!(rest, [4, 5, 6, 7]);
    assert_eq!(sender.capacity(), 4);
}

#[test]
fn a_burst_leaves_no_memory_behind() {
    let (sender, mut receiver) = unbounded();
    for n in 0..100_000 {
        sender.send(n).unwrap();
    }
    while receiver.try_recv().is_ok() {}
    for n in 0..10 {
        sender.send(n).unwrap();
        sender.send(n).unwrap();
        assert_eq!(receiver.try_recv(), Ok(n));
        assert_eq!(receiver.try_recv(), Ok(n));
    }
    assert!(receiver.room_kept() < 5_000, "{}", receiver.room_kept());
}

#[test]
fn from_hand_to_hand_one_wait_takes_one_value() {
    let (sender, mut receiver) = crate::mpsc::channel(0);
    let mut recv = receiver.recv();
    assert!(poll(&mut recv).is_pending());
    assert!(sender.try_send(1).is_ok());
    assert_eq!(poll(&mut recv), Poll::Ready(Some(1)));
    drop(recv);
    assert!(sender.try_send(2).is_err());
}

#[test]
fn a_burst_leaves_no_memory_behind_for_who_comes_alone() {
    let (sender, mut receiver) = unbounded();
    for n in 0..100_000 {
        sender.send(n).unwrap();
    }
    while receiver.try_recv().is_ok() {}
    assert!(receiver.room_kept() < 5_000, "{}", receiver.room_kept());
    for n in 0..10 {
        sender.send(n).unwrap();
        assert_eq!(receiver.try_recv(), Ok(n));
    }
    assert!(receiver.room_kept() < 5_000, "{}", receiver.room_kept());
}
