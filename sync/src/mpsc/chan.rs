//! What senders and receiver share: the buffer, the slots and who waits for one.
//!
//! Everything here happens under the one lock of the wait list. `settle` is
//! called after whatever may have freed a slot or brought the end nearer; it is
//! the only place that promises slots and that tells the receiver of the end.

use crate::event::Event;
use crate::wait_list::{Cancelled, Locked, Ticket, WaitList};
use std::collections::VecDeque;
use std::task::{Poll, Waker};

/// The capacity that means "no limit".
pub(super) const UNBOUNDED: usize = usize::MAX;
pub(super) const MAX_CAPACITY: usize = usize::MAX >> 3;

pub(super) struct Chan<T> {
    list: WaitList<State<T>, ()>,
    pub(super) capacity: usize,
    /// Set after `State::closed`, for those who only wait for that.
    closing: Event,
}

pub(super) struct State<T> {
    pub(super) buffer: VecDeque<T>,
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
    fn has_room(&self) -> bool {
        self.promised + self.buffer.len() < self.slots
    }

    /// Whether nothing will come any more.
    pub(super) fn is_finished(&self) -> bool {
        self.buffer.is_empty() && self.promised == 0 && (self.closed || self.senders == 0)
    }

    /// Slots that can be had without waiting.
    pub(super) fn room(&self) -> usize {
        if self.closed {
            return 0;
        }
        self.slots.saturating_sub(self.promised + self.buffer.len())
    }
}

impl<T> Chan<T> {
    pub(super) fn new(capacity: usize) -> Chan<T> {
        Chan {
            list: WaitList::new(State {
                buffer: VecDeque::new(),
                promised: 0,
                slots: capacity,
                senders: 1,
                closed: false,
                receiver_gone: false,
                receiver: None,
            }),
            capacity,
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

    // ------------------------------------------------------------ senders

    /// Uses a slot if there is one: then nobody waits, see the rule above.
    #[inline]
    pub(super) fn try_slot(&self, purpose: &mut Use<'_, T>) -> Option<Slot> {
        try_slot(&mut self.lock(), purpose)
    }

    /// Uses a slot, or waits in the queue.
    pub(super) fn poll_slot(&self, purpose: &mut Use<'_, T>, waker: &Waker) -> Slot {
        if let Some(slot) = self.try_slot(purpose) {
            return slot;
        }
        let waker = waker.clone(); // foreign code: not under the lock
        let mut held = self.lock();
        // Again: a slot may have become free, and no one was there to have it.
        match try_slot(&mut held, purpose) {
            Some(slot) => {
                drop(held); // before the waker
                slot
            }
            None => Slot::Queued(held.push(waker, ())),
        }
    }

    /// What became of a sender in the queue.
    pub(super) fn poll_queued(
        &self,
        ticket: Ticket,
        purpose: &mut Use<'_, T>,
        waker: &Waker,
    ) -> Poll<Result<(), Closed>> {
        if !self.list.is_granted(ticket) {
            let waker = waker.clone();
            if self.lock().update(ticket, waker) {
                return Poll::Pending;
            }
        }
        let mut held = self.lock();
        match held.cancel(ticket) {
            Cancelled::Granted => Poll::Ready(redeem(&mut held, purpose)),
            Cancelled::Evicted => Poll::Ready(Err(Closed)),
            Cancelled::Waiting(()) => unreachable!("it left the queue"),
        }
    }

    /// A sender in the queue gives up; a slot that was promised to it is the next one's.
    pub(super) fn give_up(&self, ticket: Ticket) {
        let mut held = self.lock();
        if let Cancelled::Granted = held.cancel(ticket) {
            held.state().promised -= 1;
            settle(&mut held);
        }
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
            let _ = redeem(&mut held, &mut Use::Fill(&mut value));
        } else {
            held.state().promised -= 1;
            settle(&mut held);
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
        settle(&mut held);
    }

    // ----------------------------------------------------------- receiver

    /// No slots from now on: whoever waits for one fails.
    ///
    /// Gives what is in the buffer if the receiver is `gone`, to be dropped by
    /// the caller without the lock.
    pub(super) fn close(&self, gone: bool) -> VecDeque<T> {
        let mut held = self.lock();
        let state = held.state();
        state.closed = true;
        state.receiver_gone |= gone;
        let (values, waker) = if gone {
            (std::mem::take(&mut state.buffer), state.receiver.take())
        } else {
            (VecDeque::new(), None)
        };
        while held.evict().is_some() {}
        settle(&mut held);
        drop(held);
        drop(waker);
        self.closing.set();
        values
    }

    /// The receiver does not wait any more.
    pub(super) fn stop_waiting(&self) {
        let mut held = self.lock();
        let state = held.state();
        if self.capacity == 0 {
            state.slots = 0; // what was promised stays promised
        }
        let waker = state.receiver.take();
        drop(held);
        drop(waker);
    }
}

fn try_slot<T>(held: &mut Held<'_, T>, purpose: &mut Use<'_, T>) -> Option<Slot> {
    let state = held.state();
    if state.closed {
        return Some(Slot::Closed);
    }
    if !state.has_room() {
        return None;
    }
    state.promised += 1;
    let _ = redeem(held, purpose);
    Some(Slot::Used)
}

/// Does with a promised slot what it is for.
#[inline]
fn redeem<T>(held: &mut Held<'_, T>, purpose: &mut Use<'_, T>) -> Result<(), Closed> {
    let state = held.state();
    if state.receiver_gone {
        state.promised -= 1;
        return Err(Closed);
    }
    if let Use::Fill(value) = purpose {
        state.promised -= 1;
        state.buffer.extend(value.take());
        let waker = state.receiver.take();
        if let Some(waker) = waker {
            held.wake(waker);
        }
    }
    Ok(())
}

/// Promises what is free to those who wait, and tells the receiver of the end.
pub(super) fn settle<T>(held: &mut Held<'_, T>) {
    while held.state().has_room() && held.grant().is_some() {
        held.state().promised += 1;
    }
    let state = held.state();
    if state.is_finished()
        && let Some(waker) = state.receiver.take()
    {
        held.wake(waker);
    }
}

/// What the receiver finds.
pub(super) enum Found<T> {
    Value(T),
    Nothing,
    End,
}

/// Takes the front, which frees its slot.
#[inline]
pub(super) fn take<T>(held: &mut Held<'_, T>, capacity: usize) -> Found<T> {
    let state = held.state();
    let Some(value) = state.buffer.pop_front() else {
        return if state.is_finished() {
            Found::End
        } else {
            Found::Nothing
        };
    };
    if capacity == 0 {
        state.slots = 0;
    }
    settle(held);
    Found::Value(value)
}

/// The receiver is about to wait: it leaves its waker, of which this gives the
/// one before, and, with capacity 0, lends a slot.
pub(super) fn wait<T>(held: &mut Held<'_, T>, capacity: usize, waker: Waker) -> Option<Waker> {
    let old = held.state().receiver.replace(waker);
    if capacity == 0 {
        held.state().slots = 1;
        settle(held);
    }
    old
}

/// With capacity 0: one who comes by and does not wait lets the front have a
/// slot, so that its value is here the next time.
pub(super) fn invite<T>(held: &mut Held<'_, T>) {
    let state = held.state();
    if state.promised == 0 && !state.closed && held.grant().is_some() {
        held.state().promised += 1;
    }
}
