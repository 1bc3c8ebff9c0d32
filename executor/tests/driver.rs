//! What the executor asks of its driver: how often, and how seldom.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wakeline_executor::{
    Driver, Executor, Interrupt, ParkDriver, spawn, spawn_blocking, spawn_local, yield_now,
};

/// Counts what is asked of a [`ParkDriver`].
struct Counting {
    park: ParkDriver,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    turns: AtomicUsize,
    sleeps: AtomicUsize,
    interrupts: AtomicUsize,
}

struct CountingInterrupt(Arc<dyn Interrupt>, Arc<Counts>);

impl Interrupt for CountingInterrupt {
    fn interrupt(&self) {
        self.1.interrupts.fetch_add(1, Ordering::SeqCst);
        self.0.interrupt();
    }
}

impl Driver for Counting {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.counts.turns.fetch_add(1, Ordering::SeqCst);
        if limit != Some(Duration::ZERO) {
            self.counts.sleeps.fetch_add(1, Ordering::SeqCst);
        }
        self.park.turn(limit)
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        Arc::new(CountingInterrupt(
            self.park.interrupt(),
            Arc::clone(&self.counts),
        ))
    }
}

/// One worker with a counting driver.
fn counted() -> (Executor, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let theirs = Arc::clone(&counts);
    let executor = Executor::builder()
        .workers(1)
        .driver(move |_| {
            let counts = Arc::clone(&theirs);
            let park = ParkDriver::new();
            Ok(Box::new(Counting { park, counts }))
        })
        .build()
        .unwrap();
    (executor, counts)
}

/// Wakes itself `times` times.
async fn self_wakes(times: usize) {
    let mut left = times;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn a_busy_queue_lets_the_driver_have_a_turn_every_61_polls() {
    let (executor, counts) = counted();
    executor.block_on(async {
        spawn(self_wakes(6_100)).await.unwrap();
    });
    let turns = counts.turns.load(Ordering::SeqCst);
    assert!((100..=103).contains(&turns), "{turns} turns in 6,100 polls");
    assert!(
        counts.sleeps.load(Ordering::SeqCst) <= 1,
        "it slept beside a full queue"
    );
}

#[test]
fn what_is_woken_on_the_workers_own_thread_interrupts_nothing() {
    let (executor, counts) = counted();
    executor.block_on(async {
        let tasks: Vec<_> = (0..100)
            .map(|_| spawn(async { yield_now().await }))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        spawn(self_wakes(10)).await.unwrap();
    });
    assert_eq!(counts.interrupts.load(Ordering::SeqCst), 0);
}

#[test]
fn a_wake_from_another_thread_interrupts() {
    let (executor, counts) = counted();
    executor.block_on(async {
        let (go, gone) = mpsc::channel();
        let mut job = spawn_blocking(move || gone.recv().unwrap());
        // Only once somebody waits for it may it end.
        std::future::poll_fn(|cx| {
            let polled = std::pin::Pin::new(&mut job).poll(cx);
            if polled.is_pending() {
                // Nobody listens after the first time.
                let _ = go.send(());
            }
            polled
        })
        .await
        .unwrap();
    });
    assert!(counts.interrupts.load(Ordering::SeqCst) >= 1);
}

#[test]
fn a_worker_without_a_driver_is_an_error_of_the_build() {
    for broken in 0..3 {
        let error = Executor::builder()
            .workers(3)
            .driver(move |worker| {
                if worker == broken {
                    return Err(io::Error::other("no ring for this one"));
                }
                Ok(Box::new(ParkDriver::new()))
            })
            .build()
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&format!("worker {broken}")) && text.contains("no ring for this one"),
            "{text}"
        );
    }
}

#[test]
fn a_driver_factory_that_panics_for_one_worker_fails_the_build() {
    let built = Executor::builder()
        .workers(2)
        .driver(|worker| {
            assert_eq!(worker, 0, "no driver for this one");
            Ok(Box::new(ParkDriver::new()))
        })
        .build();
    let error = built.expect_err("one worker is missing");
    assert!(error.to_string().contains("panicked"), "{error}");
}

/// Works until it is told to fail.
struct Failing(ParkDriver, Arc<AtomicUsize>);

impl Driver for Failing {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        match self.1.load(Ordering::SeqCst) {
            0 => self.0.turn(limit),
            _ => Err(io::Error::other("told to fail")),
        }
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        self.0.interrupt()
    }
}

#[test]
fn a_broken_driver_leaves_no_local_task_behind() {
    let (fail, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let theirs = Arc::clone(&fail);
    let executor = Executor::builder()
        .workers(2)
        .root_driver(move || Ok(Box::new(Failing(ParkDriver::new(), Arc::clone(&theirs)))))
        .build()
        .expect("an executor");
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        executor.block_on(async {
            // More than the polls between two turns.
            for _ in 0..200 {
                let count = Count(Arc::clone(&dropped));
                drop(wakeline_executor::spawn_local(async move {
                    let _count = count;
                    std::future::pending::<()>().await;
                }));
            }
            fail.store(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(dropped.load(Ordering::SeqCst), 200);
}

#[test]
fn when_the_last_worker_is_gone_its_tasks_are_cancelled() {
    let fail = Arc::new(AtomicUsize::new(0));
    let theirs = Arc::clone(&fail);
    let executor = Executor::builder()
        .workers(2)
        .driver(move |_| Ok(Box::new(Failing(ParkDriver::new(), Arc::clone(&theirs)))))
        .build()
        .expect("an executor");
    let waits = executor.spawn(std::future::pending::<()>());
    fail.store(1, Ordering::SeqCst);
    // Has a worker take a turn, which fails; its end interrupts the other one.
    let woken = executor.spawn(yield_now());
    let error = executor
        .block_on(waits)
        .expect_err("nobody is left to run it");
    assert!(error.is_cancelled(), "{error}");
    drop(executor.block_on(woken));
}

/// Lets a job go on once it was told of it, and wakes somebody once it was told
/// that there is none.
struct Asking {
    park: ParkDriver,
    release: mpsc::Sender<()>,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Driver for Asking {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.park.turn(limit)
    }

    fn turn_idle(&mut self, limit: Option<Duration>, jobs: &dyn Fn() -> bool) -> io::Result<()> {
        if jobs() {
            // Once is enough: a sleep may end early, with the job still there.
            let _ = self.release.send(());
            return self.park.turn(limit);
        }
        let waker = self.waker.lock().unwrap().take();
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        self.park.interrupt()
    }
}

#[test]
fn a_driver_that_asked_for_jobs_is_interrupted_at_the_end_of_the_last_one() {
    let (release, released) = mpsc::channel();
    let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
    let theirs = Arc::clone(&waker);
    let executor = Executor::builder()
        .workers(1)
        .driver(move |_| {
            let (release, waker) = (release.clone(), Arc::clone(&theirs));
            let park = ParkDriver::new();
            Ok(Box::new(Asking {
                park,
                release,
                waker,
            }))
        })
        .build()
        .unwrap();
    executor.block_on(async {
        // Nobody waits for it, so its end wakes nobody.
        drop(spawn_blocking(move || released.recv().unwrap()));
        let mut polled = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut polled, true) {
                return std::task::Poll::Ready(());
            }
            *waker.lock().unwrap() = Some(cx.waker().clone());
            std::task::Poll::Pending
        })
        .await;
    });
}

#[test]
fn a_thread_for_blocking_jobs_keeps_what_surrounds_it() {
    thread_local!(static INSIDE: Cell<bool> = const { Cell::new(false) });
    struct Leaves;
    impl Drop for Leaves {
        fn drop(&mut self) {
            INSIDE.set(false);
        }
    }
    let executor = Executor::builder()
        .workers(1)
        .blocking_surround(|| {
            INSIDE.set(true);
            Box::new(Leaves)
        })
        .build()
        .unwrap();
    executor.block_on(async {
        for _ in 0..3 {
            assert!(spawn_blocking(|| INSIDE.get()).await.unwrap());
        }
        assert!(!INSIDE.get());
    });
}

/// Spawns the next of its kind when it is dropped, and panics at its first poll.
struct Supervised {
    left: usize,
    ended: Rc<Cell<usize>>,
}

impl Future for Supervised {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        // Not by `panic!`, which would print it.
        std::panic::resume_unwind(Box::new("it fails at once"));
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.ended.set(self.ended.get() + 1);
        if let Some(left) = self.left.checked_sub(1) {
            let ended = Rc::clone(&self.ended);
            drop(spawn_local(Supervised { left, ended }));
        }
    }
}

#[test]
fn tasks_that_panic_one_after_the_other_do_not_keep_the_driver_from_its_turns() {
    const ALL: usize = 1_000;
    let (executor, counts) = counted();
    let ended = Rc::new(Cell::new(0));
    let before = executor.block_on(async {
        drop(spawn_local(Supervised {
            left: ALL,
            ended: Rc::clone(&ended),
        }));
        // Until after a turn of the driver.
        yield_now().await;
        let before = ended.get();
        while ended.get() <= ALL {
            yield_now().await;
        }
        before
    });
    assert!(before < ALL / 2, "{before} tasks ran before a turn");
    assert!(counts.turns.load(Ordering::SeqCst) > 0);
}
