//! What the echo servers say when they cannot do what they are asked to.

mod support;

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::child::{EchoServer, example, send};

/// How long a program may take that ends by itself; one that serves is killed then.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the server to its end: exit code, stdout, stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    run_example("echo_server", arguments)
}

fn run_example(name: &str, arguments: &[&str]) -> (i32, String, String) {
    run_limited(name, arguments).expect("it ends by itself")
}

/// `None` if it does not end, and is killed.
fn run_limited(name: &str, arguments: &[&str]) -> Option<(i32, String, String)> {
    let mut child = Command::new(example(name))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let limit = Instant::now() + LIMIT;
    while child.try_wait().expect("it is our child").is_none() {
        if Instant::now() > limit {
            child.kill().expect("it is our child");
            child.wait().expect("it is killed");
            return None;
        }
        std::thread::sleep(Duration::from_millis(5)); // std's `wait` has no limit
    }
    let output = child.wait_with_output().expect("it has ended");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it prints UTF-8");
    let code = output.status.code().expect("it was not killed");
    Some((code, text(&output.stdout), text(&output.stderr)))
}

fn socket_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("wakeline-{name}-{}.sock", std::process::id()))
}

#[test]
fn wrong_usage_is_exit_code_2_and_nothing_on_stdout() {
    for arguments in [
        &["--listen", "nonsense"][..],
        &["--listen", "300.0.0.1:80"],
        &["--workers", "0"],
        &["--workers", "65536"], // more than a runtime can have
        &["--driver", "kqueue"],
        &["--no-such-option"],
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty());
    }
}

#[test]
fn a_failure_is_exit_code_1_and_one_line_that_says_what_to_try() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = listener.local_addr().unwrap().to_string();
    // (address, words in the line)
    for (address, words) in [
        (
            busy.as_str(),
            ["another program listens there", "--listen 127.0.0.1:0"],
        ),
        (
            "203.0.113.7:7777",
            [
                "no interface of this machine has that address",
                "try 127.0.0.1",
            ],
        ),
        (
            "unix:/no/such/directory/echo.sock",
            ["unix:/no/such/directory/echo.sock", "unix:/tmp/echo.sock"],
        ),
    ] {
        let (code, stdout, stderr) = run(&["--listen", address]);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "{word:?} is not in {stderr}");
        }
    }
}

#[test]
fn the_one_of_the_readme_has_no_arguments_and_tells_of_a_busy_port() {
    let (code, stdout, stderr) = run_example("hello_echo", &["--listen"]);
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.starts_with("usage: hello_echo"), "{stderr}");
    let (code, stdout, stderr) = loop {
        let busy = TcpListener::bind("127.0.0.1:7777");
        if let Some(ended) = run_limited("hello_echo", &[]) {
            break ended;
        }
        // Somebody else had the port, and has left it.
        assert!(busy.is_err(), "it listens where this test does");
    };
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("hello_echo: "), "{stderr}");
    assert!(stderr.contains("127.0.0.1:7777"), "{stderr}");
}

#[test]
fn a_reader_that_closes_its_end_does_not_end_the_server() {
    let path = socket_path("closed-stdout");
    let mut server = Command::new(example("echo_server"))
        .arg("--listen")
        .arg(format!("unix:{}", path.display()))
        .args(["--stats", "0.01"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    drop(server.stdout.take());
    // It listens before it prints: from the first connection on it has met the closed pipe.
    let stream = loop {
        match UnixStream::connect(&path) {
            Ok(stream) => break stream,
            Err(_) => std::thread::yield_now(),
        }
        assert!(
            server.try_wait().expect("it is our child").is_none(),
            "it ended"
        );
    };
    drop(stream);
    send(server.id().into(), libc::SIGTERM);
    assert_eq!(server.wait().expect("it ends").code(), Some(0));
    let mut stderr = String::new();
    server
        .stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut stderr)
        .unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(!path.exists(), "the socket's path is left behind");
}

#[test]
fn it_listens_on_several_addresses_of_both_families() {
    let path = socket_path("several");
    let unix = format!("unix:{}", path.display());
    let server = EchoServer::start(&["--listen", "[::1]:0", "--listen", unix.as_str()]);
    let names = server.greeting["listening"].as_array().expect("a list");
    assert_eq!(names.len(), 3);
    let tcp6: std::net::SocketAddr = names[1]
        .as_str()
        .expect("a name")
        .parse()
        .expect("an address");
    let streams: [Box<dyn support::child::Duplex>; 3] = [
        Box::new(std::net::TcpStream::connect(server.address).unwrap()),
        Box::new(std::net::TcpStream::connect(tcp6).unwrap()),
        Box::new(UnixStream::connect(&path).unwrap()),
    ];
    for mut stream in streams {
        stream.write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
    }
    let (status, events) = server.stop();
    assert!(status.success());
    assert_eq!(events.last().expect("a summary")["connections"], 3);
}
