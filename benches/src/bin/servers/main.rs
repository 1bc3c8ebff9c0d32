//! Echo servers to be compared: ours, those of the peers, and raw loops as the
//! floor. Each is the program that its users would write, with the same shape.
//!
//! ```text
//! cargo run --release -p wakeline-benches --features peers --bin servers -- tokio-ct 127.0.0.1:7777
//! ```
//! It prints `listening on ADDRESS` and serves until it is killed.

#[cfg(feature = "peers")]
mod compio;
#[cfg(feature = "peers")]
mod glommio;
#[cfg(feature = "peers")]
mod monoio;
mod ours;
mod raw_epoll;
mod raw_uring;
#[cfg(feature = "peers")]
mod smol;
#[cfg(feature = "peers")]
mod tokio;

use std::io;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;

/// What a server is started with.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) listener: Listener,
    /// Bytes of a connection's read buffer, where it has one of its own.
    pub(crate) buffer: usize,
}

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A server's name, and what runs it.
type Server = (&'static str, fn(Job) -> io::Result<()>);

const SERVERS: &[Server] = &[
    ("ours-uring", |job| {
        ours::serve(job, wakeline::Driver::Uring, 1)
    }),
    ("ours-epoll", |job| {
        ours::serve(job, wakeline::Driver::Epoll, 1)
    }),
    ("ours-uring-2", |job| {
        ours::serve(job, wakeline::Driver::Uring, 2)
    }),
    ("ours-epoll-2", |job| {
        ours::serve(job, wakeline::Driver::Epoll, 2)
    }),
    ("raw-epoll", raw_epoll::serve),
    ("raw-uring", raw_uring::serve),
    #[cfg(feature = "peers")]
    ("tokio-ct", |job| tokio::serve(job, None)),
    #[cfg(feature = "peers")]
    ("tokio-mt-2", |job| tokio::serve(job, Some(2))),
    #[cfg(feature = "peers")]
    ("smol", smol::serve),
    #[cfg(feature = "peers")]
    ("monoio", monoio::serve),
    #[cfg(feature = "peers")]
    ("glommio", glommio::serve),
    #[cfg(feature = "peers")]
    ("compio", compio::serve),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let names: Vec<&str> = SERVERS.iter().map(|(name, _)| *name).collect();
            eprintln!(
                "servers: {message}\nusage: servers NAME ADDRESS [BUFFER]; NAME: {}",
                names.join(", ")
            );
            ExitCode::from(2)
        }
    }
}

fn start(arguments: &[String]) -> Result<(), String> {
    if arguments == ["--list"] {
        SERVERS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    let [name, address, rest @ ..] = arguments else {
        return Err("a name and an address are needed".to_owned());
    };
    let buffer = rest.first().map_or(Ok(16 << 10), |text| text.parse());
    let buffer = buffer.map_err(|_| format!("{rest:?} is no size of a buffer"))?;
    let found = SERVERS.iter().find(|(known, _)| known == name);
    let (_, serve) = found.ok_or_else(|| format!("{name} is not known"))?;
    let listener =
        listen(address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    serve(Job { listener, buffer }).map_err(|error| format!("{name}: {error}"))
}

fn listen(address: &str) -> io::Result<Listener> {
    let listener = match address.strip_prefix("unix:") {
        Some(path) => Listener::Unix(UnixListener::bind(path)?),
        None => Listener::Tcp(TcpListener::bind(address)?),
    };
    match &listener {
        Listener::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            println!("listening on {}", listener.local_addr()?);
        }
        Listener::Unix(listener) => {
            listener.set_nonblocking(true)?;
            println!("listening on {address}");
        }
    }
    io::stdout().flush()?;
    Ok(listener)
}
