//! Step 3: what the kernel has done, one completion after the other.

use super::slot::{Request, Slot, Stage, What};
use super::{Uring, cancelled};
use crate::driver::ring::Completion;
use crate::harvest::{Garbage, Harvest};
use crate::metrics::{Counts, add};
use crate::slots::{Key, Kind};
use crate::source::Shared;
use crate::state::Event;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

impl Uring {
    /// Step 3 for all that has completed; returns how many events that were.
    pub(super) fn reap(&mut self, harvest: &mut Harvest, counts: &Counts) -> usize {
        let mut events = 0;
        // Those that are there now: what comes meanwhile is for the next turn.
        for _ in 0..self.ring.completions() {
            let Some(done) = self.ring.reap() else {
                break;
            };
            events += usize::from(self.complete(done, harvest, counts));
        }
        events
    }

    /// One completion; whether it was an event, not one of the driver's own.
    pub(super) fn complete(
        &mut self,
        done: Completion,
        harvest: &mut Harvest,
        counts: &Counts,
    ) -> bool {
        let Some((kind, key)) = Key::unpack(done.data) else {
            add(&counts.stale, 1);
            return false;
        };
        match kind {
            Kind::Interrupt => {
                self.bell &= done.more;
                return false;
            }
            Kind::Cancel | Kind::Alarm => return false,
            Kind::Source | Kind::Op => {}
        }
        match self.slots.get_mut(key) {
            // By far the most: a socket that is watched has data.
            Some(Slot {
                what:
                    What::Watch {
                        source,
                        released: false,
                        accepts: false,
                        ..
                    },
                stage: Stage::InKernel,
                ..
            }) if done.more && kind == Kind::Source => tell(source, done, harvest),
            Some(slot) if slot.kind() == kind && slot.stage == Stage::InKernel => {
                if !done.more {
                    slot.stage = Stage::Done;
                }
                match slot.what {
                    What::Watch { accepts: true, .. } => self.complete_accept(key, done, harvest),
                    What::Watch { .. } => self.complete_watch(key, done, harvest),
                    What::Op { .. } => self.complete_op(key, done, harvest),
                }
            }
            _ => add(&counts.stale, 1),
        }
        true
    }

    /// A connection that was accepted ahead, or the end of accepting.
    #[allow(unsafe_code, reason = "owns the descriptor that a completion brings")]
    fn complete_accept(&mut self, key: Key, done: Completion, harvest: &mut Harvest) {
        let home = self.home;
        let Some(Slot {
            what: What::Watch {
                source, released, ..
            },
            ..
        }) = self.slots.get(key)
        else {
            return;
        };
        let (source, released) = (Arc::clone(source), *released);
        let accepts = source.accepts.get().expect("asked for");
        let mut full = false;
        match done.value() {
            Ok(fd) => {
                // SAFETY: the kernel has just made this descriptor for this
                // request and told it in this completion, which is reaped once.
                full = accepts.push(unsafe { OwnedFd::from_raw_fd(fd as RawFd) });
            }
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => accepts.refuse(),
            Err(_) => {}
        }
        if !done.more {
            accepts.ended();
        }
        // Also after a release: the source may live, and be waited for elsewhere.
        let event = Event::from_poll(libc::POLLIN.into());
        source.state.deliver(event, &mut harvest.wakers);
        if done.more {
            if full {
                self.ask_cancel(key);
            }
            return;
        }
        if !released {
            source
                .state
                .disarm(|armed| armed.is(home, key), None, &mut harvest.wakers);
        }
        harvest.garbage.push(Garbage::Source(source));
        self.free(key, harvest);
    }

    fn complete_watch(&mut self, key: Key, done: Completion, harvest: &mut Harvest) {
        let home = self.home;
        let Some(Slot {
            what: What::Watch {
                source, released, ..
            },
            ..
        }) = self.slots.get(key)
        else {
            return;
        };
        if done.more {
            return; // it was released
        }
        if !released {
            tell(source, done, harvest);
            // A one-shot poll has done its work, or the kernel ended a
            // multishot one (no room, no memory): armed again when needed.
            let error = Some(-done.result).filter(|error| *error > 0 && *error != libc::ECANCELED);
            source
                .state
                .disarm(|armed| armed.is(home, key), error, &mut harvest.wakers);
        }
        self.free(key, harvest);
    }

    fn complete_op(&mut self, key: Key, done: Completion, harvest: &mut Harvest) {
        if done.more {
            if let Some(Slot {
                what: What::Op { op, .. },
                ..
            }) = self.slots.get(key)
            {
                op.early(done.value());
                self.loans += 1;
            }
            return;
        }
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let (cancel_asked, left) = (slot.cancel_asked, slot.left);
        let What::Op { op, request, ends } = &mut slot.what else {
            return;
        };
        let ends = *ends;
        self.ops_in_kernel -= usize::from(ends);
        if done.notification {
            self.loans -= 1;
            op.settled(&mut harvest.wakers);
            return self.free(key, harvest);
        }
        if matches!(request, Request::Poll(_)) && !cancel_asked && op.waits().is_some() {
            op.give_back(&mut harvest.wakers);
            return self.free(key, harvest);
        }
        let unasked = done.result == -libc::ECANCELED && !cancel_asked;
        if *request == Request::Thread || (unasked && *request == Request::Itself) {
            return self.complete_unrun(key, unasked, harvest);
        }
        // Every poll ends with another try, also one that failed: that tells why.
        let wait = match (*request, done.result) {
            (Request::Poll(_), _) => Some(Request::Itself),
            (_, result) if result == -libc::EAGAIN => op.direction().map(Request::Poll),
            _ => None,
        };
        if let Some(next) = wait
            && !cancel_asked
        {
            *request = next;
            slot.stage = Stage::Staged;
            return self.list(key, ends);
        }
        let unfinished = matches!(done.errno(), libc::EAGAIN | libc::EINTR);
        let stopped = cancel_asked && (wait.is_some() || unfinished);
        if left && (stopped || done.result == -libc::ECANCELED) {
            op.give_back(&mut harvest.wakers);
            return self.free(key, harvest);
        }
        let result = if stopped {
            Err(cancelled())
        } else {
            done.value()
        };
        op.complete(result, &mut harvest.wakers);
        self.free(key, harvest);
    }
}

/// What a poll tells of a source.
#[inline]
fn tell(source: &Shared, done: Completion, harvest: &mut Harvest) {
    match done.value() {
        Ok(bits) => {
            let event = Event::from_poll(bits as libc::c_int);
            source.state.deliver(event, &mut harvest.wakers);
        }
        Err(_) => debug_assert!(!done.more, "an error ends a poll"),
    }
}
