//! TCP: listeners, connections, and how a connect picks among addresses.
//!
//! | file          | what is there                                              |
//! |---------------|------------------------------------------------------------|
//! | `listener.rs` | [`TcpListener`]: accept, and [`Incoming`] that survives limits |
//! | `stream.rs`   | [`TcpStream`], its halves and its options                  |
//! | `connect.rs`  | [`Connect`]: look up, then try address after address       |
//! | `race.rs`     | which address is tried when; pure                          |
//! | `socket.rs`   | [`TcpSocket`]: options that must be set before             |

mod connect;
mod incoming;
mod listener;
mod race;
mod socket;
mod stream;

pub use connect::Connect;
pub use incoming::{Incoming, Next};
pub use listener::{Accept, TcpListener};
pub use socket::TcpSocket;
pub use stream::{
    OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, TcpKeepalive, TcpStream, WriteHalf,
};
