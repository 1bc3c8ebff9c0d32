//! What a file is: kind, size, times, owner.
//!
//! The accessors are named as std's, whose type cannot be made from `statx`.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wakeline_reactor::op::{FileStat, Timestamp};

/// What is known of a file; see [`File::metadata`](super::File::metadata).
///
/// # Example
///
/// ```
/// use wakeline_net::fs::File;
///
/// # wakeline_net::testing::block_on(async {
/// let metadata = File::open("Cargo.toml").await?.metadata().await?;
/// assert!(metadata.is_file() && metadata.len() > 0);
/// assert!(metadata.modified()? <= std::time::SystemTime::now());
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata(pub(crate) FileStat);

impl Metadata {
    /// What kind of file it is.
    #[must_use]
    pub fn file_type(&self) -> FileType {
        FileType::from_mode(self.0.mode)
    }

    /// Whether it is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.file_type().is_file()
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.file_type().is_dir()
    }

    /// Whether it is a symbolic link.
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.file_type().is_symlink()
    }

    /// Bytes in it; of what is not a regular file this says little.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "as std's")]
    pub fn len(&self) -> u64 {
        self.0.size
    }

    /// Who may do what with it.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        Permissions::from_mode(self.mode())
    }

    /// When its content was last changed.
    ///
    /// # Errors
    ///
    /// When the time cannot be expressed.
    pub fn modified(&self) -> io::Result<SystemTime> {
        system_time(self.0.modified)
    }

    /// When it was last read, as far as the file system keeps that.
    ///
    /// # Errors
    ///
    /// When the time cannot be expressed.
    pub fn accessed(&self) -> io::Result<SystemTime> {
        system_time(self.0.accessed)
    }

    /// When it was made.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the file system does not know.
    pub fn created(&self) -> io::Result<SystemTime> {
        match self.0.created {
            Some(created) => system_time(created),
            None => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this file system does not keep when a file was made",
            )),
        }
    }

    /// When anything about it was last changed, its permissions for one.
    ///
    /// # Errors
    ///
    /// When the time cannot be expressed.
    pub fn changed(&self) -> io::Result<SystemTime> {
        system_time(self.0.changed)
    }

    /// The bits of kind and permissions, as `st_mode` has them.
    #[must_use]
    pub fn mode(&self) -> u32 {
        self.0.mode
    }

    /// The number of the device that it is on.
    #[must_use]
    pub fn dev(&self) -> u64 {
        self.0.device
    }

    /// Its number on that device.
    #[must_use]
    pub fn ino(&self) -> u64 {
        self.0.inode
    }

    /// How many names it has.
    #[must_use]
    pub fn nlink(&self) -> u64 {
        self.0.links.into()
    }

    /// Its owner.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.0.user
    }

    /// Its group.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.0.group
    }

    /// The number of the device that it is, if it is one.
    #[must_use]
    pub fn rdev(&self) -> u64 {
        self.0.special_device
    }

    /// Bytes that it is best read and written in.
    #[must_use]
    pub fn blksize(&self) -> u64 {
        self.0.block_size.into()
    }

    /// Blocks of 512 bytes that it takes on the disk.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.0.blocks
    }
}

fn system_time(at: Timestamp) -> io::Result<SystemTime> {
    let seconds = Duration::from_secs(at.seconds.unsigned_abs());
    let whole = if at.seconds < 0 {
        UNIX_EPOCH.checked_sub(seconds)
    } else {
        UNIX_EPOCH.checked_add(seconds)
    };
    let time =
        whole.and_then(|whole| whole.checked_add(Duration::from_nanos(at.nanoseconds.into())));
    time.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the file's time, {} s, is out of range", at.seconds),
        )
    })
}

/// The kind of a file: regular, directory, link, pipe, socket, device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileType(u32);

impl FileType {
    pub(crate) fn from_mode(mode: u32) -> FileType {
        FileType(rustix::fs::FileType::from_raw_mode(mode).as_raw_mode())
    }

    fn kind(self) -> rustix::fs::FileType {
        rustix::fs::FileType::from_raw_mode(self.0)
    }

    /// A regular file.
    #[must_use]
    pub fn is_file(self) -> bool {
        self.kind().is_file()
    }

    /// A directory.
    #[must_use]
    pub fn is_dir(self) -> bool {
        self.kind().is_dir()
    }

    /// A symbolic link.
    #[must_use]
    pub fn is_symlink(self) -> bool {
        self.kind().is_symlink()
    }

    /// A FIFO, that is a pipe with a name, or a pipe.
    #[must_use]
    pub fn is_fifo(self) -> bool {
        self.kind().is_fifo()
    }

    /// A socket.
    #[must_use]
    pub fn is_socket(self) -> bool {
        self.kind().is_socket()
    }

    /// A device of characters, such as a terminal.
    #[must_use]
    pub fn is_char_device(self) -> bool {
        self.kind().is_char_device()
    }

    /// A device of blocks, such as a disk.
    #[must_use]
    pub fn is_block_device(self) -> bool {
        self.kind().is_block_device()
    }
}
