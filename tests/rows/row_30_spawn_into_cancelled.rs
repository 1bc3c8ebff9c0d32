//! What is spawned where nothing may start any more: it is never polled, and
//! what it has captured is released.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use wakeline::time::sleep;
use wakeline::{
    CancelToken, Child, ChildError, FutureExt, Scope, ScopeError, current_token, scope, yield_now,
};

use crate::on_every_runtime;

type Plain<T> = Result<T, ScopeError<&'static str>>;

/// Spawns in every way; all must be refused for `reason`, captures released.
async fn all_refused<'e>(s: &Scope<'e, &'static str>, reason: &str) {
    let captured = Arc::new(());
    let refused = |child: Child<()>| async move {
        match child.await {
            Err(ChildError::Cancelled(why)) => assert_eq!(why.text(), reason),
            other => panic!("{other:?}"),
        }
    };
    let here = Arc::clone(&captured);
    let here = s.spawn(async move {
        let _captured = here;
        panic!("never polled")
    });
    let task = Arc::clone(&captured);
    let task = s.spawn_task(async move {
        let _captured = task;
        panic!("never polled")
    });
    let job = Arc::clone(&captured);
    let job = s.spawn_blocking(move || {
        let _captured = job;
        panic!("never run")
    });
    assert_eq!(Arc::strong_count(&captured), 1, "captures go at once");
    refused(here).await;
    refused(task).await;
    refused(job).await;
    let back = Arc::clone(&captured);
    let refused = s.try_spawn(async move { Ok(drop(back)) }).unwrap_err();
    assert_eq!(Arc::strong_count(&captured), 2, "the future comes back");
    refused.into_inner().await.unwrap();
    assert_eq!(Arc::strong_count(&captured), 1);
}

#[test]
fn after_a_cancel_from_inside() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            s.cancel("inside");
            all_refused(&s, "inside").await;
            Ok(())
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn after_a_cancel_from_outside_also_before_it_was_entered() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        token.cancel("outside");
        let work = scope(|s| async move {
            all_refused(&s, "outside").await;
            Ok::<_, &'static str>(())
        });
        work.with_token(token).await.unwrap();
    });
}

#[test]
fn after_the_deadline() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            all_refused(&s, "the deadline passed").await;
            Ok(())
        })
        .timeout(Duration::ZERO)
        .await;
        result.unwrap();
    });
}

#[test]
fn after_a_failure_has_started_to_end_it() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            s.spawn(async { Err::<(), _>("first") });
            let late = s.clone();
            s.spawn(async move {
                current_token().cancelled().await;
                all_refused(&late, "a sibling failed").await;
                Ok(())
            });
            pending().await
        })
        .await;
        let Err(ScopeError::Failed(errors)) = result else {
            panic!()
        };
        assert_eq!(errors.len(), 1, "what was refused is no failure");
    });
}

#[test]
fn after_the_end() {
    on_every_runtime(|| async {
        let mut after = None;
        let result: Plain<()> = scope(|s| {
            after = Some(s.clone());
            async { Ok(()) }
        })
        .await;
        result.unwrap();
        let over = after.unwrap();
        all_refused(&over, "the scope has ended").await;
        assert!(
            over.try_spawn(async { Ok(()) })
                .unwrap_err()
                .reason()
                .is_none()
        );
    });
}

#[test]
fn after_the_scope_was_dropped() {
    on_every_runtime(|| async {
        let mut after = None;
        drop(scope::<(), _, _, _>(|s| {
            after = Some(s.clone());
            async { Ok(()) }
        }));
        all_refused(&after.unwrap(), "the owner was dropped").await;
    });
}

#[test]
fn what_was_taken_in_but_not_polled_is_dropped_by_a_cancel() {
    on_every_runtime(|| async {
        let captured = Arc::new(());
        let inside = Arc::clone(&captured);
        let result: Plain<()> = scope(|s| async move {
            let child = s.spawn(async move {
                let _captured = inside;
                sleep(Duration::from_secs(3600)).await;
                Ok(())
            });
            s.cancel("at once");
            // The child is polled once in this turn, if it is polled at all.
            assert!(matches!(child.await, Err(ChildError::Cancelled(_))));
            Ok(())
        })
        .await;
        assert!(
            matches!(result, Err(ScopeError::Cancelled(_))),
            "{result:?}"
        );
        assert_eq!(Arc::strong_count(&captured), 1);
    });
}

#[test]
fn a_spawn_in_a_destructor_while_the_scope_ends_is_refused() {
    struct SpawnsInDrop<'e>(Scope<'e, &'static str>, Arc<()>);
    impl Drop for SpawnsInDrop<'_> {
        fn drop(&mut self) {
            let captured = Arc::clone(&self.1);
            drop(self.0.spawn::<(), _>(async move {
                let _captured = captured;
                panic!("never polled")
            }));
            self.0.cancel("again"); // and other calls, from within the drop
            let _ = self.0.token().is_cancelled();
        }
    }
    on_every_runtime(|| async {
        let captured = Arc::new(());
        let inside = Arc::clone(&captured);
        let result: Plain<()> = scope(|s| async move {
            let spawns = SpawnsInDrop(s.clone(), inside);
            s.spawn(async move {
                let _spawns = spawns;
                pending::<Result<(), _>>().await
            });
            yield_now().await;
            Err("over")
        })
        .await;
        assert!(result.is_err());
        assert_eq!(Arc::strong_count(&captured), 1);
    });
}
