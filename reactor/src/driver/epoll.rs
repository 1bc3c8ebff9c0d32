//! The epoll driver, on mio.
//!
//! ```text
//!   arm      epoll_ctl(ADD, IN|RDHUP|ET), one registration per source;
//!            from the first wait to write on with OUT (MOD)
//!   turn     epoll_wait, then for each event: slot -> source -> bits, wakers
//!   release  epoll_ctl(DEL), before anybody closes the descriptor
//! ```
//!
//! Edge-triggered: the kernel reports what is possible now at the registration
//! and again at each change, so a waiter that found nothing needs no call to
//! wait again. The eventfd is watched the same way and is never read.
//!
//! A one-shot operation is tried at once. If it would block on a descriptor
//! that can be watched, a duplicate of that is registered (the original may be
//! registered already, by a source) and the operation is tried again at each
//! event; what cannot be watched, or would block all the same, runs on the
//! blocking pool.

use super::{Beside, Turning};
use crate::clock;
use crate::error::{not_watched, setup};
use crate::harvest::{Garbage, Harvest};
use crate::metrics::{Counts, add};
use crate::op::{AnyOp, Attempt};
use crate::readiness::{CLOSED, EXACT, READY, URGENT};
use crate::remote::Home;
use crate::slots::{Key, Kind, Slots};
use crate::source::Shared;
use crate::state::{Direction, Event};
use crate::sys;
use crate::watched::Watched;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

const MILLI: u64 = 1_000_000;

/// What a source is watched for to be read. Urgent data is not read by us, but a
/// read stops at it: see `Source::is_quiet`.
const READ: Interest = Interest::READABLE.add(Interest::PRIORITY);

enum Slot {
    Source(Arc<Shared>),
    Op { op: Arc<dyn AnyOp>, fd: OwnedFd },
}

pub(crate) struct Epoll {
    poll: Poll,
    events: Events,
    slots: Slots<Slot>,
    ops: usize,
    alarm: OwnedFd,
    /// When the alarm rings, if it is set: nanoseconds after the origin.
    alarm_at: Option<u64>,
    home: u64,
    watched: Option<Arc<Watched>>,
}

fn token(kind: Kind, key: Key) -> Token {
    Token(key.pack(kind) as usize)
}

impl Epoll {
    pub(crate) fn new(home: &Home) -> io::Result<Epoll> {
        let poll = Poll::new().map_err(setup("set up epoll"))?;
        let alarm = sys::timerfd().map_err(setup("make a timerfd"))?;
        for (fd, kind) in [(&home.eventfd, Kind::Interrupt), (&alarm, Kind::Alarm)] {
            poll.registry()
                .register(
                    &mut SourceFd(&fd.as_raw_fd()),
                    token(kind, Key::NONE),
                    Interest::READABLE,
                )
                .map_err(setup("watch the eventfd and the timerfd"))?;
        }
        let events = Events::with_capacity(1_024);
        Ok(Epoll {
            poll,
            events,
            slots: Slots::new(),
            ops: 0,
            alarm,
            alarm_at: None,
            home: home.id,
            watched: None,
        })
    }

    /// Who reads seldom has to wait for room to write, and the kernel tells of
    /// that room each time the peer reads: so a source is watched for reading
    /// alone until its first wait to write. The other way round, a connect for
    /// instance, a read comes next: both at once.
    pub(crate) fn arm(
        &mut self,
        source: &Arc<Shared>,
        direction: Direction,
        beside: Beside,
        counts: &Counts,
    ) -> io::Result<(Key, bool)> {
        let fd = source.fd.as_raw_fd();
        add(&counts.controls, 1);
        if let Beside::Here(key) = beside {
            debug_assert!(self.slots.get(key).is_some(), "armed, so registered");
            // It tells again what is possible already, so no edge is lost.
            let both = READ | Interest::WRITABLE;
            let changed =
                self.poll
                    .registry()
                    .reregister(&mut SourceFd(&fd), token(Kind::Source, key), both);
            return changed.map(|()| (key, false));
        }
        let (interest, both) = match (direction, beside) {
            (Direction::Read, _) => (READ, false),
            (Direction::Write, Beside::Elsewhere) => (Interest::WRITABLE, false),
            (Direction::Write, _) => (READ | Interest::WRITABLE, true),
        };
        let key = self.slots.insert(Slot::Source(Arc::clone(source)));
        let registered =
            self.poll
                .registry()
                .register(&mut SourceFd(&fd), token(Kind::Source, key), interest);
        if registered.is_err() {
            self.slots.remove(key);
        } else if let Some(watched) = &self.watched {
            watched.insert(key, source);
        }
        registered.map(|()| (key, both))
    }

    pub(crate) fn enlist(&mut self, watched: Arc<Watched>) {
        assert!(
            self.is_empty(),
            "something is watched already, and not listed"
        );
        self.watched = Some(watched);
    }

    pub(crate) fn release(&mut self, key: Key, harvest: &mut Harvest, counts: &Counts) {
        let Some(slot) = self.slots.remove(key) else {
            return;
        };
        if let Some(watched) = &self.watched {
            watched.remove(key);
        }
        add(&counts.controls, 1);
        let fd = match &slot {
            Slot::Source(source) => source.fd.as_raw_fd(),
            Slot::Op { fd, .. } => fd.as_raw_fd(),
        };
        let deregistered = self.poll.registry().deregister(&mut SourceFd(&fd));
        debug_assert!(
            deregistered.is_ok(),
            "a slot is a registration: {deregistered:?}"
        );
        match slot {
            Slot::Source(source) => harvest.garbage.push(Garbage::Source(source)),
            Slot::Op { op, .. } => {
                self.ops -= 1;
                harvest.garbage.push(Garbage::Op(op));
            }
        }
    }

    pub(crate) fn submit(
        &mut self,
        op: &Arc<dyn AnyOp>,
        counts: &Counts,
    ) -> io::Result<Option<Key>> {
        let attempt = op.waits().map_or_else(|| op.attempt(), Attempt::Wait);
        let direction = match attempt {
            Attempt::Done(result) => {
                op.complete_alone(result);
                return Ok(None);
            }
            Attempt::Block => return Ok(None),
            Attempt::Wait(direction) => direction,
        };
        let fd = op.duplicate_fd().map_err(not_watched)?;
        let interest = match direction {
            Direction::Read => Interest::READABLE,
            Direction::Write => Interest::WRITABLE,
        };
        let raw = fd.as_raw_fd();
        let key = self.slots.insert(Slot::Op {
            op: Arc::clone(op),
            fd,
        });
        add(&counts.controls, 1);
        let registered =
            self.poll
                .registry()
                .register(&mut SourceFd(&raw), token(Kind::Op, key), interest);
        match registered {
            Ok(()) => {
                self.ops += 1;
                Ok(Some(key))
            }
            // A regular file: it cannot be watched, but the pool can block on it.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                self.slots.remove(key);
                Ok(None)
            }
            Err(error) => {
                self.slots.remove(key);
                Err(not_watched(error))
            }
        }
    }

    pub(crate) fn cancel(&mut self, key: Key, harvest: &mut Harvest, counts: &Counts) {
        let Some(Slot::Op { op, .. }) = self.slots.get(key) else {
            return;
        };
        op.complete(
            Err(io::Error::from_raw_os_error(libc::ECANCELED)),
            &mut harvest.wakers,
        );
        self.release(key, harvest, counts);
    }

    pub(crate) fn turn(&mut self, turning: &mut Turning<'_>) -> io::Result<()> {
        let Epoll {
            poll,
            events,
            alarm,
            alarm_at,
            ..
        } = self;
        let counts = turning.counts;
        let waited = turning.around_sleep(|sleep| {
            let timeout = match sleep {
                None => Some(Duration::ZERO),
                Some(None) => None,
                Some(Some(until)) => timeout(until, alarm, alarm_at, counts)?,
            };
            add(&counts.waits, 1);
            poll.poll(events, timeout)
        });
        match waited {
            Ok(()) => {}
            // The one place where an interrupted wait is met: as if it were
            // over. It need not be a signal: the kernel's farewell to a ring
            // that this thread has closed ends a wait in the same way.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            Err(error) => return Err(error),
        }
        self.reap(turning);
        Ok(())
    }

    fn reap(&mut self, turning: &mut Turning<'_>) {
        // Taken out, so that the slots can be changed meanwhile.
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let Some((kind, key)) = Key::unpack(event.token().0 as u64) else {
                add(&turning.counts.stale, 1);
                continue;
            };
            match kind {
                Kind::Interrupt => continue,
                Kind::Alarm => {
                    self.alarm_at = None;
                    continue;
                }
                _ => turning.events += 1,
            }
            match self.slots.get(key) {
                Some(Slot::Source(source)) => {
                    source
                        .state
                        .deliver(bits(event), &mut turning.harvest.wakers);
                }
                Some(Slot::Op { op, .. }) if op.waits().is_some() => {
                    op.give_back(&mut turning.harvest.wakers);
                    self.release(key, turning.harvest, turning.counts);
                }
                Some(Slot::Op { op, .. }) => match op.attempt() {
                    Attempt::Done(result) => {
                        op.complete(result, &mut turning.harvest.wakers);
                        self.release(key, turning.harvest, turning.counts);
                    }
                    // Its future tries again, and from there it goes to the
                    // pool, which is not to be called while this is borrowed.
                    Attempt::Block => {
                        op.give_back(&mut turning.harvest.wakers);
                        self.release(key, turning.harvest, turning.counts);
                    }
                    Attempt::Wait(_) => {}
                },
                None => add(&turning.counts.stale, 1),
            }
        }
        self.events = events;
    }

    /// Ends every watch; operations go on.
    pub(crate) fn disarm(&mut self, harvest: &mut Harvest, counts: &Counts) {
        let home = self.home;
        let watches = self.slots.iter().filter_map(|(key, slot)| match slot {
            Slot::Source(source) => Some((key, Arc::clone(source))),
            Slot::Op { .. } => None,
        });
        for (key, source) in watches.collect::<Vec<_>>() {
            source
                .state
                .disarm(|armed| armed.is(home, key), None, &mut harvest.wakers);
            self.release(key, harvest, counts);
        }
    }

    /// Gives operations back to their futures, which begin them again where they
    /// are polled.
    pub(crate) fn give_back(&mut self, harvest: &mut Harvest, counts: &Counts) {
        let ops = self.slots.iter().filter_map(|(key, slot)| match slot {
            Slot::Op { op, .. } if op.restarts() => Some((key, Arc::clone(op))),
            _ => None,
        });
        for (key, op) in ops.collect::<Vec<_>>() {
            op.give_back(&mut harvest.wakers);
            self.release(key, harvest, counts);
        }
    }

    pub(crate) fn drain(&mut self, harvest: &mut Harvest, counts: &Counts) {
        self.disarm(harvest, counts);
        let ops: Vec<Key> = self.slots.iter().map(|(key, _)| key).collect();
        for key in ops {
            self.cancel(key, harvest, counts);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.len() == 0
    }

    pub(crate) fn held(&self) -> (usize, usize) {
        (self.slots.len() - self.ops, self.ops)
    }
}

/// The timeout for a wait until `until`. epoll counts in milliseconds, and mio
/// rounds up; so a deadline that is no whole number of them away goes to the
/// timerfd, unless that is set for it already.
fn timeout(
    until: u64,
    alarm: &OwnedFd,
    alarm_at: &mut Option<u64>,
    counts: &Counts,
) -> io::Result<Option<Duration>> {
    if *alarm_at == Some(until) {
        return Ok(None);
    }
    let left = until.saturating_sub(clock::now_nanos());
    if left == 0 {
        return Ok(Some(Duration::ZERO));
    }
    if left.is_multiple_of(MILLI) {
        return Ok(Some(Duration::from_nanos(left)));
    }
    add(&counts.alarms, 1);
    sys::set_alarm(alarm.as_fd(), left)?;
    *alarm_at = Some(until);
    Ok(None)
}

/// An event in the bits of `readiness.rs`.
fn bits(event: &mio::event::Event) -> Event {
    let mut told = Event::default();
    // Also for urgent data, and for the end of either side.
    if event.is_readable() {
        told.read = READY;
    }
    if event.is_writable() {
        told.write = READY;
    }
    if event.is_read_closed() {
        told.read |= READY | CLOSED;
    }
    if event.is_error() || (event.is_read_closed() && event.is_write_closed()) {
        told.read |= READY | CLOSED;
        told.write |= READY | CLOSED;
    }
    if event.is_priority() {
        told.read |= URGENT;
    }
    if told.read != 0 {
        told.read |= EXACT;
    }
    told
}

#[cfg(all(test, not(loom)))]
mod tests;
