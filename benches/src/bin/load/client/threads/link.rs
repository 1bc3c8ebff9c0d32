//! A connection of the control: a socket whose reads wake up now and then.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;

use super::LOOK;
use crate::run::CONNECT_LIMIT;
use crate::tally::Fault;
use crate::target::Address;

pub(super) enum Link {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Link {
    pub(super) fn connect(address: &Address) -> Result<Link, Fault> {
        let link = match address {
            Address::Tcp(address) => {
                TcpStream::connect_timeout(address, CONNECT_LIMIT).and_then(|stream| {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(LOOK))?;
                    Ok(Link::Tcp(stream))
                })
            }
            Address::Unix(address) => UnixStream::connect_addr(address).and_then(|stream| {
                stream.set_read_timeout(Some(LOOK))?;
                Ok(Link::Unix(stream))
            }),
        };
        link.map_err(|error| Fault::io("connect", &error))
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Link::Tcp(stream) => stream.shutdown(how),
            Link::Unix(stream) => stream.shutdown(how),
        }
    }

    pub(super) fn send(&self, bytes: &[u8]) -> Result<(), Fault> {
        let sent = match self {
            Link::Tcp(stream) => (&*stream).write_all(bytes),
            Link::Unix(stream) => (&*stream).write_all(bytes),
        };
        sent.map_err(|error| Fault::io("send", &error))
    }

    /// `None`: nothing came for a while.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Result<Option<usize>, Fault> {
        let received = match self {
            Link::Tcp(stream) => (&*stream).read(buffer),
            Link::Unix(stream) => (&*stream).read(buffer),
        };
        match received {
            Ok(n) => Ok(Some(n)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(Fault::io("receive", &error)),
        }
    }
}
