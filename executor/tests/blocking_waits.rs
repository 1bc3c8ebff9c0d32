//! Channels' blocking waits: refused on a thread that runs tasks, whatever it is in the
//! midst of, and good anywhere else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use wakeline_executor::task::unconstrained;
use wakeline_executor::{Executor, spawn, spawn_blocking, spawn_local, yield_now};
use wakeline_sync::oneshot;

/// Whether a blocking wait is refused here. It has nothing to wait for, so if it is not,
/// it is over at once.
fn is_refused() -> bool {
    let (sender, receiver) = oneshot::channel();
    sender.send(7).expect("the receiver is there");
    match catch_unwind(AssertUnwindSafe(|| receiver.blocking_recv())) {
        Ok(received) => {
            assert_eq!(received, Ok(7));
            false
        }
        Err(payload) => {
            let text = payload.downcast_ref::<String>().expect("a text");
            assert!(text.contains("await it instead"), "{text}");
            true
        }
    }
}

/// Asks when it is dropped.
struct AsksAtItsEnd(mpsc::Sender<bool>);

impl Drop for AsksAtItsEnd {
    fn drop(&mut self) {
        let _ = self.0.send(is_refused());
    }
}

/// On executors of one and of two workers.
fn on_each(test: impl Fn(&Executor)) {
    for workers in [1, 2] {
        let executor = Executor::builder().workers(workers).build();
        test(&executor.expect("an executor"));
    }
}

#[test]
fn a_task_without_a_limit_is_refused_too() {
    on_each(|executor| {
        executor.block_on(async {
            assert!(unconstrained(async { is_refused() }).await);
            let task = spawn(unconstrained(async { is_refused() }));
            assert!(task.await.expect("it ends"));
        });
    });
}

#[test]
fn the_destructor_of_an_aborted_task_is_refused_too() {
    on_each(|executor| {
        executor.block_on(async {
            let (tell, told) = mpsc::channel();
            let (one, two) = (AsksAtItsEnd(tell.clone()), AsksAtItsEnd(tell));
            let waits = |asks| async move {
                let _asks = asks;
                std::future::pending::<()>().await;
            };
            let tasks = [spawn_local(waits(one)), spawn(waits(two))];
            yield_now().await;
            for task in tasks {
                task.abort();
                assert!(task.await.is_err());
                assert_eq!(told.recv(), Ok(true));
            }
        });
    });
}

#[test]
fn the_destructor_of_a_task_that_ends_with_its_executor_is_refused_too() {
    let executor = Executor::builder().workers(1).build();
    let executor = executor.expect("an executor");
    let (tell, told) = mpsc::channel();
    let asks = AsksAtItsEnd(tell);
    executor.block_on(async {
        drop(spawn_local(async move {
            let _asks = asks;
            std::future::pending::<()>().await;
        }));
        yield_now().await;
    });
    drop(executor);
    assert_eq!(told.recv(), Ok(true));
}

#[test]
fn a_blocking_job_may_wait_before_and_after_a_block_on_of_its_own() {
    on_each(|executor| {
        let other = Executor::builder().workers(1).build();
        let other = other.expect("an executor");
        let job = move || {
            let before = is_refused();
            let inside = other.block_on(unconstrained(async { is_refused() }));
            (before, inside, is_refused())
        };
        let asked = executor.block_on(async { spawn_blocking(job).await });
        assert_eq!(asked.expect("it ends"), (false, true, false));
    });
}

#[test]
fn a_thread_may_wait_before_and_after_its_block_on() {
    on_each(|executor| {
        assert!(!is_refused());
        executor.block_on(async { assert!(is_refused()) });
        assert!(!is_refused());
    });
}
