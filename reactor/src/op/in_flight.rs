//! An operation on its way: how it is started, awaited and cancelled.

use super::cell::{AnyOp, OpCell};
use super::kinds::Op;
use crate::current;
use crate::faults;
use crate::reactor::Core;
use crate::remote::Home;
use crate::slots::Key;
use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use wakeline_context::{Kind, budget, waiting_on};

/// Where the driver that holds an operation is.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) home: Arc<Home>,
    pub(crate) key: Key,
}

/// Starts `op` on this thread's reactor.
///
/// It makes progress in the reactor's turns, whether or not the future is
/// polled; but a [`Read`](super::Read) of what has no positions (a pipe, a
/// socket) takes its bytes in the future's polls only, and what a signal has
/// interrupted, an open that met a lease, or what the kernel had no thread for, may go
/// on only when it is polled. On a thread without a reactor the future is ready with an
/// error.
///
/// # Example
///
/// ```
/// use std::fs::File;
/// use std::future::Future;
/// use std::pin::pin;
/// use std::sync::Arc;
/// use std::task::{Context, Poll, Waker};
/// use wakeline_reactor::{Config, Reactor, op};
///
/// # struct Inline;
/// # impl wakeline_reactor::Offload for Inline {
/// #     fn offload(&self, job: Box<dyn FnOnce() -> wakeline_reactor::LateWake + Send>) -> std::io::Result<()> {
/// #         Ok(drop(job()))
/// #     }
/// # }
/// # let config = Config::default().offload(Arc::new(Inline));
/// let reactor = Reactor::new(&config)?;
/// let _entered = reactor.enter();
/// let file = Arc::new(File::open("/proc/self/comm")?.into());
/// let read = op::Read { fd: file, buf: Vec::with_capacity(64), offset: 0 };
/// let mut future = pin!(op::submit(read));
/// let mut cx = Context::from_waker(Waker::noop());
/// let (result, buf) = loop {
///     match future.as_mut().poll(&mut cx) {
///         Poll::Ready(done) => break done,
///         Poll::Pending => reactor.turn(None)?,
///     };
/// };
/// assert_eq!(buf.len(), result?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn submit<O: Op>(op: O) -> InFlight<O> {
    submit_from(Location::caller(), op)
}

/// The same for futures that begin with their first poll, and were made at
/// `location`.
pub fn submit_from<O: Op>(location: &'static Location<'static>, op: O) -> InFlight<O> {
    let cell = Arc::new(OpCell::new(op));
    let ticket = if cell.is_held() {
        hand_over(&cell)
    } else {
        None
    };
    InFlight {
        cell,
        ticket,
        location,
    }
}

/// Gives the operation to this thread's driver.
fn hand_over<O: Op>(cell: &Arc<OpCell<O>>) -> Option<Ticket> {
    if O::RESTARTS && faults::interrupts() {
        cell.complete_alone(Err(io::ErrorKind::Interrupted.into()));
        return None;
    }
    match current::get() {
        Ok(core) => core.submit(Arc::clone(cell) as Arc<dyn AnyOp>),
        Err(error) => {
            cell.complete_alone(Err(error));
            None
        }
    }
}

/// An operation on its way; the future of its result and its buffer.
///
/// # Errors
///
/// What the kernel returned; [`NoRuntime`](crate::NoRuntime).
///
/// # Cancellation
///
/// Dropping the future asks the kernel to stop. The operation may have
/// happened all the same; its buffer is then freed, and a descriptor that it
/// made is closed. To learn what happened, use [`cancel`](InFlight::cancel).
///
/// A read loses nothing that way. A file can be read again; and out of a pipe
/// or a socket bytes are taken only by the poll that returns them. The
/// exception is a descriptor in blocking mode that the kernel cannot read
/// without blocking (a terminal, inotify; a pipe before Linux 6.4), and in either mode a
/// device that may not heed it: there the driver has to take, and only `cancel` hands out
/// what it took.
///
/// # Panics
///
/// When polled again after it was ready; with the panic of a buffer's own code that
/// a pool thread ran.
#[must_use = "dropping it cancels the operation"]
pub struct InFlight<O: Op> {
    cell: Arc<OpCell<O>>,
    ticket: Option<Ticket>,
    location: &'static Location<'static>,
}

impl<O: Op> InFlight<O> {
    /// A future and its operation, which the test hands to a driver.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn detached(op: O) -> (InFlight<O>, Arc<dyn AnyOp>) {
        let cell = Arc::new(OpCell::new(op));
        let any = Arc::clone(&cell) as Arc<dyn AnyOp>;
        let location = Location::caller();
        (
            InFlight {
                cell,
                ticket: None,
                location,
            },
            any,
        )
    }

    /// Asks for the end of the operation; the future tells how it ended.
    ///
    /// The result is an error of `ECANCELED` if it was stopped, or what it
    /// would have been if it was too late; the buffer comes back either way.
    ///
    /// # Example
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
    /// # use doc::block_on;
    /// use std::sync::Arc;
    /// use wakeline_reactor::{Config, Reactor, op};
    ///
    /// let (read, _write) = std::io::pipe()?; // nobody ever writes
    /// let reactor = Reactor::new(&Config::default())?;
    /// let _entered = reactor.enter();
    /// let fd = Arc::new(read.into());
    /// let read = op::submit(op::Read { fd, buf: Vec::with_capacity(100), offset: 0 });
    /// let (result, buf) = block_on(&reactor, read.cancel())?;
    /// assert!(result.is_err());
    /// assert_eq!(buf.capacity(), 100);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn cancel(self) -> Cancel<O> {
        self.ask();
        Cancel { inner: self }
    }

    fn ask(&self) {
        if faults::too_late() && self.cell.waits().is_none() {
            return;
        }
        self.cell.mark_cancelled();
        if let Some(ticket) = &self.ticket {
            Core::cancel(ticket);
        }
    }
}

impl<O: Op> Future for InFlight<O> {
    type Output = (io::Result<O::Output>, O::Back);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(unit) = budget::poll_proceed(cx) else {
            waiting_on(Kind::Yield, 0, self.location);
            return Poll::Pending;
        };
        let this = self.get_mut();
        if this.cell.try_here() {
            this.ticket = hand_over(&this.cell);
        }
        let result = this.cell.poll(cx);
        if result.is_ready() {
            unit.spend();
            this.ticket = None;
        } else {
            unit.refund();
            waiting_on(Kind::Operation, 0, this.location);
        }
        result
    }
}

impl<O: Op> Drop for InFlight<O> {
    fn drop(&mut self) {
        self.cell.forget_waker();
        // Asking twice, or after the end, is harmless: the key is stale then.
        self.ask();
    }
}

impl<O: Op> fmt::Debug for InFlight<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight")
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}

/// The future of [`InFlight::cancel`]: how the operation ended, and its buffer.
#[must_use = "futures do nothing unless awaited"]
pub struct Cancel<O: Op> {
    inner: InFlight<O>,
}

impl<O: Op> Future for Cancel<O> {
    type Output = (io::Result<O::Output>, O::Back);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

impl<O: Op> fmt::Debug for Cancel<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel")
            .field("from", &self.inner.location)
            .finish_non_exhaustive()
    }
}
