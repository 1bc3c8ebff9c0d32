//! A completion and a cancel in one poll.

use std::future::{pending, ready};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use wakeline::sync::{Semaphore, oneshot};
use wakeline::{CancelToken, FutureExt};

use super::{OnDrop, poll};
use crate::on_every_runtime;

#[test]
fn what_is_ready_in_the_poll_that_finds_the_cancel_is_delivered() {
    let token = CancelToken::new();
    let (sender, receiver) = oneshot::channel();
    let mut op = pin!(receiver.or_cancelled().with_token(token.clone()));
    assert!(poll(op.as_mut()).is_pending());
    token.cancel("at the same time");
    sender.send(7).unwrap();
    let Poll::Ready(Ok(value)) = poll(op) else {
        panic!("completion wins")
    };
    assert_eq!(value, Ok(7));
}

#[test]
fn an_operation_that_cancels_itself_and_is_ready_has_happened() {
    let token = CancelToken::new();
    let itself = token.clone();
    let op = async move {
        itself.cancel("by itself");
        "done"
    };
    let mut op = pin!(op.or_cancelled().with_token(token));
    assert_eq!(poll(op.as_mut()), Poll::Ready(Ok("done")));
}

#[test]
fn an_operation_that_cancels_itself_and_waits_is_stopped() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let itself = token.clone();
        let op = async move {
            itself.cancel("by itself");
            pending::<()>().await;
        };
        let error = op.or_cancelled().with_token(token).await.unwrap_err();
        assert_eq!(error.reason().text(), "by itself");
    });
}

#[test]
fn a_grant_that_comes_with_the_cancel_is_delivered_and_one_not_asked_for_stays() {
    let token = CancelToken::new();
    let one = Semaphore::new(1);
    let held = one.try_acquire().unwrap();
    let mut second = pin!(one.acquire().or_cancelled().with_token(token.clone()));
    assert!(poll(second.as_mut()).is_pending());
    drop(held);
    token.cancel("too late");
    let Poll::Ready(Ok(Ok(permit))) = poll(second) else {
        panic!("it was granted before the poll that finds the cancel")
    };
    drop(permit);
    let third = pin!(one.acquire().or_cancelled().with_token(token));
    assert!(matches!(poll(third), Poll::Ready(Err(_))));
    assert_eq!(one.available(), 1, "it was not even asked for");
}

#[test]
fn a_grant_to_a_wait_that_is_stopped_goes_to_the_next() {
    let token = CancelToken::new();
    let one = Semaphore::new(1);
    let held = one.try_acquire().unwrap();
    let mut second = Box::pin(one.acquire().or_cancelled().with_token(token.clone()));
    let mut third = pin!(one.acquire());
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(third.as_mut()).is_pending());
    drop(held);
    token.cancel("and then dropped, unseen");
    drop(second);
    assert!(poll(third).is_ready());
}

#[test]
fn a_stopped_operation_is_gone_before_the_error_is_seen() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        let dropped = AtomicBool::new(false);
        let op = async {
            let _guard = OnDrop(|| dropped.store(true, Ordering::Relaxed));
            token.cancel("now");
            pending::<()>().await;
        };
        async {
            let mut op = pin!(op.or_cancelled());
            assert!(op.as_mut().await.is_err());
            assert!(dropped.load(Ordering::Relaxed), "and `op` is still here");
        }
        .with_token(token.clone())
        .await;
    });
}

#[test]
fn an_output_is_not_kept_behind_by_what_made_it() {
    // The operation's captures are dropped when it is ready, not with the wrapper.
    let shared = Rc::new(());
    let captured = Rc::clone(&shared);
    let op = async move { drop(Rc::clone(&captured)) };
    let mut op = pin!(op.or_cancelled().with_token(CancelToken::new()));
    assert!(poll(op.as_mut()).is_ready());
    assert_eq!(Rc::strong_count(&shared), 1);
}

#[test]
#[should_panic(expected = "row_29_cancel_tokens/complete.rs")]
fn polled_again_after_its_end_it_panics_and_names_its_line() {
    let mut op = pin!(ready(()).or_cancelled());
    assert!(poll(op.as_mut()).is_ready());
    let _ = poll(op);
}
