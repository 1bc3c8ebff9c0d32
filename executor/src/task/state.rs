//! The life of a task, in one atomic word.
//!
//! ```text
//!                              Yielded
//!                               ▲  │8
//!                              7│  ▼
//!   spawn ──1──▶ Queued ──2──▶ Running ──3──▶ Complete
//!                 ▲  ▲          │   │
//!                 │  └────4─────┘   │
//!                 └──6─── Idle ◀──5─┘
//! ```
//! 1. `State::new`     the spawner pushes it to a queue
//! 2. `State::start`   a worker popped it; an aborted task is cancelled here
//! 3. `State::finish`  the poll was ready, it panicked, or it was cancelled
//! 4. `State::pause`   it was woken or aborted while it ran: back into the queue
//! 5. `State::pause`   nobody woke it
//! 6. `State::wake`, `State::abort`: whoever gets `Enqueue` pushes it
//! 7. `Header::pause`  the thread that polls it woke it: back into the queue.
//!    Nothing is written here: for everybody else it goes on running
//! 8. `State::resume`  a worker popped it; as 2
//!
//! Queued is WOKEN alone, Running and Yielded are RUNNING (with WOKEN once it is
//! woken again), Idle is neither, Complete is COMPLETE whatever else is set. So a
//! wake is one `fetch_or`, a start and a pause are one operation each, and no
//! transition of the worker loops.
//!
//! Completion wins over abort: ABORTED is looked at by `start` only, so the
//! poll in progress may still return its value.

use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

const RUNNING: usize = 1;
const WOKEN: usize = 1 << 1;
const COMPLETE: usize = 1 << 2;
const ABORTED: usize = 1 << 3;
/// A `JoinHandle` exists and will see to the output.
const JOIN: usize = 1 << 4;
/// The join waker's slot is filled and belongs to `finish`.
const JOIN_WAKER: usize = 1 << 5;
const REF: usize = 1 << 6;

/// The state of one task: flags below, the count of references above.
pub(crate) struct State {
    bits: AtomicUsize,
}

/// What a wake or an abort asks of its caller.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an `Enqueue` that is dropped is a task that never runs again"]
pub(crate) enum Wake {
    /// The caller pushes the task to a run queue.
    Enqueue,
    /// The task is queued, running or complete: someone else sees to it.
    Nothing,
}

/// What the worker does with a task that it popped.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Start {
    /// Poll the future.
    Poll,
    /// The task was aborted: drop the future, then `finish`.
    Cancel,
}

/// What the worker does with a task that is pending.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a `Requeue` that is dropped is a task that never runs again"]
pub(crate) enum Pause {
    /// It was woken meanwhile: push it to a run queue.
    Requeue,
    /// It waits; whoever wakes it owns it now, so it must not be touched.
    Idle,
}

/// What is left to do for a task that has just completed.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Finished {
    /// Nobody will take the output: drop it.
    pub(crate) drop_output: bool,
    /// A waker stands in the join slot: take it and wake it.
    pub(crate) wake_join: bool,
}

/// The task is complete: the output is there, the join slot is not the handle's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complete;

/// What a `JoinHandle` that goes away must drop.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Detached {
    pub(crate) drop_output: bool,
    pub(crate) drop_waker: bool,
}

impl State {
    /// 1: queued, with a handle; references of the owned list and the handle.
    pub(crate) fn new() -> State {
        State {
            bits: AtomicUsize::new(WOKEN | JOIN | (2 * REF)),
        }
    }

    /// 6: a waker fired.
    #[inline]
    pub(crate) fn wake(&self) -> Wake {
        // Release pairs with the Acquire in `start`: what was written before the
        // wake is visible to the poll that the wake causes. Acquire pairs with
        // the Release in `pause`: the queue entry may be run at once.
        enqueue(self.bits.fetch_or(WOKEN, AcqRel))
    }

    /// 6: the task is to end. It is queued like a woken one, for `start` to see.
    pub(crate) fn abort(&self) -> Wake {
        // One operation, so that no `start` can see WOKEN without ABORTED.
        // Orderings as in `wake`.
        enqueue(self.bits.fetch_or(ABORTED | WOKEN, AcqRel))
    }

    /// 2: the caller popped the task and has the stage for itself from here on.
    #[inline]
    pub(crate) fn start(&self) -> Start {
        // Acquire pairs with the Release in `wake` and in the `pause` before.
        let before = self.bits.fetch_xor(WOKEN | RUNNING, AcqRel);
        debug_assert!(before & WOKEN != 0, "a task that nobody woke was popped");
        debug_assert!(before & RUNNING == 0, "a running task was popped");
        debug_assert!(before & COMPLETE == 0, "a complete task was popped");
        if before & ABORTED == 0 {
            Start::Poll
        } else {
            Start::Cancel
        }
    }

    /// 8: as `start`, of a task that was queued by its own hands and kept RUNNING.
    #[inline]
    pub(crate) fn resume(&self) -> Start {
        // A wake up to here is answered by this poll. Acquire pairs with the
        // Release in `wake`; Release: who reads what this wrote is as after `start`.
        let before = self.bits.fetch_and(!WOKEN, AcqRel);
        debug_assert!(before & RUNNING != 0, "a task that had not run was resumed");
        debug_assert!(before & COMPLETE == 0, "a complete task was popped");
        if before & ABORTED == 0 {
            Start::Poll
        } else {
            Start::Cancel
        }
    }

    /// 4, 5: the poll was pending; the caller gives the stage up.
    #[inline]
    pub(crate) fn pause(&self) -> Pause {
        // Release pairs with the Acquire in the next `start`.
        let before = self.bits.fetch_and(!RUNNING, AcqRel);
        debug_assert!(before & RUNNING != 0, "a task that did not run was paused");
        if before & WOKEN == 0 {
            Pause::Idle
        } else {
            Pause::Requeue
        }
    }

    /// 3: the stage holds the output.
    #[inline]
    pub(crate) fn finish(&self) -> Finished {
        // Release pairs with the Acquire in `is_complete` and `detach`: the
        // output is visible to the handle. Acquire pairs with the Release in
        // `offer_join_waker`: the waker is visible here.
        let before = self.bits.fetch_xor(RUNNING | COMPLETE, AcqRel);
        debug_assert!(
            before & RUNNING != 0,
            "a task that did not run was finished"
        );
        debug_assert!(before & COMPLETE == 0, "a task was finished twice");
        Finished {
            drop_output: before & JOIN == 0,
            wake_join: before & JOIN_WAKER != 0,
        }
    }

    /// Whether a `JoinHandle` exists. Once there is none there never is one again.
    #[inline]
    pub(crate) fn has_handle(&self) -> bool {
        // Relaxed: what follows from it is put right by `finish` if it is stale.
        self.bits.load(Relaxed) & JOIN != 0
    }

    #[inline]
    pub(crate) fn is_complete(&self) -> bool {
        self.bits.load(Acquire) & COMPLETE != 0
    }

    /// Whether its next `start` cancels it.
    pub(crate) fn is_aborted(&self) -> bool {
        // Acquire pairs with the Release in `abort`: the reason is visible.
        self.bits.load(Acquire) & ABORTED != 0
    }

    /// The flags as a word for a task list; true at some moment, no more.
    pub(crate) fn describe(&self) -> &'static str {
        // Relaxed: a picture for people, nothing is read on the strength of it.
        match self.bits.load(Relaxed) {
            bits if bits & COMPLETE != 0 => "complete",
            bits if bits & RUNNING != 0 => "running",
            bits if bits & WOKEN != 0 => "queued",
            _ => "idle",
        }
    }

    /// The handle wrote a waker into the join slot and gives the slot away.
    #[inline]
    pub(crate) fn offer_join_waker(&self) -> Result<(), Complete> {
        self.unless_complete(|bits| {
            debug_assert!(bits & JOIN_WAKER == 0, "the join slot was given away twice");
            bits | JOIN_WAKER
        })
    }

    /// The handle takes the join slot back, to write another waker.
    #[inline]
    pub(crate) fn reclaim_join_waker(&self) -> Result<(), Complete> {
        // Only the handle sets JOIN_WAKER, so what is clear stays so. Acquire as
        // in `unless_complete`.
        match self.bits.load(Acquire) {
            bits if bits & COMPLETE != 0 => Err(Complete),
            bits if bits & JOIN_WAKER == 0 => Ok(()),
            _ => self.unless_complete(|bits| bits & !JOIN_WAKER),
        }
    }

    #[inline]
    fn unless_complete(&self, change: impl Fn(usize) -> usize) -> Result<(), Complete> {
        // Release pairs with the Acquire in `finish`; on failure Acquire, as
        // the handle goes on to read the output.
        self.bits
            .fetch_update(AcqRel, Acquire, |bits| {
                (bits & COMPLETE == 0).then(|| change(bits))
            })
            .map(drop)
            .map_err(|_| Complete)
    }

    /// The handle goes away.
    #[inline]
    pub(crate) fn detach(&self) -> Detached {
        // Once it is complete nobody asks for JOIN any more: `finish` has taken
        // the slot, and the output is the handle's to drop.
        let detached = |bits| (bits & COMPLETE == 0).then_some(bits & !(JOIN | JOIN_WAKER));
        // Acquire pairs with the Release in `finish`, for the output's drop.
        match self.bits.fetch_update(AcqRel, Acquire, detached) {
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

    /// Counts one more reference.
    #[inline]
    pub(crate) fn retain(&self) {
        // Relaxed: the caller has a reference, and passes the new one on by
        // means that order themselves.
        let before = self.bits.fetch_add(REF, Relaxed);
        if before > isize::MAX as usize {
            // Only reached by leaking wakers in a loop; going on would free
            // the task under those who still hold it.
            std::process::abort();
        }
    }

    /// Counts one reference less; true for the last, whose owner frees the task.
    #[must_use = "the last reference must free the task"]
    #[inline]
    pub(crate) fn release(&self) -> bool {
        // If this is the only one, nobody is left who could count up or down.
        // Acquire: the free happens after what was done through the others.
        if self.bits.load(Acquire) < 2 * REF {
            return true;
        }
        // Release: what was done through this reference happens before the
        // free; Acquire: the free happens after all of that.
        let before = self.bits.fetch_sub(REF, AcqRel);
        debug_assert!(before >= REF, "a reference was released twice");
        before < 2 * REF
    }
}

#[inline]
fn enqueue(before: usize) -> Wake {
    if before & (WOKEN | RUNNING | COMPLETE) == 0 {
        Wake::Enqueue
    } else {
        Wake::Nothing
    }
}
