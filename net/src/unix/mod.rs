//! Unix sockets: local connections and datagrams, by path or by abstract name.
//!
//! | file          | what is there                                           |
//! |---------------|---------------------------------------------------------|
//! | `stream.rs`   | [`UnixStream`] and its halves                           |
//! | `listener.rs` | [`UnixListener`]                                        |
//! | `stale.rs`    | what to do about a path that somebody has, or has left  |
//! | `datagram.rs` | [`UnixDatagram`]                                        |
//! | `addr.rs`     | the kernel's addresses as std's                         |
//! | `pace.rs`     | trying again, where the kernel has no event to wait for |
//!
//! Addresses are std's [`SocketAddr`](std::os::unix::net::SocketAddr). An
//! abstract name (Linux) is made by `SocketAddrExt::from_abstract_name`; it is
//! gone with its socket, so it never goes stale.

mod addr;
mod datagram;
mod listener;
mod pace;
mod stale;
mod stream;

pub use datagram::{RecvFrom, SendTo, UnixDatagram};
pub use listener::{Accept, UnixListener};
pub use stream::{
    Connect, OwnedReadHalf, OwnedWriteHalf, PeerCred, ReadHalf, ReuniteError, UnixStream, WriteHalf,
};
