//! A value that is made once, by whoever needs it first.
//!
//! ```text
//!   empty ──1──▶ being made ──3──▶ full
//!     ▲              │
//!     └──────2───────┘
//! ```
//! 1 `get_or_init`, `set`   the one permit is taken; others wait for it in a queue
//! 2 it fails, panics or is dropped: the permit goes to the next in the queue,
//!   which makes the value its own way
//! 3 the value is put in place, then the semaphore closed: that wakes all who
//!   wait, and they find the value
//!
//! In this order: who finds the semaphore closed finds the value. The value's
//! place is std's `OnceLock`; as only the holder of the permit fills it, no thread
//! ever blocks there.

mod init;

pub use init::{GetOrInit, GetOrTryInit};

use crate::semaphore::{Permit, Semaphore};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::OnceLock;

/// A value that is made once, by the first task that asks for it, while the
/// others wait.
///
/// # Example
///
/// ```
/// use wakeline_sync::OnceCell;
///
/// struct Client {
///     token: OnceCell<String>,
/// }
///
/// impl Client {
///     async fn token(&self) -> Result<&String, std::io::Error> {
///         self.token.get_or_try_init(|| async { log_in().await }).await
///     }
/// }
///
/// async fn log_in() -> Result<String, std::io::Error> {
///     Ok("secret".into())
/// }
/// # let _ = Client::token;
/// ```
pub struct OnceCell<T> {
    value: OnceLock<T>,
    /// One permit: the right to make the value. Closed once it is there.
    making: Semaphore,
}

impl<T> OnceCell<T> {
    /// An empty cell.
    #[must_use]
    pub fn new() -> OnceCell<T> {
        OnceCell {
            value: OnceLock::new(),
            making: Semaphore::new(1),
        }
    }

    /// The value, if it is there.
    ///
    /// # Example
    ///
    /// ```
    /// let cell = wakeline_sync::OnceCell::new();
    /// assert_eq!(cell.get(), None);
    /// cell.set(7)?;
    /// assert_eq!(cell.get(), Some(&7));
    /// # Ok::<(), wakeline_sync::SetError<i32>>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, if it is there and nobody else can look at it.
    #[must_use]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// The value, if it is there.
    #[must_use]
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out and leaves the cell empty.
    ///
    /// # Example
    ///
    /// ```
    /// let mut cell = wakeline_sync::OnceCell::from(7);
    /// assert_eq!(cell.take(), Some(7));
    /// assert_eq!(cell.get(), None);
    /// ```
    #[must_use]
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }

    /// Puts a value in place if nobody has and nobody is making one.
    ///
    /// # Errors
    ///
    /// [`SetError`], which has the value.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::{OnceCell, SetError};
    ///
    /// let cell = OnceCell::new();
    /// assert!(cell.set(1).is_ok());
    /// assert_eq!(cell.set(2), Err(SetError::AlreadyInitialized(2)));
    /// ```
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        match self.making.try_acquire() {
            Ok(permit) => {
                self.fill(value, permit);
                Ok(())
            }
            Err(_) if self.get().is_some() => Err(SetError::AlreadyInitialized(value)),
            Err(_) => Err(SetError::Initializing(value)),
        }
    }

    /// The value; if there is none, waits until one is made, by another task or
    /// by this one with `init`.
    ///
    /// `init` is called if nobody else is at it. If the one who is gives up or
    /// panics, the next that waits calls its own.
    ///
    /// An `init` that asks for the same cell waits for itself, for ever.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops what `init` gave; the next that waits begins
    /// anew.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::OnceCell;
    ///
    /// async fn greeting(cell: &OnceCell<String>) -> &str {
    ///     cell.get_or_init(|| async { "hello".into() }).await
    /// }
    /// # let _ = greeting;
    /// ```
    #[track_caller]
    pub fn get_or_init<F, Fut>(&self, init: F) -> GetOrInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        GetOrInit::new(self, init, Location::caller())
    }

    /// [`get_or_init`](OnceCell::get_or_init) with an `init` that may fail.
    ///
    /// # Errors
    ///
    /// What `init` failed with; the next that waits calls its own.
    ///
    /// # Cancellation
    ///
    /// As for [`get_or_init`](OnceCell::get_or_init).
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::OnceCell;
    ///
    /// async fn settings(cell: &OnceCell<String>) -> std::io::Result<&String> {
    ///     cell.get_or_try_init(|| async { std::fs::read_to_string("settings") }).await
    /// }
    /// # let _ = settings;
    /// ```
    #[track_caller]
    pub fn get_or_try_init<F, Fut, E>(&self, init: F) -> GetOrTryInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetOrTryInit::new(self, init, Location::caller())
    }

    /// By the one with the permit: puts the value in place and tells everyone.
    fn fill(&self, value: T, permit: Permit<'_>) -> &T {
        let value = self.value.get_or_init(|| value);
        // After that: who finds it closed looks for the value.
        self.making.close();
        permit.forget();
        value
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> OnceCell<T> {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> OnceCell<T> {
        let cell = OnceCell::new();
        let permit = cell.making.try_acquire().expect("nobody knows of it yet");
        cell.fill(value, permit);
        cell
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_tuple("OnceCell");
        match self.get() {
            Some(value) => out.field(value),
            None => out.field(&format_args!("<empty>")),
        };
        out.finish()
    }
}

/// Why a value was not put in place; it is in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetError<T> {
    /// There is one.
    AlreadyInitialized(T),
    /// A task is making one.
    Initializing(T),
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::AlreadyInitialized(_) => "the cell has a value",
            SetError::Initializing(_) => "a task is making the cell's value",
        })
    }
}

impl<T: fmt::Debug> Error for SetError<T> {}

#[cfg(test)]
mod tests;
