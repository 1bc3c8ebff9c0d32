//! What sources and operations ask of the driver, here or by mail.

use super::Core;
use crate::current;
use crate::driver::Beside;
use crate::harvest::Harvest;
use crate::inbox::Message;
use crate::op::{AnyOp, Ticket};
use crate::source::{Armed, Shared};
use crate::state::Direction;
use std::io;
use std::sync::Arc;

impl Core {
    /// Has the driver watch a direction of `source`, or both; `other` tells where
    /// the other one is watched.
    pub(crate) fn arm(
        &self,
        source: &Arc<Shared>,
        direction: Direction,
        other: Option<&Armed>,
    ) -> io::Result<(Armed, bool)> {
        let beside = match other {
            None => Beside::Nothing,
            Some(armed) if armed.home.id == self.home.id => Beside::Here(armed.key),
            Some(_) => Beside::Elsewhere,
        };
        let (key, both) = self
            .driver
            .borrow_mut()
            .arm(source, direction, beside, &self.counts)?;
        Ok((
            Armed {
                home: Arc::clone(&self.home),
                key,
            },
            both,
        ))
    }

    /// Ends a watch, here or by mail. `at_once`: do not leave the kernel's part
    /// of it to the next turn.
    pub(crate) fn release(armed: &Armed, at_once: bool) {
        let here = current::if_home(armed.home.id, |core| {
            if core.check_process().is_err() {
                return;
            }
            // Other futures' wakers do not run in the drop of a source: they
            // stay for the next turn, which does not sleep then.
            let mut kept = Kept {
                core,
                harvest: core.harvest.take(),
            };
            let harvest = &mut kept.harvest;
            let mut driver = core.driver.borrow_mut();
            driver.release(armed.key, harvest, &core.counts);
            if at_once {
                driver.flush(harvest, &core.counts);
            }
            drop(driver);
            harvest.garbage.clear();
        });
        if here.is_none() {
            armed.home.send(Message::Release(armed.key));
        }
    }

    /// Starts a one-shot operation; `None` if the driver does not hold it.
    pub(crate) fn submit(&self, op: Arc<dyn AnyOp>) -> Option<Ticket> {
        let mut driver = self.driver.borrow_mut();
        let key = driver.submit(&op, &self.counts);
        drop(driver);
        match key {
            Ok(Some(key)) => {
                return Some(Ticket {
                    home: Arc::clone(&self.home),
                    key,
                });
            }
            Ok(None) => op.run_on(self.offload.as_ref()),
            Err(error) => op.complete_alone(Err(error)),
        }
        None
    }

    /// Starts an operation that tells its first result within this call;
    /// `false` if this driver cannot do that.
    pub(crate) fn submit_now(&self, op: &Arc<dyn AnyOp>) -> bool {
        let mut harvest = self.harvest.take();
        let mut driver = self.driver.borrow_mut();
        let taken = driver.submit_now(op, &mut harvest, &self.counts);
        drop(driver);
        // Other futures' wakers do not run in a future's poll: they stay for
        // the next turn, which does not sleep then.
        self.keep(harvest);
        taken
    }

    /// Asks for the end of an operation, here or by mail.
    pub(crate) fn cancel(ticket: &Ticket) {
        let here = current::if_home(ticket.home.id, |core| {
            if core.check_process().is_err() {
                return;
            }
            let mut harvest = Harvest::default();
            core.driver
                .borrow_mut()
                .cancel(ticket.key, &mut harvest, &core.counts);
            harvest.finish();
        });
        if here.is_none() {
            ticket.home.send(Message::CancelOp(ticket.key));
        }
    }
}

/// A harvest that its reactor keeps, also when what is dropped meanwhile panics.
struct Kept<'a> {
    core: &'a Core,
    harvest: Harvest,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.core.keep(std::mem::take(&mut self.harvest));
    }
}
