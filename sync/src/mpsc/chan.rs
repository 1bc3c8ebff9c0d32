//! What senders and receiver share: the buffer, the slots and who waits for one.
//!
//! Almost everything here happens under the one lock of the wait list. `settle`
//! is called after whatever may have freed a slot or brought the end nearer; it
//! is the only place that promises slots and that tells the receiver of the end.
//!
//! # The batch
//!
//! A receiver that comes for a value takes the whole buffer along, and serves
//! itself from that without the lock. What it has not come to still fills its
//! slot, so it counts, without the lock (`served.rs`):
//!
//! ```text
//!   lent = 5 (under the lock)     served = 2
//!
//!   batch   [ - | - | c | d | e ]      filled = buffer + lent - served
//! ```
//!
//! # The limit
//!
//! Whether there is room depends on half a dozen things that seldom change. So
//! `measure` makes one number of them, and as long as the buffer is shorter than
//! that, a sender just fills it. What takes slots away lowers the number under
//! the same lock; what frees some need not raise it: a sender that finds no room
//! measures again.

mod receiving;
mod sending;
mod served;

pub(super) use receiving::{Batch, Found};

use crate::event::Event;
use crate::home::{self, Home};
use crate::sync::atomic::AtomicBool;
use crate::wait_list::{Locked, StateGuard, Ticket, WaitList};
use served::Served;
use std::task::Waker;

/// The capacity that means "no limit".
pub(super) const UNBOUNDED: usize = usize::MAX;
pub(super) const MAX_CAPACITY: usize = usize::MAX >> 3;

pub(super) struct Chan<T> {
    list: WaitList<State<T>, ()>,
    pub(super) capacity: usize,
    /// How much of the batch was served, and whether somebody waits.
    served: Served,
    /// Whether the buffer has something. Only a hint, so Relaxed throughout:
    /// whoever acts on it takes the lock and looks.
    filled: AtomicBool,
    /// Set after `State::closed`, for those who only wait for that.
    closing: Event,
}

pub(super) struct State<T> {
    /// The oldest first; it is taken as a whole.
    pub(super) buffer: Vec<T>,
    /// While the buffer is shorter, there is room and nobody waits; see above.
    limit: usize,
    /// The size of the batch that the receiver took along.
    lent: usize,
    /// And where it serves itself from that without an atomic step.
    home: Home,
    /// Somebody had to wait elsewhere: no batch has a home any more.
    roams: bool,
    /// Whether the queue is not empty, as `served` has it.
    waiting: bool,
    /// Slots that belong to permits and to senders that have not seen it yet.
    promised: usize,
    /// Slots in all: the capacity; if that is 0, one while the receiver waits.
    slots: usize,
    pub(super) senders: usize,
    /// Nobody gets a slot any more.
    pub(super) closed: bool,
    receiver_gone: bool,
    receiver: Option<Waker>,
}

/// The channel while it is locked.
pub(super) type Held<'a, T> = Locked<'a, State<T>, ()>;

/// The channel while it is locked by one who wakes nobody but the receiver.
pub(super) type Access<'a, T> = StateGuard<'a, State<T>, ()>;

/// Nothing is received any more.
#[derive(Debug)]
pub(super) struct Closed;

/// What a sender does with its slot.
pub(super) enum Use<'a, T> {
    /// Puts the value in, which is there.
    Fill(&'a mut Option<T>),
    /// Keeps it for later.
    Keep,
}

/// How an attempt to get a slot ended.
pub(super) enum Slot {
    Used,
    Closed,
    Queued(Ticket),
}

impl<T> State<T> {
    /// Whether nothing will come any more, for a receiver whose batch is empty.
    pub(super) fn is_finished(&self) -> bool {
        self.buffer.is_empty() && self.promised == 0 && (self.closed || self.senders == 0)
    }

    /// One of the slots is somebody's from now on.
    #[inline]
    fn promise(&mut self) {
        self.promised += 1;
        self.limit = self.limit.saturating_sub(1);
    }
}

impl<T> Chan<T> {
    pub(super) fn new(capacity: usize) -> Chan<T> {
        Chan {
            list: WaitList::new(State {
                buffer: Vec::new(),
                limit: capacity,
                lent: 0,
                home: Home::NOWHERE,
                roams: false,
                waiting: false,
                promised: 0,
                slots: capacity,
                senders: 1,
                closed: false,
                receiver_gone: false,
                receiver: None,
            }),
            capacity,
            served: Served::new(),
            filled: AtomicBool::new(false),
            closing: Event::new(),
        }
    }

    #[inline]
    pub(super) fn lock(&self) -> Held<'_, T> {
        self.list.lock()
    }

    /// What tells this channel from others in a dump.
    pub(super) fn id(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
    }

    /// Set when the channel is closed.
    pub(super) fn closing(&self) -> &Event {
        &self.closing
    }

    /// Slots that can be had without waiting.
    pub(super) fn room(&self, state: &State<T>) -> usize {
        if state.closed || state.waiting {
            return 0; // what is free while somebody waits is the front's
        }
        if self.capacity == UNBOUNDED {
            return UNBOUNDED; // nobody counts, see `served`
        }
        state.slots.saturating_sub(self.used(state))
    }

    /// Sets the limit to what is true now.
    fn measure(&self, state: &mut State<T>) {
        state.limit = if state.closed || state.waiting {
            0
        } else {
            let elsewhere = self.used(state) - state.buffer.len();
            state.slots.saturating_sub(elsewhere)
        };
    }

    fn has_room(&self, state: &State<T>) -> bool {
        // Mostly true without a look at what was served.
        state.promised + state.buffer.len() + state.lent < state.slots
            || (state.lent != 0 && self.used(state) < state.slots)
    }

    /// Slots that are promised or filled.
    fn used(&self, state: &State<T>) -> usize {
        state.promised + state.buffer.len() + state.lent - self.served.count()
    }

    pub(super) fn add_sender(&self) {
        self.lock().state().senders += 1;
    }

    /// Adds a sender unless there is none; tells whether it did.
    pub(super) fn revive_sender(&self) -> bool {
        let mut held = self.lock();
        let senders = &mut held.state().senders;
        let alive = *senders != 0;
        *senders += usize::from(alive);
        alive
    }

    pub(super) fn remove_sender(&self) {
        let mut held = self.lock();
        held.state().senders -= 1;
        self.settle(&mut held);
    }

    /// Tells the receiver that somebody waits; what it served before is seen afterwards.
    fn say_waiting(&self, state: &mut State<T>) {
        state.waiting = true;
        self.served.say_waiting(true, state.lent);
        if state.home.is_elsewhere() {
            state.roams = true;
            home::meet();
        }
    }

    /// Promises what is free to those who wait, and tells the receiver of the end.
    fn settle(&self, held: &mut Held<'_, T>) {
        while held.front_mut().is_some() && self.has_room(held.state()) {
            held.grant();
            held.state().promise();
        }
        let nobody = held.front_mut().is_none();
        let state = held.state();
        if nobody && state.waiting {
            state.waiting = false;
            self.served.say_waiting(false, state.lent);
        }
        if state.is_finished()
            && let Some(waker) = state.receiver.take()
        {
            held.wake(waker);
        }
    }
}
