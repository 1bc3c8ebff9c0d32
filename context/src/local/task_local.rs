//! `task_local!`: a value that a scope lends to a future, and to nobody else.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::LocalKey;

use pin_project_lite::pin_project;

use super::AccessError;
use crate::task::level;

/// Declares variables that belong to a future: see [`TaskLocal`](crate::local::TaskLocal).
///
/// # Example
///
/// ```
/// wakeline_context::task_local! {
///     /// The transaction that the handler works in.
///     static TRANSACTION: u64;
/// }
///
/// let seen = TRANSACTION.sync_scope(7, || TRANSACTION.get());
/// assert_eq!(seen, 7);
/// assert!(TRANSACTION.try_get().is_err());
/// ```
#[macro_export]
macro_rules! task_local {
    () => {};
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty $(; $($rest:tt)*)?) => {
        $(#[$attribute])*
        $visibility static $name: $crate::local::TaskLocal<$type> = {
            ::std::thread_local! {
                static SLOT: $crate::local::Slot<$type> = const { $crate::local::Slot::empty() };
            }
            $crate::local::TaskLocal::new(SLOT)
        };
        $($crate::task_local! { $($rest)* })?
    };
}

/// The place of a variable on one thread; for the macro.
#[doc(hidden)]
pub struct Slot<T> {
    value: RefCell<Option<T>>,
    /// For whom: who is run in the midst of that one sees nothing.
    level: Cell<u32>,
}

impl<T> Slot<T> {
    #[must_use]
    pub const fn empty() -> Slot<T> {
        Slot {
            value: RefCell::new(None),
            level: Cell::new(0),
        }
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// A variable that belongs to a future: declared by [`task_local!`](crate::task_local).
///
/// Only a scope gives it a value. The value goes where the scope's future goes,
/// from thread to thread, and is there in each of its polls and in its drop:
/// on completion, on abort, and if it was never polled. Tasks spawned inside do
/// not see it; [`ContextLocal`](super::ContextLocal) is the sort they inherit.
pub struct TaskLocal<T: 'static> {
    slot: LocalKey<Slot<T>>,
}

impl<T: 'static> TaskLocal<T> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(slot: LocalKey<Slot<T>>) -> TaskLocal<T> {
        TaskLocal { slot }
    }

    /// A future that runs `future` with this value.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops `future` while the value is still there.
    ///
    /// # Example
    ///
    /// ```
    /// use std::task::{Context, Poll, Waker};
    ///
    /// wakeline_context::task_local! { static USER: &'static str; }
    ///
    /// let mut greeting = std::pin::pin!(USER.scope("ann", async { format!("hello {}", USER.get()) }));
    /// let polled = greeting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    /// assert_eq!(polled, Poll::Ready("hello ann".to_owned()));
    /// ```
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> TaskScope<T, F> {
        TaskScope {
            local: self,
            future: Some(future),
            value: Some(value),
        }
    }

    /// Runs `f` with this value.
    ///
    /// # Panics
    ///
    /// If `f` does, and inside the closure of [`with`](TaskLocal::with).
    #[track_caller]
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let mut value = Some(value);
        match self.lend(&mut value, f) {
            Ok(result) => result,
            Err(why) => panic!("{why}"),
        }
    }

    /// Shows the value to `f`.
    ///
    /// # Panics
    ///
    /// Without a scope around; [`try_with`](TaskLocal::try_with) asks.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// Shows the value to `f`, if there is one.
    ///
    /// # Errors
    ///
    /// Without a scope around, or while the thread ends.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let shown = self.slot.try_with(|slot| {
            let theirs = slot.level.get() == level();
            let value = slot.value.borrow();
            value.as_ref().filter(|_| theirs).map(f)
        });
        shown.ok().flatten().ok_or(AccessError(()))
    }

    /// A copy of the value.
    ///
    /// # Panics
    ///
    /// Without a scope around; [`try_get`](TaskLocal::try_get) asks.
    #[must_use]
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    /// A copy of the value, if there is one.
    ///
    /// # Errors
    ///
    /// Without a scope around, or while the thread ends.
    pub fn try_get(&'static self) -> Result<T, AccessError>
    where
        T: Clone,
    {
        self.try_with(T::clone)
    }

    /// Runs `f` with `value` in the slot; afterwards both are as before.
    fn lend<R>(&'static self, value: &mut Option<T>, f: impl FnOnce() -> R) -> Result<R, NotLent> {
        /// Swaps back, also after a panic.
        struct Lent<'a, T: 'static> {
            local: &'static TaskLocal<T>,
            value: &'a mut Option<T>,
            level: u32,
        }
        impl<T: 'static> Drop for Lent<'_, T> {
            fn drop(&mut self) {
                // It worked on the way in. A borrow that is new since then would
                // be a `with` around this very guard, and its closure has ended.
                let swapped = self.local.swap(self.value, self.level);
                debug_assert!(swapped.is_ok(), "a task local was not given back");
            }
        }
        let before = self.swap(value, level())?;
        let _lent = Lent {
            local: self,
            value,
            level: before,
        };
        Ok(f())
    }

    /// The level of the value that comes out.
    fn swap(&'static self, value: &mut Option<T>, level: u32) -> Result<u32, NotLent> {
        self.slot
            .try_with(|slot| {
                let there = slot.value.try_borrow_mut();
                let mut there = there.map_err(|_| NotLent::Borrowed)?;
                std::mem::swap(&mut *there, value);
                Ok(slot.level.replace(level))
            })
            .unwrap_or(Err(NotLent::ThreadEnds))
    }
}

/// Why a value cannot be put in place.
#[derive(Debug)]
enum NotLent {
    Borrowed,
    ThreadEnds,
}

impl fmt::Display for NotLent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotLent::Borrowed => {
                "a scope of a task local inside a `with` of the same: take what you need out of \
                 the closure first"
            }
            NotLent::ThreadEnds => "a task local has no place any more: the thread is ending",
        })
    }
}

impl<T: 'static> fmt::Debug for TaskLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskLocal")
    }
}

pin_project! {
    /// The future of [`TaskLocal::scope`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct TaskScope<T: 'static, F> {
        local: &'static TaskLocal<T>,
        // Taken when it is ready: it is dropped while the value is there.
        #[pin]
        future: Option<F>,
        value: Option<T>,
    }

    impl<T: 'static, F> PinnedDrop for TaskScope<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                // Where no slot can be had it is dropped without, by the fields' drop.
                drop(this.local.lend(this.value, || this.future.set(None)));
            }
        }
    }
}

impl<T: 'static, F> TaskScope<T, F> {
    /// Takes the value out; what runs on sees none.
    pub fn take_value(self: Pin<&mut Self>) -> Option<T> {
        self.project().value.take()
    }
}

impl<T: 'static, F: Future> Future for TaskScope<T, F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let polled = this.local.lend(this.value, || {
            let future = this.future.as_mut().as_pin_mut();
            let polled = future
                .expect("a scope was polled after it was ready")
                .poll(cx);
            if polled.is_ready() {
                this.future.set(None);
            }
            polled
        });
        match polled {
            Ok(polled) => polled,
            Err(why) => panic!("{why}"),
        }
    }
}

impl<T: 'static, F> fmt::Debug for TaskScope<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskScope")
            .field("ended", &self.future.is_none())
            .finish_non_exhaustive()
    }
}
