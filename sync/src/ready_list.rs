//! Which of many futures in one task have been woken.
//!
//! A task that holds a hundred futures and is woken does not know for which of
//! them. So each gets a waker of its own, which puts its key into a list and
//! then wakes the task. `children.rs` keeps the futures; here is what other
//! threads touch.
//!
//! ```text
//!               ┌────────────────4─────────────────┐
//!               ▼                                  │
//!   ──1──▶   Queued ──2──▶ Idle ──3──▶ Queued ──2──┘
//!               └──5──▶ Retired ◀──5──┘
//! ```
//! 1 `ReadyList::signal` a new future is queued, so that it has its first poll
//! 2 `Signal::take`      its key left the list, and it is about to be polled: a
//!                       wake from here on, also during the poll, queues it again
//! 3 `Signal::wake`      the first wake pushes the key; those after it do nothing
//! 4                     and so on
//! 5 `Signal::retire`    the future is gone: no wake queues it any more
//!
//! # Who is woken, and when
//!
//! ```text
//!   a waker's thread                         the task
//!   queued = true                            begin: the task's waker is taken out
//!   lock: push the key, take the waker       lock: pop a key
//!   unlock, wake it                          nothing left: put the waker back
//! ```
//! The task puts its waker in only under the lock under which it saw the list
//! empty: a key pushed later finds the waker, a key pushed before is seen. While
//! the task polls there is no waker to find, so futures that wake each other in
//! one poll cost no wake of the task. A waker is taken when it is used, so many
//! wakes are one.
//!
//! Wakers hold the list weakly: those that outlive it wake nothing.

use crate::sync::Lock;
use crate::sync::atomic::{AtomicBool, Ordering};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

/// Names a future in a set. A key is never used again: that of a future which
/// is gone names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub(crate) index: usize,
    /// How many futures had the same index before.
    pub(crate) generation: u64,
}

/// The keys of those that were woken, and the waker of the task that holds them.
#[derive(Debug)]
pub(crate) struct ReadyList {
    shared: Arc<Shared>,
    /// The task's waker while it polls; saves a clone each time.
    spare: Option<Waker>,
}

#[derive(Debug)]
struct Shared {
    inner: Lock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    ready: VecDeque<Key>,
    owner: Option<Waker>,
    /// Somebody asked for a poll without a key, while nobody could be woken.
    nudged: bool,
}

impl ReadyList {
    pub(crate) fn new() -> ReadyList {
        ReadyList {
            shared: Arc::new(Shared {
                inner: Lock::default(),
            }),
            spare: None,
        }
    }

    /// The waker of a new future, which is queued.
    pub(crate) fn signal(&self, key: Key) -> Arc<Signal> {
        self.shared.inner.lock().ready.push_back(key);
        Arc::new(Signal {
            key,
            queued: AtomicBool::new(true),
            list: Arc::downgrade(&self.shared),
        })
    }

    /// The task polls: until it is done, wakes need not wake it.
    pub(crate) fn begin(&mut self) {
        let mut inner = self.shared.inner.lock();
        let owner = inner.owner.take();
        drop(inner);
        if owner.is_some() {
            self.spare = owner;
        }
    }

    /// The next key; pending once there is none, and then the task is woken for
    /// the next one.
    pub(crate) fn poll_pop(&mut self, cx: &mut Context<'_>) -> Poll<Key> {
        let mut inner = self.shared.inner.lock();
        if let Some(key) = inner.ready.pop_front() {
            return Poll::Ready(key);
        }
        if !self.spare.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            drop(inner); // a clone is foreign code, and so is the drop of the old one
            self.spare = Some(cx.waker().clone());
            inner = self.shared.inner.lock();
            // Again: a key pushed in between has found no waker.
            if let Some(key) = inner.ready.pop_front() {
                return Poll::Ready(key);
            }
        }
        let nudged = std::mem::take(&mut inner.nudged);
        let before = std::mem::replace(&mut inner.owner, self.spare.take());
        drop(inner);
        drop(before);
        if nudged {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Wakes the task without a key.
    pub(crate) fn nudge(&self) -> Nudge {
        Nudge {
            list: Arc::downgrade(&self.shared),
        }
    }
}

/// Wakes the task that holds a set of futures, for a reason outside of them.
///
/// # Example
///
/// ```
/// use std::future::Pending;
/// use wakeline_sync::children::Children;
///
/// let children = Children::<Pending<()>>::new();
/// let nudge = children.nudge();
/// drop(children);
/// nudge.wake(); // the set is gone: it wakes nothing
/// ```
#[derive(Clone, Debug)]
pub struct Nudge {
    list: Weak<Shared>,
}

impl Nudge {
    /// Wakes the task that polled the set last; if it polls just now, it is
    /// polled once more.
    pub fn wake(&self) {
        let Some(list) = self.list.upgrade() else {
            return;
        };
        let mut inner = list.inner.lock();
        let owner = inner.owner.take();
        inner.nudged = owner.is_none();
        drop(inner);
        if let Some(owner) = owner {
            owner.wake();
        }
    }
}

/// What stands behind the waker of one future.
#[derive(Debug)]
pub(crate) struct Signal {
    key: Key,
    /// Its key is in the list or on the way there; or it is retired.
    queued: AtomicBool,
    list: Weak<Shared>,
}

impl Signal {
    /// The key has left the list and the future is about to be polled.
    pub(crate) fn take(&self) {
        // Acquire pairs with the Release of the swap in `wake_by_ref`: the
        // poll sees what was done before the wake that found it queued.
        // A swap, as a plain store might undo a wake that comes at this moment.
        self.queued.swap(false, Ordering::AcqRel);
    }

    /// The future is gone.
    pub(crate) fn retire(&self) {
        // Relaxed: nothing is handed over; a wake that comes at this moment
        // queues a key that names nothing.
        self.queued.swap(true, Ordering::Relaxed);
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // See `take`. Also Acquire: a chain of swaps hands on what each saw.
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(list) = self.list.upgrade() else {
            return;
        };
        let mut inner = list.inner.lock();
        inner.ready.push_back(self.key);
        let owner = inner.owner.take();
        drop(inner);
        if let Some(owner) = owner {
            owner.wake();
        }
    }
}
