//! How a thread leaves its reactor, and how that ends.

use super::{Core, Drained};
use crate::clock;
use crate::driver::Driver;
use std::time::Duration;

/// How long the end of a reactor waits for its operations, if nobody called
/// `Reactor::drain` before.
const LAST_DRAIN: Duration = Duration::from_millis(100);

/// How long a thread that leaves waits for operations that end by themselves.
const LEAVE_LIMIT: Duration = Duration::from_millis(10);

impl Core {
    /// The thread leaves this reactor, perhaps for ever. So nothing stays
    /// watched by it, and nobody waits for it: who does is woken, and arms, sets
    /// its timer or begins its operation again on the reactor that polls it next,
    /// which may be this one. What was dropped is closed now.
    pub(crate) fn leave(&self) {
        if self.check_process().is_ok() && !self.has_nothing_to_leave() {
            self.hand_out(true);
        }
    }

    /// The same, of who will turn it again soon: timers and operations stay.
    pub(crate) fn pause(&self) {
        if self.check_process().is_ok() && !self.has_nothing_to_leave() {
            self.hand_out(false);
        }
    }

    fn hand_out(&self, all: bool) {
        let mut harvest = self.harvest.take();
        self.read_mail(&mut harvest);
        let mut driver = self.driver.borrow_mut();
        driver.disarm(&mut harvest, &self.counts);
        if all && driver.held().1 > 0 {
            let deadline = clock::after(clock::now_nanos(), LEAVE_LIMIT);
            driver.give_back(deadline, &mut harvest, &self.counts);
        }
        if driver.has_cancels() {
            driver.flush(&mut harvest, &self.counts);
        }
        drop(driver);
        if all {
            self.hand_out_timers(&mut harvest);
        }
        harvest.finish();
        self.keep(harvest);
    }

    /// Whether all that `leave` does would come to nothing: a thread comes and goes
    /// with each `block_on`.
    fn has_nothing_to_leave(&self) -> bool {
        let harvest = self.harvest.take();
        let gathered = !harvest.is_empty();
        self.harvest.set(harvest);
        !gathered
            && self.driver.borrow().is_empty()
            && self.timers.borrow().is_empty()
            && !self.home.inbox.has_mail()
    }

    pub(super) fn drain(&self, limit: Duration) -> Drained {
        if self.check_process().is_err() {
            return Drained::Clean;
        }
        // With what a release has left for the next turn: there may be none.
        let mut harvest = self.harvest.take();
        self.read_mail(&mut harvest);
        let deadline = clock::after(clock::now_nanos(), limit);
        let left = self
            .driver
            .borrow_mut()
            .drain(deadline, &mut harvest, &self.counts);
        harvest.finish();
        if left == 0 {
            Drained::Clean
        } else {
            Drained::Leaked { ops: left }
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if self.check_process().is_err() {
            // The ring, its memory and the registrations are the parent's.
            std::mem::forget(std::mem::replace(self.driver.get_mut(), Driver::Gone));
            return;
        }
        // With what a release has left for a turn that does not come any more.
        let mut harvest = self.harvest.take();
        // Nothing is sent to a closed inbox, so nobody counts on it from here.
        for message in self.home.inbox.close() {
            self.read_message(message, &mut harvest);
        }
        let deadline = clock::after(clock::now_nanos(), LAST_DRAIN);
        let mut driver = std::mem::replace(self.driver.get_mut(), Driver::Gone);
        let left = driver.drain(deadline, &mut harvest, &self.counts);
        if left > 0 {
            // The kernel may still write: what it was given must never be freed.
            driver.leak(&mut harvest);
        }
        drop(driver);
        self.timers.get_mut().drain(&mut harvest.wakers);
        self.steps.get_mut().drain(&mut harvest.wakers);
        harvest.finish();
    }
}
