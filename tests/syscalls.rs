//! What an echoed message costs in system calls, counted by strace.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use support::child::{EchoServer, example, send};
use support::{Backend, for_each_backend};

const MESSAGE: [u8; 64] = [7; 64];

/// Where strace writes to.
fn log_file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("wakeline-strace-{name}-{}", std::process::id()))
}

/// Whether a line of strace is a call, counted where it begins.
fn is_call(line: &&str) -> bool {
    !line.contains(" resumed>") && !line.contains("+++") && !line.contains("---")
}

fn strace_is_here() -> bool {
    let here = Command::new("strace").arg("--version").output().is_ok();
    if !here {
        eprintln!("skipped: there is no strace here");
    }
    here
}

/// One run of the server under strace.
struct Trace {
    /// From the second round of messages to the last answer.
    calls: usize,
    /// Receives that the kernel answered with "nothing there".
    futile: Vec<String>,
}

/// Echoes `rounds` messages on each of so many connections, all written before
/// any is read back.
fn traced(backend: Backend, connections: usize, rounds: usize) -> Trace {
    let log = log_file(&format!("{}-{connections}-{rounds}", backend.name()));
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-yy", "-o"])
        .arg(&log)
        .arg(example("echo_server"));
    let server = EchoServer::start_under(strace, &["--driver", backend.option(), "--workers", "1"]);

    let connect = |_| TcpStream::connect(server.address).expect("the server listens");
    let mut streams: Vec<TcpStream> = (0..connections).map(connect).collect();
    let pid = server.greeting["pid"].as_i64().expect("a pid");
    for _ in 0..rounds {
        // They are company only if none is answered before all are written: so the
        // server stands still meanwhile. Its wait is interrupted by that.
        if connections > 1 {
            send(pid, libc::SIGSTOP);
        }
        for stream in &mut streams {
            stream.write_all(&MESSAGE).unwrap();
        }
        if connections > 1 {
            send(pid, libc::SIGCONT);
        }
        for stream in &mut streams {
            let mut answer = [0; MESSAGE.len()];
            stream.read_exact(&mut answer).unwrap();
        }
    }
    drop(streams);
    server.stop_traced();

    let text = fs::read_to_string(&log).expect("strace wrote its log");
    fs::remove_file(&log).expect("the log is ours");
    let receives = |line: &&str| {
        let calls = ["recvfrom(", "recvmsg(", "recv(", "read(", "readv("];
        line.contains("<TCP") && calls.iter().any(|call| line.contains(call))
    };
    let sends = |line: &&str| line.contains("<TCP") && line.contains("send");
    let calls: Vec<&str> = text.lines().filter(is_call).collect();
    let futile = |line: &&&str| receives(line) && line.contains("EAGAIN");
    // The second round begins when the first has come back, so every connection
    // is set up by then; its messages are nothing but messages to the end.
    let begin = calls
        .iter()
        .enumerate()
        .filter(|(_, line)| receives(line))
        .nth(connections);
    let end = calls.iter().rposition(sends);
    let (Some((begin, _)), Some(end)) = (begin, end) else {
        panic!("no messages in {} calls", calls.len())
    };
    Trace {
        calls: end + 1 - begin,
        futile: calls
            .iter()
            .filter(futile)
            .map(|s| (*s).to_owned())
            .collect(),
    }
}

/// Calls per message, from the second round to the last answer.
fn per_message(backend: Backend, connections: usize, rounds: usize) -> f64 {
    let trace = traced(backend, connections, rounds);
    let (count, first) = (trace.futile.len(), trace.futile.first());
    assert_eq!(count, 0, "reads into EAGAIN, the first of them {first:?}");
    trace.calls as f64 / ((rounds - 1) * connections) as f64
}

/// What strace sees of two tasks of one worker that wake each other.
fn traced_wakes(backend: Backend, rounds: usize) -> (usize, usize) {
    let log = log_file(&format!("wakes-{}-{rounds}", backend.name()));
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-y", "-o"])
        .arg(&log)
        .arg(example("ping_pong"));
    strace.args([backend.option(), &rounds.to_string()]);
    assert!(strace.status().expect("strace starts").success());
    let text = fs::read_to_string(&log).expect("strace wrote its log");
    fs::remove_file(&log).expect("the log is ours");
    let rings = text
        .lines()
        .filter(|line| line.contains("write(") && line.contains("eventfd"));
    (text.lines().filter(is_call).count(), rings.count())
}

#[test]
fn a_local_wake_takes_no_call_and_never_touches_the_eventfd() {
    if !strace_is_here() {
        return;
    }
    for_each_backend(|backend| {
        const MANY: usize = 61_000;
        let ((few, _), (many, rings)) = (traced_wakes(backend, 10), traced_wakes(backend, MANY));
        assert_eq!(rings, 0, "a local wake wrote to the eventfd");
        // Each round is two polls, and after 61 of them the driver is looked at,
        // which under io_uring is a look at memory.
        let looks = if backend.name() == "epoll" {
            2 * MANY / 61
        } else {
            0
        };
        let more = many.saturating_sub(few);
        eprintln!(
            "{}: {more} calls more for {} wakes",
            backend.name(),
            2 * MANY
        );
        assert!(
            more <= looks + looks / 10 + 10,
            "{more} calls more, {looks} expected"
        );
    });
}

#[test]
fn an_echo_takes_three_calls_alone_and_two_in_company() {
    if !strace_is_here() {
        return;
    }
    for_each_backend(|backend| {
        let alone = per_message(backend, 1, 1_000);
        let company = per_message(backend, 50, 100);
        eprintln!(
            "{}: {alone:.2} calls a message on 1 connection, {company:.2} on 50",
            backend.name()
        );
        // Wait, receive, send.
        assert!(alone <= 3.0, "{alone}");
        // One wait for many, and the one that was interrupted.
        assert!(company <= 2.1, "{company}");
    });
}
