//! Intervals: the first tick at once, the others a period apart, and what
//! happens after a stall.

use std::time::Duration;

use wakeline::FutureExt;
use wakeline::time::{self, Interval, MissedTick, interval, interval_at, sleep};

use crate::on_every_runtime;
use crate::row_26_virtual_time::{MS, S, paused};

/// When each of the next `n` ticks came and when it was due, after `start`.
async fn ticks(beat: &mut Interval, start: std::time::Instant, n: usize) -> Vec<(u128, u128)> {
    let mut ticks = Vec::new();
    for _ in 0..n {
        let due = beat.tick().await;
        ticks.push(((time::now() - start).as_millis(), (due - start).as_millis()));
    }
    ticks
}

#[test]
fn the_first_tick_is_immediate_and_no_other_is_early() {
    on_every_runtime(|| async {
        let start = time::now();
        let mut beat = interval(MS(2));
        let mut first = std::pin::pin!(beat.tick());
        let at_once = std::future::poll_fn(|cx| first.as_mut().poll(cx).map(Some)).await;
        assert!(at_once.is_some_and(|due| due >= start));
        for n in 1..=3 {
            let due = beat.tick().await;
            assert!(time::now() >= due && due >= start + MS(2) * n);
        }
    });
}

#[test]
fn ticks_are_exactly_a_period_apart() {
    paused(|| async {
        let start = time::now();
        let mut beat = interval(MS(10));
        let ticks = ticks(&mut beat, start, 4).await;
        assert_eq!(ticks, [(0, 0), (10, 10), (20, 20), (30, 30)]);
    });
}

#[test]
fn after_a_stall_ticks_are_made_up_put_off_or_left_out() {
    // (behaviour, when each tick came and when it was due), after a stall from 0 to 35
    let table: [(MissedTick, [(u128, u128); 6]); 3] = [
        (
            MissedTick::Burst,
            [(0, 0), (35, 10), (35, 20), (35, 30), (40, 40), (50, 50)],
        ),
        (
            MissedTick::Delay,
            [(0, 0), (35, 10), (45, 45), (55, 55), (65, 65), (75, 75)],
        ),
        (
            MissedTick::Skip,
            [(0, 0), (35, 10), (40, 40), (50, 50), (60, 60), (70, 70)],
        ),
    ];
    paused(|| async {
        for (behaviour, expected) in &table {
            let start = time::now();
            let mut beat = interval(MS(10)).missed(*behaviour);
            let mut seen = ticks(&mut beat, start, 1).await;
            sleep(MS(35)).await;
            seen.extend(ticks(&mut beat, start, 5).await);
            assert_eq!(seen, expected, "{behaviour:?}");
        }
    });
}

#[test]
fn a_behaviour_may_be_changed_on_the_way() {
    paused(|| async {
        let start = time::now();
        let mut beat = interval(MS(10));
        assert_eq!(beat.missed_tick(), MissedTick::Burst);
        beat.tick().await;
        sleep(MS(25)).await;
        beat.set_missed_tick(MissedTick::Skip);
        assert_eq!(ticks(&mut beat, start, 2).await, [(25, 10), (30, 30)]);
    });
}

#[test]
fn a_tick_that_is_hardly_late_is_not_missed() {
    paused(|| async {
        for behaviour in [MissedTick::Delay, MissedTick::Skip] {
            let start = time::now();
            let mut beat = interval(MS(100)).missed(behaviour);
            beat.tick().await;
            sleep(MS(105)).await;
            assert_eq!(ticks(&mut beat, start, 2).await, [(105, 100), (200, 200)]);
        }
    });
}

#[test]
fn a_dropped_tick_is_not_lost() {
    paused(|| async {
        let start = time::now();
        let mut beat = interval(MS(10));
        beat.tick().await;
        for _ in 0..3 {
            assert!(beat.tick().timeout(MS(3)).await.is_err()); // 3, 6, 9
        }
        assert_eq!(ticks(&mut beat, start, 2).await, [(10, 10), (20, 20)]);
    });
}

#[test]
fn it_can_start_over_in_four_ways() {
    paused(|| async {
        let mut beat = interval(MS(10));
        beat.tick().await;
        let start = time::now();

        sleep(MS(5)).await;
        beat.reset(); // a period from now
        assert_eq!(ticks(&mut beat, start, 2).await, [(15, 15), (25, 25)]);

        beat.reset_immediately();
        assert_eq!(ticks(&mut beat, start, 2).await, [(25, 25), (35, 35)]);

        beat.reset_after(MS(3));
        assert_eq!(ticks(&mut beat, start, 2).await, [(38, 38), (48, 48)]);

        beat.reset_at(start + MS(100));
        assert_eq!(ticks(&mut beat, start, 2).await, [(100, 100), (110, 110)]);

        // While a task waits for a tick, too.
        assert!(beat.tick().timeout(MS(5)).await.is_err()); // 115
        beat.reset_after(MS(1));
        assert_eq!(ticks(&mut beat, start, 1).await, [(116, 116)]);
    });
}

#[test]
fn one_may_start_later() {
    paused(|| async {
        let start = time::now();
        let mut beat = interval_at(start + MS(7), MS(10));
        assert_eq!(beat.period(), MS(10));
        assert_eq!(ticks(&mut beat, start, 2).await, [(7, 7), (17, 17)]);
    });
}

#[test]
fn a_period_beyond_the_clock_gives_one_tick() {
    paused(|| async {
        let mut beat = interval(Duration::MAX);
        beat.tick().await;
        assert!(beat.tick().timeout(S(60 * 60 * 24 * 365)).await.is_err());
    });
}

#[test]
#[should_panic(expected = "an interval needs a period above zero")]
fn a_period_of_zero_is_refused() {
    drop(interval(Duration::ZERO));
}
