//! Advisory locks of files, by which programs keep out of each other's way.
//!
//! ```text
//!   Trying ──1──▶ held
//!    │  ▲
//!    2  3
//!    ▼  │
//!   Sleeping
//! ```
//! 1 `flock` took it
//! 2 somebody else has it: sleep for 1 ms, then 2, 4, .. 64
//! 3 the time is over
//!
//! The kernel has no way to wait for such a lock that can be given up: `flock`
//! would keep a pool thread for as long as the other program likes, and no
//! request of a ring does it. So the lock is tried again and again, without
//! blocking. What that costs: who waits gets it up to 64 ms late, and there is
//! no order among those who wait. What it gives: a dropped future waits no more,
//! and never holds a lock that nobody knows of.
//!
//! Where somebody else keeps the file (FUSE, NFS) the question goes to him, who takes
//! his time; so a pool thread asks. If its future is dropped meanwhile, it lets go of
//! what it got.

use super::file::File;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fmt;
use std::fs::TryLockError;
use std::io;
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use wakeline_context::{Kind, budget, waiting_on};
use wakeline_reactor::op::Descriptor;
use wakeline_reactor::time::{Sleep, sleep};
use wakeline_reactor::{OffloadFuture, offload, offload_from};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

impl File {
    /// Waits for the file's lock, for this file alone.
    ///
    /// The lock binds only those who ask for it, as this does (`flock`). It
    /// belongs to the open file: closing that, or the end of the process, lets
    /// it go, and [`try_clone`](File::try_clone) shares it. Who has it shared
    /// and asks for it alone may lose it in between, or by dropping the future.
    ///
    /// # Errors
    ///
    /// What the kernel says: a file system without locks.
    ///
    /// # Cancellation
    ///
    /// Dropping the future: it does not hold the lock. It is tried again at
    /// growing intervals up to 64 ms, and nobody stands in line.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline_net::fs::File;
    /// # use wakeline_net::testing::{Scratch, block_on};
    /// # let dir = Scratch::new();
    /// # block_on(async {
    /// let one = File::create(dir.join("lock")).await?;
    /// let other = File::open(dir.join("lock")).await?;
    /// one.lock().await?;
    /// assert!(other.try_lock().is_err());
    /// one.unlock()?;
    /// other.lock_shared().await?;
    /// one.try_lock_shared()?;
    /// # std::io::Result::Ok(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn lock(&self) -> LockFile<'_> {
        LockFile::new(self, FlockOperation::NonBlockingLockExclusive)
    }

    /// Waits for the file's lock, which others may have at the same time if
    /// they ask for it shared too.
    ///
    /// # Errors
    ///
    /// As those of [`lock`](File::lock).
    ///
    /// # Cancellation
    ///
    /// As that of [`lock`](File::lock).
    #[track_caller]
    pub fn lock_shared(&self) -> LockFile<'_> {
        LockFile::new(self, FlockOperation::NonBlockingLockShared)
    }

    /// Takes the file's lock for this file alone, if nobody has it.
    ///
    /// Where somebody else keeps the file (FUSE, NFS) this and its like wait for his
    /// word, on this thread; [`lock`](File::lock) lets other tasks run.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if somebody has it; what the kernel says.
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        attempt(self, FlockOperation::NonBlockingLockExclusive)
    }

    /// Takes the file's lock shared, if nobody has it alone.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if somebody has it alone; what the kernel says.
    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {
        attempt(self, FlockOperation::NonBlockingLockShared)
    }

    /// Lets the lock go; it is no error not to have it.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn unlock(&self) -> io::Result<()> {
        let _calls = self.locks.next();
        let_go(self)
    }
}

/// Counts the calls about a lock, each of which is one step with its count. Of all
/// clones together, which have the lock together.
#[derive(Clone, Debug, Default)]
pub(super) struct Locks(Arc<Mutex<u64>>);

impl Locks {
    fn last(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> MutexGuard<'_, u64> {
        let mut calls = self.last();
        *calls += 1;
        calls
    }
}

fn let_go(file: impl AsFd) -> io::Result<()> {
    Ok(rustix::io::retry_on_intr(|| {
        flock(&file, FlockOperation::Unlock)
    })?)
}

fn attempt(file: &File, how: FlockOperation) -> Result<(), TryLockError> {
    let calls = file.locks.next();
    let taken = take(file, how);
    drop(calls);
    note(file, taken)
}

fn take(file: impl AsFd, how: FlockOperation) -> Result<(), TryLockError> {
    match rustix::io::retry_on_intr(|| flock(&file, how)) {
        Ok(()) => Ok(()),
        Err(Errno::AGAIN) => Err(TryLockError::WouldBlock),
        Err(errno) => Err(TryLockError::Error(errno.into())),
    }
}

/// Whoever had it may have written.
fn note(file: &File, taken: Result<(), TryLockError>) -> Result<(), TryLockError> {
    taken.inspect(|()| file.changes().note())
}

/// A try by a pool thread.
///
/// ```text
///   WANTED ──1──▶ HELD ──2──▶ OVER
///     │             │ 3
///     └──3──▶ OVER ◀┘
/// ```
/// 1 the thread has taken the lock
/// 2 the future tells it
/// 3 the future is dropped: from `HELD` the lock is let go, unless there was another call
///   about it since; and from `WANTED` by the thread
struct Asked {
    job: OffloadFuture<Result<(), TryLockError>>,
    claim: Arc<Claim>,
    fd: Arc<Descriptor>,
    locks: Locks,
}

#[derive(Default)]
struct Claim {
    state: AtomicU8,
    /// Of the call that has taken it.
    call: AtomicU64,
}

const WANTED: u8 = 0;
const HELD: u8 = 1;
const OVER: u8 = 2;

impl Asked {
    fn new(file: &File, how: FlockOperation, location: &'static Location<'static>) -> Asked {
        let (fd, locks) = (Arc::clone(&file.fd), file.locks.clone());
        let claim = Arc::<Claim>::default();
        let (their_fd, their_locks, theirs) = (Arc::clone(&fd), locks.clone(), Arc::clone(&claim));
        let job = offload_from(location, move || {
            let calls = their_locks.next();
            if theirs.state.load(Ordering::Acquire) == OVER {
                return Err(TryLockError::WouldBlock); // which nobody hears
            }
            take(&*their_fd, how)?;
            theirs.call.store(*calls, Ordering::Relaxed); // goes with the next one
            let held =
                theirs
                    .state
                    .compare_exchange(WANTED, HELD, Ordering::AcqRel, Ordering::Acquire);
            if held.is_err() {
                let _nobody_hears = let_go(&*their_fd);
            }
            Ok(())
        });
        Asked {
            job,
            claim,
            fd,
            locks,
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.claim.state.swap(OVER, Ordering::AcqRel) == HELD {
            let untaken = Untaken {
                call: self.claim.call.load(Ordering::Relaxed),
                fd: Arc::clone(&self.fd),
                locks: self.locks.clone(),
            };
            // A pool that does not take the job drops it, and that does it here.
            drop(offload(move || drop(untaken)));
        }
    }
}

/// A lock that came to nobody, which goes with it.
struct Untaken {
    call: u64,
    fd: Arc<Descriptor>,
    locks: Locks,
}

impl Drop for Untaken {
    fn drop(&mut self) {
        let calls = self.locks.last();
        if *calls == self.call {
            let _nobody_hears = let_go(&*self.fd);
        }
    }
}

/// The future of [`File::lock`] and [`File::lock_shared`].
#[must_use = "futures do nothing unless awaited"]
pub struct LockFile<'a> {
    file: &'a File,
    how: FlockOperation,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    asked: Option<Asked>,
    location: &'static Location<'static>,
}

impl<'a> LockFile<'a> {
    #[track_caller]
    fn new(file: &'a File, how: FlockOperation) -> LockFile<'a> {
        LockFile {
            file,
            how,
            pause: FIRST_PAUSE,
            sleep: None,
            asked: None,
            location: Location::caller(),
        }
    }

    fn poll_lock(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            match ready!(self.poll_attempt(cx)) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(TryLockError::Error(error)) => return Poll::Ready(Err(error)),
                Err(TryLockError::WouldBlock) => {
                    self.sleep = Some(Box::pin(sleep(self.pause).with_location(self.location)));
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

impl LockFile<'_> {
    fn poll_attempt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TryLockError>> {
        let file = self.file;
        if file.fd.is_local() {
            let unit = ready!(budget::poll_proceed(cx));
            let taken = attempt(file, self.how);
            if matches!(taken, Err(TryLockError::WouldBlock)) {
                unit.refund();
            } else {
                unit.spend();
            }
            return Poll::Ready(taken);
        }
        let (how, location) = (self.how, self.location);
        let ask = || Asked::new(file, how, location);
        let asked = self.asked.get_or_insert_with(ask);
        let taken = ready!(Pin::new(&mut asked.job).poll(cx));
        asked.claim.state.store(OVER, Ordering::Relaxed); // it is told
        self.asked = None;
        let taken = taken.unwrap_or_else(|error| Err(TryLockError::Error(error)));
        Poll::Ready(note(file, taken))
    }
}

impl Future for LockFile<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = self.poll_lock(cx);
        if result.is_pending() {
            let kind = if budget::is_spent() {
                Kind::Yield
            } else {
                Kind::Lock
            };
            waiting_on(kind, 0, self.location);
        }
        result
    }
}

impl fmt::Debug for LockFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockFile")
            .field("file", self.file)
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}
