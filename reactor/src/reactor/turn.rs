//! A turn, as drawn in the module above.

use super::{Core, Turn};
use crate::driver::{Sleep, Turning};
use crate::error::ForkedRuntime;
use crate::harvest::{Garbage, Harvest};
use crate::inbox::Message;
use crate::metrics::add;
use crate::steps::Step;
use crate::sys;
use std::io;
use std::time::Duration;

impl Core {
    pub(super) fn turn(
        &self,
        limit: Option<Duration>,
        jobs: &dyn Fn() -> bool,
    ) -> io::Result<Turn> {
        self.check_process()?;
        add(&self.counts.turns, 1);
        let mut harvest = self.harvest.take();
        self.read_mail(&mut harvest);
        let mut timers = self.fire_timers(&mut harvest);

        let nothing_to_do = harvest.is_empty();
        let mut step = Step::Stay;
        if nothing_to_do && self.special.get() && limit != Some(Duration::ZERO) {
            step = self.next_step(jobs);
        }
        let sleep = if nothing_to_do && step == Step::Stay {
            self.until(limit)
        } else {
            Sleep::No
        };
        let mut turning = Turning {
            sleep,
            home: &self.home,
            harvest: &mut harvest,
            counts: &self.counts,
            events: 0,
            slept: false,
            interrupted: false,
        };
        let result = match self.spin(&mut turning) {
            Ok(false) => self.driver.borrow_mut().turn(&mut turning),
            found => found.map(drop),
        };
        let Turning {
            events,
            slept,
            interrupted,
            ..
        } = turning;
        if slept {
            add(&self.counts.sleeps, 1);
            timers += self.fire_timers(&mut harvest);
        }
        if step != Step::Stay && events == 0 && harvest.is_empty() {
            timers += self.take_step(step, &mut harvest);
        }
        add(&self.counts.events, events as u64);

        debug_assert!(
            self.driver.try_borrow_mut().is_ok(),
            "wakers are foreign code"
        );
        debug_assert!(
            self.timers.try_borrow_mut().is_ok(),
            "wakers are foreign code"
        );
        let woken = harvest.finish();
        self.keep(harvest);
        result.map(|()| Turn {
            events,
            timers,
            woken,
            slept,
            interrupted,
        })
    }

    /// Puts a harvest back. Wakers and drops that ran meanwhile may have left
    /// something in its place.
    pub(super) fn keep(&self, mut harvest: Harvest) {
        harvest.append(self.harvest.take());
        self.harvest.set(harvest);
    }

    /// Every entry from outside asks this first: a forked child must not touch
    /// the parent's ring or epoll.
    #[inline]
    pub(crate) fn check_process(&self) -> io::Result<()> {
        if self.generation == sys::process_generation() {
            return Ok(());
        }
        Err(io::Error::other(ForkedRuntime))
    }

    pub(super) fn read_mail(&self, harvest: &mut Harvest) {
        let mut mail = self.mail.take();
        self.home.inbox.take(&mut mail);
        for message in mail.drain(..) {
            self.read_message(message, harvest);
        }
        self.mail.set(mail);
    }

    pub(super) fn read_message(&self, message: Message, harvest: &mut Harvest) {
        match message {
            Message::Release(key) => self.driver.borrow_mut().release(key, harvest, &self.counts),
            Message::CancelOp(key) => self.driver.borrow_mut().cancel(key, harvest, &self.counts),
            Message::CancelTimer(key) => {
                // Its drop is foreign code and may queue work without an
                // interrupt: as garbage, it keeps this turn from sleeping.
                let removed = self.timers.borrow_mut().remove(key);
                harvest.garbage.extend(removed.map(Garbage::Waker));
            }
            Message::CancelStep(id) => {
                let removed = self.remove_step(id);
                harvest.garbage.extend(removed.map(Garbage::Waker));
            }
            Message::FireTimer(key) => harvest.wakers.extend(self.timers.borrow_mut().remove(key)),
        }
    }
}
