//! Deadlines of tokens: inherited, moved, and final once they have passed.

use std::future::{pending, ready};
use std::time::{Duration, Instant};

use wakeline::cancel::Cause;
use wakeline::sync::oneshot;
use wakeline::time::{self, sleep};
use wakeline::{
    CancelToken, FutureExt, checkpoint, current_deadline, current_token, spawn, spawn_blocking,
    yield_now,
};

use crate::on_every_runtime;
use crate::support::for_each_backend;

const S: fn(u64) -> Duration = Duration::from_secs;

/// Runs what `test` makes with paused time, on both backends.
#[track_caller]
fn paused<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for_each_backend(|backend| {
        let runtime = backend.builder().start_paused(true).build();
        runtime.expect("a runtime").block_on(test());
    });
}

/// Waits for a token, as a task of its own; how long it took and why it ended.
fn waits_for(token: &CancelToken) -> wakeline::JoinHandle<(Duration, Cause)> {
    let (token, start) = (token.clone(), time::now());
    spawn(async move {
        let reason = token.cancelled().await;
        (time::now() - start, reason.cause())
    })
}

#[test]
fn who_waits_is_told_at_the_deadline_and_not_before() {
    paused(|| async {
        let token = CancelToken::new().with_timeout(S(3600));
        assert_eq!(waits_for(&token).await.unwrap(), (S(3600), Cause::Deadline));
    });
    // And by the real clock.
    on_every_runtime(|| async {
        let start = Instant::now();
        let token = CancelToken::new().with_timeout(Duration::from_millis(2));
        let error = pending::<()>().or_cancelled().with_token(token).await;
        assert_eq!(error.unwrap_err().reason().cause(), Cause::Deadline);
        assert!(start.elapsed() >= Duration::from_millis(2));
    });
}

#[test]
fn a_deadline_moved_while_somebody_waits_counts_from_then_on() {
    // (first, moved to; both in seconds; it ends)
    let table = [
        (Some(10), Some(5), 5),
        (Some(10), Some(20), 20),
        (None, Some(7), 7),
        (Some(10), Some(0), 1), // the past: at once, where it was moved
    ];
    for (first, moved, ends) in table {
        paused(|| async move {
            let start = time::now();
            let at = |secs: u64| start + S(secs);
            let token = CancelToken::new();
            token.set_deadline(first.map(at));
            // It holds for those above and below the wait alike.
            let task = waits_for(&token.child());
            sleep(S(1)).await;
            token.set_deadline(moved.map(at));
            assert_eq!(task.await.unwrap(), (S(ends), Cause::Deadline));
        });
    }
}

#[test]
fn a_deadline_taken_away_does_not_come() {
    paused(|| async {
        let token = CancelToken::new().with_timeout(S(10));
        let task = waits_for(&token);
        sleep(S(1)).await;
        token.set_deadline(None);
        assert_eq!(token.deadline(), None);
        sleep(S(100)).await;
        assert!(!task.is_finished());
        token.cancel("by hand");
        assert_eq!(task.await.unwrap(), (S(101), Cause::Requested));
    });
}

#[test]
fn an_ancestors_deadline_moved_from_another_worker_wakes_who_waits_below() {
    on_every_runtime(|| async {
        let outer = CancelToken::new().with_timeout(S(3600));
        let inner = outer.with_timeout(S(1800));
        let (listening, listens) = oneshot::channel();
        let task = spawn(
            async move {
                listening.send(()).unwrap();
                sleep(S(900)).or_cancelled().await
            }
            .with_token(inner.clone()),
        );
        listens.await.unwrap();
        drop(inner);
        drop(spawn(async move { outer.set_deadline(Some(time::now())) }));
        let error = task.await.unwrap().unwrap_err();
        assert_eq!(error.reason().cause(), Cause::Deadline);
    });
}

#[test]
fn after_it_has_passed_it_cannot_be_moved() {
    paused(|| async {
        let token = CancelToken::new().with_timeout(S(1));
        sleep(S(1)).await;
        // Nobody has looked so far.
        token.set_deadline(Some(time::now() + S(100)));
        assert!(token.is_cancelled());
        token.set_deadline(None);
        token.set_shielded(true);
        assert!(token.is_cancelled());
    });
}

#[test]
fn a_cancel_after_the_deadline_comes_second_though_nobody_has_looked() {
    paused(|| async {
        let outer = CancelToken::new().with_timeout(S(1));
        let token = outer.child();
        sleep(S(1)).await;
        assert!(!token.cancel("too late"));
        assert_eq!(token.reason().unwrap().cause(), Cause::Deadline);
        assert_eq!(token.reason(), outer.reason());
    });
}

#[test]
fn a_shield_put_on_after_the_outer_deadline_has_passed_is_too_late() {
    paused(|| async {
        let outer = CancelToken::new().with_timeout(S(1));
        let inner = outer.child();
        sleep(S(2)).await;
        inner.set_shielded(true);
        assert!(inner.is_cancelled());
    });
}

#[test]
fn layers_end_each_by_its_own_or_by_an_outer_deadline() {
    paused(|| async {
        let outer = CancelToken::new().with_timeout(S(20));
        let middle = outer.with_timeout(S(10));
        let inner = middle.with_timeout(S(30));
        let tokens = [&outer, &middle, &inner];
        let tasks = tokens.map(waits_for);
        let mut ends = Vec::new();
        for task in tasks {
            ends.push(task.await.unwrap().0);
        }
        assert_eq!(ends, [S(20), S(10), S(10)]);
        assert_eq!(inner.reason(), middle.reason());
        assert_ne!(
            inner.reason(),
            outer.reason(),
            "an inner end is none of its own"
        );
    });
}

#[test]
fn of_equal_deadlines_the_outermost_reports() {
    paused(|| async {
        let at = time::now() + S(5);
        let outer = CancelToken::new().with_deadline(at);
        let line = line!() - 1;
        let inner = outer.with_deadline(at);
        let error = pending::<()>().or_cancelled().with_token(inner).await;
        let reason = error.unwrap_err().into_reason();
        assert_eq!(
            (reason.location().file(), reason.location().line()),
            (file!(), line)
        );
        assert!(outer.is_cancelled());
    });
}

#[test]
fn a_shield_keeps_outer_deadlines_off_until_it_is_taken_away() {
    paused(|| async {
        let outer = CancelToken::new().with_timeout(S(5));
        let inner = outer.child();
        inner.set_shielded(true);
        let task = waits_for(&inner);
        assert_eq!(inner.deadline(), None);
        sleep(S(8)).await;
        // Passed, and unnoticed: the outer token was not looked at.
        assert!(!task.is_finished());
        inner.set_shielded(false);
        assert_eq!(task.await.unwrap(), (S(8), Cause::Deadline));
        assert!(outer.is_cancelled());
    });
}

#[test]
fn a_shield_taken_away_in_time_lets_the_outer_deadline_count() {
    paused(|| async {
        let outer = CancelToken::new().with_timeout(S(5));
        let inner = outer.shielded_child();
        inner.set_timeout(S(9));
        let task = waits_for(&inner);
        sleep(S(1)).await;
        inner.set_shielded(false);
        assert_eq!(task.await.unwrap(), (S(5), Cause::Deadline));
    });
}

#[test]
fn the_current_deadline_is_the_earliest_up_to_the_first_shield() {
    paused(|| async {
        let start = time::now();
        assert_eq!(current_deadline(), None);
        let outer = CancelToken::new().with_timeout(S(10));
        async {
            assert_eq!(current_deadline(), Some(start + S(10)));
            let later = current_token().with_timeout(S(20));
            let seen = async { current_deadline() }.with_token(later.clone()).await;
            assert_eq!(seen, Some(start + S(10)), "the outer one is earlier");
            later.set_shielded(true);
            let seen = async { current_deadline() }.with_token(later).await;
            assert_eq!(seen, Some(start + S(20)), "behind a shield its own");
            sleep(S(3)).await;
            current_token().cancel("now");
            assert_eq!(current_deadline(), Some(start + S(3)), "the present");
        }
        .with_token(outer)
        .await;
        assert_eq!(current_deadline(), None);
    });
}

#[test]
fn a_deadline_goes_with_the_token_into_jobs_and_tasks() {
    on_every_runtime(|| async {
        let token = CancelToken::new().with_timeout(S(3600));
        let at = token.deadline();
        async {
            let job = spawn_blocking(current_deadline);
            let task = spawn(async { current_deadline() }.with_token(current_token()));
            let detached = spawn(async { current_deadline() });
            assert_eq!(job.await.unwrap(), at);
            assert_eq!(task.await.unwrap(), at);
            assert_eq!(detached.await.unwrap(), None);
        }
        .with_token(token)
        .await;
    });
}

#[test]
fn a_look_sees_the_deadline_though_nobody_waits_for_it() {
    paused(|| async {
        let token = CancelToken::new().with_timeout(S(1));
        let below = token.child();
        async {
            assert!(checkpoint().is_ok());
            sleep(S(1)).await;
            assert!(checkpoint().is_err());
            assert!(ready(()).or_cancelled().await.is_err(), "nothing begins");
        }
        .with_token(below)
        .await;
        assert!(token.is_cancelled(), "it was that one's deadline");
    });
}

#[test]
fn the_far_future_and_the_past_are_legal() {
    paused(|| async {
        let never = CancelToken::new().with_timeout(Duration::MAX);
        assert_eq!(never.deadline(), None);
        let far = CancelToken::new().with_timeout(S(1 << 40));
        let past = CancelToken::new().with_deadline(Instant::now() - S(1));
        assert!(past.is_cancelled() && !never.is_cancelled() && !far.is_cancelled());
        let zero = CancelToken::new().with_timeout(Duration::ZERO);
        assert_eq!(waits_for(&zero).await.unwrap(), (S(0), Cause::Deadline));
        for token in [never, far] {
            let task = waits_for(&token);
            yield_now().await;
            assert!(!task.is_finished());
            token.cancel("enough");
            assert_eq!(task.await.unwrap().1, Cause::Requested);
        }
    });
}

#[test]
fn what_is_ready_at_the_deadline_is_delivered() {
    paused(|| async {
        let token = CancelToken::new().with_timeout(S(5));
        // Both are due at one moment, and the task is woken once.
        let op = sleep(S(5)).or_cancelled().with_token(token.clone());
        assert!(op.await.is_ok(), "completion wins");
        assert!(token.is_cancelled());
    });
}

#[test]
fn a_token_that_is_dropped_leaves_no_timer_that_holds_the_clock() {
    paused(|| async {
        let start = time::now();
        for _ in 0..100 {
            let token = CancelToken::new().with_timeout(S(50));
            let op = ready(()).or_cancelled().with_token(token.clone());
            assert!(op.await.is_ok());
            let waited = token.cancelled().timeout(Duration::ZERO).await;
            assert!(waited.is_err());
        }
        sleep(S(1)).await;
        assert_eq!(time::now() - start, S(1));
    });
}
