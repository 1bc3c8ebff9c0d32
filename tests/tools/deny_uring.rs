//! Runs a command that cannot use io_uring, as in most containers; or other calls.
//!
//! ```text
//! deny_uring ERRNO[:CALL,..] COMMAND [ARGUMENT..]
//! ```
//! A seccomp filter answers the three io_uring calls, or those named, with the errno
//! asked for: `eperm` is what Docker's default profile says, `enosys` an old kernel, and
//! `eopnotsupp` a file that knows no `RWF_NOWAIT`. The filter is inherited by all that
//! the command starts and cannot be taken off.

#[path = "../support/deny.rs"]
mod deny;

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use deny::{URING, deny};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let what = arguments.next();
    let Some((errno, calls)) = what.as_ref().and_then(|what| parse(what.to_str()?)) else {
        return usage();
    };
    let Some(command) = arguments.next() else {
        return usage();
    };
    if let Err(error) = deny(errno, &calls) {
        eprintln!("deny_uring: cannot install the filter: {error}");
        return ExitCode::FAILURE;
    }
    let error = Command::new(&command).args(arguments).exec();
    eprintln!("deny_uring: cannot run {}: {error}", command.display());
    ExitCode::FAILURE
}

fn usage() -> ExitCode {
    eprintln!("usage: deny_uring eperm|enosys|eopnotsupp[:CALL,..] COMMAND [ARGUMENT..]");
    ExitCode::from(2)
}

/// Which errno, of which calls.
fn parse(what: &str) -> Option<(i32, Vec<libc::c_long>)> {
    let (errno, calls) = match what.split_once(':') {
        Some((errno, names)) => (errno, names.split(',').map(number).collect::<Option<_>>()?),
        None => (what, URING.to_vec()),
    };
    let errno = match errno {
        "eperm" => libc::EPERM,
        "enosys" => libc::ENOSYS,
        "eopnotsupp" => libc::EOPNOTSUPP,
        _ => return None,
    };
    Some((errno, calls))
}

fn number(call: &str) -> Option<libc::c_long> {
    Some(match call {
        "openat2" => libc::SYS_openat2,
        "pidfd_open" => libc::SYS_pidfd_open,
        "statx" => libc::SYS_statx,
        "preadv2" => libc::SYS_preadv2,
        "pwritev2" => libc::SYS_pwritev2,
        "membarrier" => libc::SYS_membarrier,
        _ => return None,
    })
}
