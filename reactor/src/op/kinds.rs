//! The operations there are: for each, its request, its non-blocking try, its
//! blocking form, and what becomes of its parts.
//!
//! | memory or fd           | who may touch it                | until                     |
//! |------------------------|---------------------------------|---------------------------|
//! | buffer of `Read`       | the kernel, through the request | `OpCell::complete` is run |
//! | buffer of `Write`      | the kernel reads                | `OpCell::complete` is run |
//! | path, address          | the kernel reads                | `OpCell::complete` is run |
//! | fd named by a request  | stays open: the operation owns it | `OpCell::complete` is run |
//!
//! The driver calls `complete` at the terminal completion and never before it;
//! where that does not come, the cell is leaked (`Driver::leak`).

#![allow(
    unsafe_code,
    reason = "system calls on the operation's own memory; see the table"
)]

use super::cell::Attempt;
use crate::state::Direction;
use crate::sys::{check, check_len};
use io_uring::squeue::Entry;
use io_uring::{opcode, types};
use std::ffi::CString;
use std::io;
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// The most that one call moves, as the kernel has it.
const LENGTH_MAX: usize = 0x7fff_f000;

/// `offset` for the file's own position, or for what has none.
const NO_OFFSET: u64 = u64::MAX;

/// A one-shot operation; see [`submit`](super::submit). Sealed.
pub trait Op: sealed::Steps {}

pub(crate) mod sealed {
    use super::{Attempt, Direction, Entry, OwnedFd, RawFd, io};

    /// What the drivers need of an operation.
    pub trait Steps: Send + Unpin + Sized + 'static {
        /// What it yields.
        type Output: Send;
        /// What it gives back whether or not it succeeded.
        type Back: Send + Default;

        /// The request, which points into memory that `self` owns.
        fn entry(&mut self) -> Entry;
        /// A try without blocking.
        fn attempt(&mut self) -> Attempt;
        /// The blocking form.
        fn block(&mut self) -> io::Result<u32>;
        /// Where it waits if the descriptor is in non-blocking mode.
        const DIRECTION: Option<Direction> = None;
        /// The descriptor to watch, where it waits.
        fn raw_fd(&self) -> RawFd {
            unreachable!("it never waits for readiness")
        }
        /// A second descriptor of that file.
        fn duplicate_fd(&self) -> io::Result<OwnedFd> {
            unreachable!("it never waits for readiness")
        }
        /// The kernel is done with it: takes the parts that go to the caller.
        fn finish(&mut self, result: io::Result<u32>) -> (io::Result<Self::Output>, Self::Back);
    }
}
use sealed::Steps;

/// What a call with `RWF_NOWAIT` came to.
fn attempt_of(result: io::Result<usize>, direction: Direction) -> Attempt {
    match result {
        Err(error) => match error.raw_os_error() {
            Some(libc::EAGAIN) => Attempt::Wait(direction),
            // A file system that cannot tell, or a signal: the pool will do.
            Some(libc::EOPNOTSUPP | libc::EINTR | libc::ENOSYS | libc::EINVAL) => Attempt::Block,
            _ => Attempt::Done(Err(error)),
        },
        Ok(n) => Attempt::Done(Ok(n as u32)),
    }
}

/// Repeats `call` while a signal interrupts it.
fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<u32> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(|n| n as u32),
        }
    }
}

/// Waits on a pool thread until a non-blocking descriptor may go on.
fn wait_for(fd: RawFd, events: libc::c_short) -> io::Result<()> {
    let mut poll = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: one writable `pollfd` for the length of the call.
    match check(unsafe { libc::poll(&mut poll, 1, -1) }) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// Reads from `offset` into the spare capacity of `buf`.
///
/// Yields how many bytes were appended, 0 at the end of the file; gives `buf`
/// back, longer by that. An `offset` of `u64::MAX` reads at the file's own
/// position; pipes and sockets have no positions and ignore it.
#[derive(Debug)]
pub struct Read {
    /// What to read from.
    pub fd: Arc<OwnedFd>,
    /// Where to; it is not grown.
    pub buf: Vec<u8>,
    /// From where, in bytes.
    pub offset: u64,
}

impl Read {
    fn call(&mut self, flags: libc::c_int) -> io::Result<usize> {
        let spare = self.buf.spare_capacity_mut();
        let part = libc::iovec {
            iov_base: spare.as_mut_ptr().cast(),
            iov_len: spare.len().min(LENGTH_MAX),
        };
        let fd = self.fd.as_raw_fd();
        let call = |offset: u64| {
            // SAFETY: `part` is the buffer's own spare memory, borrowed
            // mutably until the call has returned.
            check_len(unsafe { libc::preadv2(fd, &part, 1, offset as i64, flags) })
        };
        match call(self.offset) {
            // What has no positions: as io_uring does, ignore the offset.
            Err(error) if error.raw_os_error() == Some(libc::ESPIPE) => call(NO_OFFSET),
            result => result,
        }
    }
}

impl Op for Read {}
impl Steps for Read {
    type Output = usize;
    type Back = Vec<u8>;
    const DIRECTION: Option<Direction> = Some(Direction::Read);

    fn entry(&mut self) -> Entry {
        let spare = self.buf.spare_capacity_mut();
        let length = spare.len().min(LENGTH_MAX) as u32;
        opcode::Read::new(
            types::Fd(self.fd.as_raw_fd()),
            spare.as_mut_ptr().cast(),
            length,
        )
        .offset(self.offset)
        .build()
    }

    fn attempt(&mut self) -> Attempt {
        attempt_of(self.call(libc::RWF_NOWAIT), Direction::Read)
    }

    fn block(&mut self) -> io::Result<u32> {
        loop {
            match retry(|| self.call(0)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_for(self.fd.as_raw_fd(), libc::POLLIN)?;
                }
                result => return result,
            }
        }
    }

    fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<usize>, Vec<u8>) {
        let mut buf = std::mem::take(&mut self.buf);
        let read = result.map(|n| n as usize);
        if let Ok(read) = read {
            assert!(
                read <= buf.capacity() - buf.len(),
                "the kernel wrote within the buffer"
            );
            // SAFETY: the kernel has written `read` bytes at the end of `buf`,
            // in the request built by `entry` or the call in `call`, and it
            // has completed: it will not touch them again.
            unsafe { buf.set_len(buf.len() + read) };
        }
        (read, buf)
    }
}

/// Writes `buf` at `offset`.
///
/// Yields how many bytes were written, which may be fewer; gives `buf` back.
/// An `offset` of `u64::MAX` writes at the file's own position; pipes and
/// sockets have no positions and ignore it.
#[derive(Debug)]
pub struct Write {
    /// What to write to.
    pub fd: Arc<OwnedFd>,
    /// What to write.
    pub buf: Vec<u8>,
    /// Where, in bytes.
    pub offset: u64,
}

impl Write {
    fn call(&mut self, flags: libc::c_int) -> io::Result<usize> {
        let part = libc::iovec {
            iov_base: self.buf.as_mut_ptr().cast(),
            iov_len: self.buf.len().min(LENGTH_MAX),
        };
        let fd = self.fd.as_raw_fd();
        let call = |offset: u64| {
            // SAFETY: `part` is the buffer, borrowed until the call has
            // returned; it is only read.
            check_len(unsafe { libc::pwritev2(fd, &part, 1, offset as i64, flags) })
        };
        match call(self.offset) {
            Err(error) if error.raw_os_error() == Some(libc::ESPIPE) => call(NO_OFFSET),
            result => result,
        }
    }
}

impl Op for Write {}
impl Steps for Write {
    type Output = usize;
    type Back = Vec<u8>;
    const DIRECTION: Option<Direction> = Some(Direction::Write);

    fn entry(&mut self) -> Entry {
        let length = self.buf.len().min(LENGTH_MAX) as u32;
        opcode::Write::new(types::Fd(self.fd.as_raw_fd()), self.buf.as_ptr(), length)
            .offset(self.offset)
            .build()
    }

    fn attempt(&mut self) -> Attempt {
        attempt_of(self.call(libc::RWF_NOWAIT), Direction::Write)
    }

    fn block(&mut self) -> io::Result<u32> {
        loop {
            match retry(|| self.call(0)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_for(self.fd.as_raw_fd(), libc::POLLOUT)?;
                }
                result => return result,
            }
        }
    }

    fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<usize>, Vec<u8>) {
        (result.map(|n| n as usize), std::mem::take(&mut self.buf))
    }
}

/// Waits until what was written is on stable storage.
#[derive(Debug)]
pub struct Fsync {
    /// The file.
    pub fd: Arc<OwnedFd>,
    /// Leave out metadata that reading the data back does not need.
    pub data_only: bool,
}

impl Op for Fsync {}
impl Steps for Fsync {
    type Output = ();
    type Back = ();

    fn entry(&mut self) -> Entry {
        let flags = if self.data_only {
            types::FsyncFlags::DATASYNC
        } else {
            types::FsyncFlags::empty()
        };
        opcode::Fsync::new(types::Fd(self.fd.as_raw_fd()))
            .flags(flags)
            .build()
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn block(&mut self) -> io::Result<u32> {
        let fd = self.fd.as_raw_fd();
        let data_only = self.data_only;
        retry(|| {
            // SAFETY: takes an integer.
            let result = if data_only {
                unsafe { libc::fdatasync(fd) }
            } else {
                unsafe { libc::fsync(fd) }
            };
            check(result).map(|_| 0)
        })
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        (result.map(drop), ())
    }
}

/// Opens a path; `O_CLOEXEC` is added to the flags.
#[derive(Debug)]
pub struct OpenAt {
    /// Where a relative path begins; `None` is the working directory.
    pub dir: Option<Arc<OwnedFd>>,
    /// What to open.
    pub path: CString,
    /// `libc::O_*`.
    pub flags: i32,
    /// Permissions of a file that is made, before the umask.
    pub mode: u32,
}

impl OpenAt {
    fn dir(&self) -> RawFd {
        self.dir
            .as_ref()
            .map_or(libc::AT_FDCWD, |dir| dir.as_raw_fd())
    }
}

impl Op for OpenAt {}
impl Steps for OpenAt {
    type Output = OwnedFd;
    type Back = ();

    fn entry(&mut self) -> Entry {
        opcode::OpenAt::new(types::Fd(self.dir()), self.path.as_ptr())
            .flags(self.flags | libc::O_CLOEXEC)
            .mode(self.mode)
            .build()
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn block(&mut self) -> io::Result<u32> {
        let (dir, flags) = (self.dir(), self.flags | libc::O_CLOEXEC);
        retry(|| {
            // SAFETY: the path is a C string that lives until the call returns.
            check(unsafe { libc::openat(dir, self.path.as_ptr(), flags, self.mode) })
                .map(|fd| fd as usize)
        })
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<OwnedFd>, ()) {
        // SAFETY: the kernel has just made this descriptor for this operation
        // and told nobody else.
        (
            result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) }),
            (),
        )
    }
}

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

    fn is_non_blocking(&self) -> bool {
        // SAFETY: takes integers.
        check(unsafe { libc::fcntl(self.fd.as_raw_fd(), libc::F_GETFL) })
            .is_ok_and(|flags| flags & libc::O_NONBLOCK != 0)
    }
}

impl Op for Connect {}
impl Steps for Connect {
    type Output = ();
    type Back = ();

    fn entry(&mut self) -> Entry {
        let fd = types::Fd(self.fd.as_raw_fd());
        opcode::Connect::new(fd, self.addr.as_ptr(), self.addr.length).build()
    }

    fn attempt(&mut self) -> Attempt {
        if !self.is_non_blocking() {
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
#[derive(Debug)]
pub struct Close {
    fd: ManuallyDrop<OwnedFd>,
    closed: bool,
}

impl Close {
    /// Closes `fd`.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Close {
        Close {
            fd: ManuallyDrop::new(fd),
            closed: false,
        }
    }
}

impl Drop for Close {
    fn drop(&mut self) {
        if !self.closed {
            // SAFETY: nobody closed it (`finish` was not told so), and `self`
            // is not used again.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}

impl Op for Close {}
impl Steps for Close {
    type Output = ();
    type Back = ();

    fn entry(&mut self) -> Entry {
        opcode::Close::new(types::Fd(self.fd.as_raw_fd())).build()
    }

    fn attempt(&mut self) -> Attempt {
        self.closed = true;
        // SAFETY: this value owns the descriptor, and `closed` says that it is
        // gone, whatever the call returns: Linux frees the number first.
        Attempt::Done(check(unsafe { libc::close(self.fd.as_raw_fd()) }).map(|_| 0))
    }

    fn block(&mut self) -> io::Result<u32> {
        unreachable!("a close is tried at once")
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<()>, ()) {
        let stopped = matches!(&result, Err(error) if error.raw_os_error().is_none_or(|errno| errno == libc::ECANCELED));
        self.closed |= !stopped;
        (result.map(drop), ())
    }
}
