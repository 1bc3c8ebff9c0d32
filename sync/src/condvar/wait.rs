//! The futures that wait for a condition; `condvar.rs` draws their states.

use super::{Condvar, notify_front};
use crate::mutex::{Lock, Mutex, MutexGuard};
use crate::wait_list::{Cancelled, Ticket};
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, waiting_on};

/// The future of [`Condvar::wait`].
///
/// Dropped, it leaves the mutex unlocked.
#[must_use = "the mutex is unlocked and the condition waited for when this is awaited"]
pub struct CondvarWait<'c, 'm, T: ?Sized> {
    condvar: &'c Condvar,
    state: State<'m, T>,
    location: &'static Location<'static>,
}

enum State<'m, T: ?Sized> {
    New(MutexGuard<'m, T>),
    Queued(&'m Mutex<T>, Ticket),
    Locking {
        lock: Lock<'m, T>,
        /// By `notify`: nobody else knows of it.
        alone: bool,
    },
    Done,
}

impl<'c, 'm, T: ?Sized> CondvarWait<'c, 'm, T> {
    pub(super) fn new(
        condvar: &'c Condvar,
        guard: MutexGuard<'m, T>,
        location: &'static Location<'static>,
    ) -> CondvarWait<'c, 'm, T> {
        CondvarWait {
            condvar,
            state: State::New(guard),
            location,
        }
    }

    /// Joins the queue, and unlocks the mutex only then.
    fn enqueue(&mut self, guard: MutexGuard<'m, T>, cx: &mut Context<'_>) {
        let mutex = MutexGuard::mutex(&guard);
        let waker = cx.waker().clone(); // foreign code: before the lock
        let ticket = self.condvar.list.lock().push(waker, ());
        self.state = State::Queued(mutex, ticket);
        drop(guard); // wakes whoever waits for the mutex: after the lock
    }

    /// The mutex again, and whether the notification was for this wait alone.
    fn poll_notified(&mut self, cx: &mut Context<'_>) -> Poll<(MutexGuard<'m, T>, bool)> {
        let this = self;
        if matches!(this.state, State::New(_))
            && let State::New(guard) = mem::replace(&mut this.state, State::Done)
        {
            this.enqueue(guard, cx);
        }
        if let State::Queued(mutex, ticket) = this.state
            && let Some(alone) = this.notified(ticket, cx)
        {
            let lock = Lock::new(mutex, this.location);
            this.state = State::Locking { lock, alone };
        }
        match &mut this.state {
            State::Locking { lock, alone } => {
                let guard = ready!(Pin::new(lock).poll(cx));
                let alone = *alone;
                this.state = State::Done;
                Poll::Ready((guard, alone))
            }
            State::Done => panic!(
                "the wait made at {} was polled after its end",
                this.location
            ),
            State::New(_) | State::Queued(..) => {
                let id = std::ptr::from_ref(this.condvar).addr() as u64;
                waiting_on(Kind::Lock, id, this.location);
                Poll::Pending
            }
        }
    }

    /// Whether it was notified, and if so, whether alone.
    fn notified(&self, ticket: Ticket, cx: &mut Context<'_>) -> Option<bool> {
        let mut locked = self.condvar.list.keep_waiting(ticket, cx.waker())?;
        let alone = locked.state().take(ticket);
        locked.leave();
        Some(alone)
    }
}

impl<'m, T: ?Sized> Future for CondvarWait<'_, 'm, T> {
    type Output = MutexGuard<'m, T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<MutexGuard<'m, T>> {
        self.poll_notified(cx).map(|(guard, _alone)| guard)
    }
}

impl<T: ?Sized> Drop for CondvarWait<'_, '_, T> {
    fn drop(&mut self) {
        // Whatever else the state has (the guard, the place in the mutex's queue)
        // is dropped after this, outside of the list's lock.
        match self.state {
            State::Queued(_, ticket) => {
                let mut locked = self.condvar.list.lock();
                if let Cancelled::Granted = locked.cancel(ticket)
                    && locked.state().take(ticket)
                {
                    notify_front(&mut locked);
                }
            }
            State::Locking { alone: true, .. } => {
                notify_front(&mut self.condvar.list.lock());
            }
            State::New(_) | State::Locking { .. } | State::Done => {}
        }
    }
}

impl<T: ?Sized> fmt::Debug for CondvarWait<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::New(_) => "New",
            State::Queued(..) => "Queued",
            State::Locking { .. } => "Locking",
            State::Done => "Done",
        };
        f.debug_struct("CondvarWait")
            .field("state", &format_args!("{state}"))
            .field("location", &format_args!("{}", self.location))
            .finish_non_exhaustive()
    }
}

/// The future of [`Condvar::wait_while`] and [`Condvar::wait_until`].
///
/// Dropped, it leaves the mutex unlocked.
#[must_use = "the condition is only looked at when this is awaited"]
pub struct CondvarWaitWhile<'c, 'm, T: ?Sized, F> {
    step: Step<'c, 'm, T>,
    condition: F,
    /// Waits as long as the condition gives this.
    holds: bool,
    condvar: &'c Condvar,
    location: &'static Location<'static>,
}

enum Step<'c, 'm, T: ?Sized> {
    /// `alone`: after a notification that nobody else knows of.
    Look {
        guard: MutexGuard<'m, T>,
        alone: bool,
    },
    Wait(CondvarWait<'c, 'm, T>),
    Done,
}

impl<'c, 'm, T: ?Sized, F> CondvarWaitWhile<'c, 'm, T, F> {
    pub(super) fn new(
        condvar: &'c Condvar,
        guard: MutexGuard<'m, T>,
        condition: F,
        holds: bool,
        location: &'static Location<'static>,
    ) -> CondvarWaitWhile<'c, 'm, T, F> {
        CondvarWaitWhile {
            step: Step::Look {
                guard,
                alone: false,
            },
            condition,
            holds,
            condvar,
            location,
        }
    }
}

/// A notification while the condition is looked at: if that panics, nobody has
/// used it, and it goes to the next.
struct Unused<'c> {
    condvar: &'c Condvar,
    alone: bool,
}

impl Drop for Unused<'_> {
    fn drop(&mut self) {
        if self.alone {
            notify_front(&mut self.condvar.list.lock());
        }
    }
}

// The condition is called, never pinned.
impl<T: ?Sized, F> Unpin for CondvarWaitWhile<'_, '_, T, F> {}

impl<'m, T: ?Sized, F: FnMut(&mut T) -> bool> Future for CondvarWaitWhile<'_, 'm, T, F> {
    type Output = MutexGuard<'m, T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<MutexGuard<'m, T>> {
        let this = &mut *self;
        loop {
            match mem::replace(&mut this.step, Step::Done) {
                // In a local: a condition that panics unlocks.
                Step::Look { mut guard, alone } => {
                    let unused = Unused {
                        condvar: this.condvar,
                        alone,
                    };
                    let holds = (this.condition)(&mut guard) == this.holds;
                    mem::forget(unused);
                    if !holds {
                        return Poll::Ready(guard);
                    }
                    let wait = CondvarWait::new(this.condvar, guard, this.location);
                    this.step = Step::Wait(wait);
                }
                Step::Wait(mut wait) => match wait.poll_notified(cx) {
                    Poll::Ready((guard, alone)) => this.step = Step::Look { guard, alone },
                    Poll::Pending => {
                        this.step = Step::Wait(wait);
                        return Poll::Pending;
                    }
                },
                Step::Done => panic!(
                    "the wait made at {} was polled after its end",
                    this.location
                ),
            }
        }
    }
}

impl<T: ?Sized, F> fmt::Debug for CondvarWaitWhile<'_, '_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondvarWaitWhile")
            .field("location", &format_args!("{}", self.location))
            .finish_non_exhaustive()
    }
}
