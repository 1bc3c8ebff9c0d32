//! What every future can do about cancelling: stop for it, or carry a token.
//!
//! The methods are in [`FutureExt`](crate::FutureExt); here are their futures.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use wakeline_context::{AnyToken, budget, install_token};

use super::{CancelToken, Cancelled, UntilCancelled, current_token};

pin_project! {
    /// The future of [`FutureExt::or_cancelled`](crate::FutureExt::or_cancelled).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct OrCancelled<F> {
        // Emptied before the output is returned.
        #[pin]
        inner: Option<F>,
        // Made by the first poll.
        stop: Option<UntilCancelled>,
        // The inner future was polled.
        begun: bool,
        end: budget::GiveUp,
        location: &'static Location<'static>,
    }
}

impl<F> OrCancelled<F> {
    #[track_caller]
    pub(crate) fn new(inner: F) -> OrCancelled<F> {
        OrCancelled {
            inner: Some(inner),
            stop: None,
            begun: false,
            end: budget::GiveUp::default(),
            location: Location::caller(),
        }
    }
}

impl<F: Future> Future for OrCancelled<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let location = *this.location;
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            panic!("the future made at {location} was polled after it was ready");
        };
        let stop = this
            .stop
            .get_or_insert_with(|| UntilCancelled::new(current_token().node().clone(), location));
        // Looked at first also in later polls, where it counts last: so that what
        // the future says it waits for is what remains to be read.
        let stopped = stop.poll_unlimited(cx);
        if stopped.is_pending() || *this.begun {
            *this.begun = true;
            if let Poll::Ready(output) = inner.poll(cx) {
                this.inner.set(None);
                *this.stop = None;
                return Poll::Ready(Ok(output));
            }
        }
        let reason = ready!(stopped);
        ready!(this.end.poll(cx));
        // Here, so that what it held is free before the caller sees the error.
        this.inner.set(None);
        *this.stop = None;
        Poll::Ready(Err(Cancelled::new(reason)))
    }
}

pin_project! {
    /// The future of [`FutureExt::with_token`](crate::FutureExt::with_token).
    #[must_use = "futures do nothing unless awaited"]
    pub struct WithToken<F> {
        // Emptied by the drop, with the token in force.
        #[pin]
        inner: Option<F>,
        token: AnyToken,
    }

    impl<F> PinnedDrop for WithToken<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                let _in_force = install_token(Some(this.token.clone()));
                this.inner.set(None);
            }
        }
    }
}

impl<F> WithToken<F> {
    pub(crate) fn new(inner: F, token: &CancelToken) -> WithToken<F> {
        WithToken {
            inner: Some(inner),
            token: token.to_any(),
        }
    }
}

impl<F: Future> Future for WithToken<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            panic!("a future with a token was polled after it was ready");
        };
        let _in_force = install_token(Some(this.token.clone()));
        let output = ready!(inner.poll(cx));
        // With the token still in force.
        this.inner.set(None);
        Poll::Ready(output)
    }
}

impl<F: fmt::Debug> fmt::Debug for WithToken<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithToken")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
