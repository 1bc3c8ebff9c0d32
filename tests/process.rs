//! Children are run, awaited, killed and dropped, and leave neither a zombie nor a descriptor.

mod support;

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
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
/// moment to end, and the thread that reaps it another. One that is left makes
/// the test hang, which its runner reports.
async fn no_children_left() {
    while !children().is_empty() {
        // A pipe may be closed in a turn of the reactor only.
        yield_now().await;
    }
}

/// The same where no runtime is: nobody helps the thread that reaps.
fn no_children_left_without_a_runtime() {
    while !children().is_empty() {
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
fn one_that_has_ended_stays_to_be_reaped_until_it_is_waited_for() {
    on_every_runtime(async |_| {
        let mut child = shell("exit 8").spawn().unwrap();
        for _ in 0..3 {
            child.until_ended().await.unwrap();
            assert_eq!(children().len(), 1, "a zombie");
            assert!(child.id().is_some());
        }
        assert_eq!(child.wait().await.unwrap().code(), Some(8));
        child.until_ended().await.unwrap();
        assert_eq!((child.id(), children().len()), (None, 0));
    });
}

#[test]
fn a_signal_after_the_end_is_harmless() {
    on_every_runtime(async |_| {
        let mut child = Command::new("true").process_group(0).spawn().unwrap();
        child.wait().await.unwrap();
        child.start_kill().unwrap();
        child.signal(SignalKind::terminate()).unwrap();
        let error = child.signal_group(SignalKind::terminate()).unwrap_err();
        assert_eq!(
            error.kind(),
            io::Error::from_raw_os_error(libc::ESRCH).kind()
        );
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
        no_children_left().await;
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
        no_children_left().await;
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
        no_children_left().await;
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
        no_children_left_without_a_runtime();
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
        no_children_left().await;
        descriptors_back_to(before).await;
    });
}

#[test]
fn ten_mebibytes_on_both_pipes_do_not_block_each_other() {
    on_every_runtime(async |_| {
        let mebibytes = support::setting("WAKELINE_TEST_MIB", 10);
        // One after the other: who read only stdout would never see its end.
        let script = format!(
            "head -c {0}M /dev/zero >&2; head -c {0}M /dev/zero; exit 3",
            mebibytes
        );
        let output = shell(&script).output().await.unwrap();
        assert_eq!(output.status.code(), Some(3));
        let size = usize::try_from(mebibytes << 20).unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (size, size));
        assert!(
            output
                .stdout
                .iter()
                .chain(&output.stderr)
                .all(|byte| *byte == 0)
        );
    });
}

#[test]
fn what_is_fed_comes_back_whole() {
    let seed = Chance::new();
    on_every_runtime(async |_| {
        let mut input = vec![0; 4 << 20];
        seed.fork(2).fill(&mut input);
        let child = piped(Command::new("cat")).spawn().unwrap();
        let output = child.communicate(input.clone()).await.unwrap();
        assert!(output.status.success());
        assert!(
            output.stdout == input,
            "{} bytes came back",
            output.stdout.len()
        );
        // Nothing to feed: it sees the end at once.
        let child = piped(Command::new("cat")).spawn().unwrap();
        assert_eq!(child.communicate("").await.unwrap().stdout, b"");
    });
}

fn piped(mut command: Command) -> Command {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

#[test]
fn a_child_need_not_read_its_input() {
    on_every_runtime(async |_| {
        for script in [
            "exit 4",
            "exec <&-; exit 4",
            "head -c 10 >/dev/null; exit 4",
        ] {
            let child = piped(shell(script)).spawn().unwrap();
            let output = child.communicate(vec![b'x'; 1 << 20]).await.unwrap();
            assert_eq!(output.status.code(), Some(4), "{script}");
        }
        let child = Command::new("true").spawn().unwrap();
        let error = child.communicate("input").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        no_children_left().await;
    });
}

#[test]
fn a_wait_closes_the_stdin_that_the_child_reads() {
    on_every_runtime(async |_| {
        let mut child = piped(Command::new("cat")).spawn().unwrap();
        assert!(child.wait().await.unwrap().success());
        assert!(child.stdin.is_none());
        let mut child = piped(Command::new("cat")).spawn().unwrap();
        // Taken out, it is the caller's.
        let stdin = child.stdin.take();
        assert!(poll_once(pin!(child.wait())).await.is_pending());
        drop(stdin);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn stdin_stdout_and_stderr_are_as_they_were_set() {
    on_every_runtime(async |_| {
        let mut command = shell("cat; echo err >&2");
        let output = command.output().await.unwrap();
        assert_eq!(
            (&output.stdout[..], &output.stderr[..]),
            (&b""[..], &b"err\n"[..])
        );
        // An output that was set is left alone, also the second time.
        command.stderr(Stdio::null());
        for _ in 0..2 {
            let output = command.output().await.unwrap();
            assert_eq!(output.stderr, b"");
        }
        // Of the standard library's it is not known: set here, it counts.
        let mut std = std::process::Command::new("echo");
        std.arg("out").stdout(Stdio::null());
        let mut echo = Command::from(std);
        assert!(echo.status().await.unwrap().success());
        assert_eq!(echo.output().await.unwrap().stdout, b"out\n");
        echo.stdout(Stdio::null());
        assert_eq!(echo.output().await.unwrap().stdout, b"");

        let child = command.stdin(Stdio::null()).spawn().unwrap();
        assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
        drop(child);
        no_children_left().await;
    });
}

#[test]
fn too_much_output_is_an_error_and_the_child_ends() {
    on_every_runtime(async |_| {
        for limit in [0, 1, 100_000] {
            let error = Command::new("yes").output().limit(limit).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            assert!(
                error.to_string().contains("`yes` wrote more than"),
                "{error}"
            );
        }
        // It wrote into a pipe without a reader.
        no_children_left().await;
        let output = Command::new("echo")
            .arg("12345")
            .output()
            .limit(6)
            .await
            .unwrap();
        assert_eq!(output.stdout, b"12345\n");
    });
}

#[test]
fn a_dropped_output_kills_if_it_was_to() {
    on_every_runtime(async |_| {
        let before = descriptors_before().await;
        let mut command = Command::new("sleep");
        command.arg("1000").kill_on_drop(true);
        for _ in 0..10 {
            assert!(poll_once(pin!(command.output())).await.is_pending());
            assert!(poll_once(pin!(command.status())).await.is_pending());
        }
        // Never polled: never started.
        drop(command.output());
        drop(command.status());
        no_children_left().await;
        descriptors_back_to(before).await;
    });
}

#[test]
fn conversations_dropped_at_random_leave_nothing() {
    let seed = Chance::new();
    on_every_runtime(async |_| {
        let mut chance = seed.fork(3);
        let before = descriptors_before().await;
        for _ in 0..support::setting("WAKELINE_TEST_CHILDREN", 250) {
            let (read, write) = io::pipe().unwrap();
            let mut command = shell("head -c 100000 /dev/zero; cat >&2; cat <&3; exit 6");
            let mut command = if chance.one_in(2) {
                command = Command::new("cat");
                command.stdin(read);
                command
            } else {
                drop(read);
                piped(command)
            };
            command
                .kill_on_drop(true)
                .stdout(Stdio::piped())
                .stderr(Stdio::null());
            let child = command.spawn().unwrap();
            drop(command);
            let input = if child.stdin.is_some() {
                vec![1; 100_000]
            } else {
                Vec::new()
            };
            let talk = child.communicate(input);
            drop_at_random(&mut chance, talk, || drop(write)).await;
        }
        no_children_left().await;
        descriptors_back_to(before).await;
    });
}

#[test]
fn a_spawn_that_fails_says_why_and_leaves_nothing() {
    let directory = std::env::temp_dir().join(format!("process-errors-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = |name: &str, mode: u32, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    };
    let plain = file("plain", 0o644, "#!/bin/sh\n");
    let orphan = file("orphan", 0o755, "#!/no/such/interpreter -x\n");
    let garbage = file("garbage", 0o755, "\0\0\0\0");
    // To open it would wait until somebody writes to it.
    let fifo = directory.join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o755.into()).unwrap();
    let piped = format!("#!{}\n", fifo.display());
    let piped = file("piped", 0o755, &piped);
    let at = |program: &Path| Command::new(program);
    let with = |name: &str, change: &dyn Fn(&mut Command)| {
        let mut command = Command::new(name);
        change(&mut command);
        command
    };
    let long = "x".repeat(200_000);
    use io::ErrorKind::{
        ArgumentListTooLong, InvalidInput, NotADirectory, NotFound, PermissionDenied,
    };
    let cases: [(Command, io::ErrorKind, &str); 14] = [
        (
            // A PATH of its own: where one of its directories may not be
            // searched, the kernel says PermissionDenied.
            with("no-such-program", &|c| {
                c.env("PATH", "/usr/bin:/bin");
            }),
            NotFound,
            "no such program in PATH (/usr/bin:/bin)",
        ),
        (
            Command::new("/no/such/program"),
            NotFound,
            "/no/such/program does not exist",
        ),
        (at(&directory), PermissionDenied, "is a directory"),
        (at(&plain), PermissionDenied, "chmod +x"),
        (at(&fifo), PermissionDenied, "is not a regular file"),
        (at(&piped), PermissionDenied, "its interpreter: "),
        (at(&orphan), NotFound, "interpreter /no/such/interpreter"),
        (at(&plain.join("below")), NotADirectory, "cannot be reached"),
        (
            with("true", &|c| {
                c.current_dir("/no/such/directory");
            }),
            NotFound,
            "its working directory /no/such/directory does not exist",
        ),
        (
            with("true", &|c| {
                c.current_dir(&plain);
            }),
            NotADirectory,
            "is not a directory",
        ),
        (
            with("true", &|c| {
                c.env("PATH", "/no/such/path");
            }),
            NotFound,
            "no such program in PATH (/no/such/path)",
        ),
        (
            with("true", &|c| {
                c.arg(&long);
            }),
            ArgumentListTooLong,
            "the longest: 200000",
        ),
        (
            with("true", &|c| {
                c.arg("a\0b");
            }),
            InvalidInput,
            "a zero byte",
        ),
        (
            with("no-such-program", &|c| {
                c.current_dir("/").env("PATH", "/usr/bin:/bin");
            }),
            NotFound,
            "no such program in PATH",
        ),
    ];
    let _alone = support::alone();
    // The first pipe of a process leaves one, for good.
    drop(wakeline::pipe::pipe().unwrap());
    let before = support::open_descriptors();
    for (mut command, kind, words) in cases {
        let program = command.as_std().get_program().display().to_string();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let error = command.spawn().unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(text.starts_with(&format!("run `{program}`: ")), "{text}");
        assert!(text.contains(words), "{words:?} is not in {text}");
        assert_eq!(children(), [] as [String; 0], "{text}");
        assert_eq!(support::open_descriptors(), before, "{text}");
    }
    let error = at(&garbage).spawn().unwrap_err();
    assert!(error.to_string().contains("#!/bin/sh"), "{error}");
    std::fs::remove_dir_all(directory).unwrap();
}

/// What this process was given to hand on: it is not closed on exec.
fn handed_on() -> Vec<String> {
    let infos = std::fs::read_dir("/proc/self/fdinfo").expect("/proc is mounted");
    let infos = infos.map(|info| info.expect("a descriptor"));
    let open = infos.filter(|info| {
        let text = std::fs::read_to_string(info.path()).unwrap_or_default();
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
        flags.is_some_and(|flags| flags & libc::O_CLOEXEC == 0)
    });
    open.map(|info| info.file_name().display().to_string())
        .collect()
}

#[test]
fn a_child_gets_no_descriptor_of_ours_but_three() {
    // What cargo or the shell has left open is none of ours.
    let (alone, given) = (support::alone(), handed_on());
    drop(alone);
    on_every_runtime(async |_| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        // Another child is running, with pipes of its own.
        let other = piped(Command::new("cat")).spawn().unwrap();
        let output = Command::new("ls")
            .arg("/proc/self/fd")
            .output()
            .await
            .unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        let own = |fd: &&str| !["0", "1", "2"].contains(fd) && !given.iter().any(|one| one == fd);
        // The directory that it lists is the only one.
        assert_eq!(
            listed.lines().filter(own).count(),
            1,
            "{listed}, given {given:?}"
        );
        drop((listener, other.communicate("").await));
    });
}
