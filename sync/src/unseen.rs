//! Tickets that left the queue and whose futures do not know it yet.
//!
//! A ticket below the granted ones says only that it left (`wait_list.rs`). Where
//! it matters how, it is noted here until its future looks or is dropped; that
//! is as long as there are tasks on their way to a poll, which is short.

use crate::wait_list::Ticket;
use std::collections::VecDeque;

/// Sorted, since tickets leave the queue from the front.
#[derive(Debug, Default)]
pub(crate) struct Unseen(VecDeque<Ticket>);

impl Unseen {
    pub(crate) fn push(&mut self, ticket: Ticket) {
        debug_assert!(self.0.back().is_none_or(|last| *last < ticket));
        self.0.push_back(ticket);
    }

    /// Takes the ticket off; false if it was not noted.
    pub(crate) fn take(&mut self, ticket: Ticket) -> bool {
        match self.0.binary_search(&ticket) {
            Ok(at) => self.0.remove(at).is_some(),
            Err(_) => false,
        }
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
