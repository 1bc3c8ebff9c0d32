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
//!
//! # The limit
//!
//! Whether there is room depends on half a dozen things that seldom change. So
//! `measure` makes one number of them, and as long as the buffer is shorter than
//! that, a sender just fills it. What takes slots away lowers the number under
//! the same lock; what frees some need not raise it: a sender that finds no room
//! measures again.

mod receiving;

pub(super) use receiving::Found;

use crate::event::Event;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::wait_list::{Cancelled, Locked, StateGuard, Ticket, WaitList};
use crate::wakes::Wakes;
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
    /// The oldest first; it is taken as a whole.
    pub(super) buffer: Vec<T>,
    /// While the buffer is shorter, there is room and nobody waits; see above.
    limit: usize,
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

    /// Fills a slot if that takes no more than a push, and gives the waker of a
    /// receiver that waits; else does nothing but, perhaps, lock.
    ///
    /// It calls nothing, so what is around it needs no registers saved.
    #[inline]
    pub(super) fn fill_at_once(
        &self,
        value: &mut Option<T>,
    ) -> Result<Option<Waker>, Option<Access<'_, T>>> {
        let Some(mut guard) = self.list.try_state() else {
            return Err(None);
        };
        let state = guard.get();
        let len = state.buffer.len();
        if len < state.limit && len < state.buffer.capacity() && value.is_some() {
            return Ok(self.fill(state, value));
        }
        Err(Some(guard))
    }

    /// Uses a slot if there is one and nobody waits for it.
    pub(super) fn try_slot(&self, purpose: &mut Use<'_, T>) -> Option<Slot> {
        self.try_slot_with(self.list.state(), purpose)
    }

    /// [`try_slot`](Chan::try_slot) for one who has the lock.
    pub(super) fn try_slot_with(
        &self,
        mut guard: Access<'_, T>,
        purpose: &mut Use<'_, T>,
    ) -> Option<Slot> {
        let state = guard.get();
        if state.buffer.len() >= state.limit
            && let Err(refused) = self.look_again(state)
        {
            return refused;
        }
        let waker = self.use_slot(state, purpose);
        drop(guard);
        Wakes::one(waker);
        Some(Slot::Used)
    }

    /// There seems to be no room: the truth, and why.
    fn look_again(&self, state: &mut State<T>) -> Result<(), Option<Slot>> {
        if state.waiting {
            return Err(None); // what the receiver served just now is the front's
        }
        if state.closed {
            return Err(Some(Slot::Closed));
        }
        self.measure(state);
        if state.buffer.len() < state.limit {
            Ok(())
        } else {
            Err(None)
        }
    }

    /// After a `try_slot` in vain: waits in the queue, or uses a slot that got free.
    pub(super) fn enqueue(&self, purpose: &mut Use<'_, T>, waker: &Waker) -> Slot {
        let waker = waker.clone(); // foreign code: not under the lock
        let mut held = self.lock();
        if held.state().waiting {
            // Others came first, and the receiver knows that somebody waits.
            return Slot::Queued(held.push(waker, ()));
        }
        if held.state().closed {
            return Slot::Closed;
        }
        held.state().waiting = true;
        held.state().limit = 0;
        // AcqRel: this sees what was served before, and the receiver sees this
        // when it serves after.
        self.word.fetch_or(WAITING, Ordering::AcqRel);
        // Again: a slot may have become free, and no one was there to have it.
        if !self.has_room(held.state()) {
            return Slot::Queued(held.push(waker, ()));
        }
        if let Some(receiver) = self.use_slot(held.state(), purpose) {
            held.wake(receiver);
        }
        self.settle(&mut held); // nobody waits after all
        drop(held); // before the waker
        Slot::Used
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

    /// Uses a slot, which is there; gives the waker of a receiver that waits.
    #[inline]
    fn use_slot(&self, state: &mut State<T>, purpose: &mut Use<'_, T>) -> Option<Waker> {
        match purpose {
            Use::Fill(value) => self.fill(state, value),
            Use::Keep => {
                state.promise();
                None
            }
        }
    }

    /// Puts the value in; gives the waker of a receiver that waits for it.
    #[inline]
    fn fill(&self, state: &mut State<T>, value: &mut Option<T>) -> Option<Waker> {
        state.buffer.push(value.take()?);
        self.filled.store(true, Ordering::Relaxed);
        state.receiver.take()
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
