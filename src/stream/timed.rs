//! Adapters that know the time.
//!
//! Their timers are polled outside of the budget of the poll, as a timeout's: a
//! stream that uses it up must not thereby escape its limit. But it gets a poll more
//! (`budget::GiveUp`), as it may have the item that is waited for.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;
use wakeline_context::budget;

use crate::future::__support::{poll_budget, spend};
use crate::time::{Elapsed, Sleep, sleep};

/// A timer that runs or does not.
#[derive(Debug)]
struct Limit {
    after: Duration,
    running: Option<Sleep>,
    end: budget::GiveUp,
    location: &'static Location<'static>,
}

impl Limit {
    #[track_caller]
    fn new(after: Duration) -> Limit {
        Limit {
            after,
            running: None,
            end: budget::GiveUp::default(),
            location: Location::caller(),
        }
    }

    fn stop(&mut self) {
        self.running = None;
        self.end = budget::GiveUp::default();
    }

    /// Starts it, unless it runs.
    fn start(&mut self) {
        let (after, location) = (self.after, self.location);
        self.running
            .get_or_insert_with(|| sleep(after).with_location(location));
    }

    /// Ready, and stopped, once it has passed; pending if it does not run.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timer) = &mut self.running else {
            return Poll::Pending;
        };
        ready!(budget::unlimited(|| Pin::new(timer).poll(cx)));
        ready!(self.end.poll(cx));
        self.stop();
        Poll::Ready(())
    }
}

pin_project! {
    /// The stream of [`FlowExt::throttle`](super::FlowExt::throttle).
    #[derive(Debug)]
    #[must_use = "streams do nothing until they are polled"]
    pub struct Throttle<S> {
        #[pin]
        stream: S,
        pause: Limit,
    }
}

impl<S> Throttle<S> {
    #[track_caller]
    pub(super) fn new(stream: S, period: Duration) -> Throttle<S> {
        Throttle {
            stream,
            pause: Limit::new(period),
        }
    }
}

impl<S: Stream> Stream for Throttle<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if this.pause.running.is_some() {
            ready!(this.pause.poll(cx));
        }
        let next = ready!(this.stream.poll_next(cx));
        if next.is_some() && !this.pause.after.is_zero() {
            this.pause.start();
        }
        Poll::Ready(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

pin_project! {
    /// The stream of [`FlowExt::item_timeout`](super::FlowExt::item_timeout).
    #[derive(Debug)]
    #[must_use = "streams do nothing until they are polled"]
    pub struct ItemTimeout<S> {
        #[pin]
        stream: S,
        limit: Limit,
        // The limit has passed and was reported: wait for the item without one.
        reported: bool,
    }
}

impl<S> ItemTimeout<S> {
    #[track_caller]
    pub(super) fn new(stream: S, limit: Duration) -> ItemTimeout<S> {
        ItemTimeout {
            stream,
            limit: Limit::new(limit),
            reported: false,
        }
    }
}

impl<S: Stream> Stream for ItemTimeout<S> {
    type Item = Result<S::Item, Elapsed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if let Poll::Ready(next) = this.stream.poll_next(cx) {
            this.limit.stop();
            *this.reported = false;
            return Poll::Ready(next.map(Ok));
        }
        if *this.reported {
            return Poll::Pending;
        }
        this.limit.start();
        ready!(this.limit.poll(cx));
        *this.reported = true;
        Poll::Ready(Some(Err(Elapsed::at(this.limit.location))))
    }
}

pin_project! {
    /// The stream of [`FlowExt::chunks_timeout`](super::FlowExt::chunks_timeout).
    #[derive(Debug)]
    #[must_use = "streams do nothing until they are polled"]
    pub struct ChunksTimeout<S: Stream> {
        // None when it has ended.
        #[pin]
        stream: Option<S>,
        chunk: Vec<S::Item>,
        most: usize,
        limit: Limit,
    }
}

impl<S: Stream> ChunksTimeout<S> {
    #[track_caller]
    pub(super) fn new(stream: S, most: usize, limit: Duration) -> ChunksTimeout<S> {
        assert!(most > 0, "a chunk of no items would never be full");
        ChunksTimeout {
            stream: Some(stream),
            chunk: Vec::new(),
            most,
            limit: Limit::new(limit),
        }
    }
}

impl<S: Stream> Stream for ChunksTimeout<S> {
    type Item = Vec<S::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        let mut this = self.project();
        while let Some(stream) = this.stream.as_mut().as_pin_mut() {
            // A stream that never waits must not keep the time from passing.
            let polled = match poll_budget(cx) {
                Poll::Ready(()) => stream.poll_next(cx),
                Poll::Pending => Poll::Pending,
            };
            match polled {
                Poll::Ready(Some(item)) => {
                    spend(cx);
                    this.limit.start();
                    this.chunk.push(item);
                    if this.chunk.len() == *this.most {
                        this.limit.stop();
                        return Poll::Ready(Some(std::mem::take(this.chunk)));
                    }
                }
                Poll::Ready(None) => this.stream.set(None),
                Poll::Pending => {
                    ready!(this.limit.poll(cx));
                    return Poll::Ready(Some(std::mem::take(this.chunk)));
                }
            }
        }
        this.limit.stop();
        let last = std::mem::take(this.chunk);
        Poll::Ready((!last.is_empty()).then_some(last))
    }
}
