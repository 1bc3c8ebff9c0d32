//! Locks, permits, signals and meetings.

use super::{Primitive, row};
use crate::world::{Wait, World, leak, poll};
use std::cell::RefCell;
use std::future::pending;
use std::sync::Arc;
use std::task::Waker;
use wakeline::sync::{
    Barrier, Condvar, Event, Limiter, Mutex, Notify, OnceCell, RwLock, Semaphore,
};

/// A waiter of its own, polled once.
fn waiting<F>(future: F) -> Wait
where
    F: Future + 'static,
    F::Output: 'static,
{
    let mut wait: Wait = Box::pin(async move { Box::new(future.await) as Box<dyn std::any::Any> });
    assert!(poll(&mut wait, Waker::noop()).is_pending());
    wait
}

pub(super) fn rows() -> Vec<Primitive> {
    let mut rows = exclusive();
    rows.extend(shared());
    rows
}

fn exclusive() -> Vec<Primitive> {
    vec![
        row!("Mutex::lock", One, async {
            let mutex = leak(Mutex::new(()));
            let mut holder = mutex.try_lock().ok();
            World::new(|| mutex.lock(), move || drop(holder.take()))
                .attempt(|| mutex.try_lock().is_ok())
                .state(mutex)
        }),
        row!("Mutex::lock_owned", One, async {
            let mutex = leak(Arc::new(Mutex::new(())));
            let mut holder = mutex.try_lock_owned().ok();
            World::new(|| mutex.lock_owned(), move || drop(holder.take()))
                .attempt(|| mutex.try_lock_owned().is_ok())
                .state(mutex)
        }),
        row!("RwLock::write", One, async {
            let lock = leak(RwLock::new(()));
            let mut holder = lock.try_read().ok();
            World::new(|| lock.write(), move || drop(holder.take()))
                .attempt(|| lock.try_read().is_ok())
                .state(lock)
        }),
        row!("Semaphore::acquire", One, async {
            let semaphore = leak(Semaphore::new(0));
            World::new(|| semaphore.acquire(), || semaphore.add_permits(1))
                .attempt(|| semaphore.try_acquire().is_ok())
                .state(semaphore)
        }),
        row!("Semaphore::acquire_owned", One, async {
            let semaphore = leak(Arc::new(Semaphore::new(0)));
            World::new(|| semaphore.acquire_owned(), || semaphore.add_permits(1))
                .attempt(|| semaphore.try_acquire_owned().is_ok())
                .state(semaphore)
        }),
        row!("Semaphore::acquire_many", One, async {
            let semaphore = leak(Semaphore::new(1));
            World::new(|| semaphore.acquire_many(3), || semaphore.add_permits(2))
                .attempt(|| semaphore.try_acquire().is_ok() && semaphore.available() > 1)
                .state(semaphore)
        }),
        row!("Limiter::acquire", One, async {
            let limiter = leak(Limiter::new(1));
            let mut holder = limiter.try_acquire().ok();
            World::new(|| limiter.acquire(), move || drop(holder.take()))
                .attempt(|| limiter.try_acquire().is_ok())
                .state(limiter)
        }),
        row!("Notify::notified", One, async {
            let notify = leak(Notify::new());
            World::new(|| notify.notified(), || notify.notify_one()).state(notify)
        }),
        row!("Condvar::wait", One, async {
            let (mutex, condvar) = (leak(Mutex::new(())), leak(Condvar::new()));
            let wait = || async { condvar.wait(mutex.lock().await).await };
            World::new(wait, || condvar.notify_one()).state(condvar)
        }),
        row!("OnceCell::get_or_init", One, async {
            let cell = leak(OnceCell::new());
            // Whoever makes it never finishes, and a grant is its end.
            let mut maker = Some(waiting(cell.get_or_init(pending::<u8>)));
            World::new(
                || cell.get_or_init(|| async { 7 }),
                move || drop(maker.take()),
            )
            .attempt(|| cell.get().is_some())
            .state(cell)
        }),
    ]
}

fn shared() -> Vec<Primitive> {
    vec![
        row!("RwLock::read", All, async {
            let lock = leak(RwLock::new(()));
            let mut holder = lock.try_write().ok();
            World::new(|| lock.read(), move || drop(holder.take())).state(lock)
        }),
        row!("Event::wait", All, async {
            let event = leak(Event::new());
            World::new(|| event.wait(), || event.set()).state(event)
        }),
        row!("Barrier::wait", All, async {
            let barrier = leak(Barrier::new(8));
            let others = RefCell::new(Vec::new());
            let grant = move || {
                while barrier.waiting() < barrier.parties() - 1 {
                    others.borrow_mut().push(waiting(barrier.wait()));
                }
                let mut last: Wait = Box::pin(async { Box::new(barrier.wait().await) as _ });
                assert!(poll(&mut last, Waker::noop()).is_ready());
                others.borrow_mut().clear();
            };
            World::new(|| barrier.wait(), grant).state(barrier)
        }),
    ]
}
