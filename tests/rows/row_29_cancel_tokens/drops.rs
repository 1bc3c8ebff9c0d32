//! Destructors in the midst of a cancel, guards, and what stays behind.

use std::cell::Cell;
use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use wakeline::cancel::Cause;
use wakeline::sync::oneshot;
use wakeline::time::timeout;
use wakeline::{CancelToken, FutureExt, checkpoint, current_token, spawn};

use super::{OnDrop, poll, poll_once, text};
use crate::on_every_runtime;

#[test]
fn a_destructor_may_use_the_tree_that_is_cancelling_it() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let seen = Arc::new(Mutex::new(String::new()));
        let op = {
            let (token, seen) = (token.clone(), Arc::clone(&seen));
            async move {
                let canceller = token.clone();
                let _guard = OnDrop(move || {
                    let here = current_token();
                    assert!(!here.cancel("again") && here.child().is_cancelled());
                    token.set_shielded(true);
                    token.set_deadline(None);
                    drop(spawn(async {}));
                    *seen.lock().unwrap() = text(&here);
                });
                drop(spawn(async move { canceller.cancel("outside") }));
                pending::<()>().await;
            }
        };
        assert!(op.or_cancelled().with_token(token).await.is_err());
        assert_eq!(*seen.lock().unwrap(), "outside");
    });
}

#[test]
fn a_destructor_that_panics_costs_its_task_and_not_the_token() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let other = token.child();
        let (ready, begun) = oneshot::channel();
        let task = spawn(
            async {
                let op = async {
                    let _guard = OnDrop(|| panic!("in drop"));
                    ready.send(()).unwrap();
                    pending::<()>().await;
                };
                drop(op.or_cancelled().await);
            }
            .with_token(token.clone()),
        );
        begun.await.unwrap();
        token.cancel("now");
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(other.cancelled().await.text(), "now");
        assert!(!current_token().is_cancelled(), "nor what surrounds us");
    });
}

#[test]
fn a_token_is_in_force_also_while_its_future_is_dropped_and_not_longer() {
    let token = CancelToken::new();
    token.cancel("mine");
    let seen = Rc::new(Cell::new(false));
    let says = Rc::clone(&seen);
    let future = async move {
        let _guard = OnDrop(|| says.set(checkpoint().is_err()));
        pending::<()>().await;
    };
    let mut future = Box::pin(future.with_token(token));
    assert!(poll(future.as_mut()).is_pending());
    assert!(checkpoint().is_ok(), "not between two polls");
    drop(future);
    assert!(seen.get());
    assert!(checkpoint().is_ok());
}

#[test]
fn a_panic_in_a_poll_leaves_no_token_behind() {
    let token = CancelToken::new();
    token.cancel("mine");
    let caught = std::panic::catch_unwind(|| {
        let mut future = Box::pin(poll_fn(|_| -> Poll<()> { panic!("planned") }).with_token(token));
        let _ = poll(future.as_mut());
    });
    assert!(caught.is_err());
    assert!(checkpoint().is_ok());
}

#[test]
fn a_guard_cancels_when_it_is_dropped_also_by_a_panic_and_not_when_disarmed() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let (first, second) = (token.child(), token.child());
        let task = spawn({
            let guard = first.clone().drop_guard();
            async move {
                let _guard = guard;
                panic!("planned");
            }
        });
        assert_eq!(first.cancelled().await.cause(), Cause::Dropped);
        assert!(task.await.unwrap_err().is_panic());
        let kept = second.drop_guard().disarm();
        assert!(!kept.is_cancelled() && !token.is_cancelled());
        let never_polled = spawn({
            let guard = kept.clone().drop_guard();
            async move { drop(guard) }
        });
        never_polled.abort();
        drop(never_polled.await);
        assert!(kept.is_cancelled(), "the captures of a task that never ran");
    });
}

#[test]
fn a_wait_that_is_dropped_is_not_woken_and_a_later_one_is() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        for _ in 0..1_000 {
            let gave_up = timeout(Duration::ZERO, token.cancelled()).await;
            assert!(gave_up.is_err());
        }
        let task = spawn({
            let token = token.clone();
            async move { token.cancelled().await }
        });
        token.cancel("at last");
        assert_eq!(task.await.unwrap().text(), "at last");
    });
}

#[test]
fn a_wait_that_moves_from_task_to_task_wakes_the_latter() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let mut wait = Box::pin(token.cancelled());
        assert!(poll_once(wait.as_mut()).await.is_none());
        let (ready, polled) = oneshot::channel();
        let task = spawn(async move {
            assert!(poll_once(wait.as_mut()).await.is_none());
            ready.send(()).unwrap();
            wait.await
        });
        polled.await.unwrap();
        token.cancel("moved");
        assert_eq!(task.await.unwrap().text(), "moved");
    });
}

#[test]
fn what_is_ready_when_the_cancel_comes_counts_also_without_budget() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let (sender, value) = oneshot::channel();
        let mut op = pin!(value.or_cancelled().with_token(token.clone()));
        assert!(poll_once(op.as_mut()).await.is_none());
        sender.send(7).expect("it is there");
        token.cancel("at the same time");
        let mut first = true;
        let output = poll_fn(|cx| {
            while std::mem::take(&mut first)
                && let Poll::Ready(unit) = wakeline_context::budget::poll_proceed(cx)
            {
                first = true;
                unit.spend();
            }
            op.as_mut().poll(cx)
        });
        assert_eq!(output.await.expect("not cancelled"), Ok(7));
    });
}

#[test]
fn a_cancel_reaches_who_has_spent_its_budget() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        token.cancel("before");
        let mut op = pin!(pending::<()>().or_cancelled().with_token(token));
        let mut polls = 0;
        let stopped = poll_fn(|cx| {
            while let Poll::Ready(unit) = wakeline_context::budget::poll_proceed(cx) {
                unit.spend();
            }
            polls += 1;
            op.as_mut().poll(cx)
        });
        assert!(stopped.await.is_err());
        // Put off once, as a value that is there comes first.
        assert_eq!(polls, 2);
    });
}

#[test]
fn debug_shows_the_reason() {
    let token = CancelToken::new();
    let guard = token.clone().drop_guard();
    token.cancel("shown");
    let wait = token.cancelled();
    let op = ready(1).or_cancelled().with_token(token.clone());
    let text = format!("{token:?} {guard:?} {wait:?} {op:?}");
    assert_eq!(text.matches("shown").count(), 3, "{text}");
}
