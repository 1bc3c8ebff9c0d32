//! Rows of more than one thread, and of the clock.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Of each some microseconds.
pub(crate) const SLOW_OPS: u64 = 10_000;

/// Timers that fire within a tenth of a second.
pub(crate) const CROWD: u64 = 100_000;

/// Levels of the tree: 2^17 - 1 tasks.
pub(crate) const LEVELS: u32 = 17;

/// A task of the tree, which joins its two children.
pub(crate) type Node = Pin<Box<dyn Future<Output = u64> + Send>>;

/// One where tasks stay on their thread.
#[allow(dead_code, reason = "of the peers")]
pub(crate) type LocalNode = Pin<Box<dyn Future<Output = u64>>>;

/// A thread that answers each question by a wake.
pub(crate) struct Echo {
    asked: Arc<Asked>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Asked {
    /// Taken by who answers.
    waker: Mutex<Option<Waker>>,
    answers: AtomicU64,
    over: AtomicU64,
}

impl Echo {
    pub(crate) fn start() -> Echo {
        let asked = Arc::<Asked>::default();
        let theirs = Arc::clone(&asked);
        let thread = thread::spawn(move || {
            while theirs.over.load(Acquire) == 0 {
                let waker = theirs.waker.lock().expect("no panic under it").take();
                match waker {
                    Some(waker) => {
                        theirs.answers.fetch_add(1, Release);
                        waker.wake();
                    }
                    None => thread::park(),
                }
            }
        });
        Echo {
            asked,
            thread: Some(thread),
        }
    }

    fn thread(&self) -> &Thread {
        self.thread.as_ref().expect("until the drop").thread()
    }

    /// There and back.
    pub(crate) async fn ask(&self) {
        let before = self.asked.answers.load(Acquire);
        let mut is_asked = false;
        poll_fn(|cx| {
            if !is_asked {
                is_asked = true;
                *self.asked.waker.lock().expect("no panic under it") = Some(cx.waker().clone());
                self.thread().unpark();
                return Poll::Pending;
            }
            match self.asked.answers.load(Acquire) > before {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.asked.over.store(1, Release);
        self.thread().unpark();
        drop(self.thread.take().map(thread::JoinHandle::join));
    }
}

/// What this process has used of its processors.
pub(crate) fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// The median of how late each was.
pub(crate) fn median(mut late: Vec<Duration>) -> f64 {
    late.sort_unstable();
    late[late.len() / 2].as_nanos() as f64
}

/// When the `n`th of a crowd is due.
pub(crate) fn due(n: u64) -> Duration {
    Duration::from_micros(n.wrapping_mul(7_919) % 100_000)
}

pub(crate) fn since(started: Instant, limit: Duration) -> Duration {
    started.elapsed().saturating_sub(limit)
}

/// Expects in scope: `block_on`, `spawn`, `join`, `sleep`.
macro_rules! clock_rows {
    () => {
        /// Nanoseconds late, of a sleep of a millisecond.
        pub(crate) fn sleep_late() -> f64 {
            block_on(async {
                let limit = Duration::from_millis(1);
                let mut late = Vec::new();
                for _ in 0..100 {
                    let started = Instant::now();
                    sleep(limit).await;
                    late.push(crate::across::since(started, limit));
                }
                crate::across::median(late)
            })
        }

        /// Processor time of a task that sleeps, among a crowd of them.
        pub(crate) fn sleep_crowd() -> f64 {
            block_on(async {
                let before = crate::across::processor_time();
                let tasks: Vec<_> = (0..crate::across::CROWD)
                    .map(|n| {
                        spawn(async move {
                            sleep(crate::across::due(n)).await;
                        })
                    })
                    .collect();
                for task in tasks {
                    join(task).await;
                }
                let used = crate::across::processor_time() - before;
                used.as_nanos() as f64 / crate::across::CROWD as f64
            })
        }
    };
}

/// Expects in scope: `block_on`, and wakers that another thread may wake.
macro_rules! wake_rows {
    () => {
        pub(crate) fn thread_and_back() -> f64 {
            block_on(async {
                let echo = crate::across::Echo::start();
                echo.ask().await;
                let started = Instant::now();
                for _ in 0..crate::across::SLOW_OPS {
                    echo.ask().await;
                }
                per_op(crate::across::SLOW_OPS, started)
            })
        }
    };
}

/// Expects in scope: `block_on`, and `job`, which runs what may block and awaits it.
macro_rules! blocking_rows {
    () => {
        pub(crate) fn blocking_alone() -> f64 {
            block_on(async {
                assert_eq!(job(|| 1).await, 1); // a thread is there
                let started = Instant::now();
                for n in 0..crate::across::SLOW_OPS {
                    assert_eq!(job(move || n).await, n);
                }
                per_op(crate::across::SLOW_OPS, started)
            })
        }

        pub(crate) fn blocking_thousand() -> f64 {
            block_on(async {
                assert_eq!(job(|| 1).await, 1);
                let started = Instant::now();
                for _ in 0..crate::across::SLOW_OPS / 1_000 {
                    let jobs: Vec<_> = (0..1_000).map(|n| spawn(job(move || n))).collect();
                    for job in jobs {
                        assert!(join(job).await < 1_000);
                    }
                }
                per_op(crate::across::SLOW_OPS, started)
            })
        }
    };
}

/// A row that grows a tree: `$run` runs a future to its end, and `$grow` spawns a `$node`
/// there and gives what awaits it.
macro_rules! tree_row {
    ($row:ident, $node:ty, $run:path, $grow:expr) => {
        pub(crate) fn $row() -> f64 {
            fn node(levels: u32) -> $node {
                Box::pin(async move {
                    if levels == 1 {
                        return 1;
                    }
                    let (one, other) = ($grow(node(levels - 1)), $grow(node(levels - 1)));
                    1 + one.await + other.await
                })
            }
            let (nodes, nanos) = $run(async {
                let started = Instant::now();
                let nodes = node(crate::across::LEVELS).await;
                (nodes, started.elapsed().as_nanos())
            });
            assert_eq!(nodes + 1, 1 << crate::across::LEVELS);
            nanos as f64 / nodes as f64
        }
    };
}

/// Of a runtime that is there: `$block_on` is given it, and a future.
macro_rules! block_on_row {
    ($make:expr, $block_on:expr) => {
        pub(crate) fn block_on_ready() -> f64 {
            let mut runtime = $make;
            let started = Instant::now();
            for n in 0..OPS {
                let ready = std::future::ready(std::hint::black_box(n));
                assert_eq!($block_on(&mut runtime, ready), n);
            }
            per_op(OPS, started)
        }
    };
}
