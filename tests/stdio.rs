//! Standard input, output and error of a child, whatever they are: a pipe, a
//! socket, a file, a terminal, `/dev/null`, nothing.

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::fs::{MemfdFlags, OFlags, fcntl_getfl, memfd_create};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use support::child::example;
use support::{Backend, for_each_backend};

/// A terminal: the side of who types and reads the screen, and the program's.
fn terminal() -> (File, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).expect("a terminal");
    grantpt(&master).expect("its mode");
    unlockpt(&master).expect("its lock");
    let slave = ioctl_tiocgptpeer(&master, flags).expect("the other side");
    (master.into(), slave)
}

/// A file with this in it, to be read from its start.
fn file(bytes: &[u8]) -> File {
    let mut file: File = memfd_create("stdio", MemfdFlags::CLOEXEC)
        .expect("a file in memory")
        .into();
    file.write_all(bytes).expect("room");
    file.rewind().expect("a file");
    file
}

struct Tool {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Tool {
    fn start(
        backend: Backend,
        what: &str,
        stdin: impl Into<Stdio>,
        stdout: impl Into<Stdio>,
    ) -> Tool {
        let mut child = Command::new(example("stdio"))
            .args([backend.option(), what])
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool starts");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        Tool { child, stderr }
    }

    /// The next line of its standard error.
    fn says(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn ends_well(mut self) {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).expect("text");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}: {rest}");
    }
}

/// A megabyte that is not all alike.
fn much() -> Vec<u8> {
    (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn what_comes_in_goes_out_through_pipes() {
    for_each_backend(|backend| {
        let mut tool = Tool::start(backend, "cat", Stdio::piped(), Stdio::piped());
        let mut stdin = tool.child.stdin.take().expect("it is piped");
        let typing = std::thread::spawn(move || stdin.write_all(&much()));
        let mut out = Vec::new();
        let mut stdout = tool.child.stdout.take().expect("it is piped");
        stdout.read_to_end(&mut out).expect("the rest");
        typing.join().expect("no panic").expect("it is read");
        assert!(out == much());
        tool.ends_well();
    });
}

#[test]
fn what_comes_in_goes_out_through_sockets() {
    for_each_backend(|backend| {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let theirs = OwnedFd::from(theirs);
        let again = theirs.try_clone().expect("a duplicate");
        let tool = Tool::start(backend, "cat", theirs, again);
        let mut typing = ours.try_clone().expect("a duplicate");
        let typing = std::thread::spawn(move || {
            typing.write_all(&much())?;
            typing.shutdown(std::net::Shutdown::Write)
        });
        let mut out = Vec::new();
        (&ours).read_to_end(&mut out).expect("the rest");
        typing.join().expect("no panic").expect("it is read");
        assert!(out == much());
        tool.ends_well();
    });
}

#[test]
fn what_comes_in_goes_out_through_files() {
    for_each_backend(|backend| {
        let mut out = file(b"");
        let theirs = out.try_clone().expect("a duplicate");
        Tool::start(backend, "cat", file(&much()), theirs).ends_well();
        let mut copied = Vec::new();
        out.rewind().expect("a file");
        out.read_to_end(&mut copied).expect("a file");
        assert!(copied == much());
    });
}

#[test]
fn nothing_at_all_is_the_end() {
    for_each_backend(|backend| {
        Tool::start(backend, "cat", Stdio::null(), Stdio::null()).ends_well();
        // The shell closes both; std opens /dev/null in their place.
        let status = Command::new("sh")
            .args(["-c", r#"exec "$0" "$1" cat <&- >&-"#])
            .arg(example("stdio"))
            .arg(backend.option())
            .status()
            .expect("a shell");
        assert!(status.success());
    });
}

/// `Ctrl-D` at the start of a line is the end.
#[test]
fn a_terminal_is_read_line_by_line_to_its_end() {
    for_each_backend(|backend| {
        let (mut master, slave) = terminal();
        let shared = slave.try_clone().expect("a duplicate");
        let mut tool = Tool::start(backend, "drop", slave, Stdio::piped());
        assert_eq!(tool.says(), "pending");
        master
            .write_all(b"first\nsecond\n\x04")
            .expect("a keyboard");
        let mut stdout = tool.child.stdout.take().expect("it is piped");
        let mut out = String::new();
        stdout.read_to_string(&mut out).expect("text");
        assert_eq!(
            out, "first\nsecond\n",
            "also what the dropped read was given"
        );
        tool.ends_well();
        let flags = fcntl_getfl(&shared).expect("flags");
        assert!(!flags.contains(OFlags::NONBLOCK), "it is not ours alone");
    });
}

/// The thread has read the line before anybody asks again.
#[test]
fn what_a_terminal_gave_to_a_dropped_read_is_kept_for_the_next() {
    for_each_backend(|backend| {
        let (mut master, slave) = terminal();
        let mut tool = Tool::start(backend, "keep", slave, Stdio::piped());
        assert_eq!(tool.says(), "pending");
        master.write_all(b"kept\n\x04").expect("a keyboard");
        let mut stdout = tool.child.stdout.take().expect("it is piped");
        let mut out = String::new();
        stdout.read_to_string(&mut out).expect("text");
        assert_eq!(out, "kept\n");
        tool.ends_well();
    });
}

#[test]
fn a_dropped_read_of_a_pipe_loses_nothing_and_leaves_it_as_it_was() {
    for_each_backend(|backend| {
        let (theirs, mut ours) = std::io::pipe().expect("a pipe");
        let shared = theirs.try_clone().expect("a duplicate");
        let mut tool = Tool::start(backend, "drop", theirs, Stdio::piped());
        assert_eq!(tool.says(), "pending");
        ours.write_all(b"all of it").expect("room");
        drop(ours);
        let mut out = String::new();
        let mut stdout = tool.child.stdout.take().expect("it is piped");
        stdout.read_to_string(&mut out).expect("text");
        assert_eq!(out, "all of it");
        tool.ends_well();
        let flags = fcntl_getfl(&shared).expect("flags");
        assert!(!flags.contains(OFlags::NONBLOCK), "it is not ours alone");
    });
}

/// It ends although nobody ever types: else the test hangs.
#[test]
fn a_read_that_waits_does_not_hold_up_the_end_of_the_process() {
    for_each_backend(|backend| {
        let (_master, slave) = terminal();
        let mut tool = Tool::start(backend, "leave", slave, Stdio::null());
        assert_eq!(tool.says(), "pending");
        tool.ends_well();

        let (theirs, _ours) = std::io::pipe().expect("a pipe");
        let mut tool = Tool::start(backend, "leave", theirs, Stdio::null());
        assert_eq!(tool.says(), "pending");
        tool.ends_well();
    });
}

/// Nobody reads the output until the program has said that it lives.
#[test]
fn an_output_that_is_full_does_not_hold_up_the_loop() {
    for_each_backend(|backend| {
        let (mut screen, slave) = terminal();
        let shared = slave.try_clone().expect("a duplicate");
        let mut tool = Tool::start(backend, "flood", Stdio::null(), slave);
        assert_eq!(tool.says(), "alive");
        let mut left = 1 << 20;
        let mut buf = vec![0; 1 << 16];
        while left > 0 {
            let n = screen.read(&mut buf).expect("a screen");
            assert!(buf[..n].iter().all(|byte| *byte == b'x'));
            left -= n;
        }
        tool.ends_well();
        let flags = fcntl_getfl(shared.as_fd()).expect("flags");
        assert!(!flags.contains(OFlags::NONBLOCK), "it is not ours alone");

        let mut tool = Tool::start(backend, "flood", Stdio::null(), Stdio::piped());
        assert_eq!(tool.says(), "alive");
        let mut out = Vec::new();
        let mut stdout = tool.child.stdout.take().expect("it is piped");
        stdout.read_to_end(&mut out).expect("the rest");
        assert_eq!(out.len(), 1 << 20);
        tool.ends_well();
    });
}

#[test]
fn an_output_that_nobody_reads_is_an_error_and_no_signal() {
    for_each_backend(|backend| {
        let mut tool = Tool::start(backend, "until-broken", Stdio::piped(), Stdio::piped());
        drop(tool.child.stdout.take());
        let mut stdin = tool.child.stdin.take().expect("it is piped");
        stdin.write_all(b"go\n").expect("it reads");
        assert_eq!(tool.says(), format!("{:?}", ErrorKind::BrokenPipe));
        tool.ends_well();

        // A terminal whose window is closed gives the error by its thread.
        let (master, slave) = terminal();
        let mut tool = Tool::start(backend, "until-broken", Stdio::piped(), slave);
        drop(master);
        let mut stdin = tool.child.stdin.take().expect("it is piped");
        stdin.write_all(b"go\n").expect("it reads");
        assert_ne!(tool.says(), "");
        tool.ends_well();
    });
}
