//! Values whose destructor uses the channel they were in.

use crate::watch;
use std::task::{Context, Waker};
use wakeline::sync::queue::{self, Shutdown};
use wakeline::sync::{Mutex, OnceCell, broadcast, mpsc, oneshot, watch as latest};

/// Calls back when it is dropped.
struct Reenters(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Reenters {
    fn new(call: impl FnOnce() + Send + Sync + 'static) -> Reenters {
        Reenters(Some(Box::new(call)))
    }
}

impl Drop for Reenters {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call();
        }
    }
}

fn poll_once<F: Future>(future: F) {
    let mut future = Box::pin(future);
    let _ = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn a_value_left_in_an_mpsc_channel_may_use_it() {
    let _watch = watch("mpsc".into());
    let (sender, receiver) = mpsc::channel(2);
    for _ in 0..2 {
        let again = sender.clone();
        let value = Reenters::new(move || {
            assert!(again.is_closed());
            assert!(again.try_send(Reenters(None)).is_err());
            poll_once(again.send(Reenters(None)));
        });
        assert!(sender.try_send(value).is_ok());
    }
    drop(receiver);
}

#[test]
fn a_value_left_in_a_queue_may_use_it() {
    let _watch = watch("queue".into());
    for shut_down in [true, false] {
        let (producer, consumer) = queue::fifo(2);
        let again = producer.clone();
        let value = Reenters::new(move || {
            assert!(again.try_send(Reenters(None)).is_err());
            poll_once(again.join());
            assert_eq!(again.len(), 0);
        });
        assert!(producer.try_send(value).is_ok());
        match shut_down {
            true => consumer.shutdown(Shutdown::Immediate),
            false => drop(consumer),
        }
        drop(producer);
    }
}

#[test]
fn a_value_that_is_overwritten_in_a_broadcast_may_use_it() {
    let _watch = watch("broadcast".into());
    let (sender, receiver) = broadcast::channel(1);
    let again = sender.clone();
    let value = std::sync::Arc::new(Reenters::new(move || {
        assert_eq!(again.len(), 1);
        let _ = again.send(std::sync::Arc::new(Reenters(None)));
        drop(again.subscribe());
    }));
    assert!(sender.send(value).is_ok());
    assert!(sender.send(std::sync::Arc::new(Reenters(None))).is_ok());
    drop(receiver);
}

#[test]
fn a_value_that_is_replaced_in_a_watch_may_use_it() {
    let _watch = watch("watch".into());
    let (sender, receiver) = latest::channel(Reenters(None));
    let again = sender.clone();
    let first = Reenters::new(move || {
        drop(again.borrow());
        let _ = again.send(Reenters(None));
        drop(again.subscribe());
    });
    assert!(sender.send(first).is_ok());
    assert!(sender.send(Reenters(None)).is_ok());
    drop(receiver);
}

#[test]
fn a_value_that_nobody_receives_may_use_another_end() {
    let _watch = watch("oneshot".into());
    let (first, receiver) = oneshot::channel();
    let (second, mut other) = oneshot::channel::<u8>();
    let sent = first.send(Reenters::new(move || {
        let _ = second.send(7);
    }));
    assert!(sent.is_ok());
    drop(receiver);
    assert_eq!(other.try_recv(), Ok(7));
}

#[test]
fn what_a_mutex_or_a_cell_holds_may_use_it() {
    let _watch = watch("mutex and cell".into());
    let mutex = std::sync::Arc::new(Mutex::new(None));
    let again = std::sync::Arc::downgrade(&mutex);
    *mutex.try_lock().unwrap() = Some(Reenters::new(move || {
        if let Some(mutex) = again.upgrade() {
            assert!(mutex.try_lock().is_err(), "it is held by who replaces");
            poll_once(mutex.lock());
        }
    }));
    *mutex.try_lock().unwrap() = None;
    let cell = std::sync::Arc::new(OnceCell::new());
    let again = std::sync::Arc::clone(&cell);
    assert!(cell.set(1).is_ok());
    drop(Reenters::new(move || assert!(again.set(2).is_err())));
}
