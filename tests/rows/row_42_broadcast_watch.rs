//! Events for many: every value for each (broadcast), and the last one (watch).

use crate::on_every_runtime;
use crate::support::drops::poll_once;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use wakeline::stream::StreamExt;
use wakeline::sync::broadcast::{self, RecvError};
use wakeline::sync::watch;
use wakeline::time::timeout;
use wakeline::{spawn, yield_now};

#[test]
fn every_subscriber_gets_every_event_in_order() {
    on_every_runtime(|| async {
        let (tx, rx) = broadcast::channel(64);
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let mut rx = rx.resubscribe();
                spawn(async move {
                    let mut all = Vec::new();
                    while let Ok(n) = rx.recv().await {
                        all.push(n);
                    }
                    all
                })
            })
            .collect();
        drop(rx);
        for n in 0..50 {
            tx.send(n).expect("readers are there");
            yield_now().await;
        }
        drop(tx);
        for reader in readers {
            let all = reader.await.expect("no panic");
            assert!(all.into_iter().eq(0..50));
        }
    });
}

#[test]
fn a_slow_subscriber_is_told_what_it_missed_and_the_quick_one_is_not() {
    on_every_runtime(|| async {
        let (tx, mut slow) = broadcast::channel(4);
        let mut quick = tx.subscribe();
        for n in 0..10 {
            assert_eq!(tx.send(n), Ok(2));
            assert_eq!(quick.recv().await, Ok(n));
        }
        drop(tx);
        assert_eq!(slow.recv().await, Err(RecvError::Lagged(6)));
        for n in 6..10 {
            assert_eq!(slow.recv().await, Ok(n));
        }
        assert_eq!(slow.recv().await, Err(RecvError::Closed));
        assert_eq!(quick.recv().await, Err(RecvError::Closed));
    });
}

#[test]
fn the_events_can_be_taken_as_a_stream_that_tells_of_those_missed() {
    on_every_runtime(|| async {
        let (tx, mut rx) = broadcast::channel(4);
        // Given up before anything came: no event goes with it.
        assert!(poll_once(pin!(rx.next())).await.is_pending());
        for n in 0..6 {
            tx.send(n).expect("the stream is there");
        }
        drop(tx);
        let all: Vec<_> = rx.collect().await;
        let missed = Err(RecvError::Lagged(2));
        assert_eq!(all, [missed, Ok(2), Ok(3), Ok(4), Ok(5)]);
    });
}

/// A stream and a `recv` of one receiver wait beside each other in its channel.
#[test]
fn a_stream_that_waits_is_in_nobodys_way() {
    on_every_runtime(|| async {
        let (tx, mut rx) = broadcast::channel(4);
        let mut other = tx.subscribe();
        for n in 0..3 {
            assert!(poll_once(pin!(rx.next())).await.is_pending());
            tx.send(n).expect("both are there");
            assert_eq!(rx.recv().await, Ok(n));
            assert_eq!(other.next().await, Some(Ok(n)));
        }
        assert!(poll_once(pin!(rx.next())).await.is_pending());
        drop(rx);
        assert_eq!(tx.send(3), Ok(1));
        assert_eq!(other.next().await, Some(Ok(3)));
        drop(tx);
        assert_eq!(other.next().await, None);
    });
}

#[test]
fn a_subscriber_that_is_aborted_or_gives_up_is_not_waited_for() {
    on_every_runtime(|| async {
        let value = Arc::new(());
        let (tx, mut rx) = broadcast::channel(4);
        let aborted = spawn({
            let mut rx = tx.subscribe();
            async move {
                rx.recv().await.expect("a first one");
                std::future::pending::<()>().await;
                drop(rx);
            }
        });
        assert!(timeout(Duration::ZERO, rx.recv()).await.is_err());
        tx.send(Arc::clone(&value)).expect("both are there");
        tx.send(Arc::clone(&value)).expect("both are there");
        drop(rx.recv().await);
        drop(rx.recv().await);
        aborted.abort();
        assert!(aborted.await.is_err());
        assert_eq!(tx.receiver_count(), 1);
        assert!(tx.is_empty());
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn an_event_may_send_another_one_when_it_is_cloned() {
    #[derive(Debug)]
    struct Echo(u32, broadcast::Sender<Echo>);
    impl Clone for Echo {
        fn clone(&self) -> Echo {
            if self.0 > 0 {
                let _ = self.1.send(Echo(self.0 - 1, self.1.clone()));
            }
            Echo(self.0, self.1.clone())
        }
    }
    on_every_runtime(|| async {
        let (tx, mut one) = broadcast::channel(2);
        let _two = tx.subscribe(); // so that the first one gets clones
        tx.send(Echo(3, tx.clone())).expect("both are there");
        for n in (0..=3).rev() {
            assert_eq!(one.recv().await.expect("an echo").0, n);
        }
        assert!(one.is_empty());
    });
}

#[test]
fn an_event_for_nobody_comes_back() {
    on_every_runtime(|| async {
        let (tx, rx) = broadcast::channel(1);
        drop(rx);
        assert_eq!(tx.send(1), Err(broadcast::SendError(1)));
        let mut late = tx.subscribe();
        assert_eq!(tx.send(2), Ok(1));
        assert_eq!(late.recv().await, Ok(2));
    });
}

#[test]
fn a_watcher_sees_the_last_value_and_may_miss_those_between() {
    on_every_runtime(|| async {
        let (tx, mut rx) = watch::channel(0);
        let watcher = spawn(async move {
            let mut last = 0;
            while rx.changed().await.is_ok() {
                let now = *rx.borrow_and_update();
                assert!(now > last, "{now} after {last}");
                last = now;
            }
            last
        });
        for n in 1..=100 {
            tx.send(n).expect("the watcher is there");
            if n % 10 == 0 {
                yield_now().await;
            }
        }
        drop(tx);
        assert_eq!(watcher.await.expect("no panic"), 100);
    });
}

#[test]
fn the_final_value_is_there_when_the_sender_is_gone() {
    on_every_runtime(|| async {
        let (tx, mut rx) = watch::channel("old");
        tx.send("final").expect("the watcher is there");
        drop(tx);
        assert_eq!(rx.changed().await, Ok(()));
        assert_eq!(*rx.borrow(), "final");
        assert!(rx.changed().await.is_err()); // closed, and seen
        assert_eq!(*rx.borrow(), "final");
    });
}

#[test]
fn everyone_who_waits_for_a_state_goes_on_when_it_comes() {
    on_every_runtime(|| async {
        let (tx, rx) = watch::channel(0);
        let waiting: Vec<_> = (1..=4)
            .map(|wanted| {
                let mut rx = rx.clone();
                spawn(async move { rx.wait_for(|now| *now >= wanted).await.map(|now| *now) })
            })
            .collect();
        yield_now().await;
        tx.send_modify(|now| *now += 3);
        for (wanted, task) in (1..=4).zip(waiting) {
            if wanted == 4 {
                assert!(!tx.send_if_modified(|_| false));
                tx.send(5).expect("watchers are there");
            }
            let now = task.await.expect("no panic").expect("it came");
            assert!(now >= wanted);
        }
    });
}

#[test]
fn a_watcher_that_gives_up_has_not_seen_the_change() {
    on_every_runtime(|| async {
        let (tx, mut rx) = watch::channel(0);
        assert!(timeout(Duration::ZERO, rx.changed()).await.is_err());
        tx.send(1).expect("the watcher is there");
        assert_eq!(rx.has_changed(), Ok(true));
        assert_eq!(rx.changed().await, Ok(()));
    });
}

#[test]
fn a_producer_learns_that_the_last_watcher_was_aborted() {
    on_every_runtime(|| async {
        let (tx, mut rx) = watch::channel(0);
        let watcher = spawn(async move { rx.changed().await });
        yield_now().await;
        let producer = spawn(async move {
            tx.closed().await;
            tx.send(1)
        });
        watcher.abort();
        let sent = producer.await.expect("no panic");
        assert_eq!(sent, Err(watch::SendError(1)));
    });
}
