//! What a pool keeps: the idle resources, and how many slots are out.
//!
//! ```text
//!              ┌──────────────── 5 ─────────────────┐
//!              ▼                                    │
//!   acquire ─1─▶ Slot ──2──▶ create ──┐             │
//!                 │                   ├─4─▶ Lease ──┤
//!                 └────3──▶ check ────┘             6
//!                             └─────────────────────┴──▶ close ──▶ slot free
//! ```
//! 1 a permit of the semaphore: first come, first served, at most N
//! 2 nothing is idle; an error goes to this caller, and the slot to the next
//! 3 an idle one, if it is still good; if not it is closed, and then 2
//! 4 in the hands of the user
//! 5 dropped clean: recycled in the background, then idle, then the slot is free
//! 6 broken, dropped in the middle of an operation, or the pool was closed
//!
//! A slot is free only when its resource is idle or closed, so there are never
//! more than N. One that is dropped at any point of this frees its slot.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wakeline_executor::Handle;
use wakeline_sync::{Event, OwnedPermit, Semaphore};

use super::Manager;

pub(super) struct Inner<M: Manager> {
    pub(super) manager: M,
    pub(super) size: usize,
    /// Who may have a resource.
    pub(super) slots: Arc<Semaphore>,
    state: Mutex<State<M::Resource>>,
    /// Set when the pool is closed and nothing is out.
    pub(super) empty: Event,
}

struct State<R> {
    idle: Vec<R>,
    /// Slots that are out.
    out: usize,
    closed: bool,
}

impl<M: Manager> Inner<M> {
    pub(super) fn new(manager: M, size: usize) -> Inner<M> {
        Inner {
            manager,
            size,
            slots: Arc::new(Semaphore::new(size)),
            state: Mutex::new(State {
                idle: Vec::new(),
                out: 0,
                closed: false,
            }),
            empty: Event::new(),
        }
    }

    /// Resources are only moved under this lock.
    fn state(&self) -> MutexGuard<'_, State<M::Resource>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot that goes with a permit, and the idle resource that was used
    /// last; `None` if the pool was closed.
    pub(super) fn slot(
        self: &Arc<Self>,
        permit: OwnedPermit,
    ) -> Option<(Slot<M>, Option<M::Resource>)> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        state.out += 1;
        let idle = state.idle.pop();
        drop(state);
        let slot = Slot {
            inner: Arc::clone(self),
            permit: Some(permit),
        };
        Some((slot, idle))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// How many are idle, and how many slots are out.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.idle.len(), state.out)
    }

    /// Keeps a resource for the next; gives it back if the pool was closed.
    fn keep(&self, resource: M::Resource) -> Option<M::Resource> {
        let mut state = self.state();
        if state.closed {
            return Some(resource);
        }
        state.idle.push(resource);
        None
    }

    /// Closes the pool, and hands out the idle ones, each with a slot of its own.
    pub(super) fn close(self: &Arc<Self>) -> Vec<(Slot<M>, M::Resource)> {
        let mut state = self.state();
        state.closed = true;
        let idle = mem::take(&mut state.idle);
        state.out += idle.len();
        let empty = state.out == 0;
        drop(state);
        self.slots.close();
        if empty {
            self.empty.set();
        }
        let slot = || Slot {
            inner: Arc::clone(self),
            permit: None,
        };
        idle.into_iter()
            .map(|resource| (slot(), resource))
            .collect()
    }
}

/// The right to have one resource.
pub(super) struct Slot<M: Manager> {
    pub(super) inner: Arc<Inner<M>>,
    /// `None` for an idle one that is closed with its pool.
    permit: Option<OwnedPermit>,
}

impl<M: Manager> Drop for Slot<M> {
    fn drop(&mut self) {
        drop(self.permit.take()); // the next in line has it
        let mut state = self.inner.state();
        state.out -= 1;
        let empty = state.closed && state.out == 0;
        drop(state);
        if empty {
            self.inner.empty.set();
        }
    }
}

/// What becomes of a resource that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Recycle,
    Close,
}

/// Sees to a resource that comes back; resolves to the slot if it was closed.
pub(super) async fn give_back<M: Manager>(
    slot: Slot<M>,
    mut resource: M::Resource,
    fate: Fate,
) -> Option<Slot<M>> {
    let inner = &slot.inner;
    if fate == Fate::Recycle
        && !inner.is_closed()
        && inner.manager.recycle(&mut resource).await.is_ok()
    {
        // Kept first, and the slot is free then: who gets it finds this one.
        resource = inner.keep(resource)?;
    }
    slot.inner.manager.close(resource).await;
    Some(slot)
}

/// The same as a task of its own, which a shutdown waits for; where there is no
/// runtime any more, the resource is dropped.
pub(super) fn give_back_in_background<M: Manager>(
    on: Option<&Handle>,
    slot: Slot<M>,
    resource: M::Resource,
    fate: Fate,
) {
    if let Some(handle) = on {
        drop(handle.spawn_cleanup(give_back(slot, resource, fate)));
    }
}
