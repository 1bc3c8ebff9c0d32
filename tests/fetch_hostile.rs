//! A server that lies, stalls, breaks off or floods gets a clear error, and the others go on.

#[path = "support/fetch_run.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod fetch_run;
#[path = "support/fetch_server.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod fetch_server;

use std::io;

use fetch_run::{Directory, Run, drivers, run};
use fetch_server::{Server, Then, Wire, answer};

/// What is wrong, by path.
fn hostile() -> Server {
    Server::start(|request, wire| match request.path.as_str() {
        "/good" => answer(wire, "", b"good"),
        "/long" => send(
            wire,
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
            &[b'x'; 40],
            Then::Close,
        ),
        "/short" => send(
            wire,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            &[b'x'; 40],
            Then::Keep,
        ),
        "/loop" => send(
            wire,
            "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n",
            b"",
            Then::Keep,
        ),
        "/nowhere" => send(
            wire,
            "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
            b"",
            Then::Keep,
        ),
        "/stall-head" => send(wire, "HTTP/1.1 200 OK\r\nX-Begun: ", b"", Then::Stall),
        "/stall-body" => send(
            wire,
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
            &[b'x'; 40],
            Then::Stall,
        ),
        "/chunk" => send(
            wire,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"4\r\ngood\r\nZZ\r\nbad\r\n",
            Then::Stall,
        ),
        "/chunk-long" => send(
            wire,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"2\r\nlonger\r\n0\r\n\r\n",
            Then::Stall,
        ),
        "/chunk-cut" => send(
            wire,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"a\r\nhalf",
            Then::Close,
        ),
        "/chunk-huge" => send(
            wire,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"ffffffffffffffffff\r\n",
            Then::Stall,
        ),
        "/head-endless" => flood(wire, "HTTP/1.1 200 OK\r\n", b"X-More: 0123456789abcdef\r\n"),
        "/head-line" => flood(wire, "HTTP/1.1 200 OK\r\nX-Long: ", &[b'x'; 1024]),
        "/informational" => flood(wire, "", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        "/trailer" => flood(
            wire,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X-More: 0123456789abcdef\r\n",
        ),
        "/body-endless" => flood(wire, "HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 4096]),
        "/body-large" => send(
            wire,
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            b"",
            Then::Stall,
        ),
        "/garbage" => send(wire, "SSH-2.0-OpenSSH_9.2\r\n", b"", Then::Stall),
        "/binary" => send(wire, "", &[0, 159, 146, 150, 13, 10, 13, 10], Then::Stall),
        "/silent" => Ok(Then::Close),
        "/both" => send(
            wire,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
            b"0\r\n\r\n",
            Then::Keep,
        ),
        "/reset" => send(
            wire,
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
            &[b'x'; 40],
            Then::Reset,
        ),
        "/gzip-not" => answer(wire, "Content-Encoding: gzip\r\n", b"this is no gzip"),
        "/coding" => answer(wire, "Content-Encoding: rot13\r\n", b"tbbq"),
        path => panic!("no script for {path}"),
    })
}

fn send(wire: &mut dyn Wire, head: &str, body: &[u8], then: Then) -> io::Result<Then> {
    wire.write_all(&[head.as_bytes(), body].concat())?;
    Ok(then)
}

/// Repeats `part` until the client has had enough: 64 MiB is far over its limits.
fn flood(wire: &mut dyn Wire, head: &str, part: &[u8]) -> io::Result<Then> {
    wire.write_all(head.as_bytes())?;
    let block = part.repeat(64 * 1024 / part.len() + 1);
    for _ in 0..1024 {
        wire.write_all(&block)?;
    }
    Ok(Then::Stall)
}

/// Path, kind, part of the message.
const CASES: &[(&str, &str, &str)] = &[
    ("/long", "closed", "40 of 100 bytes"),
    ("/short", "protocol", "more than its Content-Length of 5"),
    ("/loop", "redirect", "more than 10 redirects"),
    ("/nowhere", "redirect", "leads to file"),
    ("/stall-head", "timeout", "waiting for the response's head"),
    ("/stall-body", "timeout", "reading the body"),
    ("/chunk", "protocol", "a chunk of the body is malformed"),
    (
        "/chunk-long",
        "protocol",
        "a chunk of the body is malformed",
    ),
    ("/chunk-cut", "closed", "before the last chunk"),
    (
        "/chunk-huge",
        "protocol",
        "a chunk of the body is malformed",
    ),
    ("/head-endless", "", ""), // too many headers or too many bytes: see below
    ("/head-line", "too-large", "head is over 64 KiB"),
    ("/informational", "too-large", "head is over 64 KiB"),
    ("/trailer", "too-large", "trailer"),
    ("/body-endless", "too-large", "the limit is 1048576 bytes"),
    ("/body-large", "too-large", "has 99999999999 bytes"),
    ("/garbage", "protocol", "not valid HTTP"),
    ("/binary", "protocol", "not valid HTTP"),
    ("/silent", "closed", "without a response"),
    ("/both", "protocol", "ambiguous"),
    ("/reset", "closed", "the connection broke"),
    ("/gzip-not", "decode", "not valid gzip"),
    ("/coding", "decode", "rot13"),
];

#[test]
fn every_fault_gets_its_error_and_the_good_ones_are_fetched() {
    let server = hostile();
    for (driver, workers) in drivers()
        .into_iter()
        .flat_map(|driver| [(driver, "1"), (driver, "2")])
    {
        let attempt = |limit| {
            let directory = Directory::new();
            // A good URL after each bad one.
            let urls = CASES
                .iter()
                .flat_map(|(path, ..)| [server.url(path), server.url("/good")]);
            let output = directory.path().to_str().expect("a path in UTF-8");
            let options = [
                "--timeout",
                limit,
                "--retries",
                "0",
                "--max-size",
                "1M",
                "--concurrency",
                "8",
                "--output",
                output,
                "--workers",
                workers,
            ];
            let options = options.into_iter().map(String::from);
            let arguments: Vec<String> = options.chain(urls).collect();
            (run(driver, &arguments), directory)
        };
        // On a busy machine the limit may be too short also where nobody stalls.
        let in_time = |run: &Run| {
            CASES.iter().enumerate().all(|(at, (_, kind, _))| {
                (*kind == "timeout" || run.kind(2 * at) != "timeout")
                    && run.kind(2 * at + 1) != "timeout"
            })
        };
        let (run, directory) = ["1500ms", "6s", "20s"]
            .into_iter()
            .map(attempt)
            .find(|(run, _)| in_time(run))
            .expect("all that do not stall within 20 s");
        assert_eq!(run.code, Some(1), "{driver}: {}", run.stderr);
        for (at, (path, kind, part)) in CASES.iter().enumerate() {
            let (found, message) = (run.kind(2 * at), run.message(2 * at));
            if *path == "/head-endless" {
                // Whichever limit is met first, 128 headers or 64 KiB.
                assert!(
                    matches!(found, "protocol" | "too-large"),
                    "{driver} {path}: {found} {message}"
                );
            } else {
                assert_eq!(found, *kind, "{driver} {path}: {message}");
            }
            assert!(message.contains(part), "{driver} {path}: {message}");
            assert_eq!(
                run.kind(2 * at + 1),
                "",
                "{driver} after {path}: {}",
                run.message(2 * at + 1)
            );
        }
        // Nothing of the failed ones is left in the directory, not even hidden.
        assert!(
            directory
                .names()
                .iter()
                .all(|name| name.ends_with("good") || name.contains("good-")),
            "{:?}",
            directory.names()
        );
        assert_eq!(directory.names().len(), CASES.len());
    }
}

#[test]
fn a_bomb_ends_at_the_limit_whatever_its_coding() {
    // 32 MiB of zeros in a few dozen KiB, once for all connections.
    let bombs: Vec<(&str, Vec<u8>)> = ["gzip", "br", "zstd"]
        .map(|coding| (coding, bomb(coding)))
        .into();
    let server = Server::start(move |request, wire| {
        let (coding, bytes) = bombs
            .iter()
            .find(|(coding, _)| request.path.ends_with(coding))
            .expect("a known coding");
        answer(wire, &format!("Content-Encoding: {coding}\r\n"), bytes)
    });
    for driver in drivers() {
        let urls = ["/gzip", "/br", "/zstd"].map(|path| server.url(path));
        let run = run(
            driver,
            &[&["--max-size".into(), "8M".into()], &urls[..]].concat(),
        );
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        for at in 0..3 {
            assert_eq!(run.kind(at), "too-large", "{driver}: {}", run.message(at));
            assert!(
                run.message(at).contains("more than 8388608 bytes"),
                "{driver}: {}",
                run.message(at)
            );
        }
    }
}

/// A stream of zeros that the coding makes small: one member or frame after the other.
fn bomb(coding: &str) -> Vec<u8> {
    use async_compression::futures::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    let zeros = vec![0; 32 << 20];
    let mut encoder: Pin<Box<dyn futures_io::AsyncRead>> = match coding {
        "gzip" => Box::pin(GzipEncoder::new(&zeros[..])),
        "br" => Box::pin(BrotliEncoder::with_quality(
            &zeros[..],
            async_compression::Level::Fastest,
        )),
        _ => Box::pin(ZstdEncoder::new(&zeros[..])),
    };
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    // A slice is always ready, so there is nobody to wake.
    while let Poll::Ready(read) = encoder
        .as_mut()
        .poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer)
    {
        match read.expect("compressing zeros") {
            0 => break,
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
    assert!(bytes.len() < 1 << 20, "{} bytes are no bomb", bytes.len());
    bytes
}
