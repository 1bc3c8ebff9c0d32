//! What a user of `cat`, `cp` and `tail_follow` sees: content, exit codes,
//! messages, closed pipes, Ctrl-C.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use support::child::{example, send};
use support::{Backend, for_each_backend};

/// How long a child may take for what it does at once: then the test fails.
const LIMIT: Duration = Duration::from_secs(60);

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("wakeline-examples-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let _left = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).expect("a directory");
        Scratch(dir)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a file");
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("it is there");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("text");
        let mut names: Vec<_> = entries
            .map(|entry| name(entry.expect("an entry")))
            .collect();
        names.sort();
        names
    }
}

impl std::ops::Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn command(backend: Backend, name: &str) -> Command {
    let mut command = Command::new(example(name));
    command.env("WAKELINE_DRIVER", backend.option());
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end with these arguments.
#[track_caller]
fn run<'a>(backend: Backend, name: &str, arguments: impl IntoIterator<Item = &'a Path>) -> Output {
    let mut command = command(backend, name);
    command.args(arguments).output().expect("it starts")
}

#[track_caller]
fn ends(output: &Output, code: i32, told: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(told), "{stderr:?} has no {told:?}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// What it came to, if it ends by itself.
#[track_caller]
fn in_time(child: Child) -> Output {
    let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).expect("ours");
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(child.wait_with_output()));
    let Ok(output) = told.recv_timeout(LIMIT) else {
        // By its handle: a number may be another's by now.
        let _ = pidfd_send_signal(&handle, Signal::KILL);
        panic!("it does not end");
    };
    output.expect("its output")
}

/// A named pipe that nobody has open.
fn fifo(dir: &Scratch) -> PathBuf {
    let path = dir.join("fifo");
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo runs").success());
    path
}

/// A child that is ended with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn help_tells_the_exit_codes_and_wrong_usage_ends_with_two() {
    for_each_backend(|backend| {
        for name in ["cat", "cp", "tail_follow"] {
            let help = run(backend, name, [Path::new("--help")]);
            assert!(
                String::from_utf8_lossy(&help.stdout).contains("Exit code: 0"),
                "{name}"
            );
            ends(&help, 0, "");
            ends(
                &run(backend, name, [Path::new("--nonsense")]),
                2,
                "--nonsense",
            );
        }
        let lines = ["-n", "x", "file"].map(Path::new);
        let wrong = run(backend, "tail_follow", lines);
        ends(&wrong, 2, "a whole number from 0");
    });
}

#[test]
fn cat_writes_its_files_and_stdin_in_order() {
    for_each_backend(|backend| {
        let dir = Scratch::new("cat");
        let large: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let (one, two) = (dir.file("one", &large), dir.file("two\n\u{fe}", "end"));
        let mut cat = command(backend, "cat");
        cat.arg(&one)
            .arg("-")
            .arg(&two)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut cat = cat.spawn().expect("it starts");
        let mut stdin = cat.stdin.take().expect("a pipe");
        let writer = std::thread::spawn(move || stdin.write_all(b"between"));
        let output = cat.wait_with_output().expect("it ends");
        writer.join().expect("no panic").expect("it reads all");
        ends(&output, 0, "");
        assert!(output.stdout == [&large, &b"between"[..], b"end"].concat());

        // Standard input is a file, and it is all there is.
        let stdin = fs::File::open(&one).expect("it is there");
        let output = command(backend, "cat")
            .stdin(stdin)
            .output()
            .expect("it starts");
        ends(&output, 0, "");
        assert!(output.stdout == large);
    });
}

#[test]
fn cat_tells_what_it_cannot_read_and_goes_on() {
    for_each_backend(|backend| {
        let dir = Scratch::new("cat-errors");
        let (missing, good) = (dir.join("missing"), dir.file("good", "good"));
        let output = run(backend, "cat", [&*missing, &*dir, &*good]);
        ends(&output, 1, "missing");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("Is a directory"), "{told}");
        assert_eq!(told.matches("missing").count(), 1, "{told}");
        assert_eq!(output.stdout, b"good");

        let append = fs::File::options()
            .append(true)
            .open(&good)
            .expect("it is there");
        let output = command(backend, "cat").arg(&good).stdout(append).output();
        ends(&output.expect("it starts"), 1, "input file is output file");
        assert_eq!(fs::read(&good).expect("it is there"), b"good");
    });
}

#[test]
fn cat_refuses_to_read_what_it_writes() {
    for_each_backend(|backend| {
        // (redirections, arguments, exit code, what the file is then)
        for (redirect, arguments, code, then) in [
            ("< f >> f", "", 1, "content"),
            ("< f >> f", "- small", 1, "contentsmall"),
            ("<> f 1>&0", "", 1, "content"),
            ("> f", "small f", 1, "small"),
            ("> f", "f", 0, ""),
        ] {
            let dir = Scratch::new("cat-output");
            dir.file("f", "content");
            dir.file("small", "small");
            let mut shell = Command::new("sh");
            shell.env("WAKELINE_DRIVER", backend.option());
            // Should it not end: some ten thousand bytes, then a signal.
            let script = format!("ulimit -f 64; exec \"$0\" {arguments} {redirect}");
            shell.arg("-c").arg(script).arg(example("cat"));
            shell.current_dir(&*dir).stderr(Stdio::piped());
            let told = if code == 1 {
                "input file is output file"
            } else {
                ""
            };
            ends(&in_time(shell.spawn().expect("it starts")), code, told);
            assert_eq!(
                fs::read_to_string(dir.join("f")).expect("it is there"),
                then
            );
        }
    });
}

#[test]
fn cat_ends_quietly_when_nobody_reads_and_loudly_when_the_disk_is_full() {
    for_each_backend(|backend| {
        let dir = Scratch::new("cat-pipe");
        let large = dir.file("large", vec![b'x'; 4 << 20]);
        let mut cat = command(backend, "cat");
        cat.arg(&large)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut cat = cat.spawn().expect("it starts");
        let mut first = [0; 10];
        let mut stdout = cat.stdout.take().expect("a pipe");
        stdout.read_exact(&mut first).expect("some bytes");
        drop(stdout);
        let output = cat.wait_with_output().expect("it ends");
        ends(&output, 0, "");
        assert!(output.stderr.is_empty());

        let full = fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("it is there");
        let output = command(backend, "cat").arg(&large).stdout(full).output();
        ends(&output.expect("it starts"), 3, "standard output");
    });
}

#[test]
fn cp_copies_as_a_whole_and_does_not_overwrite_unasked() {
    for_each_backend(|backend| {
        let dir = Scratch::new("cp");
        let content: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
        let (from, to) = (dir.file("from", &content), dir.join("to"));
        fs::set_permissions(&from, PermissionsExt::from_mode(0o640)).expect("it is ours");
        ends(&run(backend, "cp", [&*from, &*to]), 0, "");
        assert!(fs::read(&to).expect("it is there") == content);
        assert_eq!(
            fs::metadata(&to).expect("it is there").permissions().mode() & 0o777,
            0o640
        );

        fs::write(&to, "precious").expect("it is there");
        ends(
            &run(backend, "cp", [&*from, &*to]),
            1,
            "--force replaces it",
        );
        assert_eq!(fs::read(&to).expect("it is there"), b"precious");
        let force = Path::new("--force");
        ends(
            &run(backend, "cp", [force, Path::new("--sync"), &*from, &*to]),
            0,
            "",
        );
        assert!(fs::read(&to).expect("it is there") == content);

        // With whose rights a program runs is not copied, and what was replaced had no say.
        let mode_of = |path: &Path| {
            let found = fs::metadata(path).expect("it is there");
            found.permissions().mode() & 0o7777
        };
        let setuid = PermissionsExt::from_mode(0o4755);
        fs::set_permissions(&from, setuid).expect("it is ours");
        ends(&run(backend, "cp", [force, &*from, &*to]), 0, "");
        assert_eq!(mode_of(&to), 0o755);
        for (old, new) in [(0o2755, 0o600), (0o4755, 0o755)] {
            fs::set_permissions(&from, PermissionsExt::from_mode(new)).expect("it is ours");
            fs::set_permissions(&to, PermissionsExt::from_mode(old)).expect("it is ours");
            ends(&run(backend, "cp", [force, &*from, &*to]), 0, "");
            assert_eq!(mode_of(&to), new, "{old:o}");
        }

        let sub = dir.join("sub");
        let slash = dir.join("sub/");
        let output = run(backend, "cp", [&*from, &*slash]);
        ends(&output, 1, "there is no such directory");
        fs::create_dir(&sub).expect("a directory");
        ends(&run(backend, "cp", [&*from, &*sub]), 0, "");
        assert!(fs::read(sub.join("from")).expect("it is there") == content);

        ends(
            &run(backend, "cp", [force, &*from, &*from]),
            1,
            "the same file",
        );
        ends(&run(backend, "cp", [&*sub, &*to]), 1, "not a regular file");
        ends(&run(backend, "cp", [&*dir.join("none"), &*to]), 1, "none");
        ends(
            &run(backend, "cp", [&*from, &*dir.join("no/such")]),
            1,
            "no/such",
        );
        let empty = dir.file("empty", "");
        ends(&run(backend, "cp", [&*empty, &*dir.join("empty2")]), 0, "");
        assert_eq!(dir.names(), ["empty", "empty2", "from", "sub", "to"]);
    });
}

#[test]
fn cp_refuses_a_fifo_on_either_side_and_waits_for_nobody() {
    for_each_backend(|backend| {
        let dir = Scratch::new("cp-fifo");
        let (file, fifo) = (dir.file("file", "content"), fifo(&dir));
        let (force, to) = (Path::new("--force"), dir.join("to"));
        for (arguments, told) in [
            (&[&*fifo, &*to][..], "not a regular file"),
            (&[&*file, &*fifo], "--force replaces it"),
            (&[force, &*file, &*fifo], "only a regular file"),
        ] {
            let mut cp = command(backend, "cp");
            cp.args(arguments).stderr(Stdio::piped());
            ends(&in_time(cp.spawn().expect("it starts")), 1, told);
        }
        assert_eq!(dir.names(), ["fifo", "file"]);
    });
}

#[test]
fn cp_names_the_file_that_has_failed() {
    for_each_backend(|backend| {
        let dir = Scratch::new("cp-names");
        // Nothing is mapped at its beginning.
        let (from, to) = (Path::new("/proc/self/mem"), dir.join("to"));
        ends(&run(backend, "cp", [from, &*to]), 1, "cp: /proc/self/mem: ");
        assert!(dir.names().is_empty());
    });
}

#[test]
fn cp_leaves_nothing_when_it_is_interrupted() {
    for_each_backend(|backend| {
        let dir = Scratch::new("cp-interrupt");
        let from = dir.join("from");
        // No blocks of its own, and long enough that no copy is faster than a signal.
        let sparse = fs::File::create(&from).expect("a file");
        sparse.set_len(8 << 30).expect("it takes no room");
        let to = dir.file("to", "old");
        for signal in [libc::SIGINT, libc::SIGTERM] {
            let mut cp = command(backend, "cp");
            cp.arg("--force").args([&from, &to]).stderr(Stdio::piped());
            let mut cp = Killed(cp.spawn().expect("it starts"));
            let limit = Instant::now() + LIMIT;
            while dir.names().len() < 3 && Instant::now() < limit {
                std::thread::yield_now();
            }
            send(cp.0.id().into(), signal);
            let status = cp.0.wait().expect("it ends");
            assert_eq!(status.code(), Some(130));
            assert_eq!(dir.names(), ["from", "to"]);
            assert_eq!(fs::read(&to).expect("it is there"), b"old");
        }
    });
}

#[test]
fn tail_writes_the_last_lines() {
    for_each_backend(|backend| {
        let dir = Scratch::new("tail");
        let long = "x".repeat(100_000);
        let large = format!("first\n{long}\n{long}\nlast\n");
        // (content, lines, what comes out)
        for (content, lines, expected) in [
            ("", "3", ""),
            ("one", "3", "one"),
            ("one\ntwo\nthree\n", "2", "two\nthree\n"),
            ("one\ntwo\nthree", "2", "two\nthree"),
            ("\n\n\n", "2", "\n\n"),
            ("one\ntwo\n", "0", ""),
            (&large, "1", "last\n"),
            (&large, "3", &large[6..]),
            (&large, "4", &large),
        ] {
            let file = dir.file("file", content);
            let mut tail = command(backend, "tail_follow");
            tail.args(["--no-follow", "-n", lines]).arg(&file);
            let output = tail.output().expect("it starts");
            ends(&output, 0, "");
            assert!(output.stdout == expected.as_bytes(), "{lines} lines");
        }
        ends(
            &run(backend, "tail_follow", [&*dir.join("none")]),
            1,
            "none",
        );
        ends(
            &run(backend, "tail_follow", [&*dir]),
            1,
            "not a regular file",
        );
    });
}

#[test]
fn tail_follows_what_is_appended_cut_off_and_replaced() {
    for_each_backend(|backend| {
        let dir = Scratch::new("tail-follow");
        let file = dir.file("log", "one\n");
        let append = |text: &str| {
            let log = fs::File::options().append(true).open(&file);
            log.and_then(|mut log| log.write_all(text.as_bytes()))
                .expect("it is there");
        };
        let mut tail = command(backend, "tail_follow");
        tail.args(["--every", "5"]).arg(&file);
        tail.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut tail = Killed(tail.spawn().expect("it starts"));
        let mut told = BufReader::new(tail.0.stderr.take().expect("a pipe")).lines();
        let mut lines = BufReader::new(tail.0.stdout.take().expect("a pipe")).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        let mut told = || told.next().expect("a line").expect("text");

        assert_eq!(line(), "one");
        append("two\n");
        assert_eq!(line(), "two");
        fs::write(&file, "3\n").expect("it is there");
        assert!(told().contains("truncated"));
        assert_eq!(line(), "3");

        // Rotated: what the old one gets until the new one is there is not lost.
        let old = dir.join("log.1");
        let mut writer = fs::File::options()
            .append(true)
            .open(&file)
            .expect("it is there");
        fs::rename(&file, &old).expect("it is there");
        assert!(told().contains("inaccessible"));
        writer.write_all(b"to the old\n").expect("it is open");
        assert_eq!(line(), "to the old");
        dir.file("log", "new\n");
        assert!(told().contains("the new file"));
        assert_eq!(line(), "new");
        append("newer\n");
        assert_eq!(line(), "newer");
        assert!(
            tail.0.try_wait().expect("ours").is_none(),
            "it follows without end"
        );
    });
}

#[test]
fn tail_ends_quietly_when_nobody_reads() {
    for_each_backend(|backend| {
        let dir = Scratch::new("tail-pipe");
        let file = dir.file("log", "x".repeat(2_000_000));
        let mut tail = command(backend, "tail_follow");
        tail.arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut tail = tail.spawn().expect("it starts");
        drop(tail.stdout.take());
        let output = tail.wait_with_output().expect("it ends");
        ends(&output, 0, "");
        assert!(output.stderr.is_empty());
    });
}

#[test]
fn tail_ends_quietly_when_its_reader_leaves_and_nothing_is_appended() {
    for_each_backend(|backend| {
        let dir = Scratch::new("tail-reader");
        let file = dir.file("log", "one\n");
        let mut tail = command(backend, "tail_follow");
        tail.arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut tail = tail.spawn().expect("it starts");
        let mut line = [0; 4];
        let mut stdout = tail.stdout.take().expect("a pipe");
        stdout.read_exact(&mut line).expect("a line");
        drop(stdout);
        let output = in_time(tail);
        ends(&output, 0, "");
        assert!(output.stderr.is_empty());
    });
}

#[test]
fn tail_refuses_a_fifo_and_waits_while_one_has_the_name() {
    for_each_backend(|backend| {
        let dir = Scratch::new("tail-fifo");
        let file = dir.file("log", "one\n");
        let fifo = fifo(&dir);
        let mut tail = command(backend, "tail_follow");
        tail.arg(&fifo)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        ends(
            &in_time(tail.spawn().expect("it starts")),
            1,
            "not a regular file",
        );

        let mut tail = command(backend, "tail_follow");
        tail.args(["--every", "5"]).arg(&file);
        tail.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut tail = Killed(tail.spawn().expect("it starts"));
        let mut told = BufReader::new(tail.0.stderr.take().expect("a pipe")).lines();
        let mut lines = BufReader::new(tail.0.stdout.take().expect("a pipe")).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        let mut told = || told.next().expect("a line").expect("text");
        assert_eq!(line(), "one");

        let mut writer = fs::File::options()
            .append(true)
            .open(&file)
            .expect("it is there");
        fs::rename(&fifo, &file).expect("it is there");
        assert!(told().contains("not a regular file"));
        writer.write_all(b"to the old\n").expect("it is open");
        assert_eq!(line(), "to the old");
        let new = dir.file("new", "new\n");
        fs::rename(&new, &file).expect("it is there");
        assert!(told().contains("the new file"));
        assert_eq!(line(), "new");
    });
}

#[test]
fn tail_does_not_take_a_file_of_the_kernel_for_cut_off() {
    for_each_backend(|backend| {
        // It says that it has no bytes, and gives some.
        let dir = Scratch::new("tail-proc");
        let (name, next) = (dir.join("log"), dir.file("next", "next\n"));
        std::os::unix::fs::symlink("/proc/uptime", &name).unwrap();
        let mut tail = command(backend, "tail_follow");
        tail.args(["--every", "5"]).arg(&name);
        tail.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut tail = Killed(tail.spawn().expect("it starts"));
        let mut stdout = BufReader::new(tail.0.stdout.take().unwrap()).lines();
        let mut stderr = BufReader::new(tail.0.stderr.take().unwrap()).lines();
        let uptime = stdout.next().expect("a line").unwrap();
        assert!(uptime.contains('.'), "{uptime}");
        // The look that finds another file looks at this one too.
        fs::rename(next, &name).unwrap();
        let told = stderr.next().expect("a line").unwrap();
        assert!(told.contains("following the new file"), "{told}");
        assert_eq!(stdout.next().expect("a line").unwrap(), "next");
    });
}
