//! Code that takes part in the budget of its poll by hand, or not at all.
//!
//! What this runtime offers to await counts by itself. Left are a loop that
//! computes and awaits nothing, which may call [`consume_budget`] in each round,
//! and a future that is to go on however much it does, which may be
//! [`unconstrained`]. `wakeline_context::budget` tells what the budget is for.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use wakeline_context::{Kind, budget, waiting_on};

/// Counts as one step of work, and gives way to other tasks if this poll has
/// made as many as it may.
///
/// For loops that compute and await nothing else: most calls are ready at once,
/// and cost less than a [`yield_now`](super::yield_now) that always gives way.
/// Outside of a task nothing is counted.
///
/// # Cancellation
///
/// Dropping the future changes nothing.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, task::consume_budget};
///
/// async fn sum(numbers: &[u64]) -> u64 {
///     let mut sum = 0;
///     for chunk in numbers.chunks(1024) {
///         sum += chunk.iter().sum::<u64>();
///         consume_budget().await; // others may run between chunks
///     }
///     sum
/// }
///
/// let executor = Executor::builder().workers(1).build()?;
/// assert_eq!(executor.block_on(sum(&[1; 5000])), 5000);
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn consume_budget() -> ConsumeBudget {
    ConsumeBudget {
        location: Location::caller(),
    }
}

/// The future of [`consume_budget`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ConsumeBudget {
    location: &'static Location<'static>,
}

impl Future for ConsumeBudget {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Poll::Ready(unit) = budget::poll_proceed(cx) else {
            waiting_on(Kind::Yield, 0, self.location);
            return Poll::Pending;
        };
        unit.spend();
        Poll::Ready(())
    }
}

/// Runs a future without the budget of its task: it never has to give way.
///
/// Other tasks of the thread wait for as long as it finds something to do; if
/// that does not end, they wait for ever. What it spends is not charged to
/// the code around it.
///
/// # Cancellation
///
/// As that of the future itself.
///
/// # Example
///
/// ```
/// use wakeline_executor::{Executor, spawn, task};
///
/// let executor = Executor::builder().workers(1).build()?;
/// executor.block_on(async {
///     let other = spawn(async {});
///     task::unconstrained(async {
///         for _ in 0..1_000 {
///             task::consume_budget().await; // never gives way
///         }
///     })
///     .await;
///     assert!(!other.is_finished());
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn unconstrained<F: IntoFuture>(future: F) -> Unconstrained<F::IntoFuture> {
    Unconstrained {
        future: Box::pin(future.into_future()),
    }
}

/// The future of [`unconstrained`].
#[must_use = "futures do nothing unless awaited"]
pub struct Unconstrained<F> {
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        budget::unlimited(|| self.future.as_mut().poll(cx))
    }
}

impl<F> fmt::Debug for Unconstrained<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unconstrained").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::task::Waker;
    use wakeline_context::Polling;

    #[test]
    fn it_gives_way_once_the_poll_has_spent_its_units_unless_unconstrained() {
        let mut cx = Context::from_waker(Waker::noop());
        let _poll = Polling::begin();
        for step in 0..budget::PER_POLL {
            let polled = Pin::new(&mut consume_budget()).poll(&mut cx);
            assert!(polled.is_ready(), "step {step}");
        }
        assert!(Pin::new(&mut consume_budget()).poll(&mut cx).is_pending());
        let mut free = unconstrained(consume_budget());
        assert!(Pin::new(&mut free).poll(&mut cx).is_ready());
        let charged = Pin::new(&mut consume_budget()).poll(&mut cx);
        assert!(charged.is_pending(), "the limit is in force again");
    }
}
