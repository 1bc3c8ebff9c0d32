//! Async work from code that is not async.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use wakeline::time::sleep;
use wakeline::{Handle, spawn_local, yield_now};
use wakeline_context::Cause;

use crate::support::for_each_backend;
use crate::with_every_runtime;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_spawn_from_any_thread_wakes_an_idle_runtime() {
    with_every_runtime(|runtime| {
        let handle = runtime.handle();
        let (stop, stopped) = wakeline::sync::oneshot::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                for round in 0..20 {
                    let task = handle.spawn(async move { round });
                    let output = task.blocking_join(Some(LONG)).expect("in time");
                    assert_eq!(output.unwrap(), round);
                }
                stop.send(()).expect("the main future waits");
            });
            // Nothing to do but what the other thread brings.
            runtime.block_on(async { stopped.await.expect("sent") });
        });
    });
}

#[test]
fn the_spawns_of_one_thread_keep_their_order() {
    for_each_backend(|backend| {
        let runtime = backend.runtime(1);
        let handle = runtime.handle();
        let log = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&log);
        let last = thread::spawn(move || {
            let mut tasks = Vec::new();
            for nth in 0..100 {
                let log = Arc::clone(&theirs);
                tasks.push(handle.spawn(async move { log.lock().unwrap().push(nth) }));
            }
            tasks.pop().expect("a hundred")
        });
        let last = last.join().expect("no panic");
        runtime.block_on(last).expect("no panic");
        assert_eq!(*log.lock().unwrap(), (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn a_waiter_that_gives_up_leaves_the_task_and_may_cancel_it() {
    with_every_runtime(|runtime| {
        let handle = runtime.handle();
        let (stop, stopped) = wakeline::sync::oneshot::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                let (go, gone) = wakeline::sync::oneshot::channel();
                let task = handle.spawn(async move { gone.await.expect("sent") });
                let limit = Duration::from_millis(5);
                let start = Instant::now();
                let task = task.blocking_join(limit).expect_err("it waits");
                assert!(start.elapsed() >= limit);
                assert!(!task.is_finished(), "the timeout cancels nothing");
                go.send(7).expect("it still waits");
                assert_eq!(task.blocking_join(Some(LONG)).expect("now").unwrap(), 7);

                let task = handle.spawn(pending::<()>());
                let task = task.blocking_join(Some(limit)).expect_err("it waits");
                task.cancel("took too long");
                let ended = task.blocking_join(Some(LONG)).expect("it ends");
                let error = ended.expect_err("it was cancelled");
                assert_eq!(error.reason().expect("cancelled").text(), "took too long");
                stop.send(()).expect("the main future waits");
            });
            runtime.block_on(async { stopped.await.expect("sent") });
        });
    });
}

#[test]
fn after_the_end_a_spawn_is_refused_and_nobody_hangs() {
    with_every_runtime(|runtime| {
        let handle = runtime.handle();
        drop(runtime);
        for task in [handle.spawn(pending::<()>()), handle.spawn_blocking(|| ())] {
            let error = task.blocking_join(Some(LONG)).expect("at once");
            let error = error.expect_err("refused");
            assert_eq!(error.reason().expect("cancelled").cause(), Cause::Shutdown);
        }
    });
}

#[test]
fn blocking_inside_of_async_code_panics_with_advice() {
    with_every_runtime(|runtime| {
        let handle = runtime.handle();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let task = handle.spawn(async {});
                drop(task.blocking_join(None));
            });
        }));
        let payload = caught.expect_err("it would deadlock");
        let text = payload.downcast_ref::<&str>().expect("words");
        assert!(text.contains("await the handle instead"), "{text}");
    });
}

#[test]
fn a_handle_blocks_on_a_future_with_timers_and_local_tasks() {
    with_every_runtime(|runtime| {
        let handle = runtime.handle();
        let other = thread::spawn(move || {
            handle.block_on(async {
                sleep(Duration::from_millis(1)).await;
                let local = std::rc::Rc::new(5);
                spawn_local(async move {
                    yield_now().await;
                    *local
                })
                .await
            })
        });
        assert_eq!(other.join().expect("no panic").unwrap(), 5);
    });
}

#[test]
fn a_thread_may_enter_a_runtime_to_spawn_on_it() {
    with_every_runtime(|runtime| {
        let (send, received) = mpsc::channel();
        let task = {
            let handle = runtime.handle();
            let _entered = handle.enter();
            wakeline::spawn(async move { send.send("ran").unwrap() })
        };
        assert!(Handle::try_current().is_none(), "it left again");
        runtime.block_on(task).expect("no panic");
        assert_eq!(received.try_recv(), Ok("ran"));
    });
}
