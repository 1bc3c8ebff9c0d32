//! The senders' side of the channel: a slot at once, by waiting, or kept before.

use super::{Access, Chan, Closed, Held, Slot, State, Use};
use crate::sync::atomic::Ordering;
use crate::wait_list::{Cancelled, Ticket};
use crate::wakes::{Wakes, discard};
use std::task::Waker;

impl<T> Chan<T> {
    /// Fills a slot if that takes no more than a push, and gives the waker of a
    /// receiver that waits; else does nothing but, perhaps, lock.
    ///
    /// It calls nothing, so what is around it needs no registers saved.
    #[inline]
    pub(in crate::mpsc) fn fill_at_once(
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
    pub(in crate::mpsc) fn try_slot(&self, purpose: &mut Use<'_, T>) -> Option<Slot> {
        self.try_slot_with(self.list.state(), purpose)
    }

    /// [`try_slot`](Chan::try_slot) after a `fill_at_once` in vain.
    pub(in crate::mpsc) fn try_slot_again<'a>(
        &'a self,
        access: Option<Access<'a, T>>,
        purpose: &mut Use<'_, T>,
    ) -> Option<Slot> {
        let access = access.unwrap_or_else(|| self.list.wait_for_state());
        self.try_slot_with(access, purpose)
    }

    fn try_slot_with(&self, mut guard: Access<'_, T>, purpose: &mut Use<'_, T>) -> Option<Slot> {
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
    pub(in crate::mpsc) fn enqueue(&self, purpose: &mut Use<'_, T>, waker: &Waker) -> Slot {
        let waker = waker.clone(); // foreign code: not under the lock
        let mut held = self.lock();
        if held.state().waiting {
            // Others came first, and the receiver knows that somebody waits.
            return Slot::Queued(held.push(waker, ()));
        }
        if held.state().closed {
            return Slot::Closed;
        }
        held.state().limit = 0;
        self.say_waiting(held.state());
        // Again: a slot may have become free, and no one was there to have it.
        if !self.has_room(held.state()) {
            return Slot::Queued(held.push(waker, ()));
        }
        if let Some(receiver) = self.use_slot(held.state(), purpose) {
            held.wake(receiver);
        }
        self.settle(&mut held); // nobody waits after all
        drop(held); // before the waker
        discard(waker);
        Slot::Used
    }

    /// Whether a sender is in the queue still; its latest waker is kept then.
    pub(in crate::mpsc) fn keeps_waiting(&self, ticket: Ticket, waker: &Waker) -> bool {
        !self.list.is_granted(ticket) && self.list.keep_waiting(ticket, waker).is_none()
    }

    /// What became of a sender that left the queue; it looks once.
    pub(in crate::mpsc) fn look(
        &self,
        ticket: Ticket,
        purpose: &mut Use<'_, T>,
    ) -> Result<(), Closed> {
        let mut held = self.lock();
        match held.cancel(ticket) {
            Cancelled::Granted => self.use_promised(&mut held, purpose),
            Cancelled::Evicted => Err(Closed),
            Cancelled::Waiting(()) => unreachable!("it left the queue"),
        }
    }

    /// A sender in the queue gives up; a slot that was promised to it is the next one's.
    pub(in crate::mpsc) fn give_up(&self, ticket: Ticket) {
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
    pub(in crate::mpsc) fn redeem(&self, value: Option<T>) -> Option<T> {
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
        // Mostly both are so already, and each store would delay the next exchange.
        if !self.filled.load(Ordering::Relaxed) {
            self.filled.store(true, Ordering::Relaxed);
        }
        state.receiver.as_ref()?;
        state.receiver.take()
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
