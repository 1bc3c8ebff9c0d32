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
mod work;

use std::io;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use wakeline_benches::note;

use work::Work;

/// Connections that may wait to be accepted, where the runtime lets that be set:
/// as many as the system allows by default.
const BACKLOG: i32 = 4096;

/// What a server is started with.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) listener: Listener,
    /// Bytes of a connection's read buffer, where it has one of its own.
    pub(crate) buffer: usize,
    pub(crate) work: Work,
}

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A server's name, how many threads with a listener each it has, and what runs it.
type Server = (&'static str, usize, fn(Job) -> io::Result<()>);

const SERVERS: &[Server] = &[
    ("ours-uring", 1, |job| {
        ours::serve(job, ours::builder(wakeline::Driver::Uring, 1))
    }),
    ("ours-epoll", 1, |job| {
        ours::serve(job, ours::builder(wakeline::Driver::Epoll, 1))
    }),
    ("ours-uring-2", 1, |job| {
        ours::serve(job, ours::builder(wakeline::Driver::Uring, 2))
    }),
    ("ours-epoll-2", 1, |job| {
        ours::serve(job, ours::builder(wakeline::Driver::Epoll, 2))
    }),
    ("ours-uring-spin", 1, |job| {
        ours::serve(job, ours::spinning(wakeline::Driver::Uring))
    }),
    ("ours-epoll-spin", 1, |job| {
        ours::serve(job, ours::spinning(wakeline::Driver::Epoll))
    }),
    ("raw-epoll", 1, raw_epoll::serve),
    ("raw-uring", 1, raw_uring::serve),
    #[cfg(feature = "peers")]
    ("tokio-ct", 1, |job| tokio::serve(job, None)),
    #[cfg(feature = "peers")]
    ("tokio-mt-2", 1, |job| tokio::serve(job, Some(2))),
    #[cfg(feature = "peers")]
    ("smol", 1, smol::serve),
    #[cfg(feature = "peers")]
    ("monoio", 1, monoio::serve),
    #[cfg(feature = "peers")]
    ("monoio-2", 2, monoio::serve),
    #[cfg(feature = "peers")]
    ("glommio", 1, glommio::serve),
    #[cfg(feature = "peers")]
    ("glommio-2", 2, glommio::serve),
    #[cfg(feature = "peers")]
    ("compio", 1, compio::serve),
    #[cfg(feature = "peers")]
    ("compio-2", 2, compio::serve),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            note(format_args!("servers: {message}\n{}", usage()));
            ExitCode::from(2)
        }
    }
}

fn usage() -> String {
    let names: Vec<&str> = SERVERS.iter().map(|(name, ..)| *name).collect();
    format!(
        "usage: servers NAME ADDRESS [BUFFER [ROUNDS [MESSAGES]]]; NAME: {}\n\
         ROUNDS of a computation are made before a message that begins with 0xff is answered;\n\
         it ends at the last of MESSAGES, if that is not 0;\n\
         servers --rounds tells how many take a millisecond, servers --list the names",
        names.join(", ")
    )
}

fn start(arguments: &[String]) -> Result<(), String> {
    match arguments {
        [only] if only == "--help" || only == "-h" => say(&usage()),
        [only] if only == "--list" => SERVERS.iter().for_each(|(name, ..)| say(name)),
        [only] if only == "--rounds" => say(&work::rounds().to_string()),
        [name, address, numbers @ ..] => return serve(name, address, numbers),
        _ => return Err("a name and an address are needed".to_owned()),
    }
    Ok(())
}

fn serve(name: &str, address: &str, numbers: &[String]) -> Result<(), String> {
    let number = |at: usize, default| match numbers.get(at).map(|text| text.parse()) {
        None => Ok(default),
        Some(parsed) => parsed.map_err(|_| format!("{numbers:?} are no numbers")),
    };
    let buffer = number(0, 16 << 10)? as usize;
    let work = Work::new(number(1, 0)?, number(2, 0)?);
    let found = SERVERS.iter().find(|(known, ..)| *known == name);
    let (_, threads, serve) = found.ok_or_else(|| format!("{name} is not known"))?;
    let listeners = listen(address, *threads);
    let listeners = listeners.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    if !name.starts_with("glommio") {
        (0..*threads).for_each(|_| announce()); // that one does when it is bound
    }
    let mut jobs = listeners.into_iter().map(|listener| Job {
        listener,
        buffer,
        work,
    });
    let first = jobs.next().ok_or("no listener")?;
    for job in jobs {
        let (name, serve) = (name.to_owned(), *serve);
        // Nobody waits for it: both serve until they are killed.
        std::thread::spawn(move || {
            if let Err(error) = serve(job) {
                note(format_args!("servers: {name}: {error}"));
                std::process::exit(1);
            }
        });
    }
    serve(first).map_err(|error| format!("{name}: {error}"))
}

/// What is printed when so many threads have their listener.
static ADDRESS: OnceLock<(String, AtomicUsize)> = OnceLock::new();

/// One thread has its listener; the last of them tells it.
pub(crate) fn announce() {
    let Some((address, left)) = ADDRESS.get() else {
        return;
    };
    if left.fetch_sub(1, Ordering::AcqRel) == 1 {
        say(&format!("listening on {address}"));
    }
}

/// A line; if nobody reads it, it serves all the same.
fn say(line: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A listener a thread, all at one address: the kernel spreads the connections.
fn listen(address: &str, threads: usize) -> io::Result<Vec<Listener>> {
    let (told, listeners) = match address.strip_prefix("unix:") {
        Some(_) if threads > 1 => return Err(io::ErrorKind::Unsupported.into()),
        Some(path) => {
            let listener = UnixListener::bind(path)?;
            listener.set_nonblocking(true)?;
            rustix::net::listen(&listener, BACKLOG)?;
            (address.to_owned(), vec![Listener::Unix(listener)])
        }
        None => {
            let mut found = address.to_socket_addrs()?;
            let address = found.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
            let first = tcp(address, threads > 1)?;
            let address = first.local_addr()?;
            let mut all = vec![Listener::Tcp(first)];
            for _ in 1..threads {
                all.push(Listener::Tcp(tcp(address, true)?));
            }
            (address.to_string(), all)
        }
    };
    let _ = ADDRESS.set((told, AtomicUsize::new(threads)));
    Ok(listeners)
}

fn tcp(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, shared)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}
