//! The part of a reactor that other threads may hold.

use crate::error::setup;
use crate::inbox::{Inbox, Message};
use crate::parker::{Notify, Parker};
use crate::sys;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};

/// What owner and others share: whether it sleeps, how to end that, its mail.
#[derive(Debug)]
pub(crate) struct Home {
    /// Distinguishes reactors for the life of the process.
    pub(crate) id: u64,
    pub(crate) parker: Parker,
    pub(crate) inbox: Inbox,
    pub(crate) eventfd: OwnedFd,
    rings: AtomicU64,
    generation: u32,
}

impl Drop for Home {
    fn drop(&mut self) {
        with_homes(|homes| homes.remove(&self.id));
    }
}

type Homes = Mutex<Option<HashMap<u64, Weak<Home>>>>;

/// Every reactor of the process that exists: for the rare message from whoever
/// knows only its number.
///
/// A fork copies a lock also while another thread holds it, and that thread is not
/// in the child. So each generation of processes has a list of its own.
static HOMES: [Homes; 16] = [const { Mutex::new(None) }; 16];

fn with_homes<R>(f: impl FnOnce(&mut HashMap<u64, Weak<Home>>) -> R) -> Option<R> {
    let generation = sys::process_generation() as usize;
    let list = &HOMES[generation % HOMES.len()];
    let mut homes = if generation < HOMES.len() {
        list.lock().unwrap_or_else(PoisonError::into_inner)
    } else {
        // An ancestor had it before, and may have been forked while it was held.
        match list.try_lock() {
            Ok(homes) => homes,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        }
    };
    Some(f(homes.get_or_insert_default()))
}

impl Home {
    pub(crate) fn new() -> io::Result<Arc<Home>> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let home = Arc::new(Home {
            // Relaxed: only has to be unique.
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            parker: Parker::new(),
            inbox: Inbox::new(),
            eventfd: sys::eventfd().map_err(setup("make an eventfd"))?,
            rings: AtomicU64::new(0),
            generation: sys::process_generation(),
        });
        with_homes(|homes| homes.insert(home.id, Arc::downgrade(&home)));
        Ok(home)
    }

    /// Sends `message` to the reactor called `id`, if it exists.
    pub(crate) fn send_to(id: u64, message: Message) {
        let home = with_homes(|homes| homes.get(&id).and_then(Weak::upgrade));
        if let Some(home) = home.flatten() {
            home.send(message);
        }
    }

    #[inline]
    pub(crate) fn interrupt(&self) {
        // A forked child shares the eventfd with the parent's sleeper.
        if self.parker.notify() == Notify::Ring && self.generation == sys::process_generation() {
            // Relaxed: a figure.
            self.rings.fetch_add(1, Ordering::Relaxed);
            sys::ring(self.eventfd.as_fd());
        }
    }

    /// Sends `message` to the owner; after the reactor's end there is nothing
    /// left that it could be about. In a forked child it is the parent's, and its
    /// lock may be held by a thread that stayed there.
    pub(crate) fn send(&self, message: Message) {
        if self.generation == sys::process_generation() && self.inbox.push(message) {
            self.interrupt();
        }
    }

    /// How often the eventfd was written to.
    pub(crate) fn rings(&self) -> u64 {
        // Relaxed: a figure.
        self.rings.load(Ordering::Relaxed)
    }
}

/// Ends a reactor's sleep from any thread.
///
/// # Example
///
/// ```
/// use wakeline_reactor::{Config, Reactor};
///
/// let reactor = Reactor::new(&Config::default())?;
/// let remote = reactor.remote();
/// std::thread::spawn(move || remote.interrupt());
/// while !reactor.turn(None)?.interrupted {} // sleeps until interrupted
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Remote {
    pub(crate) home: Arc<Home>,
}

impl Remote {
    /// Ends the reactor's sleep, or its next one if it is awake.
    ///
    /// It never blocks: it is one atomic exchange, and a write to an eventfd
    /// only if the reactor really sleeps.
    #[inline]
    pub fn interrupt(&self) {
        self.home.interrupt();
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("reactor", &self.home.id)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
