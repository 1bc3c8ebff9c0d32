//! Atomics, `Arc`, threads and the lock: std's, or loom's in a model.
//!
//! The only `cfg(loom)` of the crate. A model is an ordinary test that calls
//! [`model`]: under loom it runs once per interleaving, otherwise a few times on
//! real threads, so that the models also compile and pass in a plain test run.

#[cfg(loom)]
use loom as imp;
#[cfg(not(loom))]
use std as imp;

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
#[cfg(not(loom))]
#[path = "barrier.rs"]
pub(crate) mod barrier;

#[cfg(loom)]
pub(crate) mod barrier {
    use loom::sync::atomic::{Ordering::SeqCst, fence};

    pub(crate) fn is_there() -> bool {
        true
    }

    pub(crate) fn light() {
        fence(SeqCst);
    }

    pub(crate) fn heavy() -> bool {
        fence(SeqCst);
        true
    }
}

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
