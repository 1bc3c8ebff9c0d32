//! Which sleepers are due: a sorted map, to be replaced by a wheel.

use std::collections::BTreeMap;

/// Names one entry for as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    tick: u64,
    number: u64,
}

/// Entries by deadline.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    entries: BTreeMap<Key, T>,
    inserted: u64,
}

impl<T> Wheel<T> {
    pub(crate) fn new() -> Wheel<T> {
        Wheel {
            entries: BTreeMap::new(),
            inserted: 0,
        }
    }

    pub(crate) fn insert(&mut self, deadline_tick: u64, value: T) -> Key {
        self.inserted += 1;
        let key = Key {
            tick: deadline_tick,
            number: self.inserted,
        };
        self.entries.insert(key, value);
        key
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.entries.remove(&key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.entries.get_mut(&key)
    }

    pub(crate) fn advance(&mut self, now_tick: u64, fired: &mut Vec<T>) {
        while let Some(entry) = self.entries.first_entry() {
            if entry.key().tick > now_tick {
                break;
            }
            fired.push(entry.remove());
        }
    }

    pub(crate) fn next_tick(&self) -> Option<u64> {
        self.entries.first_key_value().map(|(key, _)| key.tick)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
