//! From what a user writes to socket addresses.
//!
//! Numbers need no lookup. A name goes through the system's `getaddrinfo`,
//! which blocks, so it runs on the threads that the runtime gave the reactor
//! (`wakeline_reactor::offload`). What is asked lives in [`Query`], the asking
//! in [`LookupHost`].

use crate::error::{self, Context};
use rustix::event::EventfdFlags;
use rustix::io::Errno;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::Pin;
use std::task::{self, Poll, ready};
use std::vec;
use wakeline_context::budget;
use wakeline_reactor::{OffloadFuture, offload};

/// What `bind`, `connect` and [`lookup_host`] take as an address.
///
/// Numbers (`SocketAddr`, `(IpAddr, u16)`, a list of `SocketAddr`) are used as
/// they are; texts (`"host:port"`, `("host", port)`) are looked up if they are
/// names. An IPv6 address that holds on one link has its interface behind it:
/// `"[fe80::1%eth0]:80"`. It cannot be implemented elsewhere.
///
/// # Example
///
/// ```
/// # wakeline_net::testing::block_on(async {
/// use std::net::SocketAddr;
///
/// let from_text: Vec<SocketAddr> = wakeline_net::lookup_host("127.0.0.1:80").await?.collect();
/// let from_pair: Vec<SocketAddr> = wakeline_net::lookup_host(("127.0.0.1", 80)).await?.collect();
/// assert_eq!(from_text, from_pair);
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait ToSocketAddrs: sealed::Sealed {}

pub(crate) mod sealed {
    /// Keeps the trait ours, so that it can grow.
    pub trait Sealed {
        #[doc(hidden)]
        fn query(self) -> super::Query;
    }
}

/// What is asked for, owned.
#[doc(hidden)]
#[derive(Debug)]
pub enum Query {
    Known(Vec<SocketAddr>),
    Name { host: String, port: u16 },
    Malformed(String),
}

impl Query {
    fn from_text(text: &str) -> Query {
        if let Ok(addr) = text.parse() {
            return Query::Known(vec![addr]);
        }
        match text
            .rsplit_once(':')
            .map(|(host, port)| (host, port.parse()))
        {
            Some((host, Ok(port))) if !host.is_empty() => {
                Query::from_pair(without_brackets(host), port)
            }
            _ => Query::Malformed(text.to_owned()),
        }
    }

    fn from_pair(host: &str, port: u16) -> Query {
        match host.parse::<IpAddr>() {
            Ok(ip) => Query::Known(vec![(ip, port).into()]),
            Err(_) => Query::Name {
                host: host.to_owned(),
                port,
            },
        }
    }

    /// How an error names it.
    pub(crate) fn name(&self) -> String {
        match self {
            Query::Known(addrs) => match addrs.first() {
                Some(addr) => addr.to_string(),
                None => "an empty list of addresses".to_owned(),
            },
            Query::Name { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Query::Name { host, port } => format!("{host}:{port}"),
            Query::Malformed(text) => text.clone(),
        }
    }
}

/// An IPv6 address with the name of an interface is for the system to read, which knows no
/// brackets.
fn without_brackets(host: &str) -> &str {
    let inside = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inside.filter(|host| host.contains(':')).unwrap_or(host)
}

macro_rules! to_socket_addrs {
    ($($type:ty: |$value:ident| $query:expr;)*) => {$(
        impl sealed::Sealed for $type {
            fn query(self) -> Query {
                let $value = self;
                $query
            }
        }
        impl ToSocketAddrs for $type {}
    )*};
}

to_socket_addrs! {
    SocketAddr: |addr| Query::Known(vec![addr]);
    SocketAddrV4: |addr| Query::Known(vec![addr.into()]);
    SocketAddrV6: |addr| Query::Known(vec![addr.into()]);
    (IpAddr, u16): |addr| Query::Known(vec![addr.into()]);
    (Ipv4Addr, u16): |addr| Query::Known(vec![addr.into()]);
    (Ipv6Addr, u16): |addr| Query::Known(vec![addr.into()]);
    &SocketAddr: |addr| Query::Known(vec![*addr]);
    &[SocketAddr]: |addrs| Query::Known(addrs.to_vec());
    &Vec<SocketAddr>: |addrs| Query::Known(addrs.clone());
    Vec<SocketAddr>: |addrs| Query::Known(addrs);
    &str: |text| Query::from_text(text);
    String: |text| Query::from_text(&text);
    &String: |text| Query::from_text(text);
    (&str, u16): |pair| Query::from_pair(pair.0, pair.1);
    (String, u16): |pair| Query::from_pair(&pair.0, pair.1);
    (&String, u16): |pair| Query::from_pair(pair.0, pair.1);
}

impl<const N: usize> sealed::Sealed for &[SocketAddr; N] {
    fn query(self) -> Query {
        Query::Known(self.to_vec())
    }
}
impl<const N: usize> ToSocketAddrs for &[SocketAddr; N] {}

/// Looks a name up, in the order of preference that the system gives.
///
/// # Errors
///
/// `InvalidInput` if `addr` is no `host:port`; otherwise an error that names
/// the host, when the system does not know it or when the runtime has no
/// threads for blocking calls.
///
/// # Cancellation
///
/// Dropping the future loses nothing; the system's lookup, once begun, runs to
/// its end on its thread.
///
/// # Example
///
/// ```
/// # wakeline_net::testing::block_on(async {
/// let mut addrs = wakeline_net::lookup_host("localhost:80").await?;
/// assert!(addrs.all(|addr| addr.ip().is_loopback()));
/// # std::io::Result::Ok(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn lookup_host(addr: impl ToSocketAddrs) -> LookupHost {
    LookupHost::of(addr.query())
}

/// The future of [`lookup_host`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct LookupHost {
    state: LookupState,
}

#[derive(Debug)]
enum LookupState {
    Asked(Query),
    Running {
        name: String,
        job: OffloadFuture<io::Result<Vec<SocketAddr>>>,
    },
    Answered,
}

impl LookupHost {
    pub(crate) fn of(query: Query) -> LookupHost {
        LookupHost {
            state: LookupState::Asked(query),
        }
    }

    /// How an error names it; only before the first poll.
    pub(crate) fn name(&self) -> String {
        match &self.state {
            LookupState::Asked(query) => query.name(),
            LookupState::Running { name, .. } => name.clone(),
            LookupState::Answered => String::new(),
        }
    }

    pub(crate) fn poll_addrs(
        &mut self,
        cx: &mut task::Context<'_>,
    ) -> Poll<io::Result<Vec<SocketAddr>>> {
        loop {
            match &mut self.state {
                LookupState::Asked(query) => {
                    // An address that is known waits for nothing.
                    ready!(budget::poll_proceed(cx)).spend();
                    let name = query.name();
                    match std::mem::replace(query, Query::Known(Vec::new())) {
                        Query::Known(addrs) => {
                            self.state = LookupState::Answered;
                            return Poll::Ready(Ok(addrs));
                        }
                        Query::Malformed(text) => {
                            self.state = LookupState::Answered;
                            return Poll::Ready(Err(malformed(&text)));
                        }
                        Query::Name { host, port } => {
                            let job = offload(move || ask_the_system(&host, port));
                            self.state = LookupState::Running { name, job };
                        }
                    }
                }
                LookupState::Running { name, job } => {
                    let answer = ready!(Pin::new(job).poll(cx)).flatten();
                    let doing = format!("look up {name}");
                    self.state = LookupState::Answered;
                    return Poll::Ready(answer.map_err(|error| {
                        let hint = error::limits(Errno::from_io_error(&error));
                        Context::with_hint(doing, hint, error)
                    }));
                }
                LookupState::Answered => panic!("a lookup was polled after it was ready"),
            }
        }
    }
}

fn malformed(text: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "address {text:?}: it must be host:port, such as localhost:80 or [::1]:80, with a port up to 65535"
        ),
    )
}

/// Of an empty list, which is well-formed.
pub(crate) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "there is no address")
}

fn ask_the_system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let answer = std::net::ToSocketAddrs::to_socket_addrs(&(host, port));
    let addrs: Vec<SocketAddr> = answer.map_err(unless_out_of_descriptors)?.collect();
    if addrs.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the name has no addresses",
        ));
    }
    Ok(addrs)
}

/// The system asks files and servers, and where it gets no descriptor for that it tells
/// that it does not know the name. So whether there is one is asked here.
fn unless_out_of_descriptors(error: io::Error) -> io::Error {
    match rustix::event::eventfd(0, EventfdFlags::CLOEXEC) {
        Err(none @ (Errno::MFILE | Errno::NFILE)) => none.into(),
        _ => error,
    }
}

impl Future for LookupHost {
    type Output = io::Result<vec::IntoIter<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.poll_addrs(cx).map_ok(Vec::into_iter)
    }
}

/// Looks an address up and makes a socket at the first of its addresses that
/// works: the future of each `bind`.
#[must_use = "futures do nothing unless awaited"]
pub struct Bind<T> {
    lookup: LookupHost,
    make: fn(SocketAddr) -> io::Result<T>,
}

impl<T> Bind<T> {
    pub(crate) fn new(addr: impl ToSocketAddrs, make: fn(SocketAddr) -> io::Result<T>) -> Bind<T> {
        Bind {
            lookup: lookup_host(addr),
            make,
        }
    }
}

impl<T> Future for Bind<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<io::Result<T>> {
        let addrs = ready!(self.lookup.poll_addrs(cx))?;
        let mut last = no_address();
        for addr in addrs {
            match (self.make)(addr) {
                Ok(socket) => return Poll::Ready(Ok(socket)),
                Err(error) => last = error,
            }
        }
        Poll::Ready(Err(last))
    }
}

impl<T> std::fmt::Debug for Bind<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bind")
            .field("lookup", &self.lookup)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_an_address_or_a_name_or_nothing() {
        for (text, expected) in [
            ("127.0.0.1:80", "known"),
            ("[::1]:80", "known"),
            ("localhost:80", "name"),
            ("localhost", "malformed"),
            ("localhost:http", "malformed"),
            ("localhost:65536", "malformed"),
            (":80", "malformed"),
            ("", "malformed"),
        ] {
            let found = match Query::from_text(text) {
                Query::Known(_) => "known",
                Query::Name { .. } => "name",
                Query::Malformed(_) => "malformed",
            };
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn a_number_as_host_needs_no_lookup() {
        assert!(matches!(Query::from_pair("::1", 1), Query::Known(_)));
        assert!(matches!(
            Query::from_pair("a.example", 1),
            Query::Name { .. }
        ));
    }
}
