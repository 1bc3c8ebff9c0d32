//! Requests that the kernel had no thread for.
//!
//! ```text
//!   ECANCELED, and nobody had asked for it
//!     ├─ an operation that may begin again ───▶ back to its future, then to the pool
//!     └─ a close ──▶ NOP, by a thread ─┬─ ECANCELED ──▶ the same
//!                                      └─ done ──▶ it is closed: the file said ECANCELED
//! ```
//!
//! What may block is done by threads of the ring's, and if not even the first of them
//! can be started (`RLIMIT_NPROC`, `pids.max` of a container) the kernel ends all that
//! waits for one, and says ECANCELED. None of it has been begun.
//!
//! But a file may say so too, when it is closed (a FUSE server's word is passed on), and
//! then its number is somebody else's by now. Hence the question: a thread that did the
//! close is there still, since the kernel keeps the last one. Where one could be had
//! meanwhile, but not before, the descriptor stays open; nobody else's is ever closed.

use super::slot::{Request, Slot, Stage, What};
use super::{Uring, cancelled};
use crate::harvest::Harvest;
use crate::slots::Key;

impl Uring {
    /// The end of a request, or of the question above. `unasked`: it says ECANCELED, and
    /// that was nobody's wish.
    #[cold]
    pub(super) fn complete_unrun(&mut self, key: Key, unasked: bool, harvest: &mut Harvest) {
        let Some(Slot {
            what: What::Op { op, request, ends },
            stage,
            ..
        }) = self.slots.get_mut(key)
        else {
            return;
        };
        match request {
            Request::Itself if !op.stops() => {
                *request = Request::Thread;
                *stage = Stage::Staged;
                let ends = *ends;
                return self.list(key, ends);
            }
            Request::Itself if op.restarts() => op.unrun(&mut harvest.wakers),
            Request::Thread if unasked => op.unrun(&mut harvest.wakers),
            _ => op.complete(Err(cancelled()), &mut harvest.wakers),
        }
        self.free(key, harvest);
    }
}
