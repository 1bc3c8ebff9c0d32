//! Several listeners of two families, served as one.

use std::future::{Future, poll_fn};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use wakeline::net::{Listener, TcpListener, TcpStream, UnixListener, UnixStream};

use crate::cli::Address;
use crate::peer::Peer;

/// All that the server listens on: one cap and one accept policy for the lot.
#[derive(Debug)]
pub(crate) struct Listeners {
    each: Vec<Bound>,
    // Who is asked first: not always the same, or it would be served alone.
    first: AtomicUsize,
}

#[derive(Debug)]
enum Bound {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        name: String,
    },
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listeners {
    /// Binds every address.
    ///
    /// # Errors
    ///
    /// One line for the user: what failed, on which address, and what to try.
    pub(crate) async fn bind(addresses: &[Address]) -> Result<Listeners, String> {
        let mut each = Vec::new();
        for address in addresses {
            let bound = match address {
                Address::Tcp(name) => TcpListener::bind(name.as_str()).await.map(Bound::Tcp),
                Address::Unix(path) => bind_unix(path).map(|listener| Bound::Unix {
                    listener,
                    name: address.to_string(),
                }),
            };
            each.push(bound.map_err(|error| explain(address, &error))?);
        }
        Ok(Listeners {
            each,
            first: AtomicUsize::new(0),
        })
    }

    /// The addresses, with the ports the system chose.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        self.each.iter().map(Bound::local_name).collect()
    }
}

impl Listener for Listeners {
    type Stream = Stream;
    type Peer = Peer;

    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        if let [one] = self.each.as_slice() {
            return one.accept().await;
        }
        let first = self.first.fetch_add(1, Ordering::Relaxed);
        let in_turn = (0..self.each.len()).map(|i| &self.each[(first + i) % self.each.len()]);
        // Kept from poll to poll: each has its place among its listener's waiters.
        let mut accepts: Vec<Accept<'_>> =
            in_turn.map(|bound| Box::pin(bound.accept()) as _).collect();
        poll_fn(|cx| {
            for accept in &mut accepts {
                if let Poll::Ready(result) = accept.as_mut().poll(cx) {
                    return Poll::Ready(result);
                }
            }
            Poll::Pending
        })
        .await
    }

    fn local_name(&self) -> io::Result<String> {
        self.names().map(|names| names.join(", "))
    }
}

type Accept<'a> = Pin<Box<dyn Future<Output = io::Result<(Stream, Peer)>> + Send + 'a>>;

impl Bound {
    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Bound::Tcp(listener) => listener
                .accept()
                .await
                .map(|(stream, peer)| (Stream::Tcp(stream), Peer::Tcp(peer))),
            Bound::Unix { listener, .. } => listener
                .accept()
                .await
                .map(|(stream, _)| (Stream::Unix(stream), Peer::Unix)),
        }
    }

    fn local_name(&self) -> io::Result<String> {
        match self {
            Bound::Tcp(listener) => listener.local_addr().map(|address| address.to_string()),
            Bound::Unix { name, .. } => Ok(name.clone()),
        }
    }
}

/// Listens at a path, also one that a killed server left behind, and removes
/// it at the end; `@name` is an abstract name, which needs no file.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    if let Some(name) = path.to_str().and_then(|path| path.strip_prefix('@')) {
        return UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?);
    }
    let mut listener = UnixListener::bind_replacing_stale(path)?;
    listener.unlink_on_drop(true)?;
    Ok(listener)
}

/// Why an address cannot be had, and what to try instead.
fn explain(address: &Address, error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    let (why, hint) = match (address, error.kind()) {
        (Address::Tcp(name), Kind::AddrInUse) => {
            let (host, port) = name.rsplit_once(':').unwrap_or((name, ""));
            let hint = format!(
                "stop it (`ss -ltnp 'sport = :{port}'` names it), or try --listen {host}:0"
            );
            ("another program listens there".to_owned(), hint)
        }
        (Address::Unix(_), Kind::AddrInUse) => (
            "another program listens there, or something else has that path".to_owned(),
            "try another path".to_owned(),
        ),
        (Address::Tcp(_), Kind::PermissionDenied) => {
            let why = "permission denied (ports below 1024 need root or CAP_NET_BIND_SERVICE)";
            (why.to_owned(), "try --listen 127.0.0.1:7777".to_owned())
        }
        (Address::Tcp(_), Kind::AddrNotAvailable) => {
            let why = "no interface of this machine has that address";
            (
                why.to_owned(),
                "try 127.0.0.1, or 0.0.0.0 for all interfaces".to_owned(),
            )
        }
        (Address::Unix(_), Kind::PermissionDenied | Kind::NotFound) => (
            error.to_string(),
            "try a directory you may write to, like unix:/tmp/echo.sock".to_owned(),
        ),
        _ => (error.to_string(), "try --listen 127.0.0.1:7777".to_owned()),
    };
    format!("cannot listen on {address}: {why} - {hint}")
}
