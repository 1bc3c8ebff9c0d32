//! Joining a queue: everything that was put is done, whatever became of the
//! workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wakeline::sync::queue::{self, Builder, Consumer, Job};
use wakeline::{spawn, yield_now};

use crate::on_every_runtime;
use crate::support::drops::poll_once;

#[test]
fn an_empty_queue_is_joined_at_once_and_any_number_of_times() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo::<u8>(4);
        for _ in 0..3 {
            tx.join().await;
            rx.join().await;
        }
        tx.send(1).await.expect("open");
        rx.recv().await.expect("open").done();
        tx.join().await;
        tx.join().await;
    });
}

#[test]
fn join_waits_for_what_is_worked_on_too() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(100);
        let done = Arc::new(AtomicUsize::new(0));
        for number in 0..100 {
            tx.send(number).await.expect("open");
        }
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (rx, done) = (rx.clone(), Arc::clone(&done));
                spawn(async move {
                    while let Ok(job) = rx.recv().await {
                        for _ in 0..*job % 4 {
                            yield_now().await;
                        }
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        tx.join().await;
        assert_eq!(done.load(Ordering::SeqCst), 100);
        drop(tx);
        for worker in workers {
            worker.await.expect("no panic");
        }
    });
}

#[test]
fn what_workers_find_is_joined_with_what_was_put_first() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(queue::UNBOUNDED);
        tx.send(6_u32).await.expect("open");
        let seen = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (tx, rx, seen) = (tx.clone(), rx.clone(), Arc::clone(&seen));
                spawn(async move {
                    while let Ok(page) = rx.recv().await {
                        seen.fetch_add(1, Ordering::SeqCst);
                        yield_now().await;
                        for link in 0..*page {
                            tx.send(link).await.expect("open");
                        }
                    }
                })
            })
            .collect();
        tx.join().await;
        assert_eq!(seen.load(Ordering::SeqCst), 64); // 2^6 pages in all
        for worker in workers {
            worker.abort();
            drop(worker.await);
        }
    });
}

#[test]
fn a_join_that_gives_up_leaves_the_others_waiting() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(1);
        tx.send(()).await.expect("open");
        let mut given_up = Box::pin(tx.join());
        let mut other = Box::pin(tx.join());
        assert!(poll_once(given_up.as_mut()).await.is_pending());
        assert!(poll_once(other.as_mut()).await.is_pending());
        drop(given_up);
        drop(rx.recv().await.expect("open"));
        other.await;
    });
}

/// A worker that takes one job and then waits to be ended.
async fn stuck(rx: Consumer<u8>) {
    let _job: Job<u8> = rx.recv().await.expect("open");
    std::future::pending::<()>().await;
}

#[test]
fn a_worker_that_panics_or_is_aborted_counts_its_job_as_done() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(4);
        tx.send(1).await.expect("open");
        tx.send(2).await.expect("open");
        let panics = spawn({
            let rx = rx.clone();
            async move {
                let _job = rx.recv().await.expect("open");
                panic!("planned");
            }
        });
        assert!(panics.await.expect_err("it panicked").is_panic());
        assert_eq!(tx.unfinished(), 1);
        let aborted = spawn(stuck(rx.clone()));
        while !rx.is_empty() {
            yield_now().await;
        }
        aborted.abort();
        assert!(aborted.await.is_err());
        tx.join().await;
        assert_eq!((tx.len(), tx.unfinished()), (0, 0));
    });
}

#[test]
fn a_worker_that_panics_or_is_aborted_puts_its_job_back_if_so_wanted() {
    on_every_runtime(|| async {
        let (tx, rx) = Builder::fifo(4).requeue_on_drop(true).build();
        for number in [1, 2, 3] {
            tx.send(number).await.expect("open");
        }
        let panics = spawn({
            let rx = rx.clone();
            async move {
                let _job = rx.recv().await.expect("open");
                panic!("planned");
            }
        });
        assert!(panics.await.is_err());
        let aborted = spawn(stuck(rx.clone()));
        while rx.len() == 3 {
            yield_now().await;
        }
        aborted.abort();
        assert!(aborted.await.is_err());
        assert_eq!((rx.len(), rx.unfinished()), (3, 3));
        drop(tx);
        let mut received = Vec::new();
        while let Ok(job) = rx.recv().await {
            received.push((*job, job.attempts()));
            job.done();
        }
        assert_eq!(received, [(1, 3), (2, 1), (3, 1)]); // at its place, each time
        rx.join().await;
    });
}

#[test]
fn the_count_is_exact_with_workers_that_are_aborted_at_any_moment() {
    on_every_runtime(|| async {
        let (tx, rx) = Builder::fifo(8).requeue_on_drop(true).build();
        let done = Arc::new(AtomicUsize::new(0));
        let producer = spawn(async move {
            for number in 0..200_u32 {
                tx.send(number).await.expect("open");
            }
            tx.join().await;
        });
        while !producer.is_finished() {
            let workers: Vec<_> = (0..3)
                .map(|_| {
                    let (rx, done) = (rx.clone(), Arc::clone(&done));
                    spawn(async move {
                        while let Ok(job) = rx.recv().await {
                            yield_now().await;
                            done.fetch_add(1, Ordering::SeqCst);
                            job.done();
                        }
                    })
                })
                .collect();
            for _ in 0..4 {
                yield_now().await;
            }
            for worker in workers {
                worker.abort();
                drop(worker.await);
            }
        }
        producer.await.expect("no panic");
        assert_eq!((done.load(Ordering::SeqCst), rx.unfinished()), (200, 0));
    });
}
