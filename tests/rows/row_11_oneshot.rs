//! A value that is set once: the one-shot channel.

use crate::{on_every_runtime, with_every_runtime};
use std::time::Duration;
use wakeline::sync::oneshot;
use wakeline::time::timeout;
use wakeline::{spawn, yield_now};

#[test]
fn a_value_crosses_from_one_task_to_another() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel();
        let sender = spawn(async move {
            yield_now().await;
            tx.send(42)
        });
        assert_eq!(rx.await, Ok(42));
        assert_eq!(sender.await.expect("no panic"), Ok(()));
    });
}

#[test]
fn a_sender_that_goes_away_closes_the_channel() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel::<u8>();
        spawn(async move {
            yield_now().await;
            drop(tx);
        })
        .await
        .expect("no panic");
        assert!(rx.await.is_err());
    });
}

#[test]
fn a_value_for_nobody_comes_back() {
    with_every_runtime(|runtime| {
        runtime.block_on(async {
            let (tx, rx) = oneshot::channel();
            drop(rx);
            assert!(tx.is_closed());
            assert_eq!(tx.send("kept"), Err("kept"));
        });
    });
}

#[test]
fn a_value_sent_before_the_close_can_still_be_received() {
    on_every_runtime(|| async {
        let (tx, mut rx) = oneshot::channel();
        tx.send("in time").expect("the receiver is there");
        rx.close();
        assert_eq!(rx.await, Ok("in time"));
        let (tx, mut rx) = oneshot::channel();
        rx.close();
        assert_eq!(tx.send("too late"), Err("too late"));
        assert!(rx.await.is_err());
    });
}

#[test]
fn closed_wakes_the_producer_whether_the_receiver_is_closed_dropped_or_aborted() {
    on_every_runtime(|| async {
        for how in ["close", "drop", "abort"] {
            let (mut tx, mut rx) = oneshot::channel::<u8>();
            let producer = spawn(async move { tx.closed().await });
            yield_now().await;
            match how {
                "close" => rx.close(),
                "drop" => drop(rx),
                _ => {
                    let consumer = spawn(rx);
                    yield_now().await;
                    consumer.abort();
                }
            }
            producer.await.expect("it was woken");
        }
    });
}

#[test]
fn a_sender_in_an_aborted_task_ends_the_wait() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel::<u8>();
        let producer = spawn(async move {
            std::future::pending::<()>().await;
            drop(tx);
        });
        yield_now().await;
        producer.abort();
        assert!(rx.await.is_err());
    });
}

#[test]
fn a_receive_that_is_given_up_loses_nothing() {
    on_every_runtime(|| async {
        let (tx, mut rx) = oneshot::channel();
        assert!(timeout(Duration::ZERO, &mut rx).await.is_err());
        tx.send(7).expect("the receiver is there");
        assert_eq!((&mut rx).await, Ok(7));
    });
}

#[test]
fn a_value_that_nobody_receives_is_dropped_once_and_may_spawn() {
    struct Spawns(Option<oneshot::Sender<()>>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let tx = self.0.take().expect("dropped once");
            drop(spawn(async move { tx.send(()) }));
        }
    }
    on_every_runtime(|| async {
        let (told, dropped) = oneshot::channel();
        let (tx, rx) = oneshot::channel();
        assert!(tx.send(Spawns(Some(told))).is_ok());
        drop(rx);
        assert_eq!(dropped.await, Ok(()));
    });
}

#[test]
fn a_thread_outside_of_the_runtime_receives_too() {
    with_every_runtime(|runtime| {
        let (tx, rx) = oneshot::channel();
        let thread = std::thread::spawn(move || rx.blocking_recv());
        runtime.block_on(async { tx.send(7) }).expect("it waits");
        assert_eq!(thread.join().expect("no panic"), Ok(7));
    });
}
