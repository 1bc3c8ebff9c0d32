//! A limit that is moved while it runs.

use std::future::pending;
use std::pin::{Pin, pin};
use std::time::Duration;

use wakeline::test::wait_all_blocked;
use wakeline::time::{self, advance, sleep, timeout, timeout_at};
use wakeline::{FutureExt, spawn};

use crate::row_26_virtual_time::{MS, S, paused};

#[test]
fn a_running_limit_moves_later_and_earlier_and_goes_off() {
    paused(|| async {
        let start = time::now();
        let mut limited = pin!(sleep(MS(100)).timeout(MS(10)));
        assert_eq!(limited.deadline(), None, "it does not run yet");
        assert!((&mut *limited).timeout(MS(5)).await.is_err());
        assert_eq!(limited.deadline(), Some(start + MS(10)));

        limited.as_mut().reset(start + MS(50));
        assert!((&mut *limited).timeout(MS(15)).await.is_err()); // 20
        limited.as_mut().reset(start + MS(30));
        assert!((&mut *limited).timeout(MS(5)).await.is_err()); // 25
        limited.as_mut().reset(None);
        assert_eq!(limited.deadline(), None);
        assert_eq!(limited.await, Ok(()));
        assert_eq!(time::now() - start, MS(100));
    });
}

#[test]
fn a_task_that_waits_is_woken_at_the_new_deadline() {
    // (moved to, ends at) in milliseconds after the start, moved at 5
    for (to, ends) in [(Some(50), 50), (Some(8), 8), (Some(1), 5), (None, 100)] {
        paused(move || async move {
            let start = time::now();
            let limited = std::sync::Arc::new(std::sync::Mutex::new(Box::pin(
                sleep(MS(100)).timeout(MS(10)),
            )));
            let waiter = spawn({
                let limited = std::sync::Arc::clone(&limited);
                async move {
                    std::future::poll_fn(|cx| limited.lock().expect("no panic").as_mut().poll(cx))
                        .await
                }
            });
            sleep(MS(5)).await;
            let deadline = to.map(|to| start + MS(to));
            limited.lock().expect("no panic").as_mut().reset(deadline);
            let result = waiter.await.expect("no panic");
            assert_eq!(result.is_ok(), to.is_none());
            assert_eq!(time::now() - start, MS(ends), "{to:?}");
        });
    }
}

#[test]
fn after_the_limit_has_passed_a_reset_has_no_effect() {
    paused(|| async {
        let mut limited = pin!(pending::<()>().timeout(MS(1)));
        assert!(limited.as_mut().await.is_err());
        let passed = limited.deadline();
        assert_eq!(passed, Some(time::now()));
        limited.as_mut().reset(time::now() + S(1));
        limited.as_mut().reset(None);
        assert_eq!(limited.deadline(), passed);
        assert!(limited.as_mut().get_pin_mut().is_none());
    });
}

#[test]
fn a_relative_limit_counts_from_the_first_poll_and_not_from_where_it_was_made() {
    paused(|| async {
        let limited = pending::<()>().timeout(MS(10));
        sleep(MS(100)).await;
        let start = time::now();
        assert!(limited.await.is_err());
        assert_eq!(time::now() - start, MS(10));
    });
}

#[test]
fn a_reset_before_the_first_poll_counts() {
    paused(|| async {
        let start = time::now();
        let mut limited = pin!(timeout(MS(1), sleep(MS(10))));
        limited.as_mut().reset(start + MS(20));
        assert_eq!(limited.deadline(), Some(start + MS(20)));
        assert_eq!(limited.await, Ok(()));

        let mut never = pin!(timeout_at(start, sleep(MS(10))));
        never.as_mut().reset(None);
        assert_eq!(never.await, Ok(()));
    });
}

#[test]
fn a_limit_may_be_set_on_one_that_had_none() {
    paused(|| async {
        let start = time::now();
        let mut limited = pin!(pending::<()>().timeout(None));
        assert!((&mut *limited).timeout(MS(5)).await.is_err());
        limited.as_mut().reset(start + MS(7));
        assert!(limited.await.is_err());
        assert_eq!(time::now() - start, MS(7));
    });
}

#[test]
fn a_deadline_can_be_pushed_back_again_and_again() {
    paused(|| async {
        // An idle limit: each of 100 signs of life moves it.
        let start = time::now();
        let mut idle = pin!(sleep(S(1)));
        for _ in 0..100 {
            assert!((&mut *idle).timeout(MS(900)).await.is_err());
            let idle: &mut time::Sleep = Pin::get_mut(idle.as_mut());
            idle.reset(time::now() + S(1));
        }
        idle.await;
        assert_eq!(time::now() - start, MS(900) * 100 + S(1));
    });
}

#[test]
fn moving_a_limit_a_hundred_thousand_times_keeps_one_timer() {
    paused(|| async {
        let start = time::now();
        let mut limited = pin!(pending::<()>().timeout(MS(1)));
        assert!((&mut *limited).timeout(Duration::ZERO).await.is_err());
        for n in 0..100_000 {
            limited.as_mut().reset(start + Duration::from_micros(n));
        }
        limited.as_mut().reset(start + MS(5));
        wait_all_blocked().await;
        advance(MS(4)).await;
        assert!((&mut *limited).timeout(Duration::ZERO).await.is_err());
        assert!(limited.await.is_err());
        assert_eq!(time::now() - start, MS(5));
    });
}
