//! Connections one after the other, and what to do when accepting fails.
//!
//! ```text
//!   Accepting ──connection──▶ the caller
//!    ▲     │
//!    │     └──no descriptor, no memory──▶ Pausing: 10, 20, … 1,000 ms
//!    └─────────────────time is over───────┘
//! ```
//!
//! A process that has run out of descriptors cannot accept, yet the connection
//! waits on, so the listener stays readable: a loop that just tries again burns
//! a core, and one that gives up is down for good. So the pause, which doubles
//! up to a second and starts anew with the next connection.

use super::listener::{Accept, TcpListener};
use super::stream::TcpStream;
use futures_core::Stream;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use wakeline_context::{Kind, waiting_on};
use wakeline_reactor::time::{Sleep, sleep};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The pause after `before`.
fn longer(before: Option<Duration>) -> Duration {
    before.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE))
}

/// Whether the error goes away by waiting.
fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// Connections one after the other; made by [`TcpListener::incoming`].
///
/// It is also a [`Stream`], which never ends by itself.
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    accept: Option<Accept<'a>>,
    pause: Option<Pin<Box<Sleep>>>,
    paused_for: Option<Duration>,
    shortages: u64,
    location: &'static Location<'static>,
}

impl<'a> Incoming<'a> {
    #[track_caller]
    pub(crate) fn new(listener: &'a TcpListener) -> Incoming<'a> {
        Incoming {
            listener,
            accept: None,
            pause: None,
            paused_for: None,
            shortages: 0,
            location: Location::caller(),
        }
    }

    /// Waits for the next connection, also through a lack of descriptors.
    ///
    /// # Errors
    ///
    /// Only such as will not go away by waiting: the listener is broken.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no connection.
    ///
    /// # Example
    ///
    /// ```
    /// # wakeline_net::testing::block_on(async {
    /// # use wakeline_net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let _client = TcpStream::connect(listener.local_addr()?).await?;
    /// let mut incoming = listener.incoming();
    /// let (_stream, _peer) = incoming.next().await?;
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    #[expect(
        clippy::should_implement_trait,
        reason = "the name of every stream's next item; it is a future here"
    )]
    pub fn next(&mut self) -> Next<'_, 'a> {
        self.location = Location::caller();
        Next(self)
    }

    /// How often a lack of descriptors or memory made it pause: for a log line
    /// or a metric.
    #[must_use]
    pub fn shortages(&self) -> u64 {
        self.shortages
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            if let Some(pause) = &mut self.pause {
                if pause.as_mut().poll(cx).is_pending() {
                    waiting_on(Kind::Accept, 0, self.location);
                    return Poll::Pending;
                }
                self.pause = None;
            }
            let listener = self.listener;
            let accept = self.accept.get_or_insert_with(|| listener.accept());
            let result = match Pin::new(accept).poll(cx) {
                Poll::Ready(result) => result,
                Poll::Pending => {
                    use std::os::fd::AsRawFd;
                    waiting_on(Kind::Accept, listener.as_raw_fd() as u64, self.location);
                    return Poll::Pending;
                }
            };
            match result {
                Err(error) if is_shortage(&error) => {
                    let pause = longer(self.paused_for);
                    self.paused_for = Some(pause);
                    self.shortages += 1;
                    self.pause = Some(Box::pin(sleep(pause).with_location(self.location)));
                }
                result => {
                    self.paused_for = None;
                    return Poll::Ready(result);
                }
            }
        }
    }
}

impl Stream for Incoming<'_> {
    type Item = io::Result<(TcpStream, SocketAddr)>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(ready!(self.poll_incoming(cx))))
    }
}

/// The future of [`Incoming::next`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Next<'i, 'a>(&'i mut Incoming<'a>);

impl Future for Next<'_, '_> {
    type Output = io::Result<(TcpStream, SocketAddr)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_incoming(cx)
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("listener", self.listener)
            .field("shortages", &self.shortages)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_a_second() {
        let mut pause = None;
        for expected_ms in [10, 20, 40, 80, 160, 320, 640, 1000, 1000] {
            pause = Some(longer(pause));
            assert_eq!(pause, Some(Duration::from_millis(expected_ms)));
        }
    }
}
