//! The rows: the same code for every runtime, over what its module defines. The
//! criterion bench `primitives` has them too.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A row's name, and what measures it: nanoseconds per operation.
pub(crate) type Row = (&'static str, fn() -> f64);

/// A runtime, and its rows.
pub(crate) struct Runtime {
    pub(crate) name: &'static str,
    pub(crate) rows: &'static [Row],
}

/// Operations in one run of a row.
pub(crate) const OPS: u64 = 100_000;

/// Tasks that contend for a lock.
pub(crate) const TASKS: u64 = 1_000;

/// The time of one of `ops` operations.
pub(crate) fn per_op(ops: u64, started: Instant) -> f64 {
    started.elapsed().as_nanos() as f64 / ops as f64
}

/// Gives way once, in the same manner on every runtime.
pub(crate) async fn give_way() {
    let mut given = false;
    poll_fn(|cx| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Polls `future` once, as a select would that another branch wins, and drops it.
pub(crate) fn poll_and_drop(future: impl Future, cx: &mut Context<'_>) {
    let polled = pin!(future).poll(cx).is_ready();
    assert!(!polled, "a minute has not passed");
}

pub(crate) fn far(n: u64) -> Duration {
    Duration::from_secs(60 + n % 64)
}

pub(crate) fn noop() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// Expects in scope: `block_on`, `spawn`, `join`, `channel`, `send`, `recv`,
/// `oneshot`, `reply`, `answer`, `Semaphore`, `acquire`, `Mutex`, `lock`.
macro_rules! task_rows {
    () => {
        pub(crate) fn spawn_join() -> f64 {
            block_on(async {
                let started = Instant::now();
                for n in 0..OPS {
                    assert_eq!(join(spawn(async move { n })).await, n);
                }
                per_op(OPS, started)
            })
        }

        pub(crate) fn spawn_all_join_all() -> f64 {
            block_on(async {
                let started = Instant::now();
                for _ in 0..10 {
                    let tasks: Vec<_> = (0..OPS / 10).map(|n| spawn(async move { n })).collect();
                    for task in tasks {
                        join(task).await;
                    }
                }
                per_op(OPS, started)
            })
        }

        pub(crate) fn yields() -> f64 {
            block_on(async {
                let started = Instant::now();
                let tasks: Vec<_> = (0..TASKS)
                    .map(|_| {
                        spawn(async {
                            for _ in 0..OPS / TASKS {
                                give_way().await;
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    join(task).await;
                }
                per_op(OPS, started)
            })
        }
    };
}

macro_rules! channel_rows {
    () => {
        pub(crate) fn ping_pong() -> f64 {
            block_on(async {
                let (there, mut pings) = channel::<u64>(1);
                let (back, mut pongs) = channel::<u64>(1);
                let echo = spawn(async move {
                    while let Some(ping) = recv(&mut pings).await {
                        send(&back, ping).await;
                    }
                });
                let started = Instant::now();
                for n in 0..OPS {
                    send(&there, n).await;
                    assert_eq!(recv(&mut pongs).await, Some(n));
                }
                let nanos = per_op(OPS, started);
                drop(there);
                join(echo).await;
                nanos
            })
        }

        pub(crate) fn one_shot_reply() -> f64 {
            block_on(async {
                let (there, mut requests) = channel(16);
                let server = spawn(async move {
                    while let Some((n, to)) = recv(&mut requests).await {
                        reply(to, n);
                    }
                });
                let started = Instant::now();
                for n in 0..OPS {
                    let (to, from) = oneshot::<u64>();
                    send(&there, (n, to)).await;
                    assert_eq!(answer(from).await, n);
                }
                let nanos = per_op(OPS, started);
                drop(there);
                join(server).await;
                nanos
            })
        }

        fn many_to_one(senders: u64) -> f64 {
            block_on(async move {
                let (to, mut from) = channel::<u64>(100);
                let started = Instant::now();
                let tasks: Vec<_> = (0..senders)
                    .map(|_| {
                        let to = to.clone();
                        spawn(async move {
                            for n in 0..OPS / senders {
                                send(&to, n).await;
                            }
                        })
                    })
                    .collect();
                drop(to);
                let mut got = 0;
                while recv(&mut from).await.is_some() {
                    got += 1;
                }
                let nanos = per_op(got, started);
                assert_eq!(got, OPS);
                for task in tasks {
                    join(task).await;
                }
                nanos
            })
        }

        pub(crate) fn one_to_one() -> f64 {
            many_to_one(1)
        }

        pub(crate) fn eight_to_one() -> f64 {
            many_to_one(8)
        }
    };
}

macro_rules! lock_rows {
    () => {
        fn contended_semaphore(permits: usize) -> f64 {
            block_on(async move {
                let semaphore = Rc::new(Semaphore::new(permits));
                let started = Instant::now();
                let tasks: Vec<_> = (0..TASKS)
                    .map(|_| {
                        let semaphore = Rc::clone(&semaphore);
                        spawn(async move {
                            for _ in 0..OPS / TASKS {
                                let permit = acquire(&semaphore).await;
                                give_way().await;
                                drop(permit);
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    join(task).await;
                }
                per_op(OPS, started)
            })
        }

        pub(crate) fn semaphore_10() -> f64 {
            contended_semaphore(10)
        }

        pub(crate) fn mutex() -> f64 {
            block_on(async {
                let mutex = Rc::new(Mutex::new(0_u64));
                let started = Instant::now();
                let tasks: Vec<_> = (0..TASKS)
                    .map(|_| {
                        let mutex = Rc::clone(&mutex);
                        spawn(async move {
                            for _ in 0..OPS / TASKS {
                                let mut guard = lock(&mutex).await;
                                give_way().await;
                                *guard += 1;
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    join(task).await;
                }
                let nanos = per_op(OPS, started);
                assert_eq!(*lock(&mutex).await, OPS);
                nanos
            })
        }
    };
}

/// Expects `sleep` and `timeout` in scope.
macro_rules! timer_rows {
    () => {
        fn timers(alive: u64) -> f64 {
            block_on(async move {
                let mut others: Vec<_> = (0..alive).map(|n| Box::pin(sleep(far(n)))).collect();
                for other in &mut others {
                    assert!(other.as_mut().poll(&mut noop()).is_pending());
                }
                let started = Instant::now();
                for n in 0..OPS {
                    poll_and_drop(sleep(far(n)), &mut noop());
                }
                per_op(OPS, started)
            })
        }

        pub(crate) fn timer_alone() -> f64 {
            timers(0)
        }

        pub(crate) fn timer_10k() -> f64 {
            timers(10_000)
        }

        pub(crate) fn timeout_ready() -> f64 {
            block_on(async {
                let started = Instant::now();
                for n in 0..OPS {
                    let ready = std::future::ready(std::hint::black_box(n));
                    assert_eq!(timeout(far(n), ready).await, n);
                }
                per_op(OPS, started)
            })
        }
    };
}

/// Expects `timer_rows` in scope.
macro_rules! million_timers_row {
    () => {
        pub(crate) fn timer_1m() -> f64 {
            timers(1_000_000)
        }
    };
}

thread_local! {
    /// Futures of aborted tasks that are no more.
    pub(crate) static DROPPED: Cell<u64> = const { Cell::new(0) };
}

/// Is done when the future that holds it is dropped.
pub(crate) struct Gone;

impl Drop for Gone {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

/// Expects `abort` in scope, which also waits for the end: until the task's future
/// has been dropped, on every runtime.
macro_rules! abort_rows {
    () => {
        pub(crate) fn abort_join() -> f64 {
            block_on(async {
                let before = DROPPED.get();
                let started = Instant::now();
                for n in 1..=OPS {
                    let gone = Gone;
                    let task = spawn(async move {
                        let _gone = gone;
                        std::future::pending::<()>().await;
                    });
                    abort(task).await;
                    // Some say so before they have dropped it.
                    while DROPPED.get() < before + n {
                        give_way().await;
                    }
                }
                per_op(OPS, started)
            })
        }
    };
}

/// Expects `eager` in scope: a spawn that polls the task inside of the call.
macro_rules! eager_rows {
    () => {
        pub(crate) fn eager_join() -> f64 {
            block_on(async {
                let started = Instant::now();
                for n in 0..OPS {
                    assert_eq!(join(eager(async move { n })).await, n);
                }
                per_op(OPS, started)
            })
        }

        tree_row!(eager_tree, crate::across::LocalNode, block_on, |node| join(
            eager(node)
        ));
    };
}

/// The table of a runtime's rows.
macro_rules! table {
    ($($row:ident),* $(,)?) => {
        &[$((stringify!($row), $row as fn() -> f64)),*]
    };
}
