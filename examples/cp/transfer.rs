//! The bytes: while one piece is written, the next is read.
//!
//! ```text
//!   read 0 │ read 1  │ read 2  │ read 3 ..
//!          │ write 0 │ write 1 │ write 2 ..
//! ```
//!
//! Two buffers, which go to the kernel and come back: no byte is copied here.

use std::io;

use wakeline::fs::File;
use wakeline::join;

use crate::progress::Progress;

/// Bytes that are read and written at a time.
const PIECE: usize = 1 << 20;

/// What failed: reading or writing.
#[derive(Debug)]
pub(crate) enum Failed {
    Reading(io::Error),
    Writing(io::Error),
}

/// Copies until the end of `from`, which may grow meanwhile.
pub(crate) async fn all(from: &File, to: &File, progress: &Progress) -> Result<(), Failed> {
    let mut at = 0;
    let first = read(from, Vec::with_capacity(PIECE), 0).await;
    let mut ahead = first.map_err(Failed::Reading)?;
    let mut free = Vec::with_capacity(PIECE);
    while !ahead.is_empty() {
        let next = at + ahead.len() as u64;
        let (read, written) = join!(read(from, free, next), write(to, ahead, at));
        free = written.map_err(Failed::Writing)?;
        ahead = read.map_err(Failed::Reading)?;
        at = next;
        progress.at(at);
    }
    Ok(())
}

/// One piece, less at the end.
async fn read(from: &File, mut piece: Vec<u8>, at: u64) -> io::Result<Vec<u8>> {
    piece.clear();
    let (read, piece) = from.read_at_owned(piece, at).await;
    read.map(|_| piece)
}

/// All of one piece; the buffer comes back.
async fn write(to: &File, mut piece: Vec<u8>, mut at: u64) -> io::Result<Vec<u8>> {
    loop {
        let length = piece.len();
        let (written, back) = to.write_at_owned(piece, at).await;
        let written = written?;
        piece = back;
        if written == length {
            return Ok(piece);
        }
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        piece.drain(..written);
        at += written as u64;
    }
}
