//! Cancelled from outside, from inside, or a child alone; and who hears of it.

use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Drops, Plain};
use crate::on_every_runtime;
use wakeline::time::sleep;
use wakeline::{
    CancelToken, ChildError, FutureExt, ScopeError, checkpoint, current_token, scope, yield_now,
};

#[test]
fn an_external_cancel_is_reported_with_its_reason_and_a_failure_wins_over_it() {
    on_every_runtime(|| async {
        for fails in [false, true] {
            let token = CancelToken::new();
            let cancel = token.clone();
            let work = scope(|s| async move {
                s.spawn(async move {
                    current_token().cancelled().await;
                    if fails {
                        Err("while cancelled")
                    } else {
                        Ok(())
                    }
                });
                s.spawn(async move {
                    yield_now().await;
                    cancel.cancel("from outside");
                    Ok(())
                });
                pending::<Result<(), _>>().await
            });
            match work.with_token(token).await {
                Err(ScopeError::Failed(errors)) if fails => {
                    assert_eq!(errors.reason().unwrap().text(), "from outside");
                    assert_eq!(errors.into_iter().collect::<Vec<_>>(), ["while cancelled"]);
                }
                Err(ScopeError::Cancelled(reason)) if !fails => {
                    assert_eq!(reason.text(), "from outside");
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_child_cancelled_by_itself_does_not_fail_the_group() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let result: Plain<u8> = scope(|s| async move {
            let captured = captured();
            let child = s.spawn::<(), _>(async move {
                let _captured = captured;
                pending().await
            });
            let task = s.spawn_task::<(), _>(pending());
            let other = s.spawn(async {
                sleep(Duration::from_millis(1)).await;
                Ok(3)
            });
            yield_now().await;
            child.abort();
            task.abort();
            assert!(matches!(child.await, Err(ChildError::Cancelled(_))));
            assert!(matches!(task.await, Err(ChildError::Cancelled(_))));
            Ok(other.await.expect("it goes on"))
        })
        .await;
        assert_eq!(result.unwrap(), 3);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn cancelling_from_inside_is_no_failure() {
    on_every_runtime(|| async {
        // The body has its value by then: it counts.
        let result: Plain<u8> = scope(|s| async move {
            s.spawn(pending::<Result<(), _>>());
            s.cancel("enough");
            Ok(5)
        })
        .await;
        assert_eq!(result.unwrap(), 5);
        // A child says that it is enough, long after the body.
        let result: Plain<u8> = scope(|s| async move {
            s.spawn(pending::<Result<(), _>>());
            let scope = s.clone();
            s.spawn(async move {
                sleep(Duration::from_millis(1)).await;
                assert!(scope.cancel("enough"));
                assert!(!scope.cancel("twice"));
                pending::<Result<(), _>>().await
            });
            Ok(6)
        })
        .await;
        assert_eq!(result.unwrap(), 6);
        // There is no value.
        let result: Plain<u8> = scope(|s| async move {
            s.cancel("enough");
            pending().await
        })
        .await;
        assert!(matches!(result, Err(ScopeError::Cancelled(why)) if why.text() == "enough"));
    });
}

#[test]
fn those_who_listen_have_the_signal_grace_to_end_by_themselves() {
    on_every_runtime(|| async {
        let log = Mutex::new(Vec::new());
        let result: Plain<&str> = scope(|s| {
            let log = &log;
            async move {
                s.spawn(async move {
                    current_token().cancelled().await;
                    sleep(Duration::from_millis(1)).await; // says goodbye
                    log.lock().unwrap().push("child");
                    Ok(())
                });
                let body = s.clone();
                s.spawn(async move {
                    yield_now().await;
                    body.cancel("please");
                    Ok(())
                });
                current_token().cancelled().await;
                sleep(Duration::from_millis(1)).await;
                Ok("in time")
            }
        })
        .signal_grace(Duration::from_secs(3600))
        .await;
        assert_eq!(result.unwrap(), "in time");
        assert_eq!(*log.lock().unwrap(), ["child"]);
    });
}

#[test]
fn a_shielded_part_below_does_not_hear_the_scope() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            let shielded = s.token().shielded_child();
            s.cancel("all");
            assert!(current_token().is_cancelled());
            async {
                assert!(checkpoint().is_ok());
            }
            .with_token(shielded)
            .await;
            Ok(())
        })
        .await;
        assert!(result.is_ok());
    });
}
