//! The futures of a rate limiter: the line, and the sleep at its front.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use wakeline_context::{Kind, waiting_on};
use wakeline_reactor::time::{Sleep, sleep};
use wakeline_sync::{Acquire, Permit};

use super::{RateLimiter, nanos};

/// The future of [`RateLimiter::acquire`] and [`RateLimiter::acquire_many`].
#[derive(Debug)]
#[must_use = "a permit is only waited for when this is awaited"]
pub struct AcquireRate<'a>(Request<'a>);

/// The future of [`RateLimiter::until_ready`].
#[derive(Debug)]
#[must_use = "the limiter is only waited for when this is awaited"]
pub struct UntilReady<'a>(Request<'a>);

/// Permits asked for, and how far that has come.
#[derive(Debug)]
pub(super) struct Request<'a> {
    limiter: &'a RateLimiter,
    permits: u32,
    state: State<'a>,
    location: &'static Location<'static>,
}

#[derive(Debug)]
enum State<'a> {
    InLine(Acquire<'a>),
    Front {
        /// Dropping it lets the next come to the front.
        _turn: Permit<'a>,
        nap: Option<Sleep>,
    },
    Done,
}

impl<'a> Request<'a> {
    #[track_caller]
    pub(super) fn new(limiter: &'a RateLimiter, permits: u32) -> Request<'a> {
        Request {
            limiter,
            permits,
            // For nothing nobody needs to stand in line.
            state: State::InLine(limiter.line.acquire_many(usize::from(permits != 0))),
            location: Location::caller(),
        }
    }

    /// Ready when `attempt` is, at the front of the line; it tells how many
    /// nanoseconds it is too early.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        attempt: impl Fn(&RateLimiter, u32) -> Result<(), u128>,
    ) -> Poll<()> {
        loop {
            match &mut self.state {
                State::InLine(turn) => match ready!(Pin::new(turn).poll(cx)) {
                    Ok(turn) => {
                        self.state = State::Front {
                            _turn: turn,
                            nap: None,
                        };
                    }
                    Err(_) => unreachable!("the line is never closed"),
                },
                State::Front { nap: Some(nap), .. } => {
                    if Pin::new(nap).poll(cx).is_pending() {
                        // Our line rather than the one of the nap.
                        waiting_on(Kind::Timer, 0, self.location);
                        return Poll::Pending;
                    }
                    self.sleep_for(None);
                }
                State::Front { nap: None, .. } => match attempt(self.limiter, self.permits) {
                    Ok(()) => {
                        self.state = State::Done;
                        return Poll::Ready(());
                    }
                    Err(wait) => {
                        let nap = sleep(nanos(wait)).with_location(self.location);
                        self.sleep_for(Some(nap));
                    }
                },
                State::Done => panic!(
                    "the acquire made at {} was polled after its end",
                    self.location
                ),
            }
        }
    }

    fn sleep_for(&mut self, next: Option<Sleep>) {
        if let State::Front { nap, .. } = &mut self.state {
            *nap = next;
        }
    }
}

impl<'a> AcquireRate<'a> {
    pub(super) fn new(request: Request<'a>) -> AcquireRate<'a> {
        AcquireRate(request)
    }
}

impl<'a> UntilReady<'a> {
    pub(super) fn new(request: Request<'a>) -> UntilReady<'a> {
        UntilReady(request)
    }
}

impl Future for AcquireRate<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx, RateLimiter::take)
    }
}

impl Future for UntilReady<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx, |limiter, permits| {
            match limiter.with_bucket(|bucket, now| bucket.wait(permits, now)) {
                0 => Ok(()),
                wait => Err(wait),
            }
        })
    }
}
