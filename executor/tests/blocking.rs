//! The pool for what blocks: order, limits, aborts, and threads that cannot be had.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Wake, Waker};
use std::thread::{self, ThreadId};

use wakeline_context::LateWake;
use wakeline_executor::{Executor, Handle, spawn_blocking, task, yield_now};

fn executor(threads: usize) -> Executor {
    Executor::builder()
        .workers(1)
        .blocking_threads(threads)
        .build()
        .expect("an executor")
}

#[test]
fn a_job_gives_its_output_or_its_panic() {
    executor(4).block_on(async {
        assert_eq!(spawn_blocking(|| 5).await.unwrap(), 5);
        let error = spawn_blocking(|| panic!("in the job"))
            .await
            .map(|(): ()| ())
            .unwrap_err();
        assert!(
            error.is_panic() && error.to_string().contains("in the job"),
            "{error}"
        );
    });
}

#[test]
fn no_more_than_the_limit_run_at_once_and_all_run() {
    let running = Arc::new(AtomicUsize::new(0));
    let peak = Arc::new(AtomicUsize::new(0));
    executor(3).block_on(async {
        let jobs: Vec<_> = (0..if cfg!(miri) { 20 } else { 300 })
            .map(|_| {
                let (running, peak) = (Arc::clone(&running), Arc::clone(&peak));
                spawn_blocking(move || {
                    peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for job in jobs {
            job.await.unwrap();
        }
    });
    assert!(peak.load(Ordering::SeqCst) <= 3);
}

#[test]
fn jobs_that_wait_for_each_other_all_get_a_thread() {
    const JOBS: usize = if cfg!(miri) { 10 } else { 40 };
    let barrier = Arc::new(Barrier::new(JOBS));
    executor(JOBS).block_on(async {
        let jobs: Vec<_> = (0..JOBS)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                spawn_blocking(move || barrier.wait().is_leader())
            })
            .collect();
        for job in jobs {
            job.await.unwrap();
        }
    });
}

#[test]
fn jobs_start_in_the_order_of_their_spawns() {
    let (tell, told) = mpsc::channel();
    executor(1).block_on(async {
        let jobs: Vec<_> = (0..50)
            .map(|n| {
                let tell = tell.clone();
                spawn_blocking(move || tell.send(n).unwrap())
            })
            .collect();
        for job in jobs {
            job.await.unwrap();
        }
    });
    drop(tell);
    assert_eq!(told.iter().collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
}

#[test]
fn aborting_a_queued_job_drops_it_and_a_running_one_goes_on() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    executor(1).block_on(async {
        let (started, has_started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let running = spawn_blocking(move || {
            started.send(()).unwrap();
            released.recv().unwrap();
            "ran to its end"
        });
        while has_started.try_recv().is_err() {
            yield_now().await;
        }
        let guard = Dropped(Arc::clone(&drops));
        let queued = spawn_blocking(move || {
            let _guard = guard;
            unreachable!("an aborted job ran");
        });
        queued.abort();
        // At once: the only thread is busy, and stays so.
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        assert!(queued.await.unwrap_err().is_cancelled());
        running.abort();
        release.send(()).unwrap();
        assert_eq!(running.await.unwrap(), "ran to its end");
    });
}

#[test]
fn a_job_knows_its_task_and_its_runtime() {
    executor(2).block_on(async {
        let job = spawn_blocking(|| (task::current().id(), Handle::try_current().is_some()));
        let id = job.id();
        assert_eq!(job.await.unwrap(), (id, true));
        let nested = spawn_blocking(|| spawn_blocking(|| 9).blocking_join(None).unwrap().unwrap());
        assert_eq!(nested.await.unwrap(), 9);
    });
}

#[test]
fn a_thread_that_cannot_be_had_is_the_handles_error() {
    // No machine has the address space for such a stack.
    let executor = Executor::builder()
        .workers(1)
        .blocking_stack_size(1 << 60)
        .build()
        .unwrap();
    let error = executor
        .block_on(async { spawn_blocking(|| ()).await })
        .unwrap_err();
    assert!(!error.is_cancelled() && !error.is_panic());
    assert!(
        error
            .to_string()
            .contains("start a thread for blocking jobs"),
        "{error}"
    );
    assert!(
        executor
            .handle()
            .offload(Box::new(LateWake::default))
            .is_err()
    );
}

#[test]
fn a_job_may_join_any_number_of_tasks() {
    const JOINS: usize = if cfg!(miri) { 150 } else { 300 };
    let executor = executor(4);
    let handle = executor.handle();
    // More than the budget of a poll: a job is no poll, and nothing refills it.
    let job = executor.handle().spawn_blocking(move || {
        (0..JOINS)
            .filter(|_| handle.spawn(async {}).blocking_join(None).is_ok())
            .count()
    });
    assert_eq!(executor.block_on(job).expect("no panic"), JOINS);
}

/// A panic's payload whose destructor panics with the next one.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            std::panic::panic_any(Bomb(self.0 - 1));
        }
    }
}

#[test]
fn a_payload_that_panics_takes_no_thread_with_it() {
    let executor = executor(1);
    executor.block_on(async {
        drop(wakeline_executor::spawn(async {
            std::panic::panic_any(Bomb(9))
        }));
        drop(spawn_blocking(|| std::panic::panic_any(Bomb(9))));
        Handle::current()
            .offload(Box::new(|| std::panic::panic_any(Bomb(9))))
            .expect("a thread");
        yield_now().await;
        assert_eq!(spawn_blocking(|| 5).await.expect("no panic"), 5);
    });
    let report = executor.shutdown(std::time::Duration::from_secs(600));
    assert!(report.is_clean(), "{report}");
}

#[test]
fn what_surrounds_a_thread_and_panics_takes_no_job_along() {
    let builder = Executor::builder().workers(1).blocking_threads(1);
    let executor = builder
        .blocking_surround(|| panic!("a planned panic of the surround"))
        .build()
        .expect("an executor");
    let job = executor.block_on(async { spawn_blocking(|| 5).await });
    assert_eq!(job.expect("no panic"), 5);
    let report = executor.shutdown(std::time::Duration::from_secs(600));
    assert!(report.is_clean(), "{report}");
}

#[test]
fn an_executor_is_not_bound_to_a_thread_of_the_pool() {
    let executor = executor(1);
    let handle = executor.handle();
    // The first `block_on`: were it the one that binds, the executor would end
    // with a thread that nobody asked for.
    let job = executor
        .handle()
        .spawn_blocking(move || handle.block_on(async { 1 }));
    assert_eq!(
        job.blocking_join(None)
            .expect("no limit")
            .expect("no panic"),
        1
    );
    let task = executor.spawn(async { 2 });
    assert_eq!(executor.block_on(task).expect("no panic"), 2);
}

/// A job that makes itself one has no other thread for its tasks.
#[test]
fn an_executor_is_bound_to_a_thread_of_anothers_pool() {
    let outer = executor(1);
    let job = outer.handle().spawn_blocking(|| {
        let inner = executor(1);
        let handle = inner.handle();
        let nested = inner.block_on(async move {
            let task = handle.spawn(async { 1 });
            task.await.expect("no panic")
        });
        nested + inner.block_on(inner.spawn(async { 2 })).expect("no panic")
    });
    let joined = job.blocking_join(std::time::Duration::from_secs(60));
    assert_eq!(joined.expect("its tasks run").expect("no panic"), 3);
}

/// Queues so many plain jobs when it is woken; each says on which thread it runs,
/// when all of them do.
struct HasMore {
    handle: Handle,
    jobs: usize,
    tell: mpsc::Sender<ThreadId>,
}

impl Wake for HasMore {
    fn wake(self: Arc<Self>) {
        let all = Arc::new(Barrier::new(self.jobs));
        for _ in 0..self.jobs {
            let (all, tell) = (Arc::clone(&all), self.tell.clone());
            let job = move || {
                all.wait();
                tell.send(thread::current().id()).unwrap();
                LateWake::default()
            };
            self.handle.offload(Box::new(job)).unwrap();
        }
    }
}

/// Where a job ran, and where those did that its waker had.
fn follow(executor: &Executor, jobs: usize) -> (ThreadId, Vec<ThreadId>) {
    let (tell, told) = mpsc::channel();
    let handle = executor.handle().clone();
    let more = HasMore {
        handle: handle.clone(),
        jobs,
        tell: tell.clone(),
    };
    let first = move || {
        tell.send(thread::current().id()).unwrap();
        LateWake::from(Some(Waker::from(Arc::new(more))))
    };
    handle.offload(Box::new(first)).unwrap();
    let first = told.recv().unwrap();
    (first, (0..jobs).map(|_| told.recv().unwrap()).collect())
}

#[test]
fn who_is_woken_has_the_next_job_for_the_thread_that_wakes() {
    for _ in 0..if cfg!(miri) { 3 } else { 50 } {
        // It has one thread for the first job, and starts none for the next.
        let (first, next) = follow(&executor(4), 1);
        assert_eq!(next, [first]);
    }
}

#[test]
fn jobs_of_who_is_woken_that_wait_for_each_other_all_get_a_thread() {
    let executor = executor(4);
    for jobs in [2, 3, 4] {
        let (_, mut threads) = follow(&executor, jobs);
        threads.sort_by_key(|id| format!("{id:?}"));
        threads.dedup();
        assert_eq!(threads.len(), jobs);
    }
}

#[test]
fn idle_threads_are_woken_until_every_job_has_one() {
    const THREADS: usize = 4;
    executor(THREADS).block_on(async {
        for round in 0..if cfg!(miri) { 8 } else { 300 } {
            // No more of them wait for each other than there are threads.
            let jobs = 1 + round % THREADS;
            let all = Arc::new(Barrier::new(jobs));
            let jobs: Vec<_> = (0..jobs)
                .map(|_| {
                    let all = Arc::clone(&all);
                    spawn_blocking(move || all.wait().is_leader())
                })
                .collect();
            for job in jobs {
                job.await.unwrap();
            }
        }
    });
}
