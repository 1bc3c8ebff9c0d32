//! 200 URLs from servers not written here: Python's `http.server`, and nginx where it is installed.
//!
//! Over http and https, one by one and concurrently (`--sequential` does both), on each driver; every
//! file is compared byte for byte with what the server was given to serve. A server that is not
//! installed is skipped, with a line that says so.

#[path = "support/fetch_ca.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod fetch_ca;
#[path = "support/fetch_run.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod fetch_run;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
};

use fetch_ca::Authority;
use fetch_run::{Directory, drivers, run};

const FILES: usize = 200;

/// A server process, ended when dropped.
struct Process {
    child: Child,
    url: String,
    /// Held, so that what the server writes meets no closed pipe.
    _output: Box<dyn Read>,
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What is served, and the certificates to serve it with.
struct Site {
    directory: Directory,
}

impl Site {
    fn new() -> Site {
        let directory = Directory::new();
        let files = directory.path().join("files");
        fs::create_dir(&files).unwrap();
        for number in 0..FILES {
            fs::write(files.join(format!("{number}.txt")), content(number)).unwrap();
        }
        let authority = Authority::new("the test's CA");
        let (certificate, key) = authority.issue(&["127.0.0.1"]);
        fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        fs::write(directory.path().join("cert.pem"), certificate.pem()).unwrap();
        fs::write(directory.path().join("key.pem"), key.serialize_pem()).unwrap();
        Site { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// From nothing to 300 KB, each different, half of it easy to compress.
fn content(number: usize) -> Vec<u8> {
    let length = number * number * 15 / 2;
    let mut state = number as u64 + 1;
    (0..length)
        .map(|at| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if at / 1000 % 2 == 0 {
                b'a' + (number % 26) as u8
            } else {
                (state >> 56) as u8
            }
        })
        .collect()
}

/// Fetches the whole site from `server` on each driver, and compares.
fn check(site: &Site, server: &Process, keeps: bool) {
    for driver in drivers() {
        let output = Directory::new();
        let ca = site.path().join("ca.pem");
        let mut arguments = [
            "--sequential",
            "--concurrency=16",
            "--cacert",
            ca.to_str().unwrap(),
            "--output",
            output.path().to_str().unwrap(),
        ]
        .map(String::from)
        .to_vec();
        arguments.extend((0..FILES).map(|number| format!("{}/{number}.txt", server.url)));
        let run = run(driver, &arguments);
        assert_eq!(run.code, Some(0), "{driver} {}: {}", server.url, run.stderr);
        assert_eq!(run.report["sequential"]["fetched"], FILES);
        for number in 0..FILES {
            let result = run.result(number);
            let saved = fs::read(result["file"].as_str().unwrap()).unwrap();
            assert!(
                saved == content(number),
                "{driver} {}: the bytes differ: {result}",
                server.url
            );
        }
        let reused = (0..FILES)
            .filter(|&number| run.result(number)["reused"] == true)
            .count();
        assert_eq!(
            reused > FILES / 2,
            keeps,
            "{driver} {}: {reused} connections were reused",
            server.url
        );
        println!(
            "{} on {driver}: one by one {:.3} s, concurrently {:.3} s, {reused} reused",
            server.url,
            run.report["sequential"]["seconds"].as_f64().unwrap(),
            run.report["seconds"].as_f64().unwrap()
        );
    }
}

const PYTHON: &str = r#"
import functools, http.server, ssl, sys
directory, protocol, tls = sys.argv[1:4]
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = protocol
    disable_nagle_algorithm = True
    def log_message(self, *args): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
server = Server(("127.0.0.1", 0), functools.partial(Handler, directory=directory + "/files"))
if tls == "tls":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory + "/cert.pem", directory + "/key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// `None` if there is no Python.
fn python(site: &Site, protocol: &str, scheme: &str) -> Option<Process> {
    let tls = if scheme == "https" { "tls" } else { "plain" };
    let mut child = Command::new("python3")
        .args(["-c", PYTHON])
        .arg(site.path())
        .args([protocol, tls])
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut output: BufReader<ChildStdout> = BufReader::new(child.stdout.take()?);
    let mut port = String::new();
    output.read_line(&mut port).unwrap();
    Some(Process {
        child,
        url: format!("{scheme}://127.0.0.1:{}", port.trim()),
        _output: Box::new(output),
    })
}

#[test]
fn two_hundred_urls_from_pythons_http_server() {
    let site = Site::new();
    for scheme in ["http", "https"] {
        for protocol in ["HTTP/1.0", "HTTP/1.1"] {
            let Some(server) = python(&site, protocol, scheme) else {
                println!("skipped: python3 is not installed");
                return;
            };
            check(&site, &server, protocol == "HTTP/1.1");
        }
    }
}

/// `None` if there is no nginx.
fn nginx(site: &Site, scheme: &str) -> Option<Process> {
    let program = ["nginx", "/usr/sbin/nginx"].into_iter().find(|program| {
        Command::new(program)
            .arg("-v")
            .stderr(Stdio::null())
            .status()
            .is_ok()
    })?;
    let directory = site.path().display();
    for _ in 0..10 {
        // nginx takes no port 0, so one is asked for here; should somebody take it meanwhile, once more.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let tls = if scheme == "https" { "ssl" } else { "" };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {directory}/{name};\n"))
            .collect();
        let settings = format!(
            "daemon off; master_process off; pid {directory}/pid; error_log stderr notice;
             events {{ worker_connections 256; }}
             http {{
                 {temporary} access_log off; sendfile on; keepalive_requests 1000;
                 gzip on; gzip_min_length 1; gzip_types *;
                 types {{ text/plain txt; }}
                 server {{
                     listen 127.0.0.1:{port} {tls}; root {directory}/files;
                     ssl_certificate {directory}/cert.pem; ssl_certificate_key {directory}/key.pem;
                 }}
             }}"
        );
        let file = site.path().join("nginx.conf");
        fs::write(&file, settings).unwrap();
        let mut child = Command::new(program)
            .args(["-e", "stderr", "-c"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log: BufReader<ChildStderr> = BufReader::new(child.stderr.take().unwrap());
        // Logged when the sockets are listening; the end of the log means that it has given up.
        let (mut all, mut line) = (String::new(), String::new());
        while log.read_line(&mut line).unwrap() > 0 {
            if line.contains("event method") {
                return Some(Process {
                    child,
                    url: format!("{scheme}://127.0.0.1:{port}"),
                    _output: Box::new(log),
                });
            }
            all += &std::mem::take(&mut line);
        }
        child.wait().unwrap();
        assert!(
            all.contains("Address already in use"),
            "nginx did not start: {all}"
        );
    }
    panic!("ten free ports were taken by others")
}

#[test]
fn two_hundred_urls_from_nginx() {
    let site = Site::new();
    for scheme in ["http", "https"] {
        let Some(server) = nginx(&site, scheme) else {
            println!("skipped: nginx is not installed");
            return;
        };
        check(&site, &server, true);
    }
}
