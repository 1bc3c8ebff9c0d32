//! A turn and time: what is due, how long it may sleep, and whether time
//! moves instead.
//!
//! By the real clock a turn asks only `fire_timers` and `until`. Where
//! `Core::special` is set, the clock is another, or someone waits for a step:
//! `steps.rs` decides, and what it decided happens here.

use crate::clock;
use crate::driver::Sleep;
use crate::harvest::Harvest;
use crate::metrics::add;
use crate::reactor::Core;
use crate::steps::{self, Id, Step};
use std::task::Waker;
use std::time::Duration;

impl Core {
    /// The present by this reactor's clock.
    #[inline]
    pub(crate) fn now_nanos(&self) -> u64 {
        match &self.clock {
            Some(clock) if self.special.get() => clock::nanos(clock.now()),
            _ => clock::now_nanos(),
        }
    }

    /// Moves the wakers of what is due to the harvest; returns how many.
    pub(crate) fn fire_timers(&self, harvest: &mut Harvest) -> usize {
        let mut timers = self.timers.borrow_mut();
        if timers.is_empty() {
            return 0;
        }
        let before = harvest.wakers.len();
        timers.advance(self.now_nanos(), &mut harvest.wakers);
        let fired = harvest.wakers.len() - before;
        add(&self.counts.timers_fired, fired as u64);
        fired
    }

    /// How long a turn with this limit may sleep.
    pub(crate) fn until(&self, limit: Option<Duration>) -> Sleep {
        if limit == Some(Duration::ZERO) {
            // It would not have slept: the mark stays for a turn that would.
            return Sleep::No;
        }
        if self.home.parker.is_notified() {
            return Sleep::Notified;
        }
        let mut timer = self.timers.borrow().next();
        if self.special.get() {
            timer = timer.and_then(|nanos| self.real_nanos(nanos));
        }
        let limit = limit.map(|limit| clock::after(clock::now_nanos(), limit));
        Sleep::Until(timer.into_iter().chain(limit).min())
    }

    /// What this turn will do if it finds nothing.
    #[cold]
    pub(crate) fn next_step(&self, jobs: &dyn Fn() -> bool) -> Step {
        let paused = self.clock.as_ref().is_some_and(|clock| clock.is_stopped());
        let first = paused.then(|| self.timers.borrow().first_deadline());
        let in_flight = || self.driver.borrow().works() || jobs();
        let quiet = || steps::is_quiet(&self.home.parker, in_flight);
        self.steps.borrow().decide(paused, first.flatten(), quiet)
    }

    /// The turn found nothing; returns how many timers fired.
    #[cold]
    pub(crate) fn take_step(&self, step: Step, harvest: &mut Harvest) -> usize {
        if self.home.parker.is_notified() {
            // Another thread has queued something meanwhile: the loop looks
            // for it before time moves. The mark is taken, as by a sleep.
            self.home.parker.unpark();
            return 0;
        }
        let wakers = &mut harvest.wakers;
        let mut fired = 0;
        match step {
            Step::Stay => {}
            Step::Settle => self.steps.borrow_mut().settle(wakers),
            Step::To(moment) => {
                if let Some(clock) = &self.clock {
                    clock.set(moment);
                }
                self.timers.borrow_mut().advance(moment, wakers);
                fired = wakers.len();
                add(&self.counts.timers_fired, fired as u64);
                if fired == 0 {
                    self.steps.borrow_mut().arrive(moment, wakers);
                }
            }
        }
        self.update_special();
        fired
    }

    pub(crate) fn remove_step(&self, id: Id) -> Option<Waker> {
        let removed = self.steps.borrow_mut().remove(id);
        self.update_special();
        removed
    }

    /// After a change of the clock or of who waits for a step.
    pub(crate) fn update_special(&self) {
        let real = self.clock.as_ref().is_none_or(|clock| clock.is_real());
        self.special.set(!real || !self.steps.borrow().is_empty());
    }

    /// When the real clock shows `nanos` of this one; `None` if it is stopped.
    #[cold]
    fn real_nanos(&self, nanos: u64) -> Option<u64> {
        match &self.clock {
            Some(clock) => clock.real_nanos(nanos),
            None => Some(nanos),
        }
    }

    /// The thread leaves: wakes who has a timer, so that they set it where they are
    /// polled.
    pub(crate) fn hand_out_timers(&self, harvest: &mut Harvest) {
        let mut timers = self.timers.borrow_mut();
        if !timers.is_empty() {
            timers.hand_out(self.now_nanos(), &mut harvest.wakers);
        }
    }

    /// The clock was stopped or set going: wakes who has a timer, so that they
    /// set it anew.
    pub(crate) fn restart_timers(&self, exact: bool) {
        self.update_special();
        let mut harvest = Harvest::default();
        if !exact {
            self.steps.borrow_mut().give_up(&mut harvest.wakers);
            self.update_special();
        }
        let now = self.now_nanos();
        self.timers
            .borrow_mut()
            .restart(now, exact, &mut harvest.wakers);
        harvest.finish();
    }
}
