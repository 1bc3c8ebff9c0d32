//! What `run_parallel` prints, in which order, with which exit code, and what it stops.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use support::child::{example, send};
use support::for_each_backend;

/// How long it may take for what it does at once: then the test fails.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs it to its end with this on stdin: exit code, stdout, stderr.
fn run_with(input: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut child = start(arguments, Stdio::piped());
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it prints UTF-8");
    let code = output.status.code().expect("it was not killed");
    (code, text(&output.stdout), text(&output.stderr))
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    run_with("", arguments)
}

fn start(arguments: &[&str], stdin: Stdio) -> Child {
    spawn(Command::new(example("run_parallel")).args(arguments), stdin)
}

/// The same by `env`, which sets how signals are met.
fn start_by_env(option: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new("env");
    command.arg(option).arg(example("run_parallel"));
    spawn(command.args(arguments), Stdio::null())
}

fn spawn(command: &mut Command, stdin: Stdio) -> Child {
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

#[test]
fn a_command_that_is_stopped_hears_its_end() {
    let stopped = "trap 'echo goodbye; exit 3' TERM; kill -STOP $$";
    // With the grace it would be killed, and say nothing.
    let (code, stdout, stderr) = run(&["--timeout", "0.2", "--grace", "600", stopped]);
    assert_eq!((code, stdout.as_str()), (124, "goodbye\n"), "{stderr}");
}

/// Waits until nobody of the process group lives: else it is killed, and the test fails.
fn until_group_is_gone(leader: &str) {
    let group: i64 = leader.parse().expect("a number");
    let limit = Instant::now() + LIMIT;
    loop {
        let left = living(group);
        if left.is_empty() {
            return;
        }
        if Instant::now() > limit {
            send(-group, libc::SIGKILL);
            panic!("still alive: {left:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What `/proc` tells of those in the process group, but for the dead.
fn living(group: i64) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("/proc is mounted");
    let stats = processes.filter_map(|process| {
        let stat = process.ok()?.path().join("stat");
        std::fs::read_to_string(stat).ok()
    });
    let lives_in_it = |stat: &String| {
        // The name in parentheses may hold spaces: state, parent and group are behind it.
        let fields = &stat[stat.rfind(')').expect("a name") + 2..];
        let fields: Vec<&str> = fields.split(' ').collect();
        !matches!(fields[0], "Z" | "X") && fields[2] == group.to_string()
    };
    stats.filter(lives_in_it).collect()
}

#[test]
fn outputs_are_blocks_and_the_code_is_the_worst() {
    for_each_backend(|backend| {
        let driver = ["--driver", backend.option()];
        // The second ends first: the first waits for it.
        let fifo = Fifo::new(backend.option());
        let first = format!("echo a1; read x <{0}; echo a2", fifo.path());
        let second = format!(
            "echo b1; echo b2; echo b3 >&2; echo go >{0}; exit 3",
            fifo.path()
        );
        let arguments = [&driver[..], &["-j", "2", &first, &second, "exit 1"]].concat();
        let (code, stdout, stderr) = run(&arguments);
        assert_eq!(code, 3, "{stderr}");
        assert!(
            ["a1\na2\nb1\nb2\n", "b1\nb2\na1\na2\n"].contains(&&stdout[..]),
            "{stdout}"
        );
        assert!(stderr.starts_with("b3\n"), "{stderr}");
        assert!(stderr.contains("3 commands, 2 failed"), "{stderr}");
    });
}

/// A named pipe, gone with the value.
struct Fifo(std::path::PathBuf);

impl Fifo {
    fn new(name: &str) -> Fifo {
        let name = format!("run-parallel-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        Fifo(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn lines_of_stdin_are_commands_and_prefixes_tell_them_apart() {
    let input = "echo one\n\n# no command\necho two; echo three >&2\nprintf four\n";
    let (code, stdout, stderr) = run_with(input, &["--prefix", "-j", "1", "--quiet"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stdout, "[1] one\n[2] two\n[3] four\n");
    assert_eq!(stderr, "[2] three\n");
    assert_eq!(
        run_with("# nothing\n", &["--quiet"]),
        (0, String::new(), String::new())
    );
}

#[test]
fn at_most_so_many_run_at_a_time() {
    // With one place each sees the other's work done; with two they need each other.
    let fifo = Fifo::new("places");
    let (write, read) = (
        format!("echo x >{}", fifo.path()),
        format!("cat {}", fifo.path()),
    );
    let (code, stdout, stderr) = run(&["-j", "2", &write, &read]);
    assert_eq!((code, &stdout[..]), (0, "x\n"), "{stderr}");
    let (code, _, stderr) = run(&["-j", "1", "--timeout", "0.2", "--grace", "0", &write, &read]);
    assert_eq!(code, 124, "{stderr}");
    assert_eq!(
        stderr.matches("timed out after 200ms").count(),
        2,
        "{stderr}"
    );
}

#[test]
fn a_failure_stops_the_others_if_it_is_to() {
    for_each_backend(|backend| {
        let arguments = ["--driver", backend.option(), "-j", "2", "--fail-fast"];
        let commands = ["sleep 1000", "exit 9", "echo never", "echo never"];
        let (code, stdout, stderr) = run(&[&arguments[..], &commands].concat());
        assert_eq!((code, &stdout[..]), (9, ""), "{stderr}");
        let why = "command 2 failed: exit status: 9";
        assert!(
            stderr.contains(&format!("sleep 1000: stopped: {why}")),
            "{stderr}"
        );
        // The third may have had the free place before.
        assert!(stderr.contains(&format!("not started: {why}")), "{stderr}");
    });
}

#[test]
fn a_timeout_kills_the_whole_group_in_the_end() {
    for_each_backend(|backend| {
        // Neither it nor what it starts listens; and all of them have the pipe.
        let command = "trap '' TERM; sleep 1000 & echo $$; sleep 1000; echo never";
        // On a busy machine the time may be over before it has said who it is.
        let said = ["0.3", "3", "30"].iter().find_map(|time| {
            let driver = ["--driver", backend.option(), "--grace", "0.2"];
            let (code, stdout, stderr) =
                run(&[&driver[..], &["--timeout", time, command]].concat());
            assert_eq!(code, 124, "{stderr}");
            assert!(stderr.contains("timed out after "), "{stderr}");
            (!stdout.is_empty()).then_some(stdout)
        });
        until_group_is_gone(said.expect("a command in time").trim_end());
    });
}

#[test]
fn a_command_that_is_asked_to_end_may_say_goodbye() {
    let command = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done";
    let arguments = ["--prefix", "--grace", "1000", command];
    let mut child = start(&arguments, Stdio::null());
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert_eq!(
        lines.next().expect("a line").expect("it is readable"),
        "[1] up"
    );
    send(child.id().into(), libc::SIGINT);
    assert_eq!(
        lines.next().expect("a line").expect("it is readable"),
        "[1] bye"
    );
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn what_a_shell_has_started_has_its_grace_though_the_shell_is_gone() {
    for_each_backend(|backend| {
        let fifo = Fifo::new(&format!("grace-{}", backend.option()));
        let command = format!(
            "(trap 'read x <{}; echo saved; exit 0' TERM; echo $$; while :; do sleep 0.01; done); true",
            fifo.path()
        );
        let driver = ["--driver", backend.option()];
        let arguments = [&driver[..], &["--prefix", "--grace", "1000", &command]].concat();
        let mut child = start(&arguments, Stdio::null());
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let line = lines.next().expect("a line").expect("it is readable");
        let leader = line.trim_start_matches("[1] ").to_owned();
        send(child.id().into(), libc::SIGINT);
        // A zombie, or reaped.
        while std::fs::read_to_string(format!("/proc/{leader}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
        {
            std::thread::yield_now();
        }
        // To read and to write: it does not wait for a reader, there may be none.
        let mut options = std::fs::File::options();
        let go = options.read(true).write(true).open(fifo.path());
        let mut go = go.expect("it is there");
        go.write_all(b"go\n").expect("there is room");
        let line = lines.next().map(|line| line.expect("it is readable"));
        assert_eq!(line.as_deref(), Some("[1] saved"));
        assert_eq!(child.wait().expect("it ends").code(), Some(130));
    });
}

#[test]
fn ctrl_c_stops_the_children_and_reports() {
    for_each_backend(|backend| {
        for (signal, name) in [
            (libc::SIGINT, "SIGINT"),
            (libc::SIGTERM, "SIGTERM"),
            (libc::SIGQUIT, "SIGQUIT"),
            (libc::SIGHUP, "SIGHUP"),
        ] {
            let arguments = ["--driver", backend.option(), "--prefix", "-j", "1"];
            let commands = ["sleep 1000 & echo $$; wait", "echo never"];
            // These tests may themselves be run by nohup.
            let arguments = [&arguments[..], &commands].concat();
            let mut child = start_by_env("--default-signal=HUP", &arguments);
            let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
            let line = lines.next().expect("a line").expect("it is readable");
            let leader = line.trim_start_matches("[1] ").to_owned();
            send(child.id().into(), signal);
            let output = child.wait_with_output().expect("it ends");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(130), "{stderr}");
            let stopped = format!("stopped: interrupted by {name}");
            assert!(stderr.contains(&stopped), "{stderr}");
            assert!(stderr.contains("not started"), "{stderr}");
            until_group_is_gone(&leader);
        }
    });
}

#[test]
fn a_hangup_that_is_to_be_ignored_stops_nothing() {
    let fifo = Fifo::new("nohup");
    let command = format!("while read x; do echo $x; done <{}", fifo.path());
    let mut child = start_by_env("--ignore-signal=HUP", &["--prefix", &command]);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut fifo = std::fs::File::options().write(true).open(fifo.path());
    // Each answer takes a turn of its loop, in which it would hear the signal.
    for word in ["one", "two", "three", "four"] {
        writeln!(fifo.as_mut().expect("it is there"), "{word}").expect("it is read");
        let line = lines.next().map(|line| line.expect("it is readable"));
        assert_eq!(line, Some(format!("[1] {word}")));
        send(child.id().into(), libc::SIGHUP);
    }
    drop(fifo);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_signal_that_comes_with_the_first_command_is_heard() {
    for_each_backend(|backend| {
        // While the others are started.
        let mut arguments = vec!["--driver", backend.option(), "-j", "50"];
        arguments.push("kill -INT $PPID; sleep 1000");
        arguments.extend(["sleep 1000"; 49]);
        let output = start(&arguments, Stdio::null()).wait_with_output();
        let output = output.expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        assert!(stderr.contains("interrupted by SIGINT"), "{stderr}");
    });
}

#[test]
fn a_reader_that_is_slow_holds_up_nothing_but_the_printing() {
    for_each_backend(|backend| {
        // By a signal, and by a failure.
        for (arguments, block, code) in [
            (&[][..], "head -c 200000 /dev/zero", 130),
            (&["--fail-fast"], "head -c 200000 /dev/zero; exit 7", 7),
        ] {
            let fifo = Fifo::new(&format!("slow-{}", backend.option()));
            let go = Fifo::new(&format!("slow-go-{}", backend.option()));
            let (sender, heard) = mpsc::channel();
            let path = fifo.path().to_owned();
            let listener = std::thread::spawn(move || {
                let file = std::fs::File::open(path).expect("it is there");
                for line in BufReader::new(file).lines().map_while(Result::ok) {
                    let _gone = sender.send(line);
                }
            });
            // More than a pipe holds; and one that tells what it gets.
            let block = format!("read x <{}; {block}", go.path());
            let told = format!(
                "exec 3>{0}; trap 'echo bye >&3; exit' TERM; echo up >&3; while [ -p {0} ]; do sleep 0.01; done",
                fifo.path()
            );
            let driver = ["--driver", backend.option(), "-j", "2", "--grace", "1000"];
            let arguments = [&driver[..], arguments, &[&block, &told]].concat();
            let mut child = start(&arguments, Stdio::null());
            let mut stdout = child.stdout.take().expect("a pipe");
            assert_eq!(heard.recv().as_deref(), Ok("up"));
            // To read and to write: it does not wait for a reader.
            let mut options = std::fs::File::options();
            let go = options.read(true).write(true).open(go.path());
            let mut go = go.expect("it is there");
            go.write_all(b"go\n").expect("there is room");
            stdout.read_exact(&mut [0]).expect("the block begins");
            if code == 130 {
                send(child.id().into(), libc::SIGINT);
            }
            let heard = heard.recv_timeout(LIMIT);
            if heard.is_err() {
                child.kill().expect("ours");
            }
            assert_eq!(heard.as_deref(), Ok("bye"), "{code}");
            let mut rest = Vec::new();
            stdout.read_to_end(&mut rest).expect("it is readable");
            assert_eq!(rest.len(), 199_999);
            assert_eq!(child.wait().expect("it ends").code(), Some(code));
            listener.join().expect("no panic");
        }
    });
}

#[test]
fn a_reader_that_never_reads_is_given_up_at_the_second_ctrl_c() {
    for_each_backend(|backend| {
        let arguments = ["--driver", backend.option(), "head -c 200000 /dev/zero"];
        let mut child = start(&arguments, Stdio::null());
        let mut stdout = child.stdout.take().expect("a pipe");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        stdout.read_exact(&mut [0]).expect("the block begins");
        send(child.id().into(), libc::SIGINT);
        let told = stderr.next().expect("a line").expect("it is readable");
        assert!(told.contains("once more"), "{told}");
        send(child.id().into(), libc::SIGINT);
        let limit = Instant::now() + LIMIT;
        while child.try_wait().expect("ours").is_none() {
            if Instant::now() > limit {
                child.kill().expect("ours");
                panic!("it waits for its reader");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(child.wait().expect("it has ended").code(), Some(130));
    });
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_the_grace() {
    let arguments = [
        "--prefix",
        "--grace",
        "1000",
        "trap 'echo no' TERM; echo up; while :; do sleep 0.01; done",
    ];
    let mut child = start(&arguments, Stdio::null());
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert_eq!(
        lines.next().expect("a line").expect("it is readable"),
        "[1] up"
    );
    send(child.id().into(), libc::SIGINT);
    assert_eq!(
        lines.next().expect("a line").expect("it is readable"),
        "[1] no"
    );
    send(child.id().into(), libc::SIGINT);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn what_cannot_be_kept_is_said_to_be_left_out() {
    let (code, stdout, stderr) = run(&["--keep", "10", "head -c 1000000 /dev/zero"]);
    assert_eq!((code, stdout.len()), (0, 10), "{stderr}");
    assert!(
        stderr.contains("command 1: 999990 bytes of its output are left out"),
        "{stderr}"
    );
}

#[test]
fn wrong_usage_is_exit_code_2_and_help_says_how() {
    for arguments in [
        &["--jobs", "0", "true"][..],
        &["--jobs", "18446744073709551615", "true"],
        &["--timeout", "soon", "true"],
        &["--keep", "x", "true"],
        &["--no-such-option"],
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty());
    }
    let (_, _, stderr) = run(&["--keep", "x", "true"]);
    assert!(stderr.contains(": a whole number from 0"), "{stderr}");
    let (code, stdout, _) = run(&["--help"]);
    assert_eq!(code, 0);
    assert!(
        stdout.contains("--fail-fast") && stdout.contains("Exit code:"),
        "{stdout}"
    );
}

#[test]
fn what_cannot_be_printed_is_a_failure() {
    for_each_backend(|backend| {
        // A command's own code may be worse.
        for (command, code) in [("echo lost", 1), ("echo lost; exit 9", 9), ("true", 0)] {
            let full = std::fs::File::options().write(true).open("/dev/full");
            let output = Command::new(example("run_parallel"))
                .args(["--driver", backend.option(), command])
                .stdout(full.expect("it is there"))
                .output()
                .expect("it starts");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{command}: {stderr}");
            let told = stderr.contains("cannot print what a command wrote");
            assert_eq!(told, command != "true", "{stderr}");
        }
    });
}

#[test]
fn a_reader_that_leaves_does_not_end_the_commands() {
    let file = std::env::temp_dir().join(format!("run-parallel-left-{}", std::process::id()));
    let command = format!("yes | head -c 1000000; echo done >{}", file.display());
    let mut child = start(&["--prefix", &command], Stdio::null());
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(
        std::fs::read_to_string(&file).expect("it ran to its end"),
        "done\n"
    );
    let _ = std::fs::remove_file(&file);
}
