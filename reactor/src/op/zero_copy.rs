//! Sending without a copy: the kernel reads the pages of the buffer when it
//! makes packets of them, and tells when it does not need them any more.
//!
//! ```text
//!   Here ──1──▶ Lent ──2──▶ Here
//!    │           │ ▲
//!    3           └─┘ 1
//!    ▼
//!   Taken
//! ```
//! 1 `send`      a request, which the kernel works on *within* this call: it
//!               took so many bytes, or there is no room
//! 2 `complete`  the last notification: the kernel reads nothing of it any more
//! 3 `poll_back` the buffer goes to its owner
//!
//! So how much was sent is known before `send` returns, as of a plain send, and
//! a future that is dropped leaves nothing that could be sent later, in the
//! middle of somebody else's bytes. What outlives it is the loan alone: the
//! driver holds a count of this cell until the last notification. The socket is
//! not part of it: once the kernel has told how much it took, it has no more use
//! for the descriptor, which may be closed.
//!
//! A kernel that waits for room by itself would be asked once for all, but then
//! a drop could not tell how much went, and the next write would have to wait.
//!
//! | memory | who may touch it                 | until                          |
//! |--------|----------------------------------|--------------------------------|
//! | buffer | the kernel reads; `send` may add a request | the last notification, `complete` |
//! | fd     | named by a request               | its first result, `early` or `complete` |

#![allow(
    unsafe_code,
    reason = "one send(2) of the buffer; the requests point into it, too: see the table"
)]

use super::buf::IoBuf;
use super::cell::{AnyOp, Attempt};
use super::kinds::LENGTH_MAX;
use crate::config::Offload;
use crate::current;
use crate::kept::keep_for_ever;
use crate::source::{Shared, Source};
use crate::state::Direction;
use crate::sync::Lock;
use crate::sys::check_len;
use io_uring::squeue::Entry;
use io_uring::{opcode, types};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A buffer that is sent by a socket without being copied.
///
/// The calls of [`send`](ZeroCopy::send) may each take a part; when all is
/// sent, or there was an error, [`poll_back`](ZeroCopy::poll_back) waits until
/// the kernel needs it no more, and gives it back. Over a network that is when
/// the peer has confirmed the bytes.
///
/// # Example
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
/// # use doc::block_on;
/// use std::io::Read;
/// use std::net::{TcpListener, TcpStream};
/// use wakeline_reactor::op::ZeroCopy;
/// use wakeline_reactor::{Config, Reactor, Source};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let sender = TcpStream::connect(listener.local_addr()?)?;
/// let (mut receiver, _) = listener.accept()?;
/// sender.set_nonblocking(true)?;
/// let source = Source::new(sender.into());
///
/// let reactor = Reactor::new(&Config::default())?;
/// let _entered = reactor.enter();
/// let mut lent = ZeroCopy::new(&source, "hello");
/// assert_eq!(lent.send(0)?, 5);
/// let back = block_on(&reactor, std::future::poll_fn(|cx| lent.poll_back(cx)))?;
/// assert_eq!(back, "hello");
/// receiver.read_exact(&mut [0; 5])?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ZeroCopy<B: IoBuf> {
    socket: Arc<Shared>,
    cell: Arc<Loan<B>>,
}

struct Loan<B> {
    state: Lock<State<B>>,
}

struct State<B> {
    /// `None`: taken, or given up for ever.
    buf: Option<B>,
    /// The kernel has it for ever.
    abandoned: bool,
    /// Where requests go that have no result yet, and how many they are.
    socket: Option<Arc<Shared>>,
    untold: usize,
    /// Where the next request begins.
    from: usize,
    /// What the request of this call came to.
    sent: Option<io::Result<u32>>,
    /// Requests whose last word has not come.
    lent: usize,
    /// This socket, or this machine, cannot do it: the rest goes plainly.
    refused: bool,
    waker: Option<Waker>,
}

impl<B: IoBuf> State<B> {
    fn bytes(&self) -> &[u8] {
        let buf = self.buf.as_ref();
        buf.expect("the buffer was given back before").bytes()
    }
}

impl<B: IoBuf> ZeroCopy<B> {
    /// Prepares `buf` to be sent by `socket`, which must be in non-blocking
    /// mode as every source is.
    #[must_use]
    pub fn new(socket: &Source, buf: B) -> ZeroCopy<B> {
        let state = State {
            buf: Some(buf),
            abandoned: false,
            socket: None,
            untold: 0,
            from: 0,
            sent: None,
            lent: 0,
            refused: false,
            waker: None,
        };
        let state = Lock::new(state);
        ZeroCopy {
            socket: Arc::clone(socket.shared()),
            cell: Arc::new(Loan { state }),
        }
    }

    /// Sends what the kernel takes at once of the bytes from `from` on, and
    /// tells how many that were.
    ///
    /// Where it cannot be without a copy it is a plain send: not on io_uring,
    /// on a socket that is not TCP or UDP, or when too much memory is lent
    /// already (`ulimit -l`), or too many buffers: half of what the completion
    /// ring has room for, so that other operations have the rest.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room. Else the kernel's.
    ///
    /// # Panics
    ///
    /// If `from` lies behind the bytes, or the buffer was given back.
    pub fn send(&self, from: usize) -> io::Result<usize> {
        if self.cell.state.lock().abandoned {
            let error = "the kernel did not let go of the buffer before the runtime ended";
            return Err(io::Error::other(error));
        }
        match self.cell.lend(&self.socket, from) {
            Some(result) => result.map(|n| n as usize),
            None => self.cell.send_plainly(&self.socket, from),
        }
    }

    /// The buffer, once the kernel needs it no more; else the waker is kept,
    /// the latest one.
    ///
    /// It is the default value if the runtime ended before that.
    ///
    /// # Panics
    ///
    /// When called again after it gave the buffer.
    pub fn poll_back(&mut self, cx: &mut Context<'_>) -> Poll<B> {
        let waker = cx.waker().clone(); // foreign code: not under the lock
        let mut state = self.cell.state.lock();
        if state.lent > 0 {
            let unneeded = state.waker.replace(waker);
            drop(state);
            drop(unneeded);
            return Poll::Pending;
        }
        let back = state.buf.take();
        let abandoned = std::mem::take(&mut state.abandoned);
        drop(state);
        drop(waker);
        if abandoned {
            return Poll::Ready(B::default());
        }
        Poll::Ready(back.expect("the buffer was given back before"))
    }
}

/// Whether this way is closed, and the plain one is not.
fn is_refusal(result: &io::Result<u32>) -> bool {
    result.as_ref().is_err_and(|error| {
        matches!(
            error.raw_os_error(),
            Some(libc::EOPNOTSUPP | libc::ENOMEM | libc::ENOBUFS)
        )
    })
}

impl<B: IoBuf> Drop for ZeroCopy<B> {
    fn drop(&mut self) {
        let mut state = self.cell.state.lock();
        let waker = state.waker.take();
        drop(state);
        drop(waker); // after the lock
    }
}

impl<B: IoBuf> fmt::Debug for ZeroCopy<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lent = self.cell.state.lock().lent;
        f.debug_struct("ZeroCopy")
            .field("lent", &lent)
            .finish_non_exhaustive()
    }
}

impl<B: IoBuf> Loan<B> {
    /// Transition 1, without a copy; `None` where that cannot be.
    fn lend(self: &Arc<Self>, socket: &Arc<Shared>, from: usize) -> Option<io::Result<u32>> {
        let core = current::get().ok()?;
        {
            let mut state = self.state.lock();
            let len = state.bytes().len();
            assert!(from <= len, "it begins behind the {len} bytes");
            if state.refused {
                return None;
            }
            state.from = from;
            state.sent = None;
            state.lent += 1;
            state.untold += 1;
            state.socket = Some(Arc::clone(socket));
        }
        let taken = core.submit_now(&(Arc::clone(self) as Arc<dyn AnyOp>));
        let mut state = self.state.lock();
        if !taken {
            state.lent -= 1;
            state.untold -= 1;
        }
        if state.untold == 0 {
            // Never the last holder, whose drop would be under the lock.
            state.socket = None;
        }
        if !taken {
            return None;
        }
        match state.sent.take() {
            Some(result) if is_refusal(&result) => {
                state.refused = true;
                None
            }
            Some(result) => Some(result),
            // Then it is not known what becomes of it, and the stream is lost.
            None => Some(Err(io::Error::other("the kernel did not take the request"))),
        }
    }

    fn send_plainly(&self, socket: &Shared, from: usize) -> io::Result<usize> {
        let fd = socket.fd.as_raw_fd();
        let state = self.state.lock();
        let part = &state.bytes()[from..];
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        loop {
            // SAFETY: `part` is borrowed, by the lock too, until the call has
            // returned; it is only read, which the kernel may be doing as well.
            let sent =
                check_len(unsafe { libc::send(fd, part.as_ptr().cast(), part.len(), flags) });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// One request less; `result`: it was refused, so that this is its first
    /// word and its last.
    fn settle(&self, result: Option<io::Result<u32>>) -> Option<Waker> {
        let mut state = self.state.lock();
        state.lent -= 1;
        if result.is_some() {
            state.sent = result;
            state.untold -= 1;
        }
        if state.lent == 0 {
            state.waker.take()
        } else {
            None
        }
    }
}

impl<B: IoBuf> AnyOp for Loan<B> {
    fn opcode(&self) -> Option<u8> {
        None // every ring that is set up has it
    }

    fn entry(&self) -> Entry {
        let state = self.state.lock();
        let part = &state.bytes()[state.from..];
        let length = part.len().min(LENGTH_MAX) as u32;
        let socket = state.socket.as_ref().expect("there until it is told");
        let fd = types::Fd(socket.fd.as_raw_fd());
        opcode::SendZc::new(fd, part.as_ptr(), length)
            // Also for a descriptor that somebody put into blocking mode.
            .flags(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
            .build()
    }

    fn early(&self, result: io::Result<u32>) {
        let mut state = self.state.lock();
        state.sent = Some(result);
        state.untold -= 1;
    }

    fn settled(&self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.settle(None));
    }

    fn complete(&self, result: io::Result<u32>, wakers: &mut Vec<Waker>) {
        wakers.extend(self.settle(Some(result)));
    }

    fn complete_alone(&self, result: io::Result<u32>) {
        let waker = self.settle(Some(result));
        waker.into_iter().for_each(Waker::wake);
    }

    fn abandon(&self, wakers: &mut Vec<Waker>) {
        let mut state = self.state.lock();
        let kept = state.buf.take();
        state.abandoned |= kept.is_some();
        drop(state);
        kept.into_iter().for_each(keep_for_ever);
        wakers.extend(self.settle(None));
    }

    fn attempt(&self) -> Attempt {
        unreachable!("it is sent by `submit_now` alone")
    }

    fn direction(&self) -> Option<Direction> {
        None
    }

    fn waits(&self) -> Option<Direction> {
        None
    }

    fn ends(&self) -> bool {
        false
    }

    fn give_back(&self, _: &mut Vec<Waker>) {
        unreachable!("it never waits for readiness")
    }

    fn raw_fd(&self) -> RawFd {
        unreachable!("it never waits for readiness")
    }

    fn duplicate_fd(&self) -> io::Result<OwnedFd> {
        unreachable!("it never waits for readiness")
    }

    fn run_on(self: Arc<Self>, _: Option<&Arc<dyn Offload>>) {
        unreachable!("it has no blocking form")
    }
}
