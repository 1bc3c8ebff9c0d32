//! A value that only a holder of permits can reach: the unsafe part of `Mutex`
//! and `RwLock`, and all of this crate's.
//!
//! A `Guarded` is a semaphore and a value. Who holds all of the permits may
//! change the value, who holds one may look at it; a `Mutex` has one in all. The
//! right is a type, made only here (`taking.rs` waits), from permits just taken:
//!
//! ```text
//!                     take ALL            drop: gives ALL
//!   nobody's ────────────1───────▶ Exclusive ──────2──────▶ nobody's
//!       │                              │ 3 downgrade: gives ALL - 1
//!       │             take 1           ▼  drop: gives 1
//!       └────────────────4───────▶ Shared ─────────5──────▶ nobody's
//! ```
//! 1, 4 `try_take`, or `Taking` when the semaphore granted them
//! 2, 5 the fields are dropped: the access ends, then `Held` gives back
//! 3    `Exclusive::downgrade`
//!
//! | field     | who                                   | until                  |
//! |-----------|---------------------------------------|------------------------|
//! | semaphore | anyone, it is `Sync`                  | the last reference     |
//! | value     | reads and writes: the one `Exclusive` | its `Held` is dropped  |
//! | value     | reads: every `Shared`                 | its `Held` is dropped  |
//! | value     | the owner of the `Guarded`, by `&mut` | the borrow ends        |
//!
//! "The one": `Exclusive` holds ALL permits and there are never more, since
//! permits are given back only by `Held`, each as often as it was taken. The
//! semaphore is never closed and nothing is ever added to it.
//!
//! What the last holder wrote is visible to the next: giving is Release, taking
//! Acquire (`semaphore.rs`).

mod taking;

pub(crate) use taking::Taking;

use crate::mutex::Mutex;
use crate::rwlock::RwLock;
use crate::semaphore::Semaphore;
use crate::sync::{ConstPtr, MutPtr, UnsafeCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// At most one may look: the value need not be `Sync`.
#[derive(Debug)]
pub(crate) struct OneAtATime;

/// Several may look at once, unless one changes it.
#[derive(Debug)]
pub(crate) struct ManyReaders;

/// How many permits the right to change the value takes.
pub(crate) trait Mode {
    const ALL: usize;
    /// What one who has some must remember of their number.
    type Count: Count;
}

impl Mode for OneAtATime {
    const ALL: usize = 1;
    type Count = One;
}

impl Mode for ManyReaders {
    const ALL: usize = (u32::MAX >> 3) as usize;
    type Count = usize;
}

/// A number of permits.
pub(crate) trait Count: Copy {
    fn of(permits: usize) -> Self;
    fn get(self) -> usize;
}

/// One, which takes no room in a guard.
#[derive(Clone, Copy)]
pub(crate) struct One;

impl Count for One {
    #[inline]
    fn of(permits: usize) -> One {
        debug_assert_eq!(permits, 1);
        One
    }

    #[inline]
    fn get(self) -> usize {
        1
    }
}

impl Count for usize {
    #[inline]
    fn of(permits: usize) -> usize {
        permits
    }

    #[inline]
    fn get(self) -> usize {
        self
    }
}

/// A value behind a semaphore.
pub(crate) struct Guarded<T: ?Sized, M> {
    semaphore: Semaphore,
    mode: PhantomData<M>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through `Exclusive` only, of which there is one at
// a time (the table above), so it moves between threads and is never shared.
unsafe impl<T: ?Sized + Send> Sync for Guarded<T, OneAtATime> {}
// SAFETY: as above, and the `Shared`s of several threads look at it at once,
// which is what `T: Sync` permits.
unsafe impl<T: ?Sized + Send + Sync> Sync for Guarded<T, ManyReaders> {}

impl<T, M: Mode> Guarded<T, M> {
    pub(crate) fn new(value: T) -> Guarded<T, M> {
        Guarded {
            semaphore: Semaphore::new(M::ALL),
            mode: PhantomData,
            value: UnsafeCell::new(value),
        }
    }

    pub(crate) fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized, M> Guarded<T, M> {
    pub(crate) fn get_mut(&mut self) -> &mut T {
        let access = self.value.get_mut();
        // SAFETY: `&mut self` is the last row of the table: no `Exclusive` and no
        // `Shared` exists, as each keeps a reference, and the result borrows it.
        unsafe { &mut *access.with(|value| value) }
    }
}

/// A way to a `Guarded` that stays where it is: a reference or an `Arc`.
///
/// Only this file implements it, since the rights below rest on `guarded` giving
/// the same one each time, for as long as the holder lives.
pub(crate) trait Holder {
    type Value: ?Sized;
    type Mode: Mode;
    fn guarded(&self) -> &Guarded<Self::Value, Self::Mode>;
}

impl<T: ?Sized> Holder for &Mutex<T> {
    type Value = T;
    type Mode = OneAtATime;
    #[inline]
    fn guarded(&self) -> &Guarded<T, OneAtATime> {
        self.guarded_value()
    }
}

impl<T: ?Sized> Holder for Arc<Mutex<T>> {
    type Value = T;
    type Mode = OneAtATime;
    #[inline]
    fn guarded(&self) -> &Guarded<T, OneAtATime> {
        self.guarded_value()
    }
}

impl<T: ?Sized> Holder for &RwLock<T> {
    type Value = T;
    type Mode = ManyReaders;
    #[inline]
    fn guarded(&self) -> &Guarded<T, ManyReaders> {
        self.guarded_value()
    }
}

impl<T: ?Sized> Holder for Arc<RwLock<T>> {
    type Value = T;
    type Mode = ManyReaders;
    #[inline]
    fn guarded(&self) -> &Guarded<T, ManyReaders> {
        self.guarded_value()
    }
}

/// Permits that were taken, given back when this is dropped.
pub(crate) struct Held<H: Holder> {
    holder: H,
    permits: <H::Mode as Mode>::Count,
}

impl<H: Holder> Held<H> {
    /// `permits` were taken just now.
    #[inline]
    fn new(holder: H, permits: usize) -> Held<H> {
        Held {
            holder,
            permits: Count::of(permits),
        }
    }
}

impl<H: Holder> Drop for Held<H> {
    #[inline]
    fn drop(&mut self) {
        self.holder.guarded().semaphore.give(self.permits.get());
    }
}

/// What permits are taken for.
pub(crate) trait Right<H: Holder>: Sized {
    const PERMITS: usize;

    /// `held` has [`PERMITS`](Right::PERMITS), taken just now.
    fn of(held: Held<H>) -> Self;

    /// The right, if it can be had at once and nobody waits for his.
    #[inline]
    fn try_take(holder: H) -> Result<Self, H> {
        match holder.guarded().semaphore.try_take(Self::PERMITS) {
            Ok(()) => Ok(Self::of(Held::new(holder, Self::PERMITS))),
            Err(_) => Err(holder),
        }
    }
}

/// The right to change the value.
pub(crate) struct Exclusive<H: Holder> {
    // The order of the fields is the protocol: the access ends before others may.
    access: MutPtr<H::Value>,
    held: Held<H>,
}

/// The right to look at the value.
pub(crate) struct Shared<H: Holder> {
    // The order of the fields: as above.
    access: ConstPtr<H::Value>,
    held: Held<H>,
}

impl<H: Holder> Right<H> for Exclusive<H> {
    const PERMITS: usize = H::Mode::ALL;

    #[inline]
    fn of(held: Held<H>) -> Exclusive<H> {
        debug_assert_eq!(held.permits.get(), H::Mode::ALL);
        Exclusive {
            access: held.holder.guarded().value.get_mut(),
            held,
        }
    }
}

impl<H: Holder<Mode = ManyReaders>> Right<H> for Shared<H> {
    const PERMITS: usize = 1;

    #[inline]
    fn of(held: Held<H>) -> Shared<H> {
        debug_assert_eq!(held.permits.get(), 1);
        Shared {
            access: held.holder.guarded().value.get(),
            held,
        }
    }
}

impl<H: Holder> Exclusive<H> {
    #[inline]
    pub(crate) fn holder(&self) -> &H {
        &self.held.holder
    }

    #[inline]
    pub(crate) fn get(&self) -> &H::Value {
        // SAFETY: `held` has all permits until it is dropped, which the result,
        // borrowing `self`, does not outlive; `get_mut` borrows `self` mutably.
        self.access.with(|value| unsafe { &*value })
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut H::Value {
        // SAFETY: as in `get`, and `&mut self` lends it once at a time.
        self.access.with(|value| unsafe { &mut *value })
    }
}

impl<H: Holder<Mode = ManyReaders>> Exclusive<H> {
    /// Lets others look, and keeps looking: no writer comes in between.
    pub(crate) fn downgrade(self) -> Shared<H> {
        let mut held = self.end_access();
        held.permits = Count::of(1);
        // Before the others have theirs: for loom, the two never overlap.
        let access = held.holder.guarded().value.get();
        held.holder.guarded().semaphore.give(H::Mode::ALL - 1);
        Shared { access, held }
    }

    fn end_access(self) -> Held<H> {
        self.held
    }
}

impl<H: Holder> Shared<H> {
    #[inline]
    pub(crate) fn holder(&self) -> &H {
        &self.held.holder
    }

    #[inline]
    pub(crate) fn get(&self) -> &H::Value {
        // SAFETY: `held` has a permit until it is dropped, which the result,
        // borrowing `self`, does not outlive; nobody has all of them meanwhile.
        self.access.with(|value| unsafe { &*value })
    }
}

// SAFETY: the pointer stands for a `&mut Value`, which may move to another thread
// if the value may, and the holder says so of itself.
unsafe impl<H: Holder + Send> Send for Exclusive<H> where H::Value: Send {}
// SAFETY: a shared `Exclusive` gives out `&Value` only.
unsafe impl<H: Holder + Sync> Sync for Exclusive<H> where H::Value: Sync {}
// SAFETY: the pointer stands for a `&Value`, which may move to another thread if
// the value may be shared.
unsafe impl<H: Holder + Send> Send for Shared<H> where H::Value: Sync {}
// SAFETY: as above.
unsafe impl<H: Holder + Sync> Sync for Shared<H> where H::Value: Sync {}

impl<H: Holder> fmt::Debug for Held<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("permits", &self.permits.get())
            .finish_non_exhaustive()
    }
}

/// What must not compile, for the rights above to be sound.
///
/// A value that may not be shared cannot be read by several threads at once:
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(wakeline_sync::RwLock::new(std::cell::Cell::new(7)));
/// ```
/// though one after the other may have it:
/// ```
/// fn shared<T: Sync>(_: T) {}
/// shared(wakeline_sync::Mutex::new(std::cell::Cell::new(7)));
/// ```
/// A value that may not be sent goes nowhere, neither by its lock
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(wakeline_sync::Mutex::new(std::rc::Rc::new(7)));
/// ```
/// nor in its guard, which gives it out mutably and so could be emptied elsewhere:
/// ```compile_fail,E0277
/// fn sent<T: Send>(_: T) {}
/// let lock = wakeline_sync::Mutex::new(std::rc::Rc::new(7));
/// sent(lock.try_lock().unwrap());
/// ```
/// A guard of a value that may not be shared may not be shared:
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// let lock = wakeline_sync::Mutex::new(std::cell::Cell::new(7));
/// shared(lock.try_lock().unwrap());
/// ```
/// What is lent by a guard ends with it:
/// ```compile_fail,E0505
/// let lock = wakeline_sync::Mutex::new(vec![7]);
/// let guard = lock.try_lock().unwrap();
/// let seven = &guard[0];
/// drop(guard);
/// println!("{seven}");
/// ```
/// and a shorter life cannot be put into a longer one:
/// ```compile_fail,E0597
/// let lock: wakeline_sync::Mutex<&str> = wakeline_sync::Mutex::new("");
/// {
///     let short = String::from("short");
///     *lock.try_lock().unwrap() = &short;
/// }
/// println!("{lock:?}");
/// ```
#[cfg(doctest)]
struct MustNotCompile;
