//! The raw echo servers: their floor counts only if they serve as the others do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long an answer may take that comes at once: then the test fails.
const LIMIT: Duration = Duration::from_secs(20);

struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// `None` where this system does not have what it is made of.
    fn start(name: &str) -> Option<Server> {
        let server = Server::start_with(name, &[]);
        if name.contains("uring") && server.try_echo().is_err() {
            return None;
        }
        Some(server)
    }

    fn start_with(name: &str, numbers: &[&str]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_servers"))
            .args([name, "127.0.0.1:0"])
            .args(numbers)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("its first line");
        let address = line.trim().strip_prefix("listening on ");
        let address = address.expect("an address").to_owned();
        Server { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a socket");
        stream
    }

    fn try_echo(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it lives");
    }

    /// It does nothing until SIGCONT.
    fn stop(&self) {
        self.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.child.id());
        while !std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T ")) {
            std::thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn what_comes_together_with_the_end_is_answered_and_the_connection_closed() {
    for name in ["raw-epoll", "raw-uring", "ours-epoll", "ours-uring"] {
        let Some(server) = Server::start(name) else {
            continue;
        };
        for size in [5, 60_000] {
            // New to the server, and one that it knows.
            for known in [false, true] {
                let mut stream = server.connect();
                if known {
                    stream.write_all(b"x").expect("there is room");
                    stream.read_exact(&mut [0]).expect("an answer");
                }
                server.stop();
                let message = vec![b'm'; size];
                stream.write_all(&message).expect("there is room");
                stream.shutdown(Shutdown::Write).expect("it is open");
                server.signal(Signal::CONT);
                let mut all = Vec::new();
                let read = stream.read_to_end(&mut all);
                assert!(read.is_ok(), "{name} {size} {known}: {read:?}");
                assert!(all == message, "{name} {size} {known}");
            }
        }
    }
}

#[test]
fn it_ends_by_itself_at_the_last_message() {
    for name in ["raw-epoll", "raw-uring", "ours-epoll", "ours-uring"] {
        if Server::start(name).is_none() {
            continue;
        }
        let mut server = Server::start_with(name, &["64", "0", "3"]);
        let mut streams = [server.connect(), server.connect()];
        for stream in &mut streams {
            stream.write_all(b"x").expect("there is room");
            stream.read_exact(&mut [0]).expect("an answer");
        }
        streams[0].write_all(b"x").expect("there is room");
        // Its end ends its connections.
        let last = streams[1].read(&mut [0]);
        assert!(!matches!(last, Ok(1..)), "{name}: {last:?}");
        let status = server.child.wait().expect("a child");
        assert!(status.success(), "{name}: {status}");
    }
}

#[test]
fn a_server_whose_address_nobody_reads_serves() {
    let path = std::env::temp_dir().join(format!("wakeline-unread-{}.sock", std::process::id()));
    let (reader, nobody) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut child = Command::new(env!("CARGO_BIN_EXE_servers"))
        .arg("raw-epoll")
        .arg(format!("unix:{}", path.display()))
        .stdout(nobody)
        .spawn()
        .expect("it starts");
    let start = Instant::now();
    let connected = loop {
        match UnixStream::connect(&path) {
            // Its word that it listens goes to nobody, so there is nothing to wait for.
            Err(_) if start.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(1)),
            connected => break connected,
        }
    };
    let echoed = connected.and_then(|mut stream| {
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])
    });
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    let _gone = std::fs::remove_file(&path);
    echoed.expect("it serves");
}
