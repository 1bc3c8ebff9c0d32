//! What a parked task waits for: the kind, which one, and the line of the await.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;

/// What sort of thing a leaf waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Data, a connection or a peer's close on a socket.
    Read,
    /// Room in a socket's send buffer.
    Write,
    /// A connection to accept.
    Accept,
    /// A connection being set up.
    Connect,
    /// A one-shot operation of the driver (a file read, an fsync).
    Operation,
    /// A deadline.
    Timer,
    /// Another task's end.
    Join,
    /// A job on the blocking pool.
    Blocking,
    /// A lock, a permit or an event.
    Lock,
    /// A mutex; the id is the task that held it when the wait began.
    Mutex,
    /// A channel's item or room.
    Channel,
    /// A signal of the operating system.
    Signal,
    /// Nothing: the task gave way to others and is queued.
    Yield,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Read => "read",
            Kind::Write => "write",
            Kind::Accept => "accept",
            Kind::Connect => "connect",
            Kind::Operation => "operation",
            Kind::Timer => "timer",
            Kind::Join => "join",
            Kind::Blocking => "blocking job",
            Kind::Lock => "lock",
            Kind::Mutex => "mutex",
            Kind::Channel => "channel",
            Kind::Signal => "signal",
            Kind::Yield => "yield",
        })
    }
}

/// What a parked task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingOn {
    /// The sort of thing.
    pub kind: Kind,
    /// Which one: an fd, a task id, a key; 0 where there is nothing to tell.
    pub id: u64,
    /// The line that created the future being awaited.
    pub location: &'static Location<'static>,
}

impl fmt::Display for WaitingOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WaitingOn { kind, id, location } = self;
        match kind {
            Kind::Join => write!(f, "the end of #{id}"),
            Kind::Mutex => write!(f, "a mutex held by #{id}"),
            Kind::Lock => write!(f, "{kind} {id:#x}"),
            _ if *id == 0 => write!(f, "{kind}"),
            _ => write!(f, "{kind} {id}"),
        }?;
        write!(f, " at {location}")
    }
}

thread_local! {
    static WAITING: Cell<Option<WaitingOn>> = const { Cell::new(None) };
}

/// Says what the poll in progress is about to wait for.
///
/// A leaf calls it when it is about to return `Pending`; the last call of a
/// poll counts.
#[inline]
pub fn waiting_on(kind: Kind, id: u64, location: &'static Location<'static>) {
    WAITING.set(Some(WaitingOn { kind, id, location }));
}

#[inline]
pub(crate) fn replace(waiting: Option<WaitingOn>) -> Option<WaitingOn> {
    WAITING.replace(waiting)
}
