//! A kernel without a system call, as an old one or a filter makes it.

use std::io;

/// Has this thread, and those that it makes from now on, refused the system call
/// `number` with `errno`. That cannot be taken back.
pub(crate) fn deny(number: libc::c_long, errno: i32) -> io::Result<()> {
    let op = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let refuse = libc::SECCOMP_RET_ERRNO | errno as u32;
    let filter = [
        // A = the call's number, the first word of `seccomp_data`.
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        op(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            0,
            1,
            number as u32,
        ),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, refuse),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    let check = |result: i32| match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: a prctl with plain numbers; it reads no memory of ours.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    let filters = libc::SECCOMP_MODE_FILTER;
    // SAFETY: `program` and the `filter` it points at live until the call returns.
    check(unsafe { libc::prctl(libc::PR_SET_SECCOMP, filters, &raw const program) })
}
