//! Keep-alive, retries, redirects, codings: what `fetch` does with servers that mean well.

#[path = "support/fetch_run.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod fetch_run;
#[path = "support/fetch_server.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod fetch_server;

use std::{
    fs, io,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use fetch_run::{Directory, drivers, run};
use fetch_server::{Request, Server, Then, Wire, answer};

/// `options`, then `count` different URLs of `server`.
fn arguments(options: &[&str], server: &Server, count: usize) -> Vec<String> {
    let urls = (0..count).map(|number| server.url(&format!("/{number}")));
    options
        .iter()
        .map(|&option| option.to_owned())
        .chain(urls)
        .collect()
}

#[test]
fn one_connection_carries_many_requests() {
    for driver in drivers() {
        let server = Server::start(|_, wire| answer(wire, "", b"hello"));
        let run = run(driver, &arguments(&["--concurrency", "1"], &server, 20));
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(
            (server.connections(), server.requests()),
            (1, 20),
            "{driver}"
        );
        assert_eq!(run.result(0)["reused"], false);
        assert_eq!(run.result(19)["reused"], true);
        assert!(
            run.result(0)["connect"].is_f64() && run.result(19)["connect"].is_null(),
            "{}",
            run.report
        );
    }
}

#[test]
fn a_connection_is_closed_when_either_version_or_header_says_so() {
    for driver in drivers() {
        for head in ["HTTP/1.1 200 OK\r\nConnection: close", "HTTP/1.0 200 OK"] {
            let server = Server::start(move |_, wire| {
                wire.write_all(format!("{head}\r\nContent-Length: 2\r\n\r\nok").as_bytes())?;
                Ok(Then::Stall) // the client closes, not the server
            });
            let run = run(driver, &arguments(&["--concurrency", "1"], &server, 3));
            assert_eq!(
                (run.code, server.connections()),
                (Some(0), 3),
                "{driver}: {}",
                run.stderr
            );
        }
    }
}

#[test]
fn a_failed_or_timed_out_request_takes_its_connection_with_it() {
    for driver in drivers() {
        let attempt = |limit| {
            let server = Server::start(|request, wire| match request.path.as_str() {
                "/0" => {
                    wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")?;
                    Ok(Then::Stall)
                }
                "/1" => answer(wire, "Content-Encoding: gzip\r\n", b"not gzip"),
                _ => answer(wire, "", b"fine"),
            });
            let options = ["--concurrency", "1", "--retries", "0", "--timeout", limit];
            let run = run(driver, &arguments(&options, &server, 4));
            (run, server)
        };
        // On a busy machine the limit may be too short for those that are answered.
        let (run, server) = ["500ms", "5s", "20s"]
            .into_iter()
            .map(attempt)
            .find(|(run, _)| (1..4).all(|at| run.kind(at) != "timeout"))
            .expect("answered within 20 s");
        assert_eq!(
            [run.kind(0), run.kind(1), run.kind(2), run.kind(3)],
            ["timeout", "decode", "", ""],
            "{driver}"
        );
        // One for /0, one for /1, and one that /2 and /3 share.
        assert_eq!(server.connections(), 3, "{driver}");
    }
}

#[test]
fn an_idle_connection_that_the_server_closed_costs_no_retry() {
    for driver in drivers() {
        // Closes on the second request, having promised to keep the connection.
        let server = Server::start(|request, wire| match request.earlier {
            0 => answer(wire, "", b"first"),
            _ => Ok(Then::Close),
        });
        let run = run(
            driver,
            &arguments(&["--concurrency", "1", "--retries", "0"], &server, 3),
        );
        assert_eq!(run.code, Some(0), "{driver}: {}", run.stderr);
        assert_eq!(
            (server.connections(), server.requests()),
            (3, 5),
            "{driver}"
        );
        assert_eq!(run.result(2)["retries"], 0);
    }
}

#[test]
fn so_many_run_at_once_and_no_more() {
    for driver in drivers() {
        // Nobody is answered before three are there: with fewer at once this would never end.
        let (barrier, most, now) = (
            Barrier::new(3),
            Arc::new(AtomicUsize::new(0)),
            AtomicUsize::new(0),
        );
        let seen = Arc::clone(&most);
        let server = Server::start(move |_, wire| {
            seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            barrier.wait();
            now.fetch_sub(1, Ordering::SeqCst);
            answer(wire, "", b"hello")
        });
        let run = run(driver, &arguments(&["--concurrency", "3"], &server, 12));
        assert_eq!(
            (run.code, most.load(Ordering::SeqCst)),
            (Some(0), 3),
            "{driver}: {}",
            run.stderr
        );
    }
}

#[test]
fn overload_is_tried_again_and_a_missing_page_is_not() {
    for driver in drivers() {
        let calls = AtomicUsize::new(0);
        let server = Server::start(move |request, wire| {
            let status = match request.path.as_str() {
                "/busy" if calls.fetch_add(1, Ordering::SeqCst) < 2 => {
                    "503 Service Unavailable\r\nRetry-After: 0"
                }
                "/busy" => return answer(wire, "", b"at last"),
                "/later" => "429 Too Many Requests\r\nRetry-After: 86400",
                "/down" => "500 Internal Server Error",
                _ => "404 Not Found",
            };
            wire.write_all(
                format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nsorry").as_bytes(),
            )?;
            Ok(Then::Keep)
        });
        let urls = ["/busy", "/later", "/missing", "/down"].map(|path| server.url(path));
        let run = run(
            driver,
            &[&["--concurrency=1".into(), "--retries=2".into()], &urls[..]].concat(),
        );
        assert_eq!(run.code, Some(1));
        let seen = |at: usize| {
            (
                run.result(at)["status"].as_u64(),
                run.result(at)["retries"].as_u64(),
                run.kind(at),
            )
        };
        assert_eq!(seen(0), (Some(200), Some(2), ""), "{driver}");
        assert_eq!(seen(1), (Some(429), Some(0), "status"), "{driver}");
        assert!(
            run.message(1).contains("asks to wait 86400 s"),
            "{}",
            run.message(1)
        );
        assert_eq!(seen(2), (Some(404), Some(0), "status"), "{driver}");
        assert_eq!(seen(3), (Some(500), Some(2), "status"), "{driver}");
        // 3 + 1 + 1 + 3, and an error page does not cost the connection.
        assert_eq!(
            (server.requests(), server.connections()),
            (8, 1),
            "{driver}"
        );
    }
}

/// What of a request is secret, or not; "-" for what it does not have.
fn headers(request: &Request) -> [String; 4] {
    ["authorization", "x-key", "accept-language", "user-agent"]
        .map(|name| request.header(name).unwrap_or("-").to_owned())
}

fn redirect(wire: &mut dyn Wire, location: &str) -> io::Result<Then> {
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    wire.write_all(head.as_bytes())?;
    Ok(Then::Keep)
}

#[test]
fn redirects_are_followed_and_secrets_stay_with_their_origin() {
    for driver in drivers() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let other = Server::start(move |request, wire| {
            log.lock().unwrap().push(headers(request));
            answer(wire, "", b"there")
        });
        let (away, log) = (other.url("/away"), Arc::clone(&seen));
        let server = Server::start(move |request, wire| {
            log.lock().unwrap().push(headers(request));
            let location = match request.path.as_str() {
                "/a/start?x=1" => "../b/next",
                "/b/next" => &away,
                path => panic!("unexpected {path}"),
            };
            redirect(wire, location)
        });
        let start = server.url("/a/start?x=1");
        let options = [
            "--header",
            "Authorization: Bearer secret",
            "--header",
            "X-Key: secret",
            "--header",
            "Accept-Language: eo",
            "--user-agent",
            "me",
            &start,
        ];
        let run = run(driver, &options);
        assert_eq!(
            (run.code, run.result(0)["redirects"].as_u64()),
            (Some(0), Some(2)),
            "{}",
            run.stderr
        );
        let ours = ["Bearer secret", "secret", "eo", "me"].map(str::to_owned);
        let theirs = ["-", "-", "eo", "me"].map(str::to_owned);
        assert_eq!(
            *seen.lock().unwrap(),
            [ours.clone(), ours, theirs],
            "{driver}"
        );
        // The redirect's connection was kept for the next request.
        assert_eq!(server.connections(), 1, "{driver}");
    }
}

#[test]
fn the_password_in_a_url_is_for_its_origin_and_gives_way_to_a_header() {
    for driver in drivers() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let other = Server::start(move |request, wire| {
            let [authorization, ..] = headers(request);
            log.lock().unwrap().push(authorization);
            answer(wire, "", b"there")
        });
        let (away, log) = (other.url("/away"), Arc::clone(&seen));
        let server = Server::start(move |request, wire| {
            let [authorization, ..] = headers(request);
            log.lock().unwrap().push(authorization);
            let host = request.header("host").expect("a host");
            let location = match request.path.as_str() {
                "/start" => "/relative",
                "/relative" => &format!("http://{host}/absolute"),
                "/absolute" => &away,
                path => panic!("unexpected {path}"),
            };
            redirect(wire, location)
        });
        let start = server.url("/start").replace("//", "//user:a=b%40c@");
        for (options, ours) in [
            (&[][..], "Basic dXNlcjphPWJAYw=="),
            (&["--header", "Authorization: Bearer x"], "Bearer x"),
        ] {
            let run = run(driver, &[options, &[&start]].concat());
            assert_eq!(run.code, Some(0), "{}", run.stderr);
            assert_eq!(
                seen.lock().unwrap().split_off(0),
                [ours, ours, ours, "-"],
                "{driver}"
            );
        }
    }
}

#[test]
fn the_request_goes_out_in_one_piece_with_what_was_asked_for() {
    for driver in drivers() {
        let head = Arc::new(Mutex::new(String::new()));
        let log = Arc::clone(&head);
        let server = Server::start(move |request, wire| {
            log.lock().unwrap().clone_from(&request.head);
            answer(wire, "", b"")
        });
        let url = server
            .url("/a%20b?q=1#fragment")
            .replace("http://", "http://user:a=b%40c@");
        let run = run(driver, &[url]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let head = head.lock().unwrap();
        assert!(head.starts_with("GET /a%20b?q=1 HTTP/1.1\r\n"), "{head}");
        assert!(
            head.contains("accept-encoding: gzip, br, zstd\r\n"),
            "{head}"
        );
        // "user:a=b@c": what the server compares has no escapes.
        assert!(
            head.contains("\r\nauthorization: Basic dXNlcjphPWJAYw==\r\n"),
            "{head}"
        );
        // The report may be shared: it does not show the password.
        assert!(!run.report.to_string().contains("40c"), "{}", run.report);
    }
}

#[test]
fn every_coding_and_framing_gives_the_same_bytes() {
    let plain: Vec<u8> = (0..700_000_u32)
        .flat_map(|number| (number / 7).to_le_bytes())
        .collect();
    let body = plain.clone();
    let server = Server::start(move |request, wire| {
        let (framing, coding) = request.path[1..].split_once('-').expect("framing-coding");
        let bytes = encode(coding, &body);
        let coding = if coding == "plain" {
            String::new()
        } else {
            format!("Content-Encoding: {coding}\r\n")
        };
        match framing {
            "length" => answer(wire, &coding, &bytes),
            "close" => {
                wire.write_all(format!("HTTP/1.1 200 OK\r\n{coding}\r\n").as_bytes())?;
                wire.write_all(&bytes)?;
                Ok(Then::Close)
            }
            _ => {
                wire.write_all(
                    format!("HTTP/1.1 200 OK\r\n{coding}Transfer-Encoding: chunked\r\n\r\n")
                        .as_bytes(),
                )?;
                // Sizes that straddle every buffer of the client.
                for (number, chunk) in bytes.chunks(65_521).enumerate() {
                    let extension = if number % 2 == 0 { "" } else { ";ext=1" };
                    wire.write_all(
                        &[
                            format!("{:X}{extension}\r\n", chunk.len()).as_bytes(),
                            chunk,
                            b"\r\n",
                        ]
                        .concat(),
                    )?;
                }
                wire.write_all(b"0\r\nTrailer: yes\r\n\r\n")?;
                Ok(Then::Keep)
            }
        }
    });
    let paths: Vec<String> = ["length", "chunked", "close"]
        .iter()
        .flat_map(|framing| {
            ["plain", "gzip", "br", "zstd"].map(|coding| format!("/{framing}-{coding}"))
        })
        .collect();
    for driver in drivers() {
        let directory = Directory::new();
        let mut arguments = vec![
            "--output".to_owned(),
            directory.path().to_str().unwrap().to_owned(),
            "--concurrency=3".into(),
        ];
        arguments.extend(paths.iter().map(|path| server.url(path)));
        let run = run(driver, &arguments);
        assert_eq!(run.code, Some(0), "{driver}: {}", run.stderr);
        for (at, path) in paths.iter().enumerate() {
            let file = run.result(at)["file"].as_str().expect("a file");
            assert!(
                fs::read(file).unwrap() == plain,
                "{driver} {path}: the bytes differ"
            );
        }
    }
}

/// `plain`, coded as two members or frames, which both formats allow, or as it is.
fn encode(coding: &str, plain: &[u8]) -> Vec<u8> {
    use async_compression::futures::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    if coding == "plain" {
        return plain.to_vec();
    }
    let parts = if coding == "br" {
        vec![plain]
    } else {
        plain.chunks(plain.len().div_ceil(2)).collect()
    };
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    for part in parts {
        let mut encoder: Pin<Box<dyn futures_io::AsyncRead + '_>> = match coding {
            "gzip" => Box::pin(GzipEncoder::new(part)),
            "br" => Box::pin(BrotliEncoder::with_quality(
                part,
                async_compression::Level::Fastest,
            )),
            _ => Box::pin(ZstdEncoder::new(part)),
        };
        // A slice is always ready, so there is nobody to wake.
        while let Poll::Ready(read) = encoder
            .as_mut()
            .poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer)
        {
            match read.expect("compressing") {
                0 => break,
                read => bytes.extend_from_slice(&buffer[..read]),
            }
        }
    }
    bytes
}
