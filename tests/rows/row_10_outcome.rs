//! What a task's handle gives: the output, a cancellation or a panic.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use wakeline::{JoinError, JoinHandle, spawn, task, yield_now};
use wakeline_context::Cause;

use crate::support::for_each_backend;
use crate::{on_every_runtime, with_every_runtime, with_every_telling_runtime};

/// Panics when it is dropped.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("{}", self.0);
        }
    }
}

fn text(error: &JoinError) -> String {
    error.to_string()
}

/// One poll, with a waker that wakes nobody.
fn look<T>(task: &mut JoinHandle<T>) -> Poll<Result<T, JoinError>> {
    Pin::new(task).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_panic_is_an_error_with_id_name_and_message() {
    on_every_runtime(|| async {
        let task = task::Builder::new()
            .name("parser")
            .spawn(async { panic!("bad byte {}", 7) });
        let id = task.id();
        let error: JoinError = task.await.expect_err("it panicked");
        assert!(error.is_panic());
        assert!(!error.is_cancelled());
        assert!(error.reason().is_none());
        assert_eq!(error.id(), id);
        assert_eq!(
            text(&error),
            format!("task {id} \"parser\" panicked: bad byte 7")
        );
        assert_eq!(format!("{error:?}"), format!("JoinError({error})"));
    });
}

#[test]
fn the_payload_can_be_resumed() {
    on_every_runtime(|| async {
        let error = spawn(async { panic_any(42_u64) })
            .await
            .expect_err("it panicked");
        assert!(text(&error).ends_with("panicked with a payload that is no text"));
        let caught = catch_unwind(AssertUnwindSafe(|| resume_unwind(error.into_panic())));
        assert_eq!(caught.expect_err("resumed").downcast_ref(), Some(&42_u64));
    });
}

#[test]
fn a_cancellation_is_no_panic_and_gives_itself_back() {
    on_every_runtime(|| async {
        let task = spawn(pending::<()>());
        task.abort();
        let error = task.await.expect_err("aborted");
        assert!(error.is_cancelled() && !error.is_panic());
        let error = error.try_into_panic().expect_err("no panic");
        assert_eq!(error.reason().expect("cancelled").cause(), Cause::Aborted);
        let caught = catch_unwind(AssertUnwindSafe(|| error.into_panic()));
        assert!(caught.is_err(), "there is no payload to give");
        let task = spawn(pending::<()>());
        task.cancel("elsewhere");
        let io = std::io::Error::from(task.await.expect_err("cancelled"));
        assert!(io.to_string().contains("elsewhere"), "{io}");
    });
}

#[test]
fn dropping_the_await_loses_nothing() {
    on_every_runtime(|| async {
        let mut task = spawn(async {
            yield_now().await;
            "kept"
        });
        for _ in 0..3 {
            // Polled once, and dropped.
            let looked = poll_fn(|cx| Poll::Ready(pin!(&mut task).poll(cx).is_ready())).await;
            if looked {
                return;
            }
        }
        assert_eq!((&mut task).await.unwrap(), "kept");
    });
}

#[test]
fn a_handle_that_moves_between_tasks_wakes_the_last() {
    on_every_runtime(|| async {
        let (go, gone) = wakeline::sync::oneshot::channel();
        let mut task = spawn(async move { gone.await.expect("sent") });
        // Left with a waker that is nobody's.
        assert!(look(&mut task).is_pending());
        let joiner = spawn(task);
        yield_now().await;
        go.send(5).expect("it waits");
        assert_eq!(joiner.await.unwrap().unwrap(), 5);
    });
}

#[test]
fn a_handle_that_gave_its_output_is_not_polled_again() {
    on_every_runtime(|| async {
        let mut task = spawn(async {});
        (&mut task).await.unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| look(&mut task))).is_err());
    });
}

#[test]
fn a_panic_of_the_futures_destructor_is_the_tasks() {
    on_every_runtime(|| async {
        // On completion the output goes with it.
        let bomb = Bomb("on completion");
        let task = spawn(poll_fn(move |_| {
            let _ = &bomb;
            Poll::Ready("never read")
        }));
        let error = task.await.expect_err("its destructor panicked");
        assert!(error.is_panic() && text(&error).contains("on completion"));
        // On abort the panic hides the cancellation.
        let bomb = Bomb("on abort");
        let task = spawn(async move {
            let _bomb = bomb;
            pending::<()>().await
        });
        yield_now().await;
        task.abort();
        let error = task.await.expect_err("its destructor panicked");
        assert!(error.is_panic() && text(&error).contains("on abort"));
        // The worker lives on.
        assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
    });
}

#[test]
fn a_panic_of_the_outputs_destructor_stays_in_the_task_or_is_the_droppers() {
    with_every_telling_runtime(|runtime, told| {
        let (ended, is_ended) = wakeline::sync::oneshot::channel();
        // Detached: the output is dropped by the worker.
        drop(runtime.spawn(async move {
            let _ = ended.send(());
            Bomb("in an output")
        }));
        runtime.block_on(async { is_ended.await.expect("sent") });
        assert_eq!(runtime.block_on(runtime.spawn(async { 1 })).unwrap(), 1);
        // Read: it is the reader's, as any value.
        let output = runtime
            .block_on(runtime.spawn(async { Bomb("read") }))
            .unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(output))).is_err());
        drop(runtime);
        assert!(told.try_recv().is_err(), "no task failed");
    });
}

#[test]
fn a_panic_in_poll_and_another_in_the_destructor_leave_the_later() {
    on_every_runtime(|| async {
        let bomb = Bomb("in the destructor");
        let task = spawn(poll_fn(move |_| -> Poll<()> {
            let _ = &bomb;
            panic!("in the poll")
        }));
        let error = task.await.expect_err("it panicked");
        assert!(
            text(&error).ends_with("panicked: in the destructor"),
            "{error}"
        );
    });
}

#[test]
fn a_panic_that_nobody_joins_is_told_once() {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let (tell, told) = mpsc::channel();
            let runtime = backend
                .builder()
                .workers(workers)
                .on_unobserved(move |failure| {
                    let name = failure.name().map(str::to_owned);
                    let file = failure.spawned_at().file();
                    tell.send((failure.id(), name, file, failure.to_string()))
                        .unwrap();
                    panic!("the hook's own panic is caught");
                })
                .build()
                .expect("a runtime");
            // Its handle is gone before it panics.
            let detached = runtime.block_on(async {
                let task = task::Builder::new()
                    .name("lost")
                    .spawn(async { panic!("one") });
                task.id()
            });
            let (id, name, file, message) = told_while(&runtime, &told);
            assert_eq!(
                (id, name.as_deref(), file),
                (detached, Some("lost"), file!())
            );
            assert_eq!(message, format!("task {id} \"lost\" panicked: one"));
            // Its handle is dropped unread.
            let unread = runtime.spawn(async { panic!("two") });
            while !unread.is_finished() {
                runtime.block_on(yield_now());
            }
            assert!(told.try_recv().is_err(), "it may still be read");
            drop(unread);
            assert!(
                told.try_recv()
                    .expect("told at once")
                    .3
                    .ends_with("panicked: two")
            );
            // Read, aborted, or well: nothing to tell.
            let read = runtime.spawn(async { panic!("three") });
            assert!(runtime.block_on(read).expect_err("it panicked").is_panic());
            drop(runtime.spawn(pending::<()>()).abort_on_drop());
            drop(runtime.spawn(async {}));
            drop(runtime);
            assert!(told.try_recv().is_err());
        }
    });
}

/// Runs the runtime until something is told.
fn told_while<T>(runtime: &wakeline::Runtime, told: &mpsc::Receiver<T>) -> T {
    loop {
        match told.try_recv() {
            Ok(told) => return told,
            Err(_) => runtime.block_on(yield_now()),
        }
    }
}

#[test]
fn errors_outlive_their_runtime() {
    with_every_runtime(|runtime| {
        let task = runtime.spawn(pending::<()>());
        drop(runtime);
        let error = task
            .blocking_join(None)
            .expect("it has ended")
            .expect_err("cut off");
        assert_eq!(error.reason().expect("cancelled").cause(), Cause::Shutdown);
    });
}
