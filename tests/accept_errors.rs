//! Errors that the kernel gives to `accept` end no server and lose no client.
//!
//! strace makes the system call fail, so the server cannot tell that from the
//! real thing.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use support::child::{EchoServer, example};
use support::for_each_backend;

const CLIENTS: usize = 40;

#[test]
fn every_client_is_served_whatever_accept_says() {
    if Command::new("strace").arg("--version").output().is_err() {
        eprintln!("skipped: there is no strace here");
        return;
    }
    for_each_backend(|backend| {
        // (what the call returns, at which calls)
        for (errno, when) in [
            ("ECONNABORTED", "1+2"),
            ("EPROTO", "2+2"),
            ("ENETDOWN", "1+3"),
            ("EPERM", "2+3"),
            ("EINTR", "1+2"),
            ("EMFILE", "2..4"),
            ("ENFILE", "1..2"),
            ("ENOBUFS", "3..4"),
            ("ENOMEM", "1..1"),
        ] {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=accept4", "-e"]);
            strace.arg(format!("inject=accept4:error={errno}:when={when}"));
            strace.arg(example("echo_server"));
            let server = EchoServer::start_under(strace, &["--driver", backend.option()]);
            let mut clients: Vec<TcpStream> = (0..CLIENTS)
                .map(|_| TcpStream::connect(server.address).expect("it listens"))
                .collect();
            for client in &mut clients {
                client.write_all(b"ping").unwrap();
            }
            for client in &mut clients {
                let mut answer = [0; 4];
                client.read_exact(&mut answer).unwrap();
                assert_eq!(&answer, b"ping", "{errno}");
            }
            drop(clients);
            let (status, events) = server.stop_traced();
            assert!(status.success(), "{errno}: {status}");
            assert_eq!(
                events.last().expect("a summary")["connections"],
                CLIENTS,
                "{errno}"
            );
        }
    });
}
