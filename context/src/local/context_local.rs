//! `context_local!`: a value that spawned tasks and blocking jobs inherit.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::AccessError;
use crate::ambient::AnyValue;
use crate::{Key, Locals};

/// Declares variables that spawned tasks inherit: see
/// [`ContextLocal`](crate::local::ContextLocal). With `= default` there is
/// always a value: the default is made once, when it is first asked for.
///
/// # Example
///
/// ```
/// wakeline_context::context_local! {
///     /// The request that this work is for.
///     static REQUEST: u64;
///     static TENANT: String = "nobody".to_owned();
/// }
///
/// assert_eq!(REQUEST.sync_scope(7, || REQUEST.get()), 7);
/// assert!(REQUEST.try_get().is_err());
/// assert_eq!(TENANT.get(), "nobody");
/// ```
#[macro_export]
macro_rules! context_local {
    () => {};
    (
        $(#[$attribute:meta])*
        $visibility:vis static $name:ident: $type:ty = $default:expr $(; $($rest:tt)*)?
    ) => {
        $(#[$attribute])*
        $visibility static $name: $crate::local::ContextLocal<$type> =
            $crate::local::ContextLocal::new(::std::option::Option::Some(|| $default));
        $($crate::context_local! { $($rest)* })?
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty $(; $($rest:tt)*)?) => {
        $(#[$attribute])*
        $visibility static $name: $crate::local::ContextLocal<$type> =
            $crate::local::ContextLocal::new(::std::option::Option::None);
        $($crate::context_local! { $($rest)* })?
    };
}

/// A variable that spawned tasks inherit: declared by [`context_local!`](crate::context_local).
///
/// Only a scope gives it a value, for the polls and the drop of a future. What
/// is spawned inside, also a blocking job, takes the value along and keeps it,
/// whatever becomes of the scope. What a task sets, neither its parent nor its
/// siblings see.
pub struct ContextLocal<T: 'static> {
    key: Key,
    default: Option<fn() -> T>,
    made: OnceLock<T>,
}

impl<T: Send + Sync + 'static> ContextLocal<T> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(default: Option<fn() -> T>) -> ContextLocal<T> {
        ContextLocal {
            key: Key::new(),
            default,
            made: OnceLock::new(),
        }
    }

    /// A future that runs `future` with this value.
    ///
    /// The variables around it are those of its first poll.
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
    /// wakeline_context::context_local! { static REQUEST: u64 = 0; }
    ///
    /// let mut seen = std::pin::pin!(REQUEST.scope(7, async { REQUEST.get() }));
    /// let polled = seen.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    /// assert_eq!(polled, Poll::Ready(7));
    /// assert_eq!(REQUEST.get(), 0);
    /// ```
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> ContextScope<F> {
        ContextScope {
            future: Some(future),
            inside: Inside {
                key: &self.key,
                value: Some(Arc::new(value)),
                locals: Locals::empty(),
            },
        }
    }

    /// Runs `f` with this value.
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let _inside = Locals::current().with(&self.key, value).install();
        f()
    }

    /// Shows the value to `f`.
    ///
    /// # Panics
    ///
    /// With neither a scope around nor a default.
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
    /// With neither a scope around nor a default.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        // Held, not borrowed: `f` may enter another scope.
        let locals = Locals::current();
        if let Some(value) = locals.get::<T>(&self.key) {
            return Ok(f(value));
        }
        let default = self.default.ok_or(AccessError(()))?;
        Ok(f(self.made.get_or_init(default)))
    }

    /// A copy of the value.
    ///
    /// # Panics
    ///
    /// With neither a scope around nor a default.
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
    /// With neither a scope around nor a default.
    pub fn try_get(&'static self) -> Result<T, AccessError>
    where
        T: Clone,
    {
        self.try_with(T::clone)
    }
}

impl<T: 'static> fmt::Debug for ContextLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContextLocal")
    }
}

pin_project! {
    /// The future of [`ContextLocal::scope`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ContextScope<F> {
        // Taken when it is ready: it is dropped while the value is there.
        #[pin]
        future: Option<F>,
        inside: Inside,
    }

    impl<F> PinnedDrop for ContextScope<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                let _inside = this.inside.locals().install();
                this.future.set(None);
            }
        }
    }
}

/// The values inside of a scope: those around it and its own.
struct Inside {
    key: &'static Key,
    /// Until the first poll.
    value: Option<AnyValue>,
    /// From the first poll on.
    locals: Locals,
}

impl Inside {
    fn locals(&mut self) -> Locals {
        if let Some(value) = self.value.take() {
            self.locals = Locals::current().prolonged(self.key, value);
        }
        self.locals.clone()
    }
}

impl<F: Future> Future for ContextScope<F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _inside = this.inside.locals().install();
        let future = this.future.as_mut().as_pin_mut();
        let polled = future
            .expect("a scope was polled after it was ready")
            .poll(cx);
        if polled.is_ready() {
            this.future.set(None);
        }
        polled
    }
}

impl<F> fmt::Debug for ContextScope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextScope")
            .field("ended", &self.future.is_none())
            .finish_non_exhaustive()
    }
}
