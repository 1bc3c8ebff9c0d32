//! All of as many as there are: `join_all`, `try_join_all`, `try_join_tasks`.

use std::cell::Cell;
use std::future::{Ready, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use crate::on_every_runtime;
use crate::support::drops::{poll_idly, poll_once};
use wakeline::future::{flatten, join_all, try_join_all, try_join_tasks};
use wakeline::join_set::TaskError;
use wakeline::sync::{Semaphore, oneshot};
use wakeline::{block_on, spawn, try_join, yield_now};

struct Counts<'a>(&'a Cell<u32>);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn outputs_come_in_the_order_of_the_inputs_whatever_the_order_of_the_ends() {
    on_every_runtime(|| async {
        let outputs = join_all((0..50_u32).map(|n| async move {
            for _ in 0..(50 - n) % 11 {
                yield_now().await;
            }
            n
        }));
        assert_eq!(outputs.await, (0..50).collect::<Vec<_>>());
    });
}

#[test]
fn of_none_it_is_ready_at_once() {
    assert_eq!(
        poll_idly(pin!(join_all(Vec::<Ready<u8>>::new()))),
        Poll::Ready(vec![])
    );
    let none = try_join_all(Vec::<Ready<Result<u8, u8>>>::new());
    assert_eq!(poll_idly(pin!(none)), Poll::Ready(Ok(vec![])));
}

#[test]
fn only_those_that_were_woken_are_polled() {
    on_every_runtime(|| async {
        let polls = Arc::new(AtomicUsize::new(0));
        let (tx, rx) = oneshot::channel::<()>();
        let mut rx = Some(rx);
        let mut joined = Box::pin(join_all((0..1_000).map(|n| {
            let (polls, mut rx) = (Arc::clone(&polls), if n == 500 { rx.take() } else { None });
            let mut first = true;
            poll_fn(move |cx| {
                polls.fetch_add(1, Ordering::Relaxed);
                if let Some(rx) = &mut rx {
                    return std::pin::Pin::new(rx).poll(cx).map(drop);
                }
                // The others are ready at their second poll.
                if std::mem::replace(&mut first, false) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(())
            })
        })));
        // Until all but one are done, and nothing is woken any more.
        for _ in 0..200 {
            assert!(poll_once(joined.as_mut()).await.is_pending());
            yield_now().await;
        }
        let before = polls.load(Ordering::Relaxed);
        assert_eq!(before, 1_999);
        tx.send(()).expect("it is waited for");
        joined.await;
        assert_eq!(polls.load(Ordering::Relaxed), before + 1);
    });
}

#[test]
fn the_first_error_ends_it_and_the_others_are_gone_by_then() {
    block_on(async {
        let drops = Cell::new(0);
        let mut joining = try_join_all((0..40).map(|n| {
            let counts = Counts(&drops);
            async move {
                let _counts = counts;
                if n < 30 {
                    yield_now().await;
                    return Ok(n);
                }
                if n == 39 {
                    yield_now().await;
                    return Err(n);
                }
                pending().await
            }
        }));
        // By reference: the call itself is not dropped.
        match (&mut joining).await {
            Err(39) => assert_eq!(drops.get(), 40),
            other => unreachable!("{other:?}"),
        }
    });
}

#[test]
fn a_panic_passes_on_and_the_others_are_dropped_with_the_call() {
    let drops = Cell::new(0);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        block_on(join_all((0..3).map(|n| {
            let counts = Counts(&drops);
            async move {
                let _counts = counts;
                assert_ne!(n, 1, "planned");
                pending::<()>().await;
            }
        })))
    }));
    assert!(caught.is_err());
    assert_eq!(drops.get(), 3);
}

#[test]
fn one_that_uses_up_the_budget_does_not_starve_the_others() {
    on_every_runtime(|| async {
        let semaphore = Arc::new(Semaphore::new(100));
        let done = Arc::new(AtomicBool::new(false));
        join_all((0..2).map(|n| {
            let (semaphore, done) = (Arc::clone(&semaphore), Arc::clone(&done));
            async move {
                for round in 0..1_000_000_u64 {
                    drop(semaphore.acquire().await);
                    if n == 1 && round == 300 {
                        done.store(true, Ordering::Relaxed);
                    }
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                }
                unreachable!("the other one never ran");
            }
        }))
        .await;
    });
}

#[test]
fn a_destructor_that_wakes_and_spawns_does_no_harm_to_the_join() {
    struct Spawns(Option<oneshot::Sender<()>>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let tx = self.0.take().expect("once");
            drop(spawn(async move { tx.send(()) }));
        }
    }
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel();
        let (tx, mut rx) = (Some(tx), Some(rx));
        let mut spawns = tx.map(|tx| Spawns(Some(tx)));
        join_all((0..2).map(|n| {
            let (spawns, rx) = if n == 0 {
                (spawns.take(), None)
            } else {
                (None, rx.take())
            };
            async move {
                drop(spawns);
                if let Some(rx) = rx {
                    rx.await.expect("the destructor's task sends it");
                }
            }
        }))
        .await;
    });
}

#[test]
fn joined_handles_hide_what_a_task_returned_and_flattened_ones_do_not() {
    on_every_runtime(|| async {
        let task = |result: Result<u8, &'static str>| spawn(async move { result });
        // The confusion: both tasks "succeeded".
        let hidden = try_join!(task(Ok(1)), task(Err("failed")));
        assert_eq!(hidden.expect("no panic").1, Err("failed"));
        let seen = try_join!(flatten(task(Ok(1))), flatten(task(Err("failed"))));
        assert_eq!(seen.expect_err("it failed").failed(), Some("failed"));

        let all = try_join_tasks([task(Ok(1)), task(Ok(2))]).await;
        assert_eq!(all.expect("both succeed"), [1, 2]);
        let one = try_join_tasks([task(Ok(1)), task(Err("failed"))]).await;
        assert_eq!(one.expect_err("it failed").failed(), Some("failed"));
        let panicked = spawn(async { panic!("planned") });
        let one = try_join_tasks([task(Ok(1)), panicked]).await;
        assert!(matches!(one, Err(TaskError::Join(error)) if error.is_panic()));
        let aborted = spawn(pending());
        aborted.abort();
        let one = try_join_tasks([task(Ok(1)), aborted]).await;
        assert!(one.is_err_and(|error| error.is_cancelled()));
    });
}

#[test]
fn joins_of_what_is_send_are_send() {
    fn spawnable<F: Future + Send + 'static>(_: F) {}
    spawnable(join_all([yield_now()]));
    spawnable(try_join_all([ready(Ok::<u8, u8>(1))]));
    spawnable(async {
        try_join_tasks([spawn(async { Ok::<_, ()>(1) })])
            .await
            .is_ok()
    });
}
