//! So many in a while: the rate limiter.

use std::time::Duration;

use wakeline::sync::RateLimiter;
use wakeline::time::{advance, now, sleep};
use wakeline::{FutureExt, Runtime, spawn};

use crate::on_every_runtime;
use crate::row_26_virtual_time::paused;
use crate::support::drops::poll_once;

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

#[test]
fn a_burst_goes_at_once_and_then_one_a_while() {
    paused(|| async {
        let limit = RateLimiter::new(10, S).with_burst(3);
        let start = now();
        for number in 0..23_u32 {
            limit.acquire().await;
            let earliest = MS * 100 * number.saturating_sub(2);
            let at = now() - start;
            assert!(
                at >= earliest && at < earliest + MS * 2,
                "number {number} at {at:?}"
            );
        }
    });
}

#[test]
fn a_quiet_while_saves_up_a_burst_and_no_more() {
    paused(|| async {
        let limit = RateLimiter::new(10, S);
        limit.acquire_many(10).await;
        assert_eq!(limit.available(), 0);
        advance(S / 2).await;
        assert_eq!(limit.available(), 5);
        advance(S * 3_600).await;
        assert_eq!(limit.available(), 10);
        limit.try_acquire_many(10).expect("saved up");
        let refused = limit.try_acquire().expect_err("nothing is left");
        assert_eq!(refused.retry_after(), MS * 100);
    });
}

#[test]
fn those_who_wait_are_served_in_order_and_many_are_not_overtaken_by_few() {
    paused(|| async {
        let limit = RateLimiter::new(10, S);
        limit.acquire_many(10).await;
        let mut many = Box::pin(limit.acquire_many(8));
        let mut few = Box::pin(limit.acquire());
        assert!(poll_once(many.as_mut()).await.is_pending());
        assert!(poll_once(few.as_mut()).await.is_pending());
        advance(MS * 500).await;
        // There are five, and they are the first one's.
        assert!(limit.try_acquire().is_err());
        assert!(poll_once(few.as_mut()).await.is_pending());
        let start = now();
        many.await;
        few.await;
        assert!(now() - start >= MS * 400);
    });
}

#[test]
fn who_gives_up_at_the_front_or_behind_costs_nothing() {
    paused(|| async {
        let limit = RateLimiter::new(10, S).with_burst(5);
        limit.acquire_many(5).await;
        let start = now();
        let mut front = Box::pin(limit.acquire_many(5));
        let mut middle = Box::pin(limit.acquire_many(5));
        let mut last = Box::pin(limit.acquire());
        assert!(poll_once(front.as_mut()).await.is_pending());
        assert!(poll_once(middle.as_mut()).await.is_pending());
        assert!(poll_once(last.as_mut()).await.is_pending());
        drop(middle);
        drop(front);
        last.await; // as if the others had never come
        let waited = now() - start;
        assert!(waited >= MS * 100 && waited < MS * 102, "{waited:?}");
        assert!(limit.acquire_many(5).timeout(MS * 100).await.is_err());
        sleep(MS * 400).await;
        limit
            .try_acquire_many(5)
            .expect("nothing was lost by the timeout");
    });
}

#[test]
fn a_front_that_was_ready_and_never_looked_costs_nothing() {
    paused(|| async {
        let limit = RateLimiter::new(1, S);
        limit.acquire().await;
        let mut front = Box::pin(limit.acquire());
        assert!(poll_once(front.as_mut()).await.is_pending());
        advance(S * 2).await; // its time has come
        let mut behind = Box::pin(limit.acquire());
        assert!(poll_once(behind.as_mut()).await.is_pending());
        drop(front);
        assert!(poll_once(behind.as_mut()).await.is_ready());
    });
}

#[test]
fn until_ready_takes_nothing() {
    paused(|| async {
        let limit = RateLimiter::new(1, S);
        limit.acquire().await;
        let start = now();
        limit.until_ready().await;
        assert!(now() - start >= S);
        limit.try_acquire().expect("it is still there");
    });
}

#[test]
fn nothing_is_free_and_extremes_saturate() {
    paused(|| async {
        let never = RateLimiter::new(1, Duration::MAX);
        never.acquire().await;
        never.acquire_many(0).await;
        assert!(never.acquire().timeout(S * 86_400 * 365).await.is_err());
        let always = RateLimiter::new(1, Duration::ZERO);
        for _ in 0..1_000 {
            always.acquire().await;
        }
        let huge = RateLimiter::new(u32::MAX, Duration::MAX);
        huge.acquire_many(u32::MAX).await;
    });
}

#[test]
#[should_panic(expected = "a burst of 2")]
fn more_than_the_burst_is_refused() {
    let limit = RateLimiter::new(10, S).with_burst(2);
    drop(limit.acquire_many(3));
}

#[test]
fn it_limits_many_tasks_by_the_real_clock_too() {
    on_every_runtime(|| async {
        let limit = std::sync::Arc::new(RateLimiter::new(1_000, S).with_burst(5));
        let start = now();
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let limit = std::sync::Arc::clone(&limit);
                spawn(async move {
                    for _ in 0..5 {
                        limit.acquire().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        assert!(
            now() - start >= MS * 20,
            "25, of which 5 at once: never early"
        );
    });
}

#[test]
fn two_who_try_at_once_do_not_refuse_each_other() {
    // Nobody waits and nothing is limited: every refusal would be a false one.
    let limiter = std::sync::Arc::new(RateLimiter::new(u32::MAX, Duration::from_nanos(1)));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let limiter = std::sync::Arc::clone(&limiter);
            std::thread::spawn(move || (0..50_000).all(|_| limiter.try_acquire().is_ok()))
        })
        .collect();
    for thread in threads {
        assert!(thread.join().expect("no panic"));
    }
}

#[test]
fn runtimes_whose_clocks_differ_may_share_one() {
    let paused = || Runtime::builder().workers(1).start_paused(true).build();
    let (ahead, behind) = (paused().unwrap(), paused().unwrap());
    let limit = ahead.block_on(async {
        advance(S * 3_600).await;
        let limit = RateLimiter::new(1, S);
        limit.acquire().await;
        limit
    });
    behind.block_on(async {
        let early = limit.try_acquire().expect_err("it was taken just now");
        assert!(early.retry_after() <= S, "{early:?}");
        let start = now();
        for _ in 0..3 {
            limit.acquire().await;
        }
        let took = now() - start;
        assert!(took <= S * 3 + MS * 2, "{took:?}");
    });
    // And ahead again: a quiet while.
    ahead.block_on(async { limit.try_acquire().expect("an hour has passed") });
}
