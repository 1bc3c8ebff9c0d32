//! Waiting for each other; many readers or one writer; a value made once.

use crate::on_every_runtime;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wakeline::sync::{Barrier, OnceCell, RwLock, RwLockWriteGuard, SetError, oneshot};
use wakeline::{spawn, yield_now};

#[test]
fn a_barrier_lets_all_go_in_each_round_and_one_leads() {
    on_every_runtime(|| async {
        let barrier = Arc::new(Barrier::new(4));
        let (led, came) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (barrier, led, came) = (barrier.clone(), led.clone(), came.clone());
                spawn(async move {
                    for round in 1..=5 {
                        came.fetch_add(1, Ordering::Relaxed);
                        let result = barrier.wait().await.expect("it is not broken");
                        assert!(came.load(Ordering::Relaxed) >= 4 * round, "one is missing");
                        led.fetch_add(usize::from(result.is_leader()), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(led.load(Ordering::Relaxed), 5);
    });
}

#[test]
fn a_task_that_is_aborted_at_a_barrier_leaves_the_count() {
    on_every_runtime(|| async {
        let barrier = Arc::new(Barrier::new(2));
        let waits = || {
            let barrier = Arc::clone(&barrier);
            spawn(async move { barrier.wait().await.map(|result| result.is_leader()) })
        };
        let gone = waits();
        while barrier.waiting() == 0 {
            yield_now().await;
        }
        gone.abort();
        assert!(gone.await.is_err());
        assert_eq!(barrier.waiting(), 0);
        let (one, two) = (waits(), waits());
        let (one, two) = (one.await.expect("no panic"), two.await.expect("no panic"));
        assert_ne!(one, two, "both came through, and one leads");
    });
}

#[test]
fn an_aborted_barrier_fails_those_who_wait_and_who_come_until_it_is_reset() {
    on_every_runtime(|| async {
        let barrier = Arc::new(Barrier::new(3));
        let waits = || {
            let barrier = Arc::clone(&barrier);
            spawn(async move { barrier.wait().await.is_err() })
        };
        let tasks = [waits(), waits()];
        while barrier.waiting() < 2 {
            yield_now().await;
        }
        barrier.abort();
        for task in tasks {
            assert!(task.await.expect("no panic"));
        }
        assert!(barrier.wait().await.is_err());
        barrier.reset();
        let tasks = [waits(), waits(), waits()];
        for task in tasks {
            assert!(!task.await.expect("no panic"));
        }
    });
}

#[test]
fn readers_go_together_and_a_writer_alone() {
    on_every_runtime(|| async {
        let lock = Arc::new(RwLock::new((0, 0)));
        let mut tasks = Vec::new();
        for number in 0..12 {
            let lock = Arc::clone(&lock);
            tasks.push(spawn(async move {
                if number % 3 == 0 {
                    let mut pair = lock.write().await;
                    pair.0 += 1;
                    yield_now().await;
                    pair.1 += 1;
                } else {
                    let pair = lock.read().await;
                    yield_now().await;
                    assert_eq!(pair.0, pair.1);
                }
            }));
        }
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(*lock.read().await, (4, 4));
    });
}

#[test]
fn a_writer_that_is_aborted_in_the_queue_lets_the_readers_behind_it_in() {
    on_every_runtime(|| async {
        let lock = Arc::new(RwLock::new(7));
        let reads = lock.read().await;
        let writer = spawn({
            let lock = Arc::clone(&lock);
            async move { *lock.write().await = 8 }
        });
        while lock.try_read().is_ok() {
            yield_now().await; // until it is in the queue
        }
        let reader = spawn({
            let lock = Arc::clone(&lock);
            async move { *lock.read_owned().await }
        });
        for _ in 0..3 {
            yield_now().await;
        }
        assert!(!reader.is_finished());
        writer.abort();
        assert!(writer.await.is_err());
        assert_eq!(reader.await.expect("no panic"), 7);
        drop(reads);
        assert!(lock.try_write().is_ok());
    });
}

#[test]
fn one_who_wrote_reads_on_with_others_before_the_next_writer() {
    on_every_runtime(|| async {
        let lock = Arc::new(RwLock::new(0));
        let mut writes = lock.write().await;
        let next = spawn({
            let lock = Arc::clone(&lock);
            async move { *lock.write_owned().await += 1 }
        });
        *writes = 7;
        let reads = RwLockWriteGuard::downgrade(writes);
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(*reads, 7);
        drop(reads);
        next.await.expect("no panic");
        assert_eq!(*lock.read().await, 8);
    });
}

#[test]
fn a_value_is_made_once_though_many_need_it_at_once() {
    on_every_runtime(|| async {
        let cell = Arc::new(OnceCell::new());
        let made = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (cell, made) = (Arc::clone(&cell), Arc::clone(&made));
                spawn(async move {
                    *cell
                        .get_or_init(|| async {
                            yield_now().await;
                            made.fetch_add(1, Ordering::Relaxed) + 1
                        })
                        .await
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.expect("no panic"), 1);
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
        assert_eq!(cell.set(9), Err(SetError::AlreadyInitialized(9)));
    });
}

#[test]
fn when_the_task_that_makes_the_value_is_aborted_or_panics_the_next_makes_it() {
    on_every_runtime(|| async {
        let cell = Arc::new(OnceCell::<u32>::new());
        let (begins, begun) = oneshot::channel();
        let aborted = spawn({
            let cell = Arc::clone(&cell);
            async move {
                let init = || {
                    begins.send(()).expect("somebody listens");
                    std::future::pending()
                };
                *cell.get_or_init(init).await
            }
        });
        begun.await.expect("it makes the value");
        let panics = spawn({
            let cell = Arc::clone(&cell);
            async move { *cell.get_or_init(|| async { panic!("planned") }).await }
        });
        let next = spawn({
            let cell = Arc::clone(&cell);
            async move { *cell.get_or_init(|| async { 7 }).await }
        });
        aborted.abort();
        assert!(aborted.await.is_err());
        let panicked = panics.await;
        assert_eq!(next.await.expect("no panic"), 7);
        assert!(panicked.is_err() || panicked.is_ok_and(|value| value == 7));
    });
}

#[test]
fn a_task_that_is_never_kept_waiting_gives_way_to_the_others() {
    on_every_runtime(|| async {
        let stop = Arc::new(RwLock::new(false));
        let barrier = Arc::new(Barrier::new(1));
        let cell = Arc::new(OnceCell::from(7));
        let reads = Arc::clone(&stop);
        let reads = spawn(async move { while !*reads.read().await {} });
        let (waits, stops) = (Arc::clone(&barrier), Arc::clone(&stop));
        let waits = spawn(async move {
            while waits.wait().await.is_ok() {
                let seven = cell.get_or_init(|| async { unreachable!("it is there") });
                assert_eq!(*seven.await, 7);
            }
            *stops.write().await = true;
        });
        yield_now().await;
        barrier.abort();
        waits.await.expect("no panic");
        reads.await.expect("no panic");
    });
}
