//! Waiting until a descriptor may be read, without reading it.

#![allow(unsafe_code, reason = "one poll(2) on the stack")]

use super::cell::Attempt;
use super::descriptor::Descriptor;
use super::kinds::sealed::Steps;
use super::kinds::{Op, retry};
use crate::state::Direction;
use crate::sys::check;
use io_uring::squeue::Entry;
use io_uring::{opcode, types};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// Waits until a read would not wait: there is something, or the other end is
/// gone. It takes nothing.
///
/// Of a FIFO that nobody has opened for writing yet, a read says at once that
/// this is the end; this waits.
#[derive(Debug)]
pub struct Readable {
    /// What is to be read then.
    pub fd: Arc<Descriptor>,
}

impl Readable {
    fn call(&self, timeout_ms: libc::c_int) -> io::Result<usize> {
        let mut poll = libc::pollfd {
            fd: self.fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one writable `pollfd` for the length of the call.
        check(unsafe { libc::poll(&raw mut poll, 1, timeout_ms) }).map(|n| n as usize)
    }
}

impl Op for Readable {}
impl Steps for Readable {
    type Output = ();
    type Back = ();

    fn entry(&mut self) -> Entry {
        opcode::PollAdd::new(types::Fd(self.fd.as_raw_fd()), libc::POLLIN as u32).build()
    }

    fn attempt(&mut self) -> Attempt {
        match self.call(0) {
            Ok(0) => Attempt::Wait(Direction::Read),
            Ok(_) => Attempt::Done(Ok(0)),
            Err(error) => Attempt::Done(Err(error)),
        }
    }

    fn block(&mut self) -> io::Result<u32> {
        retry(|| self.call(-1))
    }

    fn ends(&self) -> bool {
        false
    }

    fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        self.fd.as_fd().try_clone_to_owned()
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        (result.map(drop), ())
    }
}
