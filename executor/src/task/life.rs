//! A task's state, by flavour and by where its caller is.
//!
//! | flavour   | at home        | away               |
//! |-----------|----------------|--------------------|
//! | stealable | [`State`]: one operation each, wherever  ||
//! | local     | [`Near`], plain| [`Near`], `*_away` |

use std::cell::UnsafeCell;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;

use wakeline_context::is_home;

use super::near::Near;
use super::state::{Complete, Detached, State, Wake};
use super::waker::clone_at_home;

pub(super) enum Life {
    /// And whether it woke itself in the poll in progress, or is queued for that.
    /// Written by who has the right to run it; others only look.
    Stealable(State, AtomicBool),
    Local(Local),
}

pub(super) struct Local {
    pub(super) near: Near,
    home: usize,
    /// For a handle that is polled away; one at home has the task's own slot.
    pub(super) away_slot: UnsafeCell<Option<Waker>>,
}

impl Local {
    #[inline]
    fn is_home(&self) -> bool {
        is_home(self.home)
    }
}

impl Life {
    #[inline(always)]
    pub(super) fn new(home: Option<usize>) -> Life {
        match home {
            None => Life::Stealable(State::new(), AtomicBool::new(false)),
            Some(home) => Life::Local(Local {
                near: Near::new(),
                home,
                away_slot: UnsafeCell::new(None),
            }),
        }
    }

    /// Whether its drop would do nothing.
    #[inline]
    pub(super) fn is_bare(&mut self) -> bool {
        match self {
            Life::Stealable(..) => true,
            Life::Local(local) => local.away_slot.get_mut().is_none(),
        }
    }

    /// Whether only its home may run it.
    #[inline]
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Life::Local(_))
    }

    pub(super) fn abort(&self) -> Wake {
        match self {
            Life::Stealable(state, _) => state.abort(),
            Life::Local(local) if local.is_home() => local.near.abort(),
            Life::Local(local) => local.near.abort_away(),
        }
    }

    /// The state of a local task whose home is this thread's.
    #[inline]
    pub(super) fn at_home(&self) -> Option<&Near> {
        match self {
            Life::Local(local) if local.is_home() => Some(&local.near),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Life::Stealable(state, _) => state.is_complete(),
            Life::Local(local) if local.is_home() => local.near.is_complete(),
            Life::Local(local) => local.near.is_complete_away(),
        }
    }

    /// Whether it is to be cancelled when it is run next; asked by who runs it.
    pub(super) fn is_aborted(&self) -> bool {
        match self {
            Life::Stealable(state, _) => state.is_aborted(),
            Life::Local(local) => local.near.is_aborted(),
        }
    }

    pub(super) fn describe(&self) -> &'static str {
        match self {
            Life::Stealable(state, yields) => match state.describe() {
                "running" if yields.load(Relaxed) => "queued",
                word => word,
            },
            Life::Local(local) => local.near.describe(),
        }
    }

    /// The handle writes a waker into the slot that is its own here; false if the
    /// task has completed. `slot` is the task's. In line, as each join passes here, and
    /// what is rare is elsewhere.
    #[inline(always)]
    pub(super) fn offer(&self, slot: &UnsafeCell<Option<Waker>>, waker: &Waker) -> bool {
        match self {
            Life::Local(local) if local.is_home() => {
                if local.near.is_complete() {
                    return false;
                }
                // SAFETY: at home and before the end the slot is the handle's.
                let slot = unsafe { &mut *slot.get() };
                let first = slot.is_none().then(|| clone_at_home(waker)).flatten();
                match first {
                    Some(waker) => *slot = Some(waker),
                    None => fill(slot, waker),
                }
                local.near.offer();
                true
            }
            _ => !self.is_complete() && self.offer_away(slot, waker),
        }
    }

    #[inline(never)]
    fn offer_away(&self, slot: &UnsafeCell<Option<Waker>>, waker: &Waker) -> bool {
        match self {
            Life::Stealable(state, _) => offer(
                slot,
                waker,
                || state.reclaim_join_waker(),
                || state.offer_join_waker(),
            ),
            Life::Local(local) => offer(
                &local.away_slot,
                waker,
                || local.near.reclaim_away(),
                || local.near.offer_away(),
            ),
        }
    }

    /// The handle goes away; the slot whose waker it must drop, if there is one.
    #[inline]
    pub(super) fn detach<'a>(
        &'a self,
        slot: &'a UnsafeCell<Option<Waker>>,
    ) -> (Detached, &'a UnsafeCell<Option<Waker>>) {
        match self {
            Life::Stealable(state, _) => (state.detach(), slot),
            Life::Local(local) if local.is_home() => (local.near.detach(), slot),
            Life::Local(local) => (local.near.detach_away(), &local.away_slot),
        }
    }

    #[inline]
    pub(super) fn retain(&self) {
        match self {
            Life::Stealable(state, _) => state.retain(),
            Life::Local(local) if local.is_home() => local.near.retain(),
            Life::Local(local) => local.near.retain_away(),
        }
    }

    #[must_use = "the last reference must free the task"]
    #[inline]
    pub(super) fn release(&self) -> bool {
        match self {
            Life::Stealable(state, _) => state.release(),
            Life::Local(local) if local.is_home() => local.near.release(),
            Life::Local(local) => local.near.release_away(),
        }
    }

    /// The state of a local task, for the thread at home.
    #[inline]
    pub(super) fn local(&self) -> Option<&Local> {
        match self {
            Life::Stealable(..) => None,
            Life::Local(local) => {
                debug_assert!(local.is_home(), "a local task was run away from home");
                Some(local)
            }
        }
    }

    /// Of a stealable task, or from away. `running` tells whether this thread just polls the task: who is woken by its
    /// own hands needs no atomic operation to be queued again.
    #[inline]
    pub(super) fn wake_away(&self, running: impl FnOnce() -> bool) -> Wake {
        match self {
            Life::Stealable(_, yields) if running() => {
                yields.store(true, Relaxed);
                Wake::Nothing
            }
            Life::Stealable(state, _) => state.wake(),
            Life::Local(local) => local.near.wake_away(),
        }
    }
}

/// Leaves a waker in a slot that another thread may look at once it is offered.
#[inline]
fn offer(
    slot: &UnsafeCell<Option<Waker>>,
    waker: &Waker,
    reclaim: impl FnOnce() -> Result<(), Complete>,
    offer: impl FnOnce() -> Result<(), Complete>,
) -> bool {
    if reclaim().is_err() {
        return false;
    }
    // SAFETY: JOIN_WAKER is clear and the task was not complete, so the slot is
    // the handle's until `offer`; a `finish` in between sees JOIN_WAKER clear and
    // leaves the slot alone.
    fill(unsafe { &mut *slot.get() }, waker);
    let offered = offer().is_ok();
    if !offered {
        // SAFETY: the task completed with JOIN_WAKER clear, so `finish` left the
        // slot, which is still the handle's. An `AbortHandle` may keep the task's
        // memory for long, and the waker holds another task's.
        drop(unsafe { (*slot.get()).take() });
    }
    offered
}

#[inline(never)]
fn fill(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(old) => old.clone_from(waker),
        None => *slot = Some(waker.clone()),
    }
}
