//! A lock: one task at a time, in the order of arrival, and it knows its owner.

use crate::{on_every_runtime, with_every_runtime};
use std::sync::Arc;
use wakeline::sync::{Mutex, OwnedMutexGuard};
use wakeline::{spawn, yield_now};

#[test]
fn tasks_take_turns_though_each_gives_way_while_it_holds_the_lock() {
    on_every_runtime(|| async {
        let total = Arc::new(Mutex::new(0));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let total = Arc::clone(&total);
                spawn(async move {
                    for _ in 0..5 {
                        let mut guard = total.lock().await;
                        let before = *guard;
                        yield_now().await;
                        *guard = before + 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(*total.lock().await, 100);
    });
}

#[test]
fn the_lock_goes_to_those_who_wait_in_the_order_in_which_they_came() {
    on_every_runtime(|| async {
        let order = Arc::new(Mutex::new(Vec::new()));
        let held = order.lock().await;
        let mut tasks = Vec::new();
        for number in 0..10 {
            let (order, (here, arrived)) = (order.clone(), wakeline::sync::oneshot::channel());
            tasks.push(spawn(async move {
                let mut here = Some(here);
                let mut lock = order.lock_owned();
                let mut guard = std::future::poll_fn(|cx| {
                    let poll = std::pin::Pin::new(&mut lock).poll(cx);
                    if let Some(here) = here.take() {
                        here.send(()).expect("somebody listens");
                    }
                    poll
                })
                .await;
                guard.push(number);
            }));
            arrived.await.expect("it is in the queue");
        }
        drop(held);
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(*order.lock().await, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn a_task_that_is_aborted_releases_the_lock_it_holds_or_was_granted() {
    on_every_runtime(|| async {
        let lock = Arc::new(Mutex::new(()));
        let holder = spawn({
            let lock = Arc::clone(&lock);
            async move {
                let _guard = lock.lock_owned().await;
                std::future::pending::<()>().await;
            }
        });
        while lock.try_lock().is_ok() {
            yield_now().await;
        }
        let waits = spawn({
            let lock = Arc::clone(&lock);
            async move { drop(lock.lock().await) }
        });
        yield_now().await;
        holder.abort(); // grants the lock to the one that waits, if it came so far
        waits.abort();
        assert!(holder.await.is_err());
        let _ = waits.await; // it may have been quicker
        drop(lock.lock().await);
        assert!(lock.try_lock().is_ok());
    });
}

#[test]
fn a_task_that_panics_releases_the_lock_and_does_not_poison_it() {
    on_every_runtime(|| async {
        let lock = Arc::new(Mutex::new(0));
        let panics = spawn({
            let lock = Arc::clone(&lock);
            async move {
                *lock.lock().await = 1;
                let _guard = lock.lock().await;
                panic!("planned");
            }
        });
        assert!(panics.await.expect_err("it panics").is_panic());
        assert_eq!(*lock.lock().await, 1);
        assert_eq!(lock.owner(), None, "nobody has it any more");
    });
}

#[test]
fn the_lock_knows_the_task_that_made_the_guard() {
    on_every_runtime(|| async {
        let lock = Arc::new(Mutex::new(()));
        let makes_it = spawn({
            let lock = Arc::clone(&lock);
            async move { lock.lock_owned().await }
        });
        let id = makes_it.id().get();
        let guard = makes_it.await.expect("no panic");
        assert_eq!(lock.owner(), Some(id), "though that task has ended");
        assert!(format!("{lock:?}").contains(&format!("owner: Some({id})")));
        drop(guard);
        assert_eq!(lock.owner(), None);
    });
}

#[test]
fn a_guard_may_be_sent_to_another_task_and_released_there() {
    on_every_runtime(|| async {
        let lock = Arc::new(Mutex::new(String::from("a")));
        let mut guard = Arc::clone(&lock).lock_owned().await;
        guard.push('b');
        let text = spawn(async move { OwnedMutexGuard::mutex(&guard).try_lock().is_ok() });
        assert!(!text.await.expect("no panic"), "it is held");
        assert_eq!(*lock.lock().await, "ab");
    });
}

#[test]
fn a_destructor_may_lock_while_the_runtime_ends() {
    with_every_runtime(|runtime| {
        struct Locks(Arc<Mutex<u32>>);
        impl Drop for Locks {
            fn drop(&mut self) {
                if let Ok(mut guard) = self.0.try_lock() {
                    *guard += 1;
                }
            }
        }
        let lock = Arc::new(Mutex::new(0));
        runtime.block_on(async {
            let (a, b) = (Locks(Arc::clone(&lock)), Locks(Arc::clone(&lock)));
            let lock = Arc::clone(&lock);
            drop(spawn(async move {
                let _a = a;
                let _guard = lock.lock().await;
                std::future::pending::<()>().await;
            }));
            drop(spawn(async move {
                let _b = b;
                std::future::pending::<()>().await;
            }));
            yield_now().await;
        });
        drop(runtime);
        assert!(lock.try_lock().is_ok());
    });
}

#[test]
fn a_task_that_locks_and_unlocks_for_ever_gives_way_to_the_others() {
    on_every_runtime(|| async {
        let stop = Arc::new(Mutex::new(false));
        let busy = spawn({
            let stop = Arc::clone(&stop);
            async move { while !*stop.lock().await {} }
        });
        *stop.lock().await = true;
        busy.await.expect("no panic");
    });
}
