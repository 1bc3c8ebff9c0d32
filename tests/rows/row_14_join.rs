//! All of them: `join!`, `join_all`, `try_join!`, `try_join_all`.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::task::{Context, Poll, Waker};

use crate::on_every_runtime;
use wakeline::sync::oneshot;
use wakeline::{block_on, join, spawn, try_join, yield_now};

/// Counts a drop.
struct Counts<'a>(&'a Cell<u32>);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Ready after so many polls; panics when polled again.
fn after<T: Clone>(polls: u32, value: T) -> impl Future<Output = T> {
    let mut left = Some(polls);
    poll_fn(move |cx| {
        let polls = left.expect("polled after it was ready");
        left = polls.checked_sub(1);
        if left.is_some() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(value.clone())
    })
}

#[test]
fn outputs_come_in_the_order_of_the_inputs() {
    on_every_runtime(|| async {
        let outputs = join!(after(3, 'a'), after(0, "b"), after(1, 3), ready(()));
        assert_eq!(outputs, ('a', "b", 3, ()));
    });
}

#[test]
fn nothing_to_wait_for_is_ready_at_once() {
    block_on(async {
        let () = join!();
        assert_eq!(try_join!(), Ok::<(), ()>(()));
        assert_eq!(join!(ready(1),), (1,));
    });
}

#[test]
fn all_run_at_once() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel();
        // Done one after the other, this would wait for ever.
        let (received, sent) = join!(rx, async { tx.send(1) });
        assert_eq!((received, sent), (Ok(1), Ok(())));
    });
}

#[test]
fn what_a_branch_held_is_dropped_when_it_is_done_and_not_when_all_are() {
    block_on(async {
        let drops = Cell::new(0);
        let held = Counts(&drops);
        join!(async move { drop(held) }, async {
            yield_now().await;
            assert_eq!(drops.get(), 1);
        });
    });
}

#[test]
fn each_poll_begins_with_another_branch_unless_biased() {
    block_on(async {
        let order = RefCell::new(Vec::new());
        let note = |n| {
            let (order, mut polls) = (&order, 0);
            poll_fn(move |cx: &mut Context<'_>| {
                order.borrow_mut().push(n);
                polls += 1;
                cx.waker().wake_by_ref();
                if polls == 3 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
        };
        join!(note(1), note(2), note(3));
        assert_eq!(order.take(), [1, 2, 3, 2, 3, 1, 3, 1, 2]);
        join!(biased; note(1), note(2), note(3));
        assert_eq!(order.take(), [1, 2, 3, 1, 2, 3, 1, 2, 3]);
        let result = try_join!(biased; async { note(1).await; Ok::<_, ()>(()) }, ready(Ok(2)));
        assert_eq!(result, Ok(((), 2)));
    });
}

#[test]
fn a_branch_that_uses_up_the_budget_does_not_starve_the_others() {
    on_every_runtime(|| async {
        let semaphore = wakeline::sync::Semaphore::new(1_000);
        let done = std::sync::atomic::AtomicBool::new(false);
        let greedy = async {
            let mut rounds = 0_u64;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                drop(semaphore.acquire().await);
                rounds += 1;
                assert!(rounds < 1_000_000, "the other branch never ran");
            }
            Ok::<(), ()>(())
        };
        let modest = async {
            for _ in 0..3 {
                drop(semaphore.acquire().await);
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        };
        assert_eq!(try_join!(greedy, modest), Ok(((), ())));
    });
}

#[test]
fn the_first_error_ends_it_and_the_others_are_gone_by_then() {
    on_every_runtime(|| async {
        let result = {
            let drops = Cell::new(0);
            let mut joining = Box::pin(async {
                let (a, b) = (Counts(&drops), Counts(&drops));
                let result = try_join!(
                    async move {
                        let _a = a;
                        pending::<Result<(), &str>>().await
                    },
                    async {
                        after(1, ()).await;
                        Err::<(), _>("failed")
                    },
                    async move {
                        let _b = b;
                        pending::<Result<(), &str>>().await
                    },
                );
                assert_eq!(drops.get(), 2, "the others live on");
                result.map(|_| ())
            });
            let mut cx = Context::from_waker(Waker::noop());
            assert!(joining.as_mut().poll(&mut cx).is_pending());
            joining.as_mut().poll(&mut cx)
        };
        assert_eq!(result, Poll::Ready(Err("failed")));
    });
}

#[test]
fn the_others_are_gone_also_inside_the_match_on_the_result() {
    block_on(async {
        let drops = Cell::new(0);
        let other = Counts(&drops);
        match try_join!(ready(Err::<(), _>(1)), async {
            let _other = other;
            pending::<Result<(), i32>>().await
        }) {
            Err(1) => assert_eq!(drops.get(), 1),
            _ => unreachable!(),
        }
    });
}

#[test]
fn a_join_of_what_is_send_is_send() {
    fn spawnable<F: Future + Send + 'static>(_: F) {}
    spawnable(async {
        join!(yield_now(), ready(1));
        try_join!(
            async {
                yield_now().await;
                Ok::<_, ()>(String::new())
            },
            ready(Ok(2))
        )
    });
}

#[test]
fn handles_are_joined_as_any_future_and_their_task_runs_in_parallel() {
    on_every_runtime(|| async {
        let (a, b) = join!(spawn(async { 1 }), spawn(async { 2 }));
        assert_eq!((a.unwrap(), b.unwrap()), (1, 2));
    });
}
