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

use super::file::File;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fmt;
use std::fs::TryLockError;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use wakeline_context::{Kind, budget, waiting_on};
use wakeline_reactor::time::{Sleep, sleep};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

impl File {
    /// Waits for the file's lock, for this file alone.
    ///
    /// The lock binds only those who ask for it, as this does (`flock`). It
    /// belongs to the open file: closing that, or the end of the process, lets
    /// it go, and [`try_clone`](File::try_clone) shares it. Who has it shared
    /// and asks for it alone may lose it in between.
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
        loop {
            match flock(self, FlockOperation::Unlock) {
                Err(Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }
}

fn attempt(file: &File, how: FlockOperation) -> Result<(), TryLockError> {
    loop {
        match flock(file, how) {
            Ok(()) => {
                // Whoever had it may have written.
                file.changes().note();
                return Ok(());
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(TryLockError::WouldBlock),
            Err(errno) => return Err(TryLockError::Error(errno.into())),
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
            location: Location::caller(),
        }
    }

    fn poll_lock(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            let unit = ready!(budget::poll_proceed(cx));
            match attempt(self.file, self.how) {
                Ok(()) => {
                    unit.spend();
                    return Poll::Ready(Ok(()));
                }
                Err(TryLockError::Error(error)) => {
                    unit.spend();
                    return Poll::Ready(Err(error));
                }
                Err(TryLockError::WouldBlock) => {
                    unit.refund();
                    self.sleep = Some(Box::pin(sleep(self.pause).with_location(self.location)));
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
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
