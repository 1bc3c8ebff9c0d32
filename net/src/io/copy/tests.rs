//! What a copy holds while it waits, and whose error is whose.

use super::*;
use std::task::Waker;

/// Gives three bytes, then nothing for ever.
struct Quiet(bool);

impl AsyncRead for Quiet {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Pending;
        }
        buf[..3].copy_from_slice(b"abc");
        Poll::Ready(Ok(3))
    }
}

#[test]
fn a_copy_that_waits_holds_no_buffer() {
    let mut out = Vec::new();
    let mut copy = copy(Quiet(false), &mut out);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut copy).poll(&mut cx).is_pending());
    assert!(copy.transfer.buf.is_none());
    assert_eq!(copy.transfer.waits_for(), Kind::Read);
    assert_eq!(out, b"abc");
}

/// Says one word in time, and takes what it is given until it is flushed.
struct Deaf {
    says: Option<u8>,
    polls: u8,
}

impl AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.polls += 1;
        if self.polls < 3 {
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.says.take().map_or(0, |byte| {
            buf[0] = byte;
            1
        })))
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// A side that gives three bytes, and keeps what it is given.
struct Talks(Quiet, Vec<u8>);

impl AsyncRead for Talks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Talks {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.1).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_flush_that_fails_is_the_writers_error_and_the_other_way_goes_on() {
    let (mut talks, mut deaf) = (
        Talks(Quiet(false), Vec::new()),
        Deaf {
            says: Some(b'!'),
            polls: 0,
        },
    );
    let mut copy = copy_bidirectional(&mut talks, &mut deaf);
    let mut cx = Context::from_waker(Waker::noop());
    let error = loop {
        if let Poll::Ready(copied) = Pin::new(&mut copy).poll(&mut cx) {
            break copied.unwrap_err();
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(talks.1, b"!");
}
