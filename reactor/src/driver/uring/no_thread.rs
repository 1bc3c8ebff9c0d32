//! Requests that the kernel had no thread for.
//!
//! ```text
//!   ECANCELED, and nobody had asked for it
//!     └─▶ is there a thread? ─┬─ ECANCELED ──▶ back to its future, then to the pool
//!                             └─ done ──▶ the file said ECANCELED
//! ```
//!
//! What may block is done by threads of the ring's, and if not even the first of them
//! can be started (`RLIMIT_NPROC`, `pids.max` of a container) the kernel ends all that
//! waits for one, and says ECANCELED. None of it has been begun.
//!
//! But a file may say so too (a FUSE server's word is passed on), and then nothing may be
//! done twice: bytes were written, maybe, and the number that a close had is somebody
//! else's. Hence the question, a request that does nothing, by a thread: the one that did
//! the operation is there still, since the kernel keeps the last of either kind (of
//! streams, and of the rest). Where one could be had meanwhile, but not before, it is told
//! as cancelled though it was not begun, and what was to be closed stays open.

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
            Request::Itself if op.restarts() || !op.stops() => {
                *request = Request::Thread;
                *stage = Stage::Staged;
                let ends = *ends;
                return self.list(key, ends);
            }
            Request::Thread if unasked => op.unrun(&mut harvest.wakers),
            _ => op.complete(Err(cancelled()), &mut harvest.wakers),
        }
        self.free(key, harvest);
    }
}
