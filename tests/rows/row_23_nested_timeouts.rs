//! Timeouts in timeouts: each poll asks from the inside out.

use std::future::pending;
use std::thread;

use wakeline::time::{self, sleep};
use wakeline::{FutureExt, yield_now};

use crate::on_every_runtime;
use crate::row_26_virtual_time::{MS, paused};

#[test]
fn when_the_inner_one_is_shorter_the_outer_one_keeps_counting() {
    paused(|| async {
        let start = time::now();
        let nested = async {
            let inner = pending::<()>().timeout(MS(10)).await;
            assert!(inner.is_err());
            assert_eq!(time::now() - start, MS(10));
            pending::<()>().await;
        };
        assert!(nested.timeout(MS(30)).await.is_err());
        assert_eq!(time::now() - start, MS(30));
    });
}

#[test]
fn when_the_outer_one_is_shorter_the_inner_one_never_reports() {
    paused(|| async {
        let start = time::now();
        let mut reported = false;
        let nested = async {
            let _ = pending::<()>().timeout(MS(30)).await;
            reported = true;
        };
        assert!(nested.timeout(MS(10)).await.is_err());
        assert_eq!(time::now() - start, MS(10));
        sleep(MS(100)).await;
        assert!(!reported);
    });
}

#[test]
fn with_equal_deadlines_the_inner_one_reports_and_the_outer_one_at_the_next_suspension() {
    paused(|| async {
        let deadline = time::now() + MS(10);
        let mut reached = 0;
        let nested = async {
            assert!(pending::<()>().timeout_at(deadline).await.is_err());
            reached = 1;
            yield_now().await;
            reached = 2;
        };
        assert!(nested.timeout_at(deadline).await.is_err());
        assert_eq!(reached, 1);
        assert_eq!(time::now(), deadline);

        // Who does not suspend any more is in time.
        let deadline = time::now() + MS(10);
        let nested = async { pending::<()>().timeout_at(deadline).await.is_err() };
        assert_eq!(nested.timeout_at(deadline).await, Ok(true));
        assert_eq!(time::now(), deadline);
    });
}

#[test]
fn equal_limits_make_equal_deadlines_by_a_stopped_clock() {
    paused(|| async {
        let directly = pending::<()>()
            .timeout(MS(10))
            .timeout(MS(10))
            .timeout(MS(10));
        assert!(matches!(directly.await, Ok(Ok(Err(_inner)))));
    });
}

#[test]
fn after_a_long_blocking_stretch_it_is_the_same() {
    on_every_runtime(|| async {
        // (inner, outer) in milliseconds: both are over when anybody looks.
        for (inner, outer) in [(1, 2), (2, 1), (1, 1)] {
            let mut reached = 0;
            let nested = async {
                let blocks = async {
                    yield_now().await; // both limits run from here
                    thread::sleep(MS(5));
                    pending::<()>().await;
                };
                assert!(blocks.timeout(MS(inner)).await.is_err());
                reached = 1;
                pending::<()>().await;
            };
            assert!(nested.timeout(MS(outer)).await.is_err());
            assert_eq!(reached, 1, "inner {inner}, outer {outer}");
        }
    });
}

#[test]
fn who_finished_during_a_blocking_stretch_is_in_time() {
    on_every_runtime(|| async {
        let blocks = async {
            yield_now().await;
            thread::sleep(MS(5));
            7
        };
        let nested = blocks.timeout(MS(1)).timeout(MS(1));
        assert_eq!(nested.await, Ok(Ok(7)));
    });
}

#[test]
fn a_timeout_in_the_cleanup_of_another_counts_for_itself() {
    paused(|| async {
        let start = time::now();
        let nested = async {
            assert!(pending::<()>().timeout(MS(10)).await.is_err());
            // What asyncio writes into `finally`.
            assert!(pending::<()>().timeout(MS(5)).await.is_err());
            time::now() - start
        };
        assert_eq!(nested.timeout(MS(20)).await, Ok(MS(15)));
    });
}

#[test]
fn a_hundred_levels_report_from_the_inside_out() {
    paused(|| async {
        let start = time::now();
        type Level = std::pin::Pin<Box<dyn Future<Output = Vec<u64>>>>;
        let mut nested: Level = Box::pin(pending());
        for level in 1..=100 {
            nested = Box::pin(async move {
                let inner = nested.timeout(MS(level)).await;
                let mut reports = inner.unwrap_or_default();
                reports.push(level);
                pending::<()>().await;
                reports
            });
        }
        assert!(nested.timeout(MS(101)).await.is_err());
        assert_eq!(time::now() - start, MS(101));
    });
}
