//! Idle connections, by origin, waiting for another request.
//!
//! A connection is in the pool or in one request's hands, never both: `take` moves it out, and
//! only a request that got its whole response puts it back. One that failed, timed out or was
//! aborted drops its connection instead, and the next request cannot read the rest of its answer.
//!
//! The most recently used comes out first, since it is the least likely to have been closed; the
//! server's own idle limit then ends the others. A connection that was closed or spoke meanwhile is
//! found by looking once, without waiting, as it is taken.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::exchange::{Connection, Quiet};

/// Idle for longer than this, a connection is not worth the risk: servers close at 5 s and up.
const IDLE: Duration = Duration::from_secs(30);
/// Idle connections to one origin.
const PER_ORIGIN: usize = 64;

/// Where a connection leads: requests to equal origins may share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    pub(crate) host: url::Host<String>,
    pub(crate) port: u16,
}

impl Origin {
    /// The origin of an http or https URL, `None` for any other.
    pub(crate) fn of(url: &url::Url) -> Option<Origin> {
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        Some(Origin {
            https,
            host: url.host()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }
}

struct Idle<S> {
    connection: Connection<S>,
    since: Instant,
}

/// The idle connections of one client.
pub(crate) struct Pool<S> {
    idle: Mutex<HashMap<Origin, Vec<Idle<S>>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pool<S> {
    pub(crate) fn new() -> Pool<S> {
        Pool {
            idle: Mutex::default(),
        }
    }

    /// A connection to `origin` that is still sound, if there is one.
    pub(crate) async fn take(&self, origin: &Origin) -> Option<Connection<S>> {
        loop {
            // The lock ends with this statement: `peek` polls a stream, and what is dropped closes one.
            let idle = self.lock().get_mut(origin).and_then(Vec::pop)?;
            let mut connection = idle.connection;
            if idle.since.elapsed() < IDLE && connection.peek().await == Quiet::Silent {
                return Some(connection);
            }
        }
    }

    /// Keeps `connection` for the next request to `origin`. Its last exchange must have ended well.
    pub(crate) fn put(&self, origin: &Origin, connection: Connection<S>) {
        let idle = Idle {
            connection,
            since: Instant::now(),
        };
        let mut idles = self.lock();
        let same = idles.entry(origin.clone()).or_default();
        if same.len() < PER_ORIGIN {
            same.push(idle);
        } else {
            drop(idles);
            drop(idle);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Origin, Vec<Idle<S>>>> {
        // Nothing panics in between with the map half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_equal_when_a_connection_could_be_shared() {
        let origin = |url: &str| Origin::of(&url::Url::parse(url).unwrap());
        assert_eq!(origin("http://h/a"), origin("http://H:80/b?c"));
        for other in [
            "https://h/a",
            "http://h:8080/a",
            "http://g/a",
            "https://h:80/",
        ] {
            assert_ne!(origin("http://h/a"), origin(other), "{other}");
        }
        assert_eq!(origin("ftp://h/a"), None);
    }
}
