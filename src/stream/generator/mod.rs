//! `gen_stream`: an async block that emits, as a stream.
//!
//! ```text
//!   poll_next                          the body
//!   ─────────                          ────────
//!   polls the body ───────────────────▶ runs on from its last `emit`
//!                                       y.emit(v): v is put into the slot
//!   takes v out of the slot ◀────────── Pending
//!   Ready(Some(v))
//!         …the next poll_next ────────▶ `emit` sees the slot empty: Ready
//! ```
//!
//! The body runs inside of `poll_next` and nowhere else: it starts with the first
//! and is at an `await` between two of them. So a slow consumer holds it up
//! (back-pressure), and dropping the stream drops the body where it stands, with
//! what it owns, at once. What the body puts in force around its polls, such as
//! a cancel token, is not in force in the consumer.
//!
//! `slot.rs` has what stands between the two.

mod line;
mod slot;

pub use slot::{Emit, Emitter};

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use crate::future::__support::{poll_budget, spend};
use slot::Slot;

/// A stream of what an async block emits.
///
/// `body` is called at the first poll. The stream ends when it does, and stays
/// ended. An item of which the `emit` is awaited is given before the body goes on.
///
/// # Cancellation
///
/// Dropping the stream drops the body at the `await` where it stands; that runs
/// the destructors of what it owns, once, and nothing else of it. For cleanup
/// that has to await, let the body own a guard of a scope.
///
/// # Example
///
/// ```
/// use wakeline::stream::{StreamExt, gen_stream};
///
/// wakeline::block_on(async {
///     let mut countdown = gen_stream(|y| async move {
///         for n in (1..=3).rev() {
///             y.emit(n).await;
///         }
///     });
///     let mut seen = Vec::new();
///     while let Some(n) = countdown.next().await {
///         seen.push(n);
///     }
///     assert_eq!(seen, [3, 2, 1]);
/// });
/// ```
pub fn gen_stream<T, B, F>(body: B) -> GenStream<T, B, F>
where
    B: FnOnce(Emitter<T>) -> F,
    F: Future<Output = ()>,
{
    GenStream {
        generator: Generator::new(body),
    }
}

/// A stream of what an async block emits, and of the error with which it ends.
///
/// Items come as `Ok`. If the body returns an error, that comes after the items
/// that were emitted before, as `Err`, and then the stream ends. Else like
/// [`gen_stream`].
///
/// # Cancellation
///
/// As [`gen_stream`].
///
/// # Example
///
/// ```
/// use wakeline::stream::{StreamExt, try_gen_stream};
///
/// wakeline::block_on(async {
///     let numbers = try_gen_stream(|y| async move {
///         for word in ["1", "2", "three", "4"] {
///             y.emit(word.parse::<u8>()?).await;
///         }
///         Ok::<(), std::num::ParseIntError>(())
///     });
///     let read: Vec<_> = numbers.collect().await;
///     assert_eq!(read.len(), 3);
///     assert!(read[2].is_err());
/// });
/// ```
pub fn try_gen_stream<T, E, B, F>(body: B) -> TryGenStream<T, B, F>
where
    B: FnOnce(Emitter<T>) -> F,
    F: Future<Output = Result<(), E>>,
{
    TryGenStream {
        generator: Generator::new(body),
    }
}

/// The stream of [`gen_stream`].
#[must_use = "the body does not run until the stream is polled"]
pub struct GenStream<T, B, F: Future<Output = ()>> {
    generator: Generator<T, B, F>,
}

/// The stream of [`try_gen_stream`].
#[must_use = "the body does not run until the stream is polled"]
pub struct TryGenStream<T, B, F: Future> {
    generator: Generator<T, B, F>,
}

/// A body, and what is between it and the consumer.
struct Generator<T, B, F: Future> {
    slot: Arc<Slot<T>>,
    body: Body<B, F>,
}

/// ```text
///   New ──1──▶ Runs ──2──▶ Over ──3──▶ Ended
/// ```
/// 1 the first poll; 2 the body is done, and dropped; 3 its output was given
enum Body<B, F: Future> {
    New(B),
    Runs(Pin<Box<F>>),
    Over(F::Output),
    Ended,
}

/// What a poll of a body gives.
enum Step<T, O> {
    Item(T),
    Output(O),
    /// There is no more.
    Ended,
}

impl<T, B, F> Generator<T, B, F>
where
    B: FnOnce(Emitter<T>) -> F,
    F: Future,
{
    fn new(body: B) -> Generator<T, B, F> {
        Generator {
            slot: Arc::new(Slot::new()),
            body: Body::New(body),
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step<T, F::Output>> {
        if let Body::New(_) = self.body
            && let Body::New(body) = std::mem::replace(&mut self.body, Body::Ended)
        {
            let emitter = Emitter::new(Arc::clone(&self.slot));
            self.body = Body::Runs(Box::pin(body(emitter)));
        }
        if let Body::Runs(_) = self.body {
            // A body that never waits must not keep a loop over it in one poll.
            ready!(poll_budget(cx));
        }
        // Taken out while it runs: one that panics is dropped, and the stream ends.
        let body = std::mem::replace(&mut self.body, Body::Ended);
        if let Body::Runs(mut body) = body {
            self.slot.begin();
            let Poll::Ready(output) = body.as_mut().poll(cx) else {
                self.body = Body::Runs(body);
                let item = ready!(self.slot.poll_take(cx));
                spend(cx);
                return Poll::Ready(Step::Item(item));
            };
            drop(body);
            // Its destructors have run, before the last item.
            return Poll::Ready(match self.slot.close() {
                Some(item) => {
                    self.body = Body::Over(output);
                    Step::Item(item)
                }
                None => Step::Output(output),
            });
        }
        Poll::Ready(match body {
            Body::Over(output) => Step::Output(output),
            _ => {
                // After a panic there may be an `emit` in another task.
                drop(self.slot.close());
                Step::Ended
            }
        })
    }

    fn is_ended(&self) -> bool {
        matches!(self.body, Body::Ended)
    }
}

impl<T, B, F: Future> Drop for Generator<T, B, F> {
    /// No consumer is left: an `emit` in another task must not wait for one.
    fn drop(&mut self) {
        drop(self.slot.close());
    }
}

impl<T, B, F: Future<Output = ()>> Unpin for GenStream<T, B, F> {}
impl<T, B, F: Future> Unpin for TryGenStream<T, B, F> {}

impl<T, B, F> Stream for GenStream<T, B, F>
where
    B: FnOnce(Emitter<T>) -> F,
    F: Future<Output = ()>,
{
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(match ready!(self.generator.poll_step(cx)) {
            Step::Item(item) => Some(item),
            Step::Output(()) | Step::Ended => None,
        })
    }
}

impl<T, E, B, F> Stream for TryGenStream<T, B, F>
where
    B: FnOnce(Emitter<T>) -> F,
    F: Future<Output = Result<(), E>>,
{
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(self.generator.poll_step(cx)) {
            Step::Item(item) => Some(Ok(item)),
            Step::Output(Err(error)) => Some(Err(error)),
            Step::Output(Ok(())) | Step::Ended => None,
        })
    }
}

impl<T, B, F> FusedStream for GenStream<T, B, F>
where
    B: FnOnce(Emitter<T>) -> F,
    F: Future<Output = ()>,
{
    fn is_terminated(&self) -> bool {
        self.generator.is_ended()
    }
}

impl<T, E, B, F> FusedStream for TryGenStream<T, B, F>
where
    B: FnOnce(Emitter<T>) -> F,
    F: Future<Output = Result<(), E>>,
{
    fn is_terminated(&self) -> bool {
        self.generator.is_ended()
    }
}

impl<B, F: Future> Body<B, F> {
    fn describe(&self) -> &'static str {
        match self {
            Body::New(_) => "new",
            Body::Runs(_) => "runs",
            Body::Over(_) => "over",
            Body::Ended => "ended",
        }
    }
}

impl<T, B, F: Future<Output = ()>> fmt::Debug for GenStream<T, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenStream")
            .field("body", &self.generator.body.describe())
            .finish_non_exhaustive()
    }
}

impl<T, B, F: Future> fmt::Debug for TryGenStream<T, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryGenStream")
            .field("body", &self.generator.body.describe())
            .finish_non_exhaustive()
    }
}
