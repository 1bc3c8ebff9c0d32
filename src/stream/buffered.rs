//! `buffered` and `buffer_unordered`: so many futures of a stream at once.
//!
//! ```text
//!   stream of futures ──▶ group of at most n ──▶ outputs
//! ```
//! A poll first fills the group, then polls those of it that were woken.
//! `buffered` keeps outputs that came too early; they count towards the limit,
//! so a slow first one holds up at most n. A panic is an output there, too, and
//! goes on at its turn: else those behind it would wait for it for ever.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;

use futures_core::Stream;
use pin_project_lite::pin_project;
use wakeline_context::quietly;

use crate::future::Group;

pin_project! {
    /// Takes futures from a stream while there is room for them.
    struct Source<S> {
        // None when it has ended.
        #[pin]
        stream: Option<S>,
        limit: usize,
    }
}

impl<S: Stream<Item: Future>> Source<S> {
    #[track_caller]
    fn new(stream: S, limit: usize) -> Source<S> {
        assert!(
            limit > 0,
            "a limit of zero futures at once would wait for ever"
        );
        Source {
            stream: Some(stream),
            limit,
        }
    }

    /// The next future, if one of `busy` is missing and one is there.
    fn poll_more(self: Pin<&mut Self>, cx: &mut Context<'_>, busy: usize) -> Option<S::Item> {
        let mut this = self.project();
        if busy >= *this.limit {
            return None;
        }
        match this.stream.as_mut().as_pin_mut()?.poll_next(cx) {
            Poll::Ready(Some(future)) => Some(future),
            Poll::Ready(None) => {
                this.stream.set(None);
                None
            }
            Poll::Pending => None,
        }
    }
}

pin_project! {
    /// The stream of [`FlowExt::buffer_unordered`](super::FlowExt::buffer_unordered).
    #[must_use = "streams do nothing until they are polled"]
    pub struct BufferUnordered<S: Stream> {
        #[pin]
        source: Source<S>,
        group: Group<S::Item>,
    }
}

impl<S: Stream<Item: Future>> BufferUnordered<S> {
    #[track_caller]
    pub(super) fn new(stream: S, limit: usize) -> BufferUnordered<S> {
        BufferUnordered {
            source: Source::new(stream, limit),
            group: Group::new(),
        }
    }
}

impl<S: Stream<Item: Future>> Stream for BufferUnordered<S> {
    type Item = <S::Item as Future>::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        while let Some(future) = this.source.as_mut().poll_more(cx, this.group.len()) {
            this.group.insert(0, future);
        }
        match this.group.poll_next(cx) {
            Poll::Ready(Some((_, output))) => Poll::Ready(Some(output)),
            Poll::Ready(None) if this.source.stream.is_none() => Poll::Ready(None),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

pin_project! {
    /// The stream of [`FlowExt::buffered`](super::FlowExt::buffered).
    #[must_use = "streams do nothing until they are polled"]
    pub struct Buffered<S: Stream>
    where
        S::Item: Future,
    {
        #[pin]
        source: Source<S>,
        group: Group<Caught<S::Item>>,
        outputs: InOrder<thread::Result<<S::Item as Future>::Output>>,
    }
}

pin_project! {
    /// A future of which a panic is an output, also one of its destructor: it is dropped
    /// within its last poll.
    struct Caught<F> {
        #[pin]
        future: Option<F>,
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = thread::Result<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut place = self.project().future;
        // Not polled again after a panic, so nobody sees it in pieces.
        let polled = catch_unwind(AssertUnwindSafe(|| match place.as_mut().as_pin_mut() {
            Some(future) => future.poll(cx),
            None => unreachable!("a group drops what is ready"),
        }));
        let output = match polled {
            Ok(polled) => Ok(ready!(polled)),
            Err(payload) => Err(payload),
        };
        let dropped = catch_unwind(AssertUnwindSafe(|| place.set(None)));
        // The first panic counts; a lost output's own destructor may panic, too.
        Poll::Ready(match (output, dropped) {
            (output, Ok(())) => output,
            (Ok(output), Err(payload)) => {
                quietly(|| drop(output));
                Err(payload)
            }
            (Err(first), Err(second)) => {
                quietly(|| drop(second));
                Err(first)
            }
        })
    }
}

/// Outputs that wait for those before them; the first is number `given`.
struct InOrder<T> {
    given: usize,
    outputs: VecDeque<Option<T>>,
}

impl<T> InOrder<T> {
    fn next(&mut self) -> Option<T> {
        let output = self.outputs.front_mut()?.take()?;
        self.outputs.pop_front();
        self.given += 1;
        Some(output)
    }
}

impl<S: Stream<Item: Future>> Buffered<S> {
    #[track_caller]
    pub(super) fn new(stream: S, limit: usize) -> Buffered<S> {
        Buffered {
            source: Source::new(stream, limit),
            group: Group::new(),
            outputs: InOrder {
                given: 0,
                outputs: VecDeque::new(),
            },
        }
    }
}

impl<S: Stream<Item: Future>> Stream for Buffered<S> {
    type Item = <S::Item as Future>::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let ordered = this.outputs;
        let source = &mut this.source;
        while let Some(future) = source.as_mut().poll_more(cx, ordered.outputs.len()) {
            let nth = ordered.given + ordered.outputs.len();
            this.group.insert(
                nth,
                Caught {
                    future: Some(future),
                },
            );
            ordered.outputs.push_back(None);
        }
        loop {
            if let Some(output) = ordered.next() {
                return match output {
                    Ok(output) => Poll::Ready(Some(output)),
                    Err(payload) => resume_unwind(payload),
                };
            }
            match this.group.poll_next(cx) {
                Poll::Ready(Some((nth, output))) => {
                    ordered.outputs[nth - ordered.given] = Some(output);
                }
                Poll::Ready(None) if source.stream.is_none() => return Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<S: Stream> fmt::Debug for BufferUnordered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferUnordered")
            .field("limit", &self.source.limit)
            .field("running", &self.group.len())
            .finish_non_exhaustive()
    }
}

impl<S: Stream<Item: Future>> fmt::Debug for Buffered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered")
            .field("limit", &self.source.limit)
            .field("running", &self.group.len())
            .finish_non_exhaustive()
    }
}
