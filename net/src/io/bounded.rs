//! A pool of buffers with an upper bound, which connections wait for.
//!
//! ```text
//!   Data ──1──▶ Buffer ──2──▶ Try ──3──▶ PoolBuf ──4──▶ the next in the line
//!    ▲                         │
//!    └───────────5─────────────┘
//! ```
//! 1 there is something to be read: only now a buffer is asked for
//! 2 one is free, or this is the front of the line and one came back
//! 3 it was read
//! 4 the reader is done with the bytes: drop
//! 5 somebody else was quicker: the buffer goes back, and the wait starts anew
//!
//! Waiting, not growing: with an unbounded second choice the bound would be one
//! on what is kept, and memory would follow the load. What is not read stays in
//! the kernel, whose window tells the peer to slow down. First come, first
//! served: a buffer that comes back belongs to the front of the line at once, so
//! that no connection starves, and a future that is dropped with a buffer it
//! never used hands it on.

use crate::leaf::{Leaf, Operation};
use crate::stream::Stream;
use crate::sys;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use wakeline_context::{Kind, waiting_on};
use wakeline_reactor::{Direction, Done};

/// So many buffers of so many bytes, for any number of connections.
///
/// Cheap to clone; the clones are the same pool.
///
/// # Example
///
/// ```
/// # wakeline_net::testing::block_on(async {
/// # let (stream, mut peer) = wakeline_net::testing::tcp_pair().await?;
/// use wakeline_net::io::{AsyncWriteExt, BufferPool};
///
/// let pool = BufferPool::new(8, 4096);
/// peer.write_all(b"hello").await?;
/// let buf = stream.read_from_pool(&pool).await?;
/// assert_eq!(&buf[..], b"hello");
/// assert_eq!(pool.available(), 7);
/// drop(buf);
/// assert_eq!(pool.available(), 8);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct BufferPool(Arc<Shared>);

struct Shared {
    line: Mutex<Line>,
    bytes: usize,
    limit: usize,
}

/// Buffers and who waits for one. `free` is empty while anybody waits.
struct Line {
    free: Vec<Box<[u8]>>,
    /// Not yet allocated.
    unmade: usize,
    waiting: VecDeque<Waiter>,
    next_id: u64,
}

struct Waiter {
    id: u64,
    state: Turn,
}

enum Turn {
    Waits(Waker),
    /// Its buffer is here.
    Has(Box<[u8]>),
}

impl BufferPool {
    /// A pool of at most `limit` buffers of `bytes` each, which are allocated
    /// when they are first needed.
    ///
    /// # Panics
    ///
    /// If either is 0.
    #[must_use]
    #[track_caller]
    pub fn new(limit: usize, bytes: usize) -> BufferPool {
        assert!(limit > 0, "a pool without buffers would let everybody wait");
        assert!(bytes > 0, "a buffer without bytes holds nothing");
        let line = Line {
            free: Vec::new(),
            unmade: limit,
            waiting: VecDeque::new(),
            next_id: 0,
        };
        BufferPool(Arc::new(Shared {
            line: Mutex::new(line),
            bytes,
            limit,
        }))
    }

    /// How many buffers there may be.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// How many are not in use just now.
    #[must_use]
    pub fn available(&self) -> usize {
        let line = self.0.lock();
        line.free.len() + line.unmade
    }

    /// How many reads wait for one just now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.lock().waiting.len()
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool")
            .field("limit", &self.0.limit)
            .field("bytes", &self.0.bytes)
            .field("available", &self.available())
            .finish()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Transition 4: to the first that waits, or back.
    fn give(&self, bytes: Box<[u8]>) {
        let mut line = self.lock();
        let first = line
            .waiting
            .iter_mut()
            .find(|waiter| matches!(waiter.state, Turn::Waits(_)));
        let Some(waiter) = first else {
            line.free.push(bytes);
            return;
        };
        let before = std::mem::replace(&mut waiter.state, Turn::Has(bytes));
        drop(line);
        if let Turn::Waits(waker) = before {
            waker.wake();
        }
    }
}

/// One place in the line.
struct Claim {
    pool: Arc<Shared>,
    id: Option<u64>,
}

impl Claim {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Box<[u8]>> {
        let waker = cx.waker().clone(); // foreign code: not under the lock
        let mut line = self.pool.lock();
        let Some(id) = self.id else {
            if let Some(bytes) = line.free.pop() {
                drop(line);
                return Poll::Ready(bytes);
            }
            if line.unmade > 0 {
                line.unmade -= 1;
                drop(line);
                return Poll::Ready(vec![0; self.pool.bytes].into_boxed_slice());
            }
            let id = line.next_id;
            line.next_id += 1;
            let state = Turn::Waits(waker);
            line.waiting.push_back(Waiter { id, state });
            self.id = Some(id);
            return Poll::Pending;
        };
        let place = line.waiting.iter().position(|waiter| waiter.id == id);
        let place = place.expect("it is in the line until it takes or leaves");
        let before = std::mem::replace(&mut line.waiting[place].state, Turn::Waits(waker));
        let Turn::Has(bytes) = before else {
            drop(line);
            drop(before); // the waker that is not needed any more
            return Poll::Pending;
        };
        let gone = line.waiting.remove(place);
        self.id = None;
        drop(line);
        drop(gone);
        Poll::Ready(bytes)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let mut line = self.pool.lock();
        let place = line.waiting.iter().position(|waiter| waiter.id == id);
        let gone = place.and_then(|place| line.waiting.remove(place));
        drop(line);
        if let Some(Waiter {
            state: Turn::Has(bytes),
            ..
        }) = gone
        {
            self.pool.give(bytes);
        }
    }
}

/// Bytes in a buffer of a [`BufferPool`], which goes back on drop.
pub struct PoolBuf {
    bytes: Box<[u8]>,
    len: usize,
    pool: Arc<Shared>,
}

impl Deref for PoolBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl AsRef<[u8]> for PoolBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for PoolBuf {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.bytes));
    }
}

impl fmt::Debug for PoolBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuf")
            .field("len", &self.len)
            .field("capacity", &self.bytes.len())
            .finish()
    }
}

struct ReadInto<'a> {
    stream: &'a Stream,
    buf: Option<PoolBuf>,
}

impl Operation for ReadInto<'_> {
    type Output = bool;

    fn run(&mut self, fd: BorrowedFd<'_>) -> io::Result<Done<bool>> {
        let Some(buf) = &mut self.buf else {
            return Ok(Done::Full(false)); // transition 1
        };
        let done = sys::read(fd, self.stream.reading(), &mut buf.bytes)?;
        let (Done::Full(n) | Done::Short(n)) = done;
        buf.len = n;
        Ok(match done {
            Done::Full(_) => Done::Full(true),
            Done::Short(_) => Done::Short(true),
        })
    }
}

/// The future of a stream's `read_from_pool`: a buffer with what came.
///
/// # Panics
///
/// When polled again after it was ready.
#[must_use = "futures do nothing unless awaited"]
pub struct ReadFromPool<'a> {
    leaf: Leaf<'a, ReadInto<'a>>,
    claim: Claim,
    wanted: bool,
    location: &'static Location<'static>,
}

impl<'a> ReadFromPool<'a> {
    #[track_caller]
    pub(crate) fn new(stream: &'a Stream, pool: &BufferPool) -> ReadFromPool<'a> {
        let op = ReadInto { stream, buf: None };
        ReadFromPool {
            leaf: stream.leaf(Direction::Read, op),
            claim: Claim {
                pool: Arc::clone(&pool.0),
                id: None,
            },
            wanted: false,
            location: Location::caller(),
        }
    }
}

impl Future for ReadFromPool<'_> {
    type Output = io::Result<PoolBuf>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if this.wanted {
                let Poll::Ready(bytes) = this.claim.poll(cx) else {
                    waiting_on(Kind::Read, 0, this.location);
                    return Poll::Pending;
                };
                let pool = Arc::clone(&this.claim.pool);
                let len = 0;
                this.leaf.op_mut().buf = Some(PoolBuf { bytes, len, pool });
                this.wanted = false;
            }
            let polled = Pin::new(&mut this.leaf).poll(cx);
            if polled.is_pending() {
                // Transition 5: none is held while there is nothing to be read.
                this.leaf.op_mut().buf = None;
            }
            if ready!(polled)? {
                let buf = this.leaf.op_mut().buf.take();
                return Poll::Ready(Ok(buf.expect("it was read into")));
            }
            this.wanted = true;
        }
    }
}

impl fmt::Debug for ReadFromPool<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadFromPool")
            .field("leaf", &self.leaf)
            .field("waits_for_buffer", &self.wanted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
