//! The timer wheel: which sleepers are due, and when to look again.
//!
//! Six levels of 64 slots. A slot of level 0 is one tick wide, a slot of level
//! 1 is as wide as all of level 0, and so on; with a tick of 1.02 us the
//! levels see 66 us, 4.2 ms, 268 ms, 17 s, 18 min and 20 h ahead.
//!
//! ```text
//!              in ticks, `elapsed` = 3·64 + 5
//!   level 0    [..... 5 6 7 ........ 63]         this block of 64, tick by tick
//!   level 1    [... 3 | 4 5 6 ...... 63]         the blocks after it
//!   level 2    [0 | 1 2 3 .......... 63]         blocks of 4,096
//!   ...
//!   beyond     a list: everything 2^36 ticks or more away, and "never"
//!
//!   insert ──1──▶ slot of level n ──2──▶ slot of level < n ──3──▶ fired
//!                     └──────────────4──────────────▶ removed
//! ```
//! 1 `insert`   level: the highest base-64 digit in which deadline and `elapsed` differ
//! 2 `advance`  time entered the slot: its entries move down, in their order
//! 3 `advance`  time reached a slot of level 0: all of it is due at that tick
//! 4 `remove`   at once, from whichever list it is in
//!
//! Two things follow from the rule in 1. Where an entry is can be computed
//! from its deadline, so entries do not store it. And an entry is inserted
//! straight into a slot only after everything older for the same tick has
//! moved there, so equal deadlines fire in the order of insertion.
//!
//! A tick is as short as a lone sleeper would like it. A crowd would wake the thread at
//! each of them, so `next_tick` gathers: who is alone among so many ticks is woken at his
//! own, several at the last of these ticks. (One at the beginning of a coarse slot that
//! has too many to look at passes for several.)
//!
//! No clock, no lock and no waker here: a tick comes in, due values go out.
//! `time/mod.rs` tells how a deadline becomes a wake; read it first. The cells
//! and their memory are in `entries.rs`.

use super::entries::{Entries, List};

pub(crate) use super::entries::Key;

const LEVELS: usize = 6;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// Ticks that the levels cover: 2^36.
const COVERED_BITS: u32 = SLOT_BITS * LEVELS as u32;
/// The last tick that may be advanced to: "never" has to stay beyond.
pub(crate) const LAST: u64 = (u64::MAX >> COVERED_BITS << COVERED_BITS) - 1;
/// How many entries of a coarse slot are looked at to say exactly when the first of them
/// is due. With more there are thought to be several at the slot's beginning.
const LOOK: usize = 8;

/// Where an entry with a given deadline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Slot { level: usize, slot: usize },
    Beyond,
}

/// Values, each due at a tick.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    /// The last tick that was advanced to. Everything due by then has fired,
    /// and no slot that began by then is occupied, the one of this very tick
    /// at level 0 excepted: late arrivals go there.
    elapsed: u64,
    /// Bit n: level n has an occupied slot.
    levels: u8,
    /// Bit n: slot n of this level is occupied.
    occupied: [u64; LEVELS],
    slots: [[List; SLOTS]; LEVELS],
    beyond: List,
    /// No deadline in `beyond` is before this one.
    beyond_from: u64,
    /// Keys with an older stamp are of a time before the last `restart`.
    first_stamp: u64,
    entries: Entries<T>,
}

impl<T> Wheel<T> {
    pub(crate) const fn new() -> Wheel<T> {
        Wheel {
            elapsed: 0,
            levels: 0,
            occupied: [0; LEVELS],
            slots: [[List::EMPTY; SLOTS]; LEVELS],
            beyond: List::EMPTY,
            beyond_from: u64::MAX,
            first_stamp: 0,
            entries: Entries::new(),
        }
    }

    /// Keeps `value` until `deadline_tick`, or, if that has passed, until the
    /// next `advance`; `u64::MAX` is never.
    #[inline]
    pub(crate) fn insert(&mut self, deadline_tick: u64, value: T) -> Key {
        let deadline = deadline_tick.max(self.elapsed);
        match self.occupy(deadline) {
            Place::Slot { level, slot } => {
                self.entries
                    .insert(&mut self.slots[level][slot], deadline, value)
            }
            Place::Beyond => self.entries.insert(&mut self.beyond, deadline, value),
        }
    }

    /// Takes an entry out; `None` if it has fired or was removed.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let (value, gap) = self.entries.take(key)?;
        match self.place(gap.deadline) {
            Place::Slot { level, slot } => {
                let list = &mut self.slots[level][slot];
                self.entries.close(list, &gap);
                if list.is_empty() {
                    self.release(level, slot);
                }
            }
            Place::Beyond => {
                self.entries.close(&mut self.beyond, &gap);
                if self.beyond.is_empty() {
                    self.beyond_from = u64::MAX;
                }
            }
        }
        Some(value)
    }

    /// An entry's value; `None` if it has fired or was removed.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.entries.get_mut(key)
    }

    /// Moves what is due by `now_tick` to `fired`: by deadline, and those of
    /// one tick in the order in which they were inserted.
    ///
    /// A `now_tick` before an earlier one counts as that one.
    pub(crate) fn advance(&mut self, now_tick: u64, fired: &mut Vec<T>) {
        debug_assert!(now_tick <= LAST);
        while let Some((begin, place)) = self.first() {
            if begin > now_tick {
                break;
            }
            self.elapsed = begin.max(self.elapsed);
            match place {
                Place::Slot { level: 0, slot } => self.fire(slot, fired),
                Place::Slot { level, slot } => self.cascade(level, slot),
                Place::Beyond => self.come_near(),
            }
        }
        self.elapsed = now_tick.max(self.elapsed);
    }

    /// When to advance next: not after the first deadline, or, if there seem to be more
    /// among the same `gathered` ticks, not after the last of these; a power of two, 64
    /// at most. It may be before that if there are many entries in the first slot, or if
    /// the first of those beyond 2^36 ticks was removed. `None` is never.
    pub(crate) fn next_tick(&self, gathered: u64) -> Option<u64> {
        debug_assert!(gathered.is_power_of_two() && gathered <= SLOTS as u64);
        let (begin, place) = self.first()?;
        let last = |tick: u64| tick | (gathered - 1);
        let (first, is_alone) = match place {
            Place::Slot { level: 0, .. } => {
                let from = (begin & !(gathered - 1)) % SLOTS as u64;
                let among = self.occupied[0] >> from & (u64::MAX >> (SLOTS as u64 - gathered));
                (begin, among.is_power_of_two())
            }
            Place::Slot { level, slot } => {
                match self.entries.two_earliest(self.slots[level][slot], LOOK) {
                    Some((first, second)) => (first, second == first || second > last(first)),
                    None => (begin, false),
                }
            }
            Place::Beyond => (self.beyond_from, true),
        };
        Some(if is_alone { first } else { last(first) })
    }

    /// The first deadline itself; `None` is never. It may look at every entry
    /// of a coarse slot.
    pub(crate) fn first_deadline(&self) -> Option<u64> {
        let (begin, place) = self.first()?;
        let list = match place {
            Place::Slot { level: 0, .. } => return Some(begin),
            Place::Slot { level, slot } => self.slots[level][slot],
            Place::Beyond => self.beyond,
        };
        let (first, _) = self.entries.two_earliest(list, usize::MAX)?;
        Some(first).filter(|deadline| *deadline <= LAST)
    }

    /// Takes everything out, in no particular order.
    pub(crate) fn drain(&mut self, out: &mut Vec<T>) {
        out.reserve(self.len());
        let lists = self.slots.iter_mut().flatten().chain([&mut self.beyond]);
        for list in lists {
            while let Some(value) = self.entries.pop_front(list) {
                out.push(value);
            }
        }
        self.levels = 0;
        self.occupied = [0; LEVELS];
        self.beyond_from = u64::MAX;
    }

    /// Takes everything out, by deadline, and starts anew at `elapsed`, which
    /// may be earlier: the ticks have another length now. Keys given out so
    /// far are stale.
    pub(crate) fn restart(&mut self, elapsed: u64, out: &mut Vec<T>) {
        self.advance(LAST, out);
        self.drain(out); // those that are due never
        self.elapsed = elapsed;
        self.first_stamp = self.entries.next_stamp();
    }

    /// Whether the entry was taken out by a `restart`, or was gone by then.
    #[inline]
    pub(crate) fn is_stale(&self, key: Key) -> bool {
        key.stamp() < self.first_stamp
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// Where an entry with this deadline is, or goes.
    #[inline]
    fn place(&self, deadline: u64) -> Place {
        let differs = deadline ^ self.elapsed;
        if differs >> COVERED_BITS != 0 {
            return Place::Beyond;
        }
        // `| 1`: the same tick is level 0.
        let level = (differs | 1).ilog2() / SLOT_BITS;
        let slot = (deadline >> (level * SLOT_BITS)) as usize % SLOTS;
        Place::Slot {
            level: level as usize,
            slot,
        }
    }

    /// The place of a deadline, marked as one that has entries.
    #[inline]
    fn occupy(&mut self, deadline: u64) -> Place {
        let place = self.place(deadline);
        match place {
            Place::Slot { level, slot } => {
                self.occupied[level] |= 1 << slot;
                self.levels |= 1 << level;
            }
            Place::Beyond => self.beyond_from = self.beyond_from.min(deadline),
        }
        place
    }

    /// A slot has no entries any more.
    #[inline]
    fn release(&mut self, level: usize, slot: usize) {
        self.occupied[level] &= !(1 << slot);
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    /// The occupied slot that begins first, and when. Nothing in a level is
    /// due before what is in the levels below it.
    #[inline]
    fn first(&self) -> Option<(u64, Place)> {
        if self.levels == 0 {
            // Also when only "never" is there.
            let near = self.beyond_from < u64::MAX;
            return near.then_some((
                self.beyond_from >> COVERED_BITS << COVERED_BITS,
                Place::Beyond,
            ));
        }
        let level = self.levels.trailing_zeros();
        let slot = u64::from(self.occupied[level as usize].trailing_zeros());
        let shift = level * SLOT_BITS;
        let block = self.elapsed >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
        let begin = block | slot << shift;
        Some((
            begin,
            Place::Slot {
                level: level as usize,
                slot: slot as usize,
            },
        ))
    }

    fn fire(&mut self, slot: usize, fired: &mut Vec<T>) {
        while let Some(value) = self.entries.pop_front(&mut self.slots[0][slot]) {
            fired.push(value);
        }
        self.release(0, slot);
    }

    fn cascade(&mut self, level: usize, slot: usize) {
        let mut list = std::mem::replace(&mut self.slots[level][slot], List::EMPTY);
        self.release(level, slot);
        while let Some((index, deadline)) = self.entries.unlink_front(&mut list) {
            let Place::Slot { level: lower, slot } = self.occupy(deadline) else {
                unreachable!(
                    "{deadline} of level {level} went beyond at {}",
                    self.elapsed
                )
            };
            debug_assert!(
                lower < level,
                "{deadline} stayed in level {level} at {}",
                self.elapsed
            );
            self.entries.relink(&mut self.slots[lower][slot], index);
        }
    }

    /// Time entered the 2^36 ticks in which the first of `beyond` is due.
    fn come_near(&mut self) {
        let mut list = std::mem::replace(&mut self.beyond, List::EMPTY);
        self.beyond_from = u64::MAX;
        while let Some((index, deadline)) = self.entries.unlink_front(&mut list) {
            match self.occupy(deadline) {
                Place::Slot { level, slot } => {
                    self.entries.relink(&mut self.slots[level][slot], index);
                }
                Place::Beyond => self.entries.relink(&mut self.beyond, index),
            }
        }
    }
}

#[cfg(test)]
mod tests;
