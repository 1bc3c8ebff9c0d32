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
    /// The end of a child process; the id is its pid.
    Process,
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
            Kind::Process => "process",
            Kind::Yield => "yield",
        })
    }
}

impl Kind {
    /// All of them, each at the place of its number.
    const ALL: [Kind; 14] = [
        Kind::Read,
        Kind::Write,
        Kind::Accept,
        Kind::Connect,
        Kind::Operation,
        Kind::Timer,
        Kind::Join,
        Kind::Blocking,
        Kind::Lock,
        Kind::Mutex,
        Kind::Channel,
        Kind::Signal,
        Kind::Process,
        Kind::Yield,
    ];

    /// The kind as a number, for who keeps it in an atomic.
    #[doc(hidden)]
    #[must_use]
    #[inline]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number.
    #[doc(hidden)]
    #[must_use]
    pub fn of_number(number: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(number)).copied()
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
    /// Whether there is anything to tell, and the line. Looked at in every poll.
    static LOCATION: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
    /// The rest of it; says nothing while there is no line.
    static WHAT: Cell<(Kind, u64)> = const { Cell::new((Kind::Yield, 0)) };
}

/// Says what the poll in progress is about to wait for.
///
/// A leaf calls it when it is about to return `Pending`; the last call of a
/// poll counts.
#[inline]
pub fn waiting_on(kind: Kind, id: u64, location: &'static Location<'static>) {
    LOCATION.set(Some(location));
    WHAT.set((kind, id));
}

/// What was said last; nothing is said from here on.
#[inline]
pub(crate) fn take() -> Option<WaitingOn> {
    let location = LOCATION.take()?;
    let (kind, id) = WHAT.get();
    Some(WaitingOn { kind, id, location })
}

/// Nothing is said from here on.
#[inline]
pub(crate) fn forget() {
    LOCATION.set(None);
}

/// As `take`, where there is nothing as a rule.
#[inline]
pub(crate) fn take_rare() -> Option<Box<WaitingOn>> {
    #[cold]
    #[inline(never)]
    fn some() -> Option<Box<WaitingOn>> {
        take().map(Box::new)
    }
    LOCATION.get().and_then(|_| some())
}

/// Says again what `take_rare` took.
#[cold]
#[inline(never)]
#[expect(clippy::boxed_local, reason = "it is boxed where it was kept")]
pub(crate) fn restore(waiting: Box<WaitingOn>) {
    let WaitingOn { kind, id, location } = *waiting;
    waiting_on(kind, id, location);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_number() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_number(kind.number()), Some(kind));
        }
        assert_eq!(Kind::Yield.number() as usize + 1, Kind::ALL.len());
    }
}
