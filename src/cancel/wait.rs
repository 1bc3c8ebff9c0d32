//! Waiting for a cancel or a deadline, whichever is first.
//!
//! ```text
//!   poll ─▶ in the node's list? ─▶ deadline? ── none ─▶ pending
//!                ▲                    └─ some ─▶ timer ── not yet ─▶ pending
//!                └── cancel what is due ◀──────────┘ passed
//! ```
//!
//! In this order, because whoever changes a deadline wakes those in the list: a
//! change after the look at the deadline causes another poll, which moves the
//! timer.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use wakeline_context::{Kind, Reason, budget, waiting_on};
use wakeline_sync::cancel::{self, Node};

use crate::time::{self, Sleep};

/// The future of [`CancelToken::cancelled`](super::CancelToken::cancelled).
///
/// It may be polled again when it was ready: it is ready again.
#[derive(Debug)]
#[must_use = "a cancel is only waited for when this is awaited"]
pub struct UntilCancelled {
    cancelled: cancel::Cancelled,
    /// Made when there is a deadline to wait for.
    timer: Option<Box<Sleep>>,
    location: &'static Location<'static>,
}

impl UntilCancelled {
    #[track_caller]
    pub(crate) fn new(node: Node, location: &'static Location<'static>) -> UntilCancelled {
        UntilCancelled {
            cancelled: node.cancelled(),
            timer: None,
            location,
        }
    }

    /// Pending until `deadline`.
    fn poll_timer(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = match &mut self.timer {
            Some(timer) => {
                if timer.deadline() != Some(deadline) {
                    timer.reset(deadline);
                }
                timer
            }
            none => {
                let timer = time::sleep_until(deadline).with_location(self.location);
                none.insert(Box::new(timer))
            }
        };
        Pin::new(timer).poll(cx)
    }

    /// Without a budget: a cancel must also reach those who have spent theirs.
    pub(crate) fn poll_unlimited(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        budget::unlimited(|| self.poll_here(cx))
    }

    fn poll_here(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        while Pin::new(&mut self.cancelled).poll(cx).is_pending() {
            let Some(deadline) = self.cancelled.node().effective_deadline() else {
                self.timer = None;
                return self.wait();
            };
            let now = time::now();
            if deadline > now && self.poll_timer(deadline, cx).is_pending() {
                return self.wait();
            }
            // It may have been moved meanwhile: then it is waited for anew.
            self.cancelled.node().cancel_due(now.max(deadline));
        }
        self.timer = None;
        let reason = self.cancelled.node().reason();
        Poll::Ready(reason.expect("a cancelled node has a reason"))
    }

    fn wait<T>(&self) -> Poll<T> {
        waiting_on(Kind::Lock, self.cancelled.node().id(), self.location);
        Poll::Pending
    }
}

impl Future for UntilCancelled {
    type Output = Reason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reason> {
        let unit = ready!(budget::poll_proceed(cx));
        let polled = self.poll_unlimited(cx);
        match polled {
            Poll::Ready(_) => unit.spend(),
            Poll::Pending => unit.refund(),
        }
        polled
    }
}
