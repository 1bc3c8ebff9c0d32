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
//! 1 `try_take`, `give` nobody waits: the lock is not touched
//! 2 `enqueue`          too few: the waiter takes what there is and sets WAITERS
//! 3 `distribute`       the last waiter left the queue
//!
//! While WAITERS is set, `try_take` fails, also for one who would be content with
//! less than the front: whatever is given belongs to the front from that moment
//! on. So nobody barges in, and many small requests cannot starve a large one.
//! The front collects what comes in until it has all it asked for; if it is
//! dropped before, what it collected goes to the next.

use super::Semaphore;
use crate::error::{Closed, TryAcquireError};
use crate::sync::atomic::Ordering;
use crate::wait_list::{Locked, Ticket};
use crate::wakes::{Wakes, discard};
use std::task::Waker;

pub(super) const CLOSED: usize = 1;
const WAITERS: usize = 2;
pub(super) const SHIFT: u32 = 2;

/// What the queue has, besides those who wait.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// What the front has of what it asked for; 0 if nobody waits.
    pub(super) collected: usize,
}

impl Semaphore {
    /// Takes all of `permits`, or nothing.
    #[inline]
    pub(crate) fn try_take(&self, permits: usize) -> Result<(), TryAcquireError> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & CLOSED != 0 {
                return Err(TryAcquireError::Closed);
            }
            // With zero asked for nobody is deprived, so nobody comes first.
            if word >> SHIFT < permits || (word & WAITERS != 0 && permits != 0) {
                return Err(TryAcquireError::NoPermits);
            }
            // Acquire pairs with the Release in `give`: what the last holder did
            // is visible to this one.
            match self.word.compare_exchange_weak(
                word,
                word - (permits << SHIFT),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
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

    /// After a `try_take` in vain: takes what there is, and a place in the queue;
    /// or all of `permits`, or finds the semaphore closed, after all.
    #[inline]
    pub(super) fn enqueue(
        &self,
        permits: usize,
        waker: &Waker,
    ) -> Result<Ticket, Result<(), Closed>> {
        let waker = waker.clone(); // foreign code: before the lock
        let mut locked = self.list.arrivals();
        let mut missing = permits;
        // With others there are no permits left to take, and all hands are off.
        let word = self.word.load(Ordering::Relaxed);
        if word & (WAITERS | CLOSED) != WAITERS {
            match self.collect(permits) {
                Ok(collected) => {
                    locked.state().collected = collected;
                    missing -= collected;
                }
                Err(ended) => {
                    drop(locked); // before the waker
                    discard(waker);
                    return Err(ended);
                }
            }
        }
        Ok(locked.push(waker, missing))
    }

    /// The first to wait, under the lock: takes what there is of `permits` and
    /// tells how many that were; or takes all.
    fn collect(&self, permits: usize) -> Result<usize, Result<(), Closed>> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & CLOSED != 0 {
                return Err(Err(Closed(())));
            }
            let available = word >> SHIFT;
            let enough = available >= permits;
            let next = if enough {
                word - (permits << SHIFT)
            } else {
                WAITERS
            };
            // Acquire: as in `try_take`, for the permits collected here.
            match self
                .word
                .compare_exchange(word, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) if enough => return Err(Ok(())),
                Ok(_) => return Ok(available),
                Err(now) => word = now,
            }
        }
    }

    /// Gives permits back: to those who wait, else to all.
    #[inline]
    pub(crate) fn give(&self, permits: usize) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0 {
            // Release: see `try_take`.
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
        self.pass_on(permits);
    }

    /// Gives permits to those who wait.
    #[inline(never)]
    fn pass_on(&self, permits: usize) {
        // Mostly a crowd passes one permit on: the front has all it asked for by
        // it, and as others are behind it, WAITERS stays.
        if permits == 1
            && let Some(front) = self.list.grant_front(completes)
        {
            return Wakes::just(front);
        }
        self.pass_on_many(permits);
    }

    #[inline(never)]
    fn pass_on_many(&self, permits: usize) {
        self.distribute(&mut self.list.lock(), permits);
    }

    /// Gives permits to the front of the queue, and what is left to all.
    pub(super) fn distribute(&self, locked: &mut Locked<'_, Line, usize>, mut permits: usize) {
        while let Some(missing) = locked.front_mut() {
            let part = permits.min(*missing);
            *missing -= part;
            permits -= part;
            if *missing != 0 {
                locked.state().collected += part;
                return; // WAITERS stays, and there are no permits left
            }
            locked.state().collected = 0;
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

/// Whether one more permit is what the front needs; then it has collected all.
#[inline]
fn completes(line: &mut Line, missing: &usize) -> bool {
    let complete = *missing == 1;
    if complete {
        line.collected = 0;
    }
    complete
}
