//! The end: of every watch, of every request, and what is leaked if the kernel
//! does not let go. And what is given back when the thread leaves.

use super::Uring;
use super::slot::{Request, Slot, Stage, What};
use crate::clock;
use crate::harvest::Harvest;
use crate::kept::keep_for_ever;
use crate::metrics::Counts;
use crate::slots::{Key, Slots};
use std::io;
use std::time::Duration;

/// How long one call may wait for everything to be cancelled; the loop around
/// it goes on for as long as it may.
const SYNC_CANCEL_LIMIT: Duration = Duration::from_millis(1);

impl Uring {
    /// Ends every watch; operations go on.
    pub(crate) fn disarm(&mut self, harvest: &mut Harvest) {
        let home = self.home;
        let keys: Vec<Key> = self.slots.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(Slot {
                what: What::Watch { source, .. },
                ..
            }) = self.slots.get(key)
            {
                source
                    .state
                    .disarm(|armed| armed.is(home, key), None, &mut harvest.wakers);
                self.release(key, harvest);
            }
        }
    }

    /// Gives operations back to their futures, which begin them again where they
    /// are polled: what was not sent, and what waits for a peer. What ends by
    /// itself has until `deadline`; the rest stays.
    pub(crate) fn give_back(&mut self, deadline: u64, harvest: &mut Harvest, counts: &Counts) {
        let keys: Vec<Key> = self.slots.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.give_one_back(key, harvest);
        }
        self.forget_stale();
        while self
            .slots
            .iter()
            .any(|(_, slot)| slot.left || slot.counts())
        {
            let flushed = self.flush(counts);
            let entered = flushed.and_then(|_| self.ring.enter(Some(Some(deadline)), counts));
            self.reap(harvest, counts);
            if !self.goes_on(&entered) || clock::now_nanos() >= deadline {
                break;
            }
        }
    }

    fn give_one_back(&mut self, key: Key, harvest: &mut Harvest) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        match (slot.stage, &slot.what) {
            (_, What::Op { op, .. }) if !op.restarts() => {}
            // It ends soon, and tells then whether it goes back.
            (_, What::Op { request, .. }) if *request == Request::Thread => slot.left = true,
            (Stage::Staged, What::Op { op, .. }) => {
                op.give_back(&mut harvest.wakers);
                self.free(key, harvest);
            }
            (_, What::Op { ends: false, .. }) => {
                slot.left = true;
                self.ask_cancel(key);
            }
            _ => {}
        }
    }

    /// Ends everything; returns how many requests the kernel still has at
    /// `deadline`.
    pub(crate) fn drain(&mut self, deadline: u64, harvest: &mut Harvest, counts: &Counts) -> usize {
        self.disarm(harvest);
        let rest: Vec<Key> = self.slots.iter().map(|(key, _)| key).collect();
        for key in rest {
            self.cancel(key, harvest);
        }
        // What the requests of `flush` cannot reach, this does.
        let left = |now: u64| Duration::from_nanos(deadline.saturating_sub(now));
        let mut asked = false;
        loop {
            let flushed = self.flush_for_drain(counts);
            let entered = flushed.and_then(|()| self.ring.enter(None, counts));
            self.reap(harvest, counts);
            let now = clock::now_nanos();
            if self.in_kernel() == 0 || now >= deadline || entered.is_err() {
                break;
            }
            if !asked && self.may_all_be_stopped() {
                asked = true;
                self.ring.cancel_all(left(now).min(SYNC_CANCEL_LIMIT));
                continue;
            }
            if self.ring.enter(Some(Some(deadline)), counts).is_err() {
                break;
            }
            self.reap(harvest, counts);
        }
        self.slots.len()
    }

    /// Whether nothing is left but what the kernel may be asked to stop.
    fn may_all_be_stopped(&self) -> bool {
        self.slots.iter().all(|(_, slot)| slot.may_be_stopped())
    }

    /// As `flush`, but the eventfd is not watched again.
    fn flush_for_drain(&mut self, counts: &Counts) -> io::Result<()> {
        let bell = std::mem::replace(&mut self.bell, true);
        let flushed = self.flush(counts);
        self.bell = bell;
        flushed.map(drop)
    }

    /// Requests that the kernel has, the eventfd's included.
    fn in_kernel(&self) -> usize {
        self.slots.len() + usize::from(self.bell)
    }

    /// Gives the slots up, and with them whatever the kernel may still use.
    pub(crate) fn leak(&mut self, harvest: &mut Harvest) {
        for (_, slot) in self.slots.iter() {
            if let What::Op { op, .. } = &slot.what {
                op.abandon(&mut harvest.wakers);
            }
        }
        keep_for_ever(std::mem::replace(&mut self.slots, Slots::new()));
    }
}
