//! The end of a queue: told so, gracefully or at once, or one side went away.

use std::sync::Arc;

use wakeline::sync::queue::{self, SendError, Shutdown, TryRecvError, TrySendError};
use wakeline::{spawn, yield_now};

use crate::on_every_runtime;
use crate::support::drops::poll_once;

#[test]
fn a_graceful_shutdown_refuses_puts_and_lets_the_rest_be_got() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(2);
        tx.send(1).await.expect("open");
        tx.send(2).await.expect("open");
        let blocked = spawn({
            let tx = tx.clone();
            async move { tx.send(3).await }
        });
        for _ in 0..3 {
            yield_now().await;
        }
        tx.shutdown(Shutdown::Graceful);
        assert_eq!(blocked.await.expect("no panic"), Err(SendError(3)));
        assert_eq!(tx.send(4).await, Err(SendError(4)));
        assert_eq!(tx.try_send(5), Err(TrySendError::Closed(5)));
        assert!(tx.reserve().await.is_err());

        let one = rx.recv().await.expect("the rest");
        let mut join = Box::pin(tx.join());
        assert!(poll_once(join.as_mut()).await.is_pending());
        assert_eq!(rx.recv().await.expect("the rest").into_inner(), 2);
        assert!(rx.recv().await.is_err());
        assert!(
            poll_once(join.as_mut()).await.is_pending(),
            "one is worked on"
        );
        one.done();
        join.await;
    });
}

#[test]
fn an_immediate_shutdown_throws_the_rest_away_and_join_waits_for_what_was_taken() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(2);
        let value = Arc::new(());
        tx.send(Arc::clone(&value)).await.expect("open");
        tx.send(Arc::clone(&value)).await.expect("open");
        let taken = rx.recv().await.expect("open");
        tx.shutdown(Shutdown::Immediate);
        assert_eq!(Arc::strong_count(&value), 2);
        assert!(rx.recv().await.is_err());
        assert_eq!(tx.unfinished(), 1);
        let joined = spawn(async move { tx.join().await });
        yield_now().await;
        assert!(!joined.is_finished());
        drop(taken);
        joined.await.expect("no panic");
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn either_shutdown_ends_the_wait_of_those_who_get() {
    on_every_runtime(|| async {
        for how in [Shutdown::Graceful, Shutdown::Immediate] {
            let (tx, rx) = queue::fifo::<u8>(2);
            let waiting: Vec<_> = (0..3)
                .map(|_| {
                    let rx = rx.clone();
                    spawn(async move { rx.recv().await.is_err() })
                })
                .collect();
            yield_now().await;
            tx.shutdown(how);
            for waiting in waiting {
                assert!(waiting.await.expect("no panic"));
            }
        }
    });
}

#[test]
fn the_last_producer_lets_the_rest_be_got_and_then_closes() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(8);
        let producers: Vec<_> = (0..2)
            .map(|number| {
                let tx = tx.clone();
                spawn(async move { tx.send(number).await })
            })
            .collect();
        drop(tx);
        for producer in producers {
            producer.await.expect("no panic").expect("open");
        }
        assert!(rx.recv().await.is_ok());
        assert!(rx.recv().await.is_ok());
        assert!(rx.recv().await.is_err());
        assert_eq!(rx.try_recv().unwrap_err(), TryRecvError::Closed);
    });
}

#[test]
fn the_last_consumer_gives_blocked_puts_their_values_back() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo(1);
        let other = rx.clone();
        tx.send(String::from("dropped")).await.expect("open");
        let blocked = spawn({
            let tx = tx.clone();
            async move { tx.send(String::from("back")).await }
        });
        yield_now().await;
        drop(rx);
        yield_now().await;
        assert!(!blocked.is_finished());
        drop(other);
        let SendError(back) = blocked
            .await
            .expect("no panic")
            .expect_err("nobody is there");
        assert_eq!(back, "back");
        assert!(tx.is_closed());
        tx.join().await; // what was dropped is done
    });
}

#[test]
fn permits_that_are_out_keep_those_who_get_waiting_until_used_or_dropped() {
    on_every_runtime(|| async {
        let (tx, rx) = queue::fifo::<u8>(2);
        let used = tx.reserve().await.expect("open");
        let dropped = tx.reserve().await.expect("open");
        tx.shutdown(Shutdown::Graceful);
        let receiver = spawn(async move {
            let got = rx.recv().await.map(|job| job.into_inner());
            (got, rx.recv().await.is_err())
        });
        yield_now().await;
        assert!(!receiver.is_finished());
        used.send(7).expect("promised");
        yield_now().await;
        drop(dropped);
        let (got, closed) = receiver.await.expect("no panic");
        assert_eq!((got, closed), (Ok(7), true));
    });
}

/// Counts its drops, and uses the queue in its destructor.
struct Loud {
    queue: queue::Producer<Loud>,
    drops: Arc<std::sync::atomic::AtomicUsize>,
}

impl Drop for Loud {
    fn drop(&mut self) {
        let _ = self.queue.is_closed(); // locks
        drop(spawn(async {})); // and spawns
        self.drops.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn what_is_thrown_away_is_dropped_once_where_its_destructor_may_do_anything() {
    on_every_runtime(|| async {
        let drops = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        for how in 0..3 {
            let (tx, rx) = queue::fifo(8);
            for _ in 0..5 {
                let loud = Loud {
                    queue: tx.clone(),
                    drops: Arc::clone(&drops),
                };
                assert!(tx.try_send(loud).is_ok());
            }
            let job = rx.recv().await.expect("open");
            match how {
                0 => rx.shutdown(Shutdown::Immediate),
                1 => {
                    tx.shutdown(Shutdown::Graceful);
                    drop(rx); // the last consumer, with items left
                }
                _ => drop((rx, tx.clone())),
            }
            assert_eq!(drops.load(std::sync::atomic::Ordering::SeqCst), 5 * how + 4);
            drop(job);
            tx.join().await;
            assert_eq!(drops.load(std::sync::atomic::Ordering::SeqCst), 5 * how + 5);
        }
    });
}
