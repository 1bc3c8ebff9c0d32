//! The futures that send, and the one that waits for the close.

use super::chan::{Chan, Use};
use super::error::SendError;
use super::request::Request;
use crate::event::Wait;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, waiting_on};

/// The future of [`Sender::send`](super::Sender::send).
///
/// It holds the value until there is a slot: `&mut` of it can be given up and
/// polled again later, and [`into_inner`](Send::into_inner) gives the value back.
#[must_use = "a value is only sent when this is awaited"]
pub struct Send<'a, T> {
    chan: &'a Chan<T>,
    /// `None` once it was sent or given back.
    value: Option<T>,
    request: Request,
}

// Nothing in it is ever pinned: the value only passes through.
impl<T> Unpin for Send<'_, T> {}

impl<'a, T> Send<'a, T> {
    #[inline]
    pub(super) fn new(
        chan: &'a Chan<T>,
        value: T,
        location: &'static Location<'static>,
    ) -> Send<'a, T> {
        Send {
            chan,
            value: Some(value),
            request: Request::new(location),
        }
    }

    /// Gives up, and gives the value back; none if it was sent.
    ///
    /// # Example
    ///
    /// ```
    /// use std::pin::Pin;
    /// use std::task::{Context, Waker};
    /// use wakeline_sync::mpsc;
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, _receiver) = mpsc::channel(1);
    /// sender.try_send("first")?;
    /// let mut send = sender.send("second");
    /// assert!(Pin::new(&mut send).poll(&mut cx).is_pending());
    /// assert_eq!(send.into_inner(), Some("second"));
    /// # Ok::<(), mpsc::TrySendError<&str>>(())
    /// ```
    #[must_use = "the value would be lost"]
    pub fn into_inner(mut self) -> Option<T> {
        self.request.give_up(self.chan);
        self.value.take()
    }
}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let purpose = Use::Fill(&mut this.value);
        Poll::Ready(match ready!(this.request.poll(this.chan, purpose, cx)) {
            Ok(()) => Ok(()),
            Err(_) => match this.value.take() {
                Some(value) => Err(SendError(value)),
                None => unreachable!("a send that failed has its value"),
            },
        })
    }
}

impl<T> Drop for Send<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.request.give_up(self.chan);
    }
}

/// The future of [`Sender::send_from`](super::Sender::send_from).
#[must_use = "a value is only sent when this is awaited"]
pub struct SendFrom<'a, T> {
    chan: &'a Chan<T>,
    value: &'a mut Option<T>,
    request: Request,
}

impl<'a, T> SendFrom<'a, T> {
    pub(super) fn new(
        chan: &'a Chan<T>,
        value: &'a mut Option<T>,
        location: &'static Location<'static>,
    ) -> SendFrom<'a, T> {
        SendFrom {
            chan,
            value,
            request: Request::new(location),
        }
    }
}

impl<T> Future for SendFrom<'_, T> {
    type Output = Result<(), SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.value.is_none() {
            return Poll::Ready(Ok(()));
        }
        let purpose = Use::Fill(this.value);
        let sent = ready!(this.request.poll(this.chan, purpose, cx));
        Poll::Ready(sent.map_err(|_| SendError(())))
    }
}

impl<T> Drop for SendFrom<'_, T> {
    fn drop(&mut self) {
        self.request.give_up(self.chan);
    }
}

/// The future of [`Sender::closed`](super::Sender::closed).
#[derive(Debug)]
#[must_use = "the close is only waited for when this is awaited"]
pub struct Closing<'a> {
    wait: Wait<'a>,
    id: u64,
    location: &'static Location<'static>,
}

impl<'a> Closing<'a> {
    pub(super) fn new<T>(chan: &'a Chan<T>, location: &'static Location<'static>) -> Closing<'a> {
        Closing {
            wait: chan.closing().wait(),
            id: chan.id(),
            location,
        }
    }
}

impl Future for Closing<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let closed = Pin::new(&mut self.wait).poll(cx);
        if closed.is_pending() {
            waiting_on(Kind::Channel, self.id, self.location);
        }
        closed
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SendFrom<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFrom")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
