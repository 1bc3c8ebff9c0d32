//! Children are run, awaited, killed and dropped, and leave neither a zombie nor a descriptor.

mod support;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;

use support::drops::{descriptors_back_to, descriptors_before, drop_at_random, poll_once};
use support::{Backend, Chance, for_each_backend};
use wakeline::process::{Child, Command, Stdio};
use wakeline::signal::unix::SignalKind;
use wakeline::{JoinSet, Runtime, yield_now};

/// Runs `test` on both backends, with one worker and with two, while no other
/// test of this file has children or descriptors.
fn on_every_runtime(test: impl AsyncFn(Backend)) {
    let _alone = support::alone();
    for_each_backend(|backend| {
        for workers in [1, 2] {
            backend.runtime(workers).block_on(test(backend));
        }
    });
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// The children of this process, zombies too.
fn children() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc is mounted");
    let mut children = Vec::new();
    for task in tasks {
        let path = task.expect("a thread").path().join("children");
        // A thread that has just ended has no children.
        let text = std::fs::read_to_string(path).unwrap_or_default();
        children.extend(text.split_whitespace().map(str::to_owned));
    }
    children
}

/// Waits until the process has no child any more: what is killed takes a
/// moment to end, and the thread that reaps it another.
fn no_children_left() {
    let started = std::time::Instant::now();
    while !children().is_empty() {
        let left = children();
        assert!(started.elapsed().as_secs() < 60, "still there: {left:?}");
        std::thread::yield_now();
    }
}

#[test]
fn the_status_tells_the_code_or_the_signal() {
    on_every_runtime(async |_| {
        for (script, code, signal) in [
            ("exit 0", Some(0), None),
            ("exit 7", Some(7), None),
            ("exit 255", Some(255), None),
            ("kill -TERM $$", None, Some(15)),
            ("kill -KILL $$", None, Some(9)),
        ] {
            let status = shell(script).spawn().unwrap().wait().await.unwrap();
            assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
        }
        assert_eq!(children(), [] as [String; 0]);
    });
}

#[test]
fn a_wait_that_is_dropped_can_be_begun_again() {
    on_every_runtime(async |_| {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        for _ in 0..3 {
            assert!(poll_once(pin!(child.wait())).await.is_pending());
            yield_now().await;
        }
        assert!(child.try_wait().unwrap().is_none());
        let pid = child.id();
        child.start_kill().unwrap();
        assert!(pid.is_some());
        for _ in 0..3 {
            assert_eq!(child.wait().await.unwrap().signal(), Some(9));
            assert_eq!(child.try_wait().unwrap().unwrap().signal(), Some(9));
        }
        assert_eq!(child.id(), None);
    });
}

#[test]
fn a_signal_after_the_end_is_harmless() {
    on_every_runtime(async |_| {
        let mut child = Command::new("true").process_group(0).spawn().unwrap();
        child.wait().await.unwrap();
        child.start_kill().unwrap();
        child.signal(SignalKind::terminate()).unwrap();
        child.signal_group(SignalKind::terminate()).unwrap();
        child.kill().await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
        // A zombie, too: it has ended, and its status is not overwritten.
        let mut child = Command::new("true").spawn().unwrap();
        ended(&child);
        child.kill().await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
    });
}

/// Blocks until the child has ended, and leaves it to be reaped.
fn ended(child: &Child) {
    let pid = child.id().expect("not reaped");
    // SAFETY: all zeros is a valid value of this plain structure.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is writable for the length of the call.
    let done = unsafe { libc::waitid(libc::P_PID, pid, &mut info, libc::WEXITED | libc::WNOWAIT) };
    assert_eq!(done, 0, "{}", io::Error::last_os_error());
}

#[test]
fn a_signal_to_the_group_reaches_what_the_child_has_started() {
    on_every_runtime(async |_| {
        let error = Command::new("true")
            .spawn()
            .unwrap()
            .signal_group(SignalKind::hangup());
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        // The shell ends when its own child has been killed.
        let mut child = shell("trap '' TERM; (trap - TERM; exec sleep 1000); exit 5")
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        while group_of(&child) < 2 {
            yield_now().await;
        }
        child.signal_group(SignalKind::terminate()).unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(5));
        no_children_left();
    });
}

/// How many processes named `sleep` and `sh` are in the child's group.
fn group_of(child: &Child) -> usize {
    let group = child.id().expect("not reaped").to_string();
    let processes = std::fs::read_dir("/proc").expect("/proc is mounted");
    let stats = processes.filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let (head, rest) = stat.rsplit_once(") ")?;
        let name = head.split_once('(')?.1;
        let in_group = rest.split(' ').nth(2)? == group;
        (in_group && (name == "sleep" || head.starts_with(&group))).then_some(())
    });
    stats.count()
}

#[test]
fn a_dropped_child_runs_on_and_is_reaped() {
    on_every_runtime(async |_| {
        let file = std::env::temp_dir().join(format!("process-{}", std::process::id()));
        // It waits for the line that is sent after the drop.
        let (read, mut write) = io::pipe().unwrap();
        let child = shell(&format!("read line; echo $line > {}", file.display()))
            .stdin(read)
            .spawn()
            .unwrap();
        drop(child);
        assert_eq!(children().len(), 1);
        io::Write::write_all(&mut write, b"still here\n").unwrap();
        no_children_left();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "still here\n");
        std::fs::remove_file(file).unwrap();
    });
}

#[test]
fn a_dropped_child_is_killed_if_it_was_to_be() {
    on_every_runtime(async |_| {
        let (mut read, write) = io::pipe().unwrap();
        let mut command = Command::new("sleep");
        command.arg("1000").stdout(write).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        drop(command); // it holds our end of the pipe
        assert!(poll_once(pin!(child.wait())).await.is_pending());
        drop(child);
        // The end of file: nobody has the other end.
        assert_eq!(io::Read::read(&mut read, &mut [0]).unwrap(), 0);
        no_children_left();
    });
}

#[test]
fn children_outlive_the_runtime_and_are_reaped_without_one() {
    let _alone = support::alone();
    for_each_backend(|backend| {
        let runtime: Runtime = backend.runtime(1);
        let (read, write) = io::pipe().unwrap();
        let mut child = runtime.block_on(async {
            let mut child = Command::new("cat").stdin(read).spawn().unwrap();
            assert!(poll_once(pin!(child.wait())).await.is_pending());
            child
        });
        drop(runtime);
        assert!(child.try_wait().unwrap().is_none());
        drop(child);
        assert_eq!(children().len(), 1);
        drop(write);
        no_children_left();
    });
}

#[test]
fn five_hundred_at_a_time() {
    on_every_runtime(async |_| {
        let before = descriptors_before().await;
        let mut waits = JoinSet::new();
        for i in 0..500_i32 {
            let mut child = shell(&format!("exit {}", i % 100)).spawn().unwrap();
            waits.spawn(async move { (i, child.wait().await) });
        }
        let mut seen = 0;
        while let Some(done) = waits.join_next().await {
            let (i, status) = done.unwrap();
            assert_eq!(status.unwrap().code(), Some(i % 100));
            seen += 1;
        }
        assert_eq!(seen, 500);
        assert_eq!(children(), [] as [String; 0]);
        descriptors_back_to(before).await;
    });
}

#[test]
fn waits_dropped_at_random_leave_nothing() {
    let seed = Chance::new();
    on_every_runtime(async |_| {
        let mut chance = seed.fork(1);
        let before = descriptors_before().await;
        for _ in 0..support::setting("WAKELINE_TEST_CHILDREN", 250) {
            let (read, write) = io::pipe().unwrap();
            let mut child = Command::new("cat")
                .stdin(read)
                .kill_on_drop(chance.one_in(2))
                .spawn()
                .unwrap();
            let early = drop_at_random(&mut chance, child.wait(), || drop(write)).await;
            match early {
                Some(status) => assert!(status.unwrap().success()),
                None if chance.one_in(2) => {
                    let status = child.wait().await.unwrap();
                    assert!(status.success());
                }
                None => {}
            }
        }
        no_children_left();
        descriptors_back_to(before).await;
    });
}
