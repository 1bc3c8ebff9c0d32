//! The word of a semaphore, and how permits are taken and given.
//!
//! ```text
//!   [ available permits          | WAITERS | CLOSED ]
//!
//!   free ──1──▶ free        permits taken or given by one compare-and-swap
//!     │ ▲
//!     2 3
//!     ▼ │
//!   contended               permits = 0; only changed under the list's lock
//! ```
//! 1 `take`, `give`     nobody waits: the lock is not touched
//! 2 `take_or_enqueue`  too few: the waiter takes what there is and sets WAITERS
//! 3 `distribute`       the last waiter left the queue
//!
//! While WAITERS is set, `take` fails, also for one who would be content with
//! less than the front: whatever is given belongs to the front from that moment
//! on. So nobody barges in, and many small requests cannot starve a large one.
//! The front collects what comes in until it has all it asked for; if it is
//! dropped before, what it collected goes to the next.

use super::Semaphore;
use crate::error::TryAcquireError;
use crate::sync::atomic::Ordering;
use crate::wait_list::{Locked, Ticket};
use std::task::Waker;

pub(super) const CLOSED: usize = 1;
const WAITERS: usize = 2;
pub(super) const SHIFT: u32 = 2;

/// What a queued waiter asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) total: usize,
    /// Not collected yet; above 0 as long as it is queued.
    pub(super) missing: usize,
}

/// How an attempt to get permits ended.
pub(super) enum Taken {
    All,
    Closed,
    /// Somebody waits, or there are too few.
    TooFew,
    Queued(Ticket),
}

impl Semaphore {
    #[inline]
    pub(crate) fn try_take(&self, permits: usize) -> Result<(), TryAcquireError> {
        match self.take(permits) {
            Taken::All => Ok(()),
            Taken::Closed => Err(TryAcquireError::Closed),
            Taken::TooFew | Taken::Queued(_) => Err(TryAcquireError::NoPermits),
        }
    }

    /// Takes all of `permits`, or nothing.
    #[inline]
    fn take(&self, permits: usize) -> Taken {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & CLOSED != 0 {
                return Taken::Closed;
            }
            // With zero asked for nobody is deprived, so nobody comes first.
            if word >> SHIFT < permits || (word & WAITERS != 0 && permits != 0) {
                return Taken::TooFew;
            }
            // Acquire pairs with the Release in `give`: what the last holder did
            // is visible to this one.
            match self.word.compare_exchange_weak(
                word,
                word - (permits << SHIFT),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Taken::All,
                Err(now) => word = now,
            }
        }
    }

    /// Takes what is available of `permits`; tells how many that were.
    pub(super) fn take_up_to(&self, permits: usize) -> usize {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let gone = permits.min(word >> SHIFT);
            // Relaxed: nothing is handed over.
            match self.word.compare_exchange_weak(
                word,
                word - (gone << SHIFT),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return gone,
                Err(now) => word = now,
            }
        }
    }

    /// Takes `permits`, or what there is and a place in the queue.
    pub(super) fn take_or_enqueue(&self, permits: usize, waker: &Waker) -> Taken {
        match self.take(permits) {
            Taken::TooFew => {}
            taken => return taken,
        }
        let waker = waker.clone(); // foreign code: before the lock
        let mut locked = self.list.arrivals();
        let mut word = self.word.load(Ordering::Relaxed);
        let missing = loop {
            if word & CLOSED != 0 {
                drop(locked);
                return Taken::Closed;
            }
            if word & WAITERS != 0 {
                break permits; // there are none left to take, and all hands are off
            }
            let available = word >> SHIFT;
            let enough = available >= permits;
            let next = if enough {
                word - (permits << SHIFT)
            } else {
                WAITERS
            };
            // Acquire: as in `take`, for the permits collected here.
            match self
                .word
                .compare_exchange(word, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) if enough => {
                    drop(locked);
                    return Taken::All;
                }
                Ok(_) => break permits - available,
                Err(now) => word = now,
            }
        };
        Taken::Queued(locked.push(
            waker,
            Wanted {
                total: permits,
                missing,
            },
        ))
    }

    /// Gives permits back: to those who wait, else to all.
    #[inline]
    pub(crate) fn give(&self, permits: usize) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0 {
            // Release: see `take`.
            match self.word.compare_exchange_weak(
                word,
                word + (permits << SHIFT),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        // Mostly a crowd passes one permit on: the front has all it asked for by
        // it, and as others are behind it, WAITERS stays.
        if permits != 1 || !self.list.grant_front(|wanted| wanted.missing == 1) {
            self.distribute(&mut self.list.lock(), permits);
        }
    }

    /// Gives permits to the front of the queue, and what is left to all.
    pub(super) fn distribute(&self, locked: &mut Locked<'_, (), Wanted>, mut permits: usize) {
        while let Some(wanted) = locked.front_mut() {
            let part = permits.min(wanted.missing);
            wanted.missing -= part;
            permits -= part;
            if wanted.missing != 0 {
                return; // WAITERS stays, and there are no permits left
            }
            locked.grant();
        }
        // The queue is empty. WAITERS only changes under the lock, but if it is
        // clear already, the permits may be changed by others at any time.
        let waiters = self.word.load(Ordering::Relaxed) & WAITERS;
        // Release as in `give`. It is an exchange, so it also carries on what
        // earlier releases made visible.
        self.word
            .fetch_add((permits << SHIFT).wrapping_sub(waiters), Ordering::Release);
    }
}
