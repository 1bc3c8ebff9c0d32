//! Wakes from everywhere at once: no task is forgotten, whatever the workers do.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;

use wakeline_executor::{Executor, Handle, spawn, spawn_local, yield_now};

/// A baton that goes from task to task: who has it wakes the next.
#[derive(Default)]
struct Ring {
    turn: AtomicUsize,
    wakers: Vec<Mutex<Option<Waker>>>,
}

impl Ring {
    fn new(size: usize) -> Arc<Ring> {
        let wakers = (0..size).map(|_| Mutex::default()).collect();
        Arc::new(Ring {
            turn: AtomicUsize::new(0),
            wakers,
        })
    }

    /// Waits for the baton and passes it on.
    async fn pass(self: Arc<Ring>, me: usize) {
        poll_fn(|cx| {
            *self.wakers[me].lock().unwrap() = Some(cx.waker().clone());
            if self.turn.load(Ordering::SeqCst) % self.wakers.len() == me {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        self.turn.fetch_add(1, Ordering::SeqCst);
        let next = self.wakers[(me + 1) % self.wakers.len()]
            .lock()
            .unwrap()
            .take();
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[test]
fn a_baton_goes_round_among_tasks_local_tasks_and_the_root() {
    const ROUNDS: usize = if cfg!(miri) { 5 } else { 500 };
    for workers in [1, 2, 4] {
        let executor = Executor::builder().workers(workers).build().unwrap();
        let ring = Ring::new(8);
        executor.block_on(async {
            let mut handles = Vec::new();
            for me in 1..8 {
                let ring = Arc::clone(&ring);
                let run = async move {
                    for _ in 0..ROUNDS {
                        Arc::clone(&ring).pass(me).await;
                    }
                };
                handles.push(if me % 2 == 0 {
                    spawn(run)
                } else {
                    spawn_local(run)
                });
            }
            for _ in 0..ROUNDS {
                Arc::clone(&ring).pass(0).await;
            }
            for handle in handles {
                handle.await.unwrap();
            }
        });
        assert_eq!(ring.turn.load(Ordering::SeqCst), 8 * ROUNDS);
    }
}

#[test]
fn foreign_threads_wake_abort_and_spawn_all_the_time() {
    for workers in [1, 2, 4] {
        let executor = Executor::builder().workers(workers).build().unwrap();
        let handle = executor.handle();
        let stop = Arc::new(AtomicBool::new(false));
        let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
        let foreign: Vec<_> = (0..2)
            .map(|_| {
                let (stop, wakers, handle) =
                    (Arc::clone(&stop), Arc::clone(&wakers), handle.clone());
                thread::spawn(move || {
                    let mut spawned = 0_usize;
                    while !stop.load(Ordering::SeqCst) {
                        let some = wakers.lock().unwrap().pop();
                        if let Some(waker) = some {
                            waker.wake_by_ref();
                            waker.wake();
                        }
                        let doomed = handle.spawn(std::future::pending::<()>());
                        doomed.abort();
                        assert!(
                            doomed
                                .blocking_join(None)
                                .unwrap()
                                .unwrap_err()
                                .is_cancelled()
                        );
                        spawned += 1;
                    }
                    spawned
                })
            })
            .collect();
        executor.block_on(async {
            let tasks: Vec<_> = (0..if cfg!(miri) { 8 } else { 200 })
                .map(|_| {
                    let wakers = Arc::clone(&wakers);
                    spawn(async move {
                        for _ in 0..if cfg!(miri) { 3 } else { 20 } {
                            let mut waited = false;
                            poll_fn(|cx| {
                                if std::mem::replace(&mut waited, true) {
                                    return Poll::Ready(());
                                }
                                wakers.lock().unwrap().push(cx.waker().clone());
                                Poll::Pending
                            })
                            .await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        stop.store(true, Ordering::SeqCst);
        // Their last tasks still need the executor, which one worker gives
        // only inside `block_on`.
        executor.block_on(async {
            while !foreign.iter().all(|thread| thread.is_finished()) {
                yield_now().await;
            }
        });
        for thread in foreign {
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_tree_of_tasks_spreads_over_the_workers_and_ends() {
    const DEPTH: u32 = if cfg!(miri) { 5 } else { 12 };
    fn grow(depth: u32, leaves: Arc<AtomicUsize>) {
        if depth == 0 {
            leaves.fetch_add(1, Ordering::SeqCst);
            return;
        }
        for _ in 0..2 {
            let leaves = Arc::clone(&leaves);
            drop(Handle::current().spawn(async move { grow(depth - 1, leaves) }));
        }
    }
    for workers in [1, 2, 4] {
        let executor = Executor::builder().workers(workers).build().unwrap();
        let leaves = Arc::new(AtomicUsize::new(0));
        executor.block_on(async {
            grow(DEPTH, Arc::clone(&leaves));
            while leaves.load(Ordering::SeqCst) < 1 << DEPTH {
                yield_now().await;
            }
        });
    }
}
