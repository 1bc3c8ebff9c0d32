//! Queues of jobs with several at each end: every item is worked on, and `join`
//! knows when.

use crate::{Arc, AtomicUsize, Relaxed, block_on, coin, explore, perhaps, thread};
use wakeline_sync::queue::{self, Builder, Shutdown};

/// Finds `queue-no-second-look-for-an-item`, `queue-a-slot-dies-with-its-sender`,
/// `queue-an-item-dies-with-its-receiver`.
#[test]
fn two_producers_and_two_workers_who_give_up_lose_nothing_and_do_nothing_twice() {
    explore(|| {
        let (producer, consumer) = queue::fifo::<usize>(1);
        let put = Arc::new(AtomicUsize::new(0));
        let worked = Arc::new([const { AtomicUsize::new(0) }; 4]);
        let producers: Vec<_> = (0..2)
            .map(|id| {
                let (producer, put) = (producer.clone(), Arc::clone(&put));
                thread::spawn(move || {
                    for item in [id * 2, id * 2 + 1] {
                        if producer.try_send(item).is_ok() {
                            put.fetch_add(1 << (8 * item), Relaxed);
                        } else if let Some(sent) = perhaps(producer.send(item)) {
                            sent.expect("the workers are there");
                            put.fetch_add(1 << (8 * item), Relaxed);
                        }
                    }
                })
            })
            .collect();
        drop(producer);
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (consumer, worked) = (consumer.clone(), Arc::clone(&worked));
                thread::spawn(move || {
                    loop {
                        match perhaps(consumer.recv()) {
                            Some(Ok(job)) => {
                                worked[*job].fetch_add(1, Relaxed);
                                thread::yield_now();
                                job.done();
                            }
                            Some(Err(_)) => break,
                            None => {}
                        }
                    }
                })
            })
            .collect();
        for thread in producers.into_iter().chain(workers) {
            thread.join().unwrap();
        }
        for (item, count) in worked.iter().enumerate() {
            assert_eq!(count.load(Relaxed), put.load(Relaxed) >> (8 * item) & 0xff);
        }
        block_on(consumer.join());
        assert_eq!(consumer.unfinished(), 0);
    });
}

/// Finds `queue-an-end-while-a-job-may-come-back`.
#[test]
fn a_job_whose_worker_dies_comes_back_before_the_queue_ends_and_join_waits_for_it() {
    explore(|| {
        let (producer, consumer) = Builder::fifo(4).requeue_on_drop(true).build();
        let done = Arc::new(AtomicUsize::new(0));
        for item in 0..3_usize {
            producer.try_send(item).unwrap();
        }
        let joiner = thread::spawn({
            let (consumer, done) = (consumer.clone(), Arc::clone(&done));
            move || {
                block_on(consumer.join());
                assert_eq!(done.load(Relaxed), 3);
            }
        });
        drop(producer);
        // It dies with the job in its hands, and at most twice.
        let dies = thread::spawn({
            let consumer = consumer.clone();
            move || {
                for _ in 0..2 {
                    if let Some(Ok(job)) = perhaps(consumer.recv()) {
                        thread::yield_now();
                        drop(job);
                    }
                }
            }
        });
        let works = thread::spawn({
            let done = Arc::clone(&done);
            move || {
                while let Ok(job) = block_on(consumer.recv()) {
                    done.fetch_add(1, Relaxed);
                    job.done();
                }
            }
        });
        for thread in [dies, works, joiner] {
            thread.join().unwrap();
        }
        assert_eq!(done.load(Relaxed), 3);
    });
}

/// Finds `queue-the-end-wakes-no-receiver`, `queue-a-put-is-stored-after-the-end`.
#[test]
fn a_queue_that_is_shut_down_lets_everybody_go_and_counts_what_is_left() {
    explore(|| {
        let (producer, consumer) = queue::fifo::<usize>(1);
        let (sent, received) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let producers: Vec<_> = (0..2)
            .map(|_| {
                let (producer, sent) = (producer.clone(), Arc::clone(&sent));
                thread::spawn(move || {
                    for _ in 0..3 {
                        if let Some(Ok(())) = perhaps(producer.send(1)) {
                            sent.fetch_add(1, Relaxed);
                        }
                    }
                })
            })
            .collect();
        let worker = thread::spawn({
            let (consumer, received) = (consumer.clone(), Arc::clone(&received));
            move || {
                while let Ok(job) = block_on(consumer.recv()) {
                    received.fetch_add(1, Relaxed);
                    drop(job);
                }
            }
        });
        thread::yield_now();
        let graceful = coin();
        consumer.shutdown(if graceful {
            Shutdown::Graceful
        } else {
            Shutdown::Immediate
        });
        for thread in producers {
            thread.join().unwrap();
        }
        worker.join().unwrap();
        block_on(producer.join());
        assert_eq!((producer.unfinished(), producer.len()), (0, 0));
        let (sent, received) = (sent.load(Relaxed), received.load(Relaxed));
        assert!(received <= sent);
        assert!(!graceful || received == sent, "{received} of {sent}");
    });
}
