//! Streams that are always ready, and loops of what is known or cached.

use super::TURNS;
use super::spins::Spin;
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, ready};
use wakeline::fs::File;
use wakeline::io::{
    AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional,
    empty, repeat, sink,
};
use wakeline::net::lookup_host;
use wakeline::task::consume_budget;

/// Gives a byte a read, until so many were read of it and its twin together, and takes
/// whatever is written.
pub(super) struct Endless {
    left: Arc<AtomicUsize>,
    reads: Cell<usize>,
    /// It counts what it does, as our own streams do.
    spends: bool,
}

impl Endless {
    fn new(spends: bool) -> Endless {
        Endless {
            left: Arc::new(AtomicUsize::new(TURNS)),
            reads: Cell::new(0),
            spends,
        }
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.get()
    }
}

pub(super) fn pair() -> (Endless, Endless) {
    let one = Endless::new(true);
    let left = Arc::clone(&one.left);
    let other = Endless {
        left,
        ..Endless::new(true)
    };
    (one, other)
}

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.spends {
            ready!(pin!(consume_budget()).poll(cx));
        }
        let more = self
            .left
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        if more.is_err() {
            return Poll::Ready(Ok(0));
        }
        self.reads.set(self.reads() + 1);
        buf[0] = 7;
        Poll::Ready(Ok(1))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

pub(super) fn of(name: &str) -> Spin {
    match name {
        "lookup_host" => Box::pin(async {
            for _ in 0..TURNS {
                drop(lookup_host("127.0.0.1:80").await.expect("it is an address"));
            }
        }),
        "File::rewind" => Box::pin(async {
            let here = std::env::current_exe().expect("it runs");
            let mut file = File::open(here).await.expect("a file");
            for _ in 0..TURNS {
                file.rewind().await.expect("a file has a beginning");
            }
        }),
        "io::copy" => Box::pin(async {
            let (mut from, mut into) = (Endless::new(false), Endless::new(false));
            let copied = copy(&mut from, &mut into).await;
            assert_eq!(copied.expect("no errors"), TURNS as u64);
        }),
        "copy_bidirectional" => Box::pin(async {
            let (mut a, mut b) = (Endless::new(false), Endless::new(false));
            let copied = copy_bidirectional(&mut a, &mut b).await;
            assert_eq!(copied.expect("no errors"), (TURNS as u64, TURNS as u64));
        }),
        "io::empty" => Box::pin(async {
            for _ in 0..TURNS {
                let read = empty().read(&mut [0; 1]).await;
                assert_eq!(read.expect("no errors"), 0);
            }
        }),
        "io::repeat" => Box::pin(async {
            for _ in 0..TURNS {
                let read = repeat(7).read(&mut [0; 1]).await;
                assert_eq!(read.expect("no errors"), 1);
            }
        }),
        "io::sink" => Box::pin(async {
            for _ in 0..TURNS {
                let written = sink().write(b"x").await;
                assert_eq!(written.expect("no errors"), 1);
            }
        }),
        name => unreachable!("{name} is not here"),
    }
}
