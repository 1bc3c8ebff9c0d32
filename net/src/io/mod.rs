//! Reading and writing by traits: what works on every stream.
//!
//! The traits are those of `futures-io`, so that TLS, compression and
//! WebSockets of the ecosystem fit as they are. On top of them:
//!
//! | file          | what is there                                               |
//! |---------------|-------------------------------------------------------------|
//! | `read.rs`     | [`AsyncReadExt`]: `read`, `read_exact`, `read_to_end`, …    |
//! | `write.rs`    | [`AsyncWriteExt`]: `write`, `write_all`, `flush`, `close`   |
//! | `buf.rs`      | [`AsyncBufReadExt`]: `fill_buf`, `read_until`, `read_line`  |
//! | `take.rs`     | [`Take`]: the first bytes; `chain.rs` [`Chain`]: one after another |
//! | `reader.rs`   | [`BufReader`], whose reads keep their progress when dropped |
//! | `writer.rs`   | [`BufWriter`]                                               |
//! | `seek.rs`     | [`AsyncSeekExt`]: `seek`, `rewind`, `stream_position`       |
//! | `copy.rs`     | [`copy`], [`copy_bidirectional`]                            |
//! | `splice.rs`   | [`Splice`]: the same for our streams, within the kernel     |
//! | `split.rs`    | [`split`] for any stream that is both                       |
//! | `memory.rs`   | [`duplex`], [`simplex`]: streams in memory                  |
//! | `void.rs`     | [`empty`], [`repeat`], [`sink`]: nothing behind them        |
//! | `async_fd.rs` | [`AsyncFd`]: any descriptor that can be polled               |
//! | `stdio.rs`    | [`stdin`], [`stdout`], [`stderr`]                           |
//! | `pool.rs`     | buffers that are borrowed only while there is data          |
//!
//! # What a drop loses
//!
//! The futures of `read`, `write`, `fill_buf`, `flush` and `close` lose nothing.
//! `read_exact`, `read_to_end` and `write_all` of the traits move data in steps,
//! and what was moved before the drop stays moved: into the caller's buffer, or
//! to the peer. Where that matters, [`BufReader`] has the same reads in a form
//! that takes all or nothing.

mod async_fd;
mod bounded;
mod buf;
mod chain;
mod copy;
mod memory;
pub(crate) mod pool;
mod read;
mod reader;
mod seek;
mod splice;
mod split;
mod stdio;
mod take;
mod void;
mod write;
mod writer;

pub use async_fd::{AsyncFd, Guard, Interest, ReadyGuard, TryIoError};
pub use bounded::{BufferPool, PoolBuf, ReadFromPool};
pub use buf::{AsyncBufReadExt, FillBuf, ReadLine, ReadUntil};
pub use chain::Chain;
pub use copy::{Copy, CopyBidirectional, copy, copy_bidirectional};
pub use futures_io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite, SeekFrom};
pub use memory::{DuplexStream, SimplexReader, SimplexWriter, duplex, simplex};
pub use pool::PooledBuf;
pub use read::{AsyncReadExt, Read, ReadExact, ReadToEnd, ReadToString, ReadVectored};
pub use reader::{
    BufReader, EarlyEnd, Fill, LimitExceeded, Lines, NextLine, ReadExactKept, ReadLineKept,
    ReadUntilKept,
};
pub use seek::{AsyncSeekExt, Seek};
pub use splice::{Splice, SpliceFrom, SpliceInto, SpliceTo};
pub use split::{ReadHalf, WriteHalf, split};
pub use stdio::{Stderr, Stdin, Stdout, stderr, stdin, stdout};
pub use take::Take;
pub use void::{Empty, Repeat, Sink, empty, repeat, sink};
pub use wakeline_reactor::op::{IoBuf, IoBufMut, Slice};
pub use write::{AsyncWriteExt, Close, Flush, Write, WriteAll, WriteVectored};
pub use writer::BufWriter;

/// The futures of reads and writes that own their buffers.
pub mod owned {
    pub use crate::owned::{
        CancelWriteAll, ReadOwned, ReadVectoredOwned, Stopped, WriteAllOwned,
        WriteAllVectoredOwned, WriteOwned, WriteVectoredOwned,
    };
}

use std::panic::Location;
use wakeline_context::{Kind, budget, waiting_on};

/// Says where the user's code waits: the leaf below knows only the line in here
/// that polled it.
fn parked_at(kind: Kind, location: &'static Location<'static>) {
    let kind = if budget::is_spent() {
        Kind::Yield
    } else {
        kind
    };
    waiting_on(kind, 0, location);
}
