//! Looking after a worker that runs one task for long: its sockets wait meanwhile.
//!
//! ```text
//!            1                       2
//!   calm ──────────▶ watchful ──────────────▶ calm
//!                     │    ▲
//!                     └─1──┘
//! ```
//! 1 a run of tasks between two turns has lasted for [`LONG`]: seen by the worker
//!   itself when it is over, or by another that wakes up meanwhile
//! 2 nobody has seen one for [`WATCHFUL`]
//!
//! Each worker publishes since when it runs tasks without a turn. Whoever wakes up looks
//! at that of all others, but only once in [`LOOK`] for all of them together; and of one
//! that has run for [`AWAY`] the driver's deputy looks for events, whose tasks
//! then run on who has looked.
//!
//! In calm times workers wake up when something happens, so nobody may look for long. In
//! watchful times who goes to sleep is a guard: he sleeps for a while only, `LOOK` for
//! each two guards. So with any number of workers there are about two
//! wake-ups in that time, some microseconds each. If there is no guard, as when those times begin
//! or the last one has tasks to run, one of the sleepers is woken, and sleeps on as a guard.
//!
//! Nothing is published by these words but themselves, and who sees an old one looks
//! once too often or too late: they are all Relaxed.

use std::time::{Duration, Instant};

use crate::padded::Padded;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// A run that is long enough to look after the next ones.
const LONG: u64 = 250;
/// How long watchful times last.
const WATCHFUL: u64 = 100_000;
/// From one look to the next.
const LOOK: u64 = 200;
/// A worker that has run for so long does not take its turn at once.
const AWAY: u64 = 100;

/// Microseconds since the executor began, and never 0.
pub(crate) type Micros = u64;

/// See the module.
pub(crate) struct Vigil {
    origin: Instant,
    /// Since when each worker runs tasks; 0 while it sleeps.
    runs: Vec<Padded<AtomicU64>>,
    /// The end of watchful times.
    until: AtomicU64,
    /// When the next look is due.
    due: AtomicU64,
    /// Those who sleep for a while only.
    guards: AtomicU32,
}

impl Vigil {
    /// For so many workers, none of which runs yet.
    pub(crate) fn new(workers: usize) -> Vigil {
        Vigil {
            origin: Instant::now(),
            runs: (0..workers).map(|_| Padded::default()).collect(),
            until: AtomicU64::new(0),
            due: AtomicU64::new(0),
            guards: AtomicU32::new(0),
        }
    }

    pub(crate) fn now(&self) -> Micros {
        1 + self.origin.elapsed().as_micros() as u64
    }

    /// A worker has had its turn, or is awake: from now on it runs tasks. Whether its
    /// run until now has begun watchful times.
    #[inline]
    pub(crate) fn runs(&self, worker: usize, now: Micros) -> bool {
        self.publish(worker, now, now)
    }

    /// A worker goes to sleep; as above.
    #[inline]
    pub(crate) fn sleeps(&self, worker: usize, now: Micros) -> bool {
        self.publish(worker, now, 0)
    }

    #[inline]
    fn publish(&self, worker: usize, now: Micros, since: Micros) -> bool {
        let run = &self.runs[worker].0;
        let before = run.load(Relaxed);
        run.store(since, Relaxed);
        before != 0 && now - before >= LONG && self.has_seen_a_long_one(now)
    }

    #[cold]
    fn has_seen_a_long_one(&self, now: Micros) -> bool {
        self.until.swap(now + WATCHFUL, Relaxed) < now
    }

    /// How many run tasks and have had no turn for so long.
    pub(crate) fn away_for(&self, time: Duration) -> usize {
        let (now, time) = (self.now(), time.as_micros() as u64);
        let since = self.runs.iter().map(|run| run.0.load(Relaxed));
        let away = |since: &Micros| *since != 0 && now.saturating_sub(*since) >= time;
        since.filter(away).count()
    }

    /// How long one may sleep who goes to sleep now, if there is a limit to that: then it
    /// is a guard.
    pub(crate) fn limit(&self, now: Micros) -> Option<Duration> {
        let watchful = self.until.load(Relaxed) >= now;
        watchful.then(|| {
            let guards = 1 + self.guards.fetch_add(1, Relaxed);
            Duration::from_micros(LOOK * u64::from(guards.div_ceil(2)))
        })
    }

    /// One is awake, and will not sleep again at once if it `leaves`. Whether there is no
    /// guard, and one is needed.
    pub(crate) fn wakes(&self, was_guard: bool, leaves: bool, now: Micros) -> bool {
        let guards = if was_guard {
            self.guards.fetch_sub(1, Relaxed) - 1
        } else {
            self.guards.load(Relaxed)
        };
        guards == 0 && leaves && self.until.load(Relaxed) >= now
    }

    /// A worker is awake: whom it is to look after, if a look is due; and whether
    /// watchful times have begun by that.
    #[inline]
    pub(crate) fn look(&self, worker: usize, now: Micros) -> Option<Look<'_>> {
        let due = self.due.load(Relaxed);
        let next = now + LOOK;
        let mine = due <= now
            && self
                .due
                .compare_exchange(due, next, Relaxed, Relaxed)
                .is_ok();
        mine.then_some(Look {
            vigil: self,
            worker,
            now,
        })
    }
}

/// A worker's look at the others.
pub(crate) struct Look<'a> {
    vigil: &'a Vigil,
    worker: usize,
    now: Micros,
}

impl Look<'_> {
    /// Calls `look_after` for each that is away; whether watchful times begin.
    pub(crate) fn each(self, mut look_after: impl FnMut(usize)) -> bool {
        let mut longest = 0;
        for (index, run) in self.vigil.runs.iter().enumerate() {
            let since = run.0.load(Relaxed);
            if since == 0 || index == self.worker {
                continue;
            }
            let ran = self.now.saturating_sub(since);
            if ran >= AWAY {
                look_after(index);
            }
            longest = longest.max(ran);
        }
        longest >= LONG && self.vigil.has_seen_a_long_one(self.now)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn looked_after(vigil: &Vigil, worker: usize, now: Micros) -> Option<Vec<usize>> {
        let look = vigil.look(worker, now)?;
        let mut all = Vec::new();
        look.each(|worker| all.push(worker));
        Some(all)
    }

    #[test]
    fn who_runs_for_long_is_looked_after_by_who_wakes_up() {
        let vigil = Vigil::new(4);
        assert!(!vigil.runs(0, 1_000));
        assert!(!vigil.runs(1, 1_000));
        assert!(!vigil.runs(2, 1_050));
        assert_eq!(looked_after(&vigil, 1, 1_000 + AWAY), Some(vec![0]));
        assert_eq!(
            looked_after(&vigil, 3, 1_000 + AWAY + LOOK - 1),
            None,
            "not yet"
        );
        assert_eq!(
            looked_after(&vigil, 3, 1_000 + AWAY + LOOK),
            Some(vec![0, 1, 2])
        );
    }

    #[test]
    fn who_sleeps_or_takes_turns_is_left_alone() {
        let vigil = Vigil::new(3);
        for now in (1_000..5_000).step_by(50) {
            assert!(!vigil.runs(0, now));
        }
        assert!(!vigil.sleeps(1, 1_000));
        assert_eq!(looked_after(&vigil, 2, 5_000), Some(vec![]));
        assert_eq!(vigil.limit(5_000), None);
    }

    #[test]
    fn watchful_times_begin_with_a_long_run_and_end_after_the_last() {
        let vigil = Vigil::new(2);
        assert!(!vigil.runs(0, 1));
        assert_eq!(vigil.limit(1), None);
        assert!(vigil.sleeps(0, 1 + LONG), "they begin");
        assert!(!vigil.runs(0, 5_000), "a sleep is no run");
        assert!(!vigil.sleeps(0, 5_000 + LONG), "they go on");
        let end = 5_000 + LONG + WATCHFUL;
        let limits = [(); 5].map(|()| vigil.limit(end));
        let expected = [LOOK, LOOK, 2 * LOOK, 2 * LOOK, 3 * LOOK];
        assert_eq!(
            limits,
            expected.map(|micros| Some(Duration::from_micros(micros)))
        );
        assert_eq!(vigil.limit(end + 1), None);
    }

    #[test]
    fn the_last_guard_that_leaves_wants_another() {
        let vigil = Vigil::new(3);
        vigil.runs(0, 1);
        vigil.sleeps(0, 1 + LONG);
        let now = 2 + LONG;
        for _ in 0..2 {
            assert!(vigil.limit(now).is_some());
        }
        assert!(!vigil.wakes(true, true, now), "there is another");
        assert!(!vigil.wakes(true, false, now), "it will be back");
        assert!(vigil.limit(now).is_some());
        assert!(vigil.wakes(true, true, now));
        assert!(vigil.limit(now).is_some());
        assert!(
            !vigil.wakes(true, true, now + WATCHFUL),
            "those times are over"
        );
    }

    #[test]
    fn a_long_run_is_also_seen_before_it_ends() {
        let vigil = Vigil::new(2);
        assert!(!vigil.runs(0, 1));
        let begins = |now| vigil.look(1, now).expect("due").each(|_| {});
        assert!(!begins(LONG));
        assert!(begins(LONG + LOOK));
        assert!(!begins(LONG + 2 * LOOK), "they go on");
    }
}
