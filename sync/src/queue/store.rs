//! The items of a queue, in the order in which they will be taken.
//!
//! ```text
//!   fifo       front ▶ 3  4  5  7         taken from the front
//!   lifo               3  4  5  7 ◀ back  taken from the back
//!   priority   (rank, number): (1, 7) (2, 3) (2, 4)    the lowest first
//! ```
//!
//! Each item has the number of its put. An item that comes back from a worker
//! is sorted in by that number, so it stands where it stood: the next receiver
//! gets 1 before 2. Equal ranks are taken in the order of their puts.
//!
//! Pure data: ranks are asked for before the lock, and comparing them calls
//! nothing of the user's.

use std::collections::{BTreeMap, VecDeque};

/// A value on its way, with what must come back with it.
#[derive(Debug)]
pub(super) struct Item<T> {
    pub(super) value: T,
    rank: i64,
    /// The number of its put.
    number: u64,
    /// How often it was taken.
    pub(super) attempts: u32,
}

impl<T> Item<T> {
    pub(super) fn new(value: T, rank: i64, number: u64) -> Item<T> {
        Item {
            value,
            rank,
            number,
            attempts: 0,
        }
    }
}

#[derive(Debug)]
pub(super) enum Store<T> {
    /// Sorted by number.
    Line {
        items: VecDeque<Item<T>>,
        last_first: bool,
    },
    Ranked(BTreeMap<(i64, u64), Item<T>>),
}

impl<T> Store<T> {
    pub(super) fn line(last_first: bool) -> Store<T> {
        Store::Line {
            items: VecDeque::new(),
            last_first,
        }
    }

    pub(super) fn ranked() -> Store<T> {
        Store::Ranked(BTreeMap::new())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Store::Line { items, .. } => items.len(),
            Store::Ranked(items) => items.len(),
        }
    }

    /// Puts an item at its place: a new one, or one that comes back.
    pub(super) fn insert(&mut self, item: Item<T>) {
        match self {
            Store::Line { items, .. } => match items.back() {
                Some(last) if last.number > item.number => {
                    let at = items.partition_point(|other| other.number < item.number);
                    items.insert(at, item);
                }
                _ => items.push_back(item),
            },
            Store::Ranked(items) => {
                let before = items.insert((item.rank, item.number), item);
                debug_assert!(before.is_none(), "numbers are not used twice");
            }
        }
    }

    /// Takes the next one out.
    pub(super) fn take(&mut self) -> Option<Item<T>> {
        let mut item = match self {
            Store::Line { items, last_first } => {
                if *last_first {
                    items.pop_back()?
                } else {
                    items.pop_front()?
                }
            }
            Store::Ranked(items) => items.pop_first()?.1,
        };
        item.attempts = item.attempts.saturating_add(1);
        Some(item)
    }

    /// Takes all of them out, to be dropped where no lock is held.
    pub(super) fn empty(&mut self) -> Store<T> {
        let none = match self {
            Store::Line { last_first, .. } => Store::line(*last_first),
            Store::Ranked(_) => Store::ranked(),
        };
        std::mem::replace(self, none)
    }
}
