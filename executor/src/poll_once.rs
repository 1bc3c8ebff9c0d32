//! One turn at a time: a one-worker executor inside of somebody else's loop.
//!
//! ```text
//!   the loop of a window system, of a game        poll_once(limit)
//!     handle its events                             each task that is ready, once
//!     poll_once(a frame's time) ───────────────▶    a turn of the driver: I/O, timers;
//!     draw                                          sleeps only if none is ready again
//!                                                   each task that is ready now, once
//! ```

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::block_on;
use crate::context;
use crate::executor::Executor;
use crate::shared::{Flavour, Shared};
use crate::worker;

/// What one [`poll_once`](Executor::poll_once) has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turn {
    /// How many polls of queued tasks there were.
    pub polled: usize,
    /// Whether tasks are ready again: call at once, or give the others time.
    pub more: bool,
}

impl Executor {
    /// Polls each task that is ready once, takes one turn of the driver, and polls
    /// each that is ready then.
    ///
    /// If none is ready before the turn, and none has ended or was spawned, that sleeps
    /// until one is, at most for `limit`; with zero it never sleeps. Tasks that wait for sockets
    /// are polled in each call, to watch them again. The thread that calls this or
    /// `block_on` first is the one that the executor is bound to.
    ///
    /// # Errors
    ///
    /// If the executor has several workers, which run their tasks by themselves
    /// ([`Unsupported`](io::ErrorKind::Unsupported)); if it is bound to another
    /// thread; if it has ended; if its driver cannot be set up or is broken.
    ///
    /// # Panics
    ///
    /// Inside a task or a `block_on`, with advice.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline_executor::{Executor, yield_now};
    ///
    /// let executor = Executor::builder().workers(1).build()?;
    /// let task = executor.spawn(async {
    ///     yield_now().await;
    ///     42
    /// });
    /// let mut frames = 0;
    /// while !task.is_finished() {
    ///     executor.poll_once(Duration::ZERO)?;
    ///     frames += 1;
    /// }
    /// assert_eq!(frames, 1, "before the turn, and after it");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn poll_once(&self, limit: Duration) -> io::Result<Turn> {
        assert!(
            !context::is_entered(),
            "`poll_once` inside a task or a `block_on` would run tasks in the midst of another: await instead"
        );
        bound_here(&self.shared)?
            .enter_briefly(|context, driver| worker::once(context, driver, limit))
    }
}

/// The core of a one-worker executor, which is or becomes bound to this thread.
fn bound_here(shared: &Arc<Shared>) -> io::Result<Box<block_on::Core>> {
    if matches!(shared.flavour, Flavour::Many(_)) {
        let what = "`poll_once` needs an executor of one worker: several run by themselves";
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    if let Some(core) = block_on::take_bound(shared) {
        return Ok(core);
    }
    if shared.is_closing() {
        return Err(io::Error::other("the executor has ended"));
    }
    let core = block_on::make_core(shared)?;
    if core.is_bound() {
        Ok(core)
    } else {
        Err(io::Error::other(
            "the executor is bound to another thread, or this is a thread for blocking jobs",
        ))
    }
}
