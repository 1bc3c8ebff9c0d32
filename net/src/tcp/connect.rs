//! A connect: look the name up, then try its addresses as `race.rs` says.
//!
//! ```text
//!   Lookup ──▶ Racing: attempt 0 ──fails──▶ attempt 1 …
//!                      │  └──250 ms──▶ attempt 1 beside it
//!                      └──first success──▶ the stream; the others are closed
//! ```
//!
//! One attempt is a non-blocking connect. Its end shows as "writable", which is
//! a hint only: `SO_ERROR` tells why it failed, and whether the socket has a
//! peer tells that it succeeded.

use super::race::{ATTEMPT_DELAY, Event, Race, Step, interleave};
use super::stream::TcpStream;
use crate::addr::{LookupHost, ToSocketAddrs, lookup_host, no_address};
use crate::error::{Context, NotConnected};
use crate::sys::{count_received, retry};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{self, Poll};
use wakeline_context::{Kind, budget, waiting_on};
use wakeline_reactor::time::{Sleep, sleep};
use wakeline_reactor::{Direction, Done, Source};

/// The future of [`TcpStream::connect`].
#[must_use = "futures do nothing unless awaited"]
pub struct Connect {
    stage: Stage,
    location: &'static Location<'static>,
}

enum Stage {
    Lookup { doing: String, lookup: LookupHost },
    Racing(Box<Racing>),
    Over,
}

struct Racing {
    doing: String,
    addrs: Vec<SocketAddr>,
    race: Race,
    attempts: Vec<Attempt>,
    delay: Option<Pin<Box<Sleep>>>,
    failed: Vec<(SocketAddr, io::Error)>,
    /// The socket that a `TcpSocket` prepared, for its one address.
    prepared: Option<OwnedFd>,
}

struct Attempt {
    addr: SocketAddr,
    source: Source,
    /// Its own address was chosen by the user.
    prepared: bool,
}

impl Connect {
    #[track_caller]
    pub(crate) fn new(addr: impl ToSocketAddrs) -> Connect {
        let lookup = lookup_host(addr);
        let doing = format!("connect {}", lookup.name());
        Connect {
            stage: Stage::Lookup { doing, lookup },
            location: Location::caller(),
        }
    }

    /// Of a socket whose options are set already.
    #[track_caller]
    pub(crate) fn prepared(socket: OwnedFd, addr: SocketAddr) -> Connect {
        let mut racing = Racing::new(format!("connect {addr}"), vec![addr]);
        racing.prepared = Some(socket);
        Connect {
            stage: Stage::Racing(Box::new(racing)),
            location: Location::caller(),
        }
    }
}

impl Future for Connect {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        loop {
            let result = match &mut self.stage {
                Stage::Lookup { doing, lookup } => match lookup.poll_addrs(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(addrs)) => {
                        let racing = Racing::new(std::mem::take(doing), interleave(addrs));
                        self.stage = Stage::Racing(Box::new(racing));
                        continue;
                    }
                    Poll::Ready(Err(error)) => Err(Context::wrap(std::mem::take(doing), error)),
                },
                Stage::Racing(racing) => match racing.poll(cx) {
                    Poll::Ready(result) => result,
                    Poll::Pending => {
                        let kind = if budget::is_spent() {
                            Kind::Yield
                        } else {
                            Kind::Connect
                        };
                        waiting_on(kind, racing.id(), self.location);
                        return Poll::Pending;
                    }
                },
                Stage::Over => panic!("a connect was polled after it was ready"),
            };
            self.stage = Stage::Over; // closes the attempts that lost
            return Poll::Ready(result);
        }
    }
}

impl Racing {
    fn new(doing: String, addrs: Vec<SocketAddr>) -> Racing {
        Racing {
            doing,
            race: Race::new(addrs.len()),
            addrs,
            attempts: Vec::new(),
            delay: None,
            failed: Vec::new(),
            prepared: None,
        }
    }

    /// The youngest attempt's descriptor.
    fn id(&self) -> u64 {
        self.attempts
            .last()
            .map_or(0, |attempt| attempt.source.as_raw_fd() as u64)
    }

    fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<io::Result<TcpStream>> {
        // Nothing started and nothing failed yet: this is the beginning.
        let mut event =
            (self.attempts.is_empty() && self.failed.is_empty()).then_some(Event::DelayPassed);
        loop {
            if let Some(now) = event.take() {
                match self.race.step(now) {
                    Step::Wait => {}
                    Step::Lost => return Poll::Ready(Err(self.lost())),
                    Step::Start(index) => {
                        self.delay = self.race.has_more().then(|| Box::pin(sleep(ATTEMPT_DELAY)));
                        let addr = self.addrs[index];
                        let prepared = self.prepared.is_some();
                        match begin(self.prepared.take(), addr) {
                            Ok(source) => self.attempts.push(Attempt {
                                addr,
                                source,
                                prepared,
                            }),
                            Err(error) => {
                                self.failed.push((addr, error));
                                event = Some(Event::Failed);
                                continue;
                            }
                        }
                    }
                }
            }
            match self.poll_attempts(cx) {
                Some(Ok(stream)) => return Poll::Ready(Ok(stream)),
                Some(Err(failed)) => {
                    self.failed.push(failed);
                    event = Some(Event::Failed);
                    continue;
                }
                None => {}
            }
            let delay = self.delay.as_mut().map(|delay| delay.as_mut().poll(cx));
            if !matches!(delay, Some(Poll::Ready(_))) {
                return Poll::Pending;
            }
            self.delay = None;
            event = Some(Event::DelayPassed);
        }
    }

    /// The first attempt that is over, taken out.
    fn poll_attempts(
        &mut self,
        cx: &mut task::Context<'_>,
    ) -> Option<Result<TcpStream, (SocketAddr, io::Error)>> {
        for index in 0..self.attempts.len() {
            let attempt = &self.attempts[index];
            match attempt.source.poll_io(cx, Direction::Write, is_connected) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => {
                    let Attempt {
                        addr,
                        source,
                        prepared,
                    } = self.attempts.remove(index);
                    let stream = TcpStream::from_source(source);
                    if !prepared && is_its_own_peer(&stream) {
                        return Some(Err((addr, Errno::CONNREFUSED.into())));
                    }
                    return Some(Ok(stream));
                }
                Poll::Ready(Err(error)) => {
                    let Attempt { addr, .. } = self.attempts.remove(index);
                    return Some(Err((addr, error)));
                }
            }
        }
        None
    }

    fn lost(&mut self) -> io::Error {
        let doing = std::mem::take(&mut self.doing);
        let failed = std::mem::take(&mut self.failed);
        if failed.is_empty() {
            return Context::wrap(doing, no_address());
        }
        NotConnected { doing, failed }.into_error()
    }
}

/// Begins a connect. It is watched only from here on: a socket that is not
/// connecting yet would be reported as hung up.
fn begin(prepared: Option<OwnedFd>, addr: SocketAddr) -> io::Result<Source> {
    let fd = match prepared {
        Some(fd) => fd,
        None => {
            let kind = Type::STREAM.nonblocking().cloexec();
            let socket = Socket::new(Domain::for_address(addr), kind, Some(Protocol::TCP))?;
            socket.set_tcp_nodelay(true)?;
            count_received(&socket);
            socket.into()
        }
    };
    match rustix::net::connect(&fd, &addr) {
        // An interrupted connect goes on by itself, like one in progress.
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(Source::new(fd)),
        Err(error) => Err(error.into()),
    }
}

/// Whether the connect that was begun on `fd` is over.
fn is_connected(fd: BorrowedFd<'_>) -> io::Result<Done<()>> {
    if let Err(error) = rustix::net::sockopt::socket_error(fd)? {
        return Err(error.into());
    }
    match retry(|| rustix::net::getpeername(fd.as_fd())) {
        Ok(_) => Ok(Done::Full(())),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}

/// Whether the kernel has connected the socket to itself.
///
/// A connect to a local port that nobody listens on, from the range that the
/// kernel also takes source ports from, may get that very port as its source;
/// the two ends then meet in one socket. A client that polls for its server to
/// come up would so take the server's port and talk to itself.
fn is_its_own_peer(stream: &TcpStream) -> bool {
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(local), Ok(peer)) => local == peer,
        _ => false,
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Lookup { .. } => "lookup",
            Stage::Racing(_) => "racing",
            Stage::Over => "over",
        };
        f.debug_struct("Connect")
            .field("stage", &stage)
            .finish_non_exhaustive()
    }
}
