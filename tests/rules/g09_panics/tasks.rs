//! What becomes of a task whose code, destructor or output panics.

use crate::support::for_each_backend;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wakeline::{Child, JoinError, JoinSet, scope, spawn, spawn_blocking, yield_now};

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("planned, in a destructor");
        }
    }
}

/// Runs `test` on both backends with one worker and two, and after it asks
/// whether the runtime still works.
fn and_then_works<F: Future<Output = ()> + Send + 'static>(test: impl Fn() -> F) {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let runtime = backend.runtime(workers);
            runtime.block_on(async {
                spawn(test()).await.expect("the test itself does not panic");
                for _ in 0..4 {
                    assert_eq!(spawn(async { 7 }).await.expect("a worker is left"), 7);
                }
            });
        }
    });
}

fn panicked<T>(result: Result<T, JoinError>) -> bool {
    result.is_err_and(|error| error.is_panic())
}

#[test]
fn a_panic_in_a_poll_comes_out_of_the_handle() {
    and_then_works(|| async {
        assert!(panicked(spawn(async { panic!("planned") }).await));
        assert!(panicked(spawn_blocking(|| panic!("planned")).await));
        let mut set = JoinSet::new();
        set.spawn(async { panic!("planned") });
        assert!(panicked::<()>(set.join_next().await.expect("one task")));
    });
}

#[test]
fn a_panic_in_the_destructor_of_a_task_comes_out_of_the_handle() {
    and_then_works(|| async {
        let task = spawn(async {
            let _bomb = Bomb;
            pending::<()>().await;
        });
        yield_now().await;
        task.abort();
        // Panicked or cancelled, but ended, and nobody else with it.
        assert!(task.await.is_err());
        let ends = spawn(async {
            let _bomb = Bomb;
            yield_now().await;
        });
        assert!(panicked(ends.await));
    });
}

#[test]
fn a_panic_in_the_destructor_of_an_output_stays_with_who_drops_it() {
    and_then_works(|| async {
        // Nobody takes the output: the runtime drops it.
        drop(spawn(async { Bomb }));
        let task = spawn(async { Bomb });
        while !task.is_finished() {
            yield_now().await;
        }
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(task)));
        drop(dropped); // it may come out here, or be kept in
        drop(spawn_blocking(|| Bomb));
        for _ in 0..10 {
            yield_now().await;
        }
    });
}

#[test]
fn a_panic_of_a_scopes_child_comes_out_of_the_scope_after_all_are_gone() {
    and_then_works(|| async {
        let task = spawn(async {
            scope(|s| async move {
                let _fails: Child<()> = s.spawn(async {
                    yield_now().await;
                    panic!("planned")
                });
                let _stays: Child<()> = s.spawn(pending::<Result<(), ()>>());
                pending::<Result<(), ()>>().await
            })
            .await
        });
        assert!(panicked(task.await));
    });
}
