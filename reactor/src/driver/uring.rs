//! The io_uring driver.
//!
//! ```text
//!              arm, submit                 flush                     reap
//!   Free ──────────1──────▶ Staged ─────────2───────▶ InKernel ───────3──────▶ Free
//!                             │                         │    ▲
//!                             └──4──▶ Free              │    │ more to come
//!                       release, cancel                 5    │
//!                                                       ▼    │
//!                                             InKernel, cancel asked ──3──▶ Free
//! ```
//! 1 a future must wait, or an operation was submitted: a slot, nothing else
//! 2 `flush`, before each enter: the request is queued for the kernel
//! 3 `complete`, at the terminal completion, the one without F_MORE
//! 4 the kernel never knew it: it is simply gone, and a descriptor number that
//!   is closed and used again can never be armed by mistake
//! 5 `release`, `cancel`: a cancel request is listed for the next flush; a close
//!   has none, as the kernel frees the number first and then may say anything, nor
//!   has the question of `no_thread.rs`
//!
//! When the thread leaves, `give_back` takes operations the ways of 4 and 5, and
//! their futures begin them again where they are polled.
//!
//! A source waits to read by one multishot poll, armed once and then silent in
//! user space: each change of the socket is a completion. It waits to write by
//! a one-shot poll, after a write that found no room. So data is always moved
//! by a plain system call into the caller's memory, and no request of a source
//! points to memory at all.
//!
//! # Invariants
//!
//! Each has a debug assertion where it could break, and a test.
//!
//! 1. What a request names outlives its terminal completion: the slot holds the
//!    source or operation, and only 3 and 4 empty it; at the end of a reactor
//!    it is waited for, or leaked. Of a loan (a buffer lent for a send) that is
//!    the memory: its descriptor is held until the first result, after which
//!    the kernel has no need of the number.
//!    `a_reactor_dropped_with_a_read_in_flight_has_the_buffer_back_first`,
//!    `nothing_is_delivered_after_a_release`,
//!    `what_the_kernel_did_not_let_go_of_is_leaked`.
//! 2. There is no reference to memory that the kernel may write: a buffer is
//!    reached by the pointer in the request alone. Its owner, a `Vec`, is not
//!    looked into before `complete` (by construction, `op/kinds.rs`).
//!    `a_result_that_was_too_late_to_cancel_is_delivered`.
//! 3. A stale or unknown number is counted, never used as an index.
//!    `a_stale_completion_is_counted_and_ignored`,
//!    `a_completion_for_a_staged_slot_is_stale`, the proptest of `slots.rs`.
//! 4. The rings are touched by their thread only: `Reactor` is not `Send`; its
//!    doctest fails to compile. A forked child is kept out:
//!    `a_forked_child_is_refused_and_the_parent_goes_on`.
//! 5. Cancels wait in a list without bound; operations in the kernel that end by
//!    themselves are never more than the completion ring has room for, and
//!    buffers lent for sends never more than half as many. Watches are not
//!    limited, nor operations that wait for a peer: a slow one must not keep others
//!    from being watched, nor files from being read, and the kernel keeps what has
//!    no room. `operations_beyond_the_completion_ring_wait`,
//!    `what_waits_for_a_peer_leaves_room_for_files`,
//!    `loans_leave_room_for_other_operations`,
//!    `what_was_withdrawn_before_there_was_room_leaves_no_key`,
//!    `a_storm_of_cancels_leaves_nothing_behind`,
//!    `more_events_than_the_ring_holds_are_all_delivered`.
//! 6. A descriptor that comes back is owned from reaping on, by the operation
//!    and its result (`Outcome` in `op/cell.rs`). One that is to be closed is the
//!    kernel's from the request on, unless that was not even begun (`no_thread.rs`).
//!    `an_open_that_nobody_waits_for_closes_its_descriptor`,
//!    `a_close_that_the_kernel_has_is_not_stopped_and_closes_once`,
//!    `a_close_that_the_kernel_had_no_thread_for_is_done_all_the_same`.
//! 7. No waker and no payload is run or dropped while slots or ring are
//!    borrowed: `Harvest`. `wakers_run_when_nothing_is_borrowed`,
//!    `a_buffer_is_filled_and_dropped_when_nothing_is_borrowed`.
//! 8. One watch per direction: `State::arm` asks under its lock whether there
//!    is one. `two_waiters_share_one_watch`, and a loom model.

mod complete;
mod end;
mod no_thread;
mod send;
mod slot;

use super::ring::Ring;
use super::{Sleep, Turning};
use crate::accepts::Accepts;
use crate::harvest::{Garbage, Harvest};
use crate::metrics::add;
use crate::op::AnyOp;
use crate::remote::Home;
use crate::slots::{Key, Slots};
use crate::source::Shared;
use crate::state::Direction;
use crate::watched::Watched;
use slot::{Request, Slot, Stage, What};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

/// How often a turn goes back to the kernel for completions that had no room.
const OVERFLOW_ROUNDS: usize = 16;

/// How many keys of operations that are gone may stay listed in any case.
const STALE_MAX: usize = 64;

pub(crate) struct Uring {
    ring: Ring,
    slots: Slots<Slot>,
    /// Keys of staged slots; one that was withdrawn meanwhile is stale. What waits
    /// for a peer is among the watches.
    watches: VecDeque<Key>,
    ops: VecDeque<Key>,
    cancels: VecDeque<Key>,
    /// Operations that exist; those of them that end by themselves; and how many
    /// of these the kernel has.
    ops_held: usize,
    ops_ending: usize,
    ops_in_kernel: usize,
    ops_max: usize,
    /// Operations of which the kernel only has the memory yet, as long as a peer
    /// likes; so they may not take all that there is for operations.
    loans: usize,
    /// The poll of the eventfd is in the kernel.
    bell: bool,
    /// So are requests whose completions it has lost, and nobody was told.
    lost: bool,
    bell_fd: RawFd,
    home: u64,
    watched: Option<Arc<Watched>>,
}

fn cancelled() -> io::Error {
    io::Error::from_raw_os_error(libc::ECANCELED)
}

impl Uring {
    pub(crate) fn new(entries: u32, completions: Option<u32>, home: &Home) -> io::Result<Uring> {
        let ring = Ring::new(entries, completions.unwrap_or(entries * 4).max(entries))?;
        let (_, completions) = ring.size();
        Ok(Uring {
            ring,
            slots: Slots::new(),
            watches: VecDeque::new(),
            ops: VecDeque::new(),
            cancels: VecDeque::new(),
            ops_held: 0,
            ops_ending: 0,
            ops_in_kernel: 0,
            ops_max: completions as usize,
            loans: 0,
            bell: false,
            lost: false,
            bell_fd: home.eventfd.as_raw_fd(),
            home: home.id,
            watched: None,
        })
    }

    /// Submission and completion entries.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.ring.size()
    }

    /// See `Ring::self_test`.
    pub(crate) fn self_test(&mut self, optional: &[u8]) -> io::Result<Vec<u8>> {
        self.ring.self_test(optional)
    }

    pub(crate) fn arm(&mut self, source: &Arc<Shared>, direction: Direction) -> Key {
        let what = What::Watch {
            source: Arc::clone(source),
            direction,
            released: false,
            accepts: direction == Direction::Read
                && source.accepts.get().is_some_and(Accepts::is_supported),
        };
        let key = self.slots.insert(Slot::staged(what));
        self.watches.push_back(key);
        if let Some(watched) = &self.watched {
            watched.insert(key, source);
        }
        key
    }

    pub(crate) fn enlist(&mut self, watched: Arc<Watched>) {
        assert!(
            self.is_empty(),
            "something is watched already, and not listed"
        );
        self.watched = Some(watched);
    }

    pub(crate) fn release(&mut self, key: Key, harvest: &mut Harvest) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let What::Watch { released, .. } = &mut slot.what else {
            unreachable!("a source's key names a watch")
        };
        *released = true;
        let stage = slot.stage;
        self.unlist(key);
        match stage {
            Stage::Staged => self.free(key, harvest),
            Stage::InKernel => self.ask_cancel(key),
            Stage::Done => unreachable!("a slot that is done is emptied by the same call"),
        }
    }

    pub(crate) fn submit(&mut self, op: &Arc<dyn AnyOp>) -> Key {
        let request = op.waits().map_or(Request::Itself, Request::Poll);
        let (op, ends) = (Arc::clone(op), op.ends());
        let what = What::Op { op, request, ends };
        let key = self.slots.insert(Slot::staged(what));
        self.ops_held += 1;
        self.ops_ending += usize::from(ends);
        self.list(key, ends);
        key
    }

    /// Lists an operation for the next flush, for the first time or once more.
    fn list(&mut self, key: Key, ends: bool) {
        let staged = if ends {
            &mut self.ops
        } else {
            &mut self.watches
        };
        staged.push_back(key);
    }

    pub(crate) fn cancel(&mut self, key: Key, harvest: &mut Harvest) {
        let Some(slot) = self.slots.get(key) else {
            return;
        };
        match (slot.stage, &slot.what) {
            (Stage::Staged, What::Op { op, request, .. }) if *request != Request::Thread => {
                op.complete(Err(cancelled()), &mut harvest.wakers);
                self.free(key, harvest);
                self.forget_stale();
            }
            _ if !slot.may_be_stopped() => {}
            _ => self.ask_cancel(key),
        }
    }

    /// Takes out the keys of what was withdrawn, once they are most: while there is
    /// no room, `flush` does not come to them.
    fn forget_stale(&mut self) {
        let live = self.ops_ending - self.ops_in_kernel;
        if self.ops.len() > 2 * live + STALE_MAX {
            let slots = &self.slots;
            self.ops.retain(|key| slots.get(*key).is_some());
        }
    }

    fn ask_cancel(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        debug_assert_eq!(slot.stage, Stage::InKernel);
        if !slot.cancel_asked {
            slot.cancel_asked = true;
            self.cancels.push_back(key);
        }
    }

    fn unlist(&self, key: Key) {
        if let Some(watched) = &self.watched {
            watched.remove(key);
        }
    }

    /// Empties a slot that the kernel does not have, or has no more.
    fn free(&mut self, key: Key, harvest: &mut Harvest) {
        let Some(slot) = self.slots.remove(key) else {
            return;
        };
        debug_assert_ne!(slot.stage, Stage::InKernel, "the kernel may still use it");
        harvest.garbage.push(match slot.what {
            What::Watch { source, .. } => {
                self.unlist(key);
                Garbage::Source(source)
            }
            What::Op { op, ends, .. } => {
                self.ops_held -= 1;
                self.ops_ending -= usize::from(ends);
                Garbage::Op(op)
            }
        });
    }

    pub(crate) fn has_cancels(&self) -> bool {
        !self.cancels.is_empty()
    }

    pub(crate) fn turn(&mut self, turning: &mut Turning<'_>) -> io::Result<()> {
        let counts = turning.counts;
        let all_sent = self.flush(counts)?;
        if !all_sent || self.ring.completions() > 0 {
            turning.sleep = Sleep::No;
        }
        let entered = turning.around_sleep(|sleep| match sleep {
            None if !self.ring.must_enter() => Ok(()),
            sleep => self.ring.enter(sleep, counts),
        });
        // Also after an error: what has completed must not wait for the next turn.
        turning.events += self.reap(turning.harvest, counts);
        for _ in 0..OVERFLOW_ROUNDS {
            if !self.ring.has_overflowed() {
                break;
            }
            add(&counts.overflows, 1);
            self.ring.enter(None, counts)?;
            turning.events += self.reap(turning.harvest, counts);
        }
        entered
    }

    pub(crate) fn works(&self) -> bool {
        self.ops_ending > 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.len() == 0
    }

    pub(crate) fn held(&self) -> (usize, usize) {
        (self.slots.len() - self.ops_held, self.ops_held)
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        debug_assert_eq!(self.slots.len(), 0, "drained or leaked before");
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
