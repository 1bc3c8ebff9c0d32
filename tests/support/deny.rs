//! A kernel without some system calls, as an old one or a sandbox makes it.

use std::io;

pub(crate) const URING: [libc::c_long; 3] = [
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Where a filter finds the flags of `preadv2` and `pwritev2`: the lower half of the
/// sixth argument, on a machine that has it first.
const FLAGS: u32 = std::mem::offset_of!(libc::seccomp_data, args) as u32 + 5 * 8;

/// Statements of a filter: five for each of so many calls, and two.
const ROOM: usize = 5 * 8 + 2;

/// On the stack, as it is also made between fork and exec.
struct Filter {
    statements: [libc::sock_filter; ROOM],
    len: usize,
}

impl Filter {
    fn push(&mut self, code: u32, jt: u8, jf: u8, k: u32) {
        self.statements[self.len] = libc::sock_filter {
            code: code as u16,
            jt,
            jf,
            k,
        };
        self.len += 1;
    }

    fn load(&mut self, at: u32) {
        self.push(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at);
    }

    /// Goes on if it is `value`, else behind so many statements more.
    fn unless(&mut self, value: u32, skipped: u8) {
        self.push(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            0,
            skipped,
            value,
        );
    }

    fn answer(&mut self, verdict: u32) {
        self.push(libc::BPF_RET | libc::BPF_K, 0, 0, verdict);
    }
}

/// Has this thread, and those and the processes that it makes from now on, refused these
/// system calls with `errno`; with `EOPNOTSUPP` only if they carry `RWF_NOWAIT`, which is
/// what a file that does not know the flag says. That cannot be taken back.
pub(crate) fn deny(errno: i32, calls: &[libc::c_long]) -> io::Result<()> {
    let mut filter = Filter {
        statements: [libc::sock_filter {
            code: 0,
            jt: 0,
            jf: 0,
            k: 0,
        }; ROOM],
        len: 0,
    };
    let refuse = libc::SECCOMP_RET_ERRNO | errno as u32;
    filter.load(0); // the call's number, the first word of `seccomp_data`
    for call in calls {
        if errno == libc::EOPNOTSUPP {
            filter.unless(*call as u32, 4);
            filter.load(FLAGS);
            filter.unless(libc::RWF_NOWAIT as u32, 1);
            filter.answer(refuse);
            filter.answer(libc::SECCOMP_RET_ALLOW);
        } else {
            filter.unless(*call as u32, 1);
            filter.answer(refuse);
        }
    }
    filter.answer(libc::SECCOMP_RET_ALLOW);
    install(&filter)
}

fn install(filter: &Filter) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: filter.len as u16,
        filter: filter.statements.as_ptr().cast_mut(),
    };
    let check = |result: i32| match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: a prctl with plain numbers; it reads no memory of ours.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    let filters = libc::SECCOMP_MODE_FILTER;
    // SAFETY: `program` and the filter it points at live until the call is back, and the
    // kernel copies both before it returns.
    check(unsafe { libc::prctl(libc::PR_SET_SECCOMP, filters, &raw const program) })
}
