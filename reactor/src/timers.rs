//! A timer entry: what a `Sleep` holds of the wheel of some thread.
//!
//! ```text
//!   insert ──▶ in the wheel of this thread ──1──▶ fired: its waker was woken
//!                │ 2            │ 3
//!                ▼              ▼
//!              removed     by mail: removed, or woken so that it comes along
//! ```
//! 1 `Core::turn`  its tick has passed
//! 2 `drop`, `reset`  on the thread whose wheel it is
//! 3 `drop`, `reset`  on another thread

use crate::current;
use crate::inbox::Message;
use crate::remote::Home;
use crate::time::wheel;
use std::io;
use std::task::Waker;

/// A waker in a wheel, removed when this is dropped.
///
/// It names its reactor by number: timers come and go more often than they
/// move, so only the rare foreign drop looks for the reactor's mailbox.
#[derive(Debug)]
pub(crate) struct TimerEntry {
    home: u64,
    key: wheel::Key,
}

/// What became of an entry that was to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    /// It is changed.
    Kept,
    /// Its deadline has passed and its waker was woken.
    Fired,
    /// It is in another thread's wheel: drop it and insert a new one here.
    Elsewhere,
}

impl TimerEntry {
    /// Puts `waker` into this thread's wheel.
    #[inline]
    pub(crate) fn insert(deadline_tick: u64, waker: &Waker) -> io::Result<TimerEntry> {
        let waker = waker.clone();
        let core = current::get()?;
        let key = core.timers.borrow_mut().insert(deadline_tick, waker);
        Ok(TimerEntry {
            home: core.home.id,
            key,
        })
    }

    /// Changes the waker.
    #[inline]
    pub(crate) fn update(&self, waker: &Waker) -> Update {
        let found = current::if_home(self.home, |core| {
            match core.timers.borrow_mut().get_mut(self.key) {
                None => return Update::Fired,
                Some(listed) if listed.will_wake(waker) => return Update::Kept,
                Some(_) => {}
            }
            // A clone and a drop of a waker are foreign code: not while borrowed.
            let mut waker = waker.clone();
            match core.timers.borrow_mut().get_mut(self.key) {
                None => return Update::Fired,
                Some(listed) => std::mem::swap(listed, &mut waker),
            }
            Update::Kept
        });
        found.unwrap_or(Update::Elsewhere)
    }

    /// Changes the deadline and keeps the waker.
    ///
    /// `Elsewhere`: the waker is woken, so that its task polls, and puts the
    /// timer with its new deadline into the wheel of its thread.
    pub(crate) fn reset(&mut self, deadline_tick: u64) -> Update {
        let found = current::if_home(self.home, |core| {
            let mut timers = core.timers.borrow_mut();
            let waker = timers.remove(self.key)?;
            Some(timers.insert(deadline_tick, waker))
        });
        match found {
            None => {
                Home::send_to(self.home, Message::FireTimer(self.key));
                Update::Elsewhere
            }
            Some(None) => Update::Fired,
            Some(Some(key)) => {
                self.key = key;
                Update::Kept
            }
        }
    }
}

impl Drop for TimerEntry {
    #[inline]
    fn drop(&mut self) {
        let found = current::if_home(self.home, |core| {
            let removed = core.timers.borrow_mut().remove(self.key);
            drop(removed); // after the borrow: it is foreign code
        });
        if found.is_none() {
            Home::send_to(self.home, Message::CancelTimer(self.key));
        }
    }
}
