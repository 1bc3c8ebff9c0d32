//! How long finalizers have after a cancel.

use crate::on_every_runtime;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use wakeline::time::timeout;
use wakeline::{ScopeError, checkpoint, current_deadline, current_token, scope, yield_now};

use super::{Log, Plain};

#[test]
fn the_lane_is_shielded_from_the_cancel_and_bounded() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            let _guard = s.guard((), |()| async {
                assert!(checkpoint().is_ok(), "the cancel is not heard here");
                assert!(!current_token().is_cancelled());
                yield_now().await;
                assert!(current_deadline().is_some(), "but the grace is known");
                let late = timeout(Duration::from_millis(1), pending::<()>()).await;
                assert!(late.is_err(), "nested limits work");
            });
            s.cancel("now");
            pending().await
        })
        .cleanup_grace(Duration::from_secs(3600))
        .await;
        assert!(
            matches!(result, Err(ScopeError::Cancelled(_))),
            "{result:?}"
        );
    });
}

#[test]
fn what_is_not_done_within_the_grace_is_dropped_and_named() {
    on_every_runtime(|| async {
        let dropped = Arc::new(());
        let inside = Arc::clone(&dropped);
        let line = line!() + 2;
        let result: Plain<()> = scope(|s| async move {
            let _stuck = s.guard(inside, |inside| async move {
                let _inside = inside;
                pending().await
            });
            s.cancel("now");
            pending().await
        })
        .cleanup_grace(Duration::from_millis(1))
        .await;
        let Err(ScopeError::Failed(errors)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(errors.unfinished().len(), 1);
        assert_eq!(errors.unfinished()[0].line(), line);
        assert_eq!(errors.reason().unwrap().text(), "now");
        assert!(errors.to_string().contains(file!()), "{errors}");
        assert_eq!(Arc::strong_count(&dropped), 1);
    });
}

#[test]
fn a_grace_of_zero_still_polls_each_finalizer_once() {
    on_every_runtime(|| async {
        let log = Log::default();
        let result: Plain<()> = scope(|s| {
            let log = log.clone();
            async move {
                let _quick = s.guard((), move |()| async move { log.add("quick") });
                s.cancel("now");
                pending().await
            }
        })
        .cleanup_grace(Duration::ZERO)
        .await;
        assert!(
            matches!(result, Err(ScopeError::Cancelled(_))),
            "{result:?}"
        );
        assert_eq!(log.take(), ["quick"]);
    });
}

#[test]
fn an_inner_scope_has_no_more_grace_than_the_outer() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|_| async {
            let inner: Plain<()> = scope(|s| async move {
                let _stuck = s.guard((), |()| pending());
                s.cancel("inner");
                pending().await
            })
            .cleanup_grace(Duration::from_secs(3600))
            .await;
            assert_eq!(inner.unwrap_err().errors().unwrap().unfinished().len(), 1);
            Ok(())
        })
        .cleanup_grace(Duration::from_millis(1))
        .await;
        result.unwrap();
    });
}

#[test]
fn a_start_in_a_finalizer_is_bounded_by_the_grace_as_well() {
    on_every_runtime(|| async {
        let stuck = scope(|s| async move {
            s.cleanup_grace(Duration::from_millis(1));
            let inside = s.clone();
            drop(s.guard((), move |()| async move {
                let start = inside.start(|ready: wakeline::scope::Ready<()>| async move {
                    let _ready = ready;
                    pending().await
                });
                let _ = start.await;
            }));
            yield_now().await;
            yield_now().await; // it has begun, and keeps the scope open
            s.cancel("enough");
            pending().await
        });
        let ended: Plain<()> = timeout(Duration::from_secs(60), stuck)
            .await
            .expect("the grace is over");
        assert_eq!(ended.unwrap_err().errors().unwrap().unfinished().len(), 1);
    });
}
