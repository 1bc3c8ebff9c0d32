//! Which driver this process can have, and why.
//!
//! ```text
//!   Epoll ────────────────────────────────────────────▶ epoll (asked for)
//!   Uring ── test once ── ring, fewer entries ── ok ──▶ io_uring (asked for)
//!                 └──────────────────┴───────── error ─▶ SetupError
//!   Auto  ── test once ── ring, fewer entries ── ok ──▶ io_uring (…)
//!                 └──────────────────┴───────── error ─▶ epoll (io_uring refused: …)
//! ```
//!
//! The test is a real ring with the real flags that answers a request: a
//! seccomp filter, a sysctl, an old kernel or a memory limit show in no other
//! way. It is made once per process, and again if it failed for want of descriptors
//! or memory, which may come back; a ring can still fail later.

use super::{Driver, epoll::Epoll, old, uring::Uring};
use crate::config::{Backend, Config, DriverKind};
use crate::error::{SetupError, hint};
use crate::remote::Home;
use io_uring::opcode;
use std::io;
use std::sync::{Arc, OnceLock};

/// What a ring falls back to where memory for it is short.
const FEWER_ENTRIES: u32 = 64;

/// Opens the driver that `config` asks for.
pub(crate) fn open(config: &Config, home: &Arc<Home>) -> io::Result<(Driver, Backend)> {
    let wanted = config.wanted()?;
    if wanted == DriverKind::Epoll {
        return open_epoll(home, "asked for".into());
    }
    match open_uring(config, home) {
        Ok(uring) => {
            let (submissions, completions) = uring.size();
            let why = if wanted == DriverKind::Uring {
                "asked for"
            } else {
                "the kernel allows it"
            };
            let reason =
                format!("{why}; {submissions} submission and {completions} completion entries");
            Ok((
                Driver::Uring(Box::new(uring)),
                Backend::new(DriverKind::Uring, reason),
            ))
        }
        Err(error) if wanted == DriverKind::Auto => {
            let hint = hint(&error);
            open_epoll(home, format!("io_uring refused: {error}: {hint}"))
        }
        Err(error) => {
            let mut hint = hint(&error);
            // Epoll needs descriptors, too.
            if !matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
                hint.push_str("; or use driver auto or epoll");
            }
            Err(SetupError::new("set up io_uring", error, hint).into())
        }
    }
}

fn open_epoll(home: &Arc<Home>, reason: String) -> io::Result<(Driver, Backend)> {
    let epoll = Epoll::new(home)?;
    Ok((
        Driver::Epoll(Box::new(epoll)),
        Backend::new(DriverKind::Epoll, reason),
    ))
}

fn open_uring(config: &Config, home: &Arc<Home>) -> io::Result<Uring> {
    tested(home)?;
    let (entries, completions) = (config.ring_entries, config.ring_completions);
    match Uring::new(entries, completions, home) {
        Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && entries > FEWER_ENTRIES => {
            Uring::new(FEWER_ENTRIES, None, home)
        }
        result => result,
    }
}

/// Opcodes that only newer kernels have. What lacks one is not refused a ring:
/// the operation runs on the blocking pool instead.
const OPTIONAL: [u8; 6] = [
    opcode::Ftruncate::CODE,
    opcode::UnlinkAt::CODE,
    opcode::RenameAt::CODE,
    opcode::MkDirAt::CODE,
    opcode::LinkAt::CODE,
    opcode::SymlinkAt::CODE,
];

/// Which of [`OPTIONAL`] this kernel has; set by the test.
static KNOWN: OnceLock<Vec<u8>> = OnceLock::new();

/// Whether the kernel cannot be asked for this by a ring.
pub(crate) fn lacks(code: u8) -> bool {
    debug_assert!(OPTIONAL.contains(&code), "{code}: not probed");
    old::is_old() || !KNOWN.get().is_some_and(|known| known.contains(&code))
}

/// The process's one test, if it has come to an end that lasts. Its error is kept
/// as a number, since it is told often.
fn tested(home: &Arc<Home>) -> io::Result<()> {
    static TESTED: OnceLock<Result<(), i32>> = OnceLock::new();
    let tested = match TESTED.get() {
        Some(tested) => *tested,
        None => match test(home) {
            Err(errno) if !is_final(errno) => Err(errno),
            tested => *TESTED.get_or_init(|| tested),
        },
    };
    tested.map_err(io::Error::from_raw_os_error)
}

fn test(home: &Arc<Home>) -> Result<(), i32> {
    let mut uring = Uring::new(8, None, home).map_err(|error| errno(&error))?;
    let known = uring.self_test(&OPTIONAL).map_err(|error| errno(&error))?;
    let _first = KNOWN.set(known);
    Ok(())
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EINVAL)
}

/// Whether it will not be otherwise the next time: descriptors and memory come back.
fn is_final(errno: i32) -> bool {
    matches!(
        errno,
        libc::ENOSYS | libc::EPERM | libc::EACCES | libc::EINVAL | libc::EOPNOTSUPP
    )
}

/// Which driver a reactor made from `config` would run on.
///
/// What `Auto` comes to is found out once per process, by setting up a real
/// ring and using it; again if descriptors or memory were short. The environment variable `WAKELINE_DRIVER` (`auto`,
/// `uring`, `epoll`) decides where the configuration says `Auto`.
///
/// # Errors
///
/// When the driver asked for cannot be had.
///
/// # Example
///
/// ```
/// use wakeline_reactor::{Config, DriverKind, probe};
///
/// let backend = probe(&Config::default().driver(DriverKind::Epoll))?;
/// assert_eq!(backend.to_string(), "epoll (asked for)");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn probe(config: &Config) -> io::Result<Backend> {
    let home = Home::new()?;
    open(config, &home).map(|(_, backend)| backend)
}
