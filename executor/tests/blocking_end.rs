//! The end of an executor while jobs run: they complete when nobody is left, wake tasks
//! that are gone, and give results that nobody takes.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use wakeline_context::LateWake;
use wakeline_executor::{Executor, Handle, spawn, spawn_blocking, yield_now};

/// Opened by the drop of its sender.
type Gate = Arc<Mutex<mpsc::Receiver<()>>>;

fn pass(gate: &Gate) {
    assert!(gate.lock().unwrap().recv().is_err());
}

/// Says when it is dropped.
struct Tells(mpsc::Sender<()>);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.send(()).expect("somebody listens");
    }
}

/// Where a task leaves its waker, for jobs that wake it when it may be gone.
type Place = Arc<Mutex<Option<Waker>>>;

/// A task that ends when it is woken, if ever.
fn sleeper(place: &Place) {
    let place = Arc::clone(place);
    let mut waits = false;
    drop(spawn(poll_fn(move |cx| {
        *place.lock().unwrap() = Some(cx.waker().clone());
        if std::mem::replace(&mut waits, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })));
}

const JOBS: usize = 12;

/// Jobs of every sort, each with something that tells of its drop.
async fn begin(gate: Gate, tell: mpsc::Sender<()>) {
    let place = Place::default();
    sleeper(&place);
    // Who is not woken by a job would be waited for in vain.
    while place.lock().unwrap().is_none() {
        yield_now().await;
    }
    for nth in 0..JOBS {
        let (tells, gate, place) = (Tells(tell.clone()), Arc::clone(&gate), Arc::clone(&place));
        if nth % 4 == 3 {
            let job = move || {
                pass(&gate);
                drop(tells);
                LateWake::from(place.lock().unwrap().clone())
            };
            Handle::current().offload(Box::new(job)).expect("a thread");
            continue;
        }
        let job = spawn_blocking(move || {
            if nth % 4 != 0 {
                pass(&gate);
            }
            let waker = place.lock().unwrap().clone();
            waker.into_iter().for_each(Waker::wake);
            tells
        });
        if nth % 3 == 0 {
            drop(job); // nobody takes the result
        } else {
            drop(spawn(job));
        }
    }
}

/// One executor that ends before, while or after the gate is opened.
fn round(workers: usize, nth: usize) {
    let builder = Executor::builder().workers(workers).blocking_threads(5);
    let executor = builder.build().expect("an executor");
    let (open, gate) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    executor.block_on(begin(Arc::new(Mutex::new(gate)), tell));
    let opens = match nth % 3 {
        0 => {
            drop(executor);
            thread::spawn(move || drop(open))
        }
        1 => {
            let opens = thread::spawn(move || drop(open));
            drop(executor);
            opens
        }
        _ => {
            let opens = thread::spawn(move || drop(open));
            let report = executor.shutdown(Duration::from_secs(600));
            assert_eq!((report.blocking_jobs_left, report.stuck_workers), (0, 0));
            opens
        }
    };
    opens.join().expect("no panic");
    // Ends when every job is gone, and what it was to give.
    assert_eq!(told.iter().count(), JOBS);
}

#[test]
fn jobs_outlive_the_executor_and_leave_nothing_behind() {
    for workers in [1, 2] {
        (0..150).for_each(|nth| round(workers, nth));
    }
}

/// Tells, when it is dropped, whether the shutdown was over by then.
struct LastWord {
    over: mpsc::Receiver<()>,
    tell: mpsc::Sender<bool>,
}

impl Drop for LastWord {
    fn drop(&mut self) {
        // Time enough for a shutdown that does not wait for this.
        let over = self.over.recv_timeout(Duration::from_millis(200));
        let _ = self.tell.send(over.is_ok());
    }
}

#[test]
fn a_shutdown_waits_until_idle_threads_have_dropped_what_they_had() {
    let (tell, told) = mpsc::channel();
    let (say_over, over) = mpsc::channel();
    let last = Mutex::new(Some(LastWord { over, tell }));
    let executor = Executor::builder()
        .workers(1)
        .blocking_surround(move || Box::new(last.lock().unwrap().take()))
        .build()
        .expect("an executor");
    executor.block_on(async { spawn_blocking(|| ()).await.expect("no panic") });
    let report = executor.shutdown(Duration::from_secs(600));
    let _ = say_over.send(());
    assert_eq!((report.blocking_jobs_left, report.stuck_workers), (0, 0));
    assert_eq!(told.recv(), Ok(false), "dropped after the shutdown's end");
}
