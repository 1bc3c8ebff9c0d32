//! What a user sees: exit codes, what goes to stdout and stderr, files, Ctrl-C.

#[path = "support/fetch_run.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod fetch_run;
#[path = "support/fetch_server.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod fetch_server;

use std::{
    fs::{self, File},
    io::Write,
    net::SocketAddr,
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
};

use fetch_run::{Directory, Run, drivers, fetch, run};
use fetch_server::{Server, Then, answer};
use socket2::{Domain, Socket, Type};

fn hello() -> Server {
    Server::start(|request, wire| answer(wire, "", format!("hello {}", request.path).as_bytes()))
}

/// Bound but not listening: connects are refused, and nobody else gets the port meanwhile.
fn deaf_socket() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    socket
}

#[test]
fn wrong_arguments_end_with_two_and_one_clear_line() {
    let directory = Directory::new();
    let list = directory.path().join("list");
    fs::write(&list, "# a comment\nhttp://h/\n\nexample.org\n").unwrap();
    fs::write(directory.path().join("empty.pem"), "").unwrap();
    let (list, pem) = (list.to_str().unwrap(), directory.path().join("empty.pem"));
    // (arguments, part of stderr)
    for (arguments, part) in [
        (&[][..], "no URL to fetch"),
        (&["example.org"], "try https://example.org"),
        (&["ftp://h/"], "ftp is not supported"),
        (
            &["--input", "/does/not/exist"],
            "cannot read --input /does/not/exist",
        ),
        (
            &["--input", "/dev/zero"],
            "more than 16777216 bytes: fetch it in parts",
        ),
        (&["--input", list], "line 4: \"example.org\" has no scheme"),
        (
            &["--cacert", pem.to_str().unwrap(), "https://h/"],
            "no certificate in it",
        ),
        (&["--output", list, "http://h/"], "cannot create --output"),
        (&["--concurrency", "0", "http://h/"], "--concurrency"),
        (
            &["--concurrency", "18446744073709551615", "http://h/"],
            "from 1 to 65535",
        ),
        (&["--workers", "65536", "http://h/"], "from 1 to 65535"),
        (&["--timeout", "soon", "http://h/"], "try 30, 2.5s or 500ms"),
        (&["--max-size", "big", "http://h/"], "try 500k, 10M or 2G"),
        (&["--header", "nonsense", "http://h/"], "Name: value"),
        (
            &["--header", "Content-Length: 4", "http://h/"],
            "fetch sets this one itself",
        ),
        (&["--driver", "kqueue", "http://h/"], "--driver"),
        (&["--no-such-option"], "--no-such-option"),
    ] {
        let output = fetch("auto").args(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_table_goes_to_stdout_and_a_pipe_gets_no_bars() {
    let server = hello();
    for driver in drivers() {
        let output = fetch(driver)
            .args([server.url("/a"), server.named_url("/b")])
            .output()
            .unwrap();
        let (stdout, stderr) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert_eq!(
            (output.status.code(), stderr.as_str()),
            (Some(0), ""),
            "{driver}"
        );
        let lines: Vec<&str> = stdout.lines().collect();
        for column in [
            "URL", "STATUS", "BYTES", "DNS", "CONNECT", "FIRST", "TOTAL", "RETRIES", "ERROR",
        ] {
            assert!(lines[0].contains(column), "{stdout}");
        }
        assert!(
            lines[1].starts_with(&server.url("/a")) && lines[1].contains(" 200 "),
            "{stdout}"
        );
        assert!(
            lines[4].starts_with("2 fetched, 0 failed: 16 bytes in "),
            "{stdout}"
        );
        assert!(!stdout.contains('\x1b'), "{stdout:?}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    let server = hello();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = fetch("auto")
        .arg(server.url("/"))
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write the report"), "{stderr}");
}

#[test]
fn what_nobody_reads_of_the_progress_fails_no_url() {
    for driver in drivers() {
        let calls = AtomicUsize::new(0);
        let server = Server::start(move |_, wire| match calls.fetch_add(1, SeqCst) {
            0 => {
                wire.write_all(b"HTTP/1.1 503 No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")?;
                Ok(Then::Keep)
            }
            _ => answer(wire, "", b"at last"),
        });
        let (reader, nobody) = std::io::pipe().unwrap();
        drop(reader);
        let mut fetch = fetch(driver);
        let output = fetch.arg("--json").arg(server.url("/")).stderr(nobody);
        let run = Run::new(&output.output().unwrap());
        assert_eq!((run.code, run.kind(0)), (Some(0), ""), "{}", run.report);
        assert_eq!(run.result(0)["retries"], 1);
    }
}

#[test]
fn the_json_is_one_document_with_a_schema() {
    let server = hello();
    for driver in drivers() {
        let run = run(driver, &[server.named_url("/a")]);
        assert_eq!(run.report["schema"], "wakeline-fetch/1");
        assert_eq!(
            (
                run.report["fetched"].as_u64(),
                run.report["failed"].as_u64()
            ),
            (Some(1), Some(0))
        );
        let result = run.result(0);
        for time in ["dns", "connect", "first_byte", "total"] {
            assert!(
                result[time].as_f64().is_some_and(|seconds| seconds >= 0.0),
                "{time}: {result}"
            );
        }
        assert_eq!(
            (
                result["status"].as_u64(),
                result["bytes"].as_u64(),
                result["wire_bytes"].as_u64()
            ),
            (Some(200), Some(8), Some(8))
        );
        assert!(result["error"].is_null() && run.report["sequential"].is_null());
        let name = if driver == "uring" {
            "io_uring"
        } else {
            "epoll"
        };
        assert!(
            run.report["backend"].as_str().unwrap().starts_with(name),
            "{}",
            run.report["backend"]
        );
    }
}

#[test]
fn a_refused_connection_and_an_unknown_name_are_failures_of_their_own() {
    let socket = deaf_socket();
    let closed = socket.local_addr().unwrap().as_socket().unwrap();
    let server = hello();
    for driver in drivers() {
        let run = run(
            driver,
            &[
                "--retries=1".into(),
                format!("http://{closed}/"),
                "http://no-such-host.invalid/".into(),
                server.url("/"),
            ],
        );
        assert_eq!(
            (run.code, run.kind(0), run.kind(1), run.kind(2)),
            (Some(1), "connect", "dns", ""),
            "{driver}: {}",
            run.report
        );
        assert_eq!(run.result(0)["retries"], 1);
        assert!(
            run.message(0).contains(&closed.to_string())
                && run.message(0).contains("Connection refused"),
            "{}",
            run.message(0)
        );
        assert!(
            run.message(1).contains("no-such-host.invalid"),
            "{}",
            run.message(1)
        );
        assert!(run.stderr.contains("retry 1/1 in"), "{}", run.stderr);
    }
}

#[test]
fn urls_come_from_files_and_from_stdin_in_their_order() {
    let (server, directory) = (hello(), Directory::new());
    let list = directory.path().join("list");
    fs::write(
        &list,
        format!(
            "# three\n\n  {}  \r\n{}\n",
            server.url("/2"),
            server.url("/3")
        ),
    )
    .unwrap();
    for driver in drivers() {
        let run = run(
            driver,
            &[
                server.url("/1"),
                "--input".into(),
                list.to_str().unwrap().into(),
            ],
        );
        let urls: Vec<&str> = (0..3)
            .map(|at| run.result(at)["url"].as_str().unwrap())
            .collect();
        assert_eq!(
            urls,
            ["/1", "/2", "/3"].map(|path| server.url(path)),
            "{driver}"
        );

        let mut child = fetch(driver)
            .args(["--json", "--input", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(server.url("/4").as_bytes())
            .unwrap();
        let run = Run::new(&child.wait_with_output().unwrap());
        assert_eq!(run.result(0)["url"], server.url("/4"));
    }
}

#[test]
fn files_stay_in_their_directory_and_keep_apart() {
    let server = hello();
    for driver in drivers() {
        let directory = Directory::new();
        let inside = directory.path().join("made/for/it");
        let paths = ["/a/b", "/a_b", "/a/b", "/..%2f..%2fevil", "/%2e%2e/x", "/"];
        let mut arguments = vec!["--output".to_owned(), inside.to_str().unwrap().to_owned()];
        arguments.extend(paths.iter().map(|path| server.url(path)));
        // Twice: the second run replaces the files of the first.
        for _ in 0..2 {
            let run = run(driver, &arguments);
            assert_eq!(run.code, Some(0), "{driver}: {}", run.stderr);
            for at in 0..paths.len() {
                let file = fs::canonicalize(run.result(at)["file"].as_str().unwrap()).unwrap();
                assert_eq!(file.parent(), Some(&*fs::canonicalize(&inside).unwrap()));
                let path = url_path(run.result(at)["url"].as_str().unwrap());
                assert_eq!(
                    fs::read_to_string(file).unwrap(),
                    format!("hello {path}"),
                    "{driver}"
                );
            }
            assert_eq!(
                fs::read_dir(&inside).unwrap().count(),
                paths.len(),
                "{driver}"
            );
        }
        assert_eq!(directory.names(), ["made"]);
    }
}

fn url_path(url: &str) -> String {
    url::Url::parse(url).unwrap().path().to_owned()
}

#[test]
fn a_directory_that_cannot_be_written_fails_the_url_and_not_the_program() {
    let server = hello();
    for driver in drivers() {
        let directory = Directory::new();
        // A directory stands where the file should go.
        let name = server
            .url("/taken")
            .replace("http://", "")
            .replace([':', '/'], "_");
        fs::create_dir(directory.path().join(name)).unwrap();
        let run = run(
            driver,
            &[
                "--output".into(),
                directory.path().to_str().unwrap().into(),
                server.url("/taken"),
                server.url("/free"),
            ],
        );
        assert_eq!(
            (run.code, run.kind(0), run.kind(1)),
            (Some(1), "output", ""),
            "{driver}: {}",
            run.report
        );
        assert_eq!(
            directory.names().len(),
            2,
            "the half-written file is gone: {:?}",
            directory.names()
        );
    }
}

#[test]
fn sequential_runs_twice_and_tells_the_ratio() {
    for driver in drivers() {
        let server = hello();
        let arguments: Vec<String> = (0..6)
            .map(|number| server.url(&format!("/{number}")))
            .chain(["--sequential".into()])
            .collect();
        let run = run(driver, &arguments);
        assert_eq!(
            (run.code, server.requests()),
            (Some(0), 12),
            "{driver}: {}",
            run.stderr
        );
        let (slow, fast) = (
            run.report["sequential"]["seconds"].as_f64().unwrap(),
            run.report["seconds"].as_f64().unwrap(),
        );
        assert!(
            (run.report["speed_up"].as_f64().unwrap() - slow / fast).abs() < 1e-6,
            "{}",
            run.report
        );

        let table = fetch(driver).args(&arguments).output().unwrap();
        let table = String::from_utf8(table.stdout).unwrap();
        assert!(
            table.contains("one by one") && table.contains("times as fast"),
            "{table}"
        );
    }
}

#[test]
fn passes_that_failed_are_not_compared() {
    let socket = deaf_socket();
    let closed = socket.local_addr().unwrap().as_socket().unwrap();
    let server = hello();
    for driver in drivers() {
        let arguments = [
            "--sequential".into(),
            "--retries=0".into(),
            server.url("/"),
            format!("http://{closed}/"),
        ];
        let run = run(driver, &arguments);
        assert_eq!(run.report["sequential"]["failed"], 1, "{}", run.report);
        assert_eq!(run.report["failed"], 1, "{}", run.report);
        assert!(run.report["speed_up"].is_null(), "{}", run.report);

        let table = fetch(driver).args(&arguments).output().unwrap();
        let table = String::from_utf8(table.stdout).unwrap();
        assert!(!table.contains("times as fast"), "{table}");
        assert!(
            table.contains("1 failed one by one, 1 with 16 at a time"),
            "{table}"
        );
    }
}

#[test]
fn an_interrupt_cancels_what_is_left_and_prints_what_there_is() {
    for driver in drivers() {
        let (sender, receiver) = mpsc::channel();
        let sender = Mutex::new(sender);
        let server = Server::start(move |request, wire| {
            if request.path == "/fast" {
                return answer(wire, "", b"done");
            }
            wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhalf")?;
            sender.lock().unwrap().send(()).expect("the test is there");
            Ok(Then::Stall)
        });
        let directory = Directory::new();
        let child = fetch(driver)
            .args([
                "--json",
                "--concurrency=1",
                "--output",
                directory.path().to_str().unwrap(),
            ])
            .args(["/fast", "/slow", "/never"].map(|path| server.url(path)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        receiver.recv().expect("the slow one has begun");
        let killed = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
        let run = Run::new(&child.wait_with_output().unwrap());
        assert_eq!(
            (run.code, run.report["interrupted"].as_bool()),
            (Some(130), Some(true)),
            "{driver}: {}",
            run.stderr
        );
        assert_eq!(
            [run.kind(0), run.kind(1), run.kind(2)],
            ["", "cancelled", "cancelled"],
            "{driver}"
        );
        assert_eq!(
            directory.names().len(),
            1,
            "{driver}: {:?}",
            directory.names()
        );
    }
}
