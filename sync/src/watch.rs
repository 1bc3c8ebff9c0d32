//! A channel that keeps one value, the last: for what changes and is looked at.
//!
//! ```text
//!   senders ──1──▶ ┌───────┐  version  ──2──▶ receivers: each has a version it
//!                  │ value │ ┌────────┐       has seen; "changed" is a version
//!                  └───────┘ │ 17 | C │       that differs
//!                            └────────┘
//! ```
//! 1 `Shared::store`     the value is replaced and the version raised under the
//!                       value's lock, then everyone who waits is woken
//! 2 `Receiver::changed` compares versions, and only if they are equal looks at C
//!
//! C says that the last sender is gone. It shares a word with the version, so one
//! look gives both: a receiver never takes the end for true while there is a
//! value that it has not seen.
//!
//! # The value's lock is yours
//!
//! [`Receiver::borrow`] gives a guard that holds a readers' lock until it is
//! dropped, and [`Sender::send_modify`] runs its closure under the writers' lock.
//! So a guard that is kept makes senders block their threads: clone what you
//! need and let go. Sending while the same thread has a guard never returns.
//!
//! Nor may a second guard be had on a thread that has one of this channel, by any of
//! its handles: a sender that came in between goes first, and waits for the guard that
//! is there. Then all of them wait for ever:
//!
//! ```text
//!   this thread   borrow: has a guard           borrow again: behind the sender
//!   another                            send: waits for the guard
//! ```
//! Nothing else of this module runs foreign code under a lock: old values are
//! dropped, and wakers called, outside.
//!
//! # Example
//!
//! ```
//! use wakeline_sync::watch;
//!
//! let (config, mut reader) = watch::channel("v1");
//! assert_eq!(reader.has_changed(), Ok(false));
//! config.send("v2").expect("a reader is there");
//! config.send("v3").expect("a reader is there");
//! drop(config);
//! assert_eq!(*reader.borrow_and_update(), "v3"); // v2 was never seen, nor is it kept
//! assert!(reader.has_changed().is_err()); // seen, and nothing will come
//! ```

mod changed;
mod receiver;
mod sender;

pub use changed::{Changed, WaitFor};
pub use receiver::{Receiver, Ref};
pub use sender::{Closing, Sender};

use crate::sync::SharedLock;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::wait_list::WaitList;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A channel whose value is `value` until another is sent.
///
/// The receiver has seen this one.
#[must_use = "without a sender the value never changes"]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        value: SharedLock::new(value),
        state: AtomicU64::new(0),
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(0),
        changes: WaitList::new(()),
        leaving: WaitList::new(()),
    });
    let receiver = Receiver::new(Arc::clone(&shared), Version(0));
    (Sender::new(shared), receiver)
}

/// The bit of `state` that says that the last sender is gone.
const CLOSED: u64 = 1;
/// What a change adds to `state`.
const CHANGE: u64 = 2;

struct Shared<T> {
    value: SharedLock<T>,
    /// The version, which grows under the value's writers' lock, and `CLOSED`.
    state: AtomicU64,
    senders: AtomicUsize,
    /// Changes under the lock of `leaving`.
    receivers: AtomicUsize,
    /// Receivers that wait for a change; a grant means "look again".
    changes: WaitList<(), ()>,
    /// Senders that wait until there is no receiver.
    leaving: WaitList<(), ()>,
}

/// Which value it is, counted from the channel's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version(u64);

/// One look at the word.
#[derive(Clone, Copy, Debug)]
struct Look {
    version: Version,
    closed: bool,
}

impl<T> Shared<T> {
    fn look(&self) -> Look {
        // Acquire pairs with the Release in `store` and in `close`: what was done
        // before the change or the close is visible.
        let state = self.state.load(Ordering::Acquire);
        Look {
            version: Version(state & !CLOSED),
            closed: state & CLOSED != 0,
        }
    }

    /// Lets `change` at the value; if it says so, raises the version and wakes
    /// everyone who waits.
    fn store<R>(&self, change: impl FnOnce(&mut T) -> (bool, R)) -> (bool, R) {
        let mut value = self.value.write();
        let (changed, result) = change(&mut value);
        if changed {
            // Before the value's lock is released, so that whoever reads both
            // under it has those that belong together. Release: see `look`.
            self.state.fetch_add(CHANGE, Ordering::Release);
        }
        drop(value);
        if changed {
            // After the change: a receiver on its way into the list either is
            // there already, or looks at the state after this.
            self.changes.lock().grant_all();
        }
        (changed, result)
    }

    /// The last sender is gone.
    fn close(&self) {
        // Release: see `look`.
        self.state.fetch_or(CLOSED, Ordering::Release);
        self.changes.lock().grant_all();
    }

    fn add_receiver(&self) {
        let _locked = self.leaving.lock();
        // Relaxed: the lock orders the changes.
        self.receivers.fetch_add(1, Ordering::Relaxed);
    }

    fn remove_receiver(&self) {
        let mut locked = self.leaving.lock();
        // Release pairs with the Acquire in `receivers`.
        if self.receivers.fetch_sub(1, Ordering::Release) == 1 {
            locked.grant_all();
        }
    }

    fn receivers(&self) -> usize {
        // Acquire: who sees a receiver gone sees what was done before.
        self.receivers.load(Ordering::Acquire)
    }

    fn id(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
    }
}

/// There is no receiver; here is the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel has no receiver")
    }
}

impl<T> Error for SendError<T> {}

/// All senders are gone, and the last value was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError(());

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value will not change any more")
    }
}

impl Error for RecvError {}

#[cfg(test)]
mod tests;
