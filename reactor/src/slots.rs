//! Slots with generations: how a number that comes back from the kernel finds
//! what it stands for, or finds that this is gone.
//!
//! ```text
//!   user_data:   63      56 55               32 31                    0
//!                [ kind:8 ][ generation: 24     ][ index: 32            ]
//! ```
//!
//! A slot's generation changes when the slot is emptied, so a [`Key`] that
//! outlived its entry matches nothing: it is counted by the caller and
//! otherwise ignored, never used as an index (invariant 3).

/// Bits of a generation; after 16.7 million reuses of one slot they wrap.
const GENERATION_MASK: u32 = (1 << 24) - 1;

/// What a number in a completion stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Another thread rang the eventfd.
    Interrupt = 1,
    /// The timerfd of the epoll driver ran out.
    Alarm = 2,
    /// A cancel request's own completion: there is nothing to do.
    Cancel = 3,
    /// Readiness of a source.
    Source = 4,
    /// A one-shot operation.
    Op = 5,
}

impl Kind {
    fn from_bits(bits: u8) -> Option<Kind> {
        const INTERRUPT: u8 = Kind::Interrupt as u8;
        const ALARM: u8 = Kind::Alarm as u8;
        const CANCEL: u8 = Kind::Cancel as u8;
        const SOURCE: u8 = Kind::Source as u8;
        const OP: u8 = Kind::Op as u8;
        Some(match bits {
            INTERRUPT => Kind::Interrupt,
            ALARM => Kind::Alarm,
            CANCEL => Kind::Cancel,
            SOURCE => Kind::Source,
            OP => Kind::Op,
            _ => return None,
        })
    }
}

/// Names one entry for as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// For the kinds that have no slot.
    pub(crate) const NONE: Key = Key {
        index: 0,
        generation: 0,
    };

    pub(crate) fn index(self) -> usize {
        self.index as usize
    }

    pub(crate) fn pack(self, kind: Kind) -> u64 {
        u64::from(kind as u8) << 56 | u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The kind and key in `data`, or `None` for a number that is not ours.
    pub(crate) fn unpack(data: u64) -> Option<(Kind, Key)> {
        let kind = Kind::from_bits((data >> 56) as u8)?;
        let generation = (data >> 32) as u32 & GENERATION_MASK;
        Some((
            kind,
            Key {
                index: data as u32,
                generation,
            },
        ))
    }
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// A growing table whose free slots are reused, last freed first.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Slots<T> {
    pub(crate) const fn new() -> Slots<T> {
        Slots {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            debug_assert!(slot.value.is_none(), "a free slot holds nothing");
            slot.value = Some(value);
            return Key {
                index,
                generation: slot.generation,
            };
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 entries");
        self.slots.push(Slot {
            generation: 0,
            value: Some(value),
        });
        Key {
            index,
            generation: 0,
        }
    }

    fn slot_mut(&mut self, key: Key) -> Option<&mut Slot<T>> {
        let slot = self.slots.get_mut(key.index as usize)?;
        (slot.generation == key.generation).then_some(slot)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        (slot.generation == key.generation).then_some(slot.value.as_ref())?
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slot_mut(key)?.value.as_mut()
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slot_mut(key)?;
        let value = slot.value.take()?;
        slot.generation = (slot.generation + 1) & GENERATION_MASK;
        self.free.push(key.index);
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().zip(0..).filter_map(|(slot, index)| {
            let value = slot.value.as_ref()?;
            Some((
                Key {
                    index,
                    generation: slot.generation,
                },
                value,
            ))
        })
    }
}

#[cfg(test)]
mod tests;
