//! A server out of descriptors stays quiet, serves whom it has, and goes on when one is back.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use support::child::{EchoServer, example};
use support::for_each_backend;

const LIMIT: usize = 64;
const CLIENTS: usize = 200;
/// Far more than a healthy machine needs for what is awaited below.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the starved server is watched.
const WATCHED: Duration = Duration::from_secs(3);

struct Client {
    stream: TcpStream,
    served: bool,
}

/// Sees who got the echo of the byte each client sent at the start.
fn newly_served(clients: &mut [Client]) -> usize {
    let mut count = 0;
    for client in clients.iter_mut().filter(|client| !client.served) {
        let mut byte = [0];
        match client.stream.read(&mut byte) {
            Ok(1) => {
                client.served = true;
                count += 1;
            }
            Ok(_) => panic!("a waiting client was turned away"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
    }
    count
}

/// Looks again and again, for this long at most.
fn until(limit: Duration, mut done: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "not within {limit:?}");
        thread::yield_now();
    }
    start.elapsed()
}

fn round_trip(stream: &mut TcpStream) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"still there?").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"still there?");
    stream.set_nonblocking(true).unwrap();
}

// The one test whose requirement is a time: processor time while starved, and
// how soon the server accepts again.
#[test]
fn a_starved_server_uses_no_processor_and_accepts_again_within_a_second() {
    for_each_backend(|backend| {
        let mut limited = Command::new("prlimit");
        limited
            .arg(format!("--nofile={LIMIT}:{LIMIT}"))
            .arg(example("echo_server"));
        let server = EchoServer::start_under(limited, &["--driver", backend.option()]);

        let mut clients: Vec<Client> = (0..CLIENTS)
            .map(|_| {
                let mut stream = TcpStream::connect_timeout(&server.address, PATIENCE)
                    .expect("the backlog has room");
                stream.write_all(b"x").unwrap();
                stream.set_nonblocking(true).unwrap();
                Client {
                    stream,
                    served: false,
                }
            })
            .collect();
        let mut served = 0;
        until(PATIENCE, || {
            served += newly_served(&mut clients);
            served >= LIMIT / 2
        });
        // It has what it can have; the rest waits in the backlog.
        let start = Instant::now();
        let before = server.cpu_ticks();
        thread::sleep(WATCHED);
        let used = server.cpu_ticks() - before;
        let watched = start.elapsed();
        served += newly_served(&mut clients);
        assert!(
            served < LIMIT,
            "{served} connections within a limit of {LIMIT} descriptors"
        );
        // A tick is 10 ms of processor time.
        let percent = used as f64 * 1_000.0 / watched.as_millis() as f64;
        eprintln!(
            "{}: {served} served, {percent:.1} % of a core while starved",
            backend.name()
        );
        assert!(percent < 3.0, "{percent} % of a core");

        for client in clients.iter_mut().filter(|client| client.served) {
            round_trip(&mut client.stream);
        }

        // What else runs on this machine may be in the way of one or the other.
        let mut times = Vec::new();
        for _ in 0..5 {
            let leave = 10;
            let mut left = 0;
            clients.retain(|client| {
                let leaves = client.served && left < leave;
                left += usize::from(leaves);
                !leaves
            });
            let mut next = 0;
            let resumed = until(PATIENCE, || {
                next += newly_served(&mut clients);
                next > 0
            });
            eprintln!("{}: accepts again after {resumed:?}", backend.name());
            until(PATIENCE, || {
                next += newly_served(&mut clients);
                next >= leave
            });
            times.push(resumed);
            if resumed < Duration::from_secs(1) {
                break;
            }
        }
        assert!(times.last() < Some(&Duration::from_secs(1)), "{times:?}");

        drop(clients);
        let (status, events) = server.stop();
        assert!(status.success(), "{status}");
        let summary = events.last().expect("a summary");
        let errors = summary["errors"].as_object().expect("errors by kind");
        assert!(
            errors
                .keys()
                .any(|kind| kind.contains("Too many open files")),
            "{summary}"
        );
    });
}
