//! Closing a file, whose close may be a question to somebody else.
//!
//! The ring's helpers make a close that has to ask. Without a ring a pool thread
//! does, but only where the file may be kept elsewhere (`local.rs`).

use super::cell::Attempt;
use super::descriptor::Descriptor;
use super::kinds::Op;
use super::kinds::sealed::Steps;
use super::local::Look;
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
    /// What is known of the file before the first try.
    look: Option<Look>,
}

impl CloseFile {
    /// Closes `file`.
    #[must_use]
    pub fn new(file: Descriptor) -> CloseFile {
        CloseFile {
            look: file.known(),
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
        let look = self.look.unwrap_or_else(|| Look::at(self.close.number()));
        if look.is_local() {
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn only_who_has_no_ring_looks_at_the_file() {
        let file = Descriptor::from(File::open("/").unwrap());
        let local = file.is_local();
        let mut seen = CloseFile::new(file);
        assert_eq!(matches!(seen.attempt(), Attempt::Done(Ok(_))), local);
        let mut unseen = CloseFile::new(File::open("/").unwrap().into());
        let _request = unseen.entry();
        assert!(unseen.look.is_none(), "a request needs no look");
        unseen.unsent();
    }
}
