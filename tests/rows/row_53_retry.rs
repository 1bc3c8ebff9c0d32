//! Trying again, later and later.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use wakeline::retry::{GaveUp, Jitter, Retry};
use wakeline::time::{now, sleep, timeout};
use wakeline::{CancelToken, FutureExt, checkpoint, retry, spawn, spawn_local};

use crate::on_every_runtime;
use crate::row_26_virtual_time::paused;
use crate::support::drops::poll_once;

const MS: Duration = Duration::from_millis(1);

/// Milliseconds at which the attempts of an operation were made that always
/// fails, the number of attempts it reported, and why there were no more.
async fn attempts(policy: Retry) -> (Vec<u128>, u32, GaveUp) {
    let start = now();
    let times = RefCell::new(Vec::new());
    let error = retry(policy, || {
        times.borrow_mut().push((now() - start).as_millis());
        async { Err::<(), _>("busy") }
    })
    .await
    .expect_err("it always fails");
    assert_eq!(error.error(), &"busy");
    (times.into_inner(), error.attempts(), error.why().clone())
}

#[test]
fn attempts_are_made_at_growing_distances() {
    paused(|| async {
        let policy = Retry::exponential(MS * 100).factor(3.0).attempts(4);
        let expected = (vec![0, 100, 400, 1_300], 4, GaveUp::Attempts);
        assert_eq!(attempts(policy.clone()).await, expected);
        let capped = policy.cap(MS * 250);
        assert_eq!(attempts(capped).await.0, [0, 100, 350, 600]);
        assert_eq!(
            attempts(Retry::fixed(MS * 10).attempts(3)).await.0,
            [0, 10, 20]
        );
        assert_eq!(
            attempts(Retry::fixed(Duration::ZERO).attempts(3)).await.0,
            [0, 0, 0]
        );
    });
}

#[test]
fn a_seed_repeats_the_jitter() {
    paused(|| async {
        let policy = Retry::exponential(MS * 100)
            .attempts(6)
            .jitter(Jitter::Full)
            .seed(1);
        let (first, _, _) = attempts(policy.clone()).await;
        assert_eq!(first, attempts(policy.clone()).await.0);
        assert_ne!(first, attempts(policy.seed(2)).await.0);
    });
}

#[test]
fn the_first_success_ends_it() {
    on_every_runtime(|| async {
        let mut calls = 0;
        let answer = retry(Retry::fixed(MS).attempts(10), || {
            calls += 1;
            let call = calls;
            async move { if call < 3 { Err("busy") } else { Ok(call) } }
        })
        .await;
        assert_eq!((answer, calls), (Ok(3), 3));
        // And inside of a task that may move to another thread.
        let answer =
            spawn(async { retry(Retry::fixed(MS), || async { Ok::<_, String>(1) }).await });
        assert_eq!(answer.await.expect("no panic"), Ok(1));
    });
}

#[test]
fn an_error_that_cannot_be_mended_ends_it() {
    paused(|| async {
        let mut errors = ["busy", "busy", "no such file"].into_iter();
        let error = retry(Retry::fixed(MS).attempts(10), || {
            let error = errors.next().expect("no attempt after the third");
            async move { Err::<(), _>(error) }
        })
        .when(|error| *error == "busy")
        .await
        .expect_err("all fail");
        assert_eq!(
            error.to_string(),
            "failed for good after 3 attempts: no such file"
        );
        assert_eq!(error.into_inner(), "no such file");
    });
}

#[test]
fn no_delay_is_begun_that_would_end_after_the_deadline() {
    paused(|| async {
        let policy = Retry::exponential(MS * 100).within(MS * 699);
        let start = now();
        let expected = (vec![0, 100, 300], 3, GaveUp::Deadline);
        assert_eq!(attempts(policy).await, expected);
        assert!(now() - start < MS * 301, "it did not sleep any more");
        // The deadline of what surrounds it counts, too.
        let start = now();
        let token = CancelToken::new().with_timeout(MS * 250);
        let (times, made, why) = attempts(Retry::fixed(MS * 100)).with_token(token).await;
        assert_eq!((times, made, why), (vec![0, 100, 200], 3, GaveUp::Deadline));
        assert!(now() - start < MS * 201);
        // Where both are far beyond what a clock can tell.
        let far = Retry::fixed(Duration::ZERO)
            .within(Duration::MAX)
            .attempts(2);
        assert_eq!(attempts(far).await.2, GaveUp::Attempts);
    });
}

#[test]
fn a_cancel_ends_the_delay_at_once() {
    paused(|| async {
        let token = CancelToken::new();
        let canceller = spawn_local({
            let token = token.clone();
            async move {
                sleep(MS * 150).await;
                token.cancel("enough");
            }
        });
        let start = now();
        let (times, made, why) = attempts(Retry::fixed(MS * 100)).with_token(token).await;
        assert_eq!((times, made), (vec![0, 100], 2));
        assert!(matches!(why, GaveUp::Cancelled(reason) if reason.text() == "enough"));
        assert!(now() - start < MS * 151);
        canceller.await.expect("no panic");
        // Also a delay that would never end.
        let token = CancelToken::new().with_timeout(MS * 50);
        let endless = retry(Retry::fixed(Duration::MAX), || async { Err::<(), _>(()) });
        let error = endless.with_token(token).await.expect_err("out of time");
        assert_eq!((error.attempts(), error.why()), (1, &GaveUp::Deadline));
    });
}

#[test]
fn a_cancel_is_never_tried_again() {
    paused(|| async {
        let token = CancelToken::new();
        let calls = Cell::new(0);
        let error = retry(Retry::fixed(Duration::ZERO), || {
            calls.set(calls.get() + 1);
            if calls.get() == 2 {
                token.cancel("stop"); // while it runs
            }
            async {
                checkpoint().map_err(|cancelled| cancelled.to_string())?;
                Err::<(), _>(String::from("busy"))
            }
        })
        .with_token(token.clone())
        .await
        .expect_err("cancelled");
        assert_eq!((calls.get(), error.attempts()), (2, 2));
        assert!(matches!(error.why(), GaveUp::Cancelled(reason) if reason.text() == "stop"));
        // With a delay ahead it is not taken for one that would be too long, and
        // the error is not asked about.
        let token = CancelToken::new();
        let error = retry(Retry::fixed(MS * 100), || {
            token.cancel("stop");
            async { Err::<(), _>("cut off") }
        })
        .when(|_| panic!("a cancel is not for this to judge"))
        .with_token(token.clone())
        .await
        .expect_err("cancelled");
        assert!(matches!(error.why(), GaveUp::Cancelled(_)));
        assert_eq!(
            error.to_string(),
            "cancelled (stop) after 1 attempt: cut off"
        );
        // A success wins over a cancel that comes at the same moment.
        let won = retry(Retry::fixed(MS), || async { Ok::<_, ()>(7) });
        assert_eq!(won.with_token(token).await, Ok(7));
    });
}

#[test]
fn dropping_it_ends_the_delay_and_the_attempt_under_way() {
    paused(|| async {
        let calls = Rc::new(Cell::new(0));
        let op = || {
            calls.set(calls.get() + 1);
            async { Err::<(), _>("busy") }
        };
        let mut waiting = Box::pin(retry(Retry::fixed(MS * 100), op));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        drop(waiting);
        sleep(MS * 500).await;
        assert_eq!(calls.get(), 1);

        let held = Rc::new(());
        let hangs = retry(Retry::fixed(MS), || {
            let held = Rc::clone(&held);
            async move {
                pending::<()>().await;
                drop(held);
                Err::<(), _>(())
            }
        });
        assert!(timeout(MS * 10, hangs).await.is_err());
        assert_eq!(Rc::strong_count(&held), 1);
    });
}

/// An attempt that fails at once, and holds something until it is dropped.
struct Holds(#[expect(dead_code, reason = "held")] Rc<()>);

impl Future for Holds {
    type Output = Result<(), &'static str>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Err("busy"))
    }
}

#[test]
fn an_attempt_is_gone_before_its_error_is_judged() {
    paused(|| async {
        let held = Rc::new(());
        let attempts = retry(Retry::fixed(MS), || Holds(Rc::clone(&held)));
        let mut waiting = Box::pin(attempts.when(|_| {
            assert_eq!(Rc::strong_count(&held), 1);
            true
        }));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
    });
}

#[test]
fn an_operation_that_panics_is_the_end_of_the_retry() {
    for good in [0, 1] {
        paused(move || async move {
            let calls = Cell::new(0);
            let mut retrying = Box::pin(retry(Retry::fixed(MS), || {
                assert!(calls.replace(calls.get() + 1) < good, "no attempt");
                async { Err::<(), _>("busy") }
            }));
            let mut end = async || {
                std::future::poll_fn(|cx| {
                    match catch_unwind(AssertUnwindSafe(|| retrying.as_mut().poll(cx))) {
                        Ok(Poll::Pending) => Poll::Pending,
                        Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
                        Err(payload) => Poll::Ready(Err(payload)),
                    }
                })
                .await
            };
            let mut panics = async |message: &str| {
                let payload = end().await.expect_err("it panics");
                let text = panic_text(&*payload);
                assert!(text.contains(message), "{text}");
            };
            panics("no attempt").await;
            panics("polled after its end").await;
        });
    }
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .expect("a message")
}
