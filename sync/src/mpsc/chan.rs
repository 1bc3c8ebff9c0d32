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
//! slot, so it counts, in a word of its own:
//!
//! ```text
//!   lent = 5 (under the lock)     word = [ served 2 | WAITING ]
//!
//!   batch   [ - | - | c | d | e ]      filled = buffer + lent - served
//! ```
//! The receiver adds to `served` and learns by the same step whether somebody
//! waits: only then it takes the lock. Who is about to wait sets WAITING and
//! learns by the same step what was served. One word, so one of the two always
//! sees the other.

mod receiving;

pub(super) use receiving::Found;

use crate::event::Event;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::wait_list::{Cancelled, Locked, Ticket, WaitList};
use crate::wakes::Wakes;
use std::collections::VecDeque;
use std::task::Waker;

/// The capacity that means "no limit".
pub(super) const UNBOUNDED: usize = usize::MAX;
pub(super) const MAX_CAPACITY: usize = usize::MAX >> 3;

/// Set in `word` while the queue is not empty; changes under the lock.
const WAITING: usize = 1;
/// What a value served adds to `word`; only the receiver does that.
const SERVED: usize = 2;

pub(super) struct Chan<T> {
    list: WaitList<State<T>, ()>,
    pub(super) capacity: usize,
    /// How much of the batch was served, and `WAITING`; see above.
    word: AtomicUsize,
    /// Whether the buffer has something. Only a hint, so Relaxed throughout:
    /// whoever acts on it takes the lock and looks.
    filled: AtomicBool,
    /// Set after `State::closed`, for those who only wait for that.
    closing: Event,
}

pub(super) struct State<T> {
    pub(super) buffer: VecDeque<T>,
    /// The size of the batch that the receiver took along.
    lent: usize,
    /// Whether `WAITING` is set, which is whether the queue is not empty.
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
}

impl<T> Chan<T> {
    pub(super) fn new(capacity: usize) -> Chan<T> {
        Chan {
            list: WaitList::new(State {
                buffer: VecDeque::new(),
                lent: 0,
                waiting: false,
                promised: 0,
                slots: capacity,
                senders: 1,
                closed: false,
                receiver_gone: false,
                receiver: None,
            }),
            capacity,
            word: AtomicUsize::new(0),
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

    #[inline]
    fn has_room(&self, state: &State<T>) -> bool {
        // Mostly true without a look at the receiver's word.
        state.promised + state.buffer.len() + state.lent < state.slots
            || (state.lent != 0 && self.used(state) < state.slots)
    }

    /// Slots that are promised or filled.
    fn used(&self, state: &State<T>) -> usize {
        // Acquire pairs with the Release in `served`: who has a slot that the
        // receiver freed comes after that.
        let served = self.word.load(Ordering::Acquire) / SERVED;
        state.promised + state.buffer.len() + state.lent - served
    }

    /// Uses a slot if there is one and nobody waits for it.
    #[inline]
    pub(super) fn try_slot(&self, purpose: &mut Use<'_, T>) -> Option<Slot> {
        let mut guard = self.list.state();
        if guard.get().waiting {
            return None; // what the receiver served just now is the front's
        }
        let mut waker = None;
        let slot = self.use_slot(guard.get(), purpose, &mut waker);
        drop(guard);
        Wakes::one(waker);
        slot
    }

    /// Uses a slot, or waits in the queue.
    #[inline]
    pub(super) fn poll_slot(&self, purpose: &mut Use<'_, T>, waker: &Waker) -> Slot {
        match self.try_slot(purpose) {
            Some(slot) => slot,
            None => self.enqueue(purpose, waker),
        }
    }

    fn enqueue(&self, purpose: &mut Use<'_, T>, waker: &Waker) -> Slot {
        let waker = waker.clone(); // foreign code: not under the lock
        let mut held = self.lock();
        if held.state().waiting {
            // Others came first, and the receiver knows that somebody waits.
            return Slot::Queued(held.push(waker, ()));
        }
        held.state().waiting = true;
        // AcqRel: this sees what was served before, and the receiver sees this
        // when it serves after.
        self.word.fetch_or(WAITING, Ordering::AcqRel);
        // Again: a slot may have become free, and no one was there to have it.
        let mut receiver = None;
        let slot = match self.use_slot(held.state(), purpose, &mut receiver) {
            Some(slot) => slot,
            None => return Slot::Queued(held.push(waker, ())),
        };
        if let Some(receiver) = receiver {
            held.wake(receiver);
        }
        self.settle(&mut held); // nobody waits after all
        drop(held); // before the waker
        slot
    }

    /// Whether a sender is in the queue still; its latest waker is kept then.
    pub(super) fn keeps_waiting(&self, ticket: Ticket, waker: &Waker) -> bool {
        !self.list.is_granted(ticket) && self.list.keep_waiting(ticket, waker).is_none()
    }

    /// What became of a sender that left the queue; it looks once.
    pub(super) fn look(&self, ticket: Ticket, purpose: &mut Use<'_, T>) -> Result<(), Closed> {
        let mut held = self.lock();
        match held.cancel(ticket) {
            Cancelled::Granted => self.use_promised(&mut held, purpose),
            Cancelled::Evicted => Err(Closed),
            Cancelled::Waiting(()) => unreachable!("it left the queue"),
        }
    }

    /// A sender in the queue gives up; a slot that was promised to it is the next one's.
    pub(super) fn give_up(&self, ticket: Ticket) {
        let mut held = self.lock();
        if let Cancelled::Granted = held.cancel(ticket) {
            held.state().promised -= 1;
        }
        self.settle(&mut held);
    }

    /// Fills a slot that was kept, or, without a value, gives it back.
    ///
    /// The value comes back if the receiver is gone.
    #[inline]
    pub(super) fn redeem(&self, value: Option<T>) -> Option<T> {
        let mut value = value;
        let mut held = self.lock();
        if value.is_some() {
            // On failure the caller drops the value, once the lock is gone.
            let _ = self.use_promised(&mut held, &mut Use::Fill(&mut value));
        } else {
            held.state().promised -= 1;
            self.settle(&mut held);
        }
        drop(held);
        value
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

    /// Uses a slot if there is one; the receiver's `waker` is to be woken once the
    /// lock is gone.
    #[inline]
    fn use_slot(
        &self,
        state: &mut State<T>,
        purpose: &mut Use<'_, T>,
        waker: &mut Option<Waker>,
    ) -> Option<Slot> {
        if state.closed {
            return Some(Slot::Closed);
        }
        if !self.has_room(state) {
            return None;
        }
        match purpose {
            Use::Fill(value) => *waker = self.fill(state, value),
            Use::Keep => state.promised += 1,
        }
        Some(Slot::Used)
    }

    /// Puts the value in; gives the waker of a receiver that waits for it.
    #[inline]
    fn fill(&self, state: &mut State<T>, value: &mut Option<T>) -> Option<Waker> {
        state.buffer.push_back(value.take()?);
        self.filled.store(true, Ordering::Relaxed);
        state.receiver.take()
    }

    /// Promises what is free to those who wait, and tells the receiver of the end.
    fn settle(&self, held: &mut Held<'_, T>) {
        while held.front_mut().is_some() && self.has_room(held.state()) {
            held.grant();
            held.state().promised += 1;
        }
        let nobody = held.front_mut().is_none();
        let state = held.state();
        if nobody && state.waiting {
            state.waiting = false;
            // Relaxed: nothing is handed over by it.
            self.word.fetch_and(!WAITING, Ordering::Relaxed);
        }
        if state.is_finished()
            && let Some(waker) = state.receiver.take()
        {
            held.wake(waker);
        }
    }

    /// Does with a promised slot what it is for.
    #[inline]
    fn use_promised(&self, held: &mut Held<'_, T>, purpose: &mut Use<'_, T>) -> Result<(), Closed> {
        let state = held.state();
        if state.receiver_gone {
            state.promised -= 1;
            return Err(Closed);
        }
        if let Use::Fill(value) = purpose {
            state.promised -= 1;
            if let Some(receiver) = self.fill(state, value) {
                held.wake(receiver);
            }
        }
        Ok(())
    }
}
