//! Children that are tasks of their own, jobs of the blocking pool, or woken by other threads.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::{Drops, Plain, errors};
use crate::on_every_runtime;
use crate::support::deny::deny;
use crate::support::for_each_backend;
use wakeline::cancel::Cause;
use wakeline::sync::oneshot;
use wakeline::{OnPanic, ScopeError, checkpoint, scope, task, yield_now};

#[test]
fn tasks_run_in_parallel_and_are_gone_when_the_scope_leaves() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let result: Plain<()> = scope(|s| async move {
            for _ in 0..10 {
                let captured = captured();
                s.spawn_task(async move {
                    let _captured = captured;
                    pending::<Result<(), _>>().await
                });
            }
            let ready = s.spawn_task(async { Ok(4) });
            assert_eq!(ready.await, Ok(4));
            let failed = s.spawn_task::<(), _>(async { Err("task") });
            let _ = failed.await;
            pending().await
        })
        .await;
        assert_eq!(errors(result), ["task"]);
        assert_eq!(drops.load(Ordering::SeqCst), 10);
    });
}

#[test]
fn a_blocking_job_is_a_child_that_is_waited_for() {
    on_every_runtime(|| async {
        let (started, is_started) = oneshot::channel();
        let (drops, captured) = Drops::new();
        let captured = captured();
        let result: Plain<()> = scope(|s| async move {
            s.spawn_blocking(move || {
                let _captured = captured;
                let _ = started.send(());
                while checkpoint().is_ok() {
                    std::thread::yield_now();
                }
                Ok(())
            });
            let _ = is_started.await;
            s.cancel("stop");
            pending().await
        })
        .await;
        assert!(
            matches!(result, Err(ScopeError::Cancelled(_))),
            "{result:?}"
        );
        assert_eq!(
            drops.load(Ordering::SeqCst),
            1,
            "it has seen the cancel and ended"
        );
    });
}

#[test]
fn a_blocking_job_that_is_aborted_alone_hears_it_at_its_checkpoint() {
    on_every_runtime(|| async {
        let result: Plain<_> = scope(|s| async move {
            let (started, is_started) = oneshot::channel();
            let job = s.spawn_blocking(move || {
                let _ = started.send(());
                while !task::is_cancelled() {
                    std::thread::yield_now();
                }
                Ok(checkpoint().map_err(|cancelled| cancelled.into_reason()))
            });
            let _ = is_started.await;
            let line = line!() + 1;
            job.abort();
            let told = job.await.expect("it went on to its end").unwrap_err();
            assert_eq!(
                (told.cause(), told.location().file(), told.location().line()),
                (Cause::Aborted, file!(), line)
            );
            assert!(checkpoint().is_ok(), "the scope goes on");
            Ok(())
        })
        .await;
        assert!(result.is_ok(), "{result:?}");
    });
}

/// On another worker, so that the scope can go on.
#[test]
fn a_task_that_is_aborted_alone_and_never_waits_hears_it_at_its_checkpoint() {
    for_each_backend(|backend| {
        let result: Plain<_> = backend.runtime(2).block_on(scope(|s| async move {
            let (started, is_started) = oneshot::channel();
            let child = s.spawn_task(async move {
                let _ = started.send(());
                while !task::is_cancelled() {
                    std::thread::yield_now();
                }
                Ok(checkpoint().map_err(|cancelled| cancelled.into_reason().cause()))
            });
            let _ = is_started.await;
            child.abort();
            let told = child.await.expect("it went on to its end");
            assert_eq!(told, Err(Cause::Aborted));
            assert!(checkpoint().is_ok(), "the scope goes on");
            Ok(())
        }));
        assert!(result.is_ok(), "{result:?}");
    });
}

#[test]
fn children_are_polled_when_they_are_woken_from_other_threads() {
    on_every_runtime(|| async {
        let result: Plain<u32> = scope(|s| async move {
            let children: Vec<_> = (0..50)
                .map(|n| {
                    let (tx, rx) = oneshot::channel();
                    s.spawn_task(async move {
                        yield_now().await;
                        let _ = tx.send(n);
                        Ok(())
                    });
                    s.spawn(async move { rx.await.map_err(|_| "closed") })
                })
                .collect();
            let mut sum = 0;
            for child in children {
                sum += child.await.unwrap();
            }
            Ok(sum)
        })
        .await;
        assert_eq!(result.unwrap(), 1225);
    });
}

#[test]
fn tasks_of_a_scope_spawn_siblings_from_other_threads() {
    on_every_runtime(|| async {
        let count = Arc::new(AtomicUsize::new(0));
        let result: Plain<()> = scope(|s| {
            let count = Arc::clone(&count);
            async move {
                for _ in 0..8 {
                    let (s, count) = (s.clone(), Arc::clone(&count));
                    let inner = s.clone();
                    s.spawn_task(async move {
                        for n in 0..20 {
                            let count = Arc::clone(&count);
                            inner.spawn(async move {
                                yield_now().await;
                                count.fetch_add(1, Ordering::SeqCst);
                                Ok(())
                            });
                            if n % 5 == 0 {
                                yield_now().await;
                            }
                        }
                        Ok(())
                    });
                }
                Ok(())
            }
        })
        .await;
        result.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 160);
    });
}

#[test]
fn a_job_that_no_thread_can_be_had_for_is_no_success() {
    for_each_backend(|backend| {
        // What is denied here is denied to no other thread.
        let denied = std::thread::spawn(move || {
            let runtime = backend.runtime(1);
            deny(libc::EAGAIN, &[libc::SYS_clone, libc::SYS_clone3]).expect("a filter");
            runtime.block_on(async {
                let result: Plain<()> = scope(|s| async move {
                    s.on_panic(OnPanic::Collect);
                    s.spawn_blocking(|| Err::<(), _>("it runs"));
                    Ok(())
                })
                .await;
                let error = result.unwrap_err().to_string();
                assert!(error.contains("could not be started"), "{error}");
            });
        });
        denied.join().expect("no panic");
    });
}

#[test]
fn a_task_that_ends_with_its_runtime_is_cut_off() {
    for_each_backend(|backend| {
        let runtime = backend.runtime(2);
        let (started, is_started) = mpsc::channel();
        let handle = runtime.handle();
        // On a thread of its own, which the runtime does not end.
        let left = std::thread::spawn(move || {
            let scope = scope(|s| async move {
                s.signal_grace(Duration::from_secs(60));
                s.spawn_task(pending::<Result<(), &str>>());
                s.spawn(async move {
                    yield_now().await; // the body has its value by now
                    started.send(()).expect("the test waits");
                    Ok(())
                });
                Ok(())
            });
            handle.block_on(scope) as Plain<()>
        });
        is_started.recv().expect("it is sent");
        drop(runtime.shutdown(Duration::ZERO));
        let left = left.join().expect("no panic");
        assert!(left.unwrap_err().is_cancelled());
    });
}

/// A thread cannot be dropped: a scope on it, below a scope that is cancelled, has
/// to end by itself.
#[test]
fn a_scope_on_a_blocking_thread_hears_the_cancel_and_ends() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            let (started, is_started) = oneshot::channel();
            let runtime = wakeline::Handle::current();
            s.spawn_blocking(move || {
                let inner: Plain<()> = runtime.block_on(scope(|_| {
                    let _ = started.send(());
                    pending()
                }));
                assert!(inner.unwrap_err().is_cancelled());
                Ok(())
            });
            let _ = is_started.await;
            s.cancel("stop");
            pending().await
        })
        .await;
        assert!(result.unwrap_err().is_cancelled());
    });
}
