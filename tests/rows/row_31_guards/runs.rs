//! When a finalizer runs, and in which order.

use crate::{on_every_runtime, with_every_runtime};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use wakeline::sync::oneshot;
use wakeline::time::timeout;
use wakeline::{OnPanic, Scope, ScopeError, scope, scope_local, yield_now};

use super::{Log, Plain};

#[test]
fn it_runs_on_a_normal_end_before_the_scope_leaves() {
    on_every_runtime(|| async {
        let log = Log::default();
        let result: Plain<u8> = scope(|s| {
            let log = log.clone();
            async move {
                let mut guard = s.guard("one", log.finalizer());
                assert_eq!(*guard, "one");
                *guard = "another";
                Ok(1)
            }
        })
        .await;
        assert_eq!(result.unwrap(), 1);
        assert_eq!(log.take(), ["another"]);
    });
}

#[test]
fn it_runs_on_an_error_a_cancel_a_deadline_and_a_panic() {
    on_every_runtime(|| async {
        for how in [
            "error",
            "cancel",
            "deadline",
            "panic",
            "sibling",
            "child panic",
        ] {
            let log = Log::default();
            let result: Plain<()> = scope(|s| {
                let log = log.clone();
                async move {
                    if how == "sibling" || how == "child panic" {
                        s.spawn::<(), _>(async move {
                            yield_now().await;
                            assert_ne!(how, "child panic", "planned");
                            Err("sibling")
                        });
                    }
                    if how == "deadline" {
                        s.set_deadline(Some(wakeline::time::now()));
                    }
                    let _guard = s.guard(how, log.finalizer());
                    match how {
                        "error" => Err("body"),
                        "panic" => panic!("planned"),
                        "cancel" => {
                            s.cancel("planned");
                            pending().await
                        }
                        _ => pending().await,
                    }
                }
            })
            .on_panic(OnPanic::Collect)
            .await;
            assert!(result.is_err(), "{how}");
            assert_eq!(log.take(), [how]);
        }
    });
}

#[test]
fn finalizers_of_one_child_run_in_the_order_of_the_drops() {
    on_every_runtime(|| async {
        let log = Log::default();
        let result: Plain<()> = scope(|s| {
            let log = log.clone();
            async move {
                let inner = s.clone();
                s.spawn::<(), _>(async move {
                    let _connection = inner.guard("connection", log.finalizer());
                    let _transaction = inner.guard("transaction", log.finalizer());
                    pending().await
                });
                yield_now().await;
                Err("stop")
            }
        })
        .await;
        assert!(result.is_err());
        assert_eq!(log.take(), ["transaction", "connection"]);
    });
}

#[test]
fn finalizers_of_different_children_run_side_by_side() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            let (tx, rx) = oneshot::channel();
            let (one, two) = (s.clone(), s.clone());
            // The first waits for the second: one after the other would hang.
            s.spawn::<(), _>(async move {
                let _waits = one.guard(rx, |rx| async move { rx.await.unwrap() });
                pending().await
            });
            s.spawn::<(), _>(async move {
                let _sends = two.guard(tx, |tx| async move { tx.send(()).unwrap() });
                pending().await
            });
            yield_now().await;
            Err("stop")
        })
        .cleanup_grace(Duration::from_secs(3600))
        .await;
        assert!(
            result
                .unwrap_err()
                .errors()
                .unwrap()
                .unfinished()
                .is_empty()
        );
    });
}

#[test]
fn a_guard_dropped_early_is_finalized_while_the_scope_goes_on() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            let (done, is_done) = oneshot::channel();
            drop(s.guard(done, |done| async move { done.send(()).unwrap() }));
            is_done.await.unwrap();
            Ok(())
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn close_runs_it_inline_and_once_and_disarm_not_at_all() {
    on_every_runtime(|| async {
        let log = Log::default();
        let result: Plain<&str> = scope(|s| {
            let log = log.clone();
            async move {
                s.guard("closed", log.finalizer()).close().await;
                assert_eq!(log.take(), ["closed"]);
                Ok(s.guard("kept", log.finalizer()).disarm())
            }
        })
        .await;
        assert_eq!(result.unwrap(), "kept");
        assert!(log.take().is_empty());
    });
}

#[test]
fn a_close_that_is_dropped_half_way_goes_on_in_the_lane() {
    on_every_runtime(|| async {
        let log = Log::default();
        let result: Plain<()> = scope(|s| {
            let log = log.clone();
            async move {
                let steps = log.clone();
                let (go, gone) = oneshot::channel();
                let guard = s.guard(gone, move |gone| async move {
                    steps.add("begins");
                    gone.await.unwrap();
                    steps.add("ends");
                });
                assert!(
                    timeout(Duration::from_millis(1), guard.close())
                        .await
                        .is_err()
                );
                go.send(()).unwrap();
                Ok(())
            }
        })
        .await;
        result.unwrap();
        assert_eq!(log.take(), ["begins", "ends"]);
    });
}

#[test]
fn setup_that_fails_half_way_releases_what_it_had() {
    on_every_runtime(|| async {
        async fn set_up<'e>(s: &Scope<'e, &'static str>, log: Log) -> Result<(), &'static str> {
            let _listener = s.guard("listener", log.finalizer());
            let _database = s.guard("database", log.finalizer());
            yield_now().await;
            Err("no cache")?;
            let _cache = s.guard("cache", log.finalizer());
            Ok(())
        }
        let log = Log::default();
        let result: Plain<()> = scope(|s| {
            let log = log.clone();
            async move { set_up(&s, log).await }
        })
        .await;
        assert!(result.is_err());
        assert_eq!(log.take(), ["database", "listener"]);
    });
}

#[test]
fn a_finalizer_that_panics_is_added_and_keeps_no_other_from_its_turn() {
    on_every_runtime(|| async {
        let log = Log::default();
        let result: Plain<()> = scope(|s| {
            let log = log.clone();
            async move {
                let _second = s.guard("second", log.finalizer());
                let _first = s.guard((), |()| async { panic!("in the finalizer") });
                Err("body")
            }
        })
        .on_panic(OnPanic::Collect)
        .await;
        let Err(ScopeError::Failed(errors)) = result else {
            panic!()
        };
        assert_eq!(
            errors.to_string(),
            "2 failures: body; a panic: in the finalizer"
        );
        assert_eq!(log.take(), ["second"]);
    });
}

#[test]
fn without_a_cancel_a_finalizer_has_all_the_time() {
    on_every_runtime(|| async {
        let log = Log::default();
        let result: Plain<()> = scope(|s| {
            let log = log.clone();
            async move {
                let _slow = s.guard("slow", log.finalizer());
                Ok(())
            }
        })
        .cleanup_grace(Duration::ZERO)
        .await;
        result.unwrap();
        assert_eq!(log.take(), ["slow"]);
    });
}

#[test]
fn a_finalizer_may_guard_and_a_value_may_guard_in_its_drop() {
    on_every_runtime(|| async {
        let log = Log::default();
        let result: Plain<()> = scope(|s| {
            let log = log.clone();
            async move {
                let scope = s.clone();
                let inner = log.clone();
                let _outer = s.guard((), move |()| async move {
                    inner.add("outer");
                    drop(scope.guard("inner", inner.finalizer()));
                });
                s.cancel("now");
                pending().await
            }
        })
        .await;
        assert!(result.unwrap_err().is_cancelled());
        assert_eq!(log.take(), ["outer", "inner"]);
    });
}

#[test]
fn a_guard_that_outlives_the_scope_drops_its_value() {
    on_every_runtime(|| async {
        let value = Arc::new(());
        let mut kept = None;
        let result: Plain<()> = scope(|s| {
            kept = Some(s.guard(Arc::clone(&value), |_| async { panic!("no lane is left") }));
            async { Ok(()) }
        })
        .await;
        result.unwrap();
        assert_eq!(Arc::strong_count(&value), 2);
        drop(kept);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn a_local_scope_has_guards_for_what_is_not_send() {
    with_every_runtime(|runtime| {
        let log = std::cell::RefCell::new(Vec::new());
        let result: Plain<()> = runtime.block_on(scope_local(|s| {
            let log = &log;
            async move {
                let value = std::rc::Rc::new("local");
                let _guard = s.guard(value, move |value| async move {
                    yield_now().await;
                    log.borrow_mut().push(*value);
                });
                s.guard((), |()| async {}).close().await;
                Ok(())
            }
        }));
        result.unwrap();
        assert_eq!(*log.borrow(), ["local"]);
    });
}
