//! A connection of our client, whatever its family.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use wakeline::net::{TcpStream, UnixStream};
use wakeline::time::timeout;

use crate::run::CONNECT_LIMIT;
use crate::tally::Fault;
use crate::target::Address;

#[derive(Debug)]
pub(crate) enum Link {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Link {
    pub(crate) async fn connect(address: &Address) -> Result<Link, Fault> {
        let connected = timeout(CONNECT_LIMIT, async {
            match address {
                Address::Tcp(address) => TcpStream::connect(*address).await.map(Link::Tcp),
                Address::Unix(address) => UnixStream::connect_addr(address).await.map(Link::Unix),
            }
        });
        match connected.await {
            Ok(result) => result.map_err(|error| Fault::io("connect", &error)),
            Err(_elapsed) => {
                let what = format!("no connection within {CONNECT_LIMIT:?}");
                Err(Fault::new("connect: timed out", what))
            }
        }
    }

    /// Says that no more will be asked.
    pub(crate) fn finish(&self) -> io::Result<()> {
        match self {
            Link::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Link::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Link::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Link::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Link::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Link::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }
}
