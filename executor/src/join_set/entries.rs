//! The tasks of a set, and which of them have ended.

use std::collections::VecDeque;
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use slab::Slab;
use wakeline_context::{Kind, Reason, budget, waiting_on};
use wakeline_sync::ready_list::{Key, ReadyList, Signal};

use super::Ended;
use crate::task::{Id, JoinHandle};

/// See the module's doc.
pub(crate) struct Entries<T> {
    /// Keys of tasks that have ended, in that order.
    ready: ReadyList,
    tasks: Slab<Entry<T>>,
    /// What was taken and put back: first to be given out.
    returned: VecDeque<Ended<T>>,
    inserted: u64,
}

struct Entry<T> {
    nth: u64,
    handle: JoinHandle<T>,
    signal: Arc<Signal>,
}

impl<T> Entries<T> {
    pub(crate) fn new() -> Entries<T> {
        Entries {
            ready: ReadyList::new(),
            tasks: Slab::new(),
            returned: VecDeque::new(),
            inserted: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len() + self.returned.len()
    }

    pub(crate) fn ids(&self) -> Vec<Id> {
        let running = self.tasks.iter().map(|(_, entry)| entry.handle.id());
        let returned = self.returned.iter().map(|ended| ended.id);
        running.chain(returned).collect()
    }

    pub(crate) fn insert(&mut self, handle: JoinHandle<T>) {
        let place = self.tasks.vacant_entry();
        // The task's id as generation: a key of one that left the place names
        // nothing.
        let key = Key::new(place.key(), handle.id().get());
        let signal = watch(&self.ready, key, |waker| handle.offer(waker));
        place.insert(Entry {
            nth: self.inserted,
            handle,
            signal,
        });
        self.inserted += 1;
    }

    /// What became of the task with this key; none if it is no longer here.
    fn take(&mut self, key: Key) -> Option<Ended<T>> {
        let entry = self.tasks.get(key.index())?;
        if entry.handle.id().get() != key.generation() {
            return None;
        }
        let Entry {
            nth, mut handle, ..
        } = self.tasks.remove(key.index());
        let id = handle.id();
        match handle.poll_output(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Some(Ended { nth, id, result }),
            Poll::Pending => unreachable!("its waker is called by its end and by nothing else"),
        }
    }

    /// The next one that has ended. Asks for no budget, as it is not awaited.
    pub(crate) fn try_next(&mut self) -> Option<Ended<T>> {
        if let Some(ended) = self.returned.pop_front() {
            return Some(ended);
        }
        while let Some(key) = self.ready.try_pop() {
            if let Some(ended) = self.take(key) {
                return Some(ended);
            }
        }
        None
    }

    /// The next one that has ended, or ends; none if the set is empty.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<Option<Ended<T>>> {
        if self.len() == 0 {
            return Poll::Ready(None);
        }
        let unit = ready!(budget::poll_proceed(cx));
        if let Some(ended) = self.returned.pop_front() {
            unit.spend();
            return Poll::Ready(Some(ended));
        }
        self.ready.begin();
        while let Poll::Ready(key) = self.ready.poll_pop(cx) {
            if let Some(ended) = self.take(key) {
                unit.spend();
                return Poll::Ready(Some(ended));
            }
        }
        unit.refund();
        let any = self.tasks.iter().next();
        let id = any.map_or(0, |(_, entry)| entry.handle.id().get());
        waiting_on(Kind::Join, id, location);
        Poll::Pending
    }

    pub(crate) fn put_back(&mut self, ended: Vec<Ended<T>>) {
        for ended in ended.into_iter().rev() {
            self.returned.push_front(ended);
        }
    }

    pub(crate) fn cancel_all(&mut self, reason: &Reason) {
        for (_, entry) in &self.tasks {
            entry.handle.cancel(reason.clone());
        }
    }

    /// Drops all handles and outputs.
    pub(crate) fn clear(&mut self) {
        for (_, entry) in &self.tasks {
            // First, so that a set that is only ever cleared does not collect
            // the keys of those that end later.
            entry.signal.retire();
        }
        while self.ready.try_pop().is_some() {}
        // Out of the set before they are dropped: an output's destructor may
        // panic, and the set must not be left with half of them.
        drop((
            std::mem::take(&mut self.tasks),
            std::mem::take(&mut self.returned),
        ));
    }
}

/// Has the task's end put `key` into the list; `offer` leaves the waker with the
/// task, and is false if it has ended.
pub(super) fn watch(
    ready: &ReadyList,
    key: Key,
    offer: impl FnOnce(&Waker) -> bool,
) -> Arc<Signal> {
    let signal = ready.watch(key);
    let waker = Waker::from(Arc::clone(&signal));
    if !offer(&waker) {
        // It ended before it could be told whom to wake.
        waker.wake();
    }
    signal
}
