//! What an open file is, told without a word to a server.
//!
//! Under FUSE, NFS or CIFS nearly each call about a file may be a question to
//! somebody else, who answers when he likes: an open, an `fstat`, a close. Of a
//! disk and of memory none is. So before one of them is made on a worker it is
//! looked at who keeps the file:
//!
//! ```text
//!   statx, DONT_SYNC ──▶ kind of file, device, mount ──▶ seen before? ──yes──▶ Keeper
//!                                                           │ no        ▲
//!                                                           ▼           │
//!                                        statmount ──▶ kind of file system
//! ```
//!
//! Without `statmount` (Linux 6.8; a filter may refuse it) the device alone
//! tells: what has a major number is a disk. That takes memory, btrfs and
//! overlays for somebody else, and ntfs-3g for a disk. Threads then
//! open and close the files of the former, and read and write them past the cache,
//! also with `O_DIRECT`, which FUSE has as well: some microseconds more for each.
//! `statfs` would tell the kind, but is itself a question to a FUSE server.

#![allow(unsafe_code, reason = "system calls that fill their own memory")]

use crate::sys::check;
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Who has the content of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// This machine.
    Here = 1,
    /// Other file systems, which are here most of the time: an overlay.
    Others = 2,
    /// Maybe a server or a process.
    Away = 3,
}

/// What is known of an open file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// The `S_IFMT` bits, 0 of what is no file at all (an inotify, a timer); none if they
    /// cannot be told.
    pub(super) kind: Option<libc::mode_t>,
    keeper: Keeper,
    /// The major number of the device that it is.
    major: u32,
}

impl Look {
    /// Looks at an open file; where the call is unknown, by one that may ask a server.
    pub(super) fn at(fd: RawFd) -> Look {
        let kind = |mode: libc::mode_t| mode & libc::S_IFMT;
        match statx(fd, c"") {
            Ok(stat) => Look {
                kind: Some(kind(stat.stx_mode.into())),
                keeper: Keeper::of(&stat),
                major: stat.stx_rdev_major,
            },
            Err(_refused) => {
                let stat = fstat(fd).ok();
                Look {
                    kind: stat.map(|stat| kind(stat.st_mode)),
                    keeper: Keeper::Away,
                    major: stat.map_or(0, |stat| libc::major(stat.st_rdev)),
                }
            }
        }
    }

    /// Whether its calls keep to `O_NONBLOCK`. Of a device that is up to its driver,
    /// which may be a process (CUSE), so only some are known for it.
    pub(super) fn heeds_non_blocking(self) -> bool {
        match self.kind {
            // Linux' list of devices: terminals, also on serial lines; keyboards and mice.
            Some(libc::S_IFCHR) => {
                matches!(self.major, 4 | 5 | 136..=143 | 166 | 188 | 204 | 229 | 13)
            }
            Some(0 | libc::S_IFIFO | libc::S_IFSOCK) => true,
            _ => false,
        }
    }

    /// Whether it is opened and closed without waiting for anybody.
    pub(super) fn is_local(self) -> bool {
        matches!(
            self.kind,
            Some(libc::S_IFREG | libc::S_IFDIR | libc::S_IFIFO)
        ) && self.keeper != Keeper::Away
    }
}

impl Keeper {
    /// What [`of`](Keeper::of) needs in the mask of a `statx`.
    pub(super) const MASK: u32 = libc::STATX_TYPE | libc::STATX_MNT_ID_UNIQUE;

    /// The keeper of what `stat` is about, in which [`MASK`](Keeper::MASK) was asked for.
    pub(super) fn of(stat: &libc::statx) -> Keeper {
        /// Mounts seen last, with their keepers: `id << 2 | keeper`. An id is never
        /// used again.
        static SEEN: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];
        let by_device = if stat.stx_dev_major == 0 {
            Keeper::Away
        } else {
            Keeper::Here
        };
        if stat.stx_mask & libc::STATX_MNT_ID_UNIQUE == 0 {
            return by_device;
        }
        let id = stat.stx_mnt_id;
        let place = &SEEN[id as usize % SEEN.len()];
        // Relaxed, here and below: the word is all there is to know.
        let seen = place.load(Ordering::Relaxed);
        for keeper in [Keeper::Here, Keeper::Others, Keeper::Away] {
            if seen == id << 2 | keeper as u64 {
                return keeper;
            }
        }
        // Who was refused may be told the next time.
        let Some(magic) = magic(id) else {
            return by_device;
        };
        let keeper = Keeper::by_magic(magic, by_device);
        place.store(id << 2 | keeper as u64, Ordering::Relaxed);
        keeper
    }

    /// By the kind of file system; see statfs(2).
    fn by_magic(magic: u64, otherwise: Keeper) -> Keeper {
        match magic {
            // tmpfs, ramfs, proc, sysfs, cgroup2.
            0x0102_1994 | 0x8584_58f6 | 0x9fa0 | 0x6265_6572 | 0x6367_7270 => Keeper::Here,
            // btrfs, bcachefs, zfs: on disks, but with devices of their own.
            0x9123_683e | 0xca45_1a4e | 0x2fc1_2fc1 => Keeper::Here,
            // overlayfs.
            0x794c_7630 => Keeper::Others,
            // On a disk, and yet it asks: FUSE a process, GFS2 and OCFS2 the cluster.
            0x6573_5546 | 0x0116_1970 | 0x7461_636f => Keeper::Away,
            _ => otherwise,
        }
    }
}

/// Whether the place where a path begins is kept here.
///
/// Of the root that is asked until it is so, and then no more, as each open would pay for
/// it. Whoever takes another root that somebody else keeps, by chroot(2) in the midst of
/// things, has opens below that made on the worker.
pub(super) fn begins_here(dir: RawFd, path: &CStr) -> bool {
    static ROOT: AtomicBool = AtomicBool::new(false);
    let is_here = |dir, start| {
        let stat = statx(dir, start);
        stat.is_ok_and(|stat| Keeper::of(&stat) != Keeper::Away)
    };
    if !path.to_bytes().starts_with(b"/") {
        return is_here(dir, c"");
    }
    // Relaxed: at worst it is asked once more.
    if !ROOT.load(Ordering::Relaxed) && is_here(libc::AT_FDCWD, c"/") {
        ROOT.store(true, Ordering::Relaxed);
    }
    ROOT.load(Ordering::Relaxed)
}

/// Of a descriptor where the path is empty.
fn statx(fd: RawFd, path: &CStr) -> io::Result<libc::statx> {
    let mut stat = MaybeUninit::uninit();
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    // SAFETY: a C string, and writable memory of that type for the call.
    check(unsafe { libc::statx(fd, path.as_ptr(), flags, Keeper::MASK, stat.as_mut_ptr()) })?;
    // SAFETY: the call has succeeded, so it has filled the structure.
    Ok(unsafe { stat.assume_init() })
}

fn fstat(fd: RawFd) -> io::Result<libc::stat> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: writable memory of that type for the length of the call.
    check(unsafe { libc::fstat(fd, stat.as_mut_ptr()) })?;
    // SAFETY: the call has succeeded, so it has filled the structure.
    Ok(unsafe { stat.assume_init() })
}

/// `struct mnt_id_req`, in its first version.
#[repr(C)]
struct Request {
    size: u32,
    spare: u32,
    mount: u64,
    wanted: u64,
}

/// The beginning of `struct statmount`, and room for the rest.
#[repr(C)]
struct Answer {
    size: u32,
    options: u32,
    given: u64,
    device: [u32; 2],
    magic: u64,
    rest: [u64; 60],
}

/// The kind of file system that is mounted there, if the kernel tells.
#[cold]
fn magic(mount: u64) -> Option<u64> {
    /// The same number on nearly every architecture; elsewhere it is none.
    const STATMOUNT: libc::c_long = 457;
    /// `STATMOUNT_SB_BASIC`.
    const SUPER_BLOCK: u64 = 1;
    let request = Request {
        size: size_of::<Request>() as u32,
        spare: 0,
        mount,
        wanted: SUPER_BLOCK,
    };
    let mut answer = MaybeUninit::<Answer>::zeroed();
    let (to, room) = (answer.as_mut_ptr(), size_of::<Answer>());
    // SAFETY: both structures live until the call returns, which writes no more
    // than there is room for.
    let called = unsafe { libc::syscall(STATMOUNT, &raw const request, to, room, 0) };
    check(called as libc::c_int).ok()?;
    // SAFETY: integers, all of them zero or what the kernel has written.
    let answer = unsafe { answer.assume_init() };
    (answer.given & SUPER_BLOCK != 0).then_some(answer.magic)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn without_the_mount_the_device_tells() {
        let mut stat = statx(libc::AT_FDCWD, c"/").expect("a root");
        stat.stx_mask = libc::STATX_TYPE;
        for (major, keeper) in [(0, Keeper::Away), (254, Keeper::Here)] {
            stat.stx_dev_major = major;
            assert_eq!(Keeper::of(&stat), keeper, "{major}");
        }
    }

    #[test]
    fn a_known_file_system_tells_more_than_its_device() {
        for otherwise in [Keeper::Here, Keeper::Away] {
            let by = |magic: libc::c_long| Keeper::by_magic(magic as u64, otherwise);
            assert_eq!(by(libc::TMPFS_MAGIC as _), Keeper::Here);
            assert_eq!(by(libc::PROC_SUPER_MAGIC as _), Keeper::Here);
            assert_eq!(by(libc::BTRFS_SUPER_MAGIC as _), Keeper::Here);
            assert_eq!(by(libc::OVERLAYFS_SUPER_MAGIC as _), Keeper::Others);
            assert_eq!(by(libc::FUSE_SUPER_MAGIC as _), Keeper::Away);
            assert_eq!(by(libc::EXT4_SUPER_MAGIC as _), otherwise);
            assert_eq!(by(libc::NFS_SUPER_MAGIC as _), otherwise);
        }
    }

    /// No memory, or a filter of one thread: the next one who asks may be told.
    #[test]
    fn what_was_not_told_is_not_remembered() {
        let mut stat = statx(libc::AT_FDCWD, c"/").expect("a root");
        stat.stx_mask |= libc::STATX_MNT_ID_UNIQUE;
        stat.stx_mnt_id = u64::MAX >> 2; // of no mount
        for (major, keeper) in [(254, Keeper::Here), (0, Keeper::Away)] {
            stat.stx_dev_major = major;
            assert_eq!(Keeper::of(&stat), keeper, "{major}");
        }
    }

    /// Asked twice, as the second answer is a remembered one.
    #[test]
    fn what_is_in_memory_is_here_where_the_kernel_tells_mounts() {
        for _ in 0..2 {
            let stat = statx(libc::AT_FDCWD, c"/proc/self/comm").expect("/proc is mounted");
            let told = stat.stx_mask & libc::STATX_MNT_ID_UNIQUE != 0
                && magic(stat.stx_mnt_id) == Some(libc::PROC_SUPER_MAGIC as u64);
            let expected = if told { Keeper::Here } else { Keeper::Away };
            assert_eq!(Keeper::of(&stat), expected);
        }
    }

    #[test]
    fn what_no_file_system_has_is_not_known_to_be_local() {
        let (pipe, _writer) = std::io::pipe().expect("a pipe");
        let look = Look::at(std::os::fd::AsRawFd::as_raw_fd(&pipe));
        assert_eq!(look.kind, Some(libc::S_IFIFO));
        assert!(!look.is_local());
        assert_eq!(Look::at(-1).kind, None);
    }
}
