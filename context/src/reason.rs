//! Why something was cancelled: what, by which line, in which words.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// Why something was cancelled.
///
/// Cheap to clone: one in standard words has nothing to share, clones of any
/// other share its text.
///
/// # Example
///
/// ```
/// use wakeline_context::{Cause, Reason};
///
/// let reason = Reason::from("the client went away");
/// assert_eq!(reason.cause(), Cause::Requested);
/// assert_eq!(reason.to_string(), "the client went away");
/// ```
#[derive(Clone)]
pub struct Reason(Inner);

#[derive(Clone)]
enum Inner {
    /// Each abort makes one of these.
    Standard(Cause, &'static Location<'static>),
    Worded(Arc<Worded>),
}

/// Of [`Cause::Requested`].
struct Worded {
    text: Cow<'static, str>,
    location: &'static Location<'static>,
}

/// What sort of thing cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Someone asked for it, in words of their own.
    Requested,
    /// A deadline passed.
    Deadline,
    /// A sibling in the same scope failed or panicked.
    Sibling,
    /// The owner was dropped.
    Dropped,
    /// The task was aborted through its handle.
    Aborted,
    /// An interrupt of the user: Ctrl-C.
    Interrupt,
    /// The runtime is shutting down.
    Shutdown,
}

impl Cause {
    fn text(self) -> &'static str {
        match self {
            Cause::Requested => "cancelled on request",
            Cause::Deadline => "the deadline passed",
            Cause::Sibling => "a sibling failed",
            Cause::Dropped => "the owner was dropped",
            Cause::Aborted => "aborted",
            Cause::Interrupt => "interrupted by the user",
            Cause::Shutdown => "the runtime is shutting down",
        }
    }
}

impl Reason {
    /// A reason in words of the caller, whose line is kept.
    #[must_use]
    #[track_caller]
    pub fn new(text: impl Into<Cow<'static, str>>) -> Reason {
        Reason(Inner::Worded(Arc::new(Worded {
            text: text.into(),
            location: Location::caller(),
        })))
    }

    /// A reason of this sort, in its standard words.
    #[must_use]
    #[track_caller]
    pub fn of(cause: Cause) -> Reason {
        Reason(Inner::Standard(cause, Location::caller()))
    }

    /// A reason of this sort that names the line it is about.
    #[must_use]
    pub fn at(cause: Cause, location: &'static Location<'static>) -> Reason {
        Reason(Inner::Standard(cause, location))
    }

    /// What sort of thing cancelled.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self.0 {
            Inner::Standard(cause, _) => cause,
            Inner::Worded(_) => Cause::Requested,
        }
    }

    /// Sort and line, if there are no more words than the standard ones: what
    /// [`Reason::at`] was given.
    #[doc(hidden)]
    #[must_use]
    #[inline]
    pub fn standard(&self) -> Option<(Cause, &'static Location<'static>)> {
        match self.0 {
            Inner::Standard(cause, location) => Some((cause, location)),
            Inner::Worded(_) => None,
        }
    }

    /// The words.
    #[must_use]
    pub fn text(&self) -> &str {
        match &self.0 {
            Inner::Standard(cause, _) => cause.text(),
            Inner::Worded(worded) => &worded.text,
        }
    }

    /// The line that cancelled.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        match &self.0 {
            Inner::Standard(_, location) => location,
            Inner::Worded(worded) => worded.location,
        }
    }
}

impl From<&'static str> for Reason {
    #[track_caller]
    fn from(text: &'static str) -> Reason {
        Reason::new(text)
    }
}

impl From<String> for Reason {
    #[track_caller]
    fn from(text: String) -> Reason {
        Reason::new(text)
    }
}

impl PartialEq for Reason {
    /// Same sort, words and line.
    fn eq(&self, other: &Reason) -> bool {
        self.cause() == other.cause()
            && self.text() == other.text()
            && self.location() == other.location()
    }
}

impl Eq for Reason {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} ({:?} at {})",
            self.text(),
            self.cause(),
            self.location()
        )
    }
}
