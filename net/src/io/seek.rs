//! [`AsyncSeekExt`]: what can be done with anything that has a position.

use super::parked_at;
use futures_io::AsyncSeek;
use std::io::{self, SeekFrom};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use wakeline_context::Kind;

/// Moving the position of everything that is [`AsyncSeek`].
///
/// # Example
///
/// ```
/// use wakeline_net::fs::File;
/// use wakeline_net::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
///
/// # wakeline_net::testing::block_on(async {
/// let mut file = File::open("Cargo.toml").await?;
/// assert_eq!(file.seek(SeekFrom::Start(1)).await?, 1);
/// let mut word = [0; 7];
/// file.read_exact(&mut word).await?;
/// assert_eq!(&word, b"package");
/// assert_eq!(file.stream_position().await?, 8);
/// file.rewind().await?;
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait AsyncSeekExt: AsyncSeek {
    /// Moves the position, and tells where it is then: in bytes from the
    /// beginning. It may be behind the end.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a position before the beginning or above `i64::MAX`;
    /// what has no positions says so.
    ///
    /// # Cancellation
    ///
    /// A dropped one has moved the position, or it has not.
    #[track_caller]
    fn seek(&mut self, to: SeekFrom) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        Seek {
            seeker: self,
            to,
            location: Location::caller(),
        }
    }

    /// Moves the position to the beginning.
    ///
    /// # Errors
    ///
    /// As [`seek`](AsyncSeekExt::seek).
    ///
    /// # Cancellation
    ///
    /// As [`seek`](AsyncSeekExt::seek).
    #[track_caller]
    fn rewind(&mut self) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        self.seek(SeekFrom::Start(0))
    }

    /// Tells the position.
    ///
    /// # Errors
    ///
    /// As [`seek`](AsyncSeekExt::seek).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    fn stream_position(&mut self) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        self.seek(SeekFrom::Current(0))
    }
}

impl<S: AsyncSeek + ?Sized> AsyncSeekExt for S {}

/// The future of [`AsyncSeekExt::seek`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Seek<'a, S: ?Sized> {
    seeker: &'a mut S,
    to: SeekFrom,
    location: &'static Location<'static>,
}

impl<S: AsyncSeek + Unpin + ?Sized> Future for Seek<'_, S> {
    type Output = io::Result<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let poll = Pin::new(&mut *this.seeker).poll_seek(cx, this.to);
        if poll.is_pending() {
            parked_at(Kind::Operation, this.location);
        }
        poll
    }
}
