//! Step 2 of a turn: what is staged goes to the kernel.

use super::slot::{Request, Slot, Stage, What};
use super::{OVERFLOW_ROUNDS, Uring};
use crate::harvest::Harvest;
use crate::metrics::{Counts, add};
use crate::op::AnyOp;
use crate::slots::{Key, Kind};
use io_uring::squeue::{Entry, Flags};
use io_uring::{opcode, types};
use std::io;
use std::sync::Arc;

/// How often `submit_now` enters until its request is taken.
const SUBMIT_ROUNDS: usize = 1_000;

impl Uring {
    /// Queues a request, making room if the ring is full; `false`: there is no
    /// room even so.
    #[allow(unsafe_code, reason = "hands a request to the kernel")]
    fn push(&mut self, entry: &Entry, counts: &Counts) -> io::Result<bool> {
        // SAFETY: `entry` points to nothing (a poll, a cancel), or into the
        // operation of a slot in the stage InKernel, and names a descriptor
        // that the slot or the home owns; a loan owns its own until the first
        // result, see `op/zero_copy.rs`. `free` is the only way out of a slot
        // and is called for one in this stage by `complete` alone, at the
        // terminal completion; see `leak` for the end of a reactor.
        if unsafe { self.ring.push(entry) } {
            return Ok(true);
        }
        self.ring.enter(None, counts)?;
        // SAFETY: as above.
        Ok(unsafe { self.ring.push(entry) })
    }

    /// Step 2: hands what is staged and what is to be cancelled to the ring.
    /// `false` if there was no room for some of it.
    pub(super) fn flush(&mut self, counts: &Counts) -> io::Result<bool> {
        if !self.bell {
            if self.lost {
                return Err(io::Error::from_raw_os_error(libc::EBADR));
            }
            let entry = opcode::PollAdd::new(types::Fd(self.bell_fd), libc::POLLIN as u32)
                .multi(true)
                .build()
                .user_data(Key::NONE.pack(Kind::Interrupt));
            if !self.push(&entry, counts)? {
                return Ok(false);
            }
            self.bell = true;
        }
        while let Some(&key) = self.cancels.front() {
            if let Some(slot) = self.slots.get(key) {
                let entry = opcode::AsyncCancel::new(key.pack(slot.kind()))
                    .build()
                    .flags(Flags::SKIP_SUCCESS)
                    .user_data(Key::NONE.pack(Kind::Cancel));
                if !self.push(&entry, counts)? {
                    return Ok(false);
                }
            }
            self.cancels.pop_front();
        }
        while let Some(&key) = self.watches.front() {
            if !self.send(key, counts)? {
                return Ok(false);
            }
            self.watches.pop_front();
        }
        while self.ops_in_kernel < self.ops_max
            && let Some(&key) = self.ops.front()
        {
            if !self.send(key, counts)? {
                return Ok(false);
            }
            self.ops.pop_front();
        }
        Ok(true)
    }

    /// Sends a staged slot's request; `false` if there was no room for it.
    fn send(&mut self, key: Key, counts: &Counts) -> io::Result<bool> {
        let Some(slot) = self.slots.get_mut(key) else {
            return Ok(true);
        };
        debug_assert_eq!(slot.stage, Stage::Staged);
        // Before the push: from then on the kernel may have it, whatever
        // becomes of the enter.
        slot.stage = Stage::InKernel;
        let counts_as_op = slot.counts();
        let entry = slot.entry(key, self.bell_fd);
        let pushed = self.push(&entry, counts);
        if !matches!(pushed, Ok(true)) {
            // Nobody else has touched the slot: `push` only enters, and after
            // an error of that the request is not in the ring either.
            self.slots.get_mut(key).expect("found above").withdraw();
        } else if let Some(Slot {
            what:
                What::Watch {
                    source,
                    accepts: true,
                    ..
                },
            ..
        }) = self.slots.get(key)
        {
            source.accepts.get().expect("asked for").armed();
        } else if counts_as_op {
            self.ops_in_kernel += 1;
            debug_assert!(self.ops_in_kernel <= self.ops_max);
        }
        pushed
    }

    /// Sends an operation that the kernel works on within the call, and takes
    /// its first result; `false`: there is no room for it (half of it is for
    /// operations that end by themselves), and it is unsent.
    pub(crate) fn submit_now(
        &mut self,
        op: &Arc<dyn AnyOp>,
        harvest: &mut Harvest,
        counts: &Counts,
    ) -> bool {
        if self.loans >= self.ops_max / 2 {
            return false;
        }
        let what = What::Op {
            op: Arc::clone(op),
            request: Request::Itself,
            ends: false,
        };
        let key = self.slots.insert(Slot::staged(what));
        self.ops_held += 1;
        if !matches!(self.send(key, counts), Ok(true)) {
            self.free(key, harvest);
            return false;
        }
        add(&counts.zero_copy_sends, 1);
        // The kernel leaves requests in the ring only while it wants to be
        // reaped or lacks memory: seldom, and not for long.
        for _ in 0..SUBMIT_ROUNDS {
            let entered = self.ring.enter(None, counts);
            self.reap(harvest, counts);
            if !self.goes_on(&entered) || !self.ring.has_queued() {
                break;
            }
        }
        true
    }

    /// Flush, enter and reap without waiting and outside of a turn, until all that
    /// is to be cancelled is.
    pub(crate) fn flush_now(&mut self, harvest: &mut Harvest, counts: &Counts) {
        // An entry may take only so many requests, and end only so many.
        let rounds = OVERFLOW_ROUNDS + self.slots.len() / 16;
        for _ in 0..rounds {
            let entered = self
                .flush(counts)
                .and_then(|_| self.ring.enter(None, counts));
            self.reap(harvest, counts);
            if !self.goes_on(&entered) || !(self.has_cancels() || self.ring.must_enter()) {
                break;
            }
        }
    }

    /// Whether an enter that nobody can be told of has succeeded: an error comes again in
    /// the next turn, which can. That completions were lost the kernel says only once.
    pub(super) fn goes_on(&mut self, entered: &io::Result<()>) -> bool {
        let Err(error) = entered else { return true };
        if error.raw_os_error() == Some(libc::EBADR) {
            self.lost = true;
            self.bell = false; // so that `flush` looks
        }
        false
    }
}
