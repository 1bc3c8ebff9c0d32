//! The timer wheel against a sorted map.
//!
//! Whatever is inserted, removed and waited for: the same values fire in the same order as
//! from a `BTreeMap`, a key that outlived its entry finds nothing, the wheel never asks to
//! be looked at after its first deadline, and who follows its advice gets there in a few looks.
//!
//! The wheel is private to the reactor, and pure: its two files are compiled here once more.

#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use time::wheel::{Key, LAST, Wheel};

#[path = "../../../reactor/src/time"]
mod time {
    mod entries;
    pub(crate) mod wheel;
}

/// More looks than this, and a sleeper is woken for nothing: one for each level, and some.
const LOOKS: usize = 10;
/// As many entries fill a few pages.
const MOST: usize = 5_000;

#[derive(Arbitrary, Debug)]
enum Far {
    Near(u8),
    /// Beside the edge of a level.
    Edge {
        level: u8,
        times: u8,
        beside: i8,
    },
    Any(u64),
    Never,
}

impl Far {
    fn ticks(&self) -> u64 {
        match *self {
            Far::Near(by) => by.into(),
            Far::Edge {
                level,
                times,
                beside,
            } => (u64::from(times) << (6 * (level % 8))).saturating_add_signed(beside.into()),
            Far::Any(by) => by,
            Far::Never => u64::MAX,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Step {
    Insert(Far),
    /// At this tick, which may have passed.
    InsertAt(Far),
    Crowd(u16, Far),
    Remove(u16),
    Advance(Far),
    /// As the wheel says, until something fires.
    Sleep,
    /// To the first deadline.
    Jump,
    Drain,
    Restart(Far),
}

/// The wheel beside what must be true of it.
struct Run {
    wheel: Wheel<u64>,
    now: u64,
    numbers: u64,
    /// By deadline, then by the number of the insertion.
    model: BTreeMap<(u64, u64), u64>,
    keys: Vec<(Key, (u64, u64))>,
}

impl Run {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Insert(far) => self.insert(self.now.saturating_add(far.ticks())),
            Step::InsertAt(far) => self.insert(far.ticks()),
            Step::Crowd(count, far) => {
                for nth in 0..u64::from(count % 1_200) {
                    self.insert(
                        self.now
                            .saturating_add(far.ticks())
                            .saturating_add(nth % 70),
                    );
                }
            }
            Step::Remove(which) => self.remove((*which).into()),
            Step::Advance(far) => {
                self.advance(self.now.saturating_add(far.ticks()).min(LAST));
            }
            Step::Sleep => self.sleep(),
            Step::Jump => {
                self.advance(self.wheel.first_deadline().unwrap_or(self.now));
            }
            Step::Drain => self.drain(),
            Step::Restart(far) => self.restart(far.ticks().min(LAST)),
        }
        self.check();
    }

    fn insert(&mut self, deadline: u64) {
        if self.model.len() >= MOST {
            return;
        }
        let place = (deadline.max(self.now), self.numbers);
        let key = self.wheel.insert(deadline, self.numbers);
        self.model.insert(place, self.numbers);
        self.keys.push((key, place));
        self.numbers += 1;
    }

    fn remove(&mut self, which: usize) {
        if self.keys.is_empty() {
            return;
        }
        // The keys stay: most are of entries that are gone.
        let (key, place) = self.keys[which % self.keys.len()];
        let there = self.model.remove(&place);
        assert_eq!(self.wheel.get_mut(key).copied(), there);
        assert_eq!(self.wheel.remove(key), there);
        assert_eq!(self.wheel.remove(key), None);
    }

    fn advance(&mut self, to: u64) -> usize {
        self.now = self.now.max(to);
        let later = self.model.split_off(&(self.now + 1, 0));
        let due = std::mem::replace(&mut self.model, later);
        let mut fired = Vec::new();
        self.wheel.advance(to, &mut fired);
        assert!(fired.iter().eq(due.values()), "{fired:?}, not {due:?}");
        fired.len()
    }

    fn sleep(&mut self) {
        let mut looks = 0;
        while let Some(next) = self.wheel.next_tick().filter(|next| *next <= LAST) {
            looks += 1;
            assert!(looks <= LOOKS, "woken for nothing, again and again");
            if self.advance(next) > 0 {
                break;
            }
        }
    }

    fn drain(&mut self) {
        let mut out = Vec::new();
        self.wheel.drain(&mut out);
        out.sort_unstable();
        let mut all: Vec<u64> = std::mem::take(&mut self.model).into_values().collect();
        all.sort_unstable();
        assert_eq!(out, all);
    }

    fn restart(&mut self, to: u64) {
        let mut out = Vec::new();
        self.wheel.restart(to, &mut out);
        let never = self.model.split_off(&(LAST + 1, 0));
        let due = std::mem::take(&mut self.model);
        let (first, rest) = out.split_at(due.len());
        assert!(first.iter().eq(due.values()));
        // What is due never has no order.
        let mut rest = rest.to_vec();
        rest.sort_unstable();
        let mut never: Vec<u64> = never.into_values().collect();
        never.sort_unstable();
        assert_eq!(rest, never);
        assert!(self.keys.iter().all(|(key, _)| self.wheel.is_stale(*key)));
        self.now = to;
    }

    fn check(&self) {
        assert_eq!(self.wheel.len(), self.model.len());
        assert_eq!(self.wheel.is_empty(), self.model.is_empty());
        let first = self.model.keys().next().map(|(deadline, _)| *deadline);
        let due = first.filter(|first| *first <= LAST);
        assert_eq!(self.wheel.first_deadline(), due);
        match (self.wheel.next_tick(), first) {
            (Some(next), Some(first)) => assert!(next <= first),
            (Some(next), None) => panic!("{next} though it is empty"),
            (None, first) => assert!(first.is_none_or(|first| first == u64::MAX)),
        }
    }
}

fuzz_target!(|input: (Far, Vec<Step>)| {
    let (start, steps) = input;
    let mut run = Run {
        wheel: Wheel::new(),
        now: 0,
        numbers: 0,
        model: BTreeMap::new(),
        keys: Vec::new(),
    };
    run.advance(start.ticks().min(LAST));
    for step in steps.iter().take(200) {
        run.step(step);
    }
    run.advance(LAST);
    run.check();
});
