//! Reads and writes of streams that own their buffers.
//!
//! ```text
//!  stream.read_owned(buf) ──▶ ReadOwned ──▶ Leaf ──▶ recv into buf ──▶ (Ok(n), buf)
//!                               │ cancel, or drop
//!                               └──▶ nothing was taken; (ECANCELED, buf)
//!
//!  stream.write_all_owned(buf) ──▶ WriteAllOwned ──▶ Leaf ──▶ send ─┬─▶ (Ok, buf)
//!                               │ ▲                                 │ more to send
//!                               │ └─────────────────────────────────┘
//!                               └──▶ cancel: (Ok(sent so far), buf)
//! ```
//!
//! The kernel is given the buffer in a call that ends before the poll returns,
//! as with borrowed ones. So these futures lose nothing either when they are
//! dropped, a stream stays whole, and the buffer comes back from `cancel` at
//! once. The one exception is sending [without a copy](WriteAllOwned::zero_copy),
//! and it is one of the buffer only: see `op::ZeroCopy`.

pub(crate) mod methods;
mod read;
mod write;
mod write_all;

pub use read::{ReadOwned, ReadVectoredOwned};
pub use write::{WriteAllVectoredOwned, WriteOwned, WriteVectoredOwned};
pub use write_all::{CancelWriteAll, WriteAllOwned};

use rustix::io::Errno;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

fn cancelled() -> io::Error {
    Errno::CANCELED.into()
}

/// One buffer or several, as the methods take and give them.
pub(crate) trait Bufs: Unpin {
    type Buf;
    fn as_mut(&mut self) -> &mut [Self::Buf];
    fn as_ref(&self) -> &[Self::Buf];
}

/// One.
#[derive(Debug)]
pub(crate) struct One<B>(pub(crate) B);

impl<B: Unpin> Bufs for One<B> {
    type Buf = B;

    fn as_mut(&mut self) -> &mut [B] {
        std::slice::from_mut(&mut self.0)
    }

    fn as_ref(&self) -> &[B] {
        std::slice::from_ref(&self.0)
    }
}

impl<B: Unpin> Bufs for Vec<B> {
    type Buf = B;

    fn as_mut(&mut self) -> &mut [B] {
        self
    }

    fn as_ref(&self) -> &[B] {
        self
    }
}

/// The future of a `cancel`: what was given up, and the buffer.
///
/// It is ready at once.
///
/// # Panics
///
/// When polled again after it was ready.
#[must_use = "it has the buffer"]
pub struct Stopped<T>(Option<T>);

impl<T> Stopped<T> {
    fn now(value: T) -> Stopped<T> {
        Stopped(Some(value))
    }
}

impl<T: Unpin> Future for Stopped<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(self.0.take().expect("it was ready before"))
    }
}

impl<T> fmt::Debug for Stopped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopped").finish_non_exhaustive()
    }
}

/// A future's `Debug`: where it is polled for.
macro_rules! debug_as {
    ($($name:ident),*) => {
        $(impl<B> std::fmt::Debug for $name<'_, B> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0.0).finish()
            }
        })*
    };
}
use debug_as;
