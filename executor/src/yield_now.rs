//! `yield_now`: gives every ready task and the driver a turn.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use wakeline_context::{Kind, waiting_on};

/// Gives way: every task that is ready now, and the driver, run once before
/// the caller goes on.
///
/// # Cancellation
///
/// Dropping the future changes nothing.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, spawn, yield_now};
///
/// let executor = Executor::builder().workers(1).build()?;
/// executor.block_on(async {
///     let other = spawn(async { "done" });
///     yield_now().await;
///     assert!(other.is_finished());
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn yield_now() -> YieldNow {
    YieldNow {
        yielded: false,
        location: Location::caller(),
    }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
    location: &'static Location<'static>,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        waiting_on(Kind::Yield, 0, self.location);
        crate::context::defer(cx.waker());
        Poll::Pending
    }
}
