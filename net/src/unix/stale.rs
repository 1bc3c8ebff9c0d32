//! A path that a server has left behind, or that somebody else has.

use super::{addr, listener};
use crate::error::Context;
use crate::sys;
use rustix::io::Errno;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Removes what is at `path`, which could not be bound, if it is a socket that no server
/// has any more.
pub(super) fn clear(path: &Path) -> io::Result<()> {
    let explain = |doing: &str, hint, source| {
        Context::with_hint(format!("{doing} {}", path.display()), hint, source)
    };
    let taken = |hint| Err(explain("bind", Some(hint), Errno::ADDRINUSE.into()));
    match who_has(path).map_err(|source| explain("find out who has", None, source))? {
        Holder::Nobody => Ok(()),
        Holder::Server => taken("a server listens there: stop it, or take another path"),
        Holder::File => taken("what is there is no socket: take another path"),
        Holder::OtherSocket => {
            taken("a socket of another type is there, or one of somebody else: take another path")
        }
        Holder::Stale => match std::fs::remove_file(path) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|source| explain("remove the stale socket", None, source)),
        },
    }
}

/// Who has a path that could not be bound.
#[derive(Debug, PartialEq, Eq)]
enum Holder {
    /// It has gone meanwhile.
    Nobody,
    /// A socket that nobody listens on.
    Stale,
    Server,
    /// No socket at all.
    File,
    /// A socket of another type, or one that may not be connected to.
    OtherSocket,
}

/// A socket that nobody listens on refuses; one whose queue is full says
/// `WouldBlock`.
fn who_has(path: &Path) -> io::Result<Holder> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Holder::Nobody),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Ok(Holder::File);
    }
    let addr = addr::from_std(&addr::of_path("connect", path)?)?;
    let socket = listener::socket()?;
    let kind = sys::retry(|| rustix::net::connect(&socket, &addr)).map_err(|error| error.kind());
    Ok(match kind {
        Err(io::ErrorKind::ConnectionRefused) => Holder::Stale,
        Err(io::ErrorKind::NotFound) => Holder::Nobody,
        Ok(()) | Err(io::ErrorKind::WouldBlock) => Holder::Server,
        Err(_) => Holder::OtherSocket,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net;

    #[test]
    fn a_path_that_has_gone_meanwhile_is_nobodys() -> io::Result<()> {
        let dir = std::env::temp_dir().join(format!("wakeline-gone-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let path = dir.join("a.sock");
        assert_eq!(who_has(&path)?, Holder::Nobody);
        let server = net::UnixListener::bind(&path)?;
        assert_eq!(who_has(&path)?, Holder::Server);
        // Not by a drop alone: a child that another test has just forked may have it, too.
        rustix::net::shutdown(&server, rustix::net::Shutdown::Both)?;
        drop(server);
        assert_eq!(who_has(&path)?, Holder::Stale);
        assert_eq!(who_has(&dir)?, Holder::File);
        std::fs::remove_file(&path)?;
        let _datagrams = net::UnixDatagram::bind(&path)?;
        assert_eq!(who_has(&path)?, Holder::OtherSocket);
        std::fs::remove_dir_all(&dir)
    }
}
