//! Connecting a socket, and closing whatever is a descriptor.
//!
//! `kinds.rs` has the table of who may touch which memory until when.

#![allow(
    unsafe_code,
    reason = "system calls on the operation's own memory; see kinds.rs"
)]

use super::cell::Attempt;
use super::kinds::sealed::Steps;
use super::kinds::{Op, is_non_blocking, wait_for};
use crate::state::Direction;
use crate::sys::check;
use io_uring::squeue::Entry;
use io_uring::{opcode, types};
use std::io;
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// Connects a socket, which may be in blocking mode or not.
#[derive(Debug)]
pub struct Connect {
    fd: Arc<OwnedFd>,
    addr: Box<CAddr>,
    started: bool,
}

/// An address as the kernel reads it.
struct CAddr {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

impl std::fmt::Debug for CAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CAddr")
            .field("family", &self.storage.ss_family)
            .finish_non_exhaustive()
    }
}

impl CAddr {
    fn new(addr: SocketAddr) -> CAddr {
        // SAFETY: all zeros is a valid value of this plain structure.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        let to = std::ptr::from_mut(&mut storage);
        let length = match addr {
            SocketAddr::V4(addr) => {
                let value = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: addr.port().to_be(),
                    sin_addr: libc::in_addr {
                        s_addr: u32::from_ne_bytes(addr.ip().octets()),
                    },
                    sin_zero: [0; 8],
                };
                // SAFETY: `sockaddr_storage` is larger than every address and
                // aligned for it, by its definition.
                unsafe { to.cast::<libc::sockaddr_in>().write(value) };
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(addr) => {
                let value = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: addr.port().to_be(),
                    sin6_flowinfo: addr.flowinfo(),
                    sin6_addr: libc::in6_addr {
                        s6_addr: addr.ip().octets(),
                    },
                    sin6_scope_id: addr.scope_id(),
                };
                // SAFETY: as above.
                unsafe { to.cast::<libc::sockaddr_in6>().write(value) };
                size_of::<libc::sockaddr_in6>()
            }
        };
        CAddr {
            storage,
            length: length as libc::socklen_t,
        }
    }

    fn as_ptr(&self) -> *const libc::sockaddr {
        std::ptr::from_ref(&self.storage).cast()
    }
}

impl Connect {
    /// Connects `fd` to `addr`.
    #[must_use]
    pub fn new(fd: Arc<OwnedFd>, addr: SocketAddr) -> Connect {
        Connect {
            fd,
            addr: Box::new(CAddr::new(addr)),
            started: false,
        }
    }

    /// The error that the socket keeps from a connect that went on by itself.
    fn outcome(&self) -> io::Result<u32> {
        let mut errno: libc::c_int = 0;
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        let fd = self.fd.as_raw_fd();
        let value = std::ptr::from_mut(&mut errno).cast();
        // SAFETY: `errno` is writable memory of `length` bytes during the call.
        check(unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, value, &mut length)
        })?;
        if errno == 0 {
            Ok(0)
        } else {
            Err(io::Error::from_raw_os_error(errno))
        }
    }

    fn call(&self) -> io::Result<usize> {
        // SAFETY: the boxed address lives until the call returns.
        check(unsafe { libc::connect(self.fd.as_raw_fd(), self.addr.as_ptr(), self.addr.length) })
            .map(|_| 0)
    }
}

impl Op for Connect {}
impl Steps for Connect {
    type Output = ();
    type Back = ();
    // It goes on by itself, and another call would say EALREADY.
    const RESTARTS: bool = false;

    fn entry(&mut self) -> Entry {
        let fd = types::Fd(self.fd.as_raw_fd());
        opcode::Connect::new(fd, self.addr.as_ptr(), self.addr.length).build()
    }

    fn attempt(&mut self) -> Attempt {
        if !is_non_blocking(self.raw_fd()) {
            return Attempt::Block;
        }
        if self.started {
            return Attempt::Done(self.outcome());
        }
        self.started = true;
        match self.call() {
            Ok(_) => Attempt::Done(Ok(0)),
            Err(error) => match error.raw_os_error() {
                Some(libc::EINPROGRESS | libc::EINTR) => Attempt::Wait(Direction::Write),
                _ => Attempt::Done(Err(error)),
            },
        }
    }

    fn block(&mut self) -> io::Result<u32> {
        match self.call() {
            Ok(_) => Ok(0),
            // It goes on by itself: a second call would say EALREADY.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                wait_for(self.fd.as_raw_fd(), libc::POLLOUT)?;
                self.outcome()
            }
            Err(error) => Err(error),
        }
    }

    fn ends(&self) -> bool {
        false
    }

    fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        (result.map(drop), ())
    }
}

/// Closes a descriptor, and yields the error that `close` may have to tell.
///
/// Dropping the future before it is done still closes.
///
/// # Example
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
/// # use doc::block_on;
/// use wakeline_reactor::{Config, Reactor, op};
///
/// let (read, _write) = std::io::pipe()?;
/// let reactor = Reactor::new(&Config::default())?;
/// let _entered = reactor.enter();
/// let (closed, ()) = block_on(&reactor, op::submit(op::Close::new(read.into())))?;
/// closed?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Close {
    fd: ManuallyDrop<OwnedFd>,
    /// The kernel has been asked, or is about to be: the number is not ours any more.
    closed: bool,
    /// It was a request, which comes back only if it would block.
    blocks: bool,
}

impl Close {
    /// Closes `fd`.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Close {
        Close {
            fd: ManuallyDrop::new(fd),
            closed: false,
            blocks: false,
        }
    }

    /// Of the descriptor, as long as it is not closed.
    pub(super) fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn call(&mut self) -> io::Result<u32> {
        self.closed = true;
        // SAFETY: this value owns the descriptor, and `closed` says that it is
        // gone, whatever the call returns: Linux frees the number first.
        check(unsafe { libc::close(self.fd.as_raw_fd()) }).map(|_| 0)
    }
}

impl Drop for Close {
    fn drop(&mut self) {
        if !self.closed {
            // SAFETY: nobody closed it (neither a call nor a request was made), and
            // `self` is not used again.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}

impl Op for Close {}
impl Steps for Close {
    type Output = ();
    type Back = ();
    // The number is free all the same, and may be another file's.
    const RESTARTS: bool = false;
    // What it says when it was stopped may be the file's word, too, of a close that
    // has happened: no errno tells whose the number is.
    const STOPS: bool = false;

    fn entry(&mut self) -> Entry {
        self.closed = true;
        self.blocks = true;
        opcode::Close::new(types::Fd(self.fd.as_raw_fd())).build()
    }

    fn unsent(&mut self) {
        self.closed = false;
    }

    fn attempt(&mut self) -> Attempt {
        if self.blocks {
            Attempt::Block
        } else {
            Attempt::Done(self.call())
        }
    }

    fn block(&mut self) -> io::Result<u32> {
        self.call()
    }

    /// Better late than never: a descriptor that is not closed is lost.
    fn without_thread(&mut self, _: io::Error) -> io::Result<u32> {
        self.call()
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        (result.map(drop), ())
    }
}
