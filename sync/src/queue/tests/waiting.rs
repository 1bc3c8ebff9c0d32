//! Who waits, who is next, and what giving up costs (nothing).

use super::super::*;
use super::{drain, put, ready};
use crate::testing::{Count, panics, poll, poll_with};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

#[test]
fn everything_may_go_to_another_thread_and_be_moved() {
    fn anywhere<T: std::marker::Send + Sync + Unpin>() {}
    anywhere::<(Producer<u8>, Consumer<u8>, Job<u8>, Permit<'_, u8>)>();
    anywhere::<(Send<'_, u8>, Reserve<'_, u8>, Recv<'_, u8>, Join<'_, u8>)>();
    anywhere::<SendFrom<'_, u8>>();
    anywhere::<Send<'_, std::marker::PhantomPinned>>();
    // A value that may be sent but not shared is enough.
    anywhere::<(Producer<std::cell::Cell<u8>>, Consumer<std::cell::Cell<u8>>)>();
}

#[test]
fn a_rank_that_panics_leaves_the_queue_as_it_was() {
    struct Odd(bool);
    impl Rank for Odd {
        fn rank(&self) -> i64 {
            assert!(!self.0, "planned");
            0
        }
    }
    let (tx, rx) = priority(1);
    for put in [
        Box::new(|| drop(tx.try_send(Odd(true)))) as Box<dyn Fn()>,
        Box::new(|| drop(tx.send(Odd(true)))),
        Box::new(|| drop(tx.try_reserve().unwrap().send(Odd(true)))),
    ] {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(put)).is_err());
    }
    put(&tx, [Odd(false)]);
    assert_eq!((drain(&rx).len(), tx.unfinished()), (1, 0));
}

#[test]
fn each_sort_of_queue_has_its_order() {
    let (tx, rx) = fifo(UNBOUNDED);
    put(&tx, [3, 1, 2]);
    assert_eq!(drain(&rx), [3, 1, 2]);
    let (tx, rx) = lifo(UNBOUNDED);
    put(&tx, [3, 1, 2]);
    assert_eq!(drain(&rx), [2, 1, 3]);
    let (tx, rx) = priority(UNBOUNDED);
    put(&tx, [(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd')]);
    assert_eq!(drain(&rx), [(1, 'b'), (1, 'd'), (2, 'a'), (2, 'c')]);
}

#[test]
fn a_full_queue_makes_a_put_wait_and_gives_the_value_of_a_try_back() {
    let (tx, rx) = fifo(1);
    put(&tx, [1]);
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    let (woken, waker) = Count::new();
    let mut send = tx.send(3);
    assert!(poll_with(&mut send, &waker).is_pending());
    assert_eq!(*rx.try_recv().unwrap(), 1);
    assert_eq!(woken.get(), 1);
    // The slot is its already, before it is polled.
    assert_eq!(tx.try_send(4), Err(TrySendError::Full(4)));
    assert_eq!(ready(poll(&mut send)), Ok(()));
    assert_eq!(drain(&rx), [3]);
}

#[test]
fn those_who_put_and_those_who_get_are_served_in_the_order_of_arrival() {
    let (tx, rx) = fifo(1);
    put(&tx, [0]);
    let (mut a, mut b) = (tx.send(1), tx.send(2));
    assert!(poll(&mut a).is_pending() && poll(&mut b).is_pending());
    for next in 0..3 {
        assert_eq!(*rx.try_recv().unwrap(), next);
        match next {
            0 => {
                assert!(poll(&mut b).is_pending());
                assert_eq!(ready(poll(&mut a)), Ok(()));
            }
            1 => assert_eq!(ready(poll(&mut b)), Ok(())),
            _ => {}
        }
    }
    let (first_woken, first_waker) = Count::new();
    let (second_woken, second_waker) = Count::new();
    let (mut first, mut second) = (rx.recv(), rx.recv());
    assert!(poll_with(&mut first, &first_waker).is_pending());
    assert!(poll_with(&mut second, &second_waker).is_pending());
    put(&tx, [3]);
    assert_eq!((first_woken.get(), second_woken.get()), (1, 0));
    assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Empty); // it is the first one's
    assert!(poll(&mut second).is_pending());
    assert_eq!(*ready(poll(&mut first)).unwrap(), 3);
}

#[test]
fn a_receiver_that_gives_up_after_the_grant_leaves_the_items_in_their_order() {
    let (tx, rx) = fifo(UNBOUNDED);
    let (woken, waker) = Count::new();
    let (mut first, mut second) = (rx.recv(), rx.recv());
    assert!(poll(&mut first).is_pending());
    assert!(poll_with(&mut second, &waker).is_pending());
    put(&tx, [1]);
    drop(first); // had been granted
    assert_eq!(woken.get(), 1);
    put(&tx, [2]);
    assert_eq!(*ready(poll(&mut second)).unwrap(), 1);
    assert_eq!(drain(&rx), [2]);
    // The same without anyone behind it.
    let mut only = rx.recv();
    assert!(poll(&mut only).is_pending());
    put(&tx, [3, 4]);
    drop(only);
    assert_eq!(drain(&rx), [3, 4]);
    assert_eq!(tx.unfinished(), 0);
}

#[test]
fn a_sender_that_gives_up_after_the_grant_passes_the_slot_on() {
    let (tx, rx) = fifo(1);
    put(&tx, [0]);
    let (woken, waker) = Count::new();
    let (mut first, mut second) = (tx.send(1), tx.send(2));
    assert!(poll(&mut first).is_pending());
    assert!(poll_with(&mut second, &waker).is_pending());
    assert_eq!(drain(&rx), [0]); // the slot is the first one's
    assert_eq!(first.into_inner(), Some(1));
    assert_eq!(woken.get(), 1);
    assert_eq!(ready(poll(&mut second)), Ok(()));
    assert_eq!(drain(&rx), [2]);
}

#[test]
fn a_send_that_is_over_has_no_value_left() {
    let (tx, _rx) = fifo(1);
    let mut send = tx.send(1);
    assert_eq!(ready(poll(&mut send)), Ok(()));
    assert_eq!(send.into_inner(), None);
    let unpolled = tx.send(2);
    assert_eq!(unpolled.into_inner(), Some(2));
    assert_eq!(tx.len(), 1);
}

#[test]
fn a_value_is_taken_out_of_its_variable_only_when_it_is_put() {
    let (tx, rx) = fifo(1);
    let mut next = Some(1);
    assert_eq!(ready(poll(&mut tx.send_from(&mut next))), Ok(()));
    assert_eq!(next, None);
    assert_eq!(ready(poll(&mut tx.send_from(&mut next))), Ok(())); // nothing to do
    next = Some(2);
    let mut send = tx.send_from(&mut next);
    assert!(poll(&mut send).is_pending());
    assert_eq!(drain(&rx), [1]); // the slot is granted
    drop(send); // and given up
    assert_eq!((next, tx.try_send(3)), (Some(2), Ok(())));
    tx.shutdown(Shutdown::Graceful);
    let closed = ready(poll(&mut tx.send_from(&mut next)));
    assert_eq!((closed, next), (Err(SendError(())), Some(2)));
}

#[test]
#[should_panic(expected = "polled after its end")]
fn a_future_polled_after_its_end_panics() {
    let (tx, _rx) = fifo(1);
    let mut send = tx.send(1);
    let _ = poll(&mut send);
    let _ = poll(&mut send);
}

#[test]
fn a_waiter_that_leaves_the_middle_is_passed_over() {
    let (tx, rx) = fifo(UNBOUNDED);
    let (mut a, mut b, mut c) = (rx.recv(), rx.recv(), rx.recv());
    for recv in [&mut a, &mut b, &mut c] {
        assert!(poll(recv).is_pending());
    }
    drop(b);
    put(&tx, [1, 2]);
    assert_eq!(*ready(poll(&mut a)).unwrap(), 1);
    assert_eq!(*ready(poll(&mut c)).unwrap(), 2);
}

#[test]
fn only_the_latest_waker_is_woken() {
    let (tx, rx) = fifo(1);
    let (old_woken, old) = Count::new();
    let (new_woken, new) = Count::new();
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, &old).is_pending());
    assert!(poll_with(&mut recv, &new).is_pending());
    put(&tx, [1]);
    assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
}

#[test]
fn without_capacity_a_put_meets_a_receiver() {
    let (tx, rx) = fifo(0);
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Empty);
    let (mut first, mut second) = (tx.send(1), tx.send(2));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending());
    assert!(poll(&mut second).is_pending());
    assert_eq!(ready(poll(&mut first)), Ok(()));
    assert_eq!(*ready(poll(&mut recv)).unwrap(), 1);
    assert!(poll(&mut second).is_pending()); // one receiver, one item
    // A receiver that waits is met by a try, too, but for those in line.
    drop(second);
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending());
    put(&tx, [3]);
    assert_eq!(tx.try_send(4), Err(TrySendError::Full(4)));
    drop(recv); // it did not look: the item stays for the next
    assert_eq!(tx.try_send(4), Err(TrySendError::Full(4)));
    assert_eq!(drain(&rx), [3]);
}

#[test]
fn without_capacity_each_receiver_that_waits_is_a_slot() {
    let (tx, rx) = fifo(0);
    let (mut first, mut second) = (rx.recv(), rx.recv());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    put(&tx, [1, 2]); // the first one has not looked yet
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(*ready(poll(&mut second)).unwrap(), 1);
    assert_eq!(*ready(poll(&mut first)).unwrap(), 2);
}

#[test]
fn a_slot_of_a_rendezvous_survives_its_receiver() {
    let (tx, rx) = fifo(0);
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending());
    let permit = ready(poll(&mut tx.reserve())).unwrap();
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
    drop(recv);
    assert_eq!(permit.send(1), Ok(()));
    assert_eq!(drain(&rx), [1]);
}

#[test]
fn a_permit_holds_its_slot_and_gives_it_back() {
    let (tx, rx) = fifo(1);
    let permit = ready(poll(&mut tx.reserve())).unwrap();
    let mut send = tx.send(1);
    let (woken, waker) = Count::new();
    assert!(poll_with(&mut send, &waker).is_pending());
    drop(permit);
    assert_eq!(woken.get(), 1);
    assert_eq!(ready(poll(&mut send)), Ok(()));
    assert_eq!(drain(&rx), [1]);
    // A reserve that is dropped with a grant passes it on, too.
    let permit = ready(poll(&mut tx.reserve())).unwrap();
    let mut reserve = tx.reserve();
    let mut send = tx.send(2);
    assert!(poll(&mut reserve).is_pending());
    assert!(poll(&mut send).is_pending());
    drop(permit);
    assert!(poll(&mut send).is_pending());
    drop(reserve);
    assert_eq!(ready(poll(&mut send)), Ok(()));
}

/// Calls the queue from its waker and its destructor: no lock may be held.
struct Meddler(Mutex<Option<(Producer<u8>, Consumer<u8>)>>, AtomicUsize);

impl std::task::Wake for Meddler {
    fn wake(self: Arc<Self>) {
        if let Some((tx, rx)) = &*self.0.lock().unwrap() {
            let _ = tx.try_send(7);
            let _ = rx.len();
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_waker_may_use_the_queue() {
    let (tx, rx) = fifo(2);
    let meddler = Arc::new(Meddler(
        Mutex::new(Some((tx.clone(), rx.clone()))),
        AtomicUsize::new(0),
    ));
    let waker = meddler.clone().into();
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, &waker).is_pending());
    put(&tx, [1]);
    assert_eq!(meddler.1.load(Ordering::Relaxed), 1);
    assert_eq!(*ready(poll(&mut recv)).unwrap(), 1);
    tx.shutdown(Shutdown::Immediate);
    *meddler.0.lock().unwrap() = None;
}

#[test]
fn waiting_and_leaving_in_numbers_leaves_nothing_behind() {
    let (tx, rx) = fifo::<u8>(1);
    for _ in 0..1_000 {
        let mut recv = rx.recv();
        assert!(poll(&mut recv).is_pending());
    }
    put(&tx, [1]);
    assert_eq!(drain(&rx), [1]);
}

#[test]
fn a_slot_that_was_used_is_not_given_back_when_the_receivers_waker_panics() {
    let (tx, rx) = fifo(1);
    put(&tx, [1]);
    let mut send = tx.send(2);
    assert!(poll(&mut send).is_pending());
    assert_eq!(drain(&rx), [1]); // its slot is the send's
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, &panics()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut send))).is_err());
    drop(send);
    drop(recv);
    assert!(tx.try_send(3).is_err(), "the 2 is there");
    assert_eq!(drain(&rx), [2]);
    put(&tx, [3]);
}

#[test]
fn a_producers_waker_that_panics_costs_no_item() {
    for tries in [false, true] {
        let (tx, rx) = fifo(1);
        put(&tx, [1]);
        let mut second = tx.send(2);
        assert!(poll_with(&mut second, &panics()).is_pending());
        let job = if tries {
            rx.try_recv().ok()
        } else {
            match poll(&mut rx.recv()) {
                Poll::Ready(job) => job.ok(),
                Poll::Pending => None,
            }
        };
        assert_eq!(job.map(Job::into_inner), Some(1));
        assert!(poll(&mut second).is_ready());
        assert_eq!(drain(&rx), [2]);
    }
}
