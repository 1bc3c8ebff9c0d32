//! `--servers`: instructions of the echo servers of `servers`, for each message
//! of 64 bytes on 50 connections.
//!
//! A server runs under callgrind until it has read so many messages, and ends by
//! itself. It is stopped while the messages of a turn are written, one on each
//! connection, and goes on when all are there: so every server has the same to
//! do in every run, and meets it as a busy one would. Being stopped interrupts
//! its wait, which is one more system call in 50 messages, for all alike.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use wakeline_benches::child::beside;
use wakeline_benches::{note, print};

use crate::callgrind;

const CONNECTIONS: usize = 50;
const SIZE: usize = 64;
/// Turns that a run has before the counted ones: memory that grows has grown.
const BEFORE: u64 = 20;
const TURNS: u64 = 100;
/// Nothing takes as long, under valgrind neither.
const LIMIT: Duration = Duration::from_secs(60);

/// Prints a table of the servers whose names have one of `parts`.
pub(crate) fn count(parts: &[String]) -> Result<(), String> {
    let found = Command::new("valgrind").arg("--version").output();
    found.map_err(|error| format!("valgrind cannot be started: {error}; is it installed?"))?;
    let output = Command::new(beside("servers")?).arg("--list").output();
    let output = output.map_err(|error| format!("servers --list: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    // Of one thread, which sleeps when it has nothing to do.
    let names = text.lines().filter(|name| {
        !name.ends_with("-2")
            && !name.ends_with("-spin")
            && (parts.is_empty() || parts.iter().any(|part| name.contains(part.as_str())))
    });
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return Err("no server of one thread is called like that; see servers --list".to_owned());
    }
    if !text.lines().any(|name| name == "tokio-ct") {
        note("skipped: the peers' servers were not built; `--features peers` does it");
    }
    print("| server | instructions per message |\n|---|---:|\n")?;
    for name in names {
        match per_message(name) {
            Ok(figure) => print(&format!("| {name} | {figure:.0} |\n"))?,
            Err(error) => print(&format!("| {name} | not to be had: {error} |\n"))?,
        }
    }
    Ok(())
}

fn per_message(name: &str) -> Result<f64, String> {
    let (few, more) = (run(name, BEFORE)?, run(name, BEFORE + TURNS)?);
    let all = more.checked_sub(few).ok_or("less work with more to do")?;
    Ok(all as f64 / (TURNS * CONNECTIONS as u64) as f64)
}

/// Instructions of a whole run of so many turns.
fn run(name: &str, turns: u64) -> Result<u64, String> {
    let messages = turns * CONNECTIONS as u64;
    let buffer = 16 << 10;
    let mut server = Server::start(
        name,
        &[
            "127.0.0.1:0",
            &format!("{buffer}"),
            "0",
            &format!("{messages}"),
        ],
    )?;
    let drive = server.drive(turns);
    if drive.is_err() {
        // What it says is more than that its connection broke.
        let _ = server.child.kill();
    }
    let mut said = String::new();
    let stderr = server.child.stderr.take().ok_or("it was piped")?;
    let read = BufReader::new(stderr).read_to_string(&mut said);
    read.map_err(|error| error.to_string())?;
    match (callgrind::collected(&said), drive) {
        (Some(sum), Ok(())) => Ok(sum),
        (_, Err(error)) => Err(format!("{error}{}", complaint(&said))),
        (None, Ok(())) => Err(format!("callgrind gave no sum{}", complaint(&said))),
    }
}

/// The last line of what is not callgrind's own.
fn complaint(said: &str) -> String {
    let own = said
        .lines()
        .rfind(|line| !line.is_empty() && !line.starts_with("=="));
    own.map_or(String::new(), |line| format!("; it says: {line}"))
}

struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    fn start(name: &str, arguments: &[&str]) -> Result<Server, String> {
        let mut child = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(beside("servers")?)
            .arg(name)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("valgrind: {error}"))?;
        let stdout = child.stdout.take().ok_or("it was piped")?;
        let stdout = BufReader::new(stdout);
        Ok(Server { child, stdout })
    }

    /// Has all messages answered but those of the last turn, in which it ends.
    fn drive(&mut self, turns: u64) -> Result<(), String> {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line);
        read.map_err(|error| error.to_string())?;
        let address = line.trim().strip_prefix("listening on ");
        let address = address.ok_or("it did not start")?;
        let connect = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LIMIT))?;
            Ok(stream)
        };
        let connected: std::io::Result<Vec<_>> = (0..CONNECTIONS).map(|_| connect()).collect();
        let mut streams = connected.map_err(|error| format!("connect: {error}"))?;
        for turn in 1..=turns {
            self.signal(Signal::STOP)?;
            self.until_stopped()?;
            let asked = streams.iter_mut().try_for_each(|s| s.write_all(&[7; SIZE]));
            self.signal(Signal::CONT)?;
            asked.map_err(|error| format!("turn {turn}: {error}"))?;
            if turn == turns {
                break;
            }
            for stream in &mut streams {
                let mut answer = [0; SIZE];
                let came = stream.read_exact(&mut answer);
                came.map_err(|error| format!("turn {turn}: {error}"))?;
                if answer != [7; SIZE] {
                    return Err(format!("turn {turn}: a wrong answer"));
                }
            }
        }
        match streams[0].read_to_end(&mut Vec::new()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err("it does not end".into()),
            _ => Ok(()),
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), String> {
        kill_process(Pid::from_child(&self.child), signal).map_err(|error| error.to_string())
    }

    fn until_stopped(&self) -> Result<(), String> {
        let stat = format!("/proc/{}/stat", self.child.id());
        loop {
            let now = std::fs::read_to_string(&stat).map_err(|error| error.to_string())?;
            match now.rsplit(')').next().map(str::trim_start) {
                Some(state) if state.starts_with(['T', 't']) => return Ok(()),
                Some(state) if state.starts_with(['Z', 'X']) => return Err("it has ended".into()),
                _ => std::thread::sleep(Duration::from_micros(100)),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // if it has not ended
        let _ = self.child.wait();
    }
}
