//! A value with an asynchronous finalizer, which runs once.
//!
//! ```text
//!   Armed ──1──▶ in the lane      1 drop      wherever: by `?`, `select!`, a panic, a cancel
//!     ├─────2──▶ Closing ──▶ ran  2 `close`   inline; dropped half-way, it goes to the lane
//!     └─────3──▶ the value        3 `disarm`  back to the caller, without finalizer
//! ```
//! In the lane it is polled until the lane's time is over, and then dropped.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::shared::{Core, Finalizer, Work};
use super::{LocalFuture, SendFuture};

/// What guards of both sorts are: `M` makes the finalizer's future.
struct Armed<T, F, E, M>
where
    M: FnOnce(T) -> Work<F>,
{
    /// Both are taken together.
    value: Option<(T, M)>,
    core: Arc<Core<F, E>>,
    /// The child that made it.
    origin: u64,
    location: &'static Location<'static>,
}

impl<T, F, E, M> Armed<T, F, E, M>
where
    M: FnOnce(T) -> Work<F>,
{
    #[track_caller]
    fn new(core: &Arc<Core<F, E>>, value: T, make: M) -> Armed<T, F, E, M> {
        Armed {
            value: Some((value, make)),
            core: Arc::clone(core),
            origin: core.link.origin(),
            location: Location::caller(),
        }
    }

    fn close(mut self) -> Closing<F, E> {
        let work = self.value.take().map(|(value, make)| make(value));
        Closing {
            work,
            core: Arc::clone(&self.core),
            origin: self.origin,
            location: self.location,
        }
    }

    fn disarm(mut self) -> T {
        match self.value.take() {
            Some((value, _make)) => value,
            None => unreachable!("the value is taken only with the guard"),
        }
    }

    fn get(&self) -> &T {
        match &self.value {
            Some((value, _)) => value,
            None => unreachable!("the value is taken only with the guard"),
        }
    }

    fn get_mut(&mut self) -> &mut T {
        match &mut self.value {
            Some((value, _)) => value,
            None => unreachable!("the value is taken only with the guard"),
        }
    }
}

impl<T, F, E, M> Drop for Armed<T, F, E, M>
where
    M: FnOnce(T) -> Work<F>,
{
    fn drop(&mut self) {
        if let Some((value, make)) = self.value.take() {
            self.core.finalize(Finalizer {
                origin: self.origin,
                location: self.location,
                work: make(value),
            });
        }
    }
}

/// A finalizer on its way; dropped before its end, it goes to the lane.
struct Closing<F, E> {
    work: Option<Work<F>>,
    core: Arc<Core<F, E>>,
    origin: u64,
    location: &'static Location<'static>,
}

impl<F, E> Closing<F, E>
where
    F: Future<Output = Result<(), E>> + Unpin,
{
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Out of its place while it is polled: if it panics, it is gone.
        let Some(mut work) = self.work.take() else {
            panic!("the guard made at {} was closed before", self.location)
        };
        let polled = match &mut work {
            Work::Borrowed(work) => Pin::new(work).poll(cx).map(drop),
            Work::Owned(work) => work.as_mut().poll(cx),
        };
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl<F, E> Drop for Closing<F, E> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.core.finalize(Finalizer {
                origin: self.origin,
                location: self.location,
                work,
            });
        }
    }
}

type Make<'e, T, E> = Box<dyn FnOnce(T) -> Work<SendFuture<'e, E>> + Send + 'e>;
type LocalMake<'e, T, E> = Box<dyn FnOnce(T) -> Work<LocalFuture<'e, E>> + 'e>;

macro_rules! guard {
    ($Guard:ident, $Close:ident, $Future:ident, $Make:ident, $of:literal, $close_of:literal) => {
        #[doc = $of]
        ///
        /// It derefs to the value. Dropping it moves the value and the finalizer
        /// into the cleanup lane of the scope; if that has ended, the value is
        /// dropped.
        #[must_use = "dropping the guard runs its finalizer"]
        pub struct $Guard<'e, T, E> {
            armed: Armed<T, $Future<'e, E>, E, $Make<'e, T, E>>,
        }

        impl<'e, T, E> $Guard<'e, T, E> {
            #[track_caller]
            pub(super) fn new(
                core: &Arc<Core<$Future<'e, E>, E>>,
                value: T,
                make: $Make<'e, T, E>,
            ) -> Self {
                $Guard {
                    armed: Armed::new(core, value, make),
                }
            }

            /// Runs the finalizer here and now.
            ///
            /// # Cancellation
            ///
            /// Dropping the future moves the finalizer, as far as it has come,
            /// into the cleanup lane, which runs the rest.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::{ScopeError, scope};
            ///
            /// let result: Result<(), ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     let file = s.guard(3, |_fd| async { /* flush it */ });
            ///     file.close().await;
            ///     Ok(())
            /// }));
            /// assert!(result.is_ok());
            /// ```
            pub fn close(self) -> $Close<'e, E> {
                $Close {
                    closing: self.armed.close(),
                }
            }

            /// Gives the value back; its finalizer is dropped and does not run.
            ///
            /// # Example
            ///
            /// ```
            /// use wakeline::{ScopeError, scope};
            ///
            /// let result: Result<u8, ScopeError<()>> = wakeline::block_on(scope(|s| async move {
            ///     let guard = s.guard(3, |_| async { unreachable!() });
            ///     Ok(guard.disarm())
            /// }));
            /// assert_eq!(result.unwrap(), 3);
            /// ```
            pub fn disarm(self) -> T {
                self.armed.disarm()
            }
        }

        impl<T, E> Deref for $Guard<'_, T, E> {
            type Target = T;

            fn deref(&self) -> &T {
                self.armed.get()
            }
        }

        impl<T, E> DerefMut for $Guard<'_, T, E> {
            fn deref_mut(&mut self) -> &mut T {
                self.armed.get_mut()
            }
        }

        impl<T: fmt::Debug, E> fmt::Debug for $Guard<'_, T, E> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Guard))
                    .field("value", self.armed.get())
                    .finish_non_exhaustive()
            }
        }

        #[doc = $close_of]
        #[must_use = "the finalizer runs here only when this is awaited"]
        pub struct $Close<'e, E> {
            closing: Closing<$Future<'e, E>, E>,
        }

        impl<E> Unpin for $Close<'_, E> {}

        impl<E> Future for $Close<'_, E> {
            type Output = ();

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
                self.closing.poll_work(cx)
            }
        }

        impl<E> fmt::Debug for $Close<'_, E> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Close)).finish_non_exhaustive()
            }
        }
    };
}

guard!(
    Guard,
    Close,
    SendFuture,
    Make,
    "A value with an asynchronous finalizer; see [`Scope::guard`](super::Scope::guard).",
    "The future of [`Guard::close`]."
);
guard!(
    LocalGuard,
    LocalClose,
    LocalFuture,
    LocalMake,
    "A value with an asynchronous finalizer; see [`LocalScope::guard`](super::LocalScope::guard).",
    "The future of [`LocalGuard::close`]."
);
