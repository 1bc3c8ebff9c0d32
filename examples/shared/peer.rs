//! Who has connected, over TCP or a Unix socket.

use std::fmt;
use std::net::SocketAddr;

/// The other end of a connection.
#[derive(Clone, Copy)]
pub(crate) enum Peer {
    Tcp(SocketAddr),
    /// Clients have no names there.
    Unix,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => address.fmt(f),
            Peer::Unix => f.write_str("a local client"),
        }
    }
}
