//! What a reactor watches, for a look by another thread while its own does not turn.
//!
//! ```text
//!   owner                         a deputy's look, on any thread
//!   ─────                         ──────────────────────────────
//!   arm ──────▶ listed            those that somebody may wait for
//!   end of the watch ─▶ gone        └─▶ poll(2), which does not wait
//!                                         └─▶ each that is ready: bits, wakers
//! ```
//!
//! An event is the state's, whoever saw it (`state.rs`). The kernel tells the
//! owner of it as well, later: then there is one try more, which finds nothing.
//!
//! Under the lock nothing is called that takes another one or may be foreign: the
//! owner takes it while it holds the lock of a source's state.

use crate::harvest::{Garbage, Harvest};
use crate::slots::Key;
use crate::source::Shared;
use crate::state::{Direction, Event};
use crate::sync::Lock;
use crate::sys;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

/// So many sources are looked at in one go; the next begins behind them.
const LOOK_MAX: usize = if cfg!(test) { 4 } else { 1_024 };

/// The sources of one reactor, by the slots of its driver.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    list: Lock<List>,
}

#[derive(Debug, Default)]
struct List {
    slots: Vec<Option<(Key, Weak<Shared>)>>,
    /// Where the next look begins.
    next: usize,
}

impl Watched {
    /// By the owner: `source` is watched under this key.
    pub(crate) fn insert(&self, key: Key, source: &Arc<Shared>) {
        // Relaxed: said by its owner before the first wait. The close of a listener
        // must free its address at once, so nobody else may hold it for a moment.
        if source.listens.load(Relaxed) {
            return;
        }
        let mut list = self.list.lock();
        let index = key.index();
        if list.slots.len() <= index {
            list.slots.resize_with(index + 1, || None);
        }
        list.slots[index] = Some((key, Arc::downgrade(source)));
    }

    /// By the owner: it is no more.
    pub(crate) fn remove(&self, key: Key) {
        let mut list = self.list.lock();
        let listed = list.slots.get_mut(key.index());
        let gone = listed.and_then(|slot| slot.take_if(|(listed, _)| *listed == key));
        drop(list);
        drop(gone);
    }

    /// Asks the kernel what the owner would be told in a turn, and wakes who waits
    /// for that; how many.
    pub(crate) fn look(&self) -> io::Result<usize> {
        let (mut sources, mut polls) = (Vec::new(), Vec::new());
        for source in self.some() {
            let wanted = wanted(&source);
            if wanted != 0 {
                polls.push(libc::pollfd {
                    fd: source.fd.as_raw_fd(),
                    events: wanted,
                    revents: 0,
                });
                sources.push(source);
            }
        }
        sys::poll_now(&mut polls)?;
        let mut harvest = Harvest::default();
        for (source, poll) in sources.into_iter().zip(polls) {
            if poll.revents != 0 {
                let event = Event::from_poll(poll.revents.into());
                source.state.deliver(event, &mut harvest.wakers);
            }
            // Closed here, if its owner has let go of it meanwhile.
            harvest.garbage.push(Garbage::Source(source));
        }
        Ok(harvest.finish())
    }

    fn some(&self) -> Vec<Arc<Shared>> {
        let mut list = self.list.lock();
        let (length, first) = (list.slots.len(), list.next);
        let (before, after) = list.slots.split_at(first.min(length));
        let looked = after.iter().chain(before).take(LOOK_MAX);
        let some = looked.filter_map(|slot| slot.as_ref()?.1.upgrade());
        let some = some.collect();
        list.next = (first + LOOK_MAX) % length.max(1);
        some
    }
}

/// Looks at what a reactor watches, from any thread; made by
/// [`Reactor::deputy`](crate::Reactor::deputy).
///
/// For the time in which the reactor's own thread does not turn it, since a task
/// computes there: who waits for a socket that is ready is woken, by the
/// thread that looks. Timers and operations that the reactor has are not looked at,
/// nor listeners.
///
/// # Example
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
/// use std::io::Write;
/// use std::os::fd::OwnedFd;
/// use std::os::unix::net::UnixStream;
/// use std::pin::pin;
/// use std::task::{Context, Waker};
/// use std::panic::Location;
/// use wakeline_context::Kind;
/// use wakeline_reactor::{Config, Direction, Reactor, Source};
///
/// let reactor = Reactor::new(&Config::default())?;
/// let deputy = reactor.deputy();
/// let _entered = reactor.enter();
/// let (here, mut there) = UnixStream::pair()?;
/// here.set_nonblocking(true)?;
/// let source = Source::new(OwnedFd::from(here));
/// let mut ready = pin!(source.ready(Direction::Read, Kind::Read, Location::caller()));
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(ready.as_mut().poll(&mut cx).is_pending());
///
/// there.write_all(b"x")?;
/// let woken = std::thread::spawn(move || deputy.look()).join().expect("no panic")?;
/// assert_eq!(woken, 1);
/// assert!(ready.as_mut().poll(&mut cx).is_ready(), "and the reactor has not turned");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Deputy {
    pub(crate) watched: Arc<Watched>,
}

impl Deputy {
    /// Wakes who waits for something that is possible by now; how many. It does not
    /// wait, and asks after 1,024 sources at most: the next look goes on behind them.
    ///
    /// # Errors
    ///
    /// What `poll(2)` returned: no memory, or more descriptors than the process may have
    /// by now.
    pub fn look(&self) -> io::Result<usize> {
        self.watched.look()
    }
}

/// What somebody may wait for: a direction in which nothing is known to be possible.
fn wanted(source: &Shared) -> libc::c_short {
    let waits = |direction| !source.state.readiness(direction).look().is_ready();
    let mut bits = 0;
    if waits(Direction::Read) {
        bits |= libc::POLLIN | libc::POLLRDHUP;
    }
    if waits(Direction::Write) {
        bits |= libc::POLLOUT;
    }
    bits
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::slots::Slots;
    use std::collections::HashSet;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    /// One that may be read, and somebody waits for that.
    fn readable() -> Arc<Shared> {
        let (here, there) = UnixStream::pair().unwrap();
        drop(there);
        Arc::new(Shared::new(OwnedFd::from(here)))
    }

    fn known(sources: &[(Key, Arc<Shared>)]) -> HashSet<usize> {
        let is_known = |source: &Shared| source.state.readiness(Direction::Read).look().is_ready();
        let known = sources.iter().filter(|(_, source)| is_known(source));
        known.map(|(key, _)| key.index()).collect()
    }

    #[test]
    fn a_look_goes_on_where_the_last_has_ended() {
        let (watched, mut slots) = (Watched::default(), Slots::new());
        let insert = |_| {
            let source = readable();
            let key = slots.insert(());
            watched.insert(key, &source);
            (key, source)
        };
        let sources: Vec<_> = (0..10).map(insert).collect();
        for so_far in [4, 8, 10, 10] {
            watched.look().unwrap();
            let expected = (0..so_far).collect::<HashSet<usize>>();
            assert_eq!(known(&sources), expected);
        }
    }

    #[test]
    fn what_is_gone_is_not_looked_at_and_its_place_is_the_next_ones() {
        let (watched, mut slots) = (Watched::default(), Slots::new());
        let (first, second) = (readable(), readable());
        let key = slots.insert(());
        watched.insert(key, &first);
        watched.remove(key);
        slots.remove(key);
        watched.look().unwrap();
        assert!(known(&[(key, Arc::clone(&first))]).is_empty());

        let reused = slots.insert(());
        assert_eq!(reused.index(), key.index());
        watched.insert(reused, &second);
        // Late news of the one before.
        watched.remove(key);
        watched.look().unwrap();
        assert_eq!(known(&[(reused, second)]).len(), 1);
        assert_eq!(Arc::strong_count(&first), 1, "nobody holds it");
    }

    #[test]
    fn a_source_that_has_ended_leaves_nothing_behind() {
        let (watched, mut slots) = (Watched::default(), Slots::new());
        let source = readable();
        watched.insert(slots.insert(()), &source);
        let weak = Arc::downgrade(&source);
        drop(source);
        assert_eq!(watched.look().unwrap(), 0);
        assert!(weak.upgrade().is_none());
    }
}
