//! The servers as processes: started on their processor, ended when dropped.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wakeline_benches::child::{allowed, beside, pin};
use wakeline_benches::descriptors;

use crate::args::Cpus;
use crate::cell::{Cell, Kind};

/// Descriptors of a server beside those of its connections.
const SPARE: u64 = 200;

/// A server that has not answered its first message by then does not work.
const GREETED: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) address: String,
    child: Child,
    path: Option<PathBuf>,
}

/// The servers to measure: those whose names have one of `parts`, and the base.
pub(crate) fn choose(parts: &[String], base: &str) -> Result<Vec<String>, String> {
    let output = Command::new(beside("servers")?).arg("--list").output();
    let output = output.map_err(|error| format!("servers --list: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let names: Vec<String> = text
        .lines()
        .filter(|name| {
            *name == base
                || parts.is_empty()
                || parts.iter().any(|part| name.contains(part.as_str()))
        })
        .map(str::to_owned)
        .collect();
    if names.iter().any(|name| name == base) {
        Ok(names)
    } else {
        let peers = match text.lines().any(|name| name == "tokio-ct") {
            true => "",
            false => " (the peers are built by `--features peers`)",
        };
        Err(format!(
            "{base} is not there; --base names one of: {}{peers}",
            text.split_whitespace().collect::<Vec<_>>().join(", ")
        ))
    }
}

/// Where the server and the client run: on the first processors that this process may use.
pub(crate) fn places(cell: &Cell, cpus: Cpus) -> Result<[&'static [usize]; 2], String> {
    match (allowed(), cpus) {
        (all @ [_, _, ..], _) if cell.kind == Kind::Imbalance => Ok([&all[..2], &all[..2]]),
        (_, _) if cell.kind == Kind::Imbalance => Err(format!("{cell} needs two processors")),
        (all @ [_, ..], Cpus::One) => Ok([&all[..1], &all[..1]]),
        (all @ [_, _, ..], Cpus::Two) => Ok([&all[..1], &all[1..2]]),
        _ => Err("--cpus two needs two processors".to_owned()),
    }
}

/// Lets this process and its children have the descriptors of `cell`.
pub(crate) fn allow(cell: &Cell) -> Result<(), String> {
    let needed = cell.connections as u64 + SPARE;
    descriptors::allow(&cell.to_string(), needed)
}

/// Rounds of a computation that take a millisecond, as a server finds them.
fn work() -> Result<u64, String> {
    let output = Command::new(beside("servers")?).arg("--rounds").output();
    let output = output.map_err(|error| format!("servers --rounds: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rounds = text.trim().parse();
    rounds.map_err(|_| "servers --rounds told no number".to_owned())
}

impl Server {
    pub(crate) fn start(name: &str, cell: &Cell, cpus: Cpus) -> Result<Server, String> {
        static NTH: AtomicUsize = AtomicUsize::new(0);
        let nth = NTH.fetch_add(1, Ordering::Relaxed);
        let path = cell.unix.then(|| {
            std::env::temp_dir().join(format!(
                "wakeline-compare-{}-{nth}.sock",
                std::process::id()
            ))
        });
        let listen = path.as_ref().map_or("127.0.0.1:0".to_owned(), |path| {
            format!("unix:{}", path.display())
        });
        pin(places(cell, cpus)?[0])?;
        // Once, so that all servers have the same to do.
        static WORK: OnceLock<Result<u64, String>> = OnceLock::new();
        let rounds = match cell.kind {
            Kind::Imbalance => WORK.get_or_init(work).clone()?,
            _ => 0,
        };
        let mut child = Command::new(beside("servers")?)
            .args([name, &listen])
            .args([cell.buffer().to_string(), rounds.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("it was piped")?;
        let read = BufReader::new(stdout).read_line(&mut line);
        let address = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let server = Server {
            name: name.to_owned(),
            address: address.clone().unwrap_or_default(),
            child,
            path,
        };
        match (read, address) {
            (Ok(_), Some(_)) => match server.greet() {
                Ok(()) => Ok(server),
                Err(error) => Err(format!("{name} does not answer: {error}")),
            },
            _ => Err(format!("{name} did not start")),
        }
    }

    /// Has one message answered: what it needs to start is not to be measured.
    fn greet(&self) -> io::Result<()> {
        match &self.path {
            Some(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(GREETED))?;
                echo(stream)
            }
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_read_timeout(Some(GREETED))?;
                echo(stream)
            }
        }
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

fn echo(mut stream: impl Read + Write) -> io::Result<()> {
    let mut message = [0; 64];
    stream.write_all(&message)?;
    stream.read_exact(&mut message)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}
