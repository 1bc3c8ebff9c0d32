//! `Merge`: two streams as one.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

pin_project! {
    /// The stream of [`FlowExt::merge`](super::FlowExt::merge).
    #[derive(Debug)]
    #[must_use = "streams do nothing until they are polled"]
    pub struct Merge<A, B> {
        #[pin]
        a: Option<A>,
        #[pin]
        b: Option<B>,
        b_first: bool,
    }
}

impl<A, B> Merge<A, B> {
    pub(super) fn new(a: A, b: B) -> Merge<A, B> {
        Merge {
            a: Some(a),
            b: Some(b),
            b_first: false,
        }
    }
}

/// An item; a stream that has ended is dropped and not polled again.
fn poll_one<S: Stream>(
    mut stream: Pin<&mut Option<S>>,
    cx: &mut Context<'_>,
    ended: &mut bool,
) -> Poll<S::Item> {
    let Some(running) = stream.as_mut().as_pin_mut() else {
        return Poll::Pending;
    };
    match running.poll_next(cx) {
        Poll::Ready(Some(item)) => Poll::Ready(item),
        Poll::Ready(None) => {
            stream.set(None);
            Poll::Pending
        }
        Poll::Pending => {
            *ended = false;
            Poll::Pending
        }
    }
}

impl<A: Stream, B: Stream<Item = A::Item>> Stream for Merge<A, B> {
    type Item = A::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<A::Item>> {
        let mut this = self.project();
        let mut ended = true;
        // Each poll begins with the other one: neither starves.
        *this.b_first = !*this.b_first;
        for b in [!*this.b_first, *this.b_first] {
            let polled = if b {
                poll_one(this.b.as_mut(), cx, &mut ended)
            } else {
                poll_one(this.a.as_mut(), cx, &mut ended)
            };
            if let Poll::Ready(item) = polled {
                return Poll::Ready(Some(item));
            }
        }
        if ended {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (a_least, a_most) = self.a.as_ref().map_or((0, Some(0)), Stream::size_hint);
        let (b_least, b_most) = self.b.as_ref().map_or((0, Some(0)), Stream::size_hint);
        let most = a_most.zip(b_most).and_then(|(a, b)| a.checked_add(b));
        (a_least.saturating_add(b_least), most)
    }
}
