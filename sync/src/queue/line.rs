//! One line of waiters of a queue: those who put, those who get, or those who join.
//!
//! ```text
//!   push ──1──▶ Waiting ──2──▶ Granted
//!                  └─────3────▶ Refused
//! ```
//! 1 `push`       an attempt found nothing
//! 2 `grant`      the front is popped and woken; the queue counts what it got
//! 3 `refuse_all` the end came: they are woken to find out, and nobody in this
//!                line is granted anything afterwards
//!
//! The tickets of `wait_list.rs` without its atomic: whoever is granted has to
//! take the queue's lock anyway, to get what it was granted.

use crate::wait_list::{Queue, Ticket};
use crate::wakes::Wakes;
use std::task::Waker;

/// Where a future stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    New,
    Queued(Ticket),
    Done,
}

/// What became of a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Waiting,
    Granted,
    Refused,
}

#[derive(Debug)]
pub(super) struct Line {
    queue: Queue<()>,
    /// Tickets below have left by a grant, or gave up before it.
    granted: Option<Ticket>,
}

impl Line {
    pub(super) fn new() -> Line {
        Line {
            queue: Queue::new(),
            granted: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn push(&mut self, waker: Waker) -> Ticket {
        self.queue.push(waker, ())
    }

    /// Grants the front what it waits for; false if nobody waits.
    pub(super) fn grant(&mut self, wakes: &mut Wakes) -> bool {
        let Some((ticket, waiter)) = self.queue.pop_front() else {
            return false;
        };
        self.granted = Some(ticket);
        wakes.push(waiter.waker);
        true
    }

    /// Sends everyone away.
    pub(super) fn refuse_all(&mut self, wakes: &mut Wakes) {
        while let Some((_, waiter)) = self.queue.pop_front() {
            wakes.push(waiter.waker);
        }
    }

    pub(super) fn fate(&mut self, ticket: Ticket) -> Fate {
        if self.queue.get_mut(ticket).is_some() {
            Fate::Waiting
        } else if self.granted.is_some_and(|last| ticket <= last) {
            Fate::Granted
        } else {
            Fate::Refused
        }
    }

    /// Keeps the latest waker of one who waits, and hands out the old one.
    #[must_use = "a waker is dropped where no lock is held"]
    pub(super) fn update(&mut self, ticket: Ticket, waker: Waker) -> Waker {
        match self.queue.get_mut(ticket) {
            Some(waiter) => std::mem::replace(&mut waiter.waker, waker),
            None => waker,
        }
    }

    /// One who waits gives up; its waker is handed out.
    #[must_use = "a waker is dropped where no lock is held"]
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Waker> {
        self.queue.remove(ticket).map(|waiter| waiter.waker)
    }
}
