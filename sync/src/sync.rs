//! Atomics, the lock and the cell: std's, or loom's in a model, or shuttle's in a
//! random run. The only `cfg(loom)` and the only `cfg(shuttle)`.

#[cfg(loom)]
use loom::sync as imp;
#[cfg(shuttle)]
use shuttle::sync as imp;
#[cfg(not(any(loom, shuttle)))]
use std::sync as imp;

pub(crate) use imp::atomic;

/// The lock of the primitives: our own, or in a model of theirs the checker's,
/// which knows that a waiter need not be tried before it can go on. `lock.rs` has
/// a model of its own.
#[cfg(not(any(loom, shuttle)))]
pub(crate) use crate::lock::{Guard, Lock};
#[cfg(any(loom, shuttle))]
pub(crate) use checked::{Guard, Lock};

/// What a thread does that looks at a lock for the `looks`th time in vain.
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn pass_the_time(looks: u32) {
    use std::time::Duration;
    match looks {
        0..64 => std::hint::spin_loop(),
        64..128 => std::thread::yield_now(),
        _ => std::thread::sleep(Duration::from_micros(u64::from(looks - 127).min(20) * 50)),
    }
}

#[cfg(loom)]
pub(crate) fn pass_the_time(_looks: u32) {
    loom::thread::yield_now();
}

#[cfg(shuttle)]
pub(crate) fn pass_the_time(_looks: u32) {
    shuttle::thread::yield_now();
}

/// Whose thread this is, and the barrier between threads; see `home.rs`.
#[cfg(not(any(loom, shuttle)))]
pub(crate) use wakeline_context::home;

#[cfg(not(any(loom, shuttle)))]
#[path = "membarrier.rs"]
pub mod membarrier;

#[cfg(loom)]
loom::thread_local! {
    static HOME: std::cell::Cell<usize> = std::cell::Cell::new(0);
}

/// Of a thread of a model, which says so by [`enter_home`].
#[cfg(loom)]
pub(crate) fn home() -> usize {
    HOME.with(std::cell::Cell::get)
}

#[cfg(all(test, loom))]
pub(crate) fn enter_home(home: usize) {
    HOME.with(|here| here.set(home));
}

/// The barrier of which one side pays for both; in a model both pay.
#[cfg(loom)]
pub mod membarrier {
    use loom::sync::atomic::{Ordering::SeqCst, fence};

    #[must_use]
    pub fn is_there() -> bool {
        true
    }

    pub fn light() {
        fence(SeqCst);
    }

    #[must_use]
    pub fn heavy() -> bool {
        fence(SeqCst);
        true
    }
}

/// In a random run each thread is a home of its own.
#[cfg(shuttle)]
pub(crate) fn home() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    static LAST: AtomicUsize = AtomicUsize::new(0);
    shuttle::thread_local! {
        static HOME: usize = LAST.fetch_add(1, Relaxed) + 1;
    }
    HOME.with(|home| *home)
}

/// There all threads see everything in one order.
#[cfg(shuttle)]
pub mod membarrier {
    #[must_use]
    pub fn is_there() -> bool {
        true
    }

    pub fn light() {}

    #[must_use]
    pub fn heavy() -> bool {
        true
    }
}

#[cfg(any(loom, shuttle))]
mod checked {
    use super::imp;

    /// A mutex whose poison is ignored, as `lock.rs` knows none.
    #[derive(Debug, Default)]
    pub(crate) struct Lock<T>(imp::Mutex<T>);

    pub(crate) type Guard<'a, T> = imp::MutexGuard<'a, T>;

    impl<T> Lock<T> {
        pub(crate) fn new(value: T) -> Lock<T> {
            Lock(imp::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> Guard<'_, T> {
            match self.0.lock() {
                Ok(guard) => guard,
                Err(poisoned) => poisoned.into_inner(),
            }
        }

        /// Or nothing, if it is another's.
        pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
            self.0.try_lock().ok()
        }

        pub(crate) fn wait(&self) -> Guard<'_, T> {
            self.lock()
        }

        pub(crate) fn into_inner(self) -> T {
            match self.0.into_inner() {
                Ok(value) => value,
                Err(poisoned) => poisoned.into_inner(),
            }
        }
    }
}

/// A lock of many readers or one writer, around a value of the user; its poison
/// is ignored: what a panic left of the value is the user's to judge.
#[derive(Debug)]
pub(crate) struct SharedLock<T>(imp::RwLock<T>);

pub(crate) type ReadGuard<'a, T> = imp::RwLockReadGuard<'a, T>;
pub(crate) type WriteGuard<'a, T> = imp::RwLockWriteGuard<'a, T>;

impl<T> SharedLock<T> {
    pub(crate) fn new(value: T) -> SharedLock<T> {
        SharedLock(imp::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> ReadGuard<'_, T> {
        match self.0.read() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    pub(crate) fn write(&self) -> WriteGuard<'_, T> {
        match self.0.write() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// loom's cell, or std's with the same face: an access is a value, so that loom
/// sees where it begins and ends.
#[cfg(loom)]
pub(crate) use loom::cell::{ConstPtr, MutPtr, UnsafeCell};
#[cfg(not(loom))]
pub(crate) use plain::{ConstPtr, MutPtr, UnsafeCell};

#[cfg(not(loom))]
mod plain {
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T: ?Sized>(std::cell::UnsafeCell<T>);

    #[derive(Debug)]
    pub(crate) struct ConstPtr<T: ?Sized>(*const T);

    #[derive(Debug)]
    pub(crate) struct MutPtr<T: ?Sized>(*mut T);

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        pub(crate) fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

    impl<T: ?Sized> UnsafeCell<T> {
        #[inline]
        pub(crate) fn get(&self) -> ConstPtr<T> {
            ConstPtr(self.0.get())
        }

        #[inline]
        pub(crate) fn get_mut(&self) -> MutPtr<T> {
            MutPtr(self.0.get())
        }
    }

    impl<T: ?Sized> ConstPtr<T> {
        #[inline]
        pub(crate) fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
            look(self.0)
        }
    }

    impl<T: ?Sized> MutPtr<T> {
        #[inline]
        pub(crate) fn with<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
            change(self.0)
        }
    }
}
