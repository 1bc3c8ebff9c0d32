//! What is done to a local task by who is away from its home, or past its end.
//!
//! Each is one operation on `far`, as it would be for a stealable task.

use super::{ABORTED, COMPLETE, DETACHED, FAR_WOKEN, JOIN_WAKER, Near, REF, count_up};
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use crate::task::state::{Complete, Detached, Wake};

impl Near {
    /// 7: a waker fired away.
    pub(crate) fn wake_away(&self) -> Wake {
        self.post(FAR_WOKEN)
    }

    /// 7: as `wake_away`; `start` sees it.
    pub(crate) fn abort_away(&self) -> Wake {
        self.post(ABORTED | FAR_WOKEN)
    }

    fn post(&self, flags: usize) -> Wake {
        // Release pairs with the Acquire in `receive`: what was written before the
        // wake is visible to the poll that the wake causes. That of a complete task
        // must not be set: nobody would take the letter.
        let far = self.far.fetch_update(AcqRel, Acquire, |far| {
            (far & COMPLETE == 0).then_some(far | flags)
        });
        match far {
            Ok(before) if before & FAR_WOKEN == 0 => Wake::Enqueue,
            _ => Wake::Nothing,
        }
    }

    pub(crate) fn is_complete_away(&self) -> bool {
        self.far.load(Acquire) & COMPLETE != 0
    }

    /// The handle wrote a waker into the away slot and gives the slot away.
    pub(crate) fn offer_away(&self) -> Result<(), Complete> {
        self.unless_complete(|far| far | JOIN_WAKER)
    }

    /// The handle takes the away slot back, to write another waker.
    pub(crate) fn reclaim_away(&self) -> Result<(), Complete> {
        self.unless_complete(|far| far & !JOIN_WAKER)
    }

    fn unless_complete(&self, change: impl Fn(usize) -> usize) -> Result<(), Complete> {
        // Release pairs with the Acquire in `finish`; on failure Acquire, as
        // the handle goes on to read the output.
        self.far
            .fetch_update(AcqRel, Acquire, |far| {
                (far & COMPLETE == 0).then(|| change(far))
            })
            .map(drop)
            .map_err(|_| Complete)
    }

    /// The handle goes away, away.
    pub(crate) fn detach_away(&self) -> Detached {
        let detached = |far| (far & COMPLETE == 0).then_some(far & !JOIN_WAKER | DETACHED);
        // Acquire pairs with the Release in `finish`, for the output's drop.
        match self.far.fetch_update(AcqRel, Acquire, detached) {
            Err(_complete) => Detached {
                drop_output: true,
                drop_waker: false,
            },
            Ok(before) => Detached {
                drop_output: false,
                drop_waker: before & JOIN_WAKER != 0,
            },
        }
    }

    pub(crate) fn retain_away(&self) {
        // Relaxed: the caller has a reference, and passes the new one on by
        // means that order themselves.
        let before = self.far.fetch_add(REF, Relaxed);
        let _ = count_up(before);
    }

    #[must_use = "the last reference must free the task"]
    #[inline]
    pub(crate) fn release_away(&self) -> bool {
        // If this is the only one, nobody is left who could count up or down.
        // Acquire: the free happens after what was done through the others.
        let far = self.far.load(Acquire);
        if far & COMPLETE != 0 && far & !(REF - 1) == REF {
            return true;
        }
        // Release: what was done through this reference happens before the
        // free; Acquire: the free happens after all of that. Before COMPLETE the
        // count here is no sum, and may be anything.
        let before = self.far.fetch_sub(REF, AcqRel);
        before & COMPLETE != 0 && before & !(REF - 1) == REF
    }
}
