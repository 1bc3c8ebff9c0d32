//! HTTPS: certificates are checked, connections kept, and nothing leaves TLS unasked.

#[path = "support/fetch_ca.rs"]
mod fetch_ca;
#[path = "support/fetch_run.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod fetch_run;
#[path = "support/fetch_server.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod fetch_server;

use std::fs;

use fetch_ca::Authority;
use fetch_run::{Directory, Run, drivers, fetch, run};
use fetch_server::{Server, Then, answer};

#[test]
fn a_server_is_trusted_through_the_named_ca_only() {
    let (directory, ours, other) = (
        Directory::new(),
        Authority::new("ours"),
        Authority::new("another"),
    );
    let (our_file, other_file) = (
        directory.path().join("ca.pem"),
        directory.path().join("other.pem"),
    );
    fs::write(&our_file, ours.pem()).unwrap();
    fs::write(&other_file, other.pem()).unwrap();
    let (our_file, other_file) = (our_file.to_str().unwrap(), other_file.to_str().unwrap());
    for driver in drivers() {
        let server = Server::start_tls(ours.server(&["localhost", "127.0.0.1"]), |_, wire| {
            answer(wire, "", b"secret")
        });
        let urls: Vec<String> = (0..5)
            .map(|_| server.named_url("/"))
            .chain([server.url("/")])
            .collect();
        let trusted = run(
            driver,
            &[
                &[
                    "--concurrency=1".to_owned(),
                    "--cacert".into(),
                    our_file.into(),
                ],
                &urls[..],
            ]
            .concat(),
        );
        assert_eq!(trusted.code, Some(0), "{driver}: {}", trusted.stderr);
        // The name and the address are two origins; each keeps its connection.
        assert_eq!(server.connections(), 2, "{driver}");
        assert!(
            trusted.result(0)["tls"].is_f64() && trusted.result(4)["tls"].is_null(),
            "{}",
            trusted.report
        );

        let strange = run(
            driver,
            &[
                "--retries=0",
                "--cacert",
                other_file,
                &server.named_url("/"),
            ],
        );
        assert_eq!(
            (strange.code, strange.kind(0)),
            (Some(1), "tls"),
            "{driver}: {}",
            strange.report
        );
        assert!(
            strange.message(0).contains("--cacert"),
            "{}",
            strange.message(0)
        );

        let elsewhere = Server::start_tls(ours.server(&["elsewhere.test"]), |_, wire| {
            answer(wire, "", b"secret")
        });
        let misnamed = run(
            driver,
            &[
                "--retries=0",
                "--cacert",
                our_file,
                &elsewhere.named_url("/"),
            ],
        );
        assert_eq!(misnamed.kind(0), "tls", "{driver}: {}", misnamed.report);
    }
}

#[test]
fn without_a_named_ca_the_systems_roots_decide() {
    let (directory, authority) = (Directory::new(), Authority::new("the system's"));
    let file = directory.path().join("ca.pem");
    fs::write(&file, authority.pem()).unwrap();
    for driver in drivers() {
        let server = Server::start_tls(authority.server(&["localhost"]), |_, wire| {
            answer(wire, "", b"secret")
        });
        let url = server.named_url("/");
        let unknown = run(driver, &["--retries=0", &url]);
        assert_eq!(
            (unknown.kind(0), server.requests()),
            ("tls", 0),
            "{driver}: {}",
            unknown.report
        );
        // The variable by which OpenSSL, and the verifier used here, find the system's roots.
        let output = fetch(driver)
            .env("SSL_CERT_FILE", &file)
            .args(["--json", &url])
            .output()
            .unwrap();
        let known = Run::new(&output);
        assert_eq!(known.code, Some(0), "{driver}: {}", known.stderr);
    }
}

#[test]
fn a_redirect_from_https_to_http_needs_permission() {
    let (directory, authority) = (Directory::new(), Authority::new("ours"));
    let file = directory.path().join("ca.pem");
    fs::write(&file, authority.pem()).unwrap();
    let file = file.to_str().unwrap();
    for driver in drivers() {
        let plain = Server::start(|_, wire| answer(wire, "", b"in the open"));
        let target = plain.url("/");
        let server = Server::start_tls(authority.server(&["127.0.0.1"]), move |_, wire| {
            wire.write_all(
                format!("HTTP/1.1 301 Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n")
                    .as_bytes(),
            )?;
            Ok(Then::Keep)
        });
        let refused = run(driver, &["--cacert", file, &server.url("/")]);
        assert_eq!(
            (refused.code, refused.kind(0), plain.requests()),
            (Some(1), "redirect", 0),
            "{driver}: {}",
            refused.report
        );
        let allowed = run(
            driver,
            &["--cacert", file, "--allow-downgrade", &server.url("/")],
        );
        assert_eq!(
            (allowed.code, plain.requests()),
            (Some(0), 1),
            "{driver}: {}",
            allowed.report
        );
    }
}

#[test]
fn http_behind_an_https_url_and_a_cut_session_are_told_apart() {
    let (directory, authority) = (Directory::new(), Authority::new("ours"));
    let file = directory.path().join("ca.pem");
    fs::write(&file, authority.pem()).unwrap();
    let file = file.to_str().unwrap();
    for driver in drivers() {
        let plain = Server::start(|_, wire| {
            wire.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
            Ok(Then::Stall)
        });
        let wrong = run(
            driver,
            &["--cacert", file, &plain.url("/").replace("http:", "https:")],
        );
        assert_eq!(
            (wrong.kind(0), plain.connections()),
            ("tls", 1),
            "{driver}: {}",
            wrong.report
        );
        assert!(
            wrong.message(0).contains("speak http"),
            "{}",
            wrong.message(0)
        );

        // No length and no close_notify: a man in the middle could have cut it here.
        let server = Server::start_tls(authority.server(&["127.0.0.1"]), |_, wire| {
            wire.write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf of it")?;
            Ok(Then::Cut)
        });
        let cut = run(driver, &["--retries=0", "--cacert", file, &server.url("/")]);
        assert_eq!(
            (cut.code, cut.kind(0)),
            (Some(1), "closed"),
            "{driver}: {}",
            cut.report
        );
    }
}
