//! A node's insides, and the walks: down with a cancel, up for a deadline.
//!
//! Every walk is a loop with a list of what is left to see, so that a tree of
//! any depth needs no stack of that depth. That holds for dropping, too: a
//! child is its parent's last owner often enough.

use crate::sync::Lock;
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::wakes::Wakes;
use std::collections::BTreeMap;
use std::mem;
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Instant;
use wakeline_context::{Cause, Reason};

/// A deadline and the line that set it.
type Due = (Instant, &'static Location<'static>);

pub(super) struct Inner {
    /// Set under the lock, once, after the reason; read without it.
    cancelled: AtomicBool,
    /// A deadline was set here or above at some time: it never goes back.
    clock: AtomicBool,
    /// Taken by `drop` only.
    parent: Option<Parent>,
    state: Lock<State>,
}

struct Parent {
    node: Arc<Inner>,
    /// The name under which `node` has us in its list, if it has us; none if
    /// it never did.
    key: Option<u64>,
}

#[derive(Default)]
struct State {
    reason: Option<Reason>,
    shielded: bool,
    deadline: Option<Due>,
    /// In order of birth; empty for good once there is a reason.
    children: BTreeMap<u64, Weak<Inner>>,
    /// In order of arrival; empty for good once there is a reason.
    waiters: BTreeMap<u64, Waker>,
    /// For both: a key is never used twice.
    next_key: u64,
}

impl Inner {
    pub(super) fn root() -> Inner {
        Inner {
            cancelled: AtomicBool::new(false),
            clock: AtomicBool::new(false),
            parent: None,
            state: Lock::default(),
        }
    }

    /// `own`: what it is cancelled by, if not by what it inherits.
    pub(super) fn child_of(parent: &Arc<Inner>, shielded: bool, own: Option<Reason>) -> Arc<Inner> {
        let mut above = parent.state.lock();
        let inherited = above.reason.clone().filter(|_| !shielded);
        let reason = inherited.or(own);
        // Under a cancelled parent there is nothing left to hear, and for a
        // cancelled child neither.
        let key = (above.reason.is_none() && reason.is_none()).then(|| above.key());
        let child = Arc::new(Inner {
            cancelled: AtomicBool::new(reason.is_some()),
            // Relaxed: it is only stored under the lock, which is held.
            clock: AtomicBool::new(parent.clock.load(Ordering::Relaxed)),
            parent: Some(Parent {
                node: Arc::clone(parent),
                key,
            }),
            state: Lock::new(State {
                reason,
                shielded,
                ..State::default()
            }),
        });
        if let Some(key) = key {
            above.children.insert(key, Arc::downgrade(&child));
        }
        child
    }

    /// This node, or the nearest above that makes a difference: see
    /// `Node::lasting_child`.
    pub(super) fn lasting(self: &Arc<Inner>) -> &Arc<Inner> {
        let mut node = self;
        while let Some(parent) = &node.parent
            && Inner::is_needless(node)
        {
            node = &parent.node;
        }
        node
    }

    /// Whether nobody has this node but the one by whom we came here, and nothing was
    /// done to it. A cancel that is on its way down comes by what is above as well.
    fn is_needless(node: &Arc<Inner>) -> bool {
        if Arc::strong_count(node) != 1 {
            return false;
        }
        // Acquire pairs with the Release by which the others let go: what they did
        // before is seen below.
        fence(Ordering::Acquire);
        let state = node.state.lock();
        state.reason.is_none() && !state.shielded && state.deadline.is_none()
    }

    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        // Acquire pairs with the Release in `fire`.
        self.cancelled.load(Ordering::Acquire)
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        if self.is_cancelled() {
            self.state.lock().reason.clone()
        } else {
            None
        }
    }

    pub(super) fn cancel(&self, reason: Reason) -> bool {
        !self.is_cancelled() && self.cancel_if(|_| Some(reason))
    }

    /// Cancels this node, if it is open and `reason` finds one to give, and
    /// everything below that hears it.
    fn cancel_if(&self, reason: impl FnOnce(&State) -> Option<Reason>) -> bool {
        let mut wakes = Wakes::default();
        let mut left = Vec::new();
        let mut state = self.state.lock();
        let found = if state.reason.is_none() {
            reason(&state)
        } else {
            None
        };
        let Some(reason) = found else { return false };
        self.fire(&mut state, &reason, &mut wakes, &mut left);
        drop(state);
        while let Some(node) = left.pop() {
            let mut state = node.state.lock();
            if state.reason.is_none() && !state.shielded {
                node.fire(&mut state, &reason, &mut wakes, &mut left);
            }
            // Before the node, of which this may be the last owner.
            drop(state);
        }
        drop(wakes);
        true
    }

    /// Open to cancelled: the one place where that happens.
    fn fire(
        &self,
        state: &mut State,
        reason: &Reason,
        wakes: &mut Wakes,
        left: &mut Vec<Arc<Inner>>,
    ) {
        state.reason = Some(reason.clone());
        // Release pairs with the Acquire in `is_cancelled`: what was done before
        // the cancel is visible to whoever sees it.
        self.cancelled.store(true, Ordering::Release);
        for waker in mem::take(&mut state.waiters).into_values() {
            wakes.push(waker);
        }
        // The last first: the next one taken from the end is the eldest.
        let children = mem::take(&mut state.children);
        left.extend(children.into_values().rev().filter_map(|c| c.upgrade()));
    }

    pub(super) fn is_shielded(&self) -> bool {
        self.state.lock().shielded
    }

    pub(super) fn set_shielded(&self, shielded: bool) {
        let before = mem::replace(&mut self.state.lock().shielded, shielded);
        if before == shielded {
            return;
        }
        // After the shield came off: see the third step in `mod.rs`.
        let above = self.parent.as_ref().filter(|_| !shielded);
        if let Some(reason) = above.and_then(|parent| parent.node.reason()) {
            self.cancel_if(|state| (!state.shielded).then_some(reason));
        } else if self.has_clock() {
            // Other deadlines count now.
            self.wake_clocks(None);
        }
    }

    pub(super) fn set_deadline(&self, deadline: Option<Due>) {
        self.wake_clocks(Some(deadline));
    }

    /// Sets the deadline, if there is one to set, and wakes whoever waits for
    /// this one's deadline: here, and below up to the shields.
    fn wake_clocks(&self, deadline: Option<Option<Due>>) {
        let mut wakes = Wakes::default();
        // Those below, and whether they hear us.
        let mut left = Vec::new();
        let mut state = self.state.lock();
        if state.reason.is_some() {
            return;
        }
        if let Some(deadline) = deadline {
            state.deadline = deadline;
        }
        self.start_clock(&mut state, true, &mut wakes, &mut left);
        drop(state);
        while let Some((node, hears)) = left.pop() {
            let mut state = node.state.lock();
            let hears = hears && !state.shielded;
            node.start_clock(&mut state, hears, &mut wakes, &mut left);
            drop(state);
        }
        drop(wakes);
    }

    fn start_clock(
        &self,
        state: &mut State,
        hears: bool,
        wakes: &mut Wakes,
        left: &mut Vec<(Arc<Inner>, bool)>,
    ) {
        // Release pairs with the Acquire in `has_clock`.
        self.clock.store(true, Ordering::Release);
        if hears {
            for waker in mem::take(&mut state.waiters).into_values() {
                wakes.push(waker);
            }
        }
        let children = state.children.values().rev();
        left.extend(children.filter_map(|c| Some((c.upgrade()?, hears))));
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.state.lock().deadline.map(|(at, _)| at)
    }

    #[inline]
    pub(super) fn has_clock(&self) -> bool {
        // Acquire pairs with the Release in `start_clock`: who sees the clock
        // sees the deadline.
        self.clock.load(Ordering::Acquire)
    }

    /// This node and those above, up to the first shield, each with its state.
    fn walk_up(&self, mut visit: impl FnMut(&Inner, &State)) {
        let mut next = Some(self);
        while let Some(node) = next {
            let state = node.state.lock();
            visit(node, &state);
            next = match &node.parent {
                Some(parent) if !state.shielded => Some(&parent.node),
                _ => None,
            };
        }
    }

    pub(super) fn effective_deadline(&self) -> Option<Instant> {
        if !self.has_clock() {
            return None;
        }
        let mut earliest: Option<Instant> = None;
        self.walk_up(|_, state| {
            if let Some((at, _)) = state.deadline {
                earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
            }
        });
        earliest
    }

    /// See `Node::cancel_due`.
    pub(super) fn cancel_due(&self, now: Instant) -> bool {
        let is_due = |due: &Due| due.0 <= now;
        loop {
            // Steps to the outermost that is due.
            let (mut steps, mut outermost) = (0_usize, None);
            let mut inherited = None;
            self.walk_up(|_, state| {
                if inherited.is_none() && state.reason.is_some() {
                    inherited.clone_from(&state.reason);
                } else if inherited.is_none() && state.deadline.as_ref().is_some_and(is_due) {
                    outermost = Some(steps);
                }
                steps += 1;
            });
            if let Some(reason) = inherited {
                // Someone is on the way down to us with it.
                self.cancel(reason);
                return true;
            }
            let Some(steps) = outermost else { return false };
            self.above(steps).cancel_if(|state| {
                let (_, location) = state.deadline.filter(is_due)?;
                Some(Reason::at(Cause::Deadline, location))
            });
        }
    }

    /// The ancestor so many steps up.
    fn above(&self, steps: usize) -> &Inner {
        let mut node = self;
        for _ in 0..steps {
            node = match &node.parent {
                Some(parent) => &parent.node,
                None => unreachable!("these steps were gone before"),
            };
        }
        node
    }

    /// Where a waiter will be found; none if the node is cancelled. The waker
    /// is a clone made before the lock.
    pub(super) fn wait(&self, key: Option<u64>, waker: Waker) -> Option<u64> {
        let mut state = self.state.lock();
        let (key, needless) = if state.reason.is_some() {
            (None, Some(waker))
        } else {
            let key = key.unwrap_or_else(|| state.key());
            (Some(key), state.waiters.insert(key, waker))
        };
        drop(state);
        drop(needless);
        key
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn children(&self) -> usize {
        self.state.lock().children.len()
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn waiters(&self) -> usize {
        self.state.lock().waiters.len()
    }

    /// A waiter gives up.
    pub(super) fn unlink(&self, key: u64) {
        let waker = self.state.lock().waiters.remove(&key);
        drop(waker); // the lock went at the end of the line above
    }
}

impl State {
    fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }
}

impl Drop for Inner {
    /// Leaves the parent's list at once. A parent that only this child has kept
    /// alive goes the same way, in this loop and not by recursion.
    fn drop(&mut self) {
        let mut above = self.parent.take();
        while let Some(Parent { node, key }) = above {
            let entry = key.and_then(|key| node.state.lock().children.remove(&key));
            drop(entry);
            above = Arc::into_inner(node).and_then(|mut node| node.parent.take());
        }
    }
}
