//! What a fork copies: the list of reactors in the middle of a change.

use super::*;
use crate::slots::Key;
use std::sync::mpsc;

/// Runs `child` in a fork, and returns its verdict.
#[allow(unsafe_code, reason = "fork(2), _exit(2) and waitpid(2)")]
fn in_fork(child: impl FnOnce() -> bool) -> bool {
    sys::watch_forks();
    // SAFETY: the child runs `child`, which allocates and makes system calls
    // (glibc permits both after a fork), and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(!matches!(verdict, Ok(true)))) }
    }
    let mut status = 0;
    // SAFETY: `status` is writable; the child is ours.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

/// Calls `f` while another thread holds the list.
fn while_held<R>(f: impl FnOnce() -> R) -> R {
    let (held, is_held) = mpsc::channel();
    let (done, is_done) = mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        with_homes(|_| {
            held.send(()).unwrap();
            let _ = is_done.recv();
        });
    });
    is_held.recv().unwrap();
    let result = f();
    drop(done);
    holder.join().unwrap();
    result
}

fn message() -> Message {
    Message::Release(Key::NONE)
}

#[test]
fn mail_arrives_in_a_child_that_was_forked_while_the_list_was_held() {
    let arrives = || {
        let home = Home::new().unwrap();
        Home::send_to(home.id, message());
        home.inbox.has_mail()
    };
    assert!(while_held(|| in_fork(arrives)));
    let in_grandchild = || in_fork(|| while_held(|| in_fork(arrives)));
    assert!(while_held(|| in_fork(in_grandchild)));
}

#[test]
fn a_child_sends_nothing_to_its_parents_reactor() {
    let home = Home::new().unwrap();
    assert!(in_fork(|| {
        home.send(message());
        Home::send_to(home.id, message());
        !home.inbox.has_mail()
    }));
    home.send(message());
    assert!(home.inbox.has_mail());
}
