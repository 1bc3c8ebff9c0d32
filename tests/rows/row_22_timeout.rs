//! A limit on any future: what is ready wins, and the rest is dropped in time.

use std::cell::Cell;
use std::future::{pending, ready};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use wakeline::future::{When, wait};
use wakeline::sync::{Semaphore, mpsc};
use wakeline::time::{self, sleep, timeout, timeout_at};
use wakeline::{CancelToken, FutureExt, JoinSet, Scope, scope, spawn, yield_now};

use crate::on_every_runtime;
use crate::row_26_virtual_time::{MS, S, paused, turns_of_a_second};

#[test]
fn a_ready_future_wins_over_any_limit() {
    on_every_runtime(|| async {
        let past = time::now() - Duration::from_nanos(1);
        assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
        assert_eq!(timeout(None, ready(2)).await, Ok(2));
        assert_eq!(timeout(Duration::MAX, ready(3)).await, Ok(3));
        assert_eq!(timeout_at(past, ready(4)).await, Ok(4));
        assert_eq!(ready(5).timeout(MS(1)).await, Ok(5));
        assert_eq!(ready(6).timeout_at(past).await, Ok(6));
    });
}

#[test]
fn a_limit_of_zero_runs_the_future_up_to_its_first_suspension() {
    on_every_runtime(|| async {
        let mut reached = 0;
        let limited = async {
            reached = 1;
            yield_now().await;
            reached = 2;
        };
        assert!(limited.timeout(Duration::ZERO).await.is_err());
        assert_eq!(reached, 1);

        let never_waits = async { 7 };
        assert_eq!(never_waits.timeout(Duration::ZERO).await, Ok(7));
    });
}

#[test]
fn the_limit_is_never_early_and_by_a_stopped_clock_exact() {
    on_every_runtime(|| async {
        let start = time::now();
        assert!(pending::<()>().timeout(MS(2)).await.is_err());
        assert!(time::now() - start >= MS(2));
    });
    paused(|| async {
        let start = time::now();
        assert!(pending::<()>().timeout(S(3_600)).await.is_err());
        assert_eq!(time::now() - start, S(3_600));
    });
}

#[test]
fn who_is_ready_at_the_very_deadline_is_in_time() {
    paused(|| async {
        let start = time::now();
        assert_eq!(sleep(MS(10)).timeout(MS(10)).await, Ok(()));
        // Also if the limit fires first: it is looked at last.
        let deadline = time::now() + MS(10);
        let late_sleep = async {
            yield_now().await;
            time::sleep_until(deadline).await;
        };
        assert_eq!(late_sleep.timeout_at(deadline).await, Ok(()));
        assert_eq!(time::now() - start, MS(20));
    });
}

#[test]
fn the_future_is_dropped_before_the_caller_sees_the_error() {
    struct Sets(Rc<Cell<bool>>);
    impl Drop for Sets {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    paused(|| async {
        let dropped = Rc::new(Cell::new(false));
        let guard = Sets(Rc::clone(&dropped));
        let holds_it = async move {
            let _guard = guard;
            pending::<()>().await;
        };
        let mut limited = std::pin::pin!(holds_it.timeout(MS(1)));
        assert!(limited.as_mut().await.is_err());
        assert!(dropped.get());
        assert!(limited.get_ref().is_none());
    });
}

#[test]
fn a_destructor_may_sleep_spawn_and_time_out_in_turn() {
    struct Spawns;
    impl Drop for Spawns {
        fn drop(&mut self) {
            let nap = sleep(MS(1));
            drop(spawn(async move {
                nap.await;
                pending::<()>().timeout(MS(1)).await
            }));
        }
    }
    on_every_runtime(|| async {
        let guard = Spawns;
        let holds_it = async move {
            let _guard = guard;
            pending::<()>().await;
        };
        assert!(holds_it.timeout(MS(1)).await.is_err());
        sleep(MS(1)).await;
    });
}

#[test]
fn a_panic_of_the_destructor_comes_out_once() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in the drop");
        }
    }
    on_every_runtime(|| async {
        let task = spawn(async {
            let guard = Panics;
            let holds_it = async move {
                let _guard = guard;
                pending::<()>().await;
            };
            holds_it.timeout(MS(1)).await
        });
        let error = task.await.expect_err("a panic");
        assert!(error.to_string().contains("in the drop"), "{error}");
    });
}

#[test]
fn the_futures_own_error_comes_out_unchanged() {
    paused(|| async {
        let fails = async { Err::<(), _>("its own") };
        assert_eq!(fails.timeout(MS(1)).await, Ok(Err("its own")));

        async fn by_question_mark() -> io::Result<()> {
            pending::<()>().timeout(MS(1)).await?;
            Ok(())
        }
        let error = by_question_mark().await.expect_err("it elapsed");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn no_limit_and_one_without_end_never_pass() {
    paused(|| async {
        let year = S(60 * 60 * 24 * 365);
        for limit in [None, Some(Duration::MAX), Some(Duration::MAX - MS(1))] {
            assert_eq!(sleep(year).timeout(limit).await, Ok(()), "{limit:?}");
        }
    });
}

#[test]
fn a_future_that_uses_up_each_polls_budget_does_not_escape() {
    on_every_runtime(|| async {
        let semaphore = Semaphore::new(1);
        let always_ready = async {
            loop {
                drop(semaphore.acquire().await);
            }
        };
        let result: Result<(), _> = always_ready.timeout(MS(2)).await;
        assert!(result.is_err());
    });
}

#[test]
fn a_limit_on_a_handle_leaves_the_task_running() {
    paused(|| async {
        let mut handle = spawn(async {
            sleep(MS(10)).await;
            7
        });
        assert!((&mut handle).timeout(MS(1)).await.is_err());
        assert!(!handle.is_finished());
        assert_eq!(handle.await.expect("no panic"), 7);
    });
}

#[test]
fn a_limit_that_was_met_leaves_no_timer_behind() {
    paused(|| async {
        for n in 1..=1_000 {
            let quick = async {
                yield_now().await;
            };
            assert_eq!(quick.timeout(Duration::from_micros(n)).await, Ok(()));
        }
        let turns = turns_of_a_second().await;
        assert!(turns < 10, "{turns} turns");
    });
}

#[test]
fn what_is_ready_wins_also_when_the_share_of_the_poll_is_used_up() {
    on_every_runtime(|| async {
        let (sender, mut receiver) = mpsc::channel(1_000);
        for n in 0..1_000 {
            sender.try_send(n).expect("there is room");
        }
        let past = time::now() - Duration::from_nanos(1);
        for n in 0..500 {
            assert_eq!(receiver.recv().timeout(Duration::ZERO).await, Ok(Some(n)));
        }
        for n in 500..900 {
            assert_eq!(receiver.recv().timeout_at(past).await, Ok(Some(n)));
        }
        // Two of them in each, so that a share ends between these, too.
        for n in (900..1_000).step_by(2) {
            let two = async { (receiver.recv().await, receiver.recv().await) };
            assert_eq!(two.timeout_at(past).await, Ok((Some(n), Some(n + 1))));
        }
    });
}

#[test]
fn who_uses_up_each_share_does_not_escape_the_limit() {
    on_every_runtime(|| async {
        let busy = async {
            loop {
                budget_of_one().await;
            }
        };
        assert!(timeout(Duration::ZERO, busy).await.is_err());
    });
}

/// Ready, at the price of any that is.
async fn budget_of_one() {
    let semaphore = Semaphore::new(1);
    drop(semaphore.acquire().await.expect("open"));
}

/// Does it again and again, until another task has had a turn.
async fn gives_way<F: Future<Output = ()>>(gives_up: impl Fn() -> F) {
    let other = spawn(async {});
    let mut rounds = 0_u32;
    while !other.is_finished() {
        gives_up().await;
        rounds += 1;
        assert!(rounds < 10_000_000, "nobody else had a turn");
    }
}

#[test]
fn a_limit_on_a_future_gives_way_to_others_sooner_or_later() {
    on_every_runtime(|| {
        gives_way(async || {
            assert!(pending::<()>().timeout(Duration::ZERO).await.is_err());
        })
    });
}

#[test]
fn a_cancel_of_a_future_gives_way_to_others_sooner_or_later() {
    on_every_runtime(|| {
        let token = CancelToken::new();
        token.cancel("no more");
        gives_way(move || {
            let stopped = pending::<()>().or_cancelled().with_token(token.clone());
            async { assert!(stopped.await.is_err()) }
        })
    });
}

#[test]
fn a_limit_on_a_scope_gives_way_to_others_sooner_or_later() {
    on_every_runtime(|| {
        gives_way(async || {
            let stopped = scope(|_: Scope<'_, ()>| pending::<Result<(), ()>>());
            assert!(stopped.timeout(Duration::ZERO).await.is_err());
        })
    });
}

#[test]
fn a_limit_on_a_set_gives_way_to_others_sooner_or_later() {
    on_every_runtime(|| {
        gives_way(async || {
            let mut set = JoinSet::new();
            set.spawn(pending::<()>());
            assert_eq!(wait(&mut set, When::All, Duration::ZERO).await.pending, 1);
        })
    });
}
