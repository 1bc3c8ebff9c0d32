//! Runs a command that cannot use io_uring, as in most containers; or other calls.
//!
//! ```text
//! deny_uring ERRNO[:CALL,..] COMMAND [ARGUMENT..]
//! ```
//! A seccomp filter answers the three io_uring calls, or those named, with the errno
//! asked for: `eperm` is what Docker's default profile says, `enosys` an old kernel, and
//! `eopnotsupp` a file that knows no `RWF_NOWAIT`. The filter is inherited by all that
//! the command starts and cannot be taken off.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::{env, io};

const URING: [libc::c_long; 3] = [
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Where a filter finds the flags of `preadv2` and `pwritev2`: the lower half of the
/// sixth argument, on a machine that has it first.
const FLAGS: u32 = std::mem::offset_of!(libc::seccomp_data, args) as u32 + 5 * 8;

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

/// Makes the kernel refuse the calls to this process and its children.
fn deny(errno: i32, calls: &[libc::c_long]) -> io::Result<()> {
    let op = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let answer = |verdict| op(libc::BPF_RET | libc::BPF_K, 0, 0, verdict);
    // A = the call's number, the first word of `seccomp_data`.
    let mut filter = vec![op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    let is = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    for call in calls.iter().filter(|_| errno != libc::EOPNOTSUPP) {
        filter.push(op(is, 0, 1, *call as u32));
        filter.push(answer(libc::SECCOMP_RET_ERRNO | errno as u32));
    }
    // Not the call is unknown to the file, but a flag that it is made with.
    for call in calls.iter().filter(|_| errno == libc::EOPNOTSUPP) {
        filter.push(op(is, 0, 4, *call as u32));
        filter.push(op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, FLAGS));
        filter.push(op(is, 0, 1, libc::RWF_NOWAIT as u32));
        filter.push(answer(libc::SECCOMP_RET_ERRNO | errno as u32));
        filter.push(answer(libc::SECCOMP_RET_ALLOW));
    }
    filter.push(answer(libc::SECCOMP_RET_ALLOW));
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
