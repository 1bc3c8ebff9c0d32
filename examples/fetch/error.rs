//! What went wrong with one URL: a kind for programs, a sentence for people.
//!
//! A `Failure` says what was being done, on what, and why it failed; `advice` adds what to
//! try. It never ends the program: it becomes a row of the report, and the others go on.
//!
//! Below HTTP, errors travel as `io::Error`, since that is all a stream's traits can carry. A
//! `Failure` goes in as the inner error, and `Failure::from_io` finds it again on the way out.

use std::{error::Error, fmt, io};

/// The word in the report's last column, and in `error.kind` of the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The host name has no address, or the resolver did not say.
    Dns,
    /// No TCP connection.
    Connect,
    /// No TLS session: a certificate that is not trusted, or a handshake gone wrong.
    Tls,
    /// `--timeout` passed.
    Timeout,
    /// The connection ended before the response did.
    Closed,
    /// What came is not HTTP, or contradicts itself.
    Protocol,
    /// Too many redirects, or one that must not be followed.
    Redirect,
    /// The content coding is unknown or its data are broken.
    Decode,
    /// Over `--max-size`, or over a limit of this program.
    TooLarge,
    /// An HTTP status that is not a success.
    Status,
    /// The file could not be written.
    Output,
    /// Interrupted by Ctrl-C.
    Cancelled,
    /// A bug in this program: the task panicked.
    Internal,
}

impl Kind {
    /// The name that users see.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Dns => "dns",
            Kind::Connect => "connect",
            Kind::Tls => "tls",
            Kind::Timeout => "timeout",
            Kind::Closed => "closed",
            Kind::Protocol => "protocol",
            Kind::Redirect => "redirect",
            Kind::Decode => "decode",
            Kind::TooLarge => "too-large",
            Kind::Status => "status",
            Kind::Output => "output",
            Kind::Cancelled => "cancelled",
            Kind::Internal => "internal",
        }
    }

    /// Whether the same request may well succeed a moment later.
    ///
    /// A `Status` depends on the number, see [`Failure::status`].
    fn passes(self) -> bool {
        matches!(
            self,
            Kind::Dns | Kind::Connect | Kind::Timeout | Kind::Closed
        )
    }
}

/// Why one URL was not fetched.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) advice: Option<&'static str>,
    /// Worth another attempt.
    pub(crate) retry: bool,
    /// The server's `Retry-After`, as sent.
    pub(crate) retry_after: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure {
            kind,
            message: message.into(),
            advice: None,
            retry: kind.passes(),
            retry_after: None,
        }
    }

    /// A response whose status is not a success: 429 and 5xx are worth another attempt.
    pub(crate) fn status(status: http::StatusCode, retry_after: Option<String>) -> Failure {
        let retry = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        Failure {
            retry,
            retry_after,
            ..Failure::new(Kind::Status, format!("the server answered {status}"))
        }
    }

    /// Adds what to try.
    pub(crate) fn advise(mut self, advice: &'static str) -> Failure {
        self.advice = Some(advice);
        self
    }

    /// Forbids another attempt.
    pub(crate) fn fatal(mut self) -> Failure {
        self.retry = false;
        self
    }

    /// The `Failure` inside `error`, or a new one: `kind`, and what was being done.
    pub(crate) fn from_io(error: io::Error, kind: Kind, doing: &str) -> Failure {
        error
            .downcast::<Failure>()
            .unwrap_or_else(|error| Failure::new(kind, format!("{doing}: {error}")))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.advice {
            Some(advice) => write!(f, " - {advice}"),
            None => Ok(()),
        }
    }
}

impl Error for Failure {}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> io::Error {
        io::Error::other(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_trip_through_io_error() {
        let sent = Failure::new(Kind::TooLarge, "x is too large").advise("raise --max-size");
        let found = Failure::from_io(io::Error::from(sent), Kind::Decode, "decode gzip");
        assert_eq!(found.kind, Kind::TooLarge);
        assert_eq!(found.to_string(), "x is too large - raise --max-size");
    }

    #[test]
    fn any_other_error_gets_the_kind_and_the_story_of_its_place() {
        let error = io::Error::new(io::ErrorKind::InvalidData, "bad header");
        let found = Failure::from_io(error, Kind::Decode, "decode gzip");
        assert_eq!(
            (found.kind, found.to_string().as_str()),
            (Kind::Decode, "decode gzip: bad header")
        );
    }

    #[test]
    fn only_overload_and_server_errors_are_tried_again() {
        for (status, retry) in [
            (400, false),
            (403, false),
            (404, false),
            (408, true),
            (429, true),
            (500, true),
            (503, true),
        ] {
            let status = http::StatusCode::from_u16(status).unwrap();
            assert_eq!(Failure::status(status, None).retry, retry, "{status}");
        }
    }
}
