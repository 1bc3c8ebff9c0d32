//! Producers and a consumer: the channel, its slots, and who gives up.

use crate::{on_every_runtime, with_every_runtime};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;
use wakeline::sync::mpsc::{self, TryRecvError, TrySendError};
use wakeline::time::timeout;
use wakeline::{spawn, spawn_blocking, yield_now};

/// One poll, with a waker that wakes nobody.
fn poll_once<F: Future>(future: Pin<&mut F>) -> bool {
    future
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}

#[test]
fn nothing_is_lost_or_doubled_and_each_producer_keeps_its_order() {
    const EACH: u32 = 200;
    for capacity in [0, 1, 4, 100] {
        on_every_runtime(move || async move {
            let (tx, mut rx) = mpsc::channel(capacity);
            for producer in 0..8_usize {
                let tx = tx.clone();
                drop(spawn(async move {
                    for n in 0..EACH {
                        tx.send((producer, n)).await.expect("the consumer is there");
                    }
                }));
            }
            drop(tx);
            let mut next = [0; 8];
            while let Some((producer, n)) = rx.recv().await {
                assert_eq!(n, next[producer], "producer {producer}");
                next[producer] += 1;
            }
            assert_eq!(next, [EACH; 8]);
        });
    }
}

#[test]
fn a_full_channel_makes_its_producer_wait() {
    on_every_runtime(|| async {
        let (tx, mut rx) = mpsc::channel(2);
        let sent = Arc::new(AtomicUsize::new(0));
        let producer = spawn({
            let sent = Arc::clone(&sent);
            async move {
                for n in 0..10 {
                    tx.send(n).await.expect("the consumer is there");
                    sent.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        for n in 0..10 {
            assert_eq!(rx.recv().await, Some(n));
            let ahead = sent.load(Ordering::SeqCst);
            // Two slots, and the one in hand.
            assert!(ahead <= n + 3, "{ahead} sent when {n} was received");
        }
        producer.await.expect("no panic");
    });
}

#[test]
fn a_blocked_sender_that_is_aborted_passes_its_slot_on() {
    on_every_runtime(|| async {
        let (tx, mut rx) = mpsc::channel(1);
        tx.send(0).await.expect("there is room");
        let mut first = Box::pin(tx.send(1));
        let mut second = Box::pin(tx.send(2));
        assert!(!poll_once(first.as_mut()) && !poll_once(second.as_mut()));
        assert_eq!(rx.recv().await, Some(0)); // the slot is the first's
        assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
        drop(first);
        assert_eq!(tx.try_send(9), Err(TrySendError::Full(9))); // now the second's
        second.await.expect("the consumer is there");
        assert_eq!(rx.recv().await, Some(2));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
fn a_crowd_of_aborted_senders_leaves_nothing_behind() {
    on_every_runtime(|| async {
        let (tx, mut rx) = mpsc::channel(1);
        tx.send(0).await.expect("there is room");
        let crowd: Vec<_> = (1..100)
            .map(|n| {
                let tx = tx.clone();
                spawn(async move { tx.send(n).await })
            })
            .collect();
        yield_now().await;
        for task in &crowd {
            task.abort();
        }
        for task in crowd {
            assert!(task.await.is_err());
        }
        assert_eq!(tx.strong_count(), 1);
        assert_eq!(rx.recv().await, Some(0));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(tx.capacity(), 1);
    });
}

#[test]
fn a_receive_that_is_dropped_with_an_item_on_its_way_leaves_it_in_its_place() {
    on_every_runtime(|| async {
        let (tx, mut rx) = mpsc::channel(4);
        let mut recv = Box::pin(rx.recv());
        assert!(!poll_once(recv.as_mut()));
        tx.try_send(1).expect("there is room"); // the receive is woken ...
        tx.try_send(2).expect("there is room");
        drop(recv); // ... and never looks
        assert_eq!(rx.recv().await, Some(1));
        assert_eq!(rx.recv().await, Some(2));
    });
}

#[test]
fn a_send_that_is_given_up_keeps_its_value_and_resumes() {
    on_every_runtime(|| async {
        let (tx, mut rx) = mpsc::channel(1);
        tx.send("first".to_string()).await.expect("there is room");
        let mut next = Some("second".to_string());
        for _ in 0..3 {
            let sent = timeout(Duration::ZERO, tx.send_from(&mut next)).await;
            assert!(sent.is_err());
            assert_eq!(next.as_deref(), Some("second"));
        }
        let consumer = spawn(async move { (rx.recv().await, rx.recv().await) });
        tx.send_from(&mut next)
            .await
            .expect("the consumer is there");
        assert_eq!(next, None);
        let (first, second) = consumer.await.expect("no panic");
        assert_eq!(first.as_deref(), Some("first"));
        assert_eq!(second.as_deref(), Some("second"));

        // The same without an `Option`: the future is kept, or asked for it.
        let (tx, _rx) = mpsc::channel(1);
        tx.send(1).await.expect("there is room");
        let mut send = tx.send(2);
        assert!(timeout(Duration::ZERO, &mut send).await.is_err());
        assert_eq!(send.into_inner(), Some(2));
    });
}

#[test]
fn a_permit_is_waited_for_without_a_value_in_hand() {
    on_every_runtime(|| async {
        let (tx, mut rx) = mpsc::channel(1);
        let permit = tx.reserve().await.expect("the consumer is there");
        {
            let mut second = pin!(tx.reserve());
            assert!(!poll_once(second.as_mut()));
            drop(permit); // unused: it goes to the one that waits
            let permit = second.await.expect("the consumer is there");
            permit.send(1);
        }
        assert_eq!(rx.recv().await, Some(1));
        let owned = tx.reserve_owned().await.expect("the consumer is there");
        let sender = spawn(async move { owned.send(2) });
        assert_eq!(rx.recv().await, Some(2));
        drop(sender.await.expect("no panic"));
        assert_eq!(rx.recv().await, None);
    });
}

#[test]
fn with_capacity_zero_a_send_is_done_when_a_receiver_is_there() {
    on_every_runtime(|| async {
        let (tx, mut rx) = mpsc::channel(0);
        assert!(timeout(Duration::ZERO, tx.send(0)).await.is_err());
        let received = Arc::new(AtomicUsize::new(0));
        let consumer = spawn({
            let received = Arc::clone(&received);
            async move {
                while let Some(n) = rx.recv().await {
                    received.store(n, Ordering::SeqCst);
                }
            }
        });
        for n in 1..20 {
            tx.send(n).await.expect("the consumer is there");
            // At most this one is on its way: the one before was received.
            assert!(received.load(Ordering::SeqCst) >= n - 1);
        }
        drop(tx);
        consumer.await.expect("no panic");
        assert_eq!(received.load(Ordering::SeqCst), 19);
    });
}

#[test]
fn threads_and_tasks_share_a_channel() {
    with_every_runtime(|runtime| {
        runtime.block_on(async {
            let (tx, mut rx) = mpsc::channel(1);
            let thread = spawn_blocking(move || {
                for n in 0..20 {
                    tx.blocking_send(n).expect("the consumer is there");
                }
            });
            for n in 0..20 {
                assert_eq!(rx.recv().await, Some(n));
            }
            assert_eq!(rx.recv().await, None);
            thread.await.expect("no panic");
        });
    });
}

#[test]
fn a_task_that_blocks_on_a_channel_is_told_what_to_do() {
    on_every_runtime(|| async {
        let task = spawn(async {
            let (_tx, mut rx) = mpsc::channel::<u8>(1);
            rx.blocking_recv()
        });
        let error = task.await.expect_err("it panics");
        assert!(error.to_string().contains("await it instead"), "{error}");
    });
}

#[test]
fn a_channel_that_is_never_empty_does_not_starve_the_neighbours() {
    with_every_runtime(|runtime| {
        runtime.block_on(async {
            let (tx, mut rx) = mpsc::unbounded();
            tx.send(()).expect("the consumer is there");
            let hungry = spawn(async move {
                loop {
                    rx.recv().await;
                    tx.send(()).expect("the consumer is there");
                }
            });
            // With one worker this runs only if the other yields.
            spawn(async {
                for _ in 0..10 {
                    yield_now().await;
                }
            })
            .await
            .expect("no panic");
            hungry.abort();
        });
    });
}
