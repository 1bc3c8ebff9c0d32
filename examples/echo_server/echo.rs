//! One connection: wait, borrow a buffer, echo, give the buffer back.
//!
//! ```text
//!    ┌──▶ wait until there is data, holding no buffer ──▶ borrow one, read ──┐
//!    └─────────────── give it back ◀── write all of it ◀────────────────────┘
//! ```
//! `read_pooled` does the waiting and the borrowing, and lends a larger buffer
//! each time a read fills it. So ten thousand idle connections cost ten
//! thousand small tasks and no buffer, while one that streams gets the 64 KiB
//! at which the kernel's copying outweighs the calls.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use wakeline::io::{AsyncWriteExt, PooledBuf};
use wakeline::net::{TcpStream, UnixStream};
use wakeline::time::{Sleep, sleep};

use crate::listen::Stream;
use crate::stats::Stats;

/// Echoes until the peer closes its side, goes quiet, or fails.
///
/// # Errors
///
/// `TimedOut` if nothing moved for `idle` (zero: no limit); the socket's own.
pub(crate) async fn connection(stream: Stream, stats: &Stats, idle: Duration) -> io::Result<()> {
    let _open = stats.connection();
    match stream {
        Stream::Tcp(stream) => echo(stream, stats, Watch::new(idle)).await,
        Stream::Unix(stream) => echo(stream, stats, Watch::new(idle)).await,
    }
}

async fn echo<S: Socket>(mut stream: S, stats: &Stats, mut watch: Watch) -> io::Result<()> {
    loop {
        let message = watch.over(stream.read_pooled()).await?;
        if message.is_empty() {
            return Ok(());
        }
        watch.over(stream.write_all(&message)).await?;
        stats.echoed(message.len());
    }
}

/// What echoing needs of a stream.
trait Socket {
    async fn read_pooled(&self) -> io::Result<PooledBuf>;
    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
}

macro_rules! socket {
    ($stream:ty) => {
        impl Socket for $stream {
            async fn read_pooled(&self) -> io::Result<PooledBuf> {
                <$stream>::read_pooled(self).await
            }
            async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                AsyncWriteExt::write_all(self, bytes).await
            }
        }
    };
}

socket!(TcpStream);
socket!(UnixStream);

/// Ends a connection on which nothing moves.
///
/// One timer per connection, looked at when it fires and then set to what is
/// left: a message costs a clock read, not a change of the timer wheel.
struct Watch {
    idle: Duration,
    moved: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Watch {
    fn new(idle: Duration) -> Watch {
        let timer = (!idle.is_zero()).then(|| Box::pin(sleep(idle)));
        Watch {
            idle,
            moved: Instant::now(),
            timer,
        }
    }

    async fn over<T>(&mut self, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let mut step = pin!(step);
        let result = poll_fn(|cx| {
            if let Poll::Ready(result) = step.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            let Some(timer) = &mut self.timer else {
                return Poll::Pending;
            };
            loop {
                ready!(timer.as_mut().poll(cx));
                let left = self.idle.saturating_sub(self.moved.elapsed());
                if left.is_zero() {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "idle")));
                }
                timer.set(sleep(left));
            }
        })
        .await?;
        if self.timer.is_some() {
            self.moved = Instant::now();
        }
        Ok(result)
    }
}
