//! Children that nobody waits for any more, and the thread that reaps them.
//!
//! A child that has ended stays in the kernel's table, a *zombie*, until its
//! parent asks for its status. Who drops a [`Child`](super::Child) never will,
//! so it comes here:
//!
//! ```text
//!   Child dropped ──1──▶ orphans ──2──▶ ended ──3──▶ reaped
//! ```
//! 1 `adopt`   still running: into the list, and watched
//! 2 the kernel makes its descriptor readable
//! 3 `Orphans::reap`  the thread takes the status and throws it away
//!
//! The thread is there while the list has something in it, and no longer. It
//! needs no runtime: a child may outlive the one that started it, of which
//! nothing comes here. So no foreign code runs on the thread either. The list is
//! as long as there are such children. If the thread cannot be had, for want
//! of threads or descriptors, the next spawn or drop tries again.

use super::handle::Exit;
use crate::per_process::{GENERATIONS, PerProcess};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::thread::nanosleep;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// How many ends are taken at a time.
const BATCH: usize = 64;
/// How often those are asked that epoll did not take, or of which it tells nothing.
const ASK_AGAIN: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};
/// How often the list is looked at for such a one: while the thread waits,
/// nothing can tell it of a child without a descriptor. So long such a one may
/// be a zombie.
const LOOK_AGAIN: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

static ORPHANS: PerProcess<Mutex<Orphans>> = PerProcess::new(
    [const {
        Mutex::new(Orphans {
            waiting: BTreeMap::new(),
            next: 0,
            epoll: None,
        })
    }; GENERATIONS],
);

struct Orphans {
    waiting: BTreeMap<u64, Orphan>,
    next: u64,
    /// The thread's; there is a thread as long as this is here.
    epoll: Option<Arc<OwnedFd>>,
}

struct Orphan {
    exit: Exit,
    /// Readable when it has ended. Without it, it is asked for by number.
    fd: Option<OwnedFd>,
    watched: bool,
}

fn lock() -> MutexGuard<'static, Orphans> {
    let orphans = ORPHANS.get().lock();
    orphans.unwrap_or_else(PoisonError::into_inner)
}

/// Takes a running child over.
pub(super) fn adopt(exit: Exit, fd: Option<OwnedFd>) {
    let mut orphans = lock();
    let key = orphans.next;
    orphans.next += 1;
    // In the list before there is a thread: it ends when the list is empty.
    let orphan = Orphan {
        exit,
        fd,
        watched: false,
    };
    orphans.waiting.insert(key, orphan);
    orphans.tend();
}

/// Looks after those that could not be looked after before.
pub(super) fn tend() {
    let mut orphans = lock();
    if !orphans.waiting.is_empty() {
        orphans.tend();
    }
}

/// Whether the thread is there.
#[cfg(test)]
pub(super) fn has_thread() -> bool {
    lock().epoll.is_some()
}

impl Orphans {
    /// Sees to it that there is a thread and that it watches everyone.
    fn tend(&mut self) {
        // On an error the next call tries again.
        let Ok(epoll) = self.thread() else { return };
        for (key, orphan) in &mut self.waiting {
            orphan.watched = orphan.watched || watch(&epoll, *key, orphan);
        }
    }

    fn thread(&mut self) -> io::Result<Arc<OwnedFd>> {
        if let Some(epoll) = &self.epoll {
            return Ok(Arc::clone(epoll));
        }
        let epoll = Arc::new(epoll::create(CreateFlags::CLOEXEC)?);
        let theirs = Arc::clone(&epoll);
        // It starts by waiting for the lock that the caller holds.
        thread::Builder::new()
            .name("wakeline-reaper".into())
            .stack_size(128 << 10)
            .spawn(move || run(&theirs))?;
        self.epoll = Some(Arc::clone(&epoll));
        Ok(epoll)
    }

    /// Nothing will be heard of anyone: each is asked for.
    fn unwatch(&mut self) {
        for orphan in self.waiting.values_mut() {
            orphan.watched = false;
        }
    }

    /// Reaps who has ended: those of `keys`, and those that are not watched.
    fn reap(&mut self, keys: &[u64]) -> Vec<Orphan> {
        let unwatched = self.waiting.iter().filter(|(_, orphan)| !orphan.watched);
        let mut keys: Vec<u64> = unwatched
            .map(|(key, _)| *key)
            .chain(keys.iter().copied())
            .collect();
        keys.dedup();
        keys.retain(|key| {
            // One that is traced may be readable and not be reaped yet; it
            // stays, and there will be another edge.
            let orphan = self.waiting.get_mut(key);
            orphan.is_some_and(|orphan| !matches!(orphan.try_reap(), Ok(None)))
        });
        keys.iter()
            .filter_map(|key| self.waiting.remove(key))
            .collect()
    }
}

impl Orphan {
    fn try_reap(&mut self) -> io::Result<Option<ExitStatus>> {
        self.exit.reap(self.fd.as_ref().map(OwnedFd::as_fd))
    }
}

/// Edges: an end that cannot be reaped yet must not spin the thread.
fn watch(epoll: &OwnedFd, key: u64, orphan: &Orphan) -> bool {
    let Some(fd) = &orphan.fd else {
        return false;
    };
    let data = EventData::new_u64(key);
    epoll::add(epoll, fd, data, EventFlags::IN | EventFlags::ET).is_ok()
}

fn run(epoll: &OwnedFd) {
    let mut events: Vec<Event> = Vec::with_capacity(BATCH);
    let mut keys = Vec::new();
    loop {
        let mut orphans = lock();
        let reaped = orphans.reap(&keys);
        let over = orphans.waiting.is_empty();
        if over {
            orphans.epoll = None;
        }
        let all_watched = orphans.waiting.values().all(|orphan| orphan.watched);
        drop(orphans);
        // Closing takes it out of epoll.
        drop(reaped);
        if over {
            return;
        }
        let limit = if all_watched { &LOOK_AGAIN } else { &ASK_AGAIN };
        events.clear();
        if !hear(epoll, &mut events, limit) {
            lock().unwatch();
            // An interrupted pause is a short one.
            let _interrupted = nanosleep(&ASK_AGAIN);
        }
        keys.clear();
        keys.extend(events.iter().map(|event| event.data.u64()));
    }
}

/// Waits for ends; `false` if the kernel, or a filter before it, knows no such wait.
fn hear(epoll: &OwnedFd, events: &mut Vec<Event>, limit: &Timespec) -> bool {
    let waited = epoll::wait(epoll, spare_capacity(events), Some(limit));
    matches!(waited, Ok(_) | Err(Errno::INTR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    use std::process::Command;

    #[test]
    fn a_wait_that_cannot_be_is_none() {
        let none = Timespec::default();
        let epoll = epoll::create(CreateFlags::CLOEXEC).expect("an epoll");
        assert!(hear(&epoll, &mut Vec::with_capacity(1), &none));
        let (no_epoll, _writer) = std::io::pipe().expect("a pipe");
        let no_epoll = no_epoll.into();
        assert!(!hear(&no_epoll, &mut Vec::with_capacity(1), &none));
    }

    /// By an epoll that tells nothing.
    #[test]
    fn who_is_not_watched_any_more_is_asked_for() {
        let mut std = Command::new("true").spawn().expect("it runs");
        let pid = Pid::from_child(&std);
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), ended).expect("it ends");
        let orphan = Orphan {
            exit: Exit::by_number(pid, "`true`".into()),
            fd: None,
            watched: true,
        };
        let mut orphans = Orphans {
            waiting: BTreeMap::from([(0, orphan)]),
            next: 1,
            epoll: None,
        };
        assert!(orphans.reap(&[]).is_empty(), "an event would tell");
        orphans.unwatch();
        assert_eq!(orphans.reap(&[]).len(), 1);
        assert!(std.wait().is_err(), "it was reaped");
    }
}
