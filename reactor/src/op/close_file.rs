//! Closing a file, whose close may be a question to somebody else.
//!
//! The ring's helpers make a close that has to ask. Without a ring a pool thread
//! does, but only where the file may be kept elsewhere (`local.rs`).

use super::cell::Attempt;
use super::descriptor::Descriptor;
use super::kinds::Op;
use super::kinds::sealed::Steps;
use super::socket::Close;
use io_uring::squeue::Entry;
use std::io;

/// Closes a file as [`Close`] does, and waits for who keeps it, if that is
/// somebody else, on no worker.
///
/// # Example
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
/// # use doc::block_on;
/// use wakeline_reactor::{Config, Reactor, op};
///
/// let file = std::fs::File::open("Cargo.toml")?;
/// let reactor = Reactor::new(&Config::default())?;
/// let _entered = reactor.enter();
/// let (closed, ()) = block_on(&reactor, op::submit(op::CloseFile::new(file.into())))?;
/// closed?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct CloseFile {
    close: Close,
    local: bool,
}

impl CloseFile {
    /// Closes `file`.
    #[must_use]
    pub fn new(file: Descriptor) -> CloseFile {
        CloseFile {
            local: file.is_local(),
            close: Close::new(file.into_fd()),
        }
    }
}

impl Op for CloseFile {}
impl Steps for CloseFile {
    type Output = ();
    type Back = ();
    const RESTARTS: bool = Close::RESTARTS;
    const STOPS: bool = Close::STOPS;

    fn entry(&mut self) -> Entry {
        self.close.entry()
    }

    fn unsent(&mut self) {
        self.close.unsent();
    }

    fn attempt(&mut self) -> Attempt {
        if self.local {
            self.close.attempt()
        } else {
            Attempt::Block
        }
    }

    fn block(&mut self) -> io::Result<u32> {
        self.close.block()
    }

    fn without_thread(&mut self, why: io::Error) -> io::Result<u32> {
        self.close.without_thread(why)
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        self.close.finish(result)
    }
}
