//! A waker that panics: whoever cancels hears of it, and all are cancelled.

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use wakeline_executor::{Executor, JoinSet, spawn_local, task, yield_now};

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

fn executor(workers: usize) -> Executor {
    let executor = Executor::builder().workers(workers).build();
    executor.expect("an executor")
}

/// Waits for its own cancel, with a waker that panics.
async fn waits() {
    let node = task::cancel_node().expect("inside of a task");
    let mut cancelled = std::pin::pin!(node.cancelled());
    let waker = Waker::from(Arc::new(Panics));
    poll_fn(|_| {
        let mut cx = Context::from_waker(&waker);
        cancelled.as_mut().poll(&mut cx).map(drop)
    })
    .await;
    pending::<()>().await;
}

#[test]
fn a_task_is_aborted_all_the_same() {
    executor(1).block_on(async {
        let handle = spawn_local(waits());
        yield_now().await;
        let caught = catch_unwind(AssertUnwindSafe(|| handle.abort()));
        assert!(caught.is_err(), "it is the canceller's");
        yield_now().await;
        assert!(handle.is_finished());
        assert!(handle.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn those_of_a_set_behind_it_are_aborted_too() {
    executor(1).block_on(async {
        let mut set = JoinSet::new();
        let tasks = [
            set.spawn_local(pending()),
            set.spawn_local(waits()),
            set.spawn_local(waits()),
            set.spawn_local(pending()),
        ];
        yield_now().await;
        let caught = catch_unwind(AssertUnwindSafe(|| drop(set)));
        assert!(caught.is_err(), "the first goes on");
        yield_now().await;
        assert!(tasks.iter().all(|task| task.is_finished()));
    });
}

#[test]
fn a_block_on_whose_tasks_end_with_it_gives_its_output() {
    let executor = executor(2);
    let output = executor.block_on(async {
        for _ in 0..2 {
            drop(spawn_local(waits()));
        }
        yield_now().await;
        7
    });
    assert_eq!(output, 7);
}
