//! Atomics and the lock: std's, or loom's in a model. The only `cfg(loom)` here.

#[cfg(loom)]
pub(crate) use loom::sync::atomic;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic;

#[cfg(loom)]
use loom::sync as imp;
#[cfg(not(loom))]
use std::sync as imp;

use std::sync::TryLockError;

/// A mutex whose poison is ignored: no user code runs while it is held, so a
/// panic cannot leave what it guards half done.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(imp::Mutex<T>);

pub(crate) type Guard<'a, T> = imp::MutexGuard<'a, T>;

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Lock<T> {
        Lock(imp::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        match self.0.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// In a forked child, of what it has inherited: nothing if the lock is held for so
    /// long that its holder must be a thread of the parent's, which is not here.
    #[cold]
    pub(crate) fn lock_inherited(&self) -> Option<Guard<'_, T>> {
        (0..TRIES).find_map(|_| match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                std::thread::yield_now();
                None
            }
        })
    }
}

/// Who holds a lock does little with it.
const TRIES: usize = 100;
