//! How a scope ends: when all have, by the first failure, by a panic; and what it tells.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Drops, Plain, errors};
use crate::{on_every_runtime, with_every_runtime};
use wakeline::cancel::Cause;
use wakeline::sync::{Event, oneshot};
use wakeline::time::{sleep, timeout};
use wakeline::{
    CancelToken, FutureExt, OnPanic, Scope, ScopeError, current_token, scope, scope_local, spawn,
    spawn_blocking, yield_now,
};

#[test]
fn it_leaves_only_when_the_body_and_all_children_have_ended() {
    on_every_runtime(|| async {
        let log = Mutex::new(Vec::new());
        let result: Plain<&str> = scope(|s| {
            let log = &log;
            async move {
                for n in [3, 1, 2] {
                    s.spawn(async move {
                        sleep(Duration::from_millis(1)).await;
                        // Each waits for the one before.
                        while log.lock().unwrap().len() < n - 1 {
                            yield_now().await;
                        }
                        log.lock().unwrap().push(n);
                        Ok(())
                    });
                }
                Ok("body")
            }
        })
        .await;
        assert_eq!(result.unwrap(), "body");
        assert_eq!(*log.lock().unwrap(), [1, 2, 3]);
    });
}

#[test]
fn an_empty_scope_gives_its_value_and_a_dropped_one_runs_nothing() {
    on_every_runtime(|| async {
        assert_eq!(scope(|_| async { Ok::<_, ()>(7) }).await.unwrap(), 7);
        let (drops, captured) = Drops::new();
        let captured = captured();
        drop(scope::<(), (), _, _>(|s| {
            s.spawn::<(), _>(async { panic!("never polled") });
            async move {
                let _captured = captured;
                panic!("never polled")
            }
        }));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn the_first_failure_cancels_siblings_and_body() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let token = Arc::new(Mutex::new(None));
        let result: Plain<()> = scope(|s| {
            let token = Arc::clone(&token);
            async move {
                *token.lock().unwrap() = Some(s.token());
                for _ in 0..3 {
                    let captured = captured();
                    s.spawn(async move {
                        let _captured = captured;
                        pending::<Result<(), _>>().await
                    });
                }
                s.spawn(async {
                    yield_now().await;
                    Err::<(), _>("first")
                });
                let _body = captured();
                pending().await
            }
        })
        .await;
        assert_eq!(errors(result), ["first"]);
        assert_eq!(drops.load(Ordering::SeqCst), 4);
        let reason = token.lock().unwrap().take().unwrap().reason().unwrap();
        assert_eq!(reason.cause(), Cause::Sibling);
    });
}

#[test]
fn a_failing_body_cancels_the_children_and_its_error_is_first() {
    on_every_runtime(|| async {
        let go = Event::new();
        let result: Plain<()> = scope(|s| {
            let go = &go;
            async move {
                s.spawn(async move {
                    go.wait().await;
                    Err::<(), _>("child")
                });
                s.spawn(pending::<Result<(), _>>());
                yield_now().await;
                go.set();
                Err("body")
            }
        })
        .await;
        assert_eq!(errors(result), ["body", "child"]);
    });
}

#[test]
fn errors_while_being_cancelled_are_added() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            for name in ["one", "two"] {
                s.spawn(async move {
                    current_token().cancelled().await;
                    Err::<(), _>(name)
                });
            }
            yield_now().await;
            Err("body")
        })
        .await;
        assert_eq!(errors(result), ["body", "one", "two"]);
    });
}

#[test]
fn children_spawn_siblings_while_the_group_waits_and_finished_ones_are_freed() {
    on_every_runtime(|| async {
        fn grow(
            s: Scope<'_, &'static str>,
            left: u32,
            alive: Arc<AtomicUsize>,
            most: Arc<AtomicUsize>,
        ) {
            let again = s.clone();
            let captured = Arc::clone(&alive);
            let now = alive.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            let count = Drops(Arc::new(AtomicUsize::new(0)));
            s.spawn(async move {
                yield_now().await;
                drop(count);
                captured.fetch_sub(1, Ordering::SeqCst);
                if left > 0 {
                    grow(again, left - 1, alive, most);
                }
                Ok(())
            });
        }
        let most = Arc::new(AtomicUsize::new(0));
        let alive = Arc::new(AtomicUsize::new(0));
        let result: Plain<()> = scope(|s| {
            grow(s, 2_000, Arc::clone(&alive), Arc::clone(&most));
            async { Ok(()) }
        })
        .await;
        result.unwrap();
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        assert_eq!(most.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_finished_child_is_dropped_while_its_siblings_run() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let result: Plain<()> = scope(|s| async move {
            for n in 0..100 {
                let captured = captured();
                let child = s.spawn(async move {
                    let _captured = captured;
                    Ok(())
                });
                child.await.unwrap();
                assert_eq!(drops.load(Ordering::SeqCst), n + 1);
            }
            Ok(())
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn a_panic_cancels_the_others_and_goes_on_when_all_are_gone() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let panics = spawn(async move {
            let result: Plain<()> = scope(|s| async move {
                let captured = captured();
                s.spawn(async move {
                    let _captured = captured;
                    pending::<Result<(), _>>().await
                });
                s.spawn::<(), _>(async {
                    yield_now().await;
                    panic!("planned")
                });
                pending().await
            })
            .await;
            result
        });
        let error = panics.await.unwrap_err();
        assert_eq!(error.into_panic().downcast_ref(), Some(&"planned"));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn panics_can_be_collected_also_those_of_destructors() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("destructor");
        }
    }
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            s.spawn(async {
                let _loud = Loud;
                pending::<Result<(), _>>().await
            });
            s.spawn::<(), _>(async {
                yield_now().await;
                panic!("child")
            });
            s.spawn_task::<(), _>(async {
                current_token().cancelled().await;
                panic!("task")
            });
            sleep(Duration::from_millis(2)).await;
            Ok(())
        })
        .signal_grace(Duration::from_secs(60))
        .timeout(Duration::from_secs(60))
        .on_panic(OnPanic::Collect)
        .signal_grace(Duration::ZERO)
        .await;
        let Err(ScopeError::Failed(mut errors)) = result else {
            panic!()
        };
        let text = errors.to_string();
        assert!(text.contains("a panic: child"), "{text}");
        assert!(text.contains("a panic: destructor"), "{text}");
        assert!(errors.is_empty());
        assert!(errors.take_panics().len() >= 2);
    });
}

#[test]
fn a_value_does_not_hide_that_children_were_cut_off() {
    on_every_runtime(|| async {
        // The body had its value long before: what is cut off is not done.
        let result: Plain<u8> = scope(|s| async move {
            let late = s.clone();
            s.spawn(async move {
                yield_now().await;
                late.set_deadline(Some(wakeline::time::now()));
                pending::<Result<(), _>>().await
            });
            Ok(1)
        })
        .await;
        assert!(matches!(result, Err(ScopeError::Elapsed(_))), "{result:?}");

        let token = CancelToken::new();
        let cancel = token.clone();
        let (later, is_later) = oneshot::channel();
        let work = scope(|s| async move {
            s.spawn(async move {
                yield_now().await;
                later.send(())
            });
            s.spawn_task(async move {
                let _ = is_later.await;
                cancel.cancel("outside");
                pending::<Result<(), _>>().await
            });
            Ok::<_, ()>(1)
        });
        let result = work.with_token(token).await;
        assert!(
            matches!(result, Err(ScopeError::Cancelled(_))),
            "{result:?}"
        );
    });
}

#[test]
fn a_scope_that_is_leaked_leaks_its_children_and_no_more() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let mut handle = None;
        let captured = captured();
        let mut leaked = Box::pin(scope::<(), (), _, _>(|s| {
            handle = Some(s.clone());
            s.spawn(async move {
                let _captured = captured;
                pending::<Result<(), _>>().await
            });
            pending()
        }));
        assert!(
            timeout(Duration::from_millis(1), &mut leaked)
                .await
                .is_err()
        );
        std::mem::forget(leaked);
        let handle = handle.expect("the closure has run");
        drop(handle.spawn(async { Ok(()) }));
        handle.cancel("nobody listens");
        drop(handle);
        assert_eq!(drops.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_scope_in_a_task_that_is_aborted_drops_all_where_it_stands() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let (started, is_started) = oneshot::channel();
        let task = spawn(async move {
            let result: Plain<()> = scope(|s| async move {
                for _ in 0..3 {
                    let captured = captured();
                    s.spawn(async move {
                        let _captured = captured;
                        pending::<Result<(), _>>().await
                    });
                }
                yield_now().await;
                let _ = started.send(());
                pending().await
            })
            .await;
            result
        });
        is_started.await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(drops.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn a_local_scope_needs_no_send() {
    with_every_runtime(|runtime| {
        let count = std::cell::Cell::new(0);
        let result: Plain<()> = runtime.block_on(scope_local(|s| {
            let count = &count;
            async move {
                let shared = std::rc::Rc::new(2);
                for _ in 0..3 {
                    let shared = std::rc::Rc::clone(&shared);
                    s.spawn(async move {
                        yield_now().await;
                        count.set(count.get() + *shared);
                        Ok(())
                    });
                }
                s.spawn_task(async { Ok(()) });
                let one = spawn_blocking(|| 1).await.unwrap();
                count.set(count.get() + one);
                Ok(())
            }
        }));
        result.unwrap();
        assert_eq!(count.get(), 7);
    });
}
