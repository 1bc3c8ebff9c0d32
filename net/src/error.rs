//! Errors of set-up that say what was being done and what to try.
//!
//! The hot path (`read`, `write`, `accept`) passes an [`io::Error`] on
//! untouched. A failed `bind` or `connect` is wrapped in a [`Context`]: the
//! kind stays, and the errno is reachable by
//! [`source`](std::error::Error::source).

use rustix::io::Errno;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// What was being done when an [`io::Error`] came up.
///
/// # Example
///
/// ```
/// use std::error::Error;
/// use std::io;
/// use wakeline_net::TcpListener;
///
/// # wakeline_net::testing::block_on(async {
/// let first = TcpListener::bind("127.0.0.1:0").await?;
/// let error = TcpListener::bind(first.local_addr()?).await.unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
/// assert!(error.to_string().starts_with("bind 127.0.0.1:"));
///
/// let errno = error.source().and_then(|source| source.downcast_ref::<io::Error>());
/// assert!(errno.is_some_and(|errno| errno.raw_os_error().is_some()));
/// # io::Result::Ok(())
/// # })?;
/// # Ok::<(), io::Error>(())
/// ```
#[derive(Debug)]
pub struct Context {
    doing: String,
    hint: Option<&'static str>,
    source: io::Error,
}

impl Context {
    /// Wraps `source`, keeping its kind.
    pub(crate) fn wrap(doing: impl Into<String>, source: io::Error) -> io::Error {
        Context::with_hint(doing, None, source)
    }

    pub(crate) fn with_hint(
        doing: impl Into<String>,
        hint: Option<&'static str>,
        source: io::Error,
    ) -> io::Error {
        let doing = doing.into();
        io::Error::new(
            source.kind(),
            Context {
                doing,
                hint,
                source,
            },
        )
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.source)?;
        match self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl Error for Context {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// A socket could not be bound to `addr`.
pub(crate) fn bind(addr: SocketAddr, source: io::Error) -> io::Error {
    let hint = match Errno::from_io_error(&source) {
        Some(Errno::ACCESS | Errno::PERM) if addr.port() < 1024 => Some(
            "ports below 1024 are privileged: try one above 1023, or give the program CAP_NET_BIND_SERVICE",
        ),
        Some(Errno::ADDRINUSE) => Some(
            "another socket has this address: stop its program, try another port, or port 0 for a free one",
        ),
        Some(Errno::ADDRNOTAVAIL) => Some(
            "no interface of this machine has this address: try 0.0.0.0 or [::] for all of them",
        ),
        Some(Errno::AFNOSUPPORT) => Some("this machine has no such address family: try IPv4"),
        Some(Errno::INVAL) if lacks_interface(addr) => Some(LACKS_INTERFACE),
        other => limits(other),
    };
    Context::with_hint(format!("bind {addr}"), hint, source)
}

const LACKS_INTERFACE: &str =
    "a link-local address needs its interface, as in [fe80::1%eth0]:80 or by its scope id";

fn lacks_interface(addr: SocketAddr) -> bool {
    matches!(addr, SocketAddr::V6(addr) if addr.ip().is_unicast_link_local() && addr.scope_id() == 0)
}

/// What to try when descriptors run out.
pub(crate) fn limits(errno: Option<Errno>) -> Option<&'static str> {
    match errno? {
        Errno::MFILE => Some(
            "this process has all the descriptors it may have: raise its limit (ulimit -n), or close some",
        ),
        Errno::NFILE => Some("this machine has all the descriptors it may have: see fs.file-max"),
        Errno::NOBUFS => Some("the kernel has no memory left for sockets"),
        Errno::NOMEM => Some("the memory of the kernel, or of this control group, is used up"),
        _ => None,
    }
}

/// A connect in which every address failed.
#[derive(Debug)]
pub(crate) struct NotConnected {
    pub(crate) doing: String,
    /// In the order in which they failed; never empty.
    pub(crate) failed: Vec<(SocketAddr, io::Error)>,
}

impl NotConnected {
    /// One address is told as such, several each with their own reason. The
    /// kind is that of the last.
    pub(crate) fn into_error(mut self) -> io::Error {
        if self.failed.len() == 1
            && let Some((addr, source)) = self.failed.pop()
        {
            let name = addr.to_string();
            let doing = if self.doing.ends_with(&name) {
                self.doing
            } else {
                format!("{} ({addr})", self.doing)
            };
            let hint = connect_hint(addr, &source);
            return Context::with_hint(doing, hint, source);
        }
        let kind = self
            .failed
            .last()
            .map_or(io::ErrorKind::NotFound, |(_, error)| error.kind());
        io::Error::new(kind, self)
    }
}

fn connect_hint(addr: SocketAddr, source: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(source) {
        Some(Errno::INVAL) if lacks_interface(addr) => Some(LACKS_INTERFACE),
        Some(Errno::CONNREFUSED) => Some("nothing listens there"),
        Some(Errno::ADDRNOTAVAIL) => {
            Some("no free local port, or an address that cannot be reached from here")
        }
        other => limits(other),
    }
}

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: none of {} addresses", self.doing, self.failed.len())?;
        for (addr, error) in &self.failed {
            write!(f, "; {addr}: {error}")?;
        }
        Ok(())
    }
}

impl Error for NotConnected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let (_, last) = self.failed.last()?;
        Some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_keeps_kind_and_errno_and_tells_what_to_try() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 80));
        for (errno, kind, hint) in [
            (Errno::ACCESS, io::ErrorKind::PermissionDenied, "above 1023"),
            (Errno::ADDRINUSE, io::ErrorKind::AddrInUse, "port 0"),
            (
                Errno::MFILE,
                io::Error::from(Errno::MFILE).kind(),
                "ulimit -n",
            ),
        ] {
            let error = bind(addr, errno.into());
            assert_eq!(error.kind(), kind);
            let text = error.to_string();
            assert!(text.starts_with("bind 127.0.0.1:80: "), "{text}");
            assert!(text.contains(hint), "{text}");
            let source = error.source().and_then(|s| s.downcast_ref::<io::Error>());
            assert_eq!(
                source.and_then(io::Error::raw_os_error),
                Some(errno.raw_os_error())
            );
        }
    }

    #[test]
    fn every_address_that_failed_is_named() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let failed = vec![
            (at(1), Errno::CONNREFUSED.into()),
            (at(2), Errno::TIMEDOUT.into()),
        ];
        let doing = "connect example:1".into();
        let error = NotConnected { doing, failed }.into_error();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(
            error.to_string(),
            "connect example:1: none of 2 addresses; \
             127.0.0.1:1: Connection refused (os error 111); \
             127.0.0.1:2: Connection timed out (os error 110)"
        );
    }
}
