//! Deadlines of scopes, and limits around them.

use std::future::pending;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Drops, Plain, errors};
use crate::on_every_runtime;
use wakeline::time::{sleep, timeout};
use wakeline::{ScopeError, current_deadline, current_token, scope, yield_now};

#[test]
fn an_inner_deadline_is_reported_by_the_inner_scope_only() {
    on_every_runtime(|| async {
        let result: Plain<u8> = scope(|_| async {
            let inner: Plain<()> = scope(|_| pending()).timeout(Duration::from_millis(1)).await;
            assert!(inner.unwrap_err().is_elapsed());
            assert!(!current_token().is_cancelled());
            Ok(1)
        })
        .timeout(Duration::from_secs(3600))
        .await;
        assert_eq!(result.unwrap(), 1);
    });
}

#[test]
fn equal_deadlines_are_reported_by_the_outer_scope() {
    on_every_runtime(|| async {
        let at = wakeline::time::now() + Duration::from_millis(2);
        let result: Plain<()> = scope(|_| async move {
            let _inner: Plain<()> = scope(|_| pending()).deadline(at).await;
            Err("the inner one has reported")
        })
        .deadline(at)
        .await;
        assert!(matches!(result, Err(ScopeError::Elapsed(_))), "{result:?}");
    });
}

#[test]
fn a_deadline_counts_from_the_first_poll_and_children_see_it() {
    on_every_runtime(|| async {
        let late: Plain<()> = scope(|_| async { Ok(()) }).timeout(Duration::ZERO).await;
        assert!(late.is_ok(), "a body that is ready wins");
        let result: Plain<()> = scope(|s| async move {
            assert!(current_deadline().is_some());
            s.spawn(async {
                assert!(current_deadline().is_some());
                Ok(())
            });
            s.spawn_task(async {
                assert!(current_deadline().is_some());
                Ok(())
            });
            Ok(())
        })
        .timeout(Duration::from_secs(3600))
        .await;
        result.unwrap();
    });
}

#[test]
fn a_huge_deadline_never_comes_and_one_can_be_moved() {
    on_every_runtime(|| async {
        let result: Plain<u8> = scope(|_| async { Ok(1) }).timeout(Duration::MAX).await;
        assert_eq!(result.unwrap(), 1);
        let result: Plain<()> = scope(|s| async move {
            s.set_deadline(None);
            sleep(Duration::from_millis(3)).await;
            s.set_deadline(Some(wakeline::time::now() + Duration::from_millis(1)));
            pending().await
        })
        .timeout(Duration::from_millis(2))
        .await;
        assert!(matches!(result, Err(ScopeError::Elapsed(_))));
    });
}

/// A deadline that passes in the middle of a poll is a signal like any other.
#[test]
fn those_who_listen_hear_of_a_deadline_before_they_are_dropped() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            s.spawn(async {
                current_token().cancelled().await;
                Err::<(), _>("heard")
            });
            yield_now().await;
            s.set_deadline(Some(wakeline::time::now()));
            pending().await
        })
        .await;
        assert_eq!(errors(result), ["heard"]);
    });
}

#[test]
fn a_timeout_around_a_scope_drops_it_at_once() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let work = scope(|s| async move {
            let captured = captured();
            s.spawn(async move {
                let _captured = captured;
                pending::<Result<(), ()>>().await
            });
            pending::<Result<(), ()>>().await
        });
        assert!(timeout(Duration::from_millis(1), work).await.is_err());
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}
