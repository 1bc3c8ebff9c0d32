//! Errors with their story: what was being done, why it failed, what to try.

use std::error::Error;
use std::fmt;
use std::io;

/// A reactor could not be made, cannot watch a descriptor, or cannot go on.
///
/// It is the inner error of the `io::Error` that [`Reactor::new`](crate::Reactor::new)
/// or a turn returns, or whoever was to wait, with the kind of the cause; the cause is
/// its `source()`.
#[derive(Debug)]
pub struct SetupError {
    doing: String,
    source: io::Error,
    hint: String,
}

impl SetupError {
    pub(crate) fn new(
        doing: impl Into<String>,
        source: io::Error,
        hint: impl Into<String>,
    ) -> SetupError {
        SetupError {
            doing: doing.into(),
            source,
            hint: hint.into(),
        }
    }

    /// What to try.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.doing, self.source, self.hint)
    }
}

impl Error for SetupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

impl From<SetupError> for io::Error {
    fn from(error: SetupError) -> io::Error {
        io::Error::new(error.source.kind(), error)
    }
}

/// The hint for an errno of setting something up; names the limit to raise.
pub(crate) fn hint(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EMFILE) => format!(
            "this process has all its descriptors open (limit {}): raise it by `ulimit -n`",
            crate::sys::limit(libc::RLIMIT_NOFILE)
        ),
        Some(libc::ENFILE) => "the system has all its files open (sysctl fs.file-max)".into(),
        // Which of the two a ring counts against depends on the kernel.
        Some(libc::ENOMEM) => format!(
            "what this user may lock (limit {}: `ulimit -l`), or the memory of its control group, is used up: raise that, or use fewer ring entries",
            crate::sys::limit(libc::RLIMIT_MEMLOCK)
        ),
        Some(libc::EPERM | libc::EACCES) => {
            "a seccomp filter (a container's default profile) or sysctl kernel.io_uring_disabled forbids it".into()
        }
        Some(libc::ENOSYS) => "this kernel has no io_uring, or a seccomp filter hides it".into(),
        // A flag that it does not know, or a request.
        Some(libc::EINVAL | libc::EOPNOTSUPP) => {
            "this kernel is too old for it: io_uring is used from Linux 6.1 on".into()
        }
        _ => "nothing is known to help".into(),
    }
}

/// Wraps a failed set-up step, for `map_err`.
pub(crate) fn setup(doing: &str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| {
        let hint = hint(&error);
        SetupError::new(doing, error, hint).into()
    }
}

/// Wraps the kernel's refusal to watch a descriptor: its errno would be taken for that
/// of the read or write that was to wait.
#[cold]
pub(crate) fn not_watched(error: io::Error) -> io::Error {
    let hint = match error.raw_os_error() {
        // It is no refusal of the kernel's, and tells its story.
        None => return error,
        // Of the duplicate that epoll is given for an operation.
        Some(libc::EMFILE | libc::ENFILE) => &hint(&error),
        Some(libc::ENOSPC) => {
            "this user has as many descriptors watched by epoll as sysctl fs.epoll.max_user_watches allows: raise it, or use driver uring"
        }
        Some(libc::ENOMEM) => "the memory of its control group, or of the kernel, is used up",
        Some(libc::EINVAL) => {
            "a ring's poll takes no device that wakes by more than two queues: use driver epoll"
        }
        Some(libc::EPERM) => "it has nothing to wait for: it is a regular file, or a directory",
        _ => "nothing is known to help",
    };
    SetupError::new("watch a descriptor", error, hint).into()
}

/// Wraps what ends a ring in the midst of its work.
#[cold]
pub(crate) fn ring_failed(error: io::Error) -> io::Error {
    let hint = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => {
            "a sandbox (a seccomp filter) that was applied after the runtime had started forbids it: have it allow io_uring_enter, apply it before the start, or use driver epoll"
        }
        // Told once. Whose they were is not told: who waits for them would wait for ever.
        Some(libc::EBADR) => {
            "the kernel had no memory for them and has lost completions, so this ring cannot go on: the system's memory is used up"
        }
        _ => "nothing is known to help but driver epoll",
    };
    SetupError::new("ask for completions (io_uring_enter)", error, hint).into()
}

/// There is no reactor on this thread.
///
/// It is the inner error of an `io::Error` of kind `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRuntime;

impl fmt::Display for NoRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no runtime on this thread: call this inside `block_on` or a task")
    }
}

impl Error for NoRuntime {}

/// The process was forked, and this is the child: the runtime stayed behind.
///
/// It is the inner error of an `io::Error` of kind `Other`. A child may only
/// exec, or make a runtime of its own; the parent's ring and descriptors are
/// never touched from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkedRuntime;

impl fmt::Display for ForkedRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this runtime belongs to the parent process: after fork, exec or make a new one",
        )
    }
}

impl Error for ForkedRuntime {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_start_says_what_why_and_what_to_try() {
        let cause = io::Error::from_raw_os_error(libc::ENOMEM);
        let hint = hint(&cause);
        let error = io::Error::from(SetupError::new("set up a ring", cause, hint));
        let text = error.to_string();
        assert!(
            text.starts_with("set up a ring: Cannot allocate memory (os error 12); "),
            "{text}"
        );
        for limit in ["ulimit -l", "control group"] {
            assert!(text.contains(limit), "{text}");
        }
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        let errno = error
            .get_ref()
            .and_then(|inner| inner.source())
            .and_then(|source| source.downcast_ref::<io::Error>())
            .and_then(io::Error::raw_os_error);
        assert_eq!(errno, Some(libc::ENOMEM));
    }

    #[test]
    fn a_ring_that_lacks_something_is_an_old_kernels() {
        for errno in [libc::EINVAL, libc::EOPNOTSUPP] {
            let hint = hint(&io::Error::from_raw_os_error(errno));
            assert!(hint.contains("from Linux 6.1 on"), "{hint}");
        }
    }

    #[test]
    fn what_only_epoll_can_watch_is_said() {
        let refused = io::Error::from_raw_os_error(libc::EINVAL);
        let text = not_watched(refused).to_string();
        assert!(text.contains("use driver epoll"), "{text}");
    }
}
