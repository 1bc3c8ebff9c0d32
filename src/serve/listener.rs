//! What `serve` needs of a listening socket.

use std::fmt;
use std::future::Future;
use std::io;

use wakeline_net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A socket that connections come from.
///
/// Implemented by [`TcpListener`] and [`UnixListener`]; implement it to serve
/// several sockets as one, or to set options on each accepted stream.
pub trait Listener: Send + Sync + 'static {
    /// A connection.
    type Stream: Send + 'static;
    /// Who is at its other end: a copy names it in errors.
    type Peer: fmt::Debug + Clone + Send + 'static;

    /// Waits for the next connection.
    ///
    /// Errors go to the accept policy by their errno; one without errno ends
    /// the server.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no connection: one is taken only by the poll
    /// that returns it.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send;

    /// Where clients connect to, in words.
    ///
    /// # Errors
    ///
    /// The system's.
    fn local_name(&self) -> io::Result<String>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Peer = std::net::SocketAddr;

    #[track_caller]
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send {
        TcpListener::accept(self)
    }

    fn local_name(&self) -> io::Result<String> {
        self.local_addr().map(|address| address.to_string())
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    type Peer = std::os::unix::net::SocketAddr;

    #[track_caller]
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send {
        UnixListener::accept(self)
    }

    fn local_name(&self) -> io::Result<String> {
        let address = self.local_addr()?;
        Ok(address.as_pathname().map_or_else(
            || format!("{address:?}"),
            |path| format!("unix:{}", path.display()),
        ))
    }
}
