//! A condition on what a lock guards: wait for it, and lose no notification.

use crate::on_every_runtime;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wakeline::sync::{Condvar, Mutex};
use wakeline::{spawn, yield_now};

#[derive(Default)]
struct Store {
    items: Mutex<Vec<u32>>,
    changed: Condvar,
}

impl Store {
    async fn put(&self, item: u32) {
        let mut items = self.items.lock().await;
        items.push(item);
        self.changed.notify_one();
    }

    async fn take(&self) -> u32 {
        let items = self.items.lock().await;
        let mut items = self
            .changed
            .wait_while(items, |items| items.is_empty())
            .await;
        items.pop().expect("there is one")
    }
}

#[test]
fn everything_that_is_put_is_taken_once() {
    on_every_runtime(|| async {
        let store = Arc::new(Store::default());
        let takers: Vec<_> = (0..8)
            .map(|_| {
                let store = Arc::clone(&store);
                spawn(async move { store.take().await + store.take().await })
            })
            .collect();
        for item in 0..16 {
            store.put(item).await;
            if item % 3 == 0 {
                yield_now().await;
            }
        }
        let mut sum = 0;
        for taker in takers {
            sum += taker.await.expect("no panic");
        }
        assert_eq!(sum, (0..16).sum::<u32>());
    });
}

#[test]
fn several_notifications_in_one_critical_section_wake_as_many() {
    on_every_runtime(|| async {
        let both = Arc::new((Mutex::new(0), Condvar::new(), AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let both = Arc::clone(&both);
                spawn(async move {
                    let mut guard = both.0.lock().await;
                    both.2.fetch_add(1, Ordering::Relaxed);
                    guard = both.1.wait(guard).await;
                    *guard += 1;
                })
            })
            .collect();
        let mut guard = both.0.lock().await;
        while both.2.load(Ordering::Relaxed) < 3 {
            drop(guard);
            yield_now().await;
            guard = both.0.lock().await;
        }
        both.1.notify_one();
        both.1.notify(2);
        assert_eq!(*guard, 0, "they wait for the lock");
        drop(guard);
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(*both.0.lock().await, 3);
    });
}

#[test]
fn a_task_that_is_aborted_passes_its_notification_on_and_leaves_the_lock_open() {
    on_every_runtime(|| async {
        let both = Arc::new((Mutex::new(0), Condvar::new()));
        let waits = |both: &Arc<(Mutex<u32>, Condvar)>| {
            let both = Arc::clone(both);
            spawn(async move {
                let mut guard = both.0.lock().await;
                *guard += 1; // has come
                drop(both.1.wait(guard).await);
            })
        };
        let first = waits(&both);
        while *both.0.lock().await < 1 {
            yield_now().await;
        }
        let second = waits(&both);
        let mut guard = both.0.lock().await;
        while *guard < 2 {
            drop(guard);
            yield_now().await;
            guard = both.0.lock().await;
        }
        both.1.notify_one(); // the first one's, which waits for the lock now
        yield_now().await;
        first.abort();
        assert!(first.await.is_err());
        drop(guard);
        second
            .await
            .expect("it has the notification and then the lock");
        assert!(both.0.try_lock().is_ok());
    });
}

#[test]
fn a_wait_that_times_out_leaves_the_lock_open() {
    on_every_runtime(|| async {
        let (lock, condvar) = (Mutex::new(()), Condvar::new());
        let guard = lock.lock().await;
        let wait = condvar.wait(guard);
        let waited = wakeline::time::timeout(std::time::Duration::from_millis(1), wait).await;
        assert!(waited.is_err());
        assert!(
            lock.try_lock().is_ok(),
            "in Python it would be locked again"
        );
    });
}
