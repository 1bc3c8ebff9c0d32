//! What one attempt has come to so far, kept outside its future.
//!
//! A timeout drops the future in the middle of whatever it awaits. This record stays, and with it the
//! phase it was in and the times it had measured, so that the report can say
//! "timed out while reading the body" and not just "timed out".

use std::time::Duration;

/// The step an attempt is in; the text follows "while".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Resolving,
    Connecting,
    Handshaking,
    Sending,
    Waiting,
    Reading,
    Saving,
}

impl Phase {
    pub(crate) fn doing(self) -> &'static str {
        match self {
            Phase::Resolving => "resolving the host name",
            Phase::Connecting => "connecting",
            Phase::Handshaking => "shaking hands (TLS)",
            Phase::Sending => "sending the request",
            Phase::Waiting => "waiting for the response's head",
            Phase::Reading => "reading the body",
            Phase::Saving => "writing the file",
        }
    }
}

/// One attempt: its times are summed over redirects, the rest is about the last response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) phase: Phase,
    /// Looking up the name. `None`: an address, or a connection from the pool.
    pub(crate) dns: Option<Duration>,
    /// TCP connect. `None`: a connection from the pool.
    pub(crate) connect: Option<Duration>,
    pub(crate) tls: Option<Duration>,
    /// From the request to the first byte of the response.
    pub(crate) first_byte: Option<Duration>,
    /// The last request went out on a connection from the pool.
    pub(crate) reused: bool,
    pub(crate) redirects: u32,
    pub(crate) status: Option<u16>,
    /// Bytes of the body, after decompression.
    pub(crate) bytes: u64,
    /// Bytes of the body on the wire, without the framing.
    pub(crate) wire_bytes: u64,
}

/// Adds `more` to a time that may not have been measured yet.
pub(crate) fn add(sum: &mut Option<Duration>, more: Duration) {
    *sum = Some(sum.unwrap_or_default() + more);
}
