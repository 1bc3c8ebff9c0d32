//! Jobs that block a thread, and what a cancellation means to them.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use wakeline::{FutureExt, Handle, spawn, spawn_blocking, task, yield_now};
use wakeline_context::{Cause, install_token};
use wakeline_sync::cancel::Node;

use crate::support::for_each_backend;
use crate::{on_every_runtime, with_every_runtime};

const LONG: Duration = Duration::from_secs(60);

/// Closed until somebody opens it.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn pass(&self) {
        let closed = self.0.lock().unwrap();
        drop(self.1.wait_while(closed, |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

#[test]
fn a_job_runs_once_and_gives_its_result_or_its_panic() {
    on_every_runtime(|| async {
        let runs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&runs);
        let job = spawn_blocking(move || count.fetch_add(1, SeqCst));
        assert_eq!(job.await.unwrap(), 0);
        assert_eq!(runs.load(SeqCst), 1);
        let error = spawn_blocking(|| panic!("in a job"))
            .await
            .expect_err("it panicked");
        assert!(error.to_string().ends_with("panicked: in a job"), "{error}");
    });
}

#[test]
fn an_abort_takes_a_queued_job_out_and_only_tells_a_running_one() {
    for_each_backend(|backend| {
        let builder = backend.builder().workers(1);
        let runtime = builder.blocking_threads(1).build().expect("a runtime");
        let gate = Arc::new(Gate::default());
        runtime.block_on(async {
            let (theirs, (started, begun)) = (Arc::clone(&gate), mpsc::channel());
            let running = spawn_blocking(move || {
                started.send(()).unwrap();
                theirs.pass();
                task::is_cancelled()
            });
            begun.recv().unwrap();
            let captured = Arc::new(());
            let kept = Arc::clone(&captured);
            let queued = spawn_blocking(move || drop(kept));
            queued.cancel("not needed");
            let error = queued.await.expect_err("it never ran");
            assert_eq!(error.reason().expect("cancelled").text(), "not needed");
            assert_eq!(
                Arc::strong_count(&captured),
                1,
                "dropped before the handle resolved"
            );

            running.abort();
            assert!(!running.is_finished(), "a job that runs cannot be stopped");
            gate.open();
            assert!(
                running.await.unwrap(),
                "but it can see that nobody wants it"
            );
        });
    });
}

/// Waits in a job until it is cancelled; why, then.
fn until_cancelled() -> Option<Cause> {
    while !task::is_cancelled() {
        thread::yield_now();
    }
    let reason = task::cancel_node().and_then(|node| node.reason());
    reason.map(|reason| reason.cause())
}

#[test]
fn a_job_may_have_a_runtime_of_its_own() {
    for_each_backend(|backend| {
        backend.runtime(2).block_on(async {
            let job = spawn_blocking(move || {
                let own = backend.runtime(1);
                own.block_on(async { spawn(yield_now()).await.map(|()| 7) })
            });
            let ended = job.timeout(LONG).await.expect("its tasks run");
            assert_eq!(ended.unwrap().unwrap(), 7);
        });
    });
}

#[test]
fn a_job_sees_each_way_in_which_it_is_cancelled() {
    on_every_runtime(|| async {
        // Its handle.
        let job = spawn_blocking(until_cancelled);
        job.cancel("stop");
        // Taken out of the queue, or told: either way it ends.
        match job.await {
            Ok(cause) => assert_eq!(cause, Some(Cause::Requested)),
            Err(error) => assert!(error.is_cancelled()),
        }
        // The task that spawned it.
        let (started, begun) = wakeline::sync::oneshot::channel::<()>();
        let (tell, told) = wakeline::sync::oneshot::channel();
        let spawner = spawn(async move {
            let job = spawn_blocking(move || {
                drop(started);
                let _ = tell.send(until_cancelled());
            });
            drop(job.await);
        });
        assert!(begun.await.is_err());
        spawner.abort();
        assert_eq!(told.await, Ok(Some(Cause::Aborted)));
        // The token in force where it was spawned.
        let token = Node::root();
        let job = {
            let _in_force = install_token(Some(Arc::new(token.clone())));
            spawn_blocking(|| {
                while !task::is_cancelled() {
                    thread::yield_now();
                }
                // Its own node is not: it was the scope's turn.
                task::cancel_node().is_some_and(|node| node.is_cancelled())
            })
        };
        token.cancel("the scope".into());
        assert!(!job.await.unwrap());
    });
}

#[test]
fn the_end_of_the_runtime_is_a_cancellation_too() {
    with_every_runtime(|runtime| {
        let (started, begun) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        drop(runtime.spawn_blocking(move || {
            started.send(()).unwrap();
            tell.send(until_cancelled()).unwrap();
        }));
        begun.recv().unwrap();
        let report = runtime.shutdown(LONG);
        assert_eq!(report.blocking_jobs_left, 0, "{report}");
        assert_eq!(told.try_recv(), Ok(Some(Cause::Shutdown)));
    });
}

#[test]
fn a_plain_task_is_not_under_the_spawners_token_and_a_job_is() {
    on_every_runtime(|| async {
        let token = Node::root();
        let (task, job) = {
            let _in_force = install_token(Some(Arc::new(token.clone())));
            let seen = || wakeline_context::current_token().is_some();
            (spawn(async move { seen() }), spawn_blocking(seen))
        };
        assert!(!task.await.unwrap());
        assert!(job.await.unwrap());
        assert!(
            !spawn_blocking(|| wakeline_context::current_token().is_some())
                .await
                .unwrap()
        );
    });
}

#[test]
fn a_result_that_comes_after_the_end_is_dropped_quietly() {
    struct Result(mpsc::Sender<()>);
    impl Drop for Result {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    with_every_runtime(|runtime| {
        let gate = Arc::new(Gate::default());
        let (theirs, (started, begun)) = (Arc::clone(&gate), mpsc::channel());
        let (tell, told) = mpsc::channel();
        drop(runtime.spawn_blocking(move || {
            started.send(()).unwrap();
            theirs.pass();
            Result(tell)
        }));
        begun.recv().unwrap();
        let report = runtime.shutdown(Duration::from_millis(1));
        assert_eq!(report.blocking_jobs_left, 1, "{report}");
        gate.open();
        told.recv().expect("dropped by its thread");
    });
}

#[test]
fn a_handle_can_still_be_joined_after_the_end() {
    with_every_runtime(|runtime| {
        let gate = Arc::new(Gate::default());
        let (theirs, (started, begun)) = (Arc::clone(&gate), mpsc::channel());
        let job = runtime.spawn_blocking(move || {
            started.send(()).unwrap();
            theirs.pass();
            "late"
        });
        begun.recv().unwrap();
        drop(runtime);
        gate.open();
        assert_eq!(
            job.blocking_join(Some(LONG)).expect("in time").unwrap(),
            "late"
        );
    });
}

#[test]
fn more_jobs_than_threads_wait_in_their_order() {
    for_each_backend(|backend| {
        let builder = backend.builder().workers(2);
        let runtime = builder.blocking_threads(1).build().expect("a runtime");
        let log = Arc::new(Mutex::new(Vec::new()));
        let gate = Arc::new(Gate::default());
        let theirs = Arc::clone(&gate);
        let mut jobs = vec![runtime.spawn_blocking(move || theirs.pass())];
        for nth in 0..50 {
            let log = Arc::clone(&log);
            jobs.push(runtime.spawn_blocking(move || log.lock().unwrap().push(nth)));
        }
        assert!(log.lock().unwrap().is_empty());
        gate.open();
        runtime.block_on(async {
            for job in jobs {
                job.await.unwrap();
            }
        });
        assert_eq!(*log.lock().unwrap(), (0..50).collect::<Vec<_>>());
    });
}

#[test]
fn jobs_nest_and_may_run_async_code() {
    on_every_runtime(|| async {
        let job = spawn_blocking(|| {
            let inner = spawn_blocking(|| {
                Handle::current().block_on(async {
                    spawn(async {
                        yield_now().await;
                        20
                    })
                    .await
                    .unwrap()
                })
            });
            inner.blocking_join(None).expect("ended").unwrap() + 1
        });
        assert_eq!(job.await.unwrap(), 21);
    });
}

#[test]
fn a_dropped_handle_leaves_the_job_running() {
    on_every_runtime(|| async {
        let (done, is_done) = wakeline::sync::oneshot::channel();
        drop(spawn_blocking(move || done.send(())));
        assert_eq!(is_done.await, Ok(()));
    });
}

#[test]
fn a_cancelled_waiter_leaves_the_job_running_and_it_may_ask() {
    on_every_runtime(|| async {
        let gate = Arc::new(Gate::default());
        let theirs = Arc::clone(&gate);
        let (started, begun) = wakeline::sync::oneshot::channel();
        let (tell, told) = wakeline::sync::oneshot::channel();
        let waiter = spawn(async move {
            let job = spawn_blocking(move || {
                let _ = started.send(());
                theirs.pass();
                let _ = tell.send(task::is_cancelled());
            });
            drop(job.await);
            pending::<()>().await
        });
        begun.await.expect("it runs");
        waiter.cancel("nobody waits");
        assert!(waiter.await.is_err(), "it does not wait for the job");
        gate.open();
        assert_eq!(told.await, Ok(true));
    });
}
