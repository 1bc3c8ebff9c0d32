//! What a parked task waits for: the kind, which one, and the line of the await.

use std::fmt;
use std::panic::Location;

use crate::now::now;

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
}

/// What a parked task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingOn {
    /// The sort of thing.
    pub kind: Kind,
    /// Which one: an fd, a task id, a key, or for a timer its deadline in nanoseconds
    /// after the clock's origin; 0 where there is nothing to tell. At most 2^56 - 1,
    /// which also stands for all that is more.
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

impl WaitingOn {
    /// The largest id: what one word has room for beside the kind.
    const ID_MAX: u64 = (1 << 56) - 1;

    /// Kind and id in one word, for who keeps it beside the line.
    #[inline]
    fn pack(kind: Kind, id: u64) -> u64 {
        id.min(WaitingOn::ID_MAX) << 8 | kind as u64
    }

    /// What [`Polling::end_packed`](crate::Polling::end_packed) gave.
    #[must_use]
    pub fn unpack(location: Option<&'static Location<'static>>, what: u64) -> Option<WaitingOn> {
        let kind = Kind::ALL.get(usize::try_from(what & 0xff).ok()?).copied()?;
        Some(WaitingOn {
            kind,
            id: what >> 8,
            location: location?,
        })
    }
}

/// Says what the poll in progress is about to wait for.
///
/// A leaf calls it when it is about to return `Pending`; the last call of a
/// poll counts. An id above 2^56 - 1 is told as that.
#[inline]
pub fn waiting_on(kind: Kind, id: u64, location: &'static Location<'static>) {
    now(|now| {
        now.location.set(Some(location));
        now.what.set(WaitingOn::pack(kind, id));
    });
}

/// What has been said by now is waited for at `location`: for who awaits a leaf in the
/// name of somebody else, whose line it is.
///
/// # Example
///
/// ```
/// use std::panic::Location;
/// use wakeline_context::{Kind, Polling, waiting_at, waiting_on};
///
/// let theirs = Location::caller();
/// let polling = Polling::begin();
/// waiting_on(Kind::Accept, 7, Location::caller());
/// waiting_at(theirs);
/// let waiting = polling.end().expect("it was said above");
/// assert_eq!((waiting.id, waiting.location), (7, theirs));
/// ```
#[inline]
pub fn waiting_at(location: &'static Location<'static>) {
    now(|now| {
        if now.location.get().is_some() {
            now.location.set(Some(location));
        }
    });
}

/// Polls a leaf that is only the limit of what was polled before: if something has
/// been said by now, it remains what is waited for.
///
/// # Example
///
/// ```
/// use std::panic::Location;
/// use wakeline_context::{Kind, Polling, beside, waiting_on};
///
/// let polling = Polling::begin();
/// waiting_on(Kind::Read, 7, Location::caller());
/// beside(|| waiting_on(Kind::Timer, 0, Location::caller()));
/// assert_eq!(polling.end().map(|waiting| waiting.kind), Some(Kind::Read));
/// ```
#[inline]
pub fn beside<R>(poll: impl FnOnce() -> R) -> R {
    let (location, what) = now(|now| (now.location.get(), now.what.get()));
    let polled = poll();
    if location.is_some() {
        now(|now| {
            now.location.set(location);
            now.what.set(what);
        });
    }
    polled
}

/// What was said last, packed; nothing is said from here on.
#[inline]
pub(crate) fn take_packed() -> (Option<&'static Location<'static>>, u64) {
    now(|now| (now.location.take(), now.what.get()))
}

/// What was said last; nothing is said from here on.
pub(crate) fn take() -> Option<WaitingOn> {
    let (location, what) = take_packed();
    WaitingOn::unpack(location, what)
}

/// Nothing is said from here on.
#[inline]
pub(crate) fn forget() {
    now(|now| now.location.set(None));
}

/// As `take`, where there is nothing as a rule.
#[inline]
pub(crate) fn take_rare() -> Option<Box<WaitingOn>> {
    #[cold]
    #[inline(never)]
    fn some() -> Option<Box<WaitingOn>> {
        take().map(Box::new)
    }
    now(|now| now.location.get()).and_then(|_| some())
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
    fn what_is_packed_comes_out_again() {
        let here = Location::caller();
        for kind in Kind::ALL {
            for (id, told) in [
                (7, 7),
                (u64::MAX >> 8, u64::MAX >> 8),
                (u64::MAX, u64::MAX >> 8),
            ] {
                let packed = WaitingOn::pack(kind, id);
                let waiting = WaitingOn::unpack(Some(here), packed).expect("packed above");
                assert_eq!((waiting.kind, waiting.id), (kind, told));
                assert_eq!(WaitingOn::unpack(None, packed), None);
            }
        }
        assert_eq!(WaitingOn::unpack(Some(here), u64::MAX), None);
        assert_eq!(Kind::Yield as usize + 1, Kind::ALL.len());
    }
}
