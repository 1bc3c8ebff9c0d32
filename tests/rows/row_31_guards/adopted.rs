//! Who takes the finalizers of a scope that is dropped, up to the runtime.

use crate::{on_every_runtime, with_every_runtime};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;
use wakeline::sync::oneshot;
use wakeline::time::{sleep, timeout};
use wakeline::{ChildError, Runtime, ScopeError, scope, spawn, yield_now};

use super::{Log, Plain};

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
