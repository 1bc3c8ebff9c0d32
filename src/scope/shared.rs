//! What a scope's handles and its driver share.
//!
//! Handles put things in (children, finalizers of dropped guards); the driver
//! takes them out when it polls. Neither polls nor drops anything of the user's
//! under the lock.
//!
//! `F` is the boxed future of a child: with `Send` for a scope, without for a
//! local one. It carries the lifetime of what the children borrow.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex};

use wakeline_context::{Cause, Reason};
use wakeline_executor::debug::finalizer_dropped;

use super::adopt::{Orphan, Owned, adopt};
use super::link::{Link, lock};
use super::member::Kind;

pub(super) struct Core<F, E> {
    pub(super) link: Arc<Link>,
    inner: Mutex<Inner<F, E>>,
}

struct Inner<F, E> {
    /// The driver has left: nothing is taken in any more.
    closed: bool,
    arrivals: VecDeque<Arrival<F, E>>,
    finalizers: VecDeque<Finalizer<F>>,
    /// Starts in progress, which keep the scope open.
    holds: usize,
    is_cancellation: Option<fn(&E) -> bool>,
}

/// A child that the driver has not seen yet.
pub(super) struct Arrival<F, E> {
    pub(super) id: u64,
    pub(super) kind: Kind<F, E>,
}

/// The finalizer of a guard that was dropped.
pub(super) struct Finalizer<F> {
    /// The child whose guard it was.
    pub(super) origin: u64,
    pub(super) location: &'static Location<'static>,
    /// It was asked for by itself, and its handle may end it.
    pub(super) shield: bool,
    pub(super) work: Work<F>,
}

/// What type it has tells what may become of it when the scope is dropped from
/// outside.
pub(super) enum Work<F> {
    /// It borrows: it goes with the scope.
    Borrowed(F),
    /// It can be handed upward.
    Owned(Owned),
}

/// What the driver takes out.
pub(super) struct News<F, E> {
    pub(super) arrivals: VecDeque<Arrival<F, E>>,
    pub(super) finalizers: VecDeque<Finalizer<F>>,
}

impl<F, E> Core<F, E> {
    pub(super) fn new(link: Arc<Link>) -> Core<F, E> {
        Core {
            link,
            inner: Mutex::new(Inner {
                closed: false,
                arrivals: VecDeque::new(),
                finalizers: VecDeque::new(),
                holds: 0,
                is_cancellation: None,
            }),
        }
    }

    /// Why no child is taken in, if so: `Some(None)` means the scope has ended.
    pub(super) fn refusal(&self) -> Option<Option<Reason>> {
        if let Some(reason) = self.link.reason() {
            return Some(Some(reason));
        }
        lock(&self.inner).closed.then_some(None)
    }

    /// Takes a child in; gives it back if the scope has ended.
    pub(super) fn admit(&self, arrival: Arrival<F, E>) -> Result<(), Arrival<F, E>> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Err(arrival);
        }
        inner.arrivals.push_back(arrival);
        drop(inner);
        self.link.wake();
        Ok(())
    }

    /// Takes a finalizer in. After the end of the scope one that borrows is
    /// dropped here, and one that does not goes upward.
    pub(super) fn finalize(&self, finalizer: Finalizer<F>) {
        let mut inner = lock(&self.inner);
        if !inner.closed {
            inner.finalizers.push_back(finalizer);
            drop(inner);
            self.link.wake();
            return;
        }
        drop(inner);
        match finalizer.work {
            Work::Borrowed(work) => {
                self.tell_dropped(finalizer.location);
                drop(work);
            }
            Work::Owned(work) => self.adopt(VecDeque::from([work]), finalizer.location),
        }
    }

    /// The finalizer of the guard that was made there will not go on.
    pub(super) fn tell_dropped(&self, made_at: &'static Location<'static>) {
        let reason = self.link.reason();
        let reason = reason.unwrap_or_else(|| Reason::at(Cause::Dropped, self.link.location));
        finalizer_dropped(made_at, reason);
    }

    /// Hands finalizers of one child upward, with the time they would have had.
    pub(super) fn adopt(&self, works: VecDeque<Owned>, location: &'static Location<'static>) {
        let until = self.link.cleanup_until();
        adopt(&self.link, Orphan::in_order(works, until, location));
    }

    /// Keeps the scope open until the result is dropped; `None` if it has ended.
    pub(super) fn hold(self: &Arc<Self>) -> Option<Hold<F, E>> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return None;
        }
        inner.holds += 1;
        drop(inner);
        Some(Hold {
            core: Arc::clone(self),
        })
    }

    pub(super) fn is_held(&self) -> bool {
        lock(&self.inner).holds > 0
    }

    pub(super) fn set_cancellation(&self, is_cancellation: fn(&E) -> bool) {
        lock(&self.inner).is_cancellation = Some(is_cancellation);
    }

    pub(super) fn is_cancellation(&self, error: &E) -> bool {
        let is_cancellation = lock(&self.inner).is_cancellation;
        is_cancellation.is_some_and(|is_cancellation| is_cancellation(error))
    }

    pub(super) fn has_arrivals_or_finalizers(&self) -> bool {
        let inner = lock(&self.inner);
        !inner.arrivals.is_empty() || !inner.finalizers.is_empty()
    }

    pub(super) fn has_news(&self) -> bool {
        self.has_arrivals_or_finalizers() || self.link.has_aborts() || !self.link.orphans.is_empty()
    }

    pub(super) fn take_news(&self) -> News<F, E> {
        let mut inner = lock(&self.inner);
        News {
            arrivals: std::mem::take(&mut inner.arrivals),
            finalizers: std::mem::take(&mut inner.finalizers),
        }
    }

    /// Closes the scope, if there is nothing left that it has to see to.
    pub(super) fn close_if_done(&self) -> bool {
        let mut inner = lock(&self.inner);
        let busy = inner.holds > 0 || !inner.arrivals.is_empty() || !inner.finalizers.is_empty();
        if busy || self.link.orphans.close_if_empty().is_err() {
            return false;
        }
        inner.closed = true;
        self.link.close_aborts();
        true
    }

    /// Closes the scope as it is.
    pub(super) fn close(&self) -> News<F, E> {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        drop(inner);
        self.link.close_aborts();
        self.take_news()
    }
}

impl<F, E> fmt::Debug for Core<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

/// Keeps a scope open.
pub(super) struct Hold<F, E> {
    pub(super) core: Arc<Core<F, E>>,
}

impl<F, E> Drop for Hold<F, E> {
    fn drop(&mut self) {
        lock(&self.core.inner).holds -= 1;
        self.core.link.wake();
    }
}

/// Why a child that was dropped has no value; `location` is who aborted it.
pub(super) fn reason_of(link: &Link, location: &'static Location<'static>) -> Reason {
    let reason = link.token().reason();
    reason.unwrap_or_else(|| Reason::at(Cause::Aborted, location))
}
