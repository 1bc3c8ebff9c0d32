//! Runs a command that cannot use io_uring, as in most containers.
//!
//! ```text
//! deny_uring eperm|enosys COMMAND [ARGUMENT..]
//! ```
//! A seccomp filter answers the three io_uring calls with the errno asked for:
//! `eperm` is what Docker's default profile says, `enosys` an old kernel. The
//! filter is inherited by all that the command starts and cannot be taken off.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::{env, io};

/// `io_uring_setup`, `io_uring_enter` and `io_uring_register`: the same
/// numbers on every architecture.
const FIRST: u32 = 425;
const LAST: u32 = 427;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let errno = match arguments.next().as_ref().and_then(|errno| errno.to_str()) {
        Some("eperm") => libc::EPERM,
        Some("enosys") => libc::ENOSYS,
        _ => return usage(),
    };
    let Some(command) = arguments.next() else {
        return usage();
    };
    if let Err(error) = deny(errno) {
        eprintln!("deny_uring: cannot install the filter: {error}");
        return ExitCode::FAILURE;
    }
    let error = Command::new(&command).args(arguments).exec();
    eprintln!("deny_uring: cannot run {}: {error}", command.display());
    ExitCode::FAILURE
}

fn usage() -> ExitCode {
    eprintln!("usage: deny_uring eperm|enosys COMMAND [ARGUMENT..]");
    ExitCode::from(2)
}

/// Makes the kernel refuse the calls to this process and its children.
fn deny(errno: i32) -> io::Result<()> {
    let op = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let filter = [
        // A = the call's number, the first word of `seccomp_data`.
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        op(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 2, FIRST),
        op(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, 1, 0, LAST),
        op(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | errno as u32,
        ),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: a prctl with plain numbers; it reads no memory of ours.
    let set = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `program` and the `filter` it points at live on this frame until
    // the call is back, and the kernel copies both before it returns.
    let set = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    if set != 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
