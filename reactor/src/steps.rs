//! Whether time moves on by itself, and how far: the decision, and who waits
//! for it. Pure: no clock and no kernel here; `time/virtual_time.rs` has the rules.
//!
//! A *step* ends a turn that found nothing. Its thread has nothing to run then,
//! and would sleep.
//!
//! ```text
//!   someone waits for quiet, and it is quiet ─────────▶ Settle: wake them
//!   else, time is paused:
//!     someone advances it ────────────────────────────▶ To(their target, or the
//!                                                          first deadline before it)
//!     it is quiet, a timer waits, auto-advance is on ─▶ To(its deadline)
//!   else ─────────────────────────────────────────────▶ Stay: sleep
//! ```
//!
//! *Quiet* is: no blocking job is queued or runs, no operation is in flight that
//! ends by itself, and no other thread has just woken someone here.

use crate::parker::Parker;
use std::collections::BTreeMap;
use std::task::Waker;

/// What a turn that finds nothing will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing: it may sleep.
    Stay,
    /// Wake those who wait for quiet.
    Settle,
    /// Go to this moment: no deadline is before it.
    To(u64),
}

/// Names one who waits for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Id {
    /// For quiet.
    Quiet(u64),
    /// For a moment, in nanoseconds after the clock's origin.
    Moment(u64, u64),
}

/// Who waits for a step.
#[derive(Debug)]
pub(crate) struct Steps {
    next: u64,
    waiting: BTreeMap<Id, Waker>,
    auto: bool,
}

impl Default for Steps {
    fn default() -> Steps {
        Steps {
            next: 0,
            waiting: BTreeMap::new(),
            auto: true,
        }
    }
}

impl Steps {
    pub(crate) fn wait_for_quiet(&mut self, waker: Waker) -> Id {
        self.next += 1;
        self.insert(Id::Quiet(self.next), waker)
    }

    pub(crate) fn wait_for_moment(&mut self, target: u64, waker: Waker) -> Id {
        self.next += 1;
        self.insert(Id::Moment(target, self.next), waker)
    }

    fn insert(&mut self, id: Id, waker: Waker) -> Id {
        self.waiting.insert(id, waker);
        id
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut Waker> {
        self.waiting.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: Id) -> Option<Waker> {
        self.waiting.remove(&id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether time goes on without being told to.
    pub(crate) fn set_auto(&mut self, auto: bool) {
        self.auto = auto;
    }

    fn target(&self) -> Option<u64> {
        let (id, _) = self.waiting.range(Id::Moment(0, 0)..).next()?;
        match *id {
            Id::Moment(target, _) => Some(target),
            Id::Quiet(_) => unreachable!("they come first"),
        }
    }

    /// The decision. `first`: the first deadline, if time is paused and there
    /// is one; `quiet` is asked only if it counts.
    pub(crate) fn decide(
        &self,
        paused: bool,
        first: Option<u64>,
        quiet: impl FnOnce() -> bool,
    ) -> Step {
        let settle = matches!(self.waiting.first_key_value(), Some((Id::Quiet(_), _)));
        let target = self.target().filter(|_| paused);
        let jump = first.filter(|_| paused && self.auto && target.is_none());
        let is_quiet = (settle || jump.is_some()) && quiet();
        match (target, jump) {
            _ if settle && is_quiet => Step::Settle,
            (Some(target), _) => Step::To(first.map_or(target, |first| first.min(target))),
            (None, Some(first)) if is_quiet => Step::To(first),
            (None, _) => Step::Stay,
        }
    }

    /// It is quiet: those who waited for it go to `out`, in their order.
    pub(crate) fn settle(&mut self, out: &mut Vec<Waker>) {
        let moments = self.waiting.split_off(&Id::Moment(0, 0));
        let settled = std::mem::replace(&mut self.waiting, moments);
        out.extend(settled.into_values());
    }

    /// It is `now`, and all that was due has run: those who advanced the time
    /// to here go to `out`.
    pub(crate) fn arrive(&mut self, now: u64, out: &mut Vec<Waker>) {
        while let Some(target) = self.target().filter(|target| *target <= now) {
            let first = self.waiting.range(Id::Moment(target, 0)..).next();
            let Some(id) = first.map(|(id, _)| *id) else {
                return;
            };
            out.extend(self.waiting.remove(&id));
        }
    }

    /// Time goes by itself again: those who advanced it go to `out`.
    pub(crate) fn give_up(&mut self, out: &mut Vec<Waker>) {
        let moments = self.waiting.split_off(&Id::Moment(0, 0));
        out.extend(moments.into_values());
    }

    pub(crate) fn drain(&mut self, out: &mut Vec<Waker>) {
        out.extend(std::mem::take(&mut self.waiting).into_values());
    }
}

/// Whether no job is in flight and nobody has notified this thread.
///
/// A job queues what it wakes, notifies, and only then counts as ended. So the
/// jobs are looked at first: if they have ended, their notifications are seen
/// here, and the queues get another look before time moves.
pub(crate) fn is_quiet(parker: &Parker, jobs: impl FnOnce() -> bool) -> bool {
    !jobs() && !parker.is_notified()
}

#[cfg(test)]
mod tests;
