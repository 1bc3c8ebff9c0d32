//! Why no `uncancel` and no counters: a token has an identity, so nobody needs
//! to count whose cancel it was, and no cancel can be swallowed.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wakeline::sync::oneshot;
use wakeline::{
    CancelToken, Cancelled, FutureExt, ScopeError, checkpoint, current_token, scope, spawn,
    yield_now,
};

use crate::on_every_runtime;

type Log = Arc<Mutex<Vec<String>>>;

fn say(log: &Log, line: impl Into<String>) {
    log.lock().unwrap().push(line.into());
}

/// A block that is cancelled from within, and handles that itself.
async fn handles_its_own(inner: CancelToken, log: &Log) -> Result<(), Cancelled> {
    let stopped = pending::<()>().or_cancelled().with_token(inner.clone());
    let error = stopped.await.expect_err("it is cancelled");
    say(log, format!("inner: {}", error.reason()));
    if inner.reason().as_ref() == Some(error.reason()) {
        // Ours: handled, with waits that do not ask.
        yield_now().await;
        yield_now().await;
        say(log, "inner handled");
    }
    Ok(())
}

#[test]
fn a_cancel_from_outside_while_an_inner_one_is_handled_is_not_swallowed() {
    on_every_runtime(|| async {
        let log = Log::default();
        let outer = CancelToken::new();
        let body = async {
            let inner = current_token().child();
            inner.cancel("inner");
            handles_its_own(inner, &log).await.expect("handled");
            outer.cancel("outer"); // while the block is on its way out
            say(
                &log,
                format!("outer: {}", checkpoint().unwrap_err().reason()),
            );
            // And it stays: nothing counts it down.
            assert!(checkpoint().is_err());
            assert!(pending::<()>().or_cancelled().await.is_err());
        };
        body.with_token(outer.clone()).await;
        let log = log.lock().unwrap().join(", ");
        assert_eq!(log, "inner: inner, inner handled, outer: outer");
    });
}

#[test]
fn a_cancel_from_outside_in_the_midst_of_the_handling_is_found_after_it() {
    on_every_runtime(|| async {
        let outer = CancelToken::new();
        let (in_the_midst, begins) = oneshot::channel();
        let (cancelled, ends) = oneshot::channel();
        let task = spawn(
            async move {
                let inner = current_token().child();
                inner.cancel("its own error");
                let error = async { checkpoint() }.with_token(inner.clone()).await;
                assert_eq!(error.unwrap_err().reason().text(), "its own error");
                in_the_midst.send(()).unwrap();
                ends.await.unwrap(); // the handling, which does not ask
                assert_eq!(inner.reason().unwrap().text(), "its own error");
                checkpoint()
            }
            .with_token(outer.clone()),
        );
        begins.await.unwrap();
        assert!(outer.cancel("from outside"));
        cancelled.send(()).unwrap();
        let error = task.await.unwrap().unwrap_err();
        assert_eq!(error.reason().text(), "from outside");
    });
}

#[test]
fn cancelled_in_the_same_turn_each_block_knows_whose_cancel_it_was() {
    on_every_runtime(|| async {
        // (which is cancelled first; what the inner block finds, and the outer)
        for (outer_first, expected) in [(false, ["inner", "outer"]), (true, ["outer", "outer"])] {
            let outer = CancelToken::new();
            let inner = outer.child();
            let wait = async {
                let inside = pending::<()>().or_cancelled().with_token(inner.clone());
                let inside = inside.await.unwrap_err().into_reason();
                let outside = pending::<()>().or_cancelled().await;
                [inside, outside.unwrap_err().into_reason()]
            };
            let cancel = async {
                if outer_first {
                    outer.cancel("outer");
                    assert!(!inner.cancel("inner"), "it is cancelled already");
                } else {
                    inner.cancel("inner");
                    outer.cancel("outer");
                }
            };
            let mut wait = Box::pin(wait.with_token(outer.clone()));
            std::future::poll_fn(|cx| {
                assert!(wait.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            cancel.await;
            let reasons = wait.await;
            assert_eq!(reasons.each_ref().map(|r| r.text()), expected);
        }
    });
}

#[test]
fn what_has_ended_by_its_own_cancel_leaves_what_surrounds_it_open() {
    on_every_runtime(|| async {
        let outer = CancelToken::new();
        async {
            for _ in 0..100 {
                let inner = current_token().child();
                inner.cancel("done with it");
                let result = pending::<()>().or_cancelled().with_token(inner).await;
                assert!(result.is_err());
                assert!(checkpoint().is_ok(), "there is nothing to take back");
            }
        }
        .with_token(outer.clone())
        .await;
        assert!(!outer.is_cancelled());
    });
}

type Plain<T> = Result<T, ScopeError<&'static str>>;

/// A scope whose child fails, and whose cleanup takes its time: meanwhile the
/// outer token is cancelled.
async fn fails_while_the_outer_is_cancelled(outer: CancelToken) -> Plain<()> {
    scope(|s| async move {
        let _guard = s.guard(outer, |outer| async move {
            yield_now().await; // the error is being handled
            outer.cancel("from outside");
            yield_now().await;
        });
        s.spawn(async { Err::<(), _>("inner") });
        pending().await
    })
    .await
}

#[test]
fn a_scope_that_handles_its_own_failure_swallows_no_cancel_from_outside() {
    on_every_runtime(|| async {
        // With time to listen: the inner scope ends by its own failure, and the
        // next look of the outer body finds the cancel.
        let outer: Plain<&str> = scope(|s| async move {
            let inner = fails_while_the_outer_is_cancelled(s.token()).await;
            let Err(ScopeError::Failed(errors)) = inner else {
                panic!("{inner:?}")
            };
            assert_eq!(errors.into_iter().collect::<Vec<_>>(), ["inner"]);
            assert_eq!(checkpoint().unwrap_err().reason().text(), "from outside");
            pending()
                .or_cancelled()
                .await
                .map_err(|_| "the outer body saw it")
        })
        .signal_grace(Duration::from_secs(3600))
        .await;
        let Err(ScopeError::Failed(errors)) = outer else {
            panic!("{outer:?}")
        };
        assert_eq!(
            errors.reason().expect("it was cancelled").text(),
            "from outside"
        );
        assert_eq!(
            errors.into_iter().collect::<Vec<_>>(),
            ["the outer body saw it"]
        );
    });
}

#[test]
fn a_scope_cancelled_while_an_inner_one_handles_its_failure_is_cancelled() {
    on_every_runtime(|| async {
        // With no time to listen the outer body is dropped where it stands.
        let outer: Plain<()> = scope(|s| async move {
            let inner = fails_while_the_outer_is_cancelled(s.token()).await;
            panic!("the body is gone before {inner:?}")
        })
        .await;
        let Err(ScopeError::Cancelled(reason)) = outer else {
            panic!("{outer:?}")
        };
        assert_eq!(reason.text(), "from outside");
    });
}

#[test]
fn a_scope_that_cancels_itself_leaves_nothing_for_the_outer_one_to_count() {
    on_every_runtime(|| async {
        let outer: Plain<u32> = scope(|_| async {
            let mut ended = 0;
            for _ in 0..100 {
                let inner: Plain<()> = scope(|s| async move {
                    s.cancel("done");
                    pending().await
                })
                .await;
                let Err(ScopeError::Cancelled(reason)) = inner else {
                    panic!("{inner:?}")
                };
                assert_eq!(reason.text(), "done");
                assert!(checkpoint().is_ok());
                ended += 1;
            }
            Ok(ended)
        })
        .await;
        assert_eq!(outer.unwrap(), 100);
    });
}
