//! A `main` that Ctrl-C cancels: asked once, ended the second time.
//!
//! ```text
//!   SIGINT ─▶ 1st: main's token is cancelled, main returns when it has cleaned up
//!        └──▶ 2nd: the handler ends the process, status 130
//! ```
//!
//! The two ways are apart on purpose. The first goes through the reactor to the
//! thread that runs main; the second must also work where that thread is stuck,
//! so it is the handler's own.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::Location;
use std::pin::pin;
use std::task::{Context, Poll};

use wakeline_context::{Cause, Reason, budget};

use super::{CancelToken, current_token};
use crate::signal::unix::{ExitAtSecond, Signal, SignalKind, exit_at_second, signal};
use crate::{FutureExt, Runtime};

/// What a shell reports for a program that SIGINT has ended.
const STATUS: i32 = 130;

/// Runs `main` on a new runtime with the defaults, as [`Runtime::run`].
///
/// # Panics
///
/// If the runtime cannot be started, with the reason, and as [`Runtime::run`].
///
/// # Example
///
/// ```
/// use wakeline::{FutureExt, Cancelled, checkpoint};
///
/// async fn main_loop() -> Result<u32, Cancelled> {
///     let mut rounds = 0;
///     while rounds < 3 {
///         checkpoint()?; // Ctrl-C ends the loop here
///         wakeline::yield_now().or_cancelled().await?; // or here
///         rounds += 1;
///     }
///     Ok(rounds)
/// }
///
/// assert_eq!(wakeline::run(main_loop()), Ok(3));
/// ```
#[track_caller]
pub fn run<F: Future>(main: F) -> F::Output {
    match Runtime::new() {
        Ok(runtime) => runtime.run(main),
        Err(error) => panic!("cannot start the runtime: {error}"),
    }
}

impl Runtime {
    /// Runs `main` to its end, with a token in force that Ctrl-C cancels.
    ///
    /// The first SIGINT cancels the token, with
    /// [`Cause::Interrupt`](crate::cancel::Cause::Interrupt); `main` is expected
    /// to see it and to return, in its own time: what it returns is the outcome,
    /// also if it had finished before it saw the signal, or had been cancelled
    /// otherwise. The second SIGINT ends the process at once, with status 130.
    ///
    /// Code that never looks can be stopped from outside:
    /// `run(work().or_cancelled())` drops it at the first Ctrl-C.
    ///
    /// The handler is installed before `main` is first polled. When this returns,
    /// SIGINT does nothing: its default action is gone for good.
    ///
    /// # Panics
    ///
    /// If SIGINT cannot be listened for, with the reason, and as
    /// [`block_on`](Runtime::block_on).
    ///
    /// # Example
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use wakeline::{FutureExt, Runtime, time::sleep};
    ///
    /// let runtime = Runtime::new()?;
    /// runtime.run(async {
    ///     while sleep(Duration::from_secs(1)).or_cancelled().await.is_ok() {
    ///         println!("still here");
    ///     }
    ///     println!("Ctrl-C: saving"); // a second one would end it right here
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn run<F: Future>(&self, main: F) -> F::Output {
        let here = Location::caller();
        self.block_on(async move {
            let mut interrupts = match Interrupts::new(here) {
                Ok(interrupts) => interrupts,
                Err(error) => panic!("cannot run `main`: {error}"),
            };
            // Declared last, so dropped first: while the handler is still there.
            let mut main = pin!(main.with_token(interrupts.token.clone()));
            poll_fn(|cx| {
                interrupts.poll(cx);
                main.as_mut().poll(cx)
            })
            .await
        })
    }
}

/// Ctrl-C, on its way to a token.
struct Interrupts {
    token: CancelToken,
    /// Until the first has come.
    first: Option<Signal>,
    _second: ExitAtSecond,
    /// The call of `run`.
    location: &'static Location<'static>,
}

impl Interrupts {
    fn new(location: &'static Location<'static>) -> io::Result<Interrupts> {
        Ok(Interrupts {
            token: current_token().child(),
            first: Some(signal(SignalKind::interrupt())?),
            _second: exit_at_second(SignalKind::interrupt(), STATUS)?,
            location,
        })
    }

    /// Before main, so that main's poll sees the cancel, and what main says it
    /// waits for is what remains to be read.
    fn poll(&mut self, cx: &mut Context<'_>) {
        let Some(first) = &mut self.first else { return };
        // A signal is no part of main's budget.
        match budget::unlimited(|| first.poll_recv(cx)) {
            Poll::Pending => return,
            Poll::Ready(Ok(())) => {
                let reason = Reason::at(Cause::Interrupt, self.location);
                self.token.cancel(reason);
            }
            Poll::Ready(Err(error)) => panic!("cannot listen for Ctrl-C any more: {error}"),
        }
        self.first = None;
    }
}
