//! Queues: producers, consumers, and what is lost by giving up (nothing).

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wakeline::sync::queue::{self, SendError, TryRecvError, TrySendError, UNBOUNDED};
use wakeline::{spawn, yield_now};

use crate::on_every_runtime;
use crate::support::drops::poll_once;

#[test]
fn a_bounded_put_suspends_until_there_is_room() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(2);
        let producer = spawn(async move {
            for number in 0..100 {
                tx.send(number).await.expect("somebody receives");
                assert!(tx.len() <= 2);
            }
        });
        let mut received = Vec::new();
        while let Ok(job) = rx.recv().await {
            received.push(job.into_inner());
        }
        producer.await.expect("no panic");
        assert_eq!(received, (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn a_pool_of_workers_does_everything_once() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo::<u32>(4);
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let rx = rx.clone();
                spawn(async move {
                    let mut done = Vec::new();
                    while let Ok(job) = rx.recv().await {
                        if *job % 3 == 0 {
                            yield_now().await;
                        }
                        done.push(job.into_inner());
                    }
                    done
                })
            })
            .collect();
        let producers: Vec<_> = (0..4_u32)
            .map(|producer| {
                let tx = tx.clone();
                spawn(async move {
                    for number in 0..250 {
                        tx.send(producer * 250 + number).await.expect("open");
                    }
                })
            })
            .collect();
        for producer in producers {
            producer.await.expect("no panic");
        }
        drop(tx);
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.expect("no panic"));
        }
        assert_eq!(all.len(), 1_000);
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 1_000);
    });
}

#[test]
fn an_item_that_was_assigned_to_one_who_gave_up_stays_before_the_next() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(UNBOUNDED);
        let mut first = Box::pin(rx.recv());
        assert!(poll_once(first.as_mut()).await.is_pending());
        tx.send(1).await.expect("open");
        drop(first); // it had been granted an item, and never looked
        tx.send(2).await.expect("open");
        assert_eq!(*rx.recv().await.expect("open"), 1);
        assert_eq!(*rx.recv().await.expect("open"), 2);
    });
}

#[test]
fn an_item_that_comes_while_the_first_waiter_gives_up_goes_to_the_next_one() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(UNBOUNDED);
        let mut first = Box::pin(rx.recv());
        let mut second = Box::pin(rx.recv());
        assert!(poll_once(first.as_mut()).await.is_pending());
        assert!(poll_once(second.as_mut()).await.is_pending());
        tx.send("item").await.expect("open");
        drop(first);
        assert_eq!(*second.await.expect("open"), "item");
        // Nobody behind it: it stays in the buffer.
        let mut only = Box::pin(rx.recv());
        assert!(poll_once(only.as_mut()).await.is_pending());
        tx.send("another").await.expect("open");
        drop(only);
        assert_eq!((rx.len(), rx.unfinished()), (1, 1));
    });
}

#[test]
fn a_put_that_gives_up_passes_its_slot_on_and_gives_its_value_back() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(1);
        tx.send(String::from("first")).await.expect("open");
        let mut send = tx.send(String::from("given up"));
        assert!(poll_once(pin!(&mut send)).await.is_pending());
        let mut behind = Box::pin(tx.send(String::from("behind")));
        assert!(poll_once(behind.as_mut()).await.is_pending());
        drop(rx.recv().await.expect("open")); // the slot is granted to the first
        assert_eq!(send.into_inner().as_deref(), Some("given up"));
        behind.await.expect("open");
        assert_eq!(rx.recv().await.expect("open").as_str(), "behind");
    });
}

#[test]
fn a_send_can_be_raced_and_resumed() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(1);
        tx.send(0).await.expect("open");
        let mut send = tx.send(1);
        for _ in 0..3 {
            assert!(poll_once(pin!(&mut send)).await.is_pending());
            yield_now().await;
        }
        assert_eq!(*rx.recv().await.expect("open"), 0);
        send.await.expect("open");
        assert_eq!(*rx.recv().await.expect("open"), 1);
    });
}

#[test]
fn a_reserved_slot_is_filled_without_waiting() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(1);
        let permit = tx.reserve().await.expect("open");
        assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
        permit.send(1).expect("somebody receives");
        assert_eq!(rx.recv().await.expect("open").into_inner(), 1);
        drop(tx.reserve().await.expect("open")); // given back
        assert_eq!(tx.try_send(2), Ok(()));
    });
}

#[test]
fn blocked_putters_keep_their_order() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(1);
        tx.send(0).await.expect("open");
        let mut sends: Vec<_> = (1..=5).map(|number| Box::pin(tx.send(number))).collect();
        for send in &mut sends {
            assert!(poll_once(send.as_mut()).await.is_pending());
        }
        drop(sends.remove(2)); // number 3 leaves the middle
        let mut received = Vec::new();
        for send in sends {
            received.push(rx.recv().await.expect("open").into_inner());
            assert_eq!(
                tx.try_send(9),
                Err(TrySendError::Full(9)),
                "nobody barges in"
            );
            send.await.expect("open");
        }
        received.push(rx.recv().await.expect("open").into_inner());
        assert_eq!(received, [0, 1, 2, 4, 5]);
    });
}

#[test]
fn without_capacity_both_sides_meet() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(0);
        assert_eq!(tx.try_send(0), Err(TrySendError::Full(0)));
        let sent = Arc::new(AtomicUsize::new(0));
        let producer = spawn({
            let sent = Arc::clone(&sent);
            async move {
                for number in 1..=50 {
                    tx.send(number).await.expect("open");
                    sent.store(number, Ordering::SeqCst);
                }
            }
        });
        for number in 1..=50 {
            assert!(
                sent.load(Ordering::SeqCst) < number,
                "sent before it was asked for"
            );
            assert_eq!(rx.recv().await.expect("open").into_inner(), number);
        }
        producer.await.expect("no panic");
        assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Closed);
    });
}

#[test]
fn the_last_one_in_or_the_lowest_rank_comes_first() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::lifo(8);
        for number in [1, 2, 3] {
            tx.send(number).await.expect("open");
        }
        assert_eq!(*rx.recv().await.expect("open"), 3);
        let (tx, rx) = queue::priority(8);
        for job in [(2, "b"), (1, "a"), (2, "c"), (0, "first")] {
            tx.send(job).await.expect("open");
        }
        let mut order = Vec::new();
        while let Ok(job) = rx.try_recv() {
            order.push(job.1);
        }
        assert_eq!(order, ["first", "a", "b", "c"]);
    });
}

#[test]
fn receivers_that_are_aborted_at_any_moment_lose_nothing() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(3);
        let got = Arc::new(AtomicUsize::new(0));
        let producer = spawn(async move {
            for number in 0..300_usize {
                if let Err(SendError(number)) = tx.send(number).await {
                    panic!("{number} was refused");
                }
            }
            tx.join().await;
        });
        while !producer.is_finished() {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    let (rx, got) = (rx.clone(), Arc::clone(&got));
                    spawn(async move {
                        while let Ok(job) = rx.recv().await {
                            // From the poll that returns it, it is taken.
                            got.fetch_add(1, Ordering::SeqCst);
                            yield_now().await;
                            drop(job);
                        }
                    })
                })
                .collect();
            for _ in 0..3 {
                yield_now().await;
            }
            for worker in workers {
                worker.abort();
                drop(worker.await);
            }
        }
        producer.await.expect("no panic");
        assert_eq!((got.load(Ordering::SeqCst), rx.unfinished()), (300, 0));
    });
}
