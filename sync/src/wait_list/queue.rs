//! Who waits, in the order of arrival, each under a ticket that is never reused.
//!
//! ```text
//!   tickets   17    18    19    20    21
//!            [ W ] [ W ] [ - ] [ - ] [ W ]      W waits, - was removed
//!              ▲ front: the next grant             ▲ arrivals
//! ```
//!
//! Arrivals are pushed to the back and grants pop from the front, so tickets
//! are sorted and a ticket is found at once, or, after removals, by bisection.
//! A removed entry stays as a gap until an end of the queue reaches it; gaps
//! are squeezed out before they outnumber the entries, so that a crowd which
//! came and gave up leaves nothing behind.

use std::collections::VecDeque;
use std::task::Waker;

/// Below this many entries, gaps and spare memory are not worth a thought.
const SMALL: usize = 32;

/// The number of a waiter, in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(super) u64);

#[derive(Debug)]
struct Entry<D> {
    ticket: Ticket,
    /// `None` is a gap.
    waiter: Option<Waiter<D>>,
}

/// Whom to wake, and what the primitive wants to know of it.
#[derive(Debug)]
pub(crate) struct Waiter<D> {
    pub(crate) waker: Waker,
    pub(crate) data: D,
}

/// Pure data: no lock and no wakes here.
#[derive(Debug)]
pub(crate) struct Queue<D> {
    /// The first and the last are not gaps.
    entries: VecDeque<Entry<D>>,
    gaps: usize,
    tickets: u64,
}

impl<D> Queue<D> {
    pub(crate) const fn new() -> Queue<D> {
        Queue {
            entries: VecDeque::new(),
            gaps: 0,
            tickets: 0,
        }
    }

    /// How many wait.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.gaps
    }

    /// The ticket that the next arrival will have.
    pub(crate) fn next_ticket(&self) -> Ticket {
        Ticket(self.tickets)
    }

    #[inline]
    pub(crate) fn push(&mut self, waker: Waker, data: D) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.entries.push_back(Entry {
            ticket,
            waiter: Some(Waiter { waker, data }),
        });
        ticket
    }

    #[inline]
    pub(super) fn front_mut(&mut self) -> Option<&mut D> {
        self.entries
            .front_mut()?
            .waiter
            .as_mut()
            .map(|waiter| &mut waiter.data)
    }

    pub(super) fn front_ticket(&self) -> Option<Ticket> {
        self.entries.front().map(|entry| entry.ticket)
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<(Ticket, Waiter<D>)> {
        let Entry { ticket, waiter } = self.entries.pop_front()?;
        if self.gaps != 0 {
            self.trim();
        }
        if self.entries.is_empty() {
            self.give_memory_back();
        }
        Some((ticket, waiter?))
    }

    /// The front, if `content` says so, another is behind it and no gap is
    /// anywhere.
    #[inline]
    pub(crate) fn pop_front_of_several(
        &mut self,
        content: impl FnOnce(&D) -> bool,
    ) -> Option<(Ticket, Waiter<D>)> {
        if self.gaps != 0 || self.entries.len() < 2 {
            return None;
        }
        let Entry { ticket, waiter } = self
            .entries
            .pop_front_if(|front| front.waiter.as_ref().is_some_and(|w| content(&w.data)))?;
        Some((ticket, waiter?))
    }

    pub(crate) fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Waiter<D>> {
        let at = self.find(ticket)?;
        self.entries[at].waiter.as_mut()
    }

    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<Waiter<D>> {
        let at = self.find(ticket)?;
        let waiter = self.entries[at].waiter.take()?;
        self.gaps += 1;
        self.trim();
        if self.gaps > SMALL && self.gaps > self.entries.len() / 2 {
            self.entries.retain(|entry| entry.waiter.is_some());
            self.entries.shrink_to(self.entries.len() * 2);
            self.gaps = 0;
        }
        if self.entries.is_empty() {
            self.give_memory_back();
        }
        Some(waiter)
    }

    #[inline]
    fn find(&self, ticket: Ticket) -> Option<usize> {
        let first = self.entries.front()?.ticket;
        // Where it is if nothing was squeezed out.
        let guess = usize::try_from(ticket.0.checked_sub(first.0)?).ok()?;
        match self.entries.get(guess) {
            Some(entry) if entry.ticket == ticket => Some(guess),
            _ => self
                .entries
                .binary_search_by_key(&ticket, |entry| entry.ticket)
                .ok(),
        }
    }

    /// Takes the gaps off both ends.
    fn trim(&mut self) {
        while self
            .entries
            .pop_front_if(|entry| entry.waiter.is_none())
            .is_some()
        {
            self.gaps -= 1;
        }
        while self
            .entries
            .pop_back_if(|entry| entry.waiter.is_none())
            .is_some()
        {
            self.gaps -= 1;
        }
    }

    #[inline]
    fn give_memory_back(&mut self) {
        debug_assert_eq!(self.gaps, 0);
        if self.entries.capacity() > SMALL * SMALL {
            self.entries = VecDeque::new();
        }
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.entries.capacity()
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.entries.len()
    }
}
