//! What a queue knows, and the one rule by which it hands out: `settle`.
//!
//! An item:
//!
//! ```text
//!   put ──1──▶ Stored ──2──▶ Taken ──4──▶ done
//!                ▲             │
//!                └──────3──────┘
//! ```
//! 1 `put`       counted as unfinished from here on
//! 2 `get`       out of the store, into the hands of a worker
//! 3 `put_back`  at the place where it stood; still unfinished
//! 4 `finish`    the worker is done with it, or it was thrown away
//!
//! The queue:
//!
//! ```text
//!   Open ──1──▶ Draining ──2──▶ Dead
//!     └────────────2─────────────▲
//! ```
//! 1 `drain`  graceful shutdown, or the last producer went: nothing is put any
//!            more, except by permits that are out; what is there can be got
//! 2 `kill`   immediate shutdown, or the last consumer went: what is there is
//!            thrown away
//!
//! # Counts, not hand-overs
//!
//! Nothing is handed to a waiter. A getter that is granted something owns a
//! claim to *an* item, and takes the first one when it looks; a putter owns a
//! claim to *a* slot, and keeps its value until it looks. So a future that is
//! dropped with a grant leaves the items in their order, and a value with its
//! owner: only a number goes down, and [`settle`](Core::settle) hands the claim
//! to the next in line.
//!
//! Nobody barges in: what is claimed is not there for others.
//!
//! Pure data: no lock, and wakers are collected, not called.

use super::line::{Fate, Line, Place};
use super::store::{Item, Store};
use crate::error::Closed;
use crate::wakes::Wakes;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Draining,
    Dead,
}

#[derive(Debug)]
pub(super) struct Core<T> {
    pub(super) store: Store<T>,
    /// 0 is a rendezvous: there is a slot for each getter that waits.
    pub(super) capacity: usize,
    /// A job that was not said to be done comes back when it is dropped.
    pub(super) requeue_on_drop: bool,
    pub(super) phase: Phase,
    /// Puts so far.
    puts: u64,
    /// Items that are stored or taken.
    pub(super) unfinished: usize,
    /// Items that belong to getters which were granted one and have not looked.
    claimed: usize,
    /// Slots that belong to putters which were granted one and have not looked.
    granted: usize,
    /// Slots that are out as permits.
    pub(super) permits: usize,
    pub(super) producers: usize,
    pub(super) consumers: usize,
    pub(super) getters: Line,
    pub(super) putters: Line,
    pub(super) joiners: Line,
}

impl<T> Core<T> {
    pub(super) fn new(store: Store<T>, capacity: usize, requeue_on_drop: bool) -> Core<T> {
        Core {
            store,
            capacity,
            requeue_on_drop,
            phase: Phase::Open,
            puts: 0,
            unfinished: 0,
            claimed: 0,
            granted: 0,
            permits: 0,
            producers: 1,
            consumers: 1,
            getters: Line::new(),
            putters: Line::new(),
            joiners: Line::new(),
        }
    }

    /// Hands out what there is to those who wait for it. Called after every
    /// change, so between two calls it holds: nobody waits for what is there.
    pub(super) fn settle(&mut self, wakes: &mut Wakes) {
        while self.store.len() > self.claimed && self.getters.grant(wakes) {
            self.claimed += 1;
        }
        while self.has_room() && self.putters.grant(wakes) {
            self.granted += 1;
        }
        if self.phase != Phase::Open {
            self.putters.refuse_all(wakes);
        }
        if self.is_over() {
            self.getters.refuse_all(wakes);
        }
        if self.unfinished == 0 {
            while self.joiners.grant(wakes) {}
        }
    }

    /// Whether there is a slot that is nobody's.
    fn has_room(&self) -> bool {
        let limit = match self.capacity {
            0 => self.getters.len() + self.claimed,
            capacity => capacity,
        };
        self.phase == Phase::Open && self.store.len() + self.granted + self.permits < limit
    }

    /// Whether nothing will come any more to those who get.
    fn is_over(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Dead => true,
            // An item that is claimed counts as there: its owner may give up.
            Phase::Draining if self.requeue_on_drop => self.unfinished == 0 && self.permits == 0,
            Phase::Draining => self.store.len() == 0 && self.permits == 0,
        }
    }

    /// A slot for a putter at `place`, if it has or finds one.
    pub(super) fn slot(&mut self, place: Place) -> Option<Result<(), Closed>> {
        if self.phase != Phase::Open {
            return Some(Err(Closed(()))); // grants that were not seen ended with it
        }
        match place {
            Place::Queued(ticket) => match self.putters.fate(ticket) {
                Fate::Waiting => None,
                Fate::Granted => {
                    self.granted -= 1;
                    Some(Ok(()))
                }
                Fate::Refused => unreachable!("refused by an open queue"),
            },
            Place::New | Place::Done => self.has_room().then_some(Ok(())),
        }
    }

    /// Stores a value, for which the caller had a slot.
    pub(super) fn put(&mut self, value: T, rank: i64) {
        let number = self.puts;
        self.puts += 1;
        self.unfinished += 1;
        self.store.insert(Item::new(value, rank, number));
    }

    /// An item for a getter at `place`, if there is one for it.
    pub(super) fn get(&mut self, place: Place) -> Option<Result<Item<T>, Closed>> {
        if self.phase == Phase::Dead {
            return Some(Err(Closed(())));
        }
        match place {
            Place::Queued(ticket) => match self.getters.fate(ticket) {
                Fate::Waiting => return None,
                Fate::Granted => self.claimed -= 1,
                // A job was put back since: nobody else may be left to take it.
                Fate::Refused if self.store.len() > self.claimed => {}
                Fate::Refused => return Some(Err(Closed(()))),
            },
            Place::New | Place::Done if self.store.len() > self.claimed => {}
            Place::New | Place::Done => return self.is_over().then_some(Err(Closed(()))),
        }
        let Some(item) = self.store.take() else {
            unreachable!("{} items were claimed and none is there", self.claimed + 1)
        };
        Some(Ok(item))
    }

    /// Puts an item back where it stood, or gives it to the caller to drop.
    pub(super) fn put_back(&mut self, item: Item<T>) -> Option<Item<T>> {
        if self.phase == Phase::Dead {
            return Some(item);
        }
        self.store.insert(item);
        None
    }

    /// So many items are done.
    pub(super) fn finish(&mut self, items: usize) {
        debug_assert!(items <= self.unfinished);
        debug_assert!(self.store.len() <= self.unfinished - items);
        self.unfinished -= items;
    }

    /// A putter that was granted a slot and has not looked gives up.
    pub(super) fn return_slot(&mut self) {
        if self.phase == Phase::Open {
            self.granted -= 1;
        }
    }

    /// A getter that was granted an item and has not looked gives up.
    pub(super) fn return_item(&mut self) {
        if self.phase != Phase::Dead {
            self.claimed -= 1;
        }
    }

    /// Nothing is put any more.
    pub(super) fn drain(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Draining;
            self.granted = 0;
        }
    }

    /// Nothing is got any more. What was stored is the caller's to drop, and
    /// to `finish` when that is done: who joins finds it gone.
    #[must_use = "values are dropped where no lock is held"]
    pub(super) fn kill(&mut self) -> Store<T> {
        self.drain();
        self.phase = Phase::Dead;
        self.claimed = 0;
        self.store.empty()
    }
}
