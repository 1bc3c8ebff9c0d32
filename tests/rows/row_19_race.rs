//! The first of many: `race`, `race_ok`, `staggered`.

use std::cell::Cell;
use std::future::{Ready, pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::on_every_runtime;
use crate::support::drops::poll_once;
use wakeline::future::{race, race_ok, staggered};
use wakeline::sync::{Semaphore, oneshot};
use wakeline::time::sleep;
use wakeline::{block_on, yield_now};

struct Counts<'a>(&'a Cell<u32>);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn the_winner_comes_with_its_index_and_the_losers_are_gone() {
    block_on(async {
        let drops = Cell::new(0);
        let mut racing = race((0..10).map(|n| {
            let counts = Counts(&drops);
            async move {
                let _counts = counts;
                if n != 7 {
                    pending::<()>().await;
                }
                n * 10
            }
        }));
        // By reference: the race itself is not dropped.
        match (&mut racing).await {
            Some((7, 70)) => assert_eq!(drops.get(), 10),
            other => unreachable!("{other:?}"),
        }
    });
}

#[test]
fn a_race_of_none_has_no_winner() {
    block_on(async {
        assert_eq!(race(Vec::<Ready<u8>>::new()).await, None);
        assert_eq!(
            race_ok(Vec::<Ready<Result<u8, u8>>>::new()).await,
            Err(vec![])
        );
        let outcome = staggered(Duration::ZERO, Vec::<Ready<Result<u8, u8>>>::new()).await;
        assert_eq!((outcome.winner, outcome.errors), (None, vec![]));
    });
}

#[test]
fn of_several_that_are_ready_each_wins_now_and_then() {
    block_on(async {
        let mut won = [0_u32; 3];
        for _ in 0..900 {
            let (index, ()) = race([(); 3].map(ready)).await.expect("three");
            won[index] += 1;
        }
        for (index, times) in won.into_iter().enumerate() {
            assert!(times > 150, "{index} won {times} times of 900");
        }
    });
}

#[test]
fn the_permit_of_a_loser_is_free_when_the_race_is_over() {
    on_every_runtime(|| async {
        let one = Arc::new(Semaphore::new(1));
        race((0..2).map(|n| {
            let one = Arc::clone(&one);
            async move {
                if n == 0 {
                    let _held = one.acquire().await;
                    pending::<()>().await;
                }
                yield_now().await;
            }
        }))
        .await;
        assert!(one.try_acquire().is_ok());
    });
}

#[test]
fn a_failure_is_no_win_and_all_failures_come_in_the_order_of_the_inputs() {
    on_every_runtime(|| async {
        let attempt = |n: u32, good: u32| async move {
            for _ in 0..5 - n {
                yield_now().await;
            }
            if n == good { Ok(n) } else { Err(n) }
        };
        let won = race_ok((0..5).map(|n| attempt(n, 2))).await;
        assert_eq!(won, Ok((2, 2)));
        let lost = race_ok((0..5).map(|n| attempt(n, 99))).await;
        assert_eq!(lost, Err(vec![0, 1, 2, 3, 4]));
    });
}

#[test]
fn the_losers_of_race_ok_are_gone_when_the_winner_is_seen() {
    block_on(async {
        let drops = Cell::new(0);
        let mut racing = race_ok((0..5).map(|n| {
            let counts = Counts(&drops);
            async move {
                let _counts = counts;
                match n {
                    3 => Ok(n),
                    4 => Err(n),
                    _ => pending().await,
                }
            }
        }));
        match (&mut racing).await {
            Ok((3, 3)) => assert_eq!(drops.get(), 5),
            other => unreachable!("{other:?}"),
        }
    });
}

#[test]
fn without_a_delay_the_next_attempt_starts_at_a_failure_only() {
    on_every_runtime(|| async {
        let started = Arc::new(AtomicUsize::new(0));
        let (tx, rx) = oneshot::channel::<()>();
        let mut rx = Some(rx);
        let mut outcome = Box::pin(staggered(
            None,
            (0..4).map({
                let started = Arc::clone(&started);
                move |n| {
                    // Attempts are taken when they start.
                    started.fetch_add(1, Ordering::Relaxed);
                    let rx = rx.take();
                    async move {
                        if let Some(rx) = rx {
                            rx.await.expect("it is sent");
                        }
                        if n == 2 { Ok(n) } else { Err(n * 10) }
                    }
                }
            }),
        ));
        for _ in 0..20 {
            assert!(poll_once(outcome.as_mut()).await.is_pending());
            yield_now().await;
        }
        assert_eq!(started.load(Ordering::Relaxed), 1);
        tx.send(()).expect("it is waited for");
        let outcome = outcome.await;
        assert_eq!(outcome.winner, Some((2, 2)));
        assert_eq!(outcome.errors, [(0, 0), (1, 10)]);
        assert_eq!(
            started.load(Ordering::Relaxed),
            3,
            "the fourth was not needed"
        );
    });
}

#[test]
fn with_a_delay_the_next_attempt_starts_beside_a_silent_one() {
    on_every_runtime(|| async {
        let delay = Duration::from_millis(2);
        let start = Instant::now();
        let outcome = staggered(
            delay,
            (0..3).map(|n| async move {
                if n < 2 {
                    pending::<()>().await;
                }
                Ok::<_, ()>(n)
            }),
        )
        .await;
        assert!(start.elapsed() >= 2 * delay);
        assert_eq!(outcome.winner, Some((2, 2)));
        assert_eq!(outcome.errors, []);
    });
}

#[test]
fn an_early_attempt_may_still_win_after_later_ones_have_started() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel();
        let (mut tx, mut rx) = (Some(tx), Some(rx));
        let outcome = staggered(
            Duration::ZERO,
            (0..3).map(|n| {
                let (tx, rx) = match n {
                    0 => (None, rx.take()),
                    2 => (tx.take(), None),
                    _ => (None, None),
                };
                async move {
                    if let Some(rx) = rx {
                        return rx.await.map_err(|_| "the last attempt went away");
                    }
                    if let Some(tx) = tx {
                        tx.send(7).expect("the first attempt waits");
                    }
                    pending().await
                }
            }),
        )
        .await;
        assert_eq!(outcome.winner, Some((0, 7)));
    });
}

#[test]
fn errors_of_all_attempts_come_in_the_order_of_the_failures() {
    on_every_runtime(|| async {
        let outcome = staggered(
            Duration::ZERO,
            (0..3_u32).map(|n| async move {
                for _ in 0..(3 - n) * 200 {
                    yield_now().await;
                }
                Err::<(), _>(n)
            }),
        )
        .await;
        assert_eq!(outcome.winner, None);
        let mut errors = outcome.errors;
        errors.sort_unstable();
        assert_eq!(errors, [(0, 0), (1, 1), (2, 2)]);
    });
}

#[test]
fn the_attempts_that_still_run_are_dropped_before_the_outcome_is_seen() {
    block_on(async {
        let drops = Cell::new(0);
        let mut racing = staggered(
            Duration::from_millis(1),
            (0..3).map(|n| {
                let counts = Counts(&drops);
                async move {
                    let _counts = counts;
                    if n == 0 {
                        pending::<()>().await;
                    }
                    Ok::<_, ()>(n)
                }
            }),
        );
        match (&mut racing).await.winner {
            Some((1, 1)) => assert_eq!(drops.get(), 2),
            other => unreachable!("{other:?}"),
        }
    });
}

#[test]
fn a_delay_without_end_is_no_delay_at_all() {
    on_every_runtime(|| async {
        let outcome = staggered(
            Duration::MAX,
            [Err(1), Ok(2)].map(|r| async move {
                yield_now().await;
                r
            }),
        );
        let outcome = outcome.await;
        assert_eq!(
            (outcome.winner, outcome.errors),
            (Some((1, 2)), vec![(0, 1)])
        );
    });
}

#[test]
fn with_time_paused_attempts_start_to_the_moment_and_draws_repeat() {
    let run = || {
        let runtime = wakeline::Runtime::builder()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let start = wakeline::time::now();
            let started = Cell::new(Vec::new());
            let outcome = staggered(
                Duration::from_millis(250),
                (0..4).map(|n| {
                    let mut times = started.take();
                    times.push((wakeline::time::now() - start).as_millis());
                    started.set(times);
                    async move {
                        match n {
                            0 => pending().await,
                            1 => {
                                // Fails early: the third does not wait for the delay.
                                sleep(Duration::from_millis(100)).await;
                                Err("refused")
                            }
                            2 => {
                                sleep(Duration::from_millis(300)).await;
                                Ok(n)
                            }
                            _ => pending().await,
                        }
                    }
                }),
            )
            .await;
            assert_eq!(outcome.winner, Some((2, 2)));
            assert_eq!(outcome.errors, [(1, "refused")]);
            let mut drawn = Vec::new();
            for _ in 0..20 {
                drawn.push(wakeline::select! {
                    () = ready(()) => 0,
                    () = ready(()) => 1,
                    () = ready(()) => 2,
                });
            }
            (started.take(), drawn)
        })
    };
    let (started, drawn) = run();
    assert_eq!(started, [0, 250, 350, 600]);
    assert_eq!(run(), (started, drawn));
}
