//! Bytes that come as a script says: in which pieces, and where there is a wait before one.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use arbitrary::Arbitrary;
use futures_io::{AsyncRead, AsyncWrite};

/// Where a stream is cut. After the last cut it comes as a whole.
#[derive(Arbitrary, Clone, Debug, Default)]
pub struct Cuts(pub Vec<u8>);

impl Cuts {
    /// The pieces of `bytes`, none of them empty.
    pub fn of<'a>(&self, bytes: &'a [u8]) -> VecDeque<&'a [u8]> {
        let mut rest = bytes;
        let mut pieces = VecDeque::new();
        for cut in &self.0 {
            let (piece, after) = rest.split_at(rest.len().min(usize::from(*cut)));
            pieces.push_back(piece);
            rest = after;
        }
        pieces.push_back(rest);
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}

/// A connection that says what the script has, and takes whatever is written.
#[derive(Debug)]
pub struct Stream<'a> {
    pieces: VecDeque<&'a [u8]>,
    /// Before which pieces there is a wait; as many as there are, again and again.
    waits: u8,
    turn: u32,
    /// The end comes after the last piece; else there is silence.
    ends: bool,
}

impl<'a> Stream<'a> {
    pub fn new(bytes: &'a [u8], cuts: &Cuts, waits: u8, ends: bool) -> Stream<'a> {
        Stream {
            pieces: cuts.of(bytes),
            waits,
            turn: 0,
            ends,
        }
    }

    /// Whether all of it was read.
    pub fn is_silent(&self) -> bool {
        self.pieces.is_empty()
    }

    fn waits_now(&mut self) -> bool {
        self.turn += 1;
        // Every second turn brings something, so that whoever polls gets on.
        self.turn % 2 == 1 && self.waits >> (self.turn / 2 % 8) & 1 == 1
    }
}

impl AsyncRead for Stream<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.waits_now() {
            return Poll::Pending;
        }
        let Some(piece) = self.pieces.front_mut() else {
            return if self.ends {
                Poll::Ready(Ok(0))
            } else {
                Poll::Pending
            };
        };
        let taken = into.len().min(piece.len());
        into[..taken].copy_from_slice(&piece[..taken]);
        *piece = &piece[taken..];
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        Poll::Ready(Ok(taken))
    }
}

impl AsyncWrite for Stream<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(from.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Polls `future` to its end; `None` if it still waits after `polls`.
pub fn finish<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}
