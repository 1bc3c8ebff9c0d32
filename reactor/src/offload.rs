//! A blocking job on the configured pool, as a future.

use crate::current;
use crate::sync::Lock;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wakeline_context::{Kind, budget, waiting_on};

enum State<T> {
    Waiting(Option<Waker>),
    Done(io::Result<std::thread::Result<T>>),
    Taken,
}

type Shared<T> = Arc<Lock<State<T>>>;

/// There is no pool to run a blocking job on.
pub(crate) fn no_pool() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "no threads that may block: give the reactor some by `Config::offload`",
    )
}

/// The pool did not run the job.
pub(crate) fn refused() -> io::Error {
    io::Error::other(Refused(None))
}

/// The pool did not take the job, and says why: it has ended, or else (no thread can be
/// started, say) the runtime goes on, and this is as any error.
pub(crate) fn refused_for(why: io::Error) -> io::Error {
    if why.kind() == io::ErrorKind::Other {
        io::Error::other(Refused(Some(why)))
    } else {
        why
    }
}

/// Whether nobody has said more than `refused` does.
pub(crate) fn is_bare_refusal(error: &io::Error) -> bool {
    inner(error).is_some_and(|refused| refused.0.is_none())
}

fn inner(error: &io::Error) -> Option<&Refused> {
    error.get_ref()?.downcast_ref()
}

#[derive(Debug)]
struct Refused(Option<io::Error>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the blocking pool did not run the job: ")?;
        match &self.0 {
            Some(why) => why.fmt(f),
            None => f.write_str("it is full or shut down"),
        }
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_ref().map(|why| why as _)
    }
}

/// Whether an operation that ended like this was stopped before it did
/// anything: cancelled, or never begun, as at the end of its runtime.
#[must_use]
pub fn was_stopped(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ECANCELED) || inner(error).is_some()
}

/// Runs `f` on a thread that may block, and is the future of its result.
///
/// # Errors
///
/// [`NoRuntime`](crate::NoRuntime) on a thread without a reactor;
/// `Unsupported` if that has no pool; what the pool said if it took no job.
///
/// # Panics
///
/// The future panics with the payload of `f` if that panicked.
///
/// # Cancellation
///
/// A job that has begun runs to its end; its result is then dropped.
///
/// # Example
///
/// ```
/// use std::future::Future;
/// use std::pin::pin;
/// use std::sync::Arc;
/// use std::task::{Context, Poll, Waker};
/// use wakeline_reactor::{Config, LateWake, Offload, Reactor, offload};
///
/// struct Threads;
/// impl Offload for Threads {
///     fn offload(&self, job: Box<dyn FnOnce() -> LateWake + Send>) -> std::io::Result<()> {
///         std::thread::Builder::new().spawn(|| drop(job())).map(drop)
///     }
/// }
///
/// let reactor = Reactor::new(&Config::default().offload(Arc::new(Threads)))?;
/// let _entered = reactor.enter();
/// let mut future = pin!(offload(|| 6 * 7));
/// let mut cx = Context::from_waker(Waker::noop());
/// let answer = loop {
///     if let Poll::Ready(answer) = future.as_mut().poll(&mut cx) {
///         break answer?;
///     }
/// };
/// assert_eq!(answer, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn offload<T, F>(f: F) -> OffloadFuture<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    offload_from(Location::caller(), f)
}

/// The same for futures that begin with their first poll, and were made at
/// `location`.
pub fn offload_from<T, F>(location: &'static Location<'static>, f: F) -> OffloadFuture<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let shared = Arc::new(Lock::new(State::Waiting(None)));
    let job = Job(Some(Arc::clone(&shared)));
    let pool = current::get().and_then(|core| core.offload.clone().ok_or_else(no_pool));
    let refused = match pool {
        Ok(pool) => pool.offload(Box::new(move || job.run(f).into())).err(),
        Err(error) => {
            drop(job);
            Some(error)
        }
    };
    if let Some(error) = refused {
        // The job's drop has left a general error; this one says more.
        *shared.lock() = State::Done(Err(error));
    }
    OffloadFuture { shared, location }
}

struct Job<T>(Option<Shared<T>>);

impl<T> Job<T> {
    fn run(mut self, f: impl FnOnce() -> T) -> Option<Waker> {
        let result = catch_unwind(AssertUnwindSafe(f));
        self.finish(Ok(result))
    }

    /// Stores the result; whom to wake then.
    fn finish(&mut self, result: io::Result<std::thread::Result<T>>) -> Option<Waker> {
        let shared = self.0.take()?;
        let before = std::mem::replace(&mut *shared.lock(), State::Done(result));
        match before {
            State::Waiting(waker) => waker,
            State::Done(_) | State::Taken => None,
        }
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        let waker = self.finish(Err(refused()));
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The future of [`offload`].
#[must_use = "futures do nothing unless awaited"]
pub struct OffloadFuture<T> {
    shared: Shared<T>,
    location: &'static Location<'static>,
}

impl<T> OffloadFuture<T> {
    fn look(&self, cx: &mut Context<'_>) -> Poll<io::Result<std::thread::Result<T>>> {
        let waker = cx.waker().clone(); // foreign code: not under the lock
        let mut state = self.shared.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Waiting(before) => {
                *state = State::Waiting(Some(waker));
                drop(state);
                drop(before);
                Poll::Pending
            }
            State::Done(result) => Poll::Ready(result),
            State::Taken => panic!("the future of a blocking job was polled after it was ready"),
        }
    }
}

impl<T> Future for OffloadFuture<T> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Poll::Ready(unit) = budget::poll_proceed(cx) else {
            waiting_on(Kind::Yield, 0, self.location);
            return Poll::Pending;
        };
        match self.look(cx) {
            Poll::Pending => {
                unit.refund();
                waiting_on(Kind::Blocking, 0, self.location);
                Poll::Pending
            }
            Poll::Ready(result) => {
                unit.spend();
                Poll::Ready(result.map(|value| value.unwrap_or_else(|panic| resume_unwind(panic))))
            }
        }
    }
}

impl<T> fmt::Debug for OffloadFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OffloadFuture")
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
