//! What only shows from inside: the way without a pidfd, and the status that is lost.

use super::command::give_up;
use super::handle::{Exit, Owner, Process, Reserved};
use super::{Child, orphans};
use crate::signal::unix::SignalKind;
use crate::testing::{both, on_each_driver, poll_now};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

/// A child that is watched by a thread, as if there was no pidfd.
fn without_pidfd(command: &mut Command) -> Child {
    let mut std = command.spawn().expect("it runs");
    let pid = Pid::from_child(&std);
    let stdin = std.stdin.take();
    let process = Process::watch(pid, "`it`".into(), Reserved::without().unwrap()).unwrap();
    std.stdin = stdin;
    Child::new(Owner::new(process), std).unwrap()
}

/// Blocks until nobody can wait for the child any more: it is reaped.
fn reaped(pid: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while waitid(WaitId::Pid(pid), options).is_ok() {
        std::thread::yield_now();
    }
}

fn pid(child: &Child) -> Pid {
    child.owner.get().exit.pid
}

#[test]
fn without_a_pidfd_a_child_is_awaited_signalled_and_reaped_all_the_same() {
    on_each_driver(|| async {
        let mut child = without_pidfd(Command::new("cat").stdin(Stdio::piped()));
        assert!(child.try_wait()?.is_none());
        let stdin = child.stdin.take();
        assert!(poll_now(pin!(child.wait())).is_pending());
        let (status, ()) = both(child.wait(), async { drop(stdin) }).await;
        assert_eq!(status?.code(), Some(0));
        child.kill().await?;

        let mut child = without_pidfd(Command::new("sleep").arg("1000"));
        child.kill().await?;
        assert_eq!(child.wait().await?.signal(), Some(9));

        // As it was made, it is killed on drop; and here it is not.
        let child = without_pidfd(Command::new("sleep").arg("1000"));
        let killed = pid(&child);
        drop(child);
        reaped(killed);
        let (read, mut write) = io::pipe()?;
        let mut child = without_pidfd(Command::new("sh").args(["-c", "read x"]).stdin(read));
        child.owner.kill_on_drop = false;
        let left = pid(&child);
        drop(child);
        write.write_all(b"x\n")?;
        reaped(left);
        Ok(())
    });
}

#[test]
fn a_status_that_somebody_else_took_is_an_error_that_says_so() {
    on_each_driver(|| async {
        for pidfd in [true, false] {
            let mut child = if pidfd {
                super::Command::new("true").spawn()?
            } else {
                without_pidfd(&mut Command::new("true"))
            };
            waitid(WaitId::Pid(pid(&child)), WaitIdOptions::EXITED)?;
            for _ in 0..2 {
                let error = child.wait().await.unwrap_err();
                let text = error.to_string();
                assert!(text.contains("its status is lost"), "{text}");
                assert!(text.contains("SIGCHLD"), "{text}");
                assert_eq!(child.try_wait().unwrap_err().to_string(), text);
            }
            // Its number may be another process's.
            assert_eq!(child.id(), None);
            child.owner.get().signal(Signal::KILL)?;
            drop(child);
        }
        Ok(())
    });
}

#[test]
fn many_orphans_are_reaped_by_one_thread_that_then_ends() {
    let mut pids = Vec::new();
    let mut pipes = Vec::new();
    for _ in 0..50 {
        let mut command = super::Command::new("cat");
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        pipes.push(child.stdin.take());
        pids.push(pid(&child));
    }
    orphans::tend();
    drop(pipes);
    pids.into_iter().for_each(reaped);
    while orphans::has_thread() {
        std::thread::yield_now();
    }
}

/// What is left of the group is not reached by number: that may be another's.
#[test]
fn the_group_of_a_child_that_is_reaped_gets_no_signal_and_the_error_says_so() {
    on_each_driver(|| async {
        for by_us in [true, false] {
            let (read, mut write) = io::pipe()?;
            let mut command = super::Command::new("sh");
            command
                .args(["-c", "exec 3<&0; (read x <&3; echo $x) &"])
                .process_group(0);
            let mut child = command.stdin(read).stdout(Stdio::piped()).spawn()?;
            drop(command);
            child.signal_group(SignalKind::window_change())?;
            child.until_ended().await?;
            child.signal_group(SignalKind::window_change())?;
            if by_us {
                assert!(child.wait().await?.success());
            } else {
                waitid(WaitId::Pid(pid(&child)), WaitIdOptions::EXITED)?;
            }
            let error = child.signal_group(SignalKind::terminate()).unwrap_err();
            assert_eq!(error.kind(), io::Error::from(Errno::SRCH).kind());
            assert!(error.to_string().contains("`sh` is reaped"), "{error}");
            write.write_all(b"alive\n")?;
            let out = child.stdout.take().expect("it is piped");
            assert_eq!(&out.read_pooled().await?[..], b"alive\n");
        }
        Ok(())
    });
}

/// The task that waited may be gone, and its runtime: nothing of them is kept
/// for as long as the child runs.
#[test]
fn an_orphan_keeps_no_waker() {
    struct Task;
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    on_each_driver(|| async {
        for pidfd in [true, false] {
            let mut cat = Command::new("cat");
            let mut child = if pidfd {
                super::Command::from(cat).stdin(Stdio::piped()).spawn()?
            } else {
                without_pidfd(cat.stdin(Stdio::piped()))
            };
            child.owner.kill_on_drop = false;
            let stdin = child.stdin.take();
            let task = Arc::new(Task);
            let waker = Waker::from(Arc::clone(&task));
            assert!(
                child
                    .poll_end(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            drop(waker);
            assert_eq!(Arc::strong_count(&task), 2);
            let left = pid(&child);
            drop(child);
            assert_eq!(Arc::strong_count(&task), 1);
            drop(stdin);
            reaped(left);
        }
        Ok(())
    });
}

/// Without a descriptor to be had it is asked for by its number.
#[test]
fn an_orphan_needs_no_descriptor() {
    let mut std = Command::new("true").spawn().expect("it runs");
    let pid = Pid::from_child(&std);
    orphans::adopt(Exit::by_number(pid, "`true`".into()), None);
    reaped(pid);
    assert!(std.wait().is_err(), "it was reaped");
}

#[test]
fn a_child_that_cannot_be_watched_ends_and_is_reaped() {
    // It runs, or it has ended by itself.
    for program in ["cat", "true"] {
        let mut command = Command::new(program);
        let mut std = command.stdin(Stdio::piped()).spawn().expect("it runs");
        let pid = Pid::from_child(&std);
        give_up(&mut std, program.into());
        reaped(pid);
    }
    // Other code was faster: its number may be anybody's.
    let mut std = Command::new("true").spawn().expect("it runs");
    waitid(WaitId::Pid(Pid::from_child(&std)), WaitIdOptions::EXITED).expect("it ends");
    give_up(&mut std, "`true`".into());
    assert!(std.wait().is_err(), "it was reaped");
}
