//! The kernel's Unix addresses as std's, and back.

use crate::error::Context as ErrorContext;
use rustix::net::{SocketAddrAny, SocketAddrUnix};
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// Bytes of a path, beside the closing NUL.
const PATH_MAX: usize = 107;
/// The longest address that has one: behind the family's two bytes.
const LEN_MAX: u32 = 2 + PATH_MAX as u32 + 1;

/// Unnamed, too, where std has no name for it: for a path that fills its place, without
/// a NUL, of which the kernel tells one byte more than there is.
pub(super) fn to_std(addr: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    let Some(addr) = addr.filter(|addr| addr.addr_len() <= LEN_MAX) else {
        return unnamed();
    };
    let addr = SocketAddrUnix::try_from(addr)?;
    // An unnamed address may come back as an abstract one without a name.
    if let Some(name) = addr.abstract_name().filter(|name| !name.is_empty()) {
        return SocketAddr::from_abstract_name(name);
    }
    match addr.path_bytes() {
        Some(path) if !path.is_empty() => {
            // The kernel counts the closing NUL in.
            let path = path.strip_suffix(b"\0").unwrap_or(path);
            SocketAddr::from_pathname(Path::new(OsStr::from_bytes(path)))
        }
        _ => unnamed(),
    }
}

/// The address of a peer, who chooses it and must not make his server fail by that.
pub(super) fn of_peer(addr: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    to_std(addr).or_else(|_| unnamed())
}

fn unnamed() -> io::Result<SocketAddr> {
    SocketAddr::from_pathname("")
}

/// The address of a path, for what is being done with it.
pub(super) fn of_path(doing: &str, path: &Path) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(path).map_err(|source| {
        let too_long = path.as_os_str().len() > PATH_MAX;
        let hint = too_long.then_some(
            "a socket's path has at most 107 bytes: use a shorter one, or one that begins in the working directory",
        );
        ErrorContext::with_hint(format!("{doing} {}", path.display()), hint, source)
    })
}

pub(super) fn from_std(addr: &SocketAddr) -> io::Result<SocketAddrUnix> {
    if let Some(name) = addr.as_abstract_name() {
        return Ok(SocketAddrUnix::new_abstract_name(name)?);
    }
    match addr.as_pathname() {
        Some(path) => Ok(SocketAddrUnix::new(path)?),
        None => Ok(SocketAddrUnix::new_unnamed()),
    }
}

/// How an error names it.
pub(super) fn name(addr: &SocketAddr) -> String {
    match (addr.as_pathname(), addr.as_abstract_name()) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(name)) => format!("@{}", name.escape_ascii()),
        (None, None) => "an unnamed address".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_address_comes_back_as_it_went() {
        let path = SocketAddr::from_pathname("/tmp/a socket").unwrap();
        let abstract_name = SocketAddr::from_abstract_name(b"a\0name").unwrap();
        for addr in [path, abstract_name, unnamed().unwrap()] {
            let there = from_std(&addr).unwrap();
            let back = to_std(Some(there.into())).unwrap();
            assert_eq!(back.as_pathname(), addr.as_pathname());
            assert_eq!(back.as_abstract_name(), addr.as_abstract_name());
            assert_eq!(back.is_unnamed(), addr.is_unnamed());
        }
    }
}
