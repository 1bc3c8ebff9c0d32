//! What the receiver has served of its batch, and whether somebody waits for that.
//!
//! The receiver adds what it serves and learns whether somebody waits: only then it
//! takes the lock. Who is about to wait says so and learns what was served. Whatever the
//! order, one of the two has to see the other, or a wake would be lost.
//!
//! ```text
//!            receiver                          who is about to wait
//!
//!   away:    word += SERVED ──────────────────── word |= WAITING
//!                     one word, one step: who comes second sees the first
//!
//!   at home: at_home is stored                   word |= WAITING
//!            light()          ┄┄┄┄┄┄┄┄┄┄┄        at home, too: nothing
//!            word is loaded                      elsewhere: heavy()
//!                                                at_home is loaded
//! ```
//! The step costs as much as a third of all that an item does. A batch therefore has a
//! home, the thread that took it along, if others can have a barrier put into that
//! (`membarrier.rs`). There a store and a load do, as long as whoever waits does so on
//! the same thread, where things have an order anyway. Who has to wait elsewhere pays
//! for a barrier, about half a microsecond, and no later batch has a home.
//!
//! A receiver that has left the home of its batch serves as one that is away: both
//! numbers count. While there is no batch to serve from, all this is only touched under
//! the channel's lock, and then a store is enough.

use crate::home::Home;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::membarrier::light;

/// Set in `word` while the queue is not empty; changes under the lock.
const WAITING: usize = 1;
/// What a value served adds to `word`; only the receiver does that.
const SERVED: usize = 2;

/// See the module.
pub(super) struct Served {
    word: AtomicUsize,
    /// Only the receiver changes it.
    at_home: AtomicUsize,
}

impl Served {
    pub(super) fn new() -> Served {
        Served {
            word: AtomicUsize::new(0),
            at_home: AtomicUsize::new(0),
        }
    }

    /// A batch begins. Only of the receiver, under the lock.
    #[inline]
    pub(super) fn begin(&self, waiting: bool) {
        // Relaxed, both: the lock is held, and without it only the receiver looks.
        let word = usize::from(waiting) * WAITING;
        self.word.store(word, Ordering::Relaxed);
        self.at_home.store(0, Ordering::Relaxed);
    }

    /// `count` more of a batch of this home were served; whether somebody waits.
    #[inline]
    pub(super) fn add(&self, count: usize, home: Home) -> bool {
        if !home.is_here() {
            return self.add_away(count);
        }
        let before = self.at_home.load(Ordering::Relaxed);
        // Release: see `count`.
        self.at_home.store(before + count, Ordering::Release);
        light();
        // Relaxed: who finds somebody goes by the lock.
        self.word.load(Ordering::Relaxed) & WAITING != 0
    }

    /// Out of line, so that the way at home is short enough to be in line everywhere.
    #[inline(never)]
    fn add_away(&self, count: usize) -> bool {
        // Release: see `count`. Acquire: this sees who said before that he waits.
        let before = self.word.fetch_add(count * SERVED, Ordering::AcqRel);
        before & WAITING != 0
    }

    /// How much of the batch was served, at least. Under the lock.
    pub(super) fn count(&self) -> usize {
        // Acquire pairs with the Release in `add`: who has a slot that the receiver
        // freed comes after that.
        let away = self.word.load(Ordering::Acquire) / SERVED;
        away + self.at_home.load(Ordering::Acquire)
    }

    /// Tells the receiver, who has a batch of `lent` values, whether somebody waits. If
    /// so, what it served before is seen afterwards, but for what it served at home, if
    /// that is elsewhere. Under the lock.
    pub(super) fn say_waiting(&self, waiting: bool, lent: usize) {
        let flag = usize::from(waiting) * WAITING;
        if self.count() == lent {
            // All of the batch was served: until the next, which is made under
            // the lock, nobody else changes the word.
            let word = self.word.load(Ordering::Relaxed);
            self.word.store(word & !WAITING | flag, Ordering::Relaxed);
        } else if waiting {
            // AcqRel: this sees what was served before, and the receiver sees
            // this when it serves after.
            self.word.fetch_or(WAITING, Ordering::AcqRel);
        } else {
            // Relaxed: nothing is handed over by it.
            self.word.fetch_and(!WAITING, Ordering::Relaxed);
        }
    }
}
