//! An example as a process of its own, killed when the test is done with it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

/// Where an example's program is; builds it if it is not there, or is older than its sources.
pub(crate) fn example(name: &str) -> PathBuf {
    // Else it might be replaced while another test starts it.
    static ONE_BY_ONE: Mutex<()> = Mutex::new(());
    let _one = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // target/debug/deps/this-test -> target/debug/examples/name
    let test = env::current_exe().expect("the test knows its own path");
    let profile = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("tests sit in target/PROFILE/deps");
    let path = profile.join("examples").join(name);
    if !is_fresh(&path) {
        let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // With the features that `cargo test --workspace` builds with, or all is built anew.
        build.args([
            "build",
            "--quiet",
            "--workspace",
            "--example",
            name,
            "--target-dir",
        ]);
        build.arg(
            profile
                .parent()
                .expect("a profile is in a target directory"),
        );
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(
            build.status().expect("cargo starts").success(),
            "cannot build the example {name}"
        );
    }
    path
}

/// Whether a program is there and newer than its sources, as far as can be told:
/// where it was copied to it is without them.
fn is_fresh(program: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified());
    let Ok(built) = changed(program) else {
        return false;
    };
    // What cargo leaves beside it: "program: source source ..", "\ " in a name.
    let sources = fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    let sources = sources.trim_end().replace("\\ ", "\0");
    let mut sources = sources.split(' ').skip(1);
    sources.all(|source| {
        let source = source.replace('\0', " ");
        changed(Path::new(&source)).is_ok_and(|changed| changed <= built)
    })
}

/// A running `echo_server`.
#[derive(Debug)]
pub(crate) struct EchoServer {
    child: Child,
    // Held open: a server whose stdout is closed loses its summary.
    stdout: BufReader<ChildStdout>,
    /// The first line it printed.
    pub(crate) greeting: serde_json::Value,
    /// Its first TCP address.
    pub(crate) address: SocketAddr,
}

impl EchoServer {
    /// Starts `echo_server --json --listen 127.0.0.1:0` with `arguments` added.
    #[track_caller]
    pub(crate) fn start<S: AsRef<OsStr>>(arguments: &[S]) -> EchoServer {
        EchoServer::start_under(Command::new(example("echo_server")), arguments)
    }

    /// The same through a launcher: `command` already names the program.
    #[track_caller]
    pub(crate) fn start_under<S: AsRef<OsStr>>(
        mut command: Command,
        arguments: &[S],
    ) -> EchoServer {
        command
            .args(["--json", "--listen", "127.0.0.1:0"])
            .args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let mut line = String::new();
        stdout
            .read_line(&mut line)
            .expect("the server's first line");
        let greeting: serde_json::Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("first line {line:?}: {error}"));
        let address = greeting["listening"][0]
            .as_str()
            .and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        EchoServer {
            child,
            stdout,
            greeting,
            address,
        }
    }

    /// The server's process; under a launcher that execs, also the server's.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// User and system time used so far, in clock ticks (hundredths of a second).
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the server lives");
        // The name in parentheses may hold spaces: count from behind it.
        let fields: Vec<&str> = stat[stat.rfind(')').expect("a name") + 2..]
            .split(' ')
            .collect();
        let field = |number: usize| fields[number - 3].parse::<u64>().expect("a number");
        field(14) + field(15)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: i32) {
        send(self.child.id().into(), signal);
    }

    /// The next event it prints.
    #[track_caller]
    pub(crate) fn event(&mut self) -> serde_json::Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line of stdout");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("event {line:?}: {error}"))
    }

    /// Waits for its end: how, and what else it printed, line by line.
    pub(crate) fn wait(mut self) -> (ExitStatus, Vec<serde_json::Value>) {
        let mut rest = String::new();
        self.stdout
            .read_to_string(&mut rest)
            .expect("the server's last lines");
        let status = self.child.wait().expect("the server ends");
        let lines = rest
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect();
        (status, lines)
    }

    /// The same where the process we started is a tracer: the server said
    /// itself who it is.
    pub(crate) fn stop_traced(self) -> (ExitStatus, Vec<serde_json::Value>) {
        send(self.greeting["pid"].as_i64().expect("a pid"), libc::SIGTERM);
        self.wait()
    }

    /// SIGTERM, then [`wait`](EchoServer::wait): the summary is the last line.
    pub(crate) fn stop(self) -> (ExitStatus, Vec<serde_json::Value>) {
        self.signal(libc::SIGTERM);
        self.wait()
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Under a tracer the server is another process, and outlives it.
        let pid = self.greeting["pid"]
            .as_i64()
            .and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid {
            // SAFETY: two numbers; our child lives, so what it traces does too,
            // unless it is just ending, when the signal finds nobody.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a child, or a child's child, that lives.
pub(crate) fn send(pid: i64, signal: i32) {
    let pid = pid.try_into().expect("a pid");
    // SAFETY: `kill` takes two numbers. That the pid is still the one meant is
    // the caller's to see to; nothing in this process depends on it.
    let sent = unsafe { libc::kill(pid, signal) };
    assert_eq!(sent, 0, "kill {pid}: {}", std::io::Error::last_os_error());
}

/// A stream of whatever family.
pub(crate) trait Duplex: Read + std::io::Write {}

impl<T: Read + std::io::Write> Duplex for T {}
