//! A shield in a scope: another owner, the scope's own cleanup lane.

use std::future::pending;
use std::time::Duration;

use wakeline::sync::oneshot;
use wakeline::time::{sleep, timeout};
use wakeline::{ChildError, OnPanic, ScopeError, checkpoint, scope, yield_now};

use crate::on_every_runtime;

type Plain<T> = Result<T, ScopeError<&'static str>>;

#[test]
fn a_cancel_of_the_scope_does_not_stop_it() {
    on_every_runtime(|| async {
        let (done, is_done) = oneshot::channel();
        let result: Plain<()> = scope(|s| async move {
            drop(s.shield(async move {
                yield_now().await;
                assert!(checkpoint().is_ok(), "it does not hear the cancel");
                sleep(Duration::from_millis(1)).await;
                done.send("saved").unwrap();
            }));
            s.cancel("now");
            pending().await
        })
        .await;
        assert!(result.unwrap_err().is_cancelled());
        assert_eq!(is_done.await, Ok("saved"));
    });
}

#[test]
fn its_result_is_had_also_when_the_one_who_began_it_is_gone() {
    on_every_runtime(|| async {
        let result: Plain<u8> = scope(|s| async move {
            let (hand, handed) = oneshot::channel();
            let inner = s.clone();
            let child = s.spawn::<(), _>(async move {
                let shielded = inner.shield(async {
                    sleep(Duration::from_millis(1)).await;
                    9
                });
                let _ = hand.send(shielded);
                pending().await
            });
            let shielded = handed.await.unwrap();
            child.abort();
            Ok(shielded.await.unwrap())
        })
        .await;
        assert_eq!(result.unwrap(), 9);
    });
}

#[test]
fn one_that_is_done_is_had_at_once_and_one_aborted_says_so() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            let done = s.shield(async { 1 });
            yield_now().await;
            assert_eq!(done.await, Ok(1));
            let over = s.shield(pending::<()>());
            over.abort();
            assert!(matches!(over.await, Err(ChildError::Cancelled(_))));
            Ok(())
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn a_panic_after_its_handle_is_gone_is_the_scopes() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            drop(s.shield(async {
                yield_now().await;
                panic!("in the shield")
            }));
            Ok(())
        })
        .on_panic(OnPanic::Collect)
        .await;
        let Err(ScopeError::Failed(errors)) = result else {
            panic!()
        };
        assert_eq!(errors.panics().len(), 1);
    });
}

#[test]
fn it_outlives_a_scope_that_is_dropped_from_outside() {
    on_every_runtime(|| async {
        let (done, is_done) = oneshot::channel();
        let inner = scope(|s| async move {
            drop(s.shield(async move {
                sleep(Duration::from_millis(2)).await;
                done.send(()).unwrap();
            }));
            pending::<Result<(), ()>>().await
        });
        assert!(timeout(Duration::from_millis(1), inner).await.is_err());
        is_done.await.unwrap();
    });
}

#[test]
fn a_scope_that_is_cancelled_begins_none() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            s.cancel("no more");
            let refused = s.shield(async { panic!("never polled") });
            assert!(matches!(refused.await, Err(ChildError::Cancelled(_))));
            Ok(())
        })
        .await;
        result.unwrap();
    });
}
