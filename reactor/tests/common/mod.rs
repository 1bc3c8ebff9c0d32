//! What the tests share: each driver in turn, and a twenty-line `block_on`.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]

#[path = "../../../tests/support/deny.rs"]
pub(crate) mod deny;

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use wakeline_context::Kind;
use wakeline_reactor::{
    Config, Direction, Done, DriverKind, LateWake, Offload, Reactor, Source, op, probe,
};

/// A thread for each job.
pub struct Threads;

impl Offload for Threads {
    fn offload(&self, job: Box<dyn FnOnce() -> LateWake + Send>) -> io::Result<()> {
        std::thread::Builder::new().spawn(|| drop(job())).map(drop)
    }
}

pub fn config(kind: DriverKind) -> Config {
    Config::default().driver(kind).offload(Arc::new(Threads))
}

/// The drivers that this machine allows; epoll is always one of them, and
/// io_uring the other if `WAKELINE_TEST_REQUIRE=uring`.
pub fn drivers() -> Vec<DriverKind> {
    let mut all = vec![DriverKind::Epoll];
    match probe(&config(DriverKind::Uring)) {
        Ok(_) => all.push(DriverKind::Uring),
        Err(error) => {
            assert!(
                std::env::var("WAKELINE_TEST_REQUIRE").as_deref() != Ok("uring"),
                "io_uring is required here and cannot be had: {error}"
            );
            eprintln!("not tested on io_uring: {error}");
        }
    }
    all
}

/// Runs `test` on a fresh, entered reactor of each driver.
pub fn for_each_driver(test: impl Fn(&Reactor)) {
    for kind in drivers() {
        eprintln!("on {kind}");
        let reactor = Reactor::new(&config(kind)).unwrap();
        let _entered = reactor.enter();
        test(&reactor);
    }
}

/// A waker that interrupts the reactor and counts.
pub struct Flag {
    remote: wakeline_reactor::Remote,
    pub wakes: AtomicUsize,
}

impl Flag {
    pub fn new(reactor: &Reactor) -> Arc<Flag> {
        Arc::new(Flag {
            remote: reactor.remote(),
            wakes: AtomicUsize::new(0),
        })
    }

    pub fn count(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.remote.interrupt();
    }
}

/// Polls when woken, turns the reactor in between.
pub fn block_on<F: Future>(reactor: &Reactor, future: F) -> F::Output {
    let mut future = pin!(future);
    let flag = Flag::new(reactor);
    let waker = Waker::from(Arc::clone(&flag));
    let mut cx = Context::from_waker(&waker);
    loop {
        let before = flag.count();
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        while flag.count() == before {
            reactor.turn(None).unwrap();
        }
    }
}

pub fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Turns without sleeping until `done`, which must come true by what the
/// kernel does; gives up after many turns.
pub fn turn_until(reactor: &Reactor, mut done: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if done() {
            return;
        }
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
    }
    panic!("it did not come true in 10,000 turns");
}

pub fn pair() -> (Source, Source) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (Source::new(OwnedFd::from(a)), Source::new(OwnedFd::from(b)))
}

/// The write end of a pipe that is full, and its read end in non-blocking mode:
/// a write to it is an operation that the kernel holds.
pub fn full_pipe() -> (Arc<op::Descriptor>, std::fs::File) {
    let (read, mut write) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut write, &[0; 1 << 16]).unwrap();
    let read = std::fs::File::from(OwnedFd::from(read));
    // SAFETY: takes integers; the descriptor is ours.
    unsafe { libc::fcntl(read.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    (Arc::new(op::Descriptor::from(write)), read)
}

/// An operation that the kernel holds, see [`full_pipe`].
pub fn stuck_write(fd: &Arc<op::Descriptor>) -> op::InFlight<op::Write> {
    op::submit(op::Write {
        fd: Arc::clone(fd),
        buf: vec![7; 8],
        offset: 0,
    })
}

/// A source, and the other end as a blocking stream.
pub fn half_pair() -> (Source, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    (Source::new(OwnedFd::from(a)), b)
}

pub fn stream(fd: std::os::fd::BorrowedFd<'_>) -> std::fs::File {
    std::fs::File::from(fd.try_clone_to_owned().unwrap())
}

pub async fn read_some(source: &Source, buf: &mut [u8]) -> io::Result<usize> {
    let asked = buf.len();
    source
        .io(Direction::Read, Kind::Read, Location::caller(), |fd| {
            let n = stream(fd).read(buf)?;
            Ok(if n < asked {
                Done::Short(n)
            } else {
                Done::Full(n)
            })
        })
        .await
}

pub async fn write_all(source: &Source, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = source
            .io(Direction::Write, Kind::Write, Location::caller(), |fd| {
                let n = stream(fd).write(bytes)?;
                Ok(if n < bytes.len() {
                    Done::Short(n)
                } else {
                    Done::Full(n)
                })
            })
            .await?;
        bytes = &bytes[n..];
    }
    Ok(())
}

pub async fn read_exact(source: &Source, buf: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buf.len() {
        match read_some(source, &mut buf[filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => filled += n,
        }
    }
    Ok(())
}

/// Polls both to their end.
pub async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_out, mut b_out) = (None, None);
    std::future::poll_fn(move |cx| {
        if a_out.is_none()
            && let Poll::Ready(out) = a.as_mut().poll(cx)
        {
            a_out = Some(out);
        }
        if b_out.is_none()
            && let Poll::Ready(out) = b.as_mut().poll(cx)
        {
            b_out = Some(out);
        }
        if a_out.is_some() && b_out.is_some() {
            return Poll::Ready((a_out.take().unwrap(), b_out.take().unwrap()));
        }
        Poll::Pending
    })
    .await
}

/// A listener to which nobody has connected, watched in the kernel: one accept was
/// tried and given up.
pub fn quiet_listener(reactor: &Reactor) -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = Source::new(OwnedFd::from(listener));
    let mut accept = listener.io(Direction::Read, Kind::Accept, Location::caller(), |_| {
        Ok(Done::Full(()))
    });
    assert!(poll_once(&mut accept, Waker::noop()).is_pending());
    drop(accept);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    listener
}
