//! The ways into a set.

use std::future::Future;

use super::JoinSet;
use crate::Handle;
use crate::task::AbortHandle;

impl<T: Send + 'static> JoinSet<T> {
    /// Spawns a task into the set, on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
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
    ///     assert_eq!(set.len(), 1);
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.insert(crate::spawn(future))
    }

    /// Spawns a task into the set, on the runtime of `handle`.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// let mut set = JoinSet::new();
    /// set.spawn_on(async { 1 }, &executor.handle()); // from a thread outside
    /// assert_eq!(executor.block_on(set.join_all()), [1]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.insert(handle.spawn(future))
    }

    /// Runs `job` on a thread that may block, as a member of the set.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, JoinSet};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// executor.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     set.spawn_blocking(|| "read from a disk");
    ///     assert_eq!(set.join_all().await, ["read from a disk"]);
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_blocking(&mut self, job: impl FnOnce() -> T + Send + 'static) -> AbortHandle {
        self.insert(crate::spawn_blocking(job))
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task on this thread into the set; it need not be `Send`.
    ///
    /// # Panics
    ///
    /// Outside of a `block_on` and of a worker.
    ///
    /// # Example
    ///
    /// ```
    /// use std::rc::Rc;
    /// use wakeline_executor::{Executor, JoinSet};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// executor.block_on(async {
    ///     let shared = Rc::new(1);
    ///     let mut set = JoinSet::new();
    ///     set.spawn_local(async move { *shared + 1 });
    ///     assert_eq!(set.join_all().await, [2]);
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(crate::spawn_local(future))
    }
}
