//! The tasks of a set, and which of them have ended.

use std::collections::VecDeque;
use std::panic::Location;
use std::slice;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use slab::Slab;
use wakeline_context::{Kind, Reason, budget, waiting_on};
use wakeline_sync::ready_list::{Key, ReadyList, Signal};

use super::Ended;
use crate::task::{Id, JoinError, JoinHandle};

/// See the module's doc.
pub(crate) struct Entries<T> {
    /// Keys of tasks that have ended, in that order.
    ready: ReadyList,
    /// Where in `tasks` the task is whose key has this index: the key stays, and the
    /// last one takes the place of one that goes.
    places: Slab<usize>,
    tasks: Vec<Entry<T>>,
    /// What was taken and put back: first to be given out.
    returned: Returned<T>,
    inserted: u64,
}

/// Outputs that were taken and that nobody has seen.
struct Returned<T>(VecDeque<Ended<T>>);

impl<T> Drop for Returned<T> {
    fn drop(&mut self) {
        for ended in &self.0 {
            tell_of_panic(ended.result.as_ref().err(), DROPPED);
        }
    }
}

/// For [`tell_of_panic`].
pub(super) const DROPPED: &str = "was dropped before it could report it";

/// Tells the task's runtime of a panic that its set has taken and nobody will see.
pub(super) fn tell_of_panic(error: Option<&JoinError>, why: &str) {
    if let Some((error, witness)) = error.and_then(|error| Some((error, error.witness()?))) {
        witness.tell(&format_args!("{error}, in a set of tasks that {why}"));
    }
}

/// With so much room, an empty set keeps its memory for those that come next.
const SMALL: usize = if cfg!(miri) { 32 } else { 1024 };

struct Entry<T> {
    /// Its place in `places`.
    index: usize,
    nth: u64,
    handle: JoinHandle<T>,
    signal: Arc<Signal>,
}

impl<T> Entries<T> {
    pub(crate) fn new() -> Entries<T> {
        Entries {
            ready: ReadyList::new(),
            places: Slab::new(),
            tasks: Vec::new(),
            returned: Returned(VecDeque::new()),
            inserted: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len() + self.returned.0.len()
    }

    pub(crate) fn ids(&self) -> Vec<Id> {
        let running = self.tasks.iter().map(|entry| entry.handle.id());
        let returned = self.returned.0.iter().map(|ended| ended.id);
        running.chain(returned).collect()
    }

    pub(crate) fn insert(&mut self, handle: JoinHandle<T>) {
        let place = self.places.vacant_entry();
        // The task's id as generation: a key of one that left the place names
        // nothing.
        let key = Key::new(place.key(), handle.id().get());
        let signal = watch(&self.ready, key, |waker| handle.offer(waker));
        place.insert(self.tasks.len());
        self.tasks.push(Entry {
            index: key.index(),
            nth: self.inserted,
            handle,
            signal,
        });
        self.inserted += 1;
    }

    /// What became of the task with this key; none if it is no longer here.
    fn take(&mut self, key: Key) -> Option<Ended<T>> {
        let at = *self.places.get(key.index())?;
        if self.tasks[at].handle.id().get() != key.generation() {
            return None;
        }
        let Entry {
            nth, mut handle, ..
        } = self.remove(at);
        let id = handle.id();
        match handle.poll_output(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Some(Ended { nth, id, result }),
            Poll::Pending => unreachable!("its waker is called by its end and by nothing else"),
        }
    }

    fn remove(&mut self, at: usize) -> Entry<T> {
        let entry = self.tasks.swap_remove(at);
        self.places.remove(entry.index);
        if let Some(moved) = self.tasks.get(at) {
            self.places[moved.index] = at;
        } else if self.tasks.is_empty() && self.tasks.capacity() > SMALL {
            self.tasks = Vec::new();
            self.places = Slab::new();
        }
        entry
    }

    /// The next one that has ended. Asks for no budget, as it is not awaited.
    pub(crate) fn try_next(&mut self) -> Option<Ended<T>> {
        if let Some(ended) = self.returned.0.pop_front() {
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
        if let Some(ended) = self.returned.0.pop_front() {
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
        let id = self.tasks.first().map_or(0, |any| any.handle.id().get());
        waiting_on(Kind::Join, id, location);
        Poll::Pending
    }

    pub(crate) fn put_back(&mut self, ended: Vec<Ended<T>>) {
        for ended in ended.into_iter().rev() {
            self.returned.0.push_front(ended);
        }
    }

    pub(crate) fn cancel_all(&mut self, reason: &Reason) {
        Uncancelled(self.tasks.iter(), reason).cancel();
    }

    /// Drops all handles and outputs.
    pub(crate) fn clear(&mut self) {
        for entry in &self.tasks {
            // First, so that a set that is only ever cleared does not collect
            // the keys of those that end later.
            entry.signal.retire();
        }
        while self.ready.try_pop().is_some() {}
        // Out of the set before they are dropped: an output's destructor may
        // panic, and the set must not be left with half of them.
        self.places = Slab::new();
        drop((
            std::mem::take(&mut self.tasks),
            std::mem::replace(&mut self.returned, Returned(VecDeque::new())),
        ));
    }
}

/// Those that a cancel of all has not come to: the rest of them, where a waker panics.
struct Uncancelled<'a, T>(slice::Iter<'a, Entry<T>>, &'a Reason);

impl<T> Uncancelled<'_, T> {
    fn cancel(&mut self) {
        for entry in self.0.by_ref() {
            entry.handle.cancel(self.1.clone());
        }
    }
}

impl<T> Drop for Uncancelled<'_, T> {
    fn drop(&mut self) {
        self.cancel();
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Entries, SMALL};
    use crate::{Executor, spawn, yield_now};

    const MANY: u64 = 4 * SMALL as u64;

    /// A set of so many that have ended, and one more that never does.
    async fn crowd() -> Entries<u64> {
        let mut entries = Entries::new();
        for n in 0..MANY {
            entries.insert(spawn(async move { n }));
        }
        entries.insert(spawn(std::future::pending()));
        yield_now().await;
        entries
    }

    fn in_a_runtime(test: impl AsyncFnOnce()) {
        let executor = Executor::builder().workers(1).build();
        executor.expect("an executor").block_on(test());
    }

    #[test]
    fn those_that_are_left_stand_at_the_front() {
        in_a_runtime(async || {
            let mut entries = crowd().await;
            let last = entries.ids()[usize::try_from(MANY).unwrap()];
            for n in 0..MANY {
                let ended = entries.try_next().expect("it has ended");
                assert_eq!((ended.nth, ended.result.unwrap()), (n, n));
            }
            assert!(entries.try_next().is_none());
            assert_eq!(entries.tasks.len(), 1, "nobody steps over the others");
            assert_eq!(entries.tasks[0].handle.id(), last);
        });
    }

    #[test]
    fn an_empty_set_gives_the_memory_of_a_crowd_back() {
        in_a_runtime(async || {
            let mut entries = crowd().await;
            while entries.try_next().is_some() {}
            entries.cancel_all(&"enough".into());
            yield_now().await;
            assert!(entries.try_next().is_some());
            assert!(entries.tasks.capacity() <= SMALL && entries.places.capacity() <= SMALL);
            entries.insert(spawn(async { 7 }));
            yield_now().await;
            let ended = entries.try_next().expect("it has ended");
            assert_eq!(ended.result.unwrap(), 7);
        });
    }
}
