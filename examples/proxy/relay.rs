//! One connection: connect to the upstream, copy both ways, count.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use wakeline::FutureExt;
use wakeline::io::{AsyncRead, AsyncWrite, CopyBidirectional, copy_bidirectional};

use crate::address::{Address, Stream};
use crate::cli::Options;

/// What all connections have done; counted when one ends, however it does.
// Relaxed throughout: figures, read when the tasks that count have ended.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    refused: AtomicU64,
    idle: AtomicU64,
    to_upstream: AtomicU64,
    to_client: AtomicU64,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "upstream_failed={} idle={} to_upstream={} to_client={}",
            self.refused.load(Relaxed),
            self.idle.load(Relaxed),
            self.to_upstream.load(Relaxed),
            self.to_client.load(Relaxed)
        )
    }
}

/// Hands one connection on, until both sides have ended.
///
/// # Errors
///
/// When the upstream cannot be reached, nothing moves for too long, or a socket
/// fails.
pub(crate) async fn connection(
    client: Stream,
    options: Options,
    stats: Arc<Stats>,
) -> io::Result<()> {
    let upstream = connect(&options.upstream, options.connect_timeout).await;
    let upstream = upstream.inspect_err(|_| {
        stats.refused.fetch_add(1, Relaxed);
    })?;
    let idle = options.idle_timeout;
    match (client, upstream) {
        (Stream::Tcp(mut a), Stream::Tcp(mut b)) => relay(&mut a, &mut b, idle, &stats).await,
        (Stream::Tcp(mut a), Stream::Unix(mut b)) => relay(&mut a, &mut b, idle, &stats).await,
        (Stream::Unix(mut a), Stream::Tcp(mut b)) => relay(&mut a, &mut b, idle, &stats).await,
        (Stream::Unix(mut a), Stream::Unix(mut b)) => relay(&mut a, &mut b, idle, &stats).await,
    }
}

async fn connect(upstream: &Address, limit: Duration) -> io::Result<Stream> {
    let connected = upstream.connect().timeout(limit).await;
    connected.unwrap_or_else(|_| {
        let why = format!("connect {upstream}: no answer within {limit:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, why))
    })
}

async fn relay<A, B>(a: &mut A, b: &mut B, idle: Duration, stats: &Stats) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let mut counted = Counted {
        copy: copy_bidirectional(a, b),
        stats,
    };
    if idle.is_zero() {
        return (&mut counted.copy).await.map(drop);
    }
    // Looked at once in a while: a byte costs the idle timer nothing.
    let mut before = counted.copy.moved();
    loop {
        if let Ok(ended) = (&mut counted.copy).timeout(idle).await {
            return ended.map(drop);
        }
        let now = counted.copy.moved();
        if now == before {
            stats.idle.fetch_add(1, Relaxed);
            let why = format!("closed: nothing moved for {idle:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
        before = now;
    }
}

/// A copy whose bytes are counted at its end, also when it is aborted.
struct Counted<'a, A: ?Sized, B: ?Sized> {
    copy: CopyBidirectional<'a, A, B>,
    stats: &'a Stats,
}

impl<A: ?Sized, B: ?Sized> Drop for Counted<'_, A, B> {
    fn drop(&mut self) {
        let (there, back) = self.copy.moved();
        self.stats.to_upstream.fetch_add(there, Relaxed);
        self.stats.to_client.fetch_add(back, Relaxed);
    }
}
