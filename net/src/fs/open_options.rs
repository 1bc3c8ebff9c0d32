//! How a file is opened.

use super::file::File;
use super::started::Started;
use crate::error::Context as ErrorContext;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::{CString, OsStr};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wakeline_reactor::op;

/// How a file is opened: for what, and what if there is none; as std's.
///
/// # Example
///
/// ```
/// use wakeline_net::fs::OpenOptions;
/// use wakeline_net::io::AsyncWriteExt;
///
/// # let path = std::env::temp_dir().join(format!("wakeline-doc-options-{}", std::process::id()));
/// # wakeline_net::testing::block_on(async {
/// let mut log = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).await?;
/// log.write_all(b"started\n").await?;
/// # std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "as std's: one per option")]
pub struct OpenOptions {
    read: bool,
    write: bool,
    append: bool,
    truncate: bool,
    create: bool,
    create_new: bool,
    mode: u32,
    custom_flags: i32,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions::new()
    }
}

impl OpenOptions {
    /// Nothing is allowed yet.
    #[must_use]
    pub fn new() -> OpenOptions {
        OpenOptions {
            read: false,
            write: false,
            append: false,
            truncate: false,
            create: false,
            create_new: false,
            mode: 0o666,
            custom_flags: 0,
        }
    }

    /// To be read.
    pub fn read(&mut self, read: bool) -> &mut OpenOptions {
        self.read = read;
        self
    }

    /// To be written.
    pub fn write(&mut self, write: bool) -> &mut OpenOptions {
        self.write = write;
        self
    }

    /// To be written at its end: each write goes there, as one step, also when
    /// others append too.
    pub fn append(&mut self, append: bool) -> &mut OpenOptions {
        self.append = append;
        self
    }

    /// Emptied, if there is one.
    pub fn truncate(&mut self, truncate: bool) -> &mut OpenOptions {
        self.truncate = truncate;
        self
    }

    /// Made, if there is none.
    pub fn create(&mut self, create: bool) -> &mut OpenOptions {
        self.create = create;
        self
    }

    /// Made; that there is one already is an error.
    pub fn create_new(&mut self, create_new: bool) -> &mut OpenOptions {
        self.create_new = create_new;
        self
    }

    /// Who may do what with a file that is made, before the umask; 0o666 if not
    /// said.
    pub fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.mode = mode;
        self
    }

    /// More of `open(2)`'s flags, such as `O_DIRECT` or `O_NOFOLLOW`; the access
    /// mode in them is ignored.
    pub fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.custom_flags = flags;
        self
    }

    /// Opens `path`.
    ///
    /// A FIFO is opened without waiting for its other end: for reading at once,
    /// for writing only if somebody has it open for reading. So is a device: of
    /// an empty drive it is the first read that fails.
    ///
    /// A local file whose name is in memory is opened within the first poll. Where a
    /// scanner asks for each open (`FAN_OPEN_PERM`), that waits for its word.
    ///
    /// # Errors
    ///
    /// What the kernel says, with the path; `InvalidInput` for options that
    /// contradict each other, or a path with a zero byte.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the file, also one that arrives later. It may
    /// have been made or emptied all the same.
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> Open {
        let path = path.as_ref();
        let location = Location::caller();
        let open = self.flags().and_then(|flags| {
            let path = c_path(path)?;
            Ok((flags, path))
        });
        let state = match open {
            Ok((flags, path)) => State::Opening {
                flags,
                open: Started::new(
                    location,
                    op::OpenAt {
                        dir: None,
                        path,
                        flags: flags.bits().cast_signed(),
                        mode: self.mode,
                    },
                ),
            },
            Err(error) => State::Refused(Some(describe(path.as_os_str(), error))),
        };
        Open { state }
    }

    fn flags(&self) -> io::Result<OFlags> {
        let invalid = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        let access = match (self.read, self.write, self.append) {
            (true, false, false) => OFlags::RDONLY,
            (false, true, false) => OFlags::WRONLY,
            (true, true, false) => OFlags::RDWR,
            (false, _, true) => OFlags::WRONLY | OFlags::APPEND,
            (true, _, true) => OFlags::RDWR | OFlags::APPEND,
            (false, false, false) => {
                return invalid("nothing to do with the file: set read, write or append");
            }
        };
        if !self.write && !self.append && (self.truncate || self.create || self.create_new) {
            return invalid("a file is made or emptied to be written: set write or append");
        }
        if self.append && self.truncate && !self.create_new {
            return invalid("a file is appended to, or emptied: not both");
        }
        let creation = match (self.create, self.truncate, self.create_new) {
            (_, _, true) => OFlags::CREATE | OFlags::EXCL,
            (true, true, false) => OFlags::CREATE | OFlags::TRUNC,
            (true, false, false) => OFlags::CREATE,
            (false, true, false) => OFlags::TRUNC,
            (false, false, false) => OFlags::empty(),
        };
        let custom = OFlags::from_bits_retain(self.custom_flags.cast_unsigned()) - OFlags::RWMODE;
        Ok(access | creation | custom)
    }
}

/// A path as the kernel reads it.
pub(crate) fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "a path has no zero byte, and here is one at {}",
                error.nul_position()
            ),
        )
    })
}

/// What ENXIO means.
pub(super) const NOT_OPENED: &str = "a FIFO is opened for writing only while somebody has it open for reading, one connects to a socket, and a device needs its driver";

/// The path is told as a string literal, as `doing.rs` does.
fn describe(path: &OsStr, source: io::Error) -> io::Error {
    let hint = match Errno::from_io_error(&source) {
        Some(Errno::NXIO) => Some(NOT_OPENED),
        Some(Errno::LOOP) => {
            Some("its symbolic links lead in a circle, or it is one and O_NOFOLLOW is set")
        }
        Some(Errno::ISDIR) => Some("this is a directory, which is read by `read_dir`"),
        other => crate::error::limits(other),
    };
    ErrorContext::with_hint(format!("open {path:?}"), hint, source)
}

/// The future of [`OpenOptions::open`].
#[must_use = "futures do nothing unless awaited"]
pub struct Open {
    state: State,
}

enum State {
    Opening {
        flags: OFlags,
        open: Started<op::OpenAt>,
    },
    Refused(Option<io::Error>),
}

impl Future for Open {
    type Output = io::Result<File>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Opening { flags, open } => {
                let (opened, path) = ready!(Pin::new(open).poll(cx));
                Poll::Ready(match opened {
                    Ok(fd) => Ok(File::opened(fd, *flags)),
                    Err(error) => Err(describe(OsStr::from_bytes(path.as_bytes()), error)),
                })
            }
            State::Refused(error) => {
                let error = error.take();
                Poll::Ready(Err(error.expect("an open is not polled after it was ready")))
            }
        }
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Opening { open, .. } => f.debug_tuple("Open").field(open).finish(),
            State::Refused(error) => f.debug_tuple("Open").field(error).finish(),
        }
    }
}
