//! Signals without a value: the event that stays, and the notification.

use crate::on_every_runtime;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wakeline::sync::{Event, Notify, oneshot};
use wakeline::{JoinHandle, spawn, yield_now};

/// A task that says when it waits, and then adds one.
async fn waits_for<F: Future<Output = ()> + Send + Unpin + 'static>(
    mut wait: F,
    done: &Arc<AtomicUsize>,
) -> JoinHandle<()> {
    let (here, arrived) = oneshot::channel();
    let done = Arc::clone(done);
    let task = spawn(async move {
        let mut here = Some(here);
        std::future::poll_fn(|cx| {
            let poll = std::pin::Pin::new(&mut wait).poll(cx);
            if let Some(here) = here.take() {
                let _ = here.send(());
            }
            poll
        })
        .await;
        done.fetch_add(1, Ordering::Relaxed);
    });
    arrived.await.expect("it was polled");
    task
}

/// For waits that need to be `'static`; a test leaks little.
fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

#[test]
fn set_and_cleared_in_one_breath_an_event_wakes_all_who_waited_and_nobody_later() {
    on_every_runtime(|| async {
        let (event, done) = (leak(Event::new()), Arc::default());
        let mut tasks = Vec::new();
        for _ in 0..3 {
            tasks.push(waits_for(event.wait(), &done).await);
        }
        event.set();
        event.set();
        event.clear();
        let later = waits_for(event.wait(), &done).await;
        for task in tasks {
            task.await.expect("no panic");
        }
        for _ in 0..5 {
            yield_now().await;
        }
        assert_eq!(done.load(Ordering::Relaxed), 3);
        assert!(!later.is_finished());
        event.set();
        later.await.expect("no panic");
    });
}

#[test]
fn an_event_that_is_set_stays_set_for_everyone() {
    on_every_runtime(|| async {
        let event = Event::new();
        event.set();
        for _ in 0..3 {
            event.wait().await;
        }
        assert!(event.is_set());
    });
}

#[test]
fn a_wait_that_is_aborted_before_the_set_leaves_the_others_alone() {
    on_every_runtime(|| async {
        let (event, done) = (leak(Event::new()), Arc::default());
        let gives_up = waits_for(event.wait(), &done).await;
        let stays = waits_for(event.wait(), &done).await;
        gives_up.abort();
        assert!(gives_up.await.is_err());
        event.set();
        stays.await.expect("no panic");
        assert_eq!(done.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn one_notification_is_stored_and_no_more() {
    on_every_runtime(|| async {
        let (notify, done) = (leak(Notify::new()), Arc::default());
        notify.notify_one();
        notify.notify_one();
        notify.notified().await;
        let second = waits_for(notify.notified(), &done).await;
        yield_now().await;
        assert!(!second.is_finished());
        notify.notify_waiters();
        second.await.expect("no panic");
        let third = waits_for(notify.notified(), &done).await;
        yield_now().await;
        assert!(!third.is_finished(), "`notify_waiters` stores nothing");
        third.abort();
    });
}

#[test]
fn a_notification_to_a_task_that_is_aborted_goes_to_the_next_or_is_stored() {
    on_every_runtime(|| async {
        let notify = leak(Notify::new());
        let mut never_polled_again = notify.notified();
        assert!(!never_polled_again.enable());
        let (aborted, next) = (notify.notified(), notify.notified());
        let done = Arc::default();
        let aborted = waits_for(aborted, &done).await;
        let next = waits_for(next, &done).await;
        notify.notify_one(); // to the one that was enabled first
        drop(never_polled_again); // to the second
        aborted.abort(); // unless it was quicker: to the third
        let went_on = aborted.await.is_ok();
        if went_on {
            notify.notify_one();
        }
        next.await.expect("no panic");

        let mut last = notify.notified();
        assert!(!last.enable());
        notify.notify_one();
        drop(last);
        notify.notified().await; // it was stored
    });
}
