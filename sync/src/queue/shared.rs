//! The queue's lock, and how a future waits in one of its lines.

use super::core::{Core, Phase};
use super::line::{Fate, Line, Place};
use super::store::{Item, Store};
use super::{SendError, Shutdown};
use crate::sync::{Guard, Lock};
use crate::wakes::{Wakes, discard};
use std::fmt;
use std::panic::Location;
use std::task::{Context, Poll, Waker, ready};
use wakeline_context::{Kind, budget, quietly, waiting_on};

/// Which line a future stands in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Getters,
    Putters,
    Joiners,
}

pub(super) struct Shared<T> {
    core: Lock<Core<T>>,
    /// A value's place; asked before the lock is taken.
    rank: fn(&T) -> i64,
    requeue_on_drop: bool,
}

/// The core while it is locked. What must not happen under the lock is kept
/// until it is released.
pub(super) struct Locked<'a, T> {
    // The order of the fields is the protocol: the lock goes first, then the
    // wakers are called and dropped.
    pub(super) core: Guard<'a, Core<T>>,
    wakes: Wakes,
    discarded: Option<Waker>,
}

impl<T> Locked<'_, T> {
    /// Hands out what the caller's change made available.
    pub(super) fn settle(&mut self) {
        self.core.settle(&mut self.wakes);
    }

    /// Hands out what somebody of this side has left behind, and lets go. A getter has
    /// his item then, which a waker's panic would cost him: it goes no further. Nor does
    /// that of a waker which nobody needs: a putter may have his slot.
    pub(super) fn settle_for(mut self, side: Side) {
        self.settle();
        let needless = self.discarded.take();
        match side {
            Side::Getters => quietly(|| drop(self)),
            Side::Putters | Side::Joiners => drop(self),
        }
        if let Some(needless) = needless {
            discard(needless);
        }
    }

    fn line(&mut self, side: Side) -> &mut Line {
        match side {
            Side::Getters => &mut self.core.getters,
            Side::Putters => &mut self.core.putters,
            Side::Joiners => &mut self.core.joiners,
        }
    }

    /// Takes a place in the line, or keeps it with the latest waker.
    fn wait(&mut self, side: Side, place: Place, waker: Waker) -> Place {
        let place = match place {
            Place::Queued(ticket) => {
                self.discarded = Some(self.line(side).update(ticket, waker));
                place
            }
            Place::New | Place::Done => Place::Queued(self.line(side).push(waker)),
        };
        self.settle(); // a getter that waits is a slot of a rendezvous
        place
    }
}

impl<T> Shared<T> {
    pub(super) fn new(core: Core<T>, rank: fn(&T) -> i64) -> Shared<T> {
        Shared {
            requeue_on_drop: core.requeue_on_drop,
            core: Lock::new(core),
            rank,
        }
    }

    pub(super) fn requeue_on_drop(&self) -> bool {
        self.requeue_on_drop
    }

    pub(super) fn lock(&self) -> Locked<'_, T> {
        Locked {
            core: self.core.lock(),
            wakes: Wakes::default(),
            discarded: None,
        }
    }

    pub(super) fn rank(&self, value: &T) -> i64 {
        (self.rank)(value)
    }

    /// One poll of a future of this queue: tries, and waits in line if there is
    /// nothing.
    pub(super) fn poll<R>(
        &self,
        side: Side,
        place: &mut Place,
        location: &'static Location<'static>,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&mut Core<T>, Place) -> Option<R>,
    ) -> Poll<R> {
        assert!(
            *place != Place::Done,
            "the future made at {location} was polled after its end"
        );
        let unit = ready!(budget::poll_proceed(cx));
        let mut found = self.attempt(side, place, &mut attempt);
        if found.is_none() {
            let waker = cx.waker().clone(); // foreign code: before the lock
            let mut locked = self.lock();
            found = attempt(&mut locked.core, *place);
            if found.is_none() {
                *place = locked.wait(side, *place, waker);
            } else {
                *place = Place::Done; // as in `attempt`
                locked.discarded = Some(waker);
                locked.settle_for(side);
            }
        }
        let Some(found) = found else {
            unit.refund();
            let id = std::ptr::from_ref(self).addr() as u64;
            waiting_on(Kind::Channel, id, location);
            return Poll::Pending;
        };
        unit.spend();
        Poll::Ready(found)
    }

    fn attempt<R>(
        &self,
        side: Side,
        place: &mut Place,
        attempt: &mut impl FnMut(&mut Core<T>, Place) -> Option<R>,
    ) -> Option<R> {
        let mut locked = self.lock();
        let found = attempt(&mut locked.core, *place);
        if found.is_some() {
            // Before anyone is woken, who may panic: it is nothing to give up.
            *place = Place::Done;
            locked.settle_for(side);
        }
        found
    }

    /// A future of this queue is dropped, or gives up its value: what it was
    /// granted goes to the next.
    pub(super) fn give_up(&self, side: Side, place: &mut Place) {
        let Place::Queued(ticket) = std::mem::replace(place, Place::Done) else {
            return;
        };
        let mut locked = self.lock();
        match (locked.line(side).fate(ticket), side) {
            (Fate::Waiting, _) => locked.discarded = locked.line(side).leave(ticket),
            (Fate::Granted, Side::Getters) => locked.core.return_item(),
            (Fate::Granted, Side::Putters) => locked.core.return_slot(),
            (Fate::Granted, Side::Joiners) | (Fate::Refused, _) => return,
        }
        locked.settle();
    }

    /// Uses a slot that was out as a permit.
    pub(super) fn put_by_permit(&self, value: T, rank: i64) -> Result<(), SendError<T>> {
        let mut locked = self.lock();
        locked.core.permits -= 1;
        if locked.core.phase == Phase::Dead {
            drop(locked);
            return Err(SendError(value));
        }
        locked.core.put(value, rank);
        locked.settle();
        Ok(())
    }

    /// A permit goes unused.
    pub(super) fn return_permit(&self) {
        let mut locked = self.lock();
        locked.core.permits -= 1;
        locked.settle();
    }

    /// Puts an item of a worker back where it stood.
    pub(super) fn put_back(&self, item: Item<T>) {
        let mut locked = self.lock();
        let late = locked.core.put_back(item);
        locked.settle();
        drop(locked);
        if let Some(late) = late {
            self.finish(late);
        }
    }

    /// Drops an item and counts it as done when that is over, also by a panic.
    pub(super) fn finish(&self, item: Item<T>) {
        let _done = Finish(self, 1);
        drop(item);
    }

    pub(super) fn shut_down(&self, how: Shutdown) {
        let mut locked = self.lock();
        let rest = match how {
            Shutdown::Graceful => {
                locked.core.drain();
                None
            }
            Shutdown::Immediate => Some(locked.core.kill()),
        };
        locked.settle();
        drop(locked);
        self.discard(rest);
    }

    /// Drops what nobody will take, and counts it as done when that is over.
    fn discard(&self, rest: Option<Store<T>>) {
        let Some(rest) = rest else { return };
        let _done = Finish(self, rest.len());
        drop(rest);
    }

    /// A producer or a consumer went; the last of a side ends the queue.
    pub(super) fn leave(&self, side: Side) {
        let mut locked = self.lock();
        let mut rest = None;
        if let Side::Putters = side {
            locked.core.producers -= 1;
            if locked.core.producers == 0 {
                locked.core.drain();
            }
        } else {
            locked.core.consumers -= 1;
            if locked.core.consumers == 0 {
                rest = Some(locked.core.kill());
            }
        }
        locked.settle();
        drop(locked);
        self.discard(rest);
    }
}

/// Counts items as done when it is dropped, also by a panic.
pub(super) struct Finish<'a, T>(pub(super) &'a Shared<T>, pub(super) usize);

impl<T> Drop for Finish<'_, T> {
    fn drop(&mut self) {
        if self.1 != 0 {
            let mut locked = self.0.lock();
            locked.core.finish(self.1);
            locked.settle();
        }
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let locked = self.lock();
        let core = &locked.core;
        let (len, capacity) = (core.store.len(), core.capacity);
        let (unfinished, phase) = (core.unfinished, core.phase);
        drop(locked); // the formatter is foreign code, too
        f.debug_struct("Queue")
            .field("len", &len)
            .field("capacity", &capacity)
            .field("unfinished", &unfinished)
            .field("phase", &phase)
            .finish_non_exhaustive()
    }
}
