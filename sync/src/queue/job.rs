//! An item in the hands of a worker, counted as unfinished until it is done.
//!
//! ```text
//!   recv ──▶ Job ──▶ done, into_inner      done
//!             ├────▶ requeue               back at its place
//!             └────▶ drop                  done; with `requeue_on_drop` back at its place
//! ```
//!
//! A drop is what happens to the job of a worker that panics, is aborted, or
//! is shut down with the runtime, so nothing can be left unfinished for ever.

use super::shared::{Finish, Shared};
use super::store::Item;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use wakeline_context::quietly;

/// An item that was received: the value, and the duty to finish it.
///
/// Dropping it counts it as done, or, in a queue with
/// [`requeue_on_drop`](super::Builder::requeue_on_drop), puts it back.
///
/// # Example
///
/// ```
/// use wakeline_sync::queue;
///
/// let (producer, consumer) = queue::fifo(8);
/// producer.try_send("a").expect("there is room");
/// producer.try_send("b").expect("there is room");
/// let job = consumer.try_recv().expect("it was put");
/// job.requeue(); // not now
/// let job = consumer.try_recv().expect("it was put back");
/// assert_eq!((*job, job.attempts()), ("a", 2)); // before "b", where it stood
/// job.done();
/// ```
#[must_use = "dropping the job counts it as done"]
pub struct Job<T> {
    shared: Arc<Shared<T>>,
    /// Until it is finished or back.
    item: Option<Item<T>>,
}

impl<T> Job<T> {
    pub(super) fn new(shared: Arc<Shared<T>>, item: Item<T>) -> Job<T> {
        Job {
            shared,
            item: Some(item),
        }
    }

    /// Finishes the job: the value is dropped, and the item counted as done.
    pub fn done(mut self) {
        if let Some(item) = self.item.take() {
            self.shared.finish(item);
        }
    }

    /// Counts the item as done, and hands out the value.
    #[must_use = "`done` finishes a job whose value is not needed"]
    pub fn into_inner(mut self) -> T {
        let Some(item) = self.item.take() else {
            unreachable!("only what consumes the job takes its item")
        };
        quietly(|| drop(Finish(&self.shared, 1))); // a waker's panic would cost the value
        item.value
    }

    /// Puts the item back at its place: it will be the next to be received,
    /// unless others that stand before it came back too.
    ///
    /// It remains unfinished. After an immediate shutdown, or without consumers,
    /// it is dropped and counted as done. After a graceful one it can still be
    /// received; but others may have seen the end by then, so whoever puts it
    /// back should receive again.
    pub fn requeue(mut self) {
        if let Some(item) = self.item.take() {
            self.shared.put_back(item);
        }
    }

    /// How often this item was received, this time included: to give up on one
    /// that comes back and back.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.item().attempts
    }

    fn item(&self) -> &Item<T> {
        match &self.item {
            Some(item) => item,
            None => unreachable!("only what consumes the job takes its item"),
        }
    }
}

impl<T> Deref for Job<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item().value
    }
}

impl<T> DerefMut for Job<T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.item {
            Some(item) => &mut item.value,
            None => unreachable!("only what consumes the job takes its item"),
        }
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        match self.item.take() {
            Some(item) if self.shared.requeue_on_drop() => self.shared.put_back(item),
            Some(item) => self.shared.finish(item),
            None => {}
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&**self).finish()
    }
}
