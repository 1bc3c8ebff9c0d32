//! How a channel ends: by its last sender, by its receiver, by a close.

use crate::{on_every_runtime, with_every_runtime};
use std::sync::Arc;
use wakeline::sync::{mpsc, oneshot};
use wakeline::{spawn, yield_now};

#[test]
fn the_last_sender_gone_drains_and_then_ends() {
    on_every_runtime(|| async {
        let (tx, mut rx) = mpsc::channel(4);
        let other = tx.clone();
        tx.send(1).await.expect("there is room");
        drop(tx);
        let last = spawn(async move { other.send(2).await });
        assert_eq!(rx.recv().await, Some(1));
        assert_eq!(rx.recv().await, Some(2));
        assert_eq!(rx.recv().await, None);
        assert_eq!(rx.recv().await, None); // and again
        last.await.expect("no panic").expect("it was received");
    });
}

#[test]
fn a_sender_in_an_aborted_task_ends_the_channel() {
    on_every_runtime(|| async {
        let (tx, mut rx) = mpsc::channel::<u8>(1);
        let producer = spawn(async move {
            std::future::pending::<()>().await;
            drop(tx);
        });
        yield_now().await;
        producer.abort();
        assert_eq!(rx.recv().await, None);
    });
}

#[test]
fn a_receiver_in_an_aborted_task_gives_every_blocked_value_back() {
    on_every_runtime(|| async {
        let (tx, rx) = mpsc::channel(1);
        tx.send(0).await.expect("there is room");
        let blocked: Vec<_> = (1..5)
            .map(|n| {
                let tx = tx.clone();
                spawn(async move { tx.send(n).await })
            })
            .collect();
        let consumer = spawn(async move {
            std::future::pending::<()>().await;
            drop(rx);
        });
        yield_now().await;
        consumer.abort();
        tx.closed().await;
        for (n, task) in (1..5).zip(blocked) {
            let error = task.await.expect("no panic").expect_err("nobody receives");
            assert_eq!(error, mpsc::SendError(n));
        }
        assert_eq!(tx.try_send(9), Err(mpsc::TrySendError::Closed(9)));
    });
}

#[test]
fn a_close_fails_new_and_blocked_sends_and_keeps_what_was_sent() {
    on_every_runtime(|| async {
        let (tx, mut rx) = mpsc::channel(1);
        tx.send("sent").await.expect("there is room");
        let blocked = spawn({
            let tx = tx.clone();
            async move { tx.send("blocked").await }
        });
        yield_now().await;
        rx.close();
        tx.closed().await;
        assert_eq!(tx.send("new").await, Err(mpsc::SendError("new")));
        let blocked = blocked.await.expect("no panic");
        assert_eq!(blocked, Err(mpsc::SendError("blocked")));
        assert_eq!(rx.recv().await, Some("sent"));
        assert_eq!(rx.recv().await, None);
    });
}

#[test]
fn a_permit_that_is_out_keeps_the_closed_receiver_waiting() {
    on_every_runtime(|| async {
        for used in [true, false] {
            let (tx, mut rx) = mpsc::channel(2);
            let permit = tx.reserve_owned().await.expect("the receiver is there");
            rx.close();
            let (go, gone) = oneshot::channel::<()>();
            let holder = spawn(async move {
                gone.await.expect("it is told to go");
                if used {
                    drop(permit.send(7));
                } else {
                    drop(permit);
                }
            });
            let consumer = spawn(async move { (rx.recv().await, rx.recv().await) });
            yield_now().await;
            assert!(!consumer.is_finished());
            go.send(()).expect("the holder waits");
            let received = consumer.await.expect("no panic");
            assert_eq!(received, (used.then_some(7), None));
            holder.await.expect("no panic");
        }
    });
}

#[test]
fn buffered_values_are_dropped_exactly_once() {
    on_every_runtime(|| async {
        let value = Arc::new(());
        let (tx, mut rx) = mpsc::channel(8);
        for _ in 0..8 {
            tx.send(Arc::clone(&value)).await.expect("there is room");
        }
        drop(rx.recv().await);
        assert_eq!(Arc::strong_count(&value), 8);
        drop(rx);
        assert_eq!(Arc::strong_count(&value), 1); // also while a sender is there
        drop(tx);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

/// A value whose destructor uses its own channel, and spawns.
struct Nosy {
    own: mpsc::Sender<Nosy>,
    told: mpsc::UnboundedSender<&'static str>,
}

impl Drop for Nosy {
    fn drop(&mut self) {
        let told = self.told.clone();
        let state = if self.own.is_closed() {
            "closed"
        } else {
            "open"
        };
        let _ = told.send(state);
        drop(spawn(async move { told.send("spawned") }));
    }
}

#[test]
fn a_value_may_lock_its_own_channel_and_spawn_when_it_is_dropped() {
    on_every_runtime(|| async {
        let (told, mut log) = mpsc::unbounded();
        let (tx, rx) = mpsc::channel(2);
        for _ in 0..2 {
            let own = tx.clone();
            let told = told.clone();
            assert!(tx.send(Nosy { own, told }).await.is_ok());
        }
        drop((rx, told));
        let mut seen = Vec::new();
        while let Some(what) = log.recv().await {
            seen.push(what);
        }
        seen.sort_unstable();
        assert_eq!(seen, ["closed", "closed", "spawned", "spawned"]);
        assert_eq!(tx.strong_count(), 1);
    });
}

#[test]
fn a_channel_whose_ends_are_in_tasks_goes_with_the_runtime() {
    let value = Arc::new(());
    with_every_runtime(|runtime| {
        let held = Arc::clone(&value);
        runtime.block_on(async move {
            let (tx, mut rx) = mpsc::channel(1);
            drop(spawn({
                let tx = tx.clone();
                async move {
                    loop {
                        if tx.send(Arc::clone(&held)).await.is_err() {
                            return;
                        }
                    }
                }
            }));
            drop(spawn(async move {
                let _keeps_it_open = tx;
                rx.recv().await;
                std::future::pending::<()>().await;
                rx.recv().await;
            }));
            yield_now().await;
        });
        drop(runtime);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}
