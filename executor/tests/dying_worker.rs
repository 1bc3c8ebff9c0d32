//! A worker whose driver fails, or panics, ends before the others: it leaves nothing that
//! they would have to wait for.

use std::future::pending;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use wakeline_executor::{
    Driver, DriverReport, Executor, Interrupt, JoinHandle, ParkDriver, spawn_local, yield_now,
};

/// Fails on the thread that was named, or on all.
#[derive(Default)]
struct Fault {
    panics: bool,
    all: AtomicBool,
    one: Mutex<Option<ThreadId>>,
    /// Who waits for an event: woken when the driver ends, as a reactor wakes them.
    waiting: Mutex<Vec<Waker>>,
}

struct Failing(ParkDriver, Arc<Fault>);

impl Driver for Failing {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let one = *self.1.one.lock().unwrap();
        if self.1.all.load(Ordering::SeqCst) || one == Some(thread::current().id()) {
            assert!(!self.1.panics, "on purpose");
            return Err(io::Error::other("on purpose"));
        }
        self.0.turn(limit)
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        self.0.interrupt()
    }

    fn shutdown(&mut self, _: Duration) -> DriverReport {
        let waiting = std::mem::take(&mut *self.1.waiting.lock().unwrap());
        waiting.into_iter().for_each(Waker::wake);
        DriverReport::default()
    }
}

fn two_workers(panics: bool) -> (Executor, Arc<Fault>) {
    with_workers(2, panics)
}

fn with_workers(workers: usize, panics: bool) -> (Executor, Arc<Fault>) {
    let fault = Arc::new(Fault {
        panics,
        ..Fault::default()
    });
    let theirs = Arc::clone(&fault);
    let executor = Executor::builder()
        .workers(workers)
        .driver(move |_| Ok(Box::new(Failing(ParkDriver::new(), Arc::clone(&theirs)))))
        .build()
        .expect("an executor");
    (executor, fault)
}

/// For a minute, which is for ever here.
#[track_caller]
fn joined<T>(handle: JoinHandle<T>) -> Result<T, wakeline_executor::JoinError> {
    let ended = handle.blocking_join(Some(Duration::from_secs(60)));
    ended.unwrap_or_else(|_| panic!("it was left behind"))
}

#[test]
fn who_is_woken_by_the_end_of_the_last_driver_is_cancelled() {
    for panics in [false, true] {
        let (executor, fault) = two_workers(panics);
        let theirs = Arc::clone(&fault);
        let waits = executor.spawn(std::future::poll_fn(move |cx| {
            theirs.waiting.lock().unwrap().push(cx.waker().clone());
            Poll::<()>::Pending
        }));
        while fault.waiting.lock().unwrap().is_empty() {
            thread::yield_now();
        }
        fault.all.store(true, Ordering::SeqCst);
        // Has a worker take a turn, which fails; its end interrupts the other one.
        drop(executor.spawn(yield_now()));
        assert!(joined(waits).expect_err("nobody can run it").is_cancelled());
    }
}

#[test]
fn who_had_yielded_on_it_goes_on_elsewhere() {
    for panics in [false, true] {
        let (executor, fault) = two_workers(panics);
        let yields = executor.spawn(async move {
            *fault.one.lock().unwrap() = Some(thread::current().id());
            yield_now().await;
            7
        });
        assert_eq!(joined(yields).expect("the other one goes on"), 7);
    }
}

#[test]
fn the_others_are_woken_for_what_comes_later() {
    for panics in [false, true] {
        let (executor, fault) = two_workers(panics);
        let waker = Arc::new(Mutex::new(None::<Waker>));
        let (theirs, woken) = (Arc::clone(&waker), Arc::new(AtomicBool::new(false)));
        let by = Arc::clone(&woken);
        let waits = executor.spawn(std::future::poll_fn(move |cx| {
            *theirs.lock().unwrap() = Some(cx.waker().clone());
            match by.load(Ordering::SeqCst) {
                true => Poll::Ready(7),
                false => Poll::Pending,
            }
        }));
        while waker.lock().unwrap().is_none() {
            thread::yield_now();
        }
        let theirs = Arc::clone(&fault);
        let yields = executor.spawn(async move {
            *theirs.one.lock().unwrap() = Some(thread::current().id());
            yield_now().await;
        });
        joined(yields).expect("the other one goes on");
        // It may be on its way to sleep, or sleep already.
        thread::yield_now();
        woken.store(true, Ordering::SeqCst);
        waker.lock().unwrap().take().expect("from above").wake();
        assert_eq!(joined(waits).expect("it is woken"), 7);
    }
}

/// So many that the end would have a turn on its way.
#[test]
fn who_stays_with_it_is_dropped_without_another_turn() {
    const MANY: usize = 200;
    for (workers, panics) in [(1, false), (1, true), (2, false), (2, true)] {
        let (executor, fault) = with_workers(workers, panics);
        let kept = Arc::new(());
        let theirs = Arc::clone(&kept);
        let fails = async move {
            for _ in 0..MANY {
                let kept = Arc::clone(&theirs);
                drop(spawn_local(async move {
                    let _kept = kept;
                    pending::<()>().await;
                }));
            }
            yield_now().await;
            fault.all.store(true, Ordering::SeqCst);
            yield_now().await;
        };
        if workers == 1 {
            let block_on = AssertUnwindSafe(|| executor.block_on(fails));
            assert!(catch_unwind(block_on).is_err());
        } else {
            drop(joined(executor.spawn(fails)));
        }
        drop(executor);
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}

#[test]
fn a_task_that_has_the_executor_is_cancelled_with_the_others() {
    struct Tells(mpsc::Sender<()>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    for panics in [false, true] {
        let (executor, fault) = two_workers(panics);
        let handle = executor.handle();
        let (tell, told) = mpsc::channel();
        drop(handle.spawn(async move {
            let _both = (executor, Tells(tell.clone()));
            tell.send(()).expect("the test waits");
            pending::<()>().await;
        }));
        told.recv().expect("it waits");
        fault.all.store(true, Ordering::SeqCst);
        // Has a worker take a turn, which fails; its end interrupts the other one.
        drop(handle.spawn(yield_now()));
        let dropped = told.recv_timeout(Duration::from_secs(20));
        dropped.expect("it does not wait for itself");
    }
}
