//! Cancelling a task, with a reason that the task and its joiner can see.
//!
//! ```text
//!   runtime's node ◀── task's node          made when someone asks for it
//!                        │ 1 cancel(reason)  whoever waits for the node is told; without a node the reason is kept
//!                        ▼
//!                      state: ABORTED        2 abort: queued, if it is idle
//!                        │
//!                        ▼
//!                      future dropped        3 the reason is there to be seen
//!                        ▼
//!                      JoinError             4 and here
//! ```
//!
//! In this order, so that nobody who sees the end misses the reason. The end of
//! a runtime cancels its own node and aborts: a task's node that is only made
//! in its destructor is born cancelled. A task that nobody cancels, and that
//! does not ask, has no node.

use std::panic::Location;

use wakeline_context::{Cause, Reason, current_token};
use wakeline_sync::cancel::Node;

use super::refs::Task;
use super::running::{Running, running};

/// The node of the running task in the cancel tree, or that of the `block_on`;
/// nothing outside of both.
///
/// It hangs below the runtime's node, which is cancelled when the runtime begins
/// to shut down. [`JoinHandle::cancel`](super::JoinHandle::cancel) and its like
/// cancel it before they end the task, so a destructor finds the reason here.
/// That of a blocking job hangs below the node of the task that spawned it.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, task};
///
/// let executor = Executor::builder().workers(1).build()?;
/// let reason = executor.block_on(async {
///     struct Why(std::sync::mpsc::Sender<String>);
///     impl Drop for Why {
///         fn drop(&mut self) {
///             let reason = task::cancel_node().and_then(|node| node.reason());
///             self.0.send(reason.unwrap().to_string()).unwrap();
///         }
///     }
///     let (why, reasons) = std::sync::mpsc::channel();
///     let handle = wakeline_executor::spawn(async move {
///         let _why = Why(why);
///         std::future::pending::<()>().await
///     });
///     wakeline_executor::yield_now().await;
///     handle.cancel("no longer needed");
///     assert!(handle.await.unwrap_err().is_cancelled());
///     reasons.recv().unwrap()
/// });
/// assert_eq!(reason, "no longer needed");
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn cancel_node() -> Option<Node> {
    match running()? {
        // SAFETY: what stands there lives until it is taken away, by this thread.
        Running::Task(task) => Some(unsafe { task.as_ref() }.node(task).clone()),
        // SAFETY: as above.
        Running::Root(root) => Some(unsafe { root.as_ref() }.node().clone()),
    }
}

/// Whether the running task or blocking job was cancelled: its handle was
/// aborted or cancelled, its runtime shuts down, or what surrounds it is
/// cancelled. False outside of tasks.
///
/// A blocking job that runs cannot be stopped from outside; a long one asks this.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, spawn_blocking, task};
///
/// let executor = Executor::builder().workers(1).build()?;
/// executor.block_on(async {
///     let (started, begun) = std::sync::mpsc::channel();
///     let (stopped, ended) = std::sync::mpsc::channel();
///     let job = spawn_blocking(move || {
///         started.send(()).unwrap();
///         while !task::is_cancelled() {
///             std::thread::yield_now();
///         }
///         stopped.send(()).unwrap();
///     });
///     begun.recv().unwrap();
///     job.abort();
///     ended.recv().unwrap();
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn is_cancelled() -> bool {
    let surrounding = || {
        current_token().is_some_and(|token| {
            let node = token.downcast_ref::<Node>();
            node.is_some_and(Node::is_cancelled)
        })
    };
    cancel_node().is_some_and(|node| node.is_cancelled()) || surrounding()
}

/// Why the running task ends at its next suspension, if it was aborted: by its handle,
/// or as its runtime is gone. Nothing outside of tasks, and while it was only asked to
/// end: what surrounds the caller, a token say, is another matter.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, task};
///
/// let executor = Executor::builder().workers(1).build()?;
/// let error = executor.block_on(async {
///     let (send, receive) = std::sync::mpsc::channel::<task::AbortHandle>();
///     let handle = wakeline_executor::spawn(async move {
///         assert!(task::abort_reason().is_none());
///         receive.recv().unwrap().cancel("not needed");
///         assert_eq!(task::abort_reason().unwrap().text(), "not needed");
///     });
///     send.send(handle.abort_handle()).unwrap();
///     handle.await
/// });
/// assert!(error.is_ok(), "it had nothing more to wait for");
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn abort_reason() -> Option<Reason> {
    let Running::Task(task) = running()? else {
        return None;
    };
    // SAFETY: what stands there lives until it is taken away, by this thread.
    let header = unsafe { task.as_ref() };
    let why = || header.reason().or_else(|| header.inherited(task));
    let at = || Reason::at(Cause::Aborted, header.spawned_at);
    header.life.is_aborted().then(|| why().unwrap_or_else(at))
}

impl Task {
    /// Cancels the task: it ends at its next suspension, or before its start.
    pub(crate) fn cancel(&self, reason: Reason) {
        let header = self.header();
        if !header.life.is_complete() {
            let node = header.node_to_cancel(self.as_raw(), &reason);
            tell_and_abort(node, || self.abort(), reason);
        }
    }
}

/// First the reason, then the abort: who sees the abort finds the reason. It comes also
/// if a waker of those who are told panics, and then that goes on.
#[inline]
pub(super) fn tell_and_abort(node: Option<&Node>, abort: impl FnOnce(), reason: Reason) {
    struct Then<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Then<F> {
        fn drop(&mut self) {
            self.0.take().into_iter().for_each(|abort| abort());
        }
    }
    #[cold]
    #[inline(never)]
    fn tell(node: &Node, abort: impl FnOnce(), reason: Reason) {
        let then = Then(Some(abort));
        node.cancel(reason);
        drop(then);
    }
    match node {
        Some(node) => tell(node, abort, reason),
        None => abort(),
    }
}

/// Why a task ends that was aborted with no words: its runtime knows, or who spawned it.
pub(super) fn unspoken(above: &Node, spawned_at: &'static Location<'static>) -> Reason {
    let reason = above.reason();
    reason.unwrap_or_else(|| Reason::at(Cause::Aborted, spawned_at))
}
