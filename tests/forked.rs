//! What a process has for all its runtimes, in a forked child that makes one of its own:
//! no thread of the parent's is there.

mod support;

use std::fs::File;
use std::io::{Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use support::{alone, for_each_backend};
use wakeline::io::{AsyncWriteExt, stderr};
use wakeline::process::Command;
use wakeline::signal::unix::{SignalKind, signal};
use wakeline::time::timeout;

/// Runs `child` in a fork, for a minute at most, and returns its verdict.
fn in_fork(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs `child`, which allocates, starts threads and makes system
    // calls (glibc permits these after a fork), and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: takes an integer; its signal ends a child that waits for ever.
        unsafe { libc::alarm(60) };
        let verdict = catch_unwind(AssertUnwindSafe(child));
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(!matches!(verdict, Ok(true)))) }
    }
    let mut status = 0;
    // SAFETY: `status` is writable; the child is ours.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

/// Whether `pid`, a child of this process, is reaped within half a minute.
fn is_reaped(pid: Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    (0..3_000).any(|_| {
        thread::sleep(Duration::from_millis(10));
        matches!(waitid(WaitId::Pid(pid), look), Err(Errno::CHILD))
    })
}

fn pid(child: &wakeline::process::Child) -> Pid {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    pid.and_then(Pid::from_raw).expect("it runs")
}

#[test]
fn a_dropped_child_of_a_forked_process_is_reaped() {
    let _alone = alone();
    for_each_backend(|backend| {
        let long = Command::new("sleep").arg("1000").spawn().expect("it runs");
        let long_pid = pid(&long);
        drop(long); // the parent has a thread for it from now on
        let reaped = in_fork(|| {
            let runtime = backend.runtime(1);
            let short = Command::new("sleep").arg("0.05").spawn().expect("it runs");
            let short_pid = pid(&short);
            runtime.block_on(async { drop(short) });
            is_reaped(short_pid)
        });
        kill_process(long_pid, Signal::KILL).expect("it runs");
        assert!(reaped);
        assert!(is_reaped(long_pid), "the parent's thread goes on");
    });
}

#[test]
fn a_forked_process_has_standard_streams() {
    let _alone = alone();
    let before = rustix::io::dup(rustix::stdio::stderr()).expect("a duplicate");
    for_each_backend(|backend| {
        let mut file: File = memfd_create("stderr", MemfdFlags::CLOEXEC)
            .expect("memory")
            .into();
        rustix::stdio::dup2_stderr(&file).expect("a descriptor");
        let say = |text: &'static [u8]| async move {
            let mut stderr = stderr();
            stderr.write_all(text).await?;
            stderr.flush().await
        };
        let here = backend.runtime(1).block_on(say(b"parent "));
        let there = in_fork(|| backend.runtime(1).block_on(say(b"child ")).is_ok());
        let again = backend.runtime(1).block_on(say(b"parent"));
        rustix::stdio::dup2_stderr(&before).expect("a descriptor");
        assert!(here.is_ok() && there && again.is_ok());
        let mut text = String::new();
        file.rewind().expect("a file");
        file.read_to_string(&mut text).expect("text");
        assert_eq!(text, "parent child parent");
    });
}

#[test]
fn a_signal_of_a_forked_process_is_not_the_parents() {
    let _alone = alone();
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let mut listener = signal(SignalKind::user_defined1()).expect("a listener");
            // SAFETY: sends this process a signal that is handled.
            let raise = || unsafe { libc::raise(libc::SIGUSR1) } == 0;
            assert!(in_fork(raise));
            let heard = timeout(Duration::from_millis(100), listener.recv()).await;
            assert!(heard.is_err(), "it was the child's");
            for _ in 0..2 {
                assert!(in_fork(raise) && raise());
                listener.recv().await.expect("it is ours");
            }
        });
    });
}
