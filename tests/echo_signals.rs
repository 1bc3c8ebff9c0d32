//! Ctrl-C and SIGTERM drain the echo server and sum up; a second one stops it at once.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::child::EchoServer;
use support::for_each_backend;

fn echo(stream: &mut TcpStream, text: &[u8]) {
    stream.write_all(text).unwrap();
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, text);
}

#[test]
fn without_connections_it_ends_at_once_with_a_summary() {
    for_each_backend(|backend| {
        for (signal, name) in [(libc::SIGINT, "SIGINT"), (libc::SIGTERM, "SIGTERM")] {
            let server = EchoServer::start(&["--driver", backend.option()]);
            assert_eq!(server.greeting["backend"], backend.name());
            let mut client = TcpStream::connect(server.address).unwrap();
            echo(&mut client, b"hello");
            drop(client);
            server.signal(signal);
            let (status, events) = server.wait();
            assert_eq!(status.code(), Some(0));
            let summary = events.last().expect("a summary");
            assert_eq!(summary["event"], "summary");
            assert_eq!(summary["signal"], name);
            assert_eq!(
                (&summary["connections"], &summary["bytes"]),
                (&1.into(), &5.into())
            );
            assert_eq!(summary["errors"], serde_json::json!({}));
        }
    });
}

#[test]
fn an_open_connection_is_served_to_its_end_after_the_signal() {
    for_each_backend(|backend| {
        let mut server = EchoServer::start(&["--driver", backend.option(), "--grace", "3600"]);
        let mut client = TcpStream::connect(server.address).unwrap();
        echo(&mut client, b"before");
        server.signal(libc::SIGTERM);
        let stopping = server.event();
        assert_eq!(
            (&stopping["event"], &stopping["open"]),
            (&"stopping".into(), &1.into())
        );
        echo(&mut client, b"after");
        // The listener is closed right after that line, so soon nobody gets in.
        while TcpStream::connect(server.address).is_ok() {
            std::thread::yield_now();
        }
        echo(&mut client, b"still after");
        drop(client);
        let (status, events) = server.wait();
        assert_eq!(status.code(), Some(0));
        let summary = events.last().expect("a summary");
        assert_eq!(summary["aborted"], 0);
    });
}

#[test]
fn a_second_signal_stops_at_once_whoever_is_connected() {
    for_each_backend(|backend| {
        let mut server = EchoServer::start(&["--driver", backend.option(), "--grace", "3600"]);
        let mut client = TcpStream::connect(server.address).unwrap();
        echo(&mut client, b"hello");
        server.signal(libc::SIGINT);
        assert_eq!(server.event()["event"], "stopping");
        server.signal(libc::SIGINT);
        let (status, events) = server.wait();
        assert_eq!(status.code(), Some(130));
        assert_eq!(events.last().expect("a summary")["event"], "summary");
    });
}

#[test]
fn those_still_open_after_the_grace_are_cut_off_and_counted() {
    for_each_backend(|backend| {
        let server = EchoServer::start(&["--driver", backend.option(), "--grace", "0.05"]);
        let mut client = TcpStream::connect(server.address).unwrap();
        echo(&mut client, b"hello");
        server.signal(libc::SIGTERM);
        let (status, events) = server.wait();
        assert_eq!(status.code(), Some(0));
        assert_eq!(events.last().expect("a summary")["aborted"], 1);
        // Cut off is closed, not left hanging.
        let mut rest = Vec::new();
        assert!(matches!(client.read_to_end(&mut rest), Ok(0) | Err(_)));
    });
}

#[test]
fn only_an_idle_connection_is_closed_after_its_time() {
    for_each_backend(|backend| {
        let (server, mut client) = [0.4, 4.0, 40.0]
            .iter()
            .find_map(|seconds: &f64| {
                let (driver, idle) = (backend.option(), seconds.to_string());
                let server = EchoServer::start(&["--driver", driver, "--idle-timeout", &idle]);
                let mut client = TcpStream::connect(server.address).unwrap();
                // Each byte begins it anew. On a busy machine one may be too late.
                let (start, idle) = (Instant::now(), Duration::from_secs_f64(*seconds));
                while start.elapsed() < idle * 5 / 2 {
                    client.write_all(b"x").ok()?;
                    client.read_exact(&mut [0]).ok()?;
                    std::thread::sleep(idle / 10);
                }
                Some((server, client))
            })
            .expect("it stays open while there are bytes");
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        let (status, events) = server.stop();
        assert_eq!(status.code(), Some(0));
        assert_eq!(
            events.last().expect("a summary")["errors"],
            serde_json::json!({"timed out": 1})
        );
    });
}

#[test]
fn a_cap_on_connections_leaves_the_next_one_waiting() {
    for_each_backend(|backend| {
        let server = EchoServer::start(&["--driver", backend.option(), "--max-connections", "1"]);
        let mut first = TcpStream::connect(server.address).unwrap();
        echo(&mut first, b"first");
        let mut second = TcpStream::connect(server.address).unwrap();
        second.write_all(b"second").unwrap();
        echo(&mut first, b"first again");
        drop(first);
        let mut answer = [0; 6];
        second.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"second");
        drop(second);
        let (_, events) = server.stop();
        assert_eq!(events.last().expect("a summary")["peak"], 1);
    });
}
