//! What a worker's loop runs for here: the future of a `block_on`, or until no
//! task is left.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use wakeline_context::{Polling, WaitingOn};

use super::root_wake::RootWaker;
use crate::context::{Context, Kind};
use crate::task::{self, Listed};
use crate::trace::RootTrace;
use crate::worker::{Progress, Root};

/// The future of a `block_on`, as the worker's loop sees it.
pub(super) struct RootFuture<'a, F> {
    /// There until it is dropped.
    pub(super) future: Pin<&'a mut Option<F>>,
    pub(super) own: &'a task::Root<'a>,
    /// In debug mode.
    pub(super) listed: Option<&'a Listed<'a>>,
    /// With a recorder.
    pub(super) traced: Option<&'a RootTrace>,
    pub(super) waker: &'a RootWaker,
    /// It was not polled yet.
    pub(super) first: bool,
}

impl<F: Future> Root for RootFuture<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(&mut self) -> Progress<F::Output> {
        if self.waker.wake.is_woken() {
            self.poll_woken()
        } else {
            Progress::Nothing
        }
    }
}

impl<F: Future> RootFuture<'_, F> {
    /// Out of line: the loop looks at the flag between any two tasks.
    #[inline(never)]
    fn poll_woken(&mut self) -> Progress<F::Output> {
        if !self.waker.wake.take(std::mem::take(&mut self.first)) {
            return Progress::Nothing;
        }
        let entered = self.own.enter();
        let began = self.listed.map(Listed::begin);
        if let Some(traced) = self.traced {
            traced.polls();
        }
        let polling = Polling::begin();
        let future = self.future.as_mut().as_pin_mut();
        let polled = future
            .expect("it stays until the drop")
            .poll(&mut std::task::Context::from_waker(&self.waker.waker));
        let (location, what) = polling.end_packed();
        let waiting = || WaitingOn::unpack(location, what);
        drop(entered);
        if let Some(traced) = self.traced {
            traced.polled(polled.is_ready(), waiting());
        }
        if let (Some(listed), Some(began)) = (self.listed, began) {
            listed.polled(began, polled.is_ready(), waiting());
        }
        match polled {
            Poll::Ready(output) => Progress::Done(output),
            Poll::Pending => Progress::Polled,
        }
    }
}

impl<F> Drop for RootFuture<'_, F> {
    fn drop(&mut self) {
        if std::mem::needs_drop::<F>() {
            let _entered = self.own.enter();
            self.future.set(None);
        }
    }
}

/// Runs tasks until none of this thread is left, or until a deadline.
pub(crate) struct UntilEmpty<'a> {
    pub(super) context: &'a Context,
    /// When to give up; `None` waits for the last task.
    deadline: Option<Instant>,
    /// Cleanups count, too.
    cleanups: bool,
}

impl<'a> UntilEmpty<'a> {
    pub(crate) fn tasks(context: &'a Context, deadline: Option<Instant>) -> UntilEmpty<'a> {
        UntilEmpty {
            context,
            deadline,
            cleanups: false,
        }
    }

    pub(super) fn all(context: &'a Context, deadline: Option<Instant>) -> UntilEmpty<'a> {
        UntilEmpty {
            cleanups: true,
            ..UntilEmpty::tasks(context, deadline)
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let shared = &self.context.shared;
        let mut left = self.context.home.owned.len();
        if matches!(self.context.kind, Kind::Only) {
            left += shared.owned.len();
            left += if self.cleanups {
                shared.cleanups.len()
            } else {
                0
            };
        }
        left == 0
    }
}

impl Root for UntilEmpty<'_> {
    type Output = ();

    fn poll(&mut self) -> Progress<()> {
        let late = self
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now());
        if late || self.is_empty() {
            Progress::Done(())
        } else {
            Progress::Nothing
        }
    }

    fn limit(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}
