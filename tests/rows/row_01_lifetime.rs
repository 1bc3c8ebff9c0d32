//! The life of a runtime: what it returns, and how it ends.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use wakeline::time::sleep;
use wakeline::{Handle, Runtime, spawn, spawn_blocking, spawn_local, task, yield_now};
use wakeline_context::Cause;

use crate::support::{Backend, for_each_backend};
use crate::{with_every_runtime, with_every_telling_runtime};

const LONG: Duration = Duration::from_secs(60);

/// Runs `f` when it is dropped.
struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> OnDrop<F> {
    fn new(f: F) -> OnDrop<F> {
        OnDrop(Some(f))
    }
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0.take().expect("dropped once")();
    }
}

/// With a builder of each sort: both backends, one worker and two.
fn with_every_builder(test: impl Fn(Backend, usize)) {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            test(backend, workers);
        }
    });
}

#[test]
fn the_output_comes_back_and_so_does_a_panic() {
    with_every_runtime(|runtime| {
        let borrowed = String::from("not 'static");
        assert_eq!(runtime.block_on(async { borrowed.len() }), 11);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async { panic!("in the main future") });
        }));
        let payload = caught.expect_err("it passes through");
        assert_eq!(payload.downcast_ref(), Some(&"in the main future"));
        assert_eq!(runtime.block_on(async { 2 }), 2, "the runtime lives on");
    });
}

#[test]
fn inside_of_a_runtime_block_on_says_what_to_do_instead() {
    with_every_runtime(|runtime| {
        let other = Runtime::builder().workers(1).build().expect("a runtime");
        let caught = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async { other.block_on(async {}) });
        }));
        let payload = caught.expect_err("it must not deadlock");
        let text = payload.downcast_ref::<&str>().expect("words");
        assert!(text.contains("await the future"), "{text}");
    });
}

#[test]
fn leftovers_are_dropped_before_the_shutdown_returns_polled_or_not() {
    with_every_runtime(|runtime| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let witness = || {
            let dropped = Arc::clone(&dropped);
            OnDrop::new(move || {
                dropped.fetch_add(1, SeqCst);
            })
        };
        runtime.block_on(async {
            for _ in 0..10 {
                let witness = witness();
                drop(spawn(async move {
                    let _witness = witness;
                    pending::<()>().await
                }));
            }
            for _ in 0..3 {
                yield_now().await;
            }
        });
        for _ in 0..10 {
            let witness = witness();
            drop(runtime.spawn(async move {
                let _witness = witness;
                pending::<()>().await
            }));
        }
        let report = runtime.shutdown(Duration::ZERO);
        assert_eq!(dropped.load(SeqCst), 20);
        assert_eq!(report.cut_off.len(), 20, "{report}");
    });
}

#[test]
fn who_listens_to_the_runtimes_node_stops_within_the_grace() {
    with_every_runtime(|runtime| {
        let stopped = Arc::new(Mutex::new(None));
        let reason = Arc::clone(&stopped);
        let task = runtime.spawn(async move {
            let node = task::cancel_node().expect("inside a task");
            *reason.lock().unwrap() = Some(node.cancelled().await);
            // And it still has its timers.
            sleep(Duration::from_millis(1)).await;
            "stopped by itself"
        });
        runtime.block_on(async { yield_now().await });
        let line = line!() + 1;
        let report = runtime.shutdown(LONG);
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.finished, 1);
        let reason = stopped.lock().unwrap().take().expect("it was told");
        assert_eq!(reason.cause(), Cause::Shutdown);
        assert_eq!(reason.location().line(), line);
        let output = task.blocking_join(Some(LONG)).expect("it has ended");
        assert_eq!(output.unwrap(), "stopped by itself");
    });
}

#[test]
fn destructors_may_wake_lock_and_spawn_and_what_they_spawn_is_refused() {
    with_every_runtime(|runtime| {
        let lock = Arc::new(Mutex::new(Vec::new()));
        let (wake, woken) = wakeline::sync::oneshot::channel::<()>();
        let log = Arc::clone(&lock);
        let sleeper = runtime.spawn(async move {
            // Woken by the other's destructor, in the midst of the end.
            let _ = woken.await;
            pending::<()>().await
        });
        let bomb = OnDrop::new(move || {
            let _ = wake.send(());
            let refused = spawn(async { "never" });
            let local = task::try_current().map(|_| spawn_local(async { "never" }));
            let mut log = log.lock().unwrap();
            log.push(refused);
            drop(log);
            assert!(local.is_none_or(|local| local.is_finished()));
        });
        drop(runtime.spawn(async move {
            let _bomb = bomb;
            pending::<()>().await
        }));
        runtime.block_on(async {
            for _ in 0..3 {
                yield_now().await;
            }
        });
        drop(runtime.shutdown(Duration::ZERO));
        let refused = lock.lock().unwrap().pop().expect("the destructor ran");
        let error = refused.blocking_join(Some(LONG)).expect("it is refused");
        let error = error.expect_err("it was never polled");
        assert_eq!(error.reason().expect("cancelled").cause(), Cause::Shutdown);
        let error = sleeper.blocking_join(Some(LONG)).expect("it was dropped");
        let error = error.expect_err("it was cut off");
        assert_eq!(error.reason().expect("cancelled").cause(), Cause::Shutdown);
        assert!(
            error.to_string().contains("the runtime is shutting down"),
            "{error}"
        );
    });
}

#[test]
fn a_destructors_panic_is_told_and_spoils_nothing() {
    with_every_telling_runtime(|runtime, told| {
        let others = Arc::new(AtomicUsize::new(0));
        for nth in 0..4 {
            let others = Arc::clone(&others);
            let bomb = OnDrop::new(move || {
                if nth == 1 {
                    panic!("in a leftover's destructor");
                }
                others.fetch_add(1, SeqCst);
            });
            drop(runtime.spawn(async move {
                let _bomb = bomb;
                pending::<()>().await
            }));
        }
        assert_eq!(runtime.block_on(async { "main" }), "main");
        drop(runtime.shutdown(Duration::ZERO));
        assert_eq!(others.load(SeqCst), 3);
        let text = told.try_recv().expect("it is told before the end returns");
        assert!(text.contains("in a leftover's destructor"), "{text}");
    });
}

#[test]
fn a_leftover_may_own_another_runtime() {
    with_every_runtime(|runtime| {
        let inner = Runtime::builder().workers(2).build().expect("a runtime");
        drop(inner.spawn(pending::<()>()));
        drop(runtime.spawn(async move {
            let _inner = inner;
            pending::<()>().await
        }));
        runtime.block_on(yield_now());
        let report = runtime.shutdown(Duration::ZERO);
        assert_eq!(report.cut_off.len(), 1, "{report}");
    });
}

#[test]
fn a_cleanup_that_a_destructor_leaves_is_awaited_after_the_drops() {
    with_every_runtime(|runtime| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&log);
        let (started, is_started) = wakeline::sync::oneshot::channel::<()>();
        drop(runtime.spawn(async move {
            let log = Arc::clone(&theirs);
            let _guard = OnDrop::new(move || {
                log.lock().unwrap().push("dropped");
                drop(Handle::current().spawn_cleanup(async move {
                    let node = task::cancel_node().expect("inside a task");
                    assert!(!node.is_cancelled(), "the end is not the cleanup's");
                    sleep(Duration::from_millis(5)).await;
                    let job = spawn_blocking(|| "cleaned");
                    let cleaned = job.await.expect("the pool is still there");
                    log.lock().unwrap().push(cleaned);
                }));
            });
            drop(started);
            pending::<()>().await
        }));
        let _ = runtime.block_on(is_started);
        let report = runtime.shutdown(Duration::ZERO);
        assert_eq!(*log.lock().unwrap(), ["dropped", "cleaned"]);
        assert_eq!(
            (report.cleanups_finished, report.cut_off.len()),
            (1, 1),
            "{report}"
        );
        assert!(report.cleanups_cut_off.is_empty(), "{report}");
    });
}

#[test]
fn a_cleanup_that_never_ends_is_cut_off_and_named() {
    with_every_builder(|backend, workers| {
        let builder = backend.builder().workers(workers);
        let grace = Duration::from_millis(10);
        let runtime = builder.cleanup_grace(grace).build().expect("a runtime");
        let dropped = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&dropped);
        let (started, is_started) = wakeline::sync::oneshot::channel::<()>();
        let handle = runtime.handle().spawn_cleanup(async move {
            let _count = OnDrop::new(move || {
                count.fetch_add(1, SeqCst);
            });
            drop(started);
            pending::<()>().await
        });
        let _ = runtime.block_on(is_started);
        let start = Instant::now();
        let report = runtime.shutdown(Duration::ZERO);
        assert!(start.elapsed() >= grace, "it had its time");
        assert_eq!(report.cleanups_cut_off.len(), 1, "{report}");
        assert_eq!(report.cleanups_cut_off[0].id, handle.id());
        assert_eq!(report.cleanups_finished, 0);
        assert!(!report.is_clean());
        assert!(
            report.to_string().contains("cleanup cut off: #"),
            "{report}"
        );
        assert_eq!(dropped.load(SeqCst), 1);
        let error = handle.blocking_join(Some(LONG)).expect("it has ended");
        let error = error.expect_err("it was cut off");
        assert_eq!(error.reason().expect("cancelled").cause(), Cause::Shutdown);
    });
}

#[test]
fn a_shutdown_inside_of_async_code_calls_no_idle_worker_stuck() {
    with_every_builder(|backend, workers| {
        let other = backend.builder().workers(workers).build();
        let other = other.expect("a runtime");
        assert_eq!(other.block_on(other.spawn(async { 3 })).unwrap(), 3);
        let report = backend.runtime(1).block_on(async { other.shutdown(LONG) });
        assert!(report.is_clean(), "{report}");
    });
}

#[test]
fn a_plain_drop_also_gives_cleanups_their_time() {
    with_every_runtime(|runtime| {
        let (done, is_done) = mpsc::channel();
        drop(runtime.handle().spawn_cleanup(async move {
            sleep(Duration::from_millis(5)).await;
            done.send(()).unwrap();
        }));
        runtime.block_on(async {});
        drop(runtime);
        assert_eq!(is_done.try_recv(), Ok(()));
    });
}

#[test]
fn a_drop_inside_a_task_waits_for_no_cleanup() {
    with_every_runtime(|runtime| {
        let (gone, is_gone) = mpsc::channel();
        let outer = Runtime::builder().workers(1).build().expect("a runtime");
        let signal = OnDrop::new(move || gone.send(()).unwrap());
        drop(runtime.handle().spawn_cleanup(async move {
            let _signal = signal;
            pending::<()>().await
        }));
        runtime.block_on(yield_now());
        outer.block_on(async move { drop(runtime) });
        is_gone.recv().expect("it is dropped, on whatever thread");
    });
}

#[test]
fn a_cleanup_after_the_end_is_dropped_unpolled() {
    with_every_runtime(|runtime| {
        let handle = runtime.handle();
        drop(runtime.shutdown(Duration::ZERO));
        let cleanup = handle.spawn_cleanup(async { unreachable!("it must not be polled") });
        assert!(cleanup.is_finished());
        let error = cleanup
            .blocking_join(None)
            .expect("it has ended")
            .expect_err("refused");
        assert_eq!(error.reason().expect("cancelled").cause(), Cause::Shutdown);
    });
}

#[test]
fn nothing_is_waited_for_when_there_is_nothing() {
    with_every_runtime(|runtime| {
        runtime.block_on(async {});
        let report = runtime.shutdown(Duration::MAX);
        assert!(report.is_clean(), "{report}");
    });
}

#[test]
fn the_main_futures_panic_comes_through_the_drop_of_the_runtime() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        wakeline::block_on(async {
            let (wake, woken) = wakeline::sync::oneshot::channel::<()>();
            let sleeper = Arc::clone(&dropped);
            let sleeper = OnDrop::new(move || {
                sleeper.fetch_add(1, SeqCst);
            });
            drop(spawn(async move {
                let _sleeper = sleeper;
                let _ = woken.await;
                pending::<()>().await
            }));
            let count = Arc::clone(&dropped);
            let bomb = OnDrop::new(move || {
                // Wakes and panics in the midst of the other panic.
                let _ = wake.send(());
                count.fetch_add(1, SeqCst);
                panic!("in a leftover's destructor");
            });
            drop(spawn(async move {
                let _bomb = bomb;
                pending::<()>().await
            }));
            for _ in 0..3 {
                yield_now().await;
            }
            panic!("in the main future")
        })
    }));
    let payload = caught.expect_err("it passes through");
    assert_eq!(payload.downcast_ref(), Some(&"in the main future"));
    assert_eq!(dropped.load(SeqCst), 2, "both were dropped on the way");
}
