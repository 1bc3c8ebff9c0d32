//! What a file is: `statx`.
//!
//! `kinds.rs` has the table of who may touch which memory until when.

#![allow(
    unsafe_code,
    reason = "a system call on the operation's own memory; see kinds.rs"
)]

use super::cell::Attempt;
use super::descriptor::Descriptor;
use super::kinds::sealed::Steps;
use super::kinds::{Op, retry};
use super::local::Keeper;
use super::open::dir_fd;
use crate::sys::check;
use io_uring::squeue::Entry;
use io_uring::{opcode, types};
use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// A moment, counted from the beginning of 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Whole seconds; before 1970 they are negative.
    pub seconds: i64,
    /// And so many nanoseconds later, less than a second.
    pub nanoseconds: u32,
}

/// What the kernel tells of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStat {
    /// The kind of file, and its permissions: `libc::S_*`.
    pub mode: u32,
    /// Bytes in it.
    pub size: u64,
    /// The device it is on: major and minor number as `libc::makedev` joins them.
    pub device: u64,
    /// Its number on that device.
    pub inode: u64,
    /// How many names it has.
    pub links: u32,
    /// Its owner.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// The device it is, for one that is.
    pub special_device: u64,
    /// Bytes that it is best read and written in.
    pub block_size: u32,
    /// Blocks of 512 bytes that it takes.
    pub blocks: u64,
    /// When it was last read.
    pub accessed: Timestamp,
    /// When its content was last changed.
    pub modified: Timestamp,
    /// When anything about it was last changed.
    pub changed: Timestamp,
    /// When it was made, where the file system knows.
    pub created: Option<Timestamp>,
}

impl From<&libc::statx> for FileStat {
    fn from(stat: &libc::statx) -> FileStat {
        let time = |at: libc::statx_timestamp| Timestamp {
            seconds: at.tv_sec,
            nanoseconds: at.tv_nsec,
        };
        FileStat {
            mode: stat.stx_mode.into(),
            size: stat.stx_size,
            device: libc::makedev(stat.stx_dev_major, stat.stx_dev_minor),
            inode: stat.stx_ino,
            links: stat.stx_nlink,
            user: stat.stx_uid,
            group: stat.stx_gid,
            special_device: libc::makedev(stat.stx_rdev_major, stat.stx_rdev_minor),
            block_size: stat.stx_blksize,
            blocks: stat.stx_blocks,
            accessed: time(stat.stx_atime),
            modified: time(stat.stx_mtime),
            changed: time(stat.stx_ctime),
            created: (stat.stx_mask & libc::STATX_BTIME != 0).then(|| time(stat.stx_btime)),
        }
    }
}

/// Asks what a file is.
///
/// # Example
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doc.rs")); }
/// # use doc::block_on;
/// use wakeline_reactor::{Config, Reactor, op};
///
/// let reactor = Reactor::new(&Config::default())?;
/// let _entered = reactor.enter();
/// let file = std::fs::File::open("Cargo.toml")?;
/// let size = file.metadata()?.len();
/// let (stat, ()) = block_on(&reactor, op::submit(op::Statx::of(std::sync::Arc::new(file.into()))))?;
/// assert_eq!(stat?.size, size);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Statx {
    place: Place,
    path: CString,
    flags: i32,
    record: Record,
}

#[derive(Debug)]
enum Place {
    File(Arc<Descriptor>),
    Dir(Option<Arc<OwnedFd>>),
}

/// Where the kernel writes to. In a box, so that it stays where it is.
struct Record(Box<MaybeUninit<libc::statx>>);

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Record")
    }
}

impl Statx {
    /// Of an open file.
    #[must_use]
    pub fn of(fd: Arc<Descriptor>) -> Statx {
        Statx::new(Place::File(fd), CString::default(), libc::AT_EMPTY_PATH)
    }

    /// Of a path, which begins in `dir`, or in the working directory; with
    /// `libc::AT_*` as `flags`, such as `AT_SYMLINK_NOFOLLOW`.
    #[must_use]
    pub fn at(dir: Option<Arc<OwnedFd>>, path: CString, flags: i32) -> Statx {
        Statx::new(Place::Dir(dir), path, flags)
    }

    fn new(place: Place, path: CString, flags: i32) -> Statx {
        Statx {
            place,
            path,
            flags,
            record: Record(Box::new(MaybeUninit::uninit())),
        }
    }

    fn fd(&self) -> RawFd {
        match &self.place {
            Place::File(fd) => fd.as_raw_fd(),
            Place::Dir(dir) => dir_fd(dir.as_ref()),
        }
    }

    fn mask() -> u32 {
        libc::STATX_BASIC_STATS | libc::STATX_BTIME
    }

    fn call(&mut self, more_flags: i32, more: u32) -> io::Result<usize> {
        let (flags, mask) = (self.flags | more_flags, Self::mask() | more);
        let record = self.record.0.as_mut_ptr();
        // SAFETY: the path is a C string and the record writable memory of that
        // type; both are this operation's own until the call returns.
        check(unsafe { libc::statx(self.fd(), self.path.as_ptr(), flags, mask, record) }).map(|_| 0)
    }

    /// For where `statx` is refused, as std has it.
    fn older_call(&mut self) -> io::Result<usize> {
        let mut stat = MaybeUninit::uninit();
        let to = stat.as_mut_ptr();
        // SAFETY: a C string, and writable memory of that type for the call.
        check(unsafe { libc::fstatat64(self.fd(), self.path.as_ptr(), to, self.flags) })?;
        // SAFETY: the call has succeeded, so it has filled the structure.
        self.record
            .0
            .write(newer(unsafe { stat.assume_init_ref() }));
        Ok(0)
    }
}

fn newer_time(seconds: impl Into<i64>, nanoseconds: impl Into<i64>) -> libc::statx_timestamp {
    // SAFETY: all zeros is a valid value of this plain structure.
    let mut time: libc::statx_timestamp = unsafe { std::mem::zeroed() };
    time.tv_sec = seconds.into();
    time.tv_nsec = nanoseconds.into() as u32;
    time
}

/// In the form of the newer call, as far as the older one tells.
fn newer(stat: &libc::stat64) -> libc::statx {
    // SAFETY: all zeros is a valid value of this plain structure.
    let mut record: libc::statx = unsafe { std::mem::zeroed() };
    record.stx_mask = libc::STATX_BASIC_STATS;
    record.stx_mode = stat.st_mode as u16;
    record.stx_size = stat.st_size as u64;
    record.stx_dev_major = libc::major(stat.st_dev);
    record.stx_dev_minor = libc::minor(stat.st_dev);
    record.stx_ino = stat.st_ino;
    record.stx_nlink = stat.st_nlink as u32;
    record.stx_uid = stat.st_uid;
    record.stx_gid = stat.st_gid;
    record.stx_rdev_major = libc::major(stat.st_rdev);
    record.stx_rdev_minor = libc::minor(stat.st_rdev);
    record.stx_blksize = stat.st_blksize as u32;
    record.stx_blocks = stat.st_blocks as u64;
    record.stx_atime = newer_time(stat.st_atime, stat.st_atime_nsec);
    record.stx_mtime = newer_time(stat.st_mtime, stat.st_mtime_nsec);
    record.stx_ctime = newer_time(stat.st_ctime, stat.st_ctime_nsec);
    record
}

impl Op for Statx {}
impl Steps for Statx {
    type Output = FileStat;
    type Back = ();

    /// An open file of a local disk answers from memory. Who is asked not to
    /// ask a server answers from memory too, and tells then whether there may
    /// be a server.
    fn at_once(&mut self) -> Option<io::Result<u32>> {
        if !matches!(self.place, Place::File(_)) {
            return None;
        }
        self.call(libc::AT_STATX_DONT_SYNC, Keeper::MASK).ok()?;
        // SAFETY: the call has succeeded, so it has filled the record.
        let keeper = Keeper::of(unsafe { self.record.0.assume_init_ref() });
        (keeper == Keeper::Here).then_some(Ok(0))
    }

    fn entry(&mut self) -> Entry {
        let record = self.record.0.as_mut_ptr().cast::<types::statx>();
        opcode::Statx::new(types::Fd(self.fd()), self.path.as_ptr(), record)
            .flags(self.flags)
            .mask(Self::mask())
            .build()
    }

    fn attempt(&mut self) -> Attempt {
        Attempt::Block
    }

    fn block(&mut self) -> io::Result<u32> {
        match retry(|| self.call(0, 0)) {
            // No file says so, but filters do that are older than the call.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                retry(|| self.older_call())
            }
            result => result,
        }
    }

    fn finish(&mut self, result: io::Result<u32>) -> (io::Result<FileStat>, ()) {
        let stat = result.map(|_| {
            // SAFETY: the kernel has filled the record, in the request built by
            // `entry` or the call in `call`, and it has completed: it will not
            // touch it again.
            FileStat::from(unsafe { self.record.0.assume_init_ref() })
        });
        (stat, ())
    }
}
