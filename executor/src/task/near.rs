//! The life of a local task, in two words: one of its thread, one of all others.
//!
//! ```text
//!   at home: near (loads and stores)          away: far (one operation each)
//!
//!   spawn ─1▶ Queued ─2▶ Running ─3▶ Complete
//!              ▲  ▲        │ │                   7 a wake: the task is in the
//!              │  └───4────┘ │                     mailbox of its home, once
//!              └─6─ Idle ◀─5─┘                   8 home takes it out: as 6, or
//!              ▲      (8)                          for a complete one the end
//! ```
//! 1 `Near::new`      the spawner pushes it to its thread's queue
//! 2 `Near::start`    popped; an abort of either side is seen here
//! 3 `Near::finish`   the one operation on `far` in the life of a task that
//!    stays at home: from here on all references are counted there
//! 4, 5 `Near::pause` woken meanwhile at home, or by nobody
//! 6 `Near::wake`, `Near::wake_and_release`, `Near::abort`
//! 7 `Near::wake_away`, `Near::abort_away`: whoever gets `Enqueue` posts it;
//!    these and their like are in `near/away.rs`
//! 8 `Near::receive`
//!
//! *At home* is the thread that is inside the task's [`Home`](crate::home::Home),
//! which is one thread or none. Everything that this thread does to a task that is
//! not complete is a plain load and store of `near`, which nobody else writes.
//! Who is away writes `far`, and never the other way round before the end.
//!
//! References are counted in both words: a waker that is cloned at home and
//! dropped away leaves +1 here and -1 there. Only the sum says anything; it is
//! made by 3, and no count frees the task before.
//!
//! While a task lies in the mailbox (FAR_WOKEN) it needs no reference for that:
//! the owned list keeps its own, also past the end, until 8.

mod away;
#[cfg(all(test, loom))]
mod tests;

use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use crate::sync::atomic::{AtomicUsize, fence};

use super::state::{Detached, Pause, Start, Wake};

const RUNNING: usize = 1;
const WOKEN: usize = 1 << 1;
/// In both words; in `near` first, which only home sees.
const COMPLETE: usize = 1 << 2;
/// In both words.
const ABORTED: usize = 1 << 3;
/// The handle was not dropped at home before the end.
const JOIN: usize = 1 << 4;
/// In `near`: the home slot is filled. In `far`: the away slot, which belongs to
/// `finish`.
const JOIN_WAKER: usize = 1 << 5;
const REF: usize = 1 << 6;

/// In `far`: the task is in the mailbox, or on its way there.
const FAR_WOKEN: usize = 1 << 1;
/// In `far`: the handle was dropped away before the end.
const DETACHED: usize = 1 << 4;

/// The state of a local task; each word has flags below, signed counts above.
pub(crate) struct Near {
    /// Stored at home only. Others read it for a picture of the task.
    near: AtomicUsize,
    far: AtomicUsize,
}

/// What home does with a task from the mailbox.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a `Queue` that is dropped is a task that never runs again"]
pub(crate) enum Receive {
    /// Push it to the run queue.
    Queue,
    /// It is queued already.
    Nothing,
    /// It is complete and was only kept for this: drop the list's reference.
    Over,
}

/// What is left to do for a local task that has just completed.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Finished {
    /// Nothing: the list's reference is counted down, and others may free the task.
    Released,
    /// Free it: there was no other reference.
    Last,
    /// The list's reference is still counted.
    Kept(Rest),
}

/// Why a task's reference is kept past its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    /// Nobody will take the output: drop it.
    pub(crate) drop_output: bool,
    /// A waker stands in the away slot: take it and wake it.
    pub(crate) wake_join: bool,
    /// It is in the mailbox, or about to be: keep the reference until `receive`.
    pub(crate) in_mailbox: bool,
}

impl Near {
    /// 1: queued, with a handle; references of the owned list and the handle.
    #[inline]
    pub(crate) fn new() -> Near {
        Near {
            near: AtomicUsize::new(WOKEN | JOIN | (2 * REF)),
            far: AtomicUsize::new(0),
        }
    }

    #[inline]
    fn get(&self) -> usize {
        // Relaxed, here and in `set`: only one thread is at home.
        self.near.load(Relaxed)
    }

    #[inline]
    fn set(&self, near: usize) {
        self.near.store(near, Relaxed);
    }

    /// 6: a waker fired; while the task runs, this is what makes `pause` requeue it.
    #[inline]
    pub(crate) fn wake(&self) -> Wake {
        self.wake_with(WOKEN)
    }

    /// 6: as `wake`, and the waker's reference is counted down; nothing for a complete
    /// task. Any other one stays, as the owned list has it.
    #[inline]
    pub(crate) fn wake_and_release(&self) -> Option<Wake> {
        let near = self.get();
        if near & COMPLETE != 0 {
            return None;
        }
        self.set((near | WOKEN).wrapping_sub(REF));
        Some(if near & (WOKEN | RUNNING) == 0 {
            Wake::Enqueue
        } else {
            Wake::Nothing
        })
    }

    /// 6: the task is to end. It is queued like a woken one, for `start` to see.
    pub(crate) fn abort(&self) -> Wake {
        self.wake_with(ABORTED | WOKEN)
    }

    #[inline]
    fn wake_with(&self, flags: usize) -> Wake {
        let near = self.get();
        self.set(near | flags);
        if near & (WOKEN | RUNNING | COMPLETE) == 0 {
            Wake::Enqueue
        } else {
            Wake::Nothing
        }
    }

    /// 2: the task was popped.
    #[inline]
    pub(crate) fn start(&self) -> Start {
        let near = self.get();
        debug_assert!(near & WOKEN != 0, "a task that nobody woke was popped");
        debug_assert!(near & RUNNING == 0, "a running task was popped");
        debug_assert!(near & COMPLETE == 0, "a complete task was popped");
        self.set(near & !WOKEN | RUNNING);
        // An abort that came before this by any order is seen, although its
        // letter may still be on its way.
        if (near | self.far.load(Relaxed)) & ABORTED == 0 {
            return Start::Poll;
        }
        // Pairs with the Release in `abort_away`: the reason is visible.
        fence(Acquire);
        Start::Cancel
    }

    /// 4, 5: the poll was pending.
    #[inline]
    pub(crate) fn pause(&self) -> Pause {
        let near = self.get();
        debug_assert!(near & RUNNING != 0, "a task that did not run was paused");
        self.set(near & !RUNNING);
        if near & WOKEN == 0 {
            Pause::Idle
        } else {
            Pause::Requeue
        }
    }

    /// 8: it was taken out of the mailbox.
    pub(crate) fn receive(&self) -> Receive {
        // Acquire pairs with the Release in `wake_away`, also of those who found
        // the task posted already: the poll that follows sees what they wrote.
        let far = self.far.fetch_and(!FAR_WOKEN, AcqRel);
        debug_assert!(far & FAR_WOKEN != 0, "a task that nobody posted was taken");
        if self.get() & COMPLETE != 0 {
            return Receive::Over;
        }
        match self.wake_with(WOKEN) {
            Wake::Enqueue => Receive::Queue,
            Wake::Nothing => Receive::Nothing,
        }
    }

    /// Whether the output is the handle's to take or drop; false means that the
    /// thread at home sees to it.
    #[inline]
    pub(crate) fn has_handle(&self) -> bool {
        // Relaxed: a handle that goes away later is seen by `finish`.
        self.get() & JOIN != 0 && self.far.load(Relaxed) & DETACHED == 0
    }

    /// Takes the home slot back for good, or never had it: whether it is filled.
    #[inline]
    pub(crate) fn take_join_waker(&self) -> bool {
        let near = self.get();
        self.set(near & !JOIN_WAKER);
        near & JOIN_WAKER != 0
    }

    /// 3: the stage holds the output, or nothing if home saw no handle. `owned`
    /// says whether the owned list's reference is to be counted down with this.
    #[inline(always)]
    pub(crate) fn finish(&self, owned: bool, output_dropped: bool) -> Finished {
        let near = self.get();
        debug_assert!(near & RUNNING != 0, "a task that did not run was finished");
        debug_assert!(near & COMPLETE == 0, "a task was finished twice");
        debug_assert!(near & JOIN_WAKER == 0, "a waker was left in the home slot");
        let counted = near & !(REF - 1);
        // Before others see it: then home counts in `far`, too.
        self.set(COMPLETE);
        // Mostly nobody away has touched it, and somebody at home joins it.
        let plain = owned && near & JOIN != 0 && counted > REF;
        // Release and Acquire: as in `finish_with`.
        if plain
            && (self.far)
                .compare_exchange(0, (counted - REF) | COMPLETE, AcqRel, Acquire)
                .is_ok()
        {
            return Finished::Released;
        }
        self.finish_with(near, owned, output_dropped)
    }

    #[inline(never)]
    fn finish_with(&self, near: usize, owned: bool, output_dropped: bool) -> Finished {
        let counted = near & !(REF - 1);
        let mut far = self.far.load(Acquire);
        loop {
            let sum = (far & !(REF - 1)).wrapping_add(counted);
            let rest = Rest {
                drop_output: (near & JOIN == 0 || far & DETACHED != 0) && !output_dropped,
                wake_join: far & JOIN_WAKER != 0,
                in_mailbox: far & FAR_WOKEN != 0,
            };
            let kept = !owned || rest.drop_output || rest.wake_join || rest.in_mailbox;
            if sum == REF && !kept {
                // Nobody is left who could change it. Acquire above pairs with the
                // Release in `release_away`: what they did happens before the free.
                return Finished::Last;
            }
            let sum = if kept { sum } else { sum - REF };
            let now = sum | far & (REF - 1) | COMPLETE;
            // Release pairs with the Acquire in `is_complete_away` and its like: the
            // output is visible to the handle. Acquire pairs with the Release in
            // `offer_away`: the waker is visible here.
            match self.far.compare_exchange(far, now, AcqRel, Acquire) {
                Ok(_) if kept => return Finished::Kept(rest),
                Ok(_) => return Finished::Released,
                Err(changed) => far = changed,
            }
        }
    }

    #[inline]
    pub(crate) fn is_complete(&self) -> bool {
        self.get() & COMPLETE != 0
    }

    /// The handle wrote a waker into the home slot, which nobody else looks at
    /// before `finish`, on this thread.
    #[inline]
    pub(crate) fn offer(&self) {
        let near = self.get();
        debug_assert!(near & COMPLETE == 0, "a waker for a task that has ended");
        self.set(near | JOIN_WAKER);
    }

    /// The handle goes away.
    #[inline]
    pub(crate) fn detach(&self) -> Detached {
        let near = self.get();
        if near & COMPLETE != 0 {
            return Detached {
                drop_output: true,
                drop_waker: false,
            };
        }
        self.set(near & !(JOIN | JOIN_WAKER));
        Detached {
            drop_output: false,
            drop_waker: near & JOIN_WAKER != 0,
        }
    }

    /// Counts one more reference.
    #[inline]
    pub(crate) fn retain(&self) {
        if !self.retain_unended() {
            self.retain_away();
        }
    }

    /// The same of a task that has not ended; false, and not counted, if it has.
    #[inline]
    pub(crate) fn retain_unended(&self) -> bool {
        let near = self.get();
        if near & COMPLETE == 0 {
            self.set(count_up(near));
        }
        near & COMPLETE == 0
    }

    /// Counts one reference less; true for the last.
    #[must_use = "the last reference must free the task"]
    #[inline]
    pub(crate) fn release(&self) -> bool {
        let near = self.get();
        if near & COMPLETE != 0 {
            return self.release_away();
        }
        self.set(near.wrapping_sub(REF));
        false
    }

    /// Whether its next `start` cancels it.
    pub(crate) fn is_aborted(&self) -> bool {
        // Acquire pairs with the Release in `abort_away`: the reason is visible.
        (self.get() | self.far.load(Acquire)) & ABORTED != 0
    }

    /// The flags as a word for a task list; true at some moment, no more.
    pub(crate) fn describe(&self) -> &'static str {
        // Relaxed: a picture for people, nothing is read on the strength of it.
        let (near, far) = (self.near.load(Relaxed), self.far.load(Relaxed));
        match near {
            _ if (near | far) & COMPLETE != 0 => "complete",
            _ if near & RUNNING != 0 => "running",
            _ if near & WOKEN != 0 || far & FAR_WOKEN != 0 => "queued",
            _ => "idle",
        }
    }
}

/// One reference more, of either word.
#[inline]
fn count_up(word: usize) -> usize {
    if word.cast_signed() > isize::MAX / 2 {
        // Only reached by leaking wakers in a loop; going on would free the task
        // under those who still hold it.
        std::process::abort();
    }
    word.wrapping_add(REF)
}
