//! A timer entry: what a `Sleep` holds of the wheel of some thread.

use crate::current;
use crate::inbox::Message;
use crate::remote::Home;
use crate::time::wheel;
use std::io;
use std::sync::Arc;
use std::task::Waker;

/// A waker in a wheel, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct TimerEntry {
    home: Arc<Home>,
    key: wheel::Key,
}

/// What became of an entry whose waker was to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    /// It has the waker now.
    Kept,
    /// Its deadline has passed and its waker was woken.
    Fired,
    /// It is in another thread's wheel: drop it and insert a new one here.
    Elsewhere,
}

impl TimerEntry {
    /// Puts `waker` into this thread's wheel.
    pub(crate) fn insert(deadline_tick: u64, waker: &Waker) -> io::Result<TimerEntry> {
        let waker = waker.clone();
        let core = current::get()?;
        let key = core.timers.borrow_mut().insert(deadline_tick, waker);
        Ok(TimerEntry {
            home: Arc::clone(&core.home),
            key,
        })
    }

    /// Changes the waker.
    pub(crate) fn update(&self, waker: &Waker) -> Update {
        let found = current::if_home(self.home.id, |core| {
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
}

impl Drop for TimerEntry {
    fn drop(&mut self) {
        let found = current::if_home(self.home.id, |core| {
            let removed = core.timers.borrow_mut().remove(self.key);
            drop(removed); // after the borrow: it is foreign code
        });
        if found.is_none() {
            self.home.send(Message::CancelTimer(self.key));
        }
    }
}
