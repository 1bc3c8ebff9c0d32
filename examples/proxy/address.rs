//! Where to listen and where to connect: TCP and Unix sockets behind one name.

use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::str::FromStr;

use wakeline::net::{Listener, TcpListener, TcpStream, UnixListener, UnixStream};

use crate::peer::Peer;

/// `HOST:PORT`, `unix:PATH` or `unix:@NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// Looked up when it is used.
    Tcp(String),
    /// What is behind `unix:`.
    Unix(String),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        match text.strip_prefix("unix:") {
            Some("" | "@") => return Err("unix: needs a path or a @name".to_owned()),
            Some(path) => return Ok(Address::Unix(path.to_owned())),
            None => {}
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err("neither HOST:PORT nor unix:PATH; try 127.0.0.1:8080".to_owned());
        };
        if port.parse::<u16>().is_err() {
            return Err(format!("{port:?} is not a port; try {host}:8080"));
        }
        let bracketed = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || (host.contains(':') && !bracketed) {
            return Err("write an IPv6 address in brackets, any address as 0.0.0.0".to_owned());
        }
        Ok(Address::Tcp(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => f.write_str(address),
            Address::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// A connection of either family.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A listener of either family.
#[derive(Debug)]
pub(crate) enum Bound {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        name: String,
    },
}

impl Address {
    /// Listens; at a path also where a killed proxy left its socket behind.
    pub(crate) async fn bind(&self) -> io::Result<Bound> {
        let path = match self {
            Address::Tcp(name) => return TcpListener::bind(name.as_str()).await.map(Bound::Tcp),
            Address::Unix(path) => path,
        };
        let listener = if let Some(name) = path.strip_prefix('@') {
            UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?
        } else {
            let mut listener = UnixListener::bind_replacing_stale(path)?;
            listener.unlink_on_drop(true)?;
            listener
        };
        let name = self.to_string();
        Ok(Bound::Unix { listener, name })
    }

    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        let path = match self {
            Address::Tcp(name) => {
                let stream = TcpStream::connect(name.as_str()).await?;
                // Both ends of the proxy hand on what they get, at once.
                stream.set_nodelay(true)?;
                return Ok(Stream::Tcp(stream));
            }
            Address::Unix(path) => path,
        };
        if let Some(name) = path.strip_prefix('@') {
            let address = SocketAddr::from_abstract_name(name)?;
            return UnixStream::connect_addr(&address).await.map(Stream::Unix);
        }
        UnixStream::connect(path).await.map(Stream::Unix)
    }
}

impl Listener for Bound {
    type Stream = Stream;
    type Peer = Peer;

    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Bound::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // A client that is gone already shows in the first read.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Peer::Tcp(peer)))
            }
            Bound::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Peer::Unix))
            }
        }
    }

    fn local_name(&self) -> io::Result<String> {
        match self {
            Bound::Tcp(listener) => listener.local_addr().map(|address| address.to_string()),
            Bound::Unix { name, .. } => Ok(name.clone()),
        }
    }
}
