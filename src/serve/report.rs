//! What a server tells: each error as it happens, and the sum at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use wakeline_executor::Witness;

/// So many different errors are told apart.
const LABELS_MAX: usize = 64;
/// Bytes of an error's text under which it is counted.
const LABEL_MAX: usize = 128;

/// An error that the server went on after (see
/// [`Serve::on_error`](super::Serve::on_error)).
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// A connection could not be accepted; the next try is made after `pause`,
    /// at once if that is `None`.
    Accept {
        /// What `accept` said.
        error: io::Error,
        /// How long the server waits, unless a connection ends before.
        pause: Option<Duration>,
    },
    /// A handler returned an error.
    Connection {
        /// Whose connection it was, as its [`Peer`](super::Listener::Peer) tells.
        peer: String,
        /// What the handler returned.
        error: io::Error,
    },
    /// A handler panicked.
    Panicked {
        /// Whose connection it was.
        peer: String,
        /// The panic's message.
        message: String,
    },
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Accept { error, pause: None } => write!(f, "cannot accept: {error}"),
            ServeError::Accept {
                error,
                pause: Some(pause),
            } => {
                write!(
                    f,
                    "cannot accept: {error}; next try in {pause:.0?} or when a connection ends"
                )
            }
            ServeError::Connection { peer, error } => write!(f, "connection of {peer}: {error}"),
            ServeError::Panicked { peer, message } => {
                write!(f, "the handler of {peer} panicked: {message}")
            }
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ServeError::Accept { error, .. } | ServeError::Connection { error, .. } => Some(error),
            ServeError::Panicked { .. } => None,
        }
    }
}

/// Tells the runtime, where no hook was given. What handlers return is for debug mode alone,
/// as of all tasks: how often a connection fails is up to the client.
pub(super) fn tell_runtime(error: &ServeError) {
    let Some(witness) = Witness::here() else {
        return;
    };
    match error {
        ServeError::Connection { .. } => witness.tell_debug(error),
        ServeError::Accept { .. } | ServeError::Panicked { .. } => witness.tell(error),
    }
}

/// What a server did, from start to stop.
///
/// Each accepted connection is counted once more below: it finished, failed,
/// panicked or was aborted.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ServeReport {
    /// Connections accepted and given to the handler.
    pub accepted: u64,
    /// The most connections that were open at once.
    pub active_peak: usize,
    /// Handlers that returned `Ok`.
    pub finished: u64,
    /// Handlers that returned an error, by its kind, or by the beginning of its text where
    /// it has none. Once there are 64 different ones, new ones are "other errors".
    pub errors: BTreeMap<String, u64>,
    /// Handlers that panicked.
    pub panicked: u64,
    /// Handlers still running when the grace ended.
    pub aborted: u64,
    /// Clients turned away while there was no descriptor for them.
    pub shed: u64,
    /// Failed `accept` calls, by the error's kind.
    pub accept_errors: BTreeMap<String, u64>,
    /// Why the listener ended by itself, if it did.
    pub broken: Option<io::Error>,
}

impl ServeReport {
    pub(super) fn count_accept_error(&mut self, error: &io::Error) {
        count(&mut self.accept_errors, label(error));
    }
}

/// Counts one more under `label`. What a client says may be in an error's text: so there
/// are only so many labels.
pub(super) fn count(counts: &mut BTreeMap<String, u64>, label: String) {
    let full = counts.len() >= LABELS_MAX && !counts.contains_key(&label);
    let label = if full { "other errors".into() } else { label };
    *counts.entry(label).or_default() += 1;
}

/// The name under which an error is counted: its kind, or its own text where
/// std has no kind for it ("Too many open files (os error 24)").
pub(super) fn label(error: &io::Error) -> String {
    let kind = error.kind().to_string();
    if kind == "uncategorized error" || kind == "other error" {
        let mut text = error.to_string();
        text.truncate(text.floor_char_boundary(LABEL_MAX));
        text
    } else {
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_under_the_name_a_reader_would_use() {
        let reset = io::Error::from_raw_os_error(104);
        let full = io::Error::from_raw_os_error(24);
        assert_eq!(label(&reset), "connection reset");
        assert!(
            label(&full).starts_with("Too many open files"),
            "{}",
            label(&full)
        );
        assert_eq!(label(&io::Error::other("no greeting")), "no greeting");
    }

    #[test]
    fn a_starved_server_says_when_it_tries_again() {
        let error = io::Error::from_raw_os_error(24);
        let text = ServeError::Accept {
            error,
            pause: Some(Duration::from_millis(20)),
        }
        .to_string();
        assert_eq!(
            text,
            "cannot accept: Too many open files (os error 24); next try in 20ms or when a connection ends"
        );
    }
}
