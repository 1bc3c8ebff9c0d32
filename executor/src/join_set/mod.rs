//! `JoinSet`: tasks that belong together, given out as they end.
//!
//! ```text
//!            ┌──────────────────4─────────────────▶ gone
//!            │                                        ▲
//!   ──1──▶ Runs ──2──▶ Ended ──3──▶ given out         │
//!                        │  ▲           │             │
//!                        │  └─────5─────┘             │
//!                        └──────────────4─────────────┘
//! ```
//! 1 `insert`         the task's handle is kept, and a waker of its own left with it
//! 2 the task ends    that waker puts the task's key into the ready list
//! 3 `take`           the key is popped: the output is taken from the handle
//! 4 `drop`           tasks that run are aborted, outputs are dropped
//!   `detach_all`     the same without the abort
//! 5 `put_back`       a waiter that took several gave up: they are next again
//!
//! No step looks at more than one task: a set of ten thousand finds the one that
//! ended by popping its key. `wakeline_sync::ready_list` has the list and why no
//! wake of it is lost.

mod collect;
mod entries;
mod futures;
mod spawn;
mod together;

pub use futures::{JoinNext, JoinNextWithId, Shutdown};
pub use together::{JoinAll, JoinAllResults, TaskError, TryJoinAll};

pub(crate) use entries::Entries;

use std::fmt;
use std::panic::Location;
use std::task::{Context, Poll};

use wakeline_context::{Cause, Reason};

use crate::task::{AbortHandle, Id, JoinError, JoinHandle};

/// Tasks that belong together: awaited in the order in which they end, and
/// aborted when the set is dropped.
///
/// The outputs of tasks that have ended wait in the set until they are taken.
///
/// # Cancellation
///
/// Dropping a future that borrows the set ([`join_next`](JoinSet::join_next)
/// and its like) loses no output and stops no task. Dropping the set aborts its
/// tasks and does not wait until they are gone: [`shutdown`](JoinSet::shutdown)
/// does.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, JoinSet};
///
/// let executor = Executor::builder().workers(1).build()?;
/// let sum = executor.block_on(async {
///     let mut set = JoinSet::new();
///     for n in 1..=10 {
///         set.spawn(async move { n * n });
///     }
///     let mut sum = 0;
///     while let Some(square) = set.join_next().await {
///         sum += square.expect("no task panics");
///     }
///     sum
/// });
/// assert_eq!(sum, 385);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropping a `JoinSet` aborts its tasks"]
pub struct JoinSet<T> {
    entries: Entries<T>,
    made_at: &'static Location<'static>,
}

/// What has become of one task of a set.
#[derive(Debug)]
#[doc(hidden)]
pub struct Ended<T> {
    /// How many tasks were put into the set before it.
    pub(crate) nth: u64,
    /// The task.
    pub id: Id,
    /// Its output.
    pub result: Result<T, JoinError>,
}

impl<T> JoinSet<T> {
    /// An empty set.
    #[track_caller]
    pub fn new() -> JoinSet<T> {
        JoinSet {
            entries: Entries::new(),
            made_at: Location::caller(),
        }
    }

    /// How many tasks are in the set: those that run, and those whose output has
    /// not been taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tasks in the set, in no order that means anything.
    #[must_use]
    pub fn ids(&self) -> Vec<Id> {
        self.entries.ids()
    }

    /// Puts a task that was spawned elsewhere into the set: one with a name, by
    /// [`task::Builder`](crate::task::Builder), or on another runtime.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet, task};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// executor.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     set.insert(task::Builder::new().name("reader").spawn(async { 1 }));
    ///     assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn insert(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        let abort = handle.abort_handle();
        self.entries.insert(handle);
        abort
    }

    /// Waits for the next task to end; `None` if the set is empty.
    ///
    /// Tasks come in the order in which they ended.
    ///
    /// # Errors
    ///
    /// The result of a task that panicked or was cancelled.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: an output leaves the set with the poll
    /// that returns it.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// executor.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(async { 1 });
    ///     assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
    ///     assert!(set.join_next().await.is_none());
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn join_next(&mut self) -> JoinNext<'_, T> {
        JoinNext::new(self, Location::caller())
    }

    /// [`join_next`](JoinSet::join_next), which also tells which task it was.
    ///
    /// # Errors
    ///
    /// The result of a task that panicked or was cancelled;
    /// [`JoinError::id`] tells which.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// executor.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     let task = set.spawn(async { "done" });
    ///     let (id, word) = set.join_next_with_id().await.unwrap().unwrap();
    ///     assert_eq!((id, word), (task.id(), "done"));
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn join_next_with_id(&mut self) -> JoinNextWithId<'_, T> {
        JoinNextWithId::new(self, Location::caller())
    }

    /// The next task that has ended, if one has: [`join_next`](JoinSet::join_next)
    /// without waiting.
    ///
    /// On several workers a set hears of an end a moment after
    /// [`is_finished`](AbortHandle::is_finished) is true.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet, yield_now};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// executor.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(async { 1 });
    ///     assert!(set.try_join_next().is_none()); // it has not run yet
    ///     yield_now().await;
    ///     assert_eq!(set.try_join_next().unwrap().unwrap(), 1);
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_take().map(|ended| ended.result)
    }

    /// [`join_next`](JoinSet::join_next) for use inside of a `poll` function; the
    /// task of the last call is the one that is woken.
    #[track_caller]
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        let ended = self.entries.poll_next(cx, Location::caller());
        ended.map(|ended| ended.map(|ended| ended.result))
    }

    /// Aborts every task; each still comes out of the set, as cancelled or with
    /// what it had completed with.
    #[track_caller]
    pub fn abort_all(&mut self) {
        self.cancel_all(Reason::of(Cause::Aborted));
    }

    /// [`abort_all`](JoinSet::abort_all) that says why, as
    /// [`JoinHandle::cancel`].
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// executor.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(std::future::pending::<()>());
    ///     set.cancel_all("the client went away");
    ///     let error = set.join_next().await.unwrap().unwrap_err();
    ///     assert_eq!(error.reason().unwrap().text(), "the client went away");
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn cancel_all(&mut self, reason: impl Into<Reason>) {
        self.entries.cancel_all(&reason.into());
    }

    /// Empties the set; its tasks go on by themselves.
    ///
    /// Outputs that were not taken are dropped.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet, yield_now};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// executor.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     let task = set.spawn(async {});
    ///     set.detach_all();
    ///     assert!(set.is_empty());
    ///     while !task.is_finished() {
    ///         yield_now().await; // it goes on
    ///     }
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn detach_all(&mut self) {
        self.entries.clear();
    }

    /// Aborts every task and waits until all are gone; the set is empty then.
    ///
    /// Outputs that were not taken are dropped, panics too. A blocking job that
    /// runs cannot be aborted and is waited for.
    ///
    /// # Cancellation
    ///
    /// Dropping the future stops the wait; the tasks stay in the set, aborted if
    /// it was polled.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// executor.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     let task = set.spawn(std::future::pending::<()>());
    ///     set.shutdown().await;
    ///     assert!(task.is_finished());
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn shutdown(&mut self) -> Shutdown<'_, T> {
        Shutdown::new(self, Location::caller())
    }

    #[doc(hidden)]
    pub fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<Option<Ended<T>>> {
        self.entries.poll_next(cx, location)
    }

    #[doc(hidden)]
    pub fn try_take(&mut self) -> Option<Ended<T>> {
        self.entries.try_next()
    }

    #[doc(hidden)]
    pub fn put_back(&mut self, ended: Vec<Ended<T>>) {
        self.entries.put_back(ended);
    }
}

/// Nothing in it is pinned: an output is moved out.
impl<T> Unpin for JoinSet<T> {}

impl<T> Default for JoinSet<T> {
    #[track_caller]
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.entries
            .cancel_all(&Reason::at(Cause::Dropped, self.made_at));
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
