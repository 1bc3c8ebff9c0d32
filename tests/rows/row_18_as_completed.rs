//! `as_completed`: one by one, as they come.

use std::cell::Cell;
use std::future::{Ready, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::on_every_runtime;
use crate::support::drops::{poll_idly, poll_once};
use wakeline::future::as_completed;
use wakeline::stream::StreamExt;
use wakeline::sync::oneshot;
use wakeline::time::timeout;
use wakeline::{block_on, spawn, yield_now};

#[test]
fn outputs_come_in_the_order_of_completion_with_the_index_of_the_input() {
    on_every_runtime(|| async {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| oneshot::channel()).unzip();
        let mut completed = as_completed(receivers);
        // Polled once, so that each has its waker.
        assert!(poll_once(pin!(completed.next())).await.is_pending());
        let mut senders: Vec<_> = senders.into_iter().map(Some).collect();
        for index in [2, 0, 3, 1] {
            let sender = senders[index].take().expect("each once");
            sender.send(index * 10).expect("it is waited for");
        }
        let mut order = Vec::new();
        while let Some((index, value)) = completed.next().await {
            assert_eq!(value, Ok(index * 10));
            order.push(index);
        }
        // All were ready when it was polled: ties come in the order of the wakes.
        assert_eq!(order, [2, 0, 3, 1]);
    });
}

#[test]
fn each_comes_once_and_the_end_stays_the_end() {
    on_every_runtime(|| async {
        let mut completed = as_completed((0..100).map(|n| async move {
            for _ in 0..n % 3 {
                yield_now().await;
            }
            n
        }));
        assert_eq!(completed.remaining(), 100);
        let mut seen = vec![false; 100];
        while let Some((index, n)) = completed.next().await {
            assert_eq!(index, n);
            assert!(!std::mem::replace(&mut seen[n], true), "{n} came twice");
        }
        assert!(seen.into_iter().all(|seen| seen));
        assert_eq!(completed.next().await, None);
        assert_eq!(as_completed(Vec::<Ready<()>>::new()).next().await, None);
    });
}

#[test]
fn the_iteration_may_be_left_and_taken_up_again() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel();
        let mut completed = as_completed([rx]);
        // Given up while nothing was there, and while something was on its way.
        drop(completed.next());
        assert!(
            timeout(Duration::from_millis(1), completed.next())
                .await
                .is_err()
        );
        tx.send(1).expect("it is waited for");
        drop(completed.next());
        assert_eq!(completed.next().await, Some((0, Ok(1))));
    });
}

#[test]
fn a_limit_goes_around_the_whole_iteration() {
    on_every_runtime(|| async {
        let mut seen = 0;
        let limited = timeout(Duration::from_millis(2), async {
            let (tx, rx) = oneshot::channel();
            tx.send(()).expect("it is waited for");
            let (_never, other) = oneshot::channel();
            let mut completed = as_completed([rx, other]);
            while completed.next().await.is_some() {
                seen += 1;
            }
        });
        assert!(limited.await.is_err());
        assert_eq!(seen, 1);
    });
}

#[test]
fn dropping_the_stream_drops_what_is_not_done() {
    struct Counts<'a>(&'a Cell<u32>);
    impl Drop for Counts<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Cell::new(0);
    let mut completed = as_completed((0..3).map(|n| {
        let counts = Counts(&drops);
        async move {
            let _counts = counts;
            if n != 1 {
                pending::<()>().await;
            }
        }
    }));
    assert_eq!(
        poll_idly(pin!(completed.next())),
        Poll::Ready(Some((1, ())))
    );
    assert_eq!(drops.get(), 1);
    drop(completed);
    assert_eq!(drops.get(), 3);
}

#[test]
fn of_handles_the_tasks_go_on_or_not_as_the_handle_says() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel::<()>();
        let detached = spawn(async move {
            rx.await.expect("it is sent");
            done.send(()).expect("it is waited for");
        });
        drop(as_completed([detached]));
        tx.send(()).expect("the task lives");
        is_done.await.expect("it went on");

        let bound = spawn(pending::<()>());
        let abort = bound.abort_handle();
        drop(as_completed([bound.abort_on_drop()]));
        while !abort.is_finished() {
            yield_now().await;
        }
    });
}

#[test]
fn a_panic_comes_where_the_stream_is_polled_and_the_others_go_on() {
    let mut completed = as_completed((0..3).map(|n| async move {
        assert_ne!(n, 1, "planned");
        n
    }));
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        let next = catch_unwind(AssertUnwindSafe(|| {
            block_on(async { completed.next().await })
        }));
        outcomes.push(next.map_err(drop));
    }
    assert_eq!(
        outcomes,
        [Ok(Some((0, 0))), Err(()), Ok(Some((2, 2))), Ok(None)]
    );
}
