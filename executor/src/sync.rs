//! Atomics, `Arc`, threads and the lock: std's, or loom's in a model.
//!
//! The only `cfg(loom)` of the crate. A model is an ordinary test that calls
//! [`model`]: under loom it runs once per interleaving, otherwise a few times on
//! real threads, so that the models also compile and pass in a plain test run.

#[cfg(loom)]
use loom as imp;
#[cfg(not(loom))]
use std as imp;

#[cfg(loom)]
use loom::sync::atomic::Ordering::SeqCst;

#[allow(unused_imports, reason = "one list for the crate and for its models")]
pub(crate) use imp::{
    sync::{Arc, atomic},
    thread,
};

/// A mutex whose poison is ignored: no user code runs while it is held, so a
/// panic cannot leave what it guards half done.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(imp::sync::Mutex<T>);

pub(crate) type Guard<'a, T> = imp::sync::MutexGuard<'a, T>;

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Lock<T> {
        Lock(imp::sync::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        match self.0.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// What who holds a [`Lock`] may wait for, for a while.
#[derive(Debug)]
pub(crate) struct Condition {
    told: imp::sync::Condvar,
    /// In a model time passes when it is told to: so many waits are still to end by it.
    #[cfg(loom)]
    expired: atomic::AtomicUsize,
}

impl Condition {
    pub(crate) fn new() -> Condition {
        Condition {
            told: imp::sync::Condvar::new(),
            #[cfg(loom)]
            expired: atomic::AtomicUsize::new(0),
        }
    }

    /// Waits to be notified, at most for `limit`; true if the time is over. The wait
    /// may also end by chance.
    #[cfg(not(loom))]
    pub(crate) fn wait_for<'a, T>(
        &self,
        guard: Guard<'a, T>,
        limit: std::time::Duration,
    ) -> (Guard<'a, T>, bool) {
        let waited = self.told.wait_timeout(guard, limit);
        let (guard, over) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        (guard, over.timed_out())
    }

    #[cfg(loom)]
    pub(crate) fn wait_for<'a, T>(
        &self,
        guard: Guard<'a, T>,
        _limit: std::time::Duration,
    ) -> (Guard<'a, T>, bool) {
        let over = || {
            let one_less = |waits: usize| waits.checked_sub(1);
            let expired = &self.expired;
            expired.fetch_update(SeqCst, SeqCst, one_less).is_ok()
        };
        if over() {
            return (guard, true);
        }
        let guard = self.told.wait(guard).unwrap();
        (guard, over())
    }

    /// The time of one wait is over, of this or of a later one. Elsewhere than in a
    /// model that comes by itself.
    #[cfg(test)]
    pub(crate) fn expire(&self) {
        #[cfg(loom)]
        {
            self.expired.fetch_add(1, SeqCst);
            self.told.notify_one();
        }
    }

    pub(crate) fn notify_one(&self) {
        self.told.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.told.notify_all();
    }
}

/// loom's `UnsafeCell`, or std's with the same face: access by closure, so that
/// loom sees where each one begins and ends.
#[cfg(loom)]
#[allow(
    unused_imports,
    reason = "for the parts of the crate that share plain memory"
)]
pub(crate) use loom::cell::UnsafeCell;

#[cfg(not(loom))]
#[derive(Debug)]
#[allow(
    dead_code,
    reason = "for the parts of the crate that share plain memory"
)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
#[allow(
    dead_code,
    reason = "for the parts of the crate that share plain memory"
)]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    #[inline]
    pub(crate) fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
        look(self.0.get())
    }

    #[inline]
    pub(crate) fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
        change(self.0.get())
    }

    #[inline]
    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

/// What who waits for a moment does before his next look: gives way, and then sleeps,
/// as who has what he waits for may be of a lower priority.
#[cfg(not(loom))]
pub(crate) fn pass_the_time(looks: u32) {
    if looks < 64 {
        std::thread::yield_now();
    } else {
        std::thread::sleep(std::time::Duration::from_micros(50));
    }
}

#[cfg(loom)]
pub(crate) fn pass_the_time(_looks: u32) {
    loom::thread::yield_now();
}

/// A memory barrier that one side pays for; in a model both pay.
pub(crate) use wakeline_sync::membarrier as barrier;

/// Runs a model: every interleaving under loom, a hundred chance ones elsewhere;
/// fewer under Miri, where each takes as long as a hundred do.
#[cfg(test)]
pub(crate) fn model(body: impl Fn() + Sync + Send + 'static) {
    #[cfg(loom)]
    loom::model(body);
    #[cfg(not(loom))]
    for _ in 0..if cfg!(miri) { 5 } else { 100 } {
        body();
    }
}
