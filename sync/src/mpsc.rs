//! A channel of many senders and one receiver: bounded, unbounded, or from hand
//! to hand.
//!
//! ```text
//!   senders                        channel                          receiver
//!            full? ┌───────┐
//!   send ────1────▶│ queue │──2──▶ promised ──3──▶ ┌──────────┐
//!     │            └───────┘          ▲            │  buffer  │──5──▶ recv
//!     └────────────1──────────────────┴─────4────▶ └──────────┘
//! ```
//! 1 `Request::poll`    there is a slot, or a ticket for the queue
//! 2 `settle`            a slot got free: it is the front's at once, before that
//!                       task runs; nobody else can have it
//! 3 `Chan::redeem`      the sender saw its slot and fills it, or keeps it as a
//!                       [`Permit`]; one that gave up passes it on (`settle`)
//! 4 `Chan::try_slot`    a slot is free and nobody waits: filled under one lock
//! 5 `Chan::take`        the receiver takes the front and so frees its slot
//!
//! A slot is free, promised or filled. All three are counted under one lock, so
//! there is one rule: *promised + filled never exceed the capacity, and while a
//! slot is free nobody waits for one.*
//!
//! # The end
//!
//! ```text
//!           last sender dropped ──▶ drain ──▶ None
//!   open ──┤
//!           `close` ──▶ drain, await permits ──▶ None
//!           receiver dropped ──▶ buffered values dropped
//! ```
//! After a close every blocked sender fails and has its value back. Slots that
//! were promised before stay good: the receiver waits until they were used or
//! dropped. Once it is gone they are good for nothing, and fail as well.
//!
//! # A send that is given up
//!
//! The value stays in the [`Send`] future until the slot is there, so a send that
//! is dropped has not happened: never both. To have the value back, keep the
//! future and call [`Send::into_inner`], or let [`Sender::send_from`] take it
//! out of an `Option` of yours: what is still in there was not sent, and the next
//! call resumes.
//!
//! # Capacity 0
//!
//! A receiver that waits lends one slot: a send is done when a receiver is there
//! for it. A receiver that gives up takes the slot back, or, if it was promised
//! already, finds the value at its next `recv`.
//!
//! # Example
//!
//! ```
//! use std::pin::pin;
//! use std::task::{Context, Poll, Waker};
//! use wakeline_sync::mpsc;
//!
//! let mut cx = Context::from_waker(Waker::noop());
//! let (sender, mut receiver) = mpsc::channel(1);
//! sender.try_send('a').expect("there is room for one");
//! let mut second = pin!(sender.send('b'));
//! assert!(second.as_mut().poll(&mut cx).is_pending());
//! assert_eq!(receiver.try_recv(), Ok('a'));
//! assert!(sender.try_send('c').is_err()); // the slot is the second's already
//! assert!(matches!(second.poll(&mut cx), Poll::Ready(Ok(()))));
//! assert_eq!(receiver.try_recv(), Ok('b'));
//! ```
//!
//! Read `chan.rs` first.

mod chan;
mod error;
mod permit;
mod receiver;
mod recv;
mod request;
mod reserve;
mod send;
mod sender;
mod unbounded;

pub use error::{SendError, TryRecvError, TrySendError};
pub use permit::{OwnedPermit, Permit};
pub use receiver::Receiver;
pub use recv::{Recv, RecvMany};
pub use reserve::{Reserve, ReserveOwned};
pub use send::{Closing, Send, SendFrom};
pub use sender::{Sender, WeakSender};
pub use unbounded::{UnboundedSender, WeakUnboundedSender};

use chan::Chan;
use std::sync::Arc;

/// The receiver of [`unbounded`]: the same as that of [`channel`].
pub type UnboundedReceiver<T> = Receiver<T>;

/// A channel with room for `capacity` values; with 0, a value is only handed to
/// a receiver that waits for it.
///
/// # Panics
///
/// If `capacity` is above [`Sender::MAX_CAPACITY`].
///
/// # Example
///
/// ```
/// use wakeline_sync::mpsc;
///
/// let (sender, mut receiver) = mpsc::channel(2);
/// sender.try_send(1)?;
/// sender.try_send(2)?;
/// assert_eq!(sender.try_send(3), Err(mpsc::TrySendError::Full(3)));
/// assert_eq!(receiver.try_recv(), Ok(1));
/// # Ok::<(), mpsc::TrySendError<i32>>(())
/// ```
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity <= chan::MAX_CAPACITY,
        "a capacity of {capacity} is over MAX_CAPACITY; use `mpsc::unbounded` if no limit is meant"
    );
    let chan = Arc::new(Chan::new(capacity));
    (Sender::new(Arc::clone(&chan)), Receiver::new(chan))
}

/// A channel that always has room: senders never wait, and a receiver that is
/// too slow is paid for with memory.
///
/// # Example
///
/// ```
/// use wakeline_sync::mpsc;
///
/// let (sender, mut receiver) = mpsc::unbounded();
/// for n in 0..1_000 {
///     sender.send(n).expect("the receiver is there");
/// }
/// assert_eq!(receiver.len(), 1_000);
/// assert_eq!(receiver.try_recv(), Ok(0));
/// ```
pub fn unbounded<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let chan = Arc::new(Chan::new(chan::UNBOUNDED));
    (UnboundedSender::new(Arc::clone(&chan)), Receiver::new(chan))
}

#[cfg(test)]
mod tests;
