//! `CancelToken`: a node of the tree, and the clock it is measured by.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wakeline_context::{AnyToken, Cause, Reason};
use wakeline_sync::cancel::Node;

use super::{Cancelled, UntilCancelled};
use crate::time;

/// Tells code to stop, and why; clones are the same token.
///
/// A [child](CancelToken::child) is cancelled with its parent, never the other
/// way round. A cancelled token stays cancelled, for its first reason.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use wakeline::{CancelToken, time};
///
/// wakeline::block_on(async {
///     let server = CancelToken::new();
///     let request = server.child();
///     let task = wakeline::spawn(async move { request.cancelled().await });
///     server.cancel("restart");
///     let reason = task.await.expect("no panic");
///     assert_eq!(reason.text(), "restart");
/// });
/// ```
#[derive(Clone)]
#[must_use = "a token that nobody holds cancels nothing"]
pub struct CancelToken {
    node: Node,
}

impl CancelToken {
    /// A token with no parent.
    pub fn new() -> CancelToken {
        CancelToken::from_node(Node::root())
    }

    pub(crate) fn from_node(node: Node) -> CancelToken {
        CancelToken { node }
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// As the thread's ambient token has it: see `current_token`.
    pub(crate) fn to_any(&self) -> AnyToken {
        Arc::new(self.node.clone())
    }

    /// A token below this one; of a cancelled token the child is cancelled, too.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::CancelToken;
    ///
    /// let parent = CancelToken::new();
    /// let (one, two) = (parent.child(), parent.child());
    /// one.cancel("alone");
    /// assert!(!parent.is_cancelled() && !two.is_cancelled());
    /// parent.cancel("all");
    /// assert!(two.is_cancelled());
    /// assert_eq!(one.reason().unwrap().text(), "alone", "the first reason stays");
    /// ```
    pub fn child(&self) -> CancelToken {
        CancelToken::from_node(self.node.child())
    }

    /// A token below this one that [does not hear it](CancelToken::set_shielded):
    /// open also where this one is cancelled.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::CancelToken;
    ///
    /// let job = CancelToken::new();
    /// job.cancel("over");
    /// let cleanup = job.shielded_child();
    /// cleanup.set_timeout(Duration::from_secs(1)); // its own limit counts
    /// assert!(!cleanup.is_cancelled());
    /// ```
    pub fn shielded_child(&self) -> CancelToken {
        CancelToken::from_node(self.node.shielded_child())
    }

    /// Cancels this token and all below that no shield protects; whether this
    /// call did it.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// assert!(token.cancel("first"));
    /// assert!(!token.cancel(format!("second of {}", 2)));
    /// assert_eq!(token.reason().unwrap().text(), "first");
    /// ```
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        // A deadline that has passed was first, also if nobody has looked.
        !self.is_cancelled() && self.node.cancel(reason.into())
    }

    /// Whether this token is cancelled, or its deadline has passed.
    #[must_use]
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled() || (self.node.has_clock() && self.node.cancel_due(time::now()))
    }

    /// Why this token is cancelled, if it is.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        if self.is_cancelled() {
            self.node.reason()
        } else {
            None
        }
    }

    /// An error if this token is cancelled.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], with the reason.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// assert!(token.check().is_ok());
    /// token.cancel("stop");
    /// assert!(token.check().is_err());
    /// ```
    pub fn check(&self) -> Result<(), Cancelled> {
        self.reason()
            .map_or(Ok(()), |reason| Err(Cancelled::new(reason)))
    }

    /// Waits until this token is cancelled or its deadline passes, and says why;
    /// ready at once if it is so, each time.
    ///
    /// # Panics
    ///
    /// The future panics where it is polled with no runtime on the thread, if
    /// the token has a deadline.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::{CancelToken, cancel::Cause};
    ///
    /// let reason = wakeline::block_on(async {
    ///     let token = CancelToken::new().with_timeout(Duration::from_millis(1));
    ///     token.cancelled().await
    /// });
    /// assert_eq!(reason.cause(), Cause::Deadline);
    /// ```
    #[track_caller]
    pub fn cancelled(&self) -> UntilCancelled {
        UntilCancelled::new(self.node.clone(), Location::caller())
    }

    /// The deadline that counts: the earliest of this token and of those above,
    /// up to the first shield.
    ///
    /// For a cancelled token it is the present moment: whatever is started now
    /// is too late.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::{CancelToken, time};
    ///
    /// let (soon, later) = (Duration::from_secs(1), Duration::from_secs(60));
    /// let outer = CancelToken::new().with_timeout(soon);
    /// let inner = outer.with_timeout(later);
    /// assert_eq!(inner.deadline(), outer.deadline());
    /// inner.cancel("now");
    /// assert!(inner.deadline().unwrap() <= time::now());
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.is_cancelled() {
            return Some(time::now());
        }
        self.node.effective_deadline()
    }

    /// A child of this token with a deadline of its own.
    #[track_caller]
    pub fn with_deadline(&self, deadline: Instant) -> CancelToken {
        let child = self.child();
        child.set_deadline(Some(deadline));
        child
    }

    /// A child of this token whose deadline is so long after this call; never,
    /// where that is beyond what the clock can tell.
    #[track_caller]
    pub fn with_timeout(&self, limit: Duration) -> CancelToken {
        let child = self.child();
        child.set_timeout(limit);
        child
    }

    /// Sets this token's own deadline: earlier, later, or `None` for never.
    ///
    /// It counts at once for those who wait here or below. A deadline in the
    /// past cancels the token at the next look. On a token that is cancelled, or
    /// whose deadline has passed, it has no effect.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakeline::{CancelToken, time};
    ///
    /// let token = CancelToken::new();
    /// token.set_deadline(Some(time::now()));
    /// token.set_deadline(None); // too late
    /// assert!(token.is_cancelled());
    /// ```
    #[track_caller]
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.set_deadline_of(deadline, Location::caller());
    }

    /// As [`set_deadline`](CancelToken::set_deadline), for who is at this line.
    pub(crate) fn set_deadline_of(
        &self,
        deadline: Option<Instant>,
        location: &'static Location<'static>,
    ) {
        if !self.is_cancelled() {
            self.node.set_deadline_of(deadline, location);
        }
    }

    /// [`set_deadline`](CancelToken::set_deadline) so long after this call;
    /// never, where that is beyond what the clock can tell.
    #[track_caller]
    pub fn set_timeout(&self, limit: Duration) {
        self.set_deadline(time::now().checked_add(limit));
    }

    /// Puts a shield before this token, or takes it off.
    ///
    /// A shielded token does not hear those above it, nor their deadlines; it
    /// still honours its own. Taking the shield off below a cancelled token
    /// cancels it now. Nothing that is cancelled becomes open by a shield.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::CancelToken;
    ///
    /// let request = CancelToken::new();
    /// let commit = request.child();
    /// commit.set_shielded(true);
    /// request.cancel("the client went away");
    /// assert!(!commit.is_cancelled(), "it may finish");
    /// commit.set_shielded(false);
    /// assert!(commit.is_cancelled());
    /// ```
    pub fn set_shielded(&self, shielded: bool) {
        // Behind a shield nothing from above counts; up to now it did.
        if !self.is_cancelled() {
            self.node.set_shielded(shielded);
        }
    }

    /// A guard that cancels this token when it is dropped.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::{CancelToken, cancel::Cause};
    ///
    /// let token = CancelToken::new();
    /// let helper = token.child();
    /// {
    ///     let _guard = token.drop_guard();
    ///     assert!(!helper.is_cancelled());
    /// }
    /// assert_eq!(helper.reason().unwrap().cause(), Cause::Dropped);
    /// ```
    #[track_caller]
    pub fn drop_guard(self) -> DropGuard {
        DropGuard {
            token: Some(self),
            location: Location::caller(),
        }
    }
}

impl Default for CancelToken {
    fn default() -> CancelToken {
        CancelToken::new()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("id", &format_args!("{:#x}", self.node.id()))
            .field("reason", &self.node.reason())
            .field("shielded", &self.node.is_shielded())
            .field("deadline", &self.node.deadline())
            .finish()
    }
}

/// Cancels a token when it is dropped, with
/// [`Cause::Dropped`](super::Cause::Dropped).
#[derive(Debug)]
#[must_use = "dropping the guard cancels the token"]
pub struct DropGuard {
    token: Option<CancelToken>,
    location: &'static Location<'static>,
}

impl DropGuard {
    /// Gives the token back, and cancels nothing.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::CancelToken;
    ///
    /// let token = CancelToken::new().drop_guard().disarm();
    /// assert!(!token.is_cancelled());
    /// ```
    pub fn disarm(mut self) -> CancelToken {
        match self.token.take() {
            Some(token) => token,
            None => unreachable!("only this method and the drop take it"),
        }
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            token.cancel(Reason::at(Cause::Dropped, self.location));
        }
    }
}
