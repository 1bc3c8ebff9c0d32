//! `Group`: the futures of a call, each with its index.
//!
//! A thin layer over the set of children that polls only those that were woken
//! (`wakeline_sync::children`): a box and a waker a future, also for a group of
//! three. A second way for small groups, without wakers, was left out: it would
//! save an allocation a future and poll all of them on each wake, and the
//! macros are there for small groups.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use wakeline_context::chance;
use wakeline_sync::children::{Children, resume_first};

/// Futures that run in turns; each output comes with the index of its future.
pub(crate) struct Group<F> {
    children: Children<Indexed<F>>,
    /// The call that it belongs to has given its output.
    over: bool,
}

/// A future that knows which one it is.
struct Indexed<F> {
    index: usize,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Indexed<F> {
    type Output = (usize, F::Output);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let output = ready!(self.future.as_mut().poll(cx));
        Poll::Ready((self.index, output))
    }
}

impl<F> Group<F> {
    pub(crate) fn new() -> Group<F> {
        Group {
            children: Children::new(),
            over: false,
        }
    }

    /// All futures, numbered, in their order.
    pub(crate) fn collect<I>(futures: I) -> Group<F>
    where
        I: IntoIterator,
        I::Item: IntoFuture<IntoFuture = F>,
    {
        let mut group = Group::new();
        for (index, future) in futures.into_iter().enumerate() {
            group.insert(index, future.into_future());
        }
        group
    }

    /// As [`collect`](Group::collect), but the first to be polled is drawn.
    pub(crate) fn collect_from_any<I>(futures: I) -> Group<F>
    where
        I: IntoIterator,
        I::Item: IntoFuture<IntoFuture = F>,
    {
        let mut futures: Vec<_> = futures.into_iter().enumerate().collect();
        let first = chance::below(futures.len());
        futures.rotate_left(first);
        let mut group = Group::new();
        for (index, future) in futures {
            group.insert(index, future.into_future());
        }
        group
    }

    pub(crate) fn insert(&mut self, index: usize, future: F) {
        let future = Box::pin(future);
        self.children.insert(Indexed { index, future });
    }

    /// How many are not done.
    pub(crate) fn len(&self) -> usize {
        self.children.len()
    }

    /// Ends the call: drops those that are not done; if one panics in that, so
    /// does this, after all are gone.
    pub(crate) fn end(&mut self) {
        self.over = true;
        resume_first(self.children.drop_all());
    }
}

impl<F: Future> Group<F> {
    /// The next output, in the order of the wakes; none if there is no future.
    ///
    /// # Panics
    ///
    /// With the panic of a future, which is dropped then; the others stay. And
    /// after [`end`](Group::end).
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, F::Output)>> {
        assert!(!self.over, "a future was polled after it was ready");
        let next = ready!(self.children.poll_next(cx));
        Poll::Ready(next.map(|(_, output)| match output {
            Ok(output) => output,
            Err(payload) => resume_unwind(payload),
        }))
    }
}
