//! Waiting for a node to be cancelled.
//!
//! ```text
//!   new ──1──▶ listed ──2──▶ cancelled      1 poll    the node is open
//!               ▲  │                        2 poll    after `cancel` took the list
//!               └3─┘                        3 poll    the latest waker is kept; so is
//!                                                     one that a new deadline has used
//! ```

use super::Node;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, Reason, budget, waiting_on};

/// The future of [`Node::cancelled`].
///
/// It owns its node, and may be polled again when it was ready: it is ready
/// again.
#[derive(Debug)]
#[must_use = "a cancel is only waited for when this is awaited"]
pub struct Cancelled {
    node: Node,
    /// Where the node has our waker.
    key: Option<u64>,
    location: &'static Location<'static>,
}

impl Cancelled {
    pub(super) fn new(node: Node, location: &'static Location<'static>) -> Cancelled {
        Cancelled {
            node,
            key: None,
            location,
        }
    }

    /// The node that is waited for.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }
}

impl Future for Cancelled {
    type Output = Reason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reason> {
        let unit = ready!(budget::poll_proceed(cx));
        if !self.node.is_cancelled() {
            let waker = cx.waker().clone(); // foreign code: before the lock
            self.key = self.node.inner.wait(self.key, waker);
            if self.key.is_some() {
                unit.refund();
                waiting_on(Kind::Lock, self.node.id(), self.location);
                return Poll::Pending;
            }
        }
        unit.spend();
        let reason = self.node.reason();
        Poll::Ready(reason.expect("a cancelled node has a reason"))
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.node.inner.unlink(key);
        }
    }
}
