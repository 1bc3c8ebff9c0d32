//! Values with an asynchronous finalizer: it runs once, whatever happens.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use wakeline::sync::oneshot;
use wakeline::time::{sleep, timeout};
use wakeline::{
    ChildError, OnPanic, Runtime, Scope, ScopeError, checkpoint, current_deadline, current_token,
    scope, scope_local, spawn, yield_now,
};

use crate::{on_every_runtime, with_every_runtime};

type Plain<T> = Result<T, ScopeError<&'static str>>;

/// What has happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn add(&self, line: &'static str) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// A finalizer that says when it begins and when it has ended.
    fn finalizer(&self) -> impl FnOnce(&'static str) -> Finalizes + Send + use<> {
        let log = self.clone();
        move |name| {
            Box::pin(async move {
                sleep(Duration::from_millis(1)).await;
                log.add(name);
            })
        }
    }
}

type Finalizes = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

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
        assert!(errors.to_string().contains("row_31_guards.rs"), "{errors}");
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
fn a_static_guard_that_outlives_the_scope_is_finalized_by_the_runtime() {
    on_every_runtime(|| async {
        let (done, is_done) = oneshot::channel();
        let mut kept = None;
        let result: Plain<()> = scope(|s| {
            kept = Some(s.guard_static(done, |done| async move { done.send(()).unwrap() }));
            async { Ok(()) }
        })
        .await;
        result.unwrap();
        drop(kept);
        is_done.await.unwrap();
    });
}

/// Guards in a scope that is dropped from outside.
async fn guarded(log: Log, started: oneshot::Sender<()>) -> Plain<()> {
    scope(|s| async move {
        let _borrowed = s.guard("borrowed", log.finalizer());
        let _second = s.guard_static("second", log.finalizer());
        let _first = s.guard_static("first", log.finalizer());
        yield_now().await;
        let _ = started.send(());
        pending().await
    })
    .await
}

#[test]
fn dropped_from_outside_static_finalizers_go_to_the_scope_above() {
    on_every_runtime(|| async {
        let log = Log::default();
        let result: Plain<()> = scope(|outer| {
            let log = log.clone();
            async move {
                let (started, is_started) = oneshot::channel();
                let child =
                    outer.spawn(async move { guarded(log, started).await.map_err(|_| "inner") });
                is_started.await.unwrap();
                child.abort();
                assert!(matches!(child.await, Err(ChildError::Cancelled(_))));
                Ok(())
            }
        })
        .await;
        result.unwrap();
        assert_eq!(
            log.take(),
            ["first", "second"],
            "in order, and what borrows is gone"
        );
    });
}

#[test]
fn an_outer_cancel_hands_the_finalizers_of_inner_scopes_up_and_awaits_them() {
    on_every_runtime(|| async {
        let log = Log::default();
        let result: Plain<()> = scope(|outer| {
            let log = log.clone();
            async move {
                let (started, is_started) = oneshot::channel();
                let token = outer.token();
                outer.spawn_task(async move {
                    is_started.await.map_err(|_| "started")?;
                    token.cancel("stop");
                    Ok(())
                });
                // In two scopes that end together.
                let middle: Plain<()> = scope(|_| async move {
                    guarded(log, started)
                        .await
                        .map_err(|_| "inner has reported")
                })
                .await;
                middle.map_err(|_| "middle has reported")
            }
        })
        .await;
        assert!(
            matches!(&result, Err(ScopeError::Cancelled(why)) if why.text() == "stop"),
            "{result:?}"
        );
        assert_eq!(log.take(), ["first", "second"]);
    });
}

#[test]
fn with_no_scope_above_the_runtime_takes_them() {
    on_every_runtime(|| async {
        let (done, is_done) = oneshot::channel();
        let (started, is_started) = oneshot::channel();
        let task = spawn(async move {
            let result: Plain<()> = scope(|s| async move {
                let _guard = s.guard_static(done, |done| async move {
                    sleep(Duration::from_millis(1)).await;
                    done.send(()).unwrap();
                });
                let _ = started.send(());
                pending().await
            })
            .await;
            result
        });
        is_started.await.unwrap();
        task.abort();
        assert!(task.await.is_err());
        is_done.await.unwrap();
    });
}

#[test]
fn a_task_of_a_scope_that_is_dropped_is_awaited_by_the_scope_above() {
    on_every_runtime(|| async {
        let alive = Arc::new(());
        let inside = Arc::clone(&alive);
        let result: Plain<()> = scope(|_| async move {
            let inner = scope(|s| async move {
                s.spawn_task::<(), _>(async move {
                    let _inside = inside;
                    pending().await
                });
                pending::<Result<(), &str>>().await
            });
            assert!(timeout(Duration::from_millis(1), inner).await.is_err());
            Ok(())
        })
        .await;
        result.unwrap();
        assert_eq!(
            Arc::strong_count(&alive),
            1,
            "the outer scope has waited for it"
        );
    });
}

#[test]
fn adopted_finalizers_are_bounded_by_the_grace_of_their_scope() {
    on_every_runtime(|| async {
        let dropped = Arc::new(());
        let inside = Arc::clone(&dropped);
        let result: Plain<()> = scope(|_| async move {
            let inner = scope(|s| async move {
                let _stuck = s.guard_static(inside, |inside| async move {
                    let _inside = inside;
                    pending().await
                });
                pending::<Result<(), &str>>().await
            })
            .cleanup_grace(Duration::from_millis(1));
            assert!(timeout(Duration::from_millis(1), inner).await.is_err());
            Ok(())
        })
        .await;
        result.unwrap();
        assert_eq!(Arc::strong_count(&dropped), 1);
    });
}

/// Scopes that die on one thread while the one above leaves on another: each
/// finalizer runs once.
#[test]
fn adoption_that_races_with_the_end_of_the_scope_above_happens_once() {
    with_every_runtime(|runtime: Runtime| {
        for round in 0..50_u64 {
            let count = Arc::new(Mutex::new(0));
            let (done, is_done) = std::sync::mpsc::channel();
            let inner_count = Arc::clone(&count);
            runtime.block_on(async {
                let work = scope(|outer| async move {
                    outer.spawn_task(async move {
                        let (count, done) = (inner_count, done);
                        let _: Plain<()> = scope(|s| async move {
                            let _guard =
                                s.guard_static((count, done), |(count, done)| async move {
                                    yield_now().await;
                                    *count.lock().unwrap() += 1;
                                    done.send(()).unwrap();
                                });
                            pending().await
                        })
                        .await;
                        Ok(())
                    });
                    pending::<Result<(), &str>>().await
                });
                // The outer one is dropped at some moment, and aborts the task.
                let _ = timeout(Duration::from_micros(50 * (round % 4)), work).await;
            });
            // Not at all if the task had not come so far.
            runtime.block_on(async {
                while is_done.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                    yield_now().await;
                }
            });
            assert!(*count.lock().unwrap() <= 1);
        }
    });
}

/// A task in whose scope there are guards, once it waits.
fn with_guards(runtime: &Runtime, log: &Log) -> wakeline::JoinHandle<Plain<()>> {
    let (started, is_started) = oneshot::channel();
    let task = runtime.spawn(guarded(log.clone(), started));
    runtime.block_on(is_started).unwrap();
    task
}

#[test]
fn the_runtimes_end_lets_adopted_finalizers_end_within_its_grace() {
    with_every_runtime(|runtime| {
        let log = Log::default();
        let task = with_guards(&runtime, &log);
        task.abort();
        runtime.block_on(task).expect_err("aborted");
        let report = runtime.shutdown(Duration::from_secs(60));
        assert_eq!(log.take(), ["first", "second"], "{report:?}");
    });
}

#[test]
fn the_runtimes_end_is_a_cancel_that_lets_all_finalizers_end() {
    with_every_runtime(|runtime| {
        let log = Log::default();
        let task = with_guards(&runtime, &log);
        let report = runtime.shutdown(Duration::from_secs(60));
        assert_eq!(log.take(), ["first", "second", "borrowed"], "{report:?}");
        drop(task);
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

/// Panics when it is dropped, and counts.
struct Loud(Arc<AtomicUsize>);

impl Drop for Loud {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("planned");
    }
}

#[test]
fn where_nobody_takes_them_finalizers_are_all_dropped_though_each_panics() {
    let count = Arc::new(AtomicUsize::new(0));
    let loud = || Loud(Arc::clone(&count));
    let mut dropped = scope(|s| {
        let (first, second) = (
            s.guard_static(loud(), |_| async {}),
            s.guard_static(loud(), |_| async {}),
        );
        let third = loud();
        drop(s.shield(async move {
            let _third = third;
            pending::<()>().await;
        }));
        async move {
            let _guards = (first, second);
            pending::<Result<(), ()>>().await
        }
    });
    // There is no runtime, and no scope above.
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut dropped).poll(&mut cx).is_pending());
    let caught = catch_unwind(AssertUnwindSafe(|| drop(dropped)));
    assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "planned");
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[test]
fn a_waker_that_panics_when_the_scope_is_dropped_leaves_nothing_behind() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("planned");
        }
    }
    let held = Arc::new(());
    let theirs = Arc::clone(&held);
    let mut handle = None;
    let dropped = scope(|s| {
        handle = Some(s.clone());
        s.spawn(async move {
            let _held = theirs;
            pending::<Result<(), ()>>().await
        });
        pending::<Result<(), ()>>()
    });
    let handle = handle.unwrap();
    let mut listens = handle.token().cancelled();
    let waker = Waker::from(Arc::new(Panics));
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut listens).poll(&mut cx).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(dropped))).is_err());
    assert_eq!(Arc::strong_count(&held), 1, "the child is gone");
    assert!(handle.try_spawn(async { Ok(()) }).is_err());
}
