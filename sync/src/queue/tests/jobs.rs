//! Jobs, the count of the unfinished, and those who join.

use super::super::*;
use super::{drain, put, ready};
use crate::testing::{Count, panics, poll, poll_with};

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
fn a_joiners_waker_that_panics_does_not_cost_the_value() {
    let (tx, rx) = fifo(8);
    put(&tx, [7]);
    let mut join = tx.join();
    assert!(poll_with(&mut join, &panics()).is_pending());
    assert_eq!(rx.try_recv().unwrap().into_inner(), 7);
    assert!(poll(&mut join).is_ready());
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

/// It was told that nothing will come, and then a job came back: nobody else may
/// be left who would take it.
#[test]
fn who_was_refused_looks_for_a_job_that_was_put_back_meanwhile() {
    let (tx, rx) = Builder::fifo(1).build();
    put(&tx, [1]);
    let job = rx.try_recv().unwrap();
    let (_, waker) = Count::new();
    let mut next = rx.recv();
    assert!(poll_with(&mut next, &waker).is_pending());
    tx.shutdown(Shutdown::Graceful);
    job.requeue();
    assert_eq!(*ready(poll_with(&mut next, &waker)).unwrap(), 1);
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
