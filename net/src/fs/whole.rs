//! What is done with a file as a whole: sync, length, room, permissions.

use super::file::{Changes, File};
use super::metadata::Metadata;
use super::started::Started;
use rustix::fs::Mode;
use std::fmt;
use std::fs::Permissions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use wakeline_context::{Kind, budget, waiting_on};
use wakeline_reactor::op;
use wakeline_reactor::{OffloadFuture, offload_from};

impl File {
    /// Waits until everything written to the file, and what there is to know of
    /// it, is on the disk.
    ///
    /// # Errors
    ///
    /// What the disk says, also about writes long ago; such an error is told
    /// once. It is not known then what of them is on the disk.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing but the answer.
    #[track_caller]
    pub fn sync_all(&self) -> Sync {
        self.sync(Location::caller(), false)
    }

    /// The same without what reading the data back does not need, such as the
    /// time of the change.
    ///
    /// # Errors
    ///
    /// As [`sync_all`](File::sync_all).
    ///
    /// # Cancellation
    ///
    /// As [`sync_all`](File::sync_all).
    #[track_caller]
    pub fn sync_data(&self) -> Sync {
        self.sync(Location::caller(), true)
    }

    fn sync(&self, location: &'static Location<'static>, data_only: bool) -> Sync {
        let fd = Arc::clone(self.descriptor());
        Sync(Started::new(location, op::Fsync { fd, data_only }))
    }

    /// Asks what the file is: its size, its times.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn metadata(&self) -> GetMetadata {
        let fd = Arc::clone(self.descriptor());
        GetMetadata(Started::new(Location::caller(), op::Statx::of(fd)))
    }

    /// Cuts the file off at `length` bytes, or extends it by zeros to that. The
    /// position stays where it is.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a file that is not open for writing, or a length above
    /// `i64::MAX`; what the kernel says.
    ///
    /// # Cancellation
    ///
    /// A dropped one has happened, or it has not.
    #[track_caller]
    pub fn set_len(&self, length: u64) -> SetLen {
        self.note_write();
        let fd = Arc::clone(self.descriptor());
        let start = Started::new(Location::caller(), op::Ftruncate { fd, length });
        SetLen(Changing::new(self, start))
    }

    /// Reserves room for `length` bytes from `offset` on, so that writing there
    /// finds it; extends the file to their end.
    ///
    /// # Errors
    ///
    /// `StorageFull`; `Unsupported` if the file system cannot reserve;
    /// `InvalidInput` for a `length` of 0.
    ///
    /// # Cancellation
    ///
    /// A dropped one has happened, a part of it has, or it has not.
    #[track_caller]
    pub fn allocate(&self, offset: u64, length: u64) -> Allocate {
        self.note_write();
        let fd = Arc::clone(self.descriptor());
        let mode = 0;
        let fallocate = op::Fallocate {
            fd,
            mode,
            offset,
            length,
        };
        Allocate(Changing::new(
            self,
            Started::new(Location::caller(), fallocate),
        ))
    }

    /// Changes who may do what with the file.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` for who does not own it; what the kernel says.
    ///
    /// # Cancellation
    ///
    /// A dropped one has happened, or it has not.
    #[track_caller]
    pub fn set_permissions(&self, permissions: Permissions) -> SetPermissions {
        self.note_rights();
        let fd = Arc::clone(self.descriptor());
        let mode = Mode::from_raw_mode(permissions.mode());
        let location = Location::caller();
        let job = Box::new(move || Ok(rustix::fs::fchmod(fd.as_fd(), mode)?));
        SetPermissions {
            state: Job::Unpolled(job),
            location,
        }
    }
}

/// An operation that changes what is read.
#[derive(Debug)]
struct Changing<O: op::Op> {
    started: Started<O>,
    changes: Changes,
}

impl<O: op::Op> Changing<O> {
    fn new(file: &File, started: Started<O>) -> Changing<O> {
        let changes = file.changes().clone();
        Changing { started, changes }
    }
}

impl<O: op::Op> Future for Changing<O> {
    type Output = (io::Result<O::Output>, O::Back);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.changes.note(); // it begins, and nobody may hear of its end
        let done = ready!(Pin::new(&mut self.started).poll(cx));
        self.changes.note();
        Poll::Ready(done)
    }
}

macro_rules! whole_future {
    ($(#[$meta:meta])* $name:ident, $inner:ty, $output:ty, $map:expr) => {
        $(#[$meta])*
        #[derive(Debug)]
        #[must_use = "futures do nothing unless awaited"]
        pub struct $name($inner);

        impl Future for $name {
            type Output = io::Result<$output>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                Pin::new(&mut self.0).poll(cx).map(|(result, _)| result.map($map))
            }
        }
    };
}

whole_future! {
    /// The future of [`File::sync_all`] and [`File::sync_data`].
    Sync, Started<op::Fsync>, (), std::convert::identity
}
whole_future! {
    /// The future of [`File::metadata`].
    GetMetadata, Started<op::Statx>, Metadata, Metadata
}
whole_future! {
    /// The future of [`File::set_len`].
    SetLen, Changing<op::Ftruncate>, (), std::convert::identity
}
whole_future! {
    /// The future of [`File::allocate`].
    Allocate, Changing<op::Fallocate>, (), std::convert::identity
}

type BoxedJob = Box<dyn FnOnce() -> io::Result<()> + Send + std::marker::Sync>;

enum Job {
    Unpolled(BoxedJob),
    Running(OffloadFuture<io::Result<()>>),
    Starting,
}

/// The future of [`File::set_permissions`].
#[must_use = "futures do nothing unless awaited"]
pub struct SetPermissions {
    state: Job,
    location: &'static Location<'static>,
}

impl Future for SetPermissions {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if budget::poll_proceed(cx)
            .map(budget::Unit::refund)
            .is_pending()
        {
            waiting_on(Kind::Yield, 0, this.location);
            return Poll::Pending;
        }
        this.state = match std::mem::replace(&mut this.state, Job::Starting) {
            Job::Unpolled(job) => Job::Running(offload_from(this.location, job)),
            state => state,
        };
        match &mut this.state {
            Job::Running(running) => Pin::new(running).poll(cx).map(|done| done?),
            Job::Unpolled(_) | Job::Starting => unreachable!("it was started above"),
        }
    }
}

impl fmt::Debug for SetPermissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetPermissions")
            .field("from", &self.location)
            .finish_non_exhaustive()
    }
}
