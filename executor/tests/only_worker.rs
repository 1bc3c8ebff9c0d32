//! Tasks of the only worker, which its thread alone may run, and what other threads do
//! to them and to their executor meanwhile.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use wakeline_executor::trace::Recorder;
use wakeline_executor::{
    Executor, Handle, JoinHandle, ParkDriver, spawn, spawn_eager, spawn_local, yield_now,
};

fn only() -> Executor {
    let executor = Executor::builder().workers(1).build();
    executor.expect("an executor")
}

#[test]
fn an_end_inside_of_another_threads_block_on_does_not_wait_for_its_local_tasks() {
    let (pool, ends) = (only(), only());
    let handle = ends.handle();
    let job = pool.handle().spawn_blocking(move || {
        handle.block_on(async move {
            let waits = spawn_local(pending::<()>());
            yield_now().await;
            drop(ends);
            drop(waits);
        });
    });
    pool.block_on(job).expect("no panic");
}

#[test]
fn what_a_thread_spawns_that_binds_itself_during_the_end_is_cancelled() {
    let (making, made) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let builder = Executor::builder().workers(1).driver(move |_| {
        making.send(()).expect("the test waits");
        gone.lock().expect("once").recv().expect("the test says so");
        Ok(Box::new(ParkDriver::new()))
    });
    let executor = builder.build().expect("an executor");
    let handle = executor.handle();
    let late = thread::spawn(move || handle.block_on(async { spawn(pending::<()>()).await }));
    made.recv().expect("a driver is being made");
    drop(executor);
    go.send(()).expect("the driver waits");
    let error = late.join().expect("no panic").expect_err("it is too late");
    assert!(error.is_cancelled());
}

#[test]
fn a_panic_of_the_joiners_clock_costs_the_ending_tasks_worker_nothing() {
    let angry = Arc::new(AtomicBool::new(false));
    let clock = {
        let angry = Arc::clone(&angry);
        move || {
            let name = thread::current().name().map(str::to_owned);
            let is_worker = name.is_some_and(|name| name.starts_with("ends-"));
            assert!(
                !(is_worker && angry.load(SeqCst)),
                "the clock of the joiner"
            );
            Instant::now()
        }
    };
    let builder = Executor::builder().workers(2).thread_name("ends-");
    let ends = builder.build().expect("an executor");
    let recorder = Recorder::new(100);
    let builder = Executor::builder()
        .workers(1)
        .recorder(&recorder)
        .clock(clock);
    let joins = builder.build().expect("an executor");
    let (go, went) = mpsc::channel::<()>();
    let ending = ends.spawn(async move { went.recv().expect("the test says so") });
    joins.block_on(async {
        drop(spawn(async move { drop(ending.await) }));
        yield_now().await;
        yield_now().await;
    });
    angry.store(true, SeqCst);
    go.send(()).expect("the task waits");
    // Each worker is asked: one of them has met the panic by then, or will.
    let both: Vec<_> = (0..64).map(|n| ends.spawn(async move { n })).collect();
    for (n, task) in both.into_iter().enumerate() {
        let said = task.blocking_join(Some(Duration::from_secs(60)));
        assert_eq!(said.expect("both workers live").expect("no panic"), n);
    }
    let report = ends.shutdown(Duration::from_secs(60));
    assert_eq!(report.stuck_workers, 0);
}

/// Each reading of the clock panics once, in its turn; the last ones meet no panic.
#[test]
fn a_panic_of_the_own_clock_costs_an_event_and_no_task() {
    for nth in if cfg!(miri) { 3..5 } else { 0..12 } {
        let left = AtomicUsize::new(nth);
        let armed = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&armed);
        let clock = move || {
            let counts = theirs.load(SeqCst);
            assert!(!counts || left.fetch_sub(1, SeqCst) != 0, "the clock's");
            Instant::now()
        };
        let recorder = Recorder::new(100);
        let builder = Executor::builder().workers(1);
        let executor = builder.recorder(&recorder).clock(clock).build();
        let executor = executor.expect("an executor");
        let said = executor.block_on(async move {
            armed.store(true, SeqCst);
            let first = spawn(async {
                yield_now().await;
                1
            });
            first.await.expect("no panic of its own") + 1
        });
        assert_eq!(said, 2);
        drop(executor);
    }
}

/// Is dropped by the thread that made it.
struct Dropped(Arc<AtomicUsize>, ThreadId);

impl Drop for Dropped {
    fn drop(&mut self) {
        assert_eq!(self.1, thread::current().id());
        self.0.fetch_add(1, SeqCst);
    }
}

/// Joins, aborts and drops what it is sent.
fn joins(number: usize, handles: mpsc::Receiver<JoinHandle<u8>>) {
    for (at, handle) in handles.into_iter().enumerate() {
        match (number + at) % 4 {
            0 => drop(handle),
            1 => {
                handle.abort();
                assert!(handle.blocking_join(None).is_ok());
            }
            2 => assert!(handle.blocking_join(None).is_ok()),
            _ => {
                if let Err(handle) = handle.blocking_join(Some(Duration::from_micros(50))) {
                    handle.abort();
                }
            }
        }
    }
}

/// How many tasks [`spawns`] spawns.
const TASKS: usize = if cfg!(miri) { 60 } else { 600 };

/// Spawns tasks of all kinds, has an end begin in their midst, and goes on.
fn spawns(
    executor: &Handle,
    round: usize,
    to: Vec<mpsc::Sender<JoinHandle<u8>>>,
    end: &mpsc::Sender<()>,
    dropped: &Arc<AtomicUsize>,
) {
    executor.block_on(async {
        for n in 0..TASKS {
            let kept = Dropped(Arc::clone(dropped), thread::current().id());
            let future = async move {
                let _kept = kept;
                for _ in 0..n % 3 {
                    yield_now().await;
                }
                if n % 7 == 0 {
                    pending::<()>().await;
                }
                1
            };
            let task = match n % 3 {
                0 => spawn(future),
                1 => spawn_local(future),
                _ => spawn_eager(future),
            };
            to[n % 3].send(task).expect("it goes on until this ends");
            if n % 5 == 0 {
                yield_now().await;
            }
            if n == TASKS / 2 + round {
                end.send(()).expect("it waits for this");
            }
        }
    });
}

#[test]
fn each_future_is_dropped_once_by_its_thread_whatever_others_do() {
    for round in 0..if cfg!(miri) { 2 } else { 20 } {
        let hooked = Arc::new(());
        let hook = Arc::clone(&hooked);
        let builder = Executor::builder().workers(1).on_unobserved(move |_| {
            let _kept = &hook;
        });
        let executor = builder.build().expect("an executor");
        let (handle, looker) = (executor.handle(), executor.handle());
        let dropped = Arc::new(AtomicUsize::new(0));
        let (to, from): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel()).unzip();
        let (end, ends) = mpsc::channel();
        thread::scope(|scope| {
            for (number, handles) in from.into_iter().enumerate() {
                scope.spawn(move || joins(number, handles));
            }
            scope.spawn(move || {
                (0..if cfg!(miri) { 5 } else { 50 }).for_each(|_| drop(looker.tasks()))
            });
            scope.spawn(move || {
                ends.recv().expect("it is sent");
                drop(executor);
            });
            let dropped = &dropped;
            let spawns = scope.spawn(move || spawns(&handle, round, to, &end, dropped));
            // With what it ends when it ends, which a scope does not wait for.
            spawns.join().expect("no panic");
        });
        assert_eq!(dropped.load(SeqCst), TASKS);
        assert_eq!(Arc::strong_count(&hooked), 1, "the executor is gone");
    }
}
