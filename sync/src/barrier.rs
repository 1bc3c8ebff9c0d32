//! A place where tasks wait for each other, again and again.
//!
//! ```text
//!              ┌────────── 1 ─────────┐
//!              ▼                      │
//!          filling (0 .. n-1 wait) ───┘          1 `wait`, fewer than n: queued
//!           │   ▲         │   ▲                  2 `wait`, the n-th: all go on, and
//!           └─2─┘         3   4                    it is the one that leads
//!                         ▼   │                  3 `abort`: all who wait fail
//!                        broken                  4 `reset`: also from filling; all
//!                                                  who wait fail
//! ```
//!
//! Who has come and waits is the queue itself: a waiter that gives up leaves it
//! and is not counted any more. Those that were taken out by `abort` or `reset`
//! are noted (`unseen.rs`) until they look: later rounds grant later tickets, and
//! those below would pass for granted.

mod wait;

pub use wait::{BarrierWait, BarrierWaitResult};

use crate::unseen::Unseen;
use crate::wait_list::WaitList;
use std::fmt;
use std::panic::Location;

/// Lets a number of tasks wait until all of them have come.
///
/// It can be used again at once: each round ends for exactly those who came to
/// it, and exactly one of them is told to lead.
///
/// # Example
///
/// ```
/// use wakeline_sync::{Barrier, Broken};
///
/// async fn worker(steps: usize, together: &Barrier) -> Result<(), Broken> {
///     for step in 0..steps {
///         // ... a part of the work, and then:
///         if together.wait().await?.is_leader() {
///             println!("step {step} is done by all");
///         }
///     }
///     Ok(())
/// }
/// # let _ = worker;
/// ```
pub struct Barrier {
    parties: usize,
    list: WaitList<State, ()>,
}

#[derive(Debug, Default)]
struct State {
    /// How many wait in this round; below `parties`.
    arrived: usize,
    broken: bool,
    /// Those that were taken out, and not by the end of their round.
    failed: Unseen,
}

impl Barrier {
    /// A barrier for `parties` tasks; for one, or none, it never waits.
    #[must_use]
    pub fn new(parties: usize) -> Barrier {
        Barrier {
            parties,
            list: WaitList::new(State::default()),
        }
    }

    /// How many have to come for a round to end.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// How many wait now.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// use wakeline_sync::Barrier;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let two = Barrier::new(2);
    /// {
    ///     let mut first = pin!(two.wait());
    ///     assert!(first.as_mut().poll(&mut cx).is_pending());
    ///     assert_eq!(two.waiting(), 1);
    /// }
    /// assert_eq!(two.waiting(), 0); // it gave up
    /// ```
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.list.lock().state().arrived
    }

    /// Waits until all have come.
    ///
    /// # Errors
    ///
    /// The output is [`Broken`](crate::Broken) if the barrier was aborted, or is
    /// aborted or reset while this waits.
    ///
    /// # Cancellation
    ///
    /// Dropping the future takes it out of the count: the others wait for another
    /// one to come. If its round has ended already, that stays so.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// use wakeline_sync::Barrier;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let two = Barrier::new(2);
    /// let (mut first, mut second) = (pin!(two.wait()), pin!(two.wait()));
    /// assert!(first.as_mut().poll(&mut cx).is_pending());
    /// assert!(second.as_mut().poll(&mut cx).is_ready());
    /// assert!(first.as_mut().poll(&mut cx).is_ready());
    /// ```
    #[track_caller]
    pub fn wait(&self) -> BarrierWait<'_> {
        BarrierWait::new(self, Location::caller())
    }

    /// Fails those who wait and those who come later, until a
    /// [`reset`](Barrier::reset).
    ///
    /// For a task that cannot go on and knows that the others wait for it.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    /// use wakeline_sync::Barrier;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let two = Barrier::new(2);
    /// two.abort();
    /// assert!(matches!(pin!(two.wait()).poll(&mut cx), Poll::Ready(Err(_))));
    /// ```
    pub fn abort(&self) {
        self.empty(true);
    }

    /// Begins a new round, and ends an abort; those who wait fail.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::Barrier;
    ///
    /// let two = Barrier::new(2);
    /// two.abort();
    /// assert!(two.is_broken());
    /// two.reset();
    /// assert!(!two.is_broken());
    /// ```
    pub fn reset(&self) {
        self.empty(false);
    }

    /// Whether it was aborted and not reset since.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.list.lock().state().broken
    }

    fn empty(&self, broken: bool) {
        let mut locked = self.list.lock();
        while let Some(ticket) = locked.front_ticket() {
            locked.state().failed.push(ticket);
            let _ = locked.evict();
        }
        let state = locked.state();
        state.arrived = 0;
        state.broken = broken;
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiting", &self.waiting())
            .field("broken", &self.is_broken())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
