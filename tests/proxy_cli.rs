//! The proxy as its user sees it: bytes both ways, ends handed on, an upstream
//! that is not there, a stop with grace, idle connections, clear errors.

mod support;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use support::child::{example, send};
use support::{Backend, Chance, for_each_backend};

struct Proxy {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Where it listens.
    address: String,
}

impl Proxy {
    fn start(backend: Backend, listen: &str, upstream: &str, more: &[&str]) -> Proxy {
        let mut child = Command::new(example("proxy"))
            .args(["--driver", backend.option(), "--listen", listen])
            .args(["--upstream", upstream])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the proxy starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("its first line");
        let address = line
            .strip_prefix("listening on ")
            .and_then(|line| line.split(',').next())
            .unwrap_or_else(|| panic!("first line: {line}"))
            .to_owned();
        Proxy {
            child,
            stdout,
            address,
        }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("it listens")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn interrupt(&self) {
        send(self.child.id().into(), libc::SIGINT);
    }

    /// How it ends, and its last line.
    fn end(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text");
        let status = self.child.wait().expect("it ends");
        (status, rest.lines().last().unwrap_or_default().to_owned())
    }

    /// Stops it, and looks for these words in its last line.
    fn stop(self, words: &[&str]) {
        self.interrupt();
        let (status, stats) = self.end();
        assert!(status.success(), "{status}: {stats}");
        for word in words {
            assert!(stats.contains(word), "no {word:?} in {stats:?}");
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A path that nothing is at.
fn path(name: &str) -> PathBuf {
    let name = format!("wakeline-proxy-{name}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_file(&path);
    path
}

fn megabyte(part: u64) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 20];
    Chance::new().fork(part).fill(&mut bytes);
    bytes
}

/// Sends all of it from a thread of its own, then ends this side.
fn sending(mut stream: TcpStream, bytes: Vec<u8>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        stream.write_all(&bytes).expect("the other side reads");
        stream.shutdown(Shutdown::Write).expect("it is connected");
    })
}

fn all(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("an end");
    bytes
}

#[test]
fn a_megabyte_goes_each_way_at_the_same_time() {
    for_each_backend(|backend| {
        let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
        let name = upstream.local_addr().expect("its name").to_string();
        let proxy = Proxy::start(backend, "127.0.0.1:0", &name, &[]);
        let client = proxy.connect();
        let (server, _) = upstream.accept().expect("the proxy connects");
        let handles = [
            sending(client.try_clone().expect("a duplicate"), megabyte(1)),
            sending(server.try_clone().expect("a duplicate"), megabyte(2)),
        ];
        let reading = thread::spawn(move || all(server));
        assert!(all(client) == megabyte(2));
        assert!(reading.join().expect("no panic") == megabyte(1));
        for handle in handles {
            handle.join().expect("no panic");
        }
        proxy.stop(&[
            "connections=1 finished=1 failed=0 cut_off=0",
            "to_upstream=1048576 to_client=1048576",
        ]);
    });
}

/// The client ends its side first; the answer comes after that.
#[test]
fn half_a_connection_stays_half_a_connection() {
    for_each_backend(|backend| {
        let path = path("half");
        let upstream = UnixListener::bind(&path).expect("a path");
        let name = format!("unix:{}", path.display());
        let listen = format!("unix:@wakeline-proxy-{}", std::process::id());
        let proxy = Proxy::start(backend, &listen, &name, &[]);
        let mut client = {
            use std::os::linux::net::SocketAddrExt;
            let name = proxy.address.strip_prefix("unix:@").expect("its name");
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name);
            UnixStream::connect_addr(&address.expect("a name")).expect("it listens")
        };
        let (mut server, _) = upstream.accept().expect("the proxy connects");
        client.write_all(b"question").expect("room");
        client.shutdown(Shutdown::Write).expect("it is connected");
        assert_eq!(all(&server), b"question");
        server.write_all(b"answer").expect("room");
        drop(server);
        assert_eq!(all(client), b"answer");
        proxy.stop(&["finished=1", "to_upstream=8 to_client=6"]);
        let _ = std::fs::remove_file(&path);
    });
}

#[test]
fn an_upstream_that_is_down_is_a_close_for_the_client_and_no_more() {
    for_each_backend(|backend| {
        let path = path("down");
        let name = format!("unix:{}", path.display());
        let proxy = Proxy::start(backend, "127.0.0.1:0", &name, &[]);
        let mut client = proxy.connect();
        match client.read(&mut [0; 8]) {
            Ok(n) => assert_eq!(n, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        let upstream = UnixListener::bind(&path).expect("a path");
        let client = proxy.connect();
        let (mut server, _) = upstream.accept().expect("the proxy goes on");
        server.write_all(b"here").expect("room");
        drop(server);
        assert_eq!(all(&client), b"here");
        drop(client);
        proxy.stop(&["connections=2 finished=1 failed=1", "upstream_failed=1"]);
        let _ = std::fs::remove_file(&path);
    });
}

#[test]
fn ctrl_c_takes_nobody_new_and_lets_the_open_ones_finish() {
    for_each_backend(|backend| {
        let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
        let name = upstream.local_addr().expect("its name").to_string();
        let more = ["--grace", "300"];
        let mut proxy = Proxy::start(backend, "127.0.0.1:0", &name, &more);
        let mut client = proxy.connect();
        let (mut server, _) = upstream.accept().expect("the proxy connects");
        proxy.interrupt();
        assert_eq!(proxy.line(), "stopping on SIGINT");
        client.write_all(b"still").expect("it is handed on");
        client.shutdown(Shutdown::Write).expect("it is connected");
        assert_eq!(all(&server), b"still");
        server.write_all(b"there").expect("it is handed on");
        drop(server);
        assert_eq!(all(client), b"there");
        let (status, stats) = proxy.end();
        assert!(status.success(), "{status}");
        assert!(stats.contains("finished=1 failed=0 cut_off=0"), "{stats}");
    });
}

#[test]
fn after_the_grace_the_rest_is_cut_off() {
    for_each_backend(|backend| {
        let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
        let name = upstream.local_addr().expect("its name").to_string();
        let proxy = Proxy::start(backend, "127.0.0.1:0", &name, &["--grace", "0"]);
        let mut client = proxy.connect();
        let (mut server, _) = upstream.accept().expect("the proxy connects");
        client.write_all(b"x").expect("room");
        server.read_exact(&mut [0]).expect("it is handed on");
        proxy.stop(&["finished=0 failed=0 cut_off=1", "to_upstream=1"]);
    });
}

/// Both ends say nothing, and learn that it is over: else the test hangs.
#[test]
fn a_connection_on_which_nothing_moves_is_closed() {
    for_each_backend(|backend| {
        let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
        let name = upstream.local_addr().expect("its name").to_string();
        let more = ["--idle-timeout", "0.05"];
        let proxy = Proxy::start(backend, "127.0.0.1:0", &name, &more);
        let client = proxy.connect();
        let (server, _) = upstream.accept().expect("the proxy connects");
        assert_eq!(all(client), b"");
        assert_eq!(all(server), b"");
        proxy.stop(&["idle=1"]);
    });
}

#[test]
fn a_connection_on_which_something_moves_is_not_closed() {
    for_each_backend(|backend| {
        let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
        let name = upstream.local_addr().expect("its name").to_string();
        // On a busy machine a byte may be too late.
        let in_time = [0.4, 4.0, 40.0].iter().find_map(|seconds: &f64| {
            let idle = seconds.to_string();
            let proxy = Proxy::start(backend, "127.0.0.1:0", &name, &["--idle-timeout", &idle]);
            let client = proxy.connect();
            let (server, _) = upstream.accept().expect("the proxy connects");
            let (start, idle) = (Instant::now(), Duration::from_secs_f64(*seconds));
            // One way for longer than that, then the other way.
            for (half, mut from, mut to) in [(1, &client, &server), (2, &server, &client)] {
                while start.elapsed() < idle * 5 / 2 * half {
                    from.write_all(b"x").ok()?;
                    to.read_exact(&mut [0]).ok()?;
                    thread::sleep(idle / 10);
                }
            }
            Some(proxy)
        });
        let proxy = in_time.expect("it stays open while there are bytes");
        proxy.stop(&["idle=0"]);
    });
}

#[test]
fn an_upstream_that_does_not_answer_is_given_up() {
    for_each_backend(|backend| {
        // One fits into its queue, and it takes nobody out.
        let upstream = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        upstream.bind(&any.into()).expect("a port");
        upstream.listen(0).expect("it is bound");
        let name = upstream.local_addr().expect("its name");
        let name = name.as_socket().expect("of IPv4");
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&name, Duration::from_millis(100)) {
            queued.push(stream);
        }
        let limit = Duration::from_millis(300);
        let more = ["--connect-timeout", "0.3"];
        let proxy = Proxy::start(backend, "127.0.0.1:0", &name.to_string(), &more);
        let start = Instant::now();
        let client = proxy.connect();
        assert_eq!(all(client), b"");
        assert!(start.elapsed() >= limit, "{:?}", start.elapsed());
        proxy.stop(&["upstream_failed=1"]);
    });
}

#[test]
fn what_is_wrong_is_one_line_that_says_what_to_try() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let busy = taken.local_addr().expect("its name").to_string();
    let other = path("no-socket");
    std::fs::write(&other, "a file").expect("room");
    let file = format!("unix:{}", other.display());
    // (arguments, exit code, words)
    for (arguments, code, words) in [
        (&["--upstream", "nonsense"][..], 2, "try 127.0.0.1:8080"),
        (&["--upstream", "[::1]:70000"], 2, "not a port"),
        (&[], 2, "--upstream"),
        (
            &["--upstream", "a:1", "--connect-timeout", "0"],
            2,
            "more than 0",
        ),
        (
            &["--upstream", "a:1", "--listen", &busy],
            1,
            "another socket has this address",
        ),
        (
            &["--upstream", "a:1", "--workers", "0"],
            2,
            "a whole number from 1",
        ),
        (
            &["--upstream", "a:1", "--workers", "65536"],
            2,
            "from 1 to 65535",
        ),
        (
            &["--upstream", "a:1", "--listen", &file],
            1,
            "another program listens there, or something else",
        ),
        (
            &["--upstream", "a:1", "--listen", "unix:/no/such/dir/x"],
            1,
            "/no/such/dir/x",
        ),
        (&["--help"], 0, ""),
    ] {
        let output = Command::new(example("proxy"))
            .args(arguments)
            .output()
            .expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
        if code == 1 {
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
        }
    }
    std::fs::remove_file(other).expect("it is left alone");
}
