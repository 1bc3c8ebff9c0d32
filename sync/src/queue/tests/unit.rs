//! Each nasty case once, by hand-polled futures.

use super::super::*;
use crate::error::Closed;
use crate::testing::{Count, poll, poll_with};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

#[track_caller]
fn put<T>(producer: &Producer<T>, values: impl IntoIterator<Item = T>) {
    for value in values {
        assert!(producer.try_send(value).is_ok(), "there is room");
    }
}

/// What can be received now, finished at once.
fn drain<T>(consumer: &Consumer<T>) -> Vec<T> {
    std::iter::from_fn(|| consumer.try_recv().ok().map(Job::into_inner)).collect()
}

#[track_caller]
fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it is not ready"),
    }
}

#[test]
fn everything_may_go_to_another_thread_and_be_moved() {
    fn anywhere<T: std::marker::Send + Sync + Unpin>() {}
    struct Pinned(#[expect(dead_code, reason = "makes it !Unpin")] std::marker::PhantomPinned);
    anywhere::<(Producer<u8>, Consumer<u8>, Job<u8>, Permit<'_, u8>)>();
    anywhere::<(Send<'_, u8>, Reserve<'_, u8>, Recv<'_, u8>, Join<'_, u8>)>();
    anywhere::<Send<'_, Pinned>>();
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

#[test]
fn join_waits_for_what_is_worked_on_and_is_ready_any_number_of_times() {
    let (tx, rx) = fifo(8);
    assert!(poll(&mut tx.join()).is_ready());
    assert!(poll(&mut rx.join()).is_ready());
    put(&tx, [1, 2]);
    let (woken, waker) = Count::new();
    let mut join = tx.join();
    assert!(poll_with(&mut join, &waker).is_pending());
    let job = rx.try_recv().unwrap();
    rx.try_recv().unwrap().done();
    assert_eq!((woken.get(), tx.unfinished(), tx.len()), (0, 1, 0));
    put(&tx, [3]); // found while it worked
    drop(job);
    assert_eq!(woken.get(), 0);
    assert_eq!(rx.try_recv().unwrap().into_inner(), 3);
    assert_eq!(woken.get(), 1);
    put(&tx, [4]); // after the grant: it stays one
    assert!(poll(&mut join).is_ready());
    assert!(poll(&mut tx.join()).is_pending());
}

#[test]
fn the_count_is_exact_with_receivers_that_give_up() {
    let (tx, rx) = fifo(8);
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending());
    put(&tx, [1]);
    drop(recv); // granted, not taken
    assert_eq!(tx.unfinished(), 1);
    let mut join = tx.join();
    assert!(poll(&mut join).is_pending());
    rx.try_recv().unwrap().done();
    assert!(poll(&mut join).is_ready());
    assert_eq!(tx.unfinished(), 0);
}

#[test]
fn a_job_that_comes_back_stands_where_it_stood() {
    for requeue in [false, true] {
        let (tx, rx) = Builder::fifo(2).requeue_on_drop(requeue).build();
        put(&tx, [1, 2]);
        let (one, two) = (rx.try_recv().unwrap(), rx.try_recv().unwrap());
        put(&tx, [3, 4]);
        if requeue {
            drop(two);
            drop(one);
        } else {
            two.requeue();
            one.requeue();
        }
        assert_eq!(tx.len(), 4, "above the capacity");
        assert!(tx.try_send(5).is_err());
        let job = rx.try_recv().unwrap();
        assert_eq!((*job, job.attempts()), (1, 2));
        job.done();
        assert_eq!(drain(&rx), [2, 3, 4]);
        assert_eq!(tx.unfinished(), 0);
    }
    let (tx, rx) = lifo(8);
    put(&tx, [1, 2]);
    let two = rx.try_recv().unwrap();
    put(&tx, [3]);
    two.requeue();
    assert_eq!(drain(&rx), [3, 2, 1]);
    let (tx, rx) = priority(8);
    put(&tx, [(1, 'a'), (1, 'b'), (0, 'c')]);
    let (c, a) = (rx.try_recv().unwrap(), rx.try_recv().unwrap());
    a.requeue();
    c.requeue();
    assert_eq!(drain(&rx), [(0, 'c'), (1, 'a'), (1, 'b')]);
}

#[test]
fn a_job_that_comes_back_wakes_a_receiver() {
    let (tx, rx) = Builder::fifo(1).requeue_on_drop(true).build();
    put(&tx, ["work"]);
    let job = rx.try_recv().unwrap();
    let (woken, waker) = Count::new();
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, &waker).is_pending());
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _job = job;
        panic!("the worker died");
    }));
    assert!(died.is_err());
    assert_eq!(woken.get(), 1);
    let again = ready(poll(&mut recv)).unwrap();
    assert_eq!((*again, again.attempts(), tx.unfinished()), ("work", 2, 1));
    again.done();
    assert_eq!(tx.unfinished(), 0);
}

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
fn a_job_outlives_both_ends() {
    let (tx, rx) = Builder::fifo(1).requeue_on_drop(true).build();
    let alive = Arc::new(());
    put(&tx, [Arc::clone(&alive)]);
    let job = rx.try_recv().unwrap();
    drop((tx, rx));
    assert_eq!(Arc::strong_count(&job), 2);
    drop(job);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn consumers_of_a_requeueing_queue_wait_for_the_jobs_of_others() {
    let (tx, rx) = Builder::fifo(1).requeue_on_drop(true).build();
    put(&tx, [1]);
    drop(tx);
    let job = rx.try_recv().unwrap();
    let mut other = rx.recv();
    assert!(poll(&mut other).is_pending());
    drop(job); // its worker died
    let job = ready(poll(&mut other)).unwrap();
    let mut third = rx.recv();
    assert!(poll(&mut third).is_pending());
    job.done();
    assert!(ready(poll(&mut third)).is_err());
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

/// Uses the queue when it is dropped, and panics if told to.
struct Grenade {
    queue: Producer<Grenade>,
    panics: bool,
}

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(self.queue.len() < 100);
        assert!(!self.panics, "planned");
    }
}

#[test]
fn a_destructor_may_use_the_queue_and_panic_and_join_ends_all_the_same() {
    let (tx, rx) = fifo(8);
    let grenade = |panics| Grenade {
        queue: tx.clone(),
        panics,
    };
    put(&tx, [grenade(true), grenade(true), grenade(false)]);
    let mut join = tx.join();
    assert!(poll(&mut join).is_pending());
    let job = rx.try_recv().unwrap();
    for end in [
        Box::new(move || job.done()) as Box<dyn FnOnce()>,
        Box::new(|| tx.shutdown(Shutdown::Immediate)),
    ] {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(end)).is_err());
    }
    assert!(poll(&mut join).is_ready());
    assert_eq!(tx.unfinished(), 0);
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
