//! The end of a runtime: who gets time, who is dropped, and what the report says.

mod support;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use support::for_each_backend;
use wakeline::net::{TcpListener, TcpStream};
use wakeline::time::sleep;
use wakeline::{spawn, spawn_blocking, yield_now};

/// Counts its drops.
struct OnDrop(Arc<AtomicUsize>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn tasks_that_finish_within_the_grace_do_finish() {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let runtime = backend.runtime(workers);
            let done = Arc::new(AtomicBool::new(false));
            let flag = Arc::clone(&done);
            runtime.block_on(async {
                drop(spawn(async move {
                    sleep(Duration::from_millis(20)).await;
                    flag.store(true, Ordering::SeqCst);
                }));
                yield_now().await;
            });
            let report = runtime.shutdown(Duration::from_secs(60));
            assert!(done.load(Ordering::SeqCst), "{workers} workers: {report:?}");
        }
    });
}

#[test]
fn what_waits_for_ever_is_dropped_by_shutdown_and_by_drop() {
    for_each_backend(|backend| {
        for (workers, gracefully) in [(1, true), (1, false), (2, true), (2, false)] {
            let dropped = Arc::new(AtomicUsize::new(0));
            let runtime = backend.runtime(workers);
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let stream = TcpStream::connect(listener.local_addr().unwrap())
                    .await
                    .unwrap();
                let guards = [(); 4].map(|()| OnDrop(Arc::clone(&dropped)));
                let [on_timer, on_read, on_accept, on_nothing] = guards;
                drop(spawn(async move {
                    let _guard = on_timer;
                    sleep(Duration::MAX).await;
                }));
                drop(spawn(async move {
                    let _guard = on_read;
                    let _ = stream.read(&mut [0; 8]).await;
                }));
                drop(spawn(async move {
                    let _guard = on_accept;
                    loop {
                        let _ = listener.accept().await;
                    }
                }));
                // Never polled, if the runtime is quick.
                drop(spawn(async move {
                    let _guard = on_nothing;
                    pending::<()>().await
                }));
            });
            if gracefully {
                let report = runtime.shutdown(Duration::from_millis(1));
                assert_eq!(report.leaked_operations, 0);
            } else {
                drop(runtime);
            }
            assert_eq!(
                dropped.load(Ordering::SeqCst),
                4,
                "{workers} workers, gracefully: {gracefully}"
            );
        }
    });
}

#[test]
fn the_end_wakes_nobody_who_is_gone_and_refuses_who_comes() {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let runtime = backend.runtime(workers);
            let handle = runtime.handle();
            drop(runtime);
            let late = handle.spawn(async { 1 });
            let other = backend.runtime(1);
            assert!(
                other.block_on(late).is_err(),
                "a task of a runtime that is gone"
            );
        }
    });
}

#[test]
fn a_running_blocking_job_does_not_hold_up_the_end() {
    for_each_backend(|backend| {
        let runtime = backend.runtime(1);
        let (release, released) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        runtime.block_on(async {
            drop(spawn_blocking(move || {
                started.send(()).unwrap();
                // Until the test is over: shutdown has to come back before.
                let _ = released.recv();
            }));
        });
        has_started.recv().unwrap();
        let _ = runtime.shutdown(Duration::from_millis(1));
        drop(release);
    });
}

#[test]
fn a_runtime_is_dropped_on_another_thread_and_inside_a_task() {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let runtime = backend.runtime(workers);
            runtime.block_on(async {
                drop(spawn(pending::<()>()));
            });
            thread::spawn(move || drop(runtime))
                .join()
                .expect("no panic");

            let (outer, inner) = (backend.runtime(1), backend.runtime(workers));
            outer
                .block_on(async { spawn(async move { drop(inner) }).await })
                .expect("no panic, no hang");
        }
    });
}
