//! One future in a scope's set: it runs, and is dropped, with the scope's token
//! in force and with its place known.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wakeline_context::{AnyToken, Cause, Reason, install_token};

use super::adopt::Owned;
use super::link::{Link, Runs, enter};
use super::task_child::TaskChild;

/// The token in force for some code, and whose code it is.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) token: AnyToken,
    pub(super) link: Arc<Link>,
    pub(super) id: u64,
    pub(super) runs: Runs,
}

impl Place {
    /// Of a child that runs elsewhere than in the scope's poll.
    pub(super) fn elsewhere(link: &Arc<Link>, id: u64, runs: Runs) -> Place {
        Place {
            token: link.token().to_any(),
            link: Arc::clone(link),
            id,
            runs,
        }
    }

    pub(super) fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        let _token = install_token(Some(Arc::clone(&self.token)));
        let _here = enter(&self.link, self.id, self.runs);
        f()
    }
}

/// `T` in its place: what polls or drops it does so there.
pub(super) struct Placed<T> {
    inner: Option<T>,
    place: Place,
}

impl<T> Placed<T> {
    pub(super) fn new(inner: T, place: Place) -> Placed<T> {
        Placed {
            inner: Some(inner),
            place,
        }
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut T> {
        self.inner.as_mut()
    }

    /// It is dropped next, on request of who is at this line: its destructors are told,
    /// if the scope goes on.
    pub(super) fn tell_abort(&mut self, by: &'static Location<'static>) {
        let scope = self.place.link.token();
        if !scope.is_cancelled() {
            let own = scope.child();
            own.cancel(Reason::at(Cause::Aborted, by));
            self.place.token = own.to_any();
        }
    }

    /// Out of its place; nothing is dropped.
    pub(super) fn take(mut self) -> Option<T> {
        self.inner.take()
    }
}

impl<T: Future + Unpin> Future for Placed<T> {
    type Output = T::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        let Placed { inner, place } = &mut *self;
        let inner = inner.as_mut().expect("it is taken only when it is gone");
        place.run(|| Pin::new(inner).poll(cx))
    }
}

impl<T> Drop for Placed<T> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            self.place.run(|| drop(inner));
        }
    }
}

/// What a member of the set is.
pub(super) enum Kind<F, E> {
    /// The body, or a child that runs in the scope's own task.
    Here(F),
    /// A child that has failed before it came here.
    Failed(Option<E>),
    /// A child that runs as a task, or on a thread that may block.
    Task(TaskChild<E>),
    /// A finalizer that borrows.
    Borrowed(F),
    /// One that does not, or an orphan.
    Owned(Owned),
}

/// How a member ended.
pub(super) enum End {
    Done,
    /// A task that was asked to end: it has neither a value nor an error.
    Aborted,
    /// One that was not: its runtime has ended.
    Cut,
}

impl<F, E> Future for Kind<F, E>
where
    F: Future<Output = Result<(), E>> + Unpin,
{
    type Output = Result<End, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Kind::Here(future) | Kind::Borrowed(future) => Pin::new(future)
                .poll(cx)
                .map(|result| result.map(|()| End::Done)),
            Kind::Failed(error) => Poll::Ready(error.take().map_or(Ok(End::Done), Err)),
            Kind::Task(task) => task.poll_end(cx),
            Kind::Owned(work) => work.as_mut().poll(cx).map(|()| Ok(End::Done)),
        }
    }
}

impl<F, E> Unpin for Kind<F, E> {}
