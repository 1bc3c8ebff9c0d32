//! The wait list under every primitive here: first come, first served, with
//! nothing lost when a waiter gives up.
//!
//! ```text
//!             ┌──────────────────── 4 ───────────────────▶ gone
//!             │                                             ▲
//!   new ──1──▶ Queued ──────────2──────────▶ Granted ───5───┤
//!             ▲  │                              └─────3─────┘
//!             └3─┘
//! ```
//! 1 `Locked::push`    the waiter's poll found nothing: it has a ticket now
//! 2 `Locked::grant`   the front is popped and `granted` moves past its ticket
//! 3 poll              Queued: the latest waker is kept. Granted: done, without the lock
//! 4 `Locked::cancel`  the future was dropped before a grant
//! 5 `Locked::cancel`  the future was dropped with a grant it never saw: the
//!                     primitive hands that on, before anyone else comes
//!
//! # Why tickets and not nodes
//!
//! Grants go to the front only, so those who have one are always the tickets
//! below a number. A woken future learns of its grant by one load of that
//! number: no lock, and no node that must stay in its place until then. Nodes
//! inside the futures (the usual way) save the queue's amortised allocation,
//! and cost `unsafe`, pinning, and a proof for each primitive; per-waiter
//! allocations cost one each. Here an acquire that waits and its release take
//! the lock twice in all, and a waiter that gives up leaves by its ticket.
//!
//! # The lock
//!
//! Wakers are foreign code, so none is called, cloned or dropped while the lock
//! is held. [`Locked`] collects them; dropping it unlocks first and wakes then.

mod queue;

pub(crate) use queue::{Queue, Ticket};

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Guard, Lock};
use crate::wakes::{Wakes, discard};
use std::fmt;
use std::task::Waker;

/// Waiters of a primitive, each with a `D`, and the primitive's state `S` that
/// only changes under the same lock.
pub(crate) struct WaitList<S, D> {
    /// Every ticket below has left the queue by a grant (or was cancelled).
    granted: AtomicU64,
    inner: Lock<Inner<S, D>>,
}

struct Inner<S, D> {
    queue: Queue<D>,
    state: S,
}

impl<S, D> WaitList<S, D> {
    pub(crate) fn new(state: S) -> WaitList<S, D> {
        WaitList {
            granted: AtomicU64::new(0),
            inner: Lock::new(Inner {
                queue: Queue::new(),
                state,
            }),
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Locked<'_, S, D> {
        self.with_waiters(self.state())
    }

    /// To put a waiter at the end, or not; wakes nobody.
    #[inline]
    pub(crate) fn arrivals(&self) -> Arrivals<'_, S, D> {
        Arrivals(self.inner.lock())
    }

    /// Keeps the latest waker of a waiter, or gives the list back, locked, if it
    /// is in the queue no more.
    ///
    /// One that is polled again by the same task costs no clone of its waker.
    pub(crate) fn keep_waiting(&self, ticket: Ticket, waker: &Waker) -> Option<Locked<'_, S, D>> {
        let mut locked = self.lock();
        match locked.inner.queue.get_mut(ticket) {
            None => return Some(locked),
            // It compares two pointers, so it may be asked under the lock.
            Some(waiter) if waiter.waker.will_wake(waker) => return None,
            Some(_) => drop(locked),
        }
        let waker = waker.clone(); // foreign code: without the lock
        let mut locked = self.lock();
        if locked.update(ticket, waker) {
            return None;
        }
        Some(locked)
    }

    /// Grants the front what it waits for, and gives its waker, if `content` says
    /// so and another waits behind it; else, or if another has the lock just
    /// now, does nothing.
    ///
    /// As [`Locked::grant`], for the hand-over in a crowd. It calls nothing, so
    /// it needs no registers saved.
    #[inline]
    pub(crate) fn grant_front(&self, content: impl FnOnce(&mut S, &D) -> bool) -> Option<Waker> {
        let mut inner = self.inner.try_lock()?;
        let Inner { queue, state } = &mut *inner;
        let (ticket, waiter) = queue.pop_front_of_several(|data| content(state, data))?;
        // Release: see `is_granted`; under the lock, as in `Locked::grant`.
        self.granted.store(ticket.0 + 1, Ordering::Release);
        drop(inner);
        Some(waiter.waker)
    }

    /// Only the primitive's state, for steps that concern no waiter and so wake
    /// none.
    #[inline]
    pub(crate) fn state(&self) -> StateGuard<'_, S, D> {
        StateGuard(self.inner.lock())
    }

    /// As `state`, or nothing if another has the lock just now.
    #[inline]
    pub(crate) fn try_state(&self) -> Option<StateGuard<'_, S, D>> {
        self.inner.try_lock().map(StateGuard)
    }

    /// After a `try_state` in vain.
    pub(crate) fn wait_for_state(&self) -> StateGuard<'_, S, D> {
        StateGuard(self.inner.wait())
    }

    /// What began with the state alone, and concerns waiters after all.
    pub(crate) fn with_waiters<'a>(&'a self, guard: StateGuard<'a, S, D>) -> Locked<'a, S, D> {
        Locked {
            inner: guard.0,
            granted: &self.granted,
            wakes: Wakes::default(),
            discarded: None,
        }
    }

    /// Whether the waiter with this ticket, which has not given up, has a grant.
    #[inline]
    pub(crate) fn is_granted(&self, ticket: Ticket) -> bool {
        // Acquire pairs with the Release in `grant`: what was done before the
        // grant is visible to the one who got it.
        ticket.0 < self.granted.load(Ordering::Acquire)
    }
}

/// The list locked for one who may have to wait.
pub(crate) struct Arrivals<'a, S, D>(Guard<'a, Inner<S, D>>);

impl<S, D> Arrivals<'_, S, D> {
    /// The primitive's own state.
    #[inline]
    pub(crate) fn state(&mut self) -> &mut S {
        &mut self.0.state
    }

    /// As [`Locked::push`].
    #[inline]
    #[must_use = "a ticket that is lost is a waiter that cannot give up"]
    pub(crate) fn push(&mut self, waker: Waker, data: D) -> Ticket {
        self.0.queue.push(waker, data)
    }
}

/// The list locked for the sake of the state alone.
pub(crate) struct StateGuard<'a, S, D>(Guard<'a, Inner<S, D>>);

impl<S, D> StateGuard<'_, S, D> {
    #[inline]
    pub(crate) fn get(&mut self) -> &mut S {
        &mut self.0.state
    }
}

/// What became of a waiter that gave up.
#[derive(Debug)]
pub(crate) enum Cancelled<D> {
    /// It was waiting, and this was known of it.
    Waiting(D),
    /// It had a grant, which the caller now has to hand on.
    Granted,
    /// It was taken out by [`Locked::evict`].
    Evicted,
}

/// The list while its lock is held. Wakers that became due or needless are
/// kept until the lock is released.
pub(crate) struct Locked<'a, S, D> {
    // The order of the fields is the protocol: the lock goes first, then the
    // wakers are called and dropped.
    inner: Guard<'a, Inner<S, D>>,
    granted: &'a AtomicU64,
    wakes: Wakes,
    discarded: Option<Waker>,
}

impl<S, D> Locked<'_, S, D> {
    /// The primitive's own state.
    #[inline]
    pub(crate) fn state(&mut self) -> &mut S {
        &mut self.inner.state
    }

    /// Puts a waiter at the end.
    #[inline]
    #[must_use = "a ticket that is lost is a waiter that cannot give up"]
    pub(crate) fn push(&mut self, waker: Waker, data: D) -> Ticket {
        self.inner.queue.push(waker, data)
    }

    /// What is known of the waiter whose turn it is.
    #[inline]
    pub(crate) fn front_mut(&mut self) -> Option<&mut D> {
        self.inner.queue.front_mut()
    }

    /// The ticket of the one whose turn it is.
    pub(crate) fn front_ticket(&self) -> Option<Ticket> {
        self.inner.queue.front_ticket()
    }

    /// Grants the front what it waits for.
    #[inline]
    pub(crate) fn grant(&mut self) -> Option<Ticket> {
        let (ticket, waiter) = self.inner.queue.pop_front()?;
        // Release: see `is_granted`. The lock orders the stores of several
        // granters, so the number only grows.
        self.granted.store(ticket.0 + 1, Ordering::Release);
        self.wakes.push(waiter.waker);
        Some(ticket)
    }

    /// Grants everyone who waits now.
    pub(crate) fn grant_all(&mut self) {
        while let Some((_, waiter)) = self.inner.queue.pop_front() {
            self.wakes.push(waiter.waker);
        }
        // Release: see `is_granted`.
        self.granted
            .store(self.inner.queue.next_ticket().0, Ordering::Release);
    }

    /// Wakes someone who is not in the queue, once the lock is released.
    #[inline]
    pub(crate) fn wake(&mut self, waker: Waker) {
        self.wakes.push(waker);
    }

    /// Takes the front out without a grant; its future is woken to find out.
    pub(crate) fn evict(&mut self) -> Option<D> {
        let (_, waiter) = self.inner.queue.pop_front()?;
        self.wakes.push(waiter.waker);
        Some(waiter.data)
    }

    /// Keeps the latest waker of a waiter, of which the caller hands in a
    /// clone made before the lock; false if it is in the queue no more.
    pub(crate) fn update(&mut self, ticket: Ticket, waker: Waker) -> bool {
        let found = self.inner.queue.get_mut(ticket);
        let kept = found.is_some();
        debug_assert!(self.discarded.is_none(), "one would drop under the lock");
        self.discarded = Some(match found {
            Some(waiter) => std::mem::replace(&mut waiter.waker, waker),
            None => waker,
        });
        kept
    }

    /// Lets go, for who has found his grant or his value: see [`discard`].
    #[inline]
    pub(crate) fn leave(mut self) {
        if let Some(waker) = self.discarded.take() {
            drop(self); // before the waker
            discard(waker);
        }
    }

    /// A waiter gives up.
    pub(crate) fn cancel(&mut self, ticket: Ticket) -> Cancelled<D> {
        if let Some(waiter) = self.inner.queue.remove(ticket) {
            debug_assert!(self.discarded.is_none(), "one would drop under the lock");
            self.discarded = Some(waiter.waker);
            return Cancelled::Waiting(waiter.data);
        }
        // Relaxed: it is only stored under the lock, which is held.
        if ticket.0 < self.granted.load(Ordering::Relaxed) {
            Cancelled::Granted
        } else {
            Cancelled::Evicted
        }
    }
}

impl<S, D> fmt::Debug for WaitList<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitList").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
