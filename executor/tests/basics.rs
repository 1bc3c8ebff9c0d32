//! Spawning, joining, aborting, yielding and panicking, on one worker and on two.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use wakeline_executor::{
    Executor, Handle, JoinHandle, spawn, spawn_blocking, spawn_local, task, yield_now,
};

/// Runs `test` on executors of one, two and four workers.
fn on_each(test: impl Fn(&Executor)) {
    for workers in [1, 2, 4] {
        test(
            &Executor::builder()
                .workers(workers)
                .build()
                .expect("an executor"),
        );
    }
}

/// Counts its drops.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_task_gives_its_output_to_the_handle() {
    on_each(|executor| {
        let handle = executor.spawn(async { "output" });
        assert_eq!(executor.block_on(handle).unwrap(), "output");
    });
}

#[test]
fn many_tasks_all_end() {
    const TASKS: u64 = if cfg!(miri) { 50 } else { 10_000 };
    on_each(|executor| {
        let total = executor.block_on(async {
            let handles: Vec<JoinHandle<u64>> = (0..TASKS)
                .map(|n| {
                    spawn(async move {
                        yield_now().await;
                        n
                    })
                })
                .collect();
            let mut total = 0;
            for handle in handles {
                total += handle.await.unwrap();
            }
            total
        });
        assert_eq!(total, (TASKS - 1) * TASKS / 2);
    });
}

#[test]
fn a_spawned_task_runs_only_after_its_spawner_suspends() {
    let executor = Executor::builder().workers(1).build().unwrap();
    let log = Rc::new(RefCell::new(Vec::new()));
    let theirs = Rc::clone(&log);
    executor.block_on(async {
        let handle = spawn_local(async move { theirs.borrow_mut().push("task") });
        log.borrow_mut().push("spawner");
        handle.await.unwrap();
    });
    assert_eq!(*log.borrow(), ["spawner", "task"]);
}

#[test]
fn yielding_lets_every_ready_task_run_first() {
    let executor = Executor::builder().workers(1).build().unwrap();
    let log = Rc::new(RefCell::new(Vec::new()));
    executor.block_on(async {
        let tasks: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|name| {
                let log = Rc::clone(&log);
                spawn_local(async move {
                    for _ in 0..2 {
                        log.borrow_mut().push(name);
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(*log.borrow(), ["a", "b", "c", "a", "b", "c"]);
}

#[test]
fn a_list_of_many_tasks_has_each_that_lives_once() {
    let executor = Executor::builder().workers(1).build().expect("an executor");
    executor.block_on(async {
        let spawned: Vec<JoinHandle<()>> = (0..if cfg!(miri) { 30 } else { 4_000 })
            .map(|n| match n % 2 {
                0 => spawn_local(pending()),
                _ => spawn(pending()),
            })
            .collect();
        let (mut kept, mut ids) = (Vec::new(), Vec::new());
        for (n, handle) in spawned.into_iter().enumerate() {
            if n % 3 == 0 {
                ids.push(handle.id());
                kept.push(handle);
            } else {
                handle.abort();
                handle.await.expect_err("it was aborted");
            }
        }
        let mut listed: Vec<_> = executor.handle().tasks().iter().map(|t| t.id).collect();
        listed.sort();
        assert!(listed == ids, "{} and not {}", listed.len(), ids.len());
    });
}

#[test]
fn an_aborted_task_is_dropped_before_its_handle_resolves() {
    on_each(|executor| {
        let drops = Arc::new(AtomicUsize::new(0));
        let guard = Dropped(Arc::clone(&drops));
        executor.block_on(async {
            let handle = spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            yield_now().await;
            handle.abort();
            handle.abort();
            let error = handle.await.unwrap_err();
            assert!(error.is_cancelled(), "{error}");
            assert_eq!(drops.load(Ordering::SeqCst), 1);
        });
    });
}

#[test]
fn a_task_aborted_before_its_first_poll_never_runs() {
    let executor = Executor::builder().workers(1).build().unwrap();
    let drops = Arc::new(AtomicUsize::new(0));
    let guard = Dropped(Arc::clone(&drops));
    executor.block_on(async {
        let handle = spawn(async move {
            let _guard = guard;
            unreachable!("the body of an aborted task ran");
        });
        handle.abort();
        assert!(handle.await.unwrap_err().is_cancelled());
    });
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn completion_wins_over_an_abort_of_itself() {
    on_each(|executor| {
        let output = executor.block_on(async {
            let (tell, told) = std::sync::mpsc::channel::<task::Id>();
            let handle = spawn(async move {
                tell.send(task::current().id()).unwrap();
                7
            });
            let abort = handle.abort_handle();
            let value = handle.await;
            abort.abort();
            assert_eq!(told.recv().unwrap(), abort.id());
            value
        });
        assert_eq!(output.unwrap(), 7);
    });
}

#[test]
fn a_panic_is_the_handles_error_and_the_worker_lives_on() {
    on_each(|executor| {
        executor.block_on(async {
            let error = task::Builder::new()
                .name("shaky")
                .spawn(async { panic!("at {}", "the disco") })
                .await
                .map(|(): ()| ())
                .unwrap_err();
            assert!(error.is_panic());
            let text = error.to_string();
            assert!(
                text.contains("shaky") && text.contains("at the disco"),
                "{text}"
            );
            assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
        });
    });
}

#[test]
fn a_panic_of_the_futures_destructor_is_the_handles_error() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    on_each(|executor| {
        executor.block_on(async {
            let mut bomb = Some(Bomb);
            let handle = spawn(poll_fn(move |_| {
                assert!(bomb.as_mut().is_some());
                Poll::Ready(())
            }));
            let error = handle.await.unwrap_err();
            assert!(error.is_panic(), "{error}");
        });
    });
}

#[test]
fn a_detached_task_goes_on() {
    on_each(|executor| {
        let (done, is_done) = std::sync::mpsc::channel();
        executor.block_on(async {
            drop(spawn(async move {
                yield_now().await;
                done.send(()).unwrap();
            }));
            while is_done.try_recv().is_err() {
                yield_now().await;
            }
        });
    });
}

#[test]
fn abort_on_drop_ends_the_task_with_the_handle() {
    on_each(|executor| {
        let drops = Arc::new(AtomicUsize::new(0));
        let guard = Dropped(Arc::clone(&drops));
        executor.block_on(async {
            let handle = spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            drop(handle.abort_on_drop());
            while drops.load(Ordering::SeqCst) == 0 {
                yield_now().await;
            }
        });
    });
}

#[test]
fn a_wake_from_another_thread_reaches_the_task() {
    on_each(|executor| {
        executor.block_on(async {
            for n in 0..if cfg!(miri) { 5 } else { 200 } {
                assert_eq!(spawn_blocking(move || n).await.unwrap(), n);
            }
        });
    });
}

#[test]
fn the_panic_of_a_block_on_reaches_the_caller_and_the_executor_lives_on() {
    on_each(|executor| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            executor.block_on(async { panic!("root") });
        }));
        assert!(caught.is_err());
        assert_eq!(executor.block_on(async { 3 }), 3);
    });
}

#[test]
#[should_panic(expected = "inside a task or another `block_on`")]
fn a_nested_block_on_is_refused_with_advice() {
    let executor = Executor::builder().workers(1).build().unwrap();
    executor.block_on(async { Handle::current().block_on(async {}) });
}

#[test]
#[should_panic(expected = "70000 workers are more than 65,535")]
fn too_many_workers_are_refused_where_they_are_asked_for() {
    let _asked = Executor::builder().workers(70_000);
}

#[test]
fn spawning_after_the_end_resolves_as_cancelled() {
    on_each(|executor| {
        let other = Executor::builder().workers(2).build().unwrap();
        let handle = other.handle();
        drop(other);
        let error = executor.block_on(handle.spawn(async {})).unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        let error = executor.block_on(handle.spawn_blocking(|| ())).unwrap_err();
        assert!(error.is_cancelled(), "{error}");
    });
}

#[test]
fn dropping_the_executor_drops_every_task() {
    for workers in [1, 2] {
        let drops = Arc::new(AtomicUsize::new(0));
        let executor = Executor::builder().workers(workers).build().unwrap();
        let spawn_waiting = || {
            let guard = Dropped(Arc::clone(&drops));
            drop(executor.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            }));
        };
        (0..50).for_each(|_| spawn_waiting());
        executor.block_on(async {
            let guard = Dropped(Arc::clone(&drops));
            drop(spawn_local(async move {
                let _guard = guard;
                pending::<()>().await;
            }));
            yield_now().await;
        });
        (0..50).for_each(|_| spawn_waiting());
        drop(executor);
        assert_eq!(drops.load(Ordering::SeqCst), 101, "{workers} workers");
    }
}

#[test]
fn the_root_future_is_dropped_inside_its_runtime() {
    struct NeedsRuntime(Arc<AtomicUsize>);
    impl Future for NeedsRuntime {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    impl Drop for NeedsRuntime {
        fn drop(&mut self) {
            drop(wakeline_executor::spawn_local(async {}));
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    on_each(|executor| {
        let drops = Arc::new(AtomicUsize::new(0));
        executor.block_on(NeedsRuntime(Arc::clone(&drops)));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}
