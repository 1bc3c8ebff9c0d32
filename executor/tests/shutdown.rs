//! The end of an executor: from any place, with any task, without a hang.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use wakeline_executor::{Executor, Handle, spawn, spawn_local, task, yield_now};

const LONG: Duration = Duration::from_secs(600);

fn executor(workers: usize) -> Executor {
    Executor::builder()
        .workers(workers)
        .build()
        .expect("an executor")
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn tasks_finish_within_the_grace() {
    for workers in [1, 2] {
        let executor = executor(workers);
        executor.block_on(yield_now());
        for _ in 0..20 {
            drop(executor.spawn(async {
                for _ in 0..if cfg!(miri) { 5 } else { 100 } {
                    yield_now().await;
                }
            }));
        }
        let report = executor.shutdown(LONG);
        assert!(report.is_clean(), "{workers} workers: {report}");
    }
}

#[test]
fn the_report_names_who_was_cut_off() {
    for workers in [1, 2] {
        let executor = executor(workers);
        let handle = executor.handle();
        let stuck = task::Builder::new()
            .name("stuck")
            .spawn_on(&handle, pending::<()>());
        executor.block_on(yield_now());
        let report = executor.shutdown(Duration::from_millis(1));
        assert_eq!(report.cut_off.len(), 1, "{report}");
        assert_eq!(report.cut_off[0].name.as_deref(), Some("stuck"));
        assert_eq!(report.cut_off[0].spawned_at.file(), file!());
        assert!(stuck.is_finished());
        assert_eq!((report.stuck_workers, report.blocking_jobs_left), (0, 0));
    }
}

#[test]
fn destructors_may_wake_spawn_and_drop_handles_during_the_end() {
    const TASKS: usize = if cfg!(miri) { 5 } else { 30 };
    for workers in [1, 2, 3] {
        let executor = executor(workers);
        let drops = Arc::new(AtomicUsize::new(0));
        executor.block_on(async {
            for _ in 0..TASKS {
                let other = spawn(pending::<()>());
                let drops = Arc::clone(&drops);
                let on_drop = OnDrop(move || {
                    other.abort();
                    if let Some(handle) = Handle::try_current() {
                        drop(handle.spawn(async { unreachable!("spawned into the end") }));
                        drop(handle.spawn_blocking(|| ()));
                    }
                    drops.fetch_add(1, Ordering::SeqCst);
                });
                drop(spawn(async move {
                    let _on_drop = on_drop;
                    pending::<()>().await;
                }));
            }
            yield_now().await;
        });
        drop(executor);
        assert_eq!(drops.load(Ordering::SeqCst), TASKS, "{workers} workers");
    }
}

#[test]
fn an_executor_may_be_dropped_inside_its_own_task() {
    for workers in [1, 2] {
        let executor = executor(workers);
        let handle = executor.handle();
        let slot = Arc::new(Mutex::new(Some(executor)));
        let (done, is_done) = mpsc::channel();
        let theirs = Arc::clone(&slot);
        // The guard's drop tells that the task is over, cancelled or not.
        let on_drop = OnDrop(move || done.send(()).unwrap_or(()));
        let task = handle.spawn(async move {
            let _on_drop = on_drop;
            drop(theirs.lock().unwrap().take());
            pending::<()>().await;
        });
        if workers == 1 {
            handle.block_on(async { drop(task.await) });
        }
        is_done.recv().expect("the task was dropped");
        assert!(slot.lock().unwrap().is_none());
    }
}

#[test]
fn an_executor_may_be_dropped_inside_another() {
    for workers in [1, 2] {
        let outer = executor(workers);
        outer.block_on(async {
            let inner = executor(2);
            drop(inner.spawn(pending::<()>()));
            drop(inner);
            let inner = executor(1);
            drop(inner.spawn(pending::<()>()));
            drop(inner);
        });
    }
}

#[test]
fn an_executor_may_be_dropped_by_another_thread() {
    for workers in [1, 2] {
        let executor = executor(workers);
        let (done, is_done) = mpsc::channel();
        let bound = thread::spawn(move || {
            let on_drop = OnDrop(move || done.send(()).unwrap_or(()));
            executor.block_on(async {
                drop(spawn_local(async move {
                    let _on_drop = on_drop;
                    pending::<()>().await;
                }));
                yield_now().await;
            });
            executor
        });
        drop(bound.join().unwrap());
        // A local task is dropped on its own thread, at its end at the latest.
        is_done.recv().expect("the local task was dropped");
    }
}

#[test]
fn an_executor_in_a_thread_local_ends_with_the_thread() {
    thread_local! {
        static EXECUTOR: std::cell::RefCell<Option<Executor>> = const { std::cell::RefCell::new(None) };
    }
    for workers in [1, 2] {
        let drops = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&drops);
        let thread = thread::spawn(move || {
            EXECUTOR.with(|slot| {
                let executor = executor(workers);
                executor.block_on(async {
                    let on_drop = OnDrop(move || {
                        theirs.fetch_add(1, Ordering::SeqCst);
                    });
                    drop(spawn(async move {
                        let _on_drop = on_drop;
                        pending::<()>().await;
                    }));
                    yield_now().await;
                });
                *slot.borrow_mut() = Some(executor);
            });
        });
        thread.join().unwrap();
        assert_eq!(drops.load(Ordering::SeqCst), 1, "{workers} workers");
    }
}

#[test]
fn a_shutdown_waits_for_blocking_jobs_only_within_the_grace() {
    for workers in [1, 2] {
        let executor = executor(workers);
        let (release, released) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        let job = executor.handle().spawn_blocking(move || {
            started.send(()).unwrap();
            let _ = released.recv();
        });
        has_started.recv().unwrap();
        let report = executor.shutdown(Duration::from_millis(2));
        assert!(report.blocking_jobs_left >= 1, "{report}");
        release.send(()).unwrap();
        job.blocking_join(None).unwrap().unwrap();
    }
}

#[test]
fn a_shutdown_in_a_blocking_job_does_not_wait_for_itself() {
    for workers in [1, 2] {
        let executor = executor(workers);
        let handle = executor.handle();
        let (release, released) = mpsc::channel::<()>();
        let other = handle.spawn_blocking(move || released.recv().is_err());
        let job = handle.spawn_blocking(move || {
            drop(release);
            executor.shutdown(Duration::MAX)
        });
        let report = job.blocking_join(Duration::from_secs(20));
        let report = report.expect("it ends").expect("no panic");
        assert_eq!(report.blocking_jobs_left, 1, "itself: {report}");
        assert!(other.is_finished());
    }
}

#[test]
fn a_waker_may_outlive_its_executor() {
    for workers in [1, 2] {
        let executor = executor(workers);
        let (send, receive) = mpsc::channel();
        executor.block_on(async {
            drop(spawn(std::future::poll_fn(move |cx| {
                send.send(cx.waker().clone()).unwrap();
                std::task::Poll::<()>::Pending
            })));
            yield_now().await;
            yield_now().await;
        });
        let waker = receive.recv().unwrap();
        drop(executor);
        waker.wake_by_ref();
        drop(waker.clone());
        waker.wake();
    }
}

#[test]
fn spawning_races_with_the_end() {
    for workers in [1, 2] {
        for _ in 0..if cfg!(miri) { 2 } else { 50 } {
            let executor = executor(workers);
            let handle = executor.handle();
            let spawner = thread::spawn(move || {
                let tasks: Vec<_> = (0..if cfg!(miri) { 10 } else { 200 })
                    .map(|n| handle.spawn(async move { n }))
                    .collect();
                tasks
                    .into_iter()
                    .map(|task| task.blocking_join(Some(LONG)).expect("resolves"))
                    .collect::<Vec<_>>()
            });
            executor.block_on(yield_now());
            drop(executor);
            for (n, result) in spawner.join().unwrap().into_iter().enumerate() {
                match result {
                    Ok(output) => assert_eq!(output, n),
                    Err(error) => assert!(error.is_cancelled(), "{error}"),
                }
            }
        }
    }
}

#[test]
fn spawning_races_with_the_end_of_an_executor_that_never_ran() {
    for _ in 0..if cfg!(miri) { 5 } else { 200 } {
        let executor = executor(1);
        let handle = executor.handle();
        let spawner = thread::spawn(move || {
            let tasks: Vec<_> = (0..20).map(|_| handle.spawn(async {})).collect();
            for task in tasks {
                let result = task.blocking_join(Some(LONG)).expect("resolves");
                assert!(result.unwrap_err().is_cancelled());
            }
        });
        drop(executor);
        spawner.join().unwrap();
    }
}

#[test]
fn an_executor_bound_to_the_thread_may_be_dropped_inside_another() {
    let (outer, inner) = (executor(1), executor(1));
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&dropped);
    // From here on its queues are this thread's, with a local task in them.
    inner.block_on(async {
        drop(spawn_local(async move {
            let _count = OnDrop(move || {
                count.fetch_add(1, Ordering::SeqCst);
            });
            pending::<()>().await;
        }));
        yield_now().await;
    });
    outer.block_on(async {
        drop(inner);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        // The thread is still the outer one's.
        assert_eq!(spawn_local(async { 7 }).await.expect("no panic"), 7);
    });
}

#[test]
fn cleanups_race_with_the_end_and_each_is_run_or_refused() {
    for workers in [1, 2] {
        for _ in 0..if cfg!(miri) { 2 } else { 50 } {
            let executor = executor(workers);
            let handle = executor.handle();
            let ran = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&ran);
            let spawner = thread::spawn(move || {
                let cleanups: Vec<_> = (0..if cfg!(miri) { 10 } else { 100 })
                    .map(|_| {
                        let count = Arc::clone(&count);
                        handle.spawn_cleanup(async move {
                            yield_now().await;
                            count.fetch_add(1, Ordering::SeqCst);
                        })
                    })
                    .collect();
                let ended = cleanups.into_iter().map(|cleanup| {
                    let ended = cleanup.blocking_join(Some(LONG)).expect("resolves");
                    usize::from(ended.is_ok())
                });
                ended.sum::<usize>()
            });
            executor.block_on(yield_now());
            let report = executor.shutdown(Duration::ZERO);
            assert!(report.cleanups_cut_off.len() <= 100, "{report}");
            assert_eq!(spawner.join().unwrap(), ran.load(Ordering::SeqCst));
        }
    }
}

#[test]
fn a_cleanup_may_leave_another_and_both_end() {
    for workers in [1, 2] {
        let executor = executor(workers);
        let ended = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ended);
        executor.block_on(yield_now());
        let handle = executor.handle();
        let inner = handle.clone();
        drop(handle.spawn_cleanup(async move {
            yield_now().await;
            count.fetch_add(1, Ordering::SeqCst);
            drop(inner.spawn_cleanup(async move {
                yield_now().await;
                count.fetch_add(1, Ordering::SeqCst);
            }));
        }));
        let report = executor.shutdown(Duration::ZERO);
        assert_eq!(ended.load(Ordering::SeqCst), 2, "{report}");
        assert!(report.is_clean(), "{report}");
    }
}

#[test]
fn an_idle_bound_executor_dropped_elsewhere_runs_its_cleanups_on_its_thread() {
    let executor = executor(1);
    let handle = executor.handle();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    let (bound, is_bound) = std::sync::mpsc::channel();
    let (leave, left) = std::sync::mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        handle.block_on(yield_now());
        drop(handle.spawn_cleanup(async move {
            yield_now().await;
            count.fetch_add(1, Ordering::SeqCst);
        }));
        bound.send(()).unwrap();
        let _ = left.recv();
    });
    is_bound.recv().unwrap();
    drop(executor);
    drop(leave);
    thread.join().unwrap();
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[test]
fn at_the_end_of_its_thread_a_task_still_has_what_it_inherited() {
    wakeline_context::context_local! { static REQUEST: u64 = 0; }
    struct Tells(std::sync::mpsc::Sender<(u64, bool)>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let node = wakeline_executor::task::cancel_node();
            let told = node.is_some_and(|node| node.is_cancelled());
            let _ = self.0.send((REQUEST.get(), told));
        }
    }
    let executor = executor(1);
    let handle = executor.handle();
    let (tell, told) = std::sync::mpsc::channel();
    let tells = Tells(tell);
    thread::spawn(move || {
        handle.block_on(async {
            drop(REQUEST.sync_scope(7, || {
                spawn(async move {
                    let _tells = tells;
                    pending::<()>().await
                })
            }));
            yield_now().await;
        });
    })
    .join()
    .unwrap();
    assert_eq!(told.try_recv(), Ok((7, true)));
}
