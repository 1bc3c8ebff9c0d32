//! The servers: each a process of its own, ended when dropped.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use wakeline::io::AsyncWriteExt;
use wakeline::{Runtime, net, spawn};

use crate::is_there;

/// A server that does not answer by then does not work.
const STARTED: Duration = Duration::from_secs(20);
/// What is answered: 1 KiB.
const BODY: [u8; 1024] = [b'x'; 1024];

/// How a server is started.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The program that must be installed, and how to ask it for its version.
    needs: Option<(&'static str, &'static str)>,
    /// What is told if it is not.
    pub(crate) lacks: &'static str,
    command: fn(place: &Path, port: u16) -> Result<Command, String>,
}

pub(crate) const SERVERS: &[Kind] = &[
    Kind {
        name: "nginx",
        needs: Some(("nginx", "-v")),
        lacks: "nginx is not installed (apt-get install nginx-light)",
        command: nginx,
    },
    Kind {
        name: "asyncio",
        needs: Some(("python3", "--version")),
        lacks: "python3 is not installed (apt-get install python3)",
        command: asyncio,
    },
    Kind {
        name: "wakeline",
        needs: None,
        lacks: "",
        command: ours,
    },
];

impl Kind {
    pub(crate) fn is_there(&self) -> bool {
        self.needs
            .is_none_or(|(program, arg)| is_there(program, arg))
    }
}

fn nginx(place: &Path, port: u16) -> Result<Command, String> {
    let place = place
        .to_str()
        .ok_or("the temporary directory has no name in UTF-8")?;
    let scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {place}/{what};"))
        .concat();
    // A connection that is closed after a thousand requests, as is its default,
    // would be in the figures.
    let text = format!(
        "daemon off; master_process off; pid {place}/pid; error_log stderr error;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; {scratch}\n\
         server {{ listen 127.0.0.1:{port} backlog=4096; root {place}; }} }}\n"
    );
    let written = std::fs::write(format!("{place}/nginx.conf"), text)
        .and_then(|()| std::fs::write(format!("{place}/index.html"), BODY));
    written.map_err(|error| format!("{place}: {error}"))?;
    let mut command = Command::new("nginx");
    command.args(["-p", place, "-c", "nginx.conf"]);
    Ok(command)
}

fn asyncio(_place: &Path, port: u16) -> Result<Command, String> {
    let mut command = Command::new("python3");
    command.args(["-c", include_str!("asyncio.py"), &port.to_string()]);
    Ok(command)
}

fn ours(_place: &Path, port: u16) -> Result<Command, String> {
    let this = std::env::current_exe().map_err(|e| format!("this program's own path: {e}"))?;
    let mut command = Command::new(this);
    command.args(["--serve", &format!("127.0.0.1:{port}")]);
    Ok(command)
}

pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(kind: &Kind, place: &Path) -> Result<Server, String> {
        let what = |error: &dyn std::fmt::Display| format!("{}: {error}", kind.name);
        // Free now; who takes it meanwhile makes the server fail, which is told.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let address = free.map_err(|error| what(&error))?;
        let child = (kind.command)(place, address.port())?
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let mut server = Server {
            child: child.map_err(|error| what(&error))?,
            url: format!("http://{address}/index.html"),
        };
        let began = Instant::now();
        loop {
            match TcpStream::connect(address).and_then(greet) {
                Ok(()) => return Ok(server),
                Err(error) if began.elapsed() > STARTED => return Err(what(&error)),
                Err(_) => {}
            }
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(what(&format!("it ended at once: {status}")));
            }
            sleep(Duration::from_millis(20));
        }
    }
}

/// Has one request answered.
fn greet(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(STARTED))?;
    stream.write_all(b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    let is_right = start == *b"HTTP/1.1 200";
    is_right.then_some(()).ok_or_else(|| {
        std::io::Error::other(format!("it answers {:?}", String::from_utf8_lossy(&start)))
    })
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ours: answers every request alike, on one worker, until it is killed.
pub(crate) fn serve(address: &str) -> Result<(), String> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", BODY.len());
    let answer: &'static [u8] = [head.as_bytes(), &BODY].concat().leak();
    let runtime = Runtime::builder().workers(1).build();
    let served: std::io::Result<()> = runtime.map_err(|error| error.to_string())?.block_on(async {
        let listener = net::TcpListener::bind(address).await?;
        loop {
            let (stream, _peer) = listener.accept().await?;
            drop(spawn(connection(stream, answer)));
        }
    });
    served.map_err(|error| format!("{address}: {error}"))
}

async fn connection(mut stream: net::TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let mut kept = Vec::new();
    loop {
        let bytes = stream.read_pooled().await?;
        if bytes.is_empty() {
            return Ok(());
        }
        kept.extend_from_slice(&bytes);
        drop(bytes); // to the pool
        let mut headers = [httparse::EMPTY_HEADER; 32];
        match httparse::Request::new(&mut headers).parse(&kept) {
            Ok(httparse::Status::Complete(used)) => {
                drop(kept.drain(..used));
                stream.write_all(answer).await?;
            }
            Ok(httparse::Status::Partial) if kept.len() < 8192 => {}
            _ => return Ok(()), // not for us
        }
    }
}
