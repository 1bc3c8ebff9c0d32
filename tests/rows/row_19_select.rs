//! The first wins: `select!`, `race`, `race_ok`, `staggered`.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

use crate::on_every_runtime;
use wakeline::sync::{Semaphore, oneshot};
use wakeline::{block_on, select, spawn, yield_now};

/// Says that it was dropped.
struct Noisy<'a>(&'static str, &'a RefCell<Vec<&'static str>>);

impl Drop for Noisy<'_> {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

#[test]
fn the_first_that_is_ready_wins() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel();
        let sender = spawn(async move {
            yield_now().await;
            tx.send(7).expect("it is waited for");
        });
        let won = select! {
            value = rx => value.expect("it was sent"),
            _ = pending::<()>() => unreachable!(),
        };
        assert_eq!(won, 7);
        sender.await.expect("no panic");
    });
}

#[test]
fn losers_are_dropped_before_the_handler_runs() {
    block_on(async {
        let log = RefCell::new(Vec::new());
        let loser = Noisy("loser dropped", &log);
        select! {
            biased;
            () = async move { let _held = loser; pending().await } => unreachable!(),
            () = ready(()) => log.borrow_mut().push("handler"),
        }
        assert_eq!(log.take(), ["loser dropped", "handler"]);
    });
}

#[test]
fn a_handler_may_borrow_again_what_the_futures_had_borrowed() {
    block_on(async {
        let mut count = 0;
        let mut text = String::from("a");
        for _ in 0..4 {
            select! {
                () = async { count += 1 } => { count += 10; text.push('x'); }
                () = async { text.push('y'); pending().await } => { text.clear() }
            }
        }
        assert_eq!(count, 44);
        assert_eq!(text.matches('x').count(), 4);
    });
}

#[test]
fn the_permit_of_a_loser_is_free_when_the_handler_runs() {
    on_every_runtime(|| async {
        let one = Semaphore::new(1);
        select! {
            biased;
            _ = async { let _held = one.acquire().await; pending::<()>().await } => unreachable!(),
            () = async { yield_now().await; yield_now().await } => {
                assert!(one.try_acquire().is_ok());
            }
        }
    });
}

#[test]
fn a_branch_whose_pattern_does_not_match_is_never_polled_again() {
    block_on(async {
        let polls = Cell::new(0);
        // Panics when it is polled after it was ready, as most futures do.
        let mut answered = false;
        let once = poll_fn(|_| {
            assert!(!answered, "polled after it was ready");
            answered = true;
            polls.set(polls.get() + 1);
            Poll::Ready(None::<u8>)
        });
        let won = select! {
            Some(value) = once => value,
            value = async { for _ in 0..5 { yield_now().await } 9 } => value,
        };
        assert_eq!((won, polls.get()), (9, 1));
    });
}

#[test]
fn a_false_condition_disables_a_branch_whose_future_is_still_made() {
    block_on(async {
        let made = Cell::new(false);
        let make = || {
            made.set(true);
            poll_fn(|_| -> Poll<()> { panic!("polled though disabled") })
        };
        let won = select! {
            () = make(), if false => 1,
            () = ready(()) => 2,
        };
        assert_eq!(won, 2);
        assert!(made.get());
    });
}

#[test]
fn else_runs_when_all_branches_are_disabled() {
    block_on(async {
        let conditions = select! {
            () = pending(), if false => 1,
            else => 2,
        };
        assert_eq!(conditions, 2);
        let patterns = select! {
            Some(n) = ready(None) => n,
            Ok(n) = async { yield_now().await; Err::<u8, ()>(()) } => n,
            else => 3,
        };
        assert_eq!(patterns, 3);
    });
}

#[test]
fn without_else_all_disabled_is_a_panic_with_advice() {
    let caught = catch_unwind(|| {
        block_on(async {
            select! { Some(()) = ready(None) => {} }
        });
    });
    let payload = caught.expect_err("nothing was left to wait for");
    let text = payload.downcast_ref::<&str>().expect("a text");
    assert!(text.contains("else"), "{text}");
}

#[test]
#[expect(clippy::never_loop, reason = "leaving them is what is tested")]
fn handlers_may_leave_the_function_and_the_loop() {
    async fn question(result: Result<u8, &'static str>) -> Result<u8, &'static str> {
        loop {
            let n = select! {
                result = ready(result) => result?,
                () = pending() => break,
            };
            if n > 3 {
                return Ok(n);
            }
            select! {
                () = ready(()), if n == 1 => break,
                () = ready(()) => return Ok(100),
            }
        }
        Ok(0)
    }
    block_on(async {
        assert_eq!(question(Err("failed")).await, Err("failed"));
        assert_eq!(question(Ok(4)).await, Ok(4));
        assert_eq!(question(Ok(1)).await.unwrap() % 100, 0);
        // The label of the user, not one of the macro.
        let mut rounds = 0;
        'outer: loop {
            loop {
                rounds += 1;
                select! { () = ready(()) => if rounds < 3 { continue 'outer } else { break 'outer } }
            }
        }
        assert_eq!(rounds, 3);
        // A handler may await.
        let n = select! { () = ready(()) => { yield_now().await; 5 } };
        assert_eq!(n, 5);
    });
}

#[test]
fn a_future_by_reference_goes_on_from_round_to_round() {
    on_every_runtime(|| async {
        let mut slow = Box::pin(async {
            for _ in 0..10 {
                yield_now().await;
            }
            "done"
        });
        let mut rounds = 0;
        let end = loop {
            select! {
                biased;
                end = &mut slow => break end,
                () = yield_now() => rounds += 1,
            }
        };
        assert_eq!(end, "done");
        // Each round polls it twice: it was not begun anew.
        assert!((4..=6).contains(&rounds), "{rounds} rounds");
    });
}

#[test]
fn always_ready_branches_take_turns() {
    block_on(async {
        let mut won = [0_u32; 5];
        for _ in 0..2_000 {
            let winner = select! {
                () = ready(()) => 0,
                () = ready(()) => 1,
                () = ready(()) => 2,
                () = ready(()) => 3,
                () = ready(()) => 4,
            };
            won[winner] += 1;
        }
        for (branch, times) in won.into_iter().enumerate() {
            assert!(times > 200, "branch {branch} won {times} times of 2000");
        }
    });
}

#[test]
fn biased_takes_the_first_and_polls_in_the_order_as_written() {
    block_on(async {
        let order = RefCell::new(Vec::new());
        let note = |n| {
            let order = &order;
            poll_fn(move |_| {
                order.borrow_mut().push(n);
                if n == 3 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
        };
        for _ in 0..3 {
            select! {
                biased;
                () = note(1) => unreachable!(),
                () = note(2) => unreachable!(),
                () = note(3) => {}
                () = note(4) => unreachable!(),
            }
        }
        assert_eq!(order.take(), [1, 2, 3, 1, 2, 3, 1, 2, 3]);
    });
}

#[test]
fn a_loop_of_selects_over_what_is_always_ready_lets_others_run() {
    // One thread: the other task runs only if this one gives way.
    let runtime = wakeline::Runtime::builder().workers(1).build().unwrap();
    runtime.block_on(async {
        let busy = spawn(async move {
            let other = spawn(async {});
            let mut rounds = 0_u64;
            while !other.is_finished() {
                select! {
                    () = ready(()) => rounds += 1,
                    () = pending() => unreachable!(),
                }
                assert!(rounds < 1_000_000, "the other task never ran");
            }
        });
        busy.await.unwrap();
    });
}

#[test]
fn a_select_that_is_dropped_drops_its_branches() {
    let log = RefCell::new(Vec::new());
    {
        let (a, b) = (Noisy("a", &log), Noisy("b", &log));
        let mut selecting = Box::pin(async {
            select! {
                () = async move { let _a = a; pending().await } => {}
                () = async move { let _b = b; pending().await } => {}
            }
        });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(selecting.as_mut().poll(&mut cx).is_pending());
        assert!(log.borrow().is_empty());
    }
    let mut dropped = log.take();
    dropped.sort_unstable();
    assert_eq!(dropped, ["a", "b"]);
}

#[test]
fn a_panic_in_a_branch_drops_the_others_and_passes_on() {
    let log = RefCell::new(Vec::new());
    let other = Noisy("other dropped", &log);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        block_on(async {
            select! {
                biased;
                () = async move { let _other = other; pending().await } => {}
                () = async { panic!("planned") } => {}
            }
        });
    }));
    assert!(caught.is_err());
    assert_eq!(log.take(), ["other dropped"]);
}
