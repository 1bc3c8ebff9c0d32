//! A lock that favours one thread: home takes it by two stores, others pay for that.
//!
//! ```text
//!            home                              others, one at a time (`others`)
//!
//!   out ──1──▶ inside ──3──▶ out        out ──4──▶ wanted ──5──▶ inside ──6──▶ out
//!                │ ▲                                 │
//!                2 └── as one of the others          └ while home is inside: wait
//! ```
//! 1 `Favour::enter`  INSIDE is stored, then WANTED is read: nobody wants it
//! 2 `Favour::enter`  somebody does: INSIDE is taken back, and home waits its turn
//! 3 drop of `Inside` INSIDE is taken back
//! 4 `Favour::queue`  WANTED is stored, then comes a [`barrier`]
//! 5 `Favour::queue`  home is not inside, and will not come in by 1 any more
//! 6 drop of `Wanted`
//!
//! In 1 and 4 each writes its own word before it reads the other's, with a barrier
//! in between that only 4 pays for: so at least one of them sees the other. If both
//! do, home steps back, and queues behind who wants it.
//!
//! | field    | who                                      | until            |
//! |----------|------------------------------------------|------------------|
//! | `inside` | home                                     | for ever         |
//! | `wanted` | who has `others`                         | it lets go of it |
//! | `value`  | home, between 1 and 3                    | 3                |
//! | `value`  | who has `others`, from 5 on; home from 2 | it lets go of it |
//!
//! Where the barrier is not to be had this is a plain lock: home is one of the others.
//! As under any lock here no user code runs, so that nobody waits for long.

use std::num::NonZeroUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use wakeline_context::is_home;

use crate::sync::atomic::AtomicBool;
use crate::sync::{Lock, UnsafeCell, barrier, pass_the_time};

/// A value for one at a time; see the module.
pub(crate) struct Favour<T> {
    /// What `is_home` knows home by; nothing for a lock that favours nobody.
    home: Option<NonZeroUsize>,
    inside: AtomicBool,
    wanted: AtomicBool,
    others: Lock<()>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time (the table above), so it moves
// between threads and is never shared.
unsafe impl<T: Send> Sync for Favour<T> {}

impl<T> Favour<T> {
    /// One that favours nobody yet.
    pub(crate) fn new(value: T) -> Favour<T> {
        Favour {
            home: None,
            inside: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            others: Lock::new(()),
            value: UnsafeCell::new(value),
        }
    }

    /// Favours whoever is in this home, which is one thread for ever. Before others
    /// know of the lock, as the exclusive borrow says.
    pub(crate) fn favour(&mut self, home: usize) {
        self.home = NonZeroUsize::new(home).filter(|_| barrier::is_there());
    }

    /// Lets `f` have the value, under the lock: it must not run user code. Nothing if
    /// the system refuses what it had promised to who is not at home.
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.with_as(self.is_favourite(), f)
    }

    #[inline(always)]
    fn with_as<R>(&self, at_home: bool, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        match self.enter_if(at_home) {
            Some(inside) => Some(self.with_inside(&inside, f)),
            None => self.with_others(at_home, f),
        }
    }

    /// As `with` for home, which always gets in.
    ///
    /// # Panics
    ///
    /// Away from home, where `with` has nothing.
    #[inline(always)]
    pub(crate) fn with_own<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        self.with(f).expect("home never waits for the system")
    }

    /// As `with` for home, if nobody has to be waited for; else nothing, and `f` has not
    /// been called.
    #[inline(always)]
    pub(crate) fn with_at_once<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let inside = self.enter_if(self.is_favourite())?;
        Some(self.with_inside(&inside, f))
    }

    #[inline(always)]
    fn with_inside<R>(&self, _inside: &Inside<'_>, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: home is inside, and so nobody else is, until that is dropped.
        self.value.with_mut(|value| f(unsafe { &mut *value }))
    }

    #[cold]
    #[inline(never)]
    fn with_others<R>(&self, at_home: bool, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let _one = self.others.lock();
        let _wanted = match self.home {
            Some(_) if !at_home => Some(self.queue()?),
            _ => None,
        };
        // SAFETY: whoever has `others` and has queued is the only one inside, until
        // both are dropped.
        Some(self.value.with_mut(|value| f(unsafe { &mut *value })))
    }

    #[inline(always)]
    fn enter_if(&self, at_home: bool) -> Option<Inside<'_>> {
        at_home.then(|| self.enter()).flatten()
    }

    /// 1, 2: at home; nothing if that has to wait.
    #[inline]
    fn enter(&self) -> Option<Inside<'_>> {
        // Relaxed: the barrier is between it and the load.
        self.inside.store(true, Relaxed);
        let inside = Inside(&self.inside);
        barrier::light();
        // Acquire pairs with the Release in `Wanted`: what the others did is visible.
        (!self.wanted.load(Acquire)).then_some(inside)
    }

    #[inline]
    fn is_favourite(&self) -> bool {
        self.home.is_some_and(|home| is_home(home.get()))
    }

    /// 4, 5: of a caller who is not at home and has `others`.
    fn queue(&self) -> Option<Wanted<'_>> {
        // Relaxed: the barrier is between it and the load.
        self.wanted.store(true, Relaxed);
        let wanted = Wanted(&self.wanted);
        if !barrier::heavy() {
            return None;
        }
        let mut looks = 0_u32;
        // Acquire pairs with the Release in `Inside`: what home did is visible. It is
        // inside for nanoseconds, unless the kernel has interrupted it there.
        while self.inside.load(Acquire) {
            pass_the_time(looks);
            looks = looks.saturating_add(1);
        }
        Some(wanted)
    }
}

/// 3
struct Inside<'a>(&'a AtomicBool);

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release: see `queue`.
        self.0.store(false, Release);
    }
}

/// 6
struct Wanted<'a>(&'a AtomicBool);

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        // Release: see `enter`.
        self.0.store(false, Release);
    }
}

#[cfg(test)]
mod tests;

#[cfg(all(test, not(loom)))]
mod refused;
