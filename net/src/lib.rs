//! Sockets and files on the reactor: TCP, UDP, Unix sockets; pipes, standard
//! streams, child processes and signals; and [`fs`].
//!
//! Everything here but the files is a [`Source`](wakeline_reactor::Source), that is a
//! descriptor which the reactor watches, and a way to call the kernel when the
//! source says that it is worth it:
//!
//! ```text
//!   TcpStream::read ─▶ leaf.rs ─▶ Source: ready? ──yes─▶ sys.rs: recv ─▶ n bytes
//!                        ▲          │ no
//!                        │          ▼
//!                     a turn of the reactor ◀── kernel: there is data
//! ```
//!
//! It knows the reactor and no executor: what runs these futures, and where, is
//! not its concern.
//!
//! # What is promised
//!
//! - **A dropped future loses nothing.** Bytes, datagrams and connections are
//!   taken from the kernel only by the poll that returns them. [`BufReader`](io::BufReader)
//!   keeps this promise for `read_exact`, `read_until` and lines too.
//! - **An idle connection holds no buffer**, if it reads by `read_pooled`,
//!   by [`io::copy`] or through a `BufReader`.
//! - **A closed peer is an error, never a signal**, and half a connection stays
//!   usable when the other half has ended.
//! - **Errors of set-up say what to try**: see [`Context`].
//!
//! # Example
//!
//! An echo, and who talks to it:
//!
//! ```
//! use std::net::Shutdown;
//! use wakeline_net::io::{self, AsyncReadExt, AsyncWriteExt};
//! use wakeline_net::{TcpListener, TcpStream};
//! # use wakeline_net::testing::{block_on, both};
//!
//! # block_on(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let addr = listener.local_addr()?;
//! let server = async {
//!     let (stream, _peer) = listener.accept().await?;
//!     io::copy(&stream, &stream).await
//! };
//! let client = async {
//!     let mut stream = TcpStream::connect(addr).await?;
//!     stream.write_all(b"hello").await?;
//!     stream.shutdown(Shutdown::Write)?;
//!     let mut text = String::new();
//!     stream.read_to_string(&mut text).await?;
//!     std::io::Result::Ok(text)
//! };
//! let (copied, text) = both(server, client).await;
//! assert_eq!((copied?, text?.as_str()), (5, "hello"));
//! # std::io::Result::Ok(())
//! # })?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Read in this order
//!
//! `leaf.rs` (how an operation becomes a future), `stream.rs` (reads and
//! writes), `sys.rs` (the calls), `tcp/`; then `udp.rs`, `unix/`, `pipe/`,
//! `signal/` as needed, and `io/` for what is built on top.

#![forbid(unsafe_code)]

pub(crate) mod addr;
mod error;
mod foreign;
pub mod fs;
mod halves;
pub mod io;
mod leaf;
mod methods;
mod owned;
mod per_process;
pub mod pipe;
pub mod process;
pub mod signal;
pub mod stream;
mod sys;
pub mod tcp;
#[doc(hidden)]
pub mod testing;
pub mod udp;
pub mod unix;

pub use addr::{Bind, LookupHost, ToSocketAddrs, lookup_host};
pub use error::Context;
pub use tcp::{TcpListener, TcpSocket, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixListener, UnixStream};
