//! The two kinds of futures behind the functions on paths.
//!
//! ```text
//!   NameOp   Asked ──1──▶ InFlight ──2──▶ Over     io_uring; epoll: the pool
//!   PoolOp   Asked ──1──▶ Running  ──2──▶ Over     always the pool
//! ```
//! 1 the first poll: making the future does nothing
//! 2 the result, with the path in its error
//!
//! What is one system call that the ring knows is a `NameOp`. What is several,
//! or yields what only `std` can make (`Metadata`), is a `PoolOp`. Its job gets
//! a [`Stop`], which the drop of the future sets: a job that has not begun does
//! nothing then, and a long one looks at it between its steps.

use super::doing::Doing;
use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use wakeline_reactor::op::{self, InFlight, Op, submit_from};
use wakeline_reactor::{OffloadFuture, offload_from};

/// The future of one change of a name: [`rename`](super::rename) and the like.
///
/// Nothing happens before its first poll.
///
/// # Errors
///
/// What the kernel said, with what was done on which path; a path with a NUL
/// byte is `InvalidInput`.
///
/// # Cancellation
///
/// Dropping it asks the kernel to stop, and does not wait for that: the change
/// happens as a whole, or not at all, and maybe only after the drop. What is
/// done next with the same names may be overtaken by it. Who must know awaits
/// it; nothing is left open.
#[must_use = "futures do nothing unless awaited"]
pub struct NameOp<O: Op> {
    state: Name<O>,
    doing: Doing,
    location: &'static Location<'static>,
}

enum Name<O: Op> {
    Asked(io::Result<O>),
    InFlight(InFlight<O>),
    Over,
}

impl<O: Op> NameOp<O> {
    #[track_caller]
    pub(super) fn new(doing: Doing, op: io::Result<O>) -> NameOp<O> {
        NameOp {
            state: Name::Asked(op),
            doing,
            location: Location::caller(),
        }
    }
}

impl<O: Op> Future for NameOp<O> {
    type Output = io::Result<O::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Name::Asked(_) = &this.state
            && let Name::Asked(op) = std::mem::replace(&mut this.state, Name::Over)
        {
            match op {
                Ok(op) => this.state = Name::InFlight(submit_from(this.location, op)),
                Err(error) => return Poll::Ready(Err(this.doing.failed(error))),
            }
        }
        let Name::InFlight(flight) = &mut this.state else {
            panic!("the future of a change of names was polled after it was ready");
        };
        let (result, _) = ready!(Pin::new(flight).poll(cx));
        this.state = Name::Over;
        Poll::Ready(result.map_err(|error| this.doing.failed(error)))
    }
}

impl<O: Op> fmt::Debug for NameOp<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameOp")
            .field("doing", &self.doing)
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}

/// The owned path of an operation.
pub(super) fn c_path(path: &std::path::Path) -> io::Result<std::ffi::CString> {
    op::c_path(path)
}

/// Whether whoever asked for a job is gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// `Interrupted`, which nobody sees: the future is gone.
    pub(super) fn check(&self) -> io::Result<()> {
        // Relaxed: it carries no data, and a step more does no harm.
        if self.0.load(Ordering::Relaxed) {
            Err(io::ErrorKind::Interrupted.into())
        } else {
            Ok(())
        }
    }

    fn ask(&self) {
        self.0.store(true, Ordering::Relaxed); // as above
    }
}

type Job<T> = Box<dyn FnOnce(&Stop) -> io::Result<T> + Send>;

/// The future of what the blocking pool does on a path:
/// [`metadata`](super::metadata) and the like.
///
/// Nothing happens before its first poll.
///
/// # Errors
///
/// What the kernel said, with what was done on which path.
///
/// # Cancellation
///
/// Dropping it before a thread took the job undoes it all. After that a single
/// call runs to its end, which may come after the drop; a long job (a copy)
/// stops at its next step.
#[must_use = "futures do nothing unless awaited"]
pub struct PoolOp<T> {
    state: Pool<T>,
    stop: Stop,
    doing: Doing,
    location: &'static Location<'static>,
}

enum Pool<T> {
    Asked(Job<T>),
    Running(OffloadFuture<io::Result<T>>),
    Over,
}

impl<T: Send + 'static> PoolOp<T> {
    #[track_caller]
    pub(super) fn new(
        doing: Doing,
        job: impl FnOnce(&Stop) -> io::Result<T> + Send + 'static,
    ) -> PoolOp<T> {
        PoolOp {
            state: Pool::Asked(Box::new(job)),
            stop: Stop::default(),
            doing,
            location: Location::caller(),
        }
    }

    fn start(&self, job: Job<T>) -> OffloadFuture<io::Result<T>> {
        let stop = self.stop.clone();
        offload_from(self.location, move || {
            stop.check()?;
            job(&stop)
        })
    }
}

impl<T: Send + 'static> Future for PoolOp<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let this = &mut *self;
        if let Pool::Asked(_) = &this.state
            && let Pool::Asked(job) = std::mem::replace(&mut this.state, Pool::Over)
        {
            this.state = Pool::Running(this.start(job));
        }
        let Pool::Running(running) = &mut this.state else {
            panic!("the future of a job on a path was polled after it was ready");
        };
        let result = ready!(Pin::new(running).poll(cx)).flatten();
        this.state = Pool::Over;
        Poll::Ready(result.map_err(|error| this.doing.failed(error)))
    }
}

impl<T> Drop for PoolOp<T> {
    fn drop(&mut self) {
        self.stop.ask();
    }
}

impl<T> fmt::Debug for PoolOp<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolOp")
            .field("doing", &self.doing)
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}
