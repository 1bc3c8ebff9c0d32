//! The cancel tree: who is told to stop, and whom that reaches.
//!
//! ```text
//!   root ◀── request ◀── query          a child holds its parent; the parent
//!     └┄┄┄┄┄┄▶ └┄┄┄┄┄┄┄┄┄▶ └▶ waiters    only knows its children (┄), and who waits
//!
//!   open ──1──▶ cancelled       1 `cancel`       here, or at an ancestor with no
//!     │             ▲                            shield between: whoever is first
//!     └───2─────────┘           2 `set_shielded` a shield came off under a
//!                                                cancelled ancestor
//! ```
//!
//! There is no way back. A [`Node`] that is cancelled stays so, its first
//! reason stays, and every later wait of it ends at once. Cancelling reaches
//! down to all descendants and never up or sideways. A child of a cancelled
//! node is born cancelled; dropping a node in the middle cuts nothing off,
//! because its children hold it.
//!
//! # One lock a node
//!
//! A tree of any size has no common lock. These four steps keep it right:
//!
//! 1. `child` reads the parent's reason and enters its list under one lock, and
//!    `cancel` writes the reason and takes the list under the same: a child is
//!    either found in the list, or born cancelled.
//! 2. Who writes a node's reason also takes its list, so two cancels meet
//!    without mixing: below the place where they meet there is one reason. Who
//!    comes second turns back there, and does not wait for the first.
//! 3. A shield comes off first and then looks at the parent; a cancel marks the
//!    parent first and then looks at the shield. One of them sees the other.
//! 4. Wakers of the whole subtree are collected, and called when no lock is held.
//!
//! At no time are two of these locks held at once.
//!
//! # No clock
//!
//! A node keeps a deadline as data. Who has a clock asks
//! [`effective_deadline`](Node::effective_deadline) how long to sleep, and tells
//! the time by [`cancel_due`](Node::cancel_due); changing a deadline wakes whoever
//! waits below, to ask again.
//!
//! Read `tree.rs` first, then `wait.rs`.

mod tree;
mod wait;

pub use wait::Cancelled;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Instant;

use wakeline_context::Reason;

use tree::Inner;

/// A node of a cancel tree; clones are the same node.
///
/// # Example
///
/// ```
/// use wakeline_sync::cancel::Node;
///
/// let server = Node::root();
/// let request = server.child();
/// let query = request.child();
/// drop(request); // cuts nothing off
/// assert!(server.cancel("restart".into()));
/// assert!(!server.cancel("again".into()), "the first reason stays");
/// assert_eq!(query.reason().unwrap().text(), "restart");
/// ```
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

impl Node {
    /// A node with no parent, open, with no deadline.
    #[must_use]
    pub fn root() -> Node {
        Node {
            inner: Arc::new(Inner::root()),
        }
    }

    /// A node below this one: it is cancelled with it, and already born so if
    /// this one is cancelled, with the same reason.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::cancel::Node;
    ///
    /// let parent = Node::root();
    /// let child = parent.child();
    /// child.cancel("only me".into());
    /// assert!(!parent.is_cancelled());
    /// parent.cancel("all".into());
    /// assert!(parent.child().is_cancelled());
    /// ```
    #[must_use]
    pub fn child(&self) -> Node {
        Node {
            inner: Inner::child_of(&self.inner, false, None),
        }
    }

    /// A node below this one that is cancelled from the start: by `reason`, or
    /// by what this one was cancelled by.
    ///
    /// As [`child`](Node::child) and [`cancel`](Node::cancel) in one step, for a
    /// node that nobody else can have seen open: neither tells the other of it.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::cancel::Node;
    ///
    /// let parent = Node::root();
    /// let gone = parent.cancelled_child("aborted".into());
    /// assert_eq!(gone.reason().unwrap().text(), "aborted");
    /// assert!(!parent.is_cancelled());
    /// parent.cancel("over".into());
    /// let late = parent.cancelled_child("aborted".into());
    /// assert_eq!(late.reason().unwrap().text(), "over");
    /// ```
    #[must_use]
    pub fn cancelled_child(&self, reason: Reason) -> Node {
        Node {
            inner: Inner::child_of(&self.inner, false, Some(reason)),
        }
    }

    /// A node below this one that starts behind a [shield](Node::set_shielded):
    /// it is born open also under a cancelled parent, for cleaning up there.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::cancel::Node;
    ///
    /// let scope = Node::root();
    /// scope.cancel("over".into());
    /// let cleanup = scope.shielded_child();
    /// assert!(!cleanup.is_cancelled());
    /// cleanup.set_shielded(false);
    /// assert!(cleanup.is_cancelled());
    /// ```
    #[must_use]
    pub fn shielded_child(&self) -> Node {
        Node {
            inner: Inner::child_of(&self.inner, true, None),
        }
    }

    /// A child that does not keep this node, if it can do without: one that nobody else
    /// has, and that has neither reason nor shield nor deadline of its own, makes no
    /// difference, so the child hangs from what is above it.
    ///
    /// For work that spawns the work which comes after it, and is over then. Who calls
    /// this does nothing to this node any more that the child should hear of.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::cancel::Node;
    ///
    /// let root = Node::root();
    /// let mut last = root.child();
    /// for _ in 0..1_000 {
    ///     last = last.lasting_child(); // the one before is freed
    /// }
    /// root.cancel("enough".into());
    /// assert!(last.is_cancelled());
    /// ```
    #[must_use]
    pub fn lasting_child(&self) -> Node {
        Node {
            inner: Inner::child_of(self.inner.lasting(), false, None),
        }
    }

    /// Cancels this node and all below it that no shield protects; whether
    /// this call did it.
    ///
    /// If it is cancelled already, nothing happens and the first reason stays.
    /// When this returns true, all of them are cancelled and those who wait for
    /// it have been woken; but what is below a node that another thread's cancel
    /// reached first is that one's, which may be on its way down yet.
    pub fn cancel(&self, reason: Reason) -> bool {
        self.inner.cancel(reason)
    }

    /// Whether this node is cancelled; what was done before the cancel is then
    /// visible. Costs one load.
    #[must_use]
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.inner.is_cancelled()
    }

    /// Why this node was cancelled, if it was.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.inner.reason()
    }

    /// Waits until this node is cancelled; ready at once if it is, each time.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing, and leaves nothing behind.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    /// use wakeline_sync::cancel::Node;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let node = Node::root();
    /// let mut stopped = pin!(node.cancelled());
    /// assert!(stopped.as_mut().poll(&mut cx).is_pending());
    /// node.cancel("enough".into());
    /// let Poll::Ready(reason) = stopped.poll(&mut cx) else { unreachable!() };
    /// assert_eq!(reason.text(), "enough");
    /// ```
    #[track_caller]
    pub fn cancelled(&self) -> Cancelled {
        Cancelled::new(self.clone(), Location::caller())
    }

    /// Puts a shield before this node, or takes it off.
    ///
    /// A shielded node does not hear its ancestors, and their deadlines do not
    /// count for it; it still honours its own. Taking the shield off under a
    /// cancelled parent cancels it now, with the parent's reason. Nothing that
    /// is cancelled becomes open by a shield.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_sync::cancel::Node;
    ///
    /// let outer = Node::root();
    /// let inner = outer.child();
    /// inner.set_shielded(true);
    /// outer.cancel("outside".into());
    /// assert!(!inner.is_cancelled());
    /// inner.set_shielded(false);
    /// assert_eq!(inner.reason().unwrap().text(), "outside");
    /// ```
    pub fn set_shielded(&self, shielded: bool) {
        self.inner.set_shielded(shielded);
    }

    /// Whether there is a shield before this node.
    #[must_use]
    pub fn is_shielded(&self) -> bool {
        self.inner.is_shielded()
    }

    /// Sets this node's own deadline, or takes it away.
    ///
    /// Only [`cancel_due`](Node::cancel_due) makes it count. Whoever waits here
    /// or below is woken to look again. On a cancelled node it has no effect.
    #[track_caller]
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.set_deadline_of(deadline, Location::caller());
    }

    /// [`set_deadline`](Node::set_deadline) for somebody else, whose line the reason
    /// then names.
    pub fn set_deadline_of(&self, deadline: Option<Instant>, location: &'static Location<'static>) {
        self.inner.set_deadline(deadline.map(|at| (at, location)));
    }

    /// This node's own deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.inner.deadline()
    }

    /// The earliest deadline of this node and of its ancestors up to the first
    /// shield; for an open node, since one that is cancelled has no use for it
    /// and is not told of new ones.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use wakeline_sync::cancel::Node;
    ///
    /// let (soon, later) = (Instant::now(), Instant::now() + Duration::from_secs(9));
    /// let outer = Node::root();
    /// let inner = outer.child();
    /// outer.set_deadline(Some(soon));
    /// inner.set_deadline(Some(later));
    /// assert_eq!(inner.effective_deadline(), Some(soon));
    /// inner.set_shielded(true);
    /// assert_eq!(inner.effective_deadline(), Some(later));
    /// ```
    #[must_use]
    pub fn effective_deadline(&self) -> Option<Instant> {
        self.inner.effective_deadline()
    }

    /// Whether a deadline was ever set here or above; if not, there is no need
    /// for a clock. Costs one load.
    #[must_use]
    #[inline]
    pub fn has_clock(&self) -> bool {
        self.inner.has_clock()
    }

    /// Cancels what has its deadline at or before `now`, and tells whether this
    /// node is cancelled.
    ///
    /// Of this node and its ancestors up to the first shield, the outermost that
    /// is due is cancelled, with [`Cause::Deadline`](wakeline_context::Cause),
    /// and with it all below.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use wakeline_sync::cancel::Node;
    ///
    /// let start = Instant::now();
    /// let outer = Node::root();
    /// outer.set_deadline(Some(start + Duration::from_secs(1)));
    /// let inner = outer.child();
    /// assert!(!inner.cancel_due(start));
    /// assert!(inner.cancel_due(start + Duration::from_secs(1)));
    /// assert!(outer.is_cancelled(), "it was the outer one's deadline");
    /// ```
    pub fn cancel_due(&self, now: Instant) -> bool {
        self.is_cancelled() || (self.has_clock() && self.inner.cancel_due(now))
    }

    /// Whether both are the same node.
    #[must_use]
    pub fn ptr_eq(&self, other: &Node) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// A number that no other living node has: for messages and dumps.
    #[must_use]
    pub fn id(&self) -> u64 {
        Arc::as_ptr(&self.inner).addr() as u64
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &format_args!("{:#x}", self.id()))
            .field("reason", &self.reason())
            .field("shielded", &self.is_shielded())
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
