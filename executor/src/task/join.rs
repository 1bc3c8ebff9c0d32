//! `JoinHandle`: awaits a task's output, aborts it, or lets it go on alone.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use wakeline_context::{Cause, Kind, Reason, budget, waiting_on};

use super::refs::Task;
use super::{Id, JoinError};

/// A task's handle: await it for the task's output.
///
/// Dropping the handle lets the task go on by itself; its output is then
/// dropped where it ran. [`abort_on_drop`](JoinHandle::abort_on_drop) binds
/// the task to the handle instead.
///
/// # Cancellation
///
/// Dropping `&mut handle` as a future loses nothing: the output stays until
/// the handle itself has given it out.
///
/// # Panics
///
/// If it is polled again after it gave the output.
#[must_use = "dropping a `JoinHandle` detaches its task; say so with `drop(handle)`"]
pub struct JoinHandle<T> {
    task: Task,
    /// It gave the output, so the task has ended and there is nothing to drop.
    taken: bool,
    output: PhantomData<fn() -> T>,
    /// `Send` and `Sync` if the output may be taken or dropped elsewhere.
    not_send: PhantomData<*const T>,
}

// SAFETY: the handle takes or drops a `T` on its own thread, so `T` must be
// `Send`; everything else it touches is the header.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: a shared handle gives no access to the output.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> Unpin for JoinHandle<T> {}
impl<T> std::panic::UnwindSafe for JoinHandle<T> {}
impl<T> std::panic::RefUnwindSafe for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// # Safety
    ///
    /// `task` is the handle's reference, as made by `raw::new`, of a future
    /// whose output is `T`.
    #[inline]
    pub(crate) unsafe fn new(task: Task) -> JoinHandle<T> {
        JoinHandle {
            task,
            taken: false,
            output: PhantomData,
            not_send: PhantomData,
        }
    }

    /// Aborts the task: it ends at its next suspension, or before its start.
    ///
    /// Its future is dropped where it runs, and only then does the handle
    /// resolve, as cancelled. A task that completes in the poll in progress,
    /// or has completed, keeps its output. Aborting twice changes nothing.
    #[track_caller]
    pub fn abort(&self) {
        self.cancel(Reason::of(Cause::Aborted));
    }

    /// Aborts the task and says why.
    ///
    /// The task's node in the cancel tree is told first, so that what hangs below
    /// it and the task's destructors see the reason; so does who awaits the
    /// handle, by [`JoinError::reason`]. The first reason stays.
    ///
    /// It is no request: the task has no time to end by itself, except for what
    /// is left of a poll in progress. What it has awaited, a scope say, is dropped
    /// from outside; cleanups that this hands to the runtime go on there, and the
    /// handle does not wait for them. To ask code to stop and to wait until it
    /// has cleaned up, give it a token of its own and cancel that.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_executor::{Executor, spawn};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// let error = executor.block_on(async {
    ///     let handle = spawn(std::future::pending::<()>());
    ///     handle.cancel("a newer request came");
    ///     handle.await.unwrap_err()
    /// });
    /// assert!(error.to_string().contains("was cancelled: a newer request came (at "));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<Reason>) {
        self.task.cancel(reason.into());
    }

    /// A handle that can abort the task and no more; it may be cloned.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle {
            task: self.task.clone(),
        }
    }

    /// Binds the task to the handle: dropping the result aborts the task.
    pub fn abort_on_drop(self) -> AbortOnDrop<T> {
        AbortOnDrop { handle: self }
    }

    /// Whether the task has ended, so that awaiting it will not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.header().life.is_complete()
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.task.header().id
    }

    /// The task's name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.task.header().name.as_deref()
    }

    /// Blocks the calling thread until the task has ended, or for `limit`.
    ///
    /// For threads outside of the runtime. `limit` of `None` waits for ever:
    /// also for a task that only this thread could run.
    ///
    /// # Errors
    ///
    /// Gives the handle back if the limit passed first; the task goes on.
    ///
    /// # Panics
    ///
    /// Inside a task or a `block_on`, where blocking would stop the very
    /// thread that may have to run the task: await the handle there.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline_executor::Executor;
    ///
    /// let executor = Executor::builder().workers(2).build()?;
    /// let task = executor.spawn(async { 42 });
    /// let ended = task.blocking_join(Duration::from_secs(60));
    /// assert_eq!(ended.expect("in time").expect("no panic"), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn blocking_join(
        mut self,
        limit: impl Into<Option<Duration>>,
    ) -> Result<Result<T, JoinError>, JoinHandle<T>> {
        assert!(
            !crate::context::is_entered(),
            "`blocking_join` would block a thread that runs tasks: await the handle instead"
        );
        let deadline = limit
            .into()
            .and_then(|limit| Instant::now().checked_add(limit));
        let signal = Arc::new(Unpark {
            thread: thread::current(),
            woken: AtomicBool::new(true),
        });
        let waker = Waker::from(Arc::clone(&signal));
        loop {
            if signal.woken.swap(false, Ordering::AcqRel)
                && let Poll::Ready(result) =
                    Pin::new(&mut self).poll(&mut Context::from_waker(&waker))
            {
                return Ok(result);
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Err(self),
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        }
    }

    #[inline]
    pub(crate) fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        if self.offer(cx.waker()) {
            return Poll::Pending;
        }
        Poll::Ready(self.take())
    }

    /// The output of a task that has ended.
    #[inline]
    fn take(&mut self) -> Result<T, JoinError> {
        self.taken = true;
        let mut output = MaybeUninit::<Result<T, JoinError>>::uninit();
        // SAFETY: the task is complete and this is its handle, so the output
        // is ours; `output` is a place for the type that `new` vouched for.
        unsafe {
            (self.task.header().vtable.take_output)(self.task.as_raw(), output.as_mut_ptr().cast())
        };
        // SAFETY: `take_output` has written it; if it panicked we are not here.
        unsafe { output.assume_init() }
    }

    /// Leaves a waker with the task; false if it has completed.
    #[inline]
    pub(crate) fn offer(&self, waker: &Waker) -> bool {
        let header = self.task.header();
        header.life.offer(&header.join_waker, waker)
    }
}

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unit = std::task::ready!(budget::poll_proceed(cx));
        if !self.is_finished() && self.task.wait_for_end(cx.waker(), unit) {
            return Poll::Pending;
        }
        Poll::Ready(self.take())
    }
}

impl Task {
    /// Leaves the waker of a handle that waits; false if the task has ended meanwhile.
    /// Out of line, so that a handle that need not wait pays nothing for it.
    #[inline(never)]
    fn wait_for_end(&self, waker: &Waker, unit: budget::Unit) -> bool {
        let header = self.header();
        let waits = header.life.offer(&header.join_waker, waker);
        if waits {
            unit.refund();
            waiting_on(Kind::Join, header.id.get(), header.spawned_at);
        }
        waits
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let header = self.task.header();
        let (detached, slot) = header.life.detach(&header.join_waker);
        if detached.drop_output {
            // SAFETY: the task was complete with JOIN set, so the output is
            // the handle's, which is the caller.
            unsafe { (header.vtable.drop_output)(self.task.as_raw()) };
        }
        if detached.drop_waker {
            // SAFETY: `detach` took JOIN_WAKER back before completion, so
            // `finish` leaves the slot alone.
            drop(unsafe { (*slot.get()).take() });
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// Aborts a task from anywhere; dropping it does nothing to the task.
#[derive(Clone)]
pub struct AbortHandle {
    task: Task,
}

impl AbortHandle {
    /// Aborts the task, as [`JoinHandle::abort`].
    #[track_caller]
    pub fn abort(&self) {
        self.cancel(Reason::of(Cause::Aborted));
    }

    /// Aborts the task and says why, as [`JoinHandle::cancel`].
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<Reason>) {
        self.task.cancel(reason.into());
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.header().life.is_complete()
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.task.header().id
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &self.id())
            .finish()
    }
}

/// A [`JoinHandle`] whose drop aborts the task.
///
/// The drop does not wait: the task's future is dropped where it runs, soon
/// after. The reason it sees is [`Cause::Dropped`].
#[must_use = "dropping this aborts the task at once"]
pub struct AbortOnDrop<T> {
    handle: JoinHandle<T>,
}

impl<T> AbortOnDrop<T> {
    /// The handle underneath, to look at or to abort.
    pub fn handle(&self) -> &JoinHandle<T> {
        &self.handle
    }
}

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        let at = self.handle.task.header().spawned_at;
        self.handle.task.cancel(Reason::at(Cause::Dropped, at));
    }
}

impl<T> fmt::Debug for AbortOnDrop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortOnDrop")
            .field("id", &self.handle.id())
            .finish()
    }
}
