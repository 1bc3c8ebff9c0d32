//! Opening a file that another process has leased: by tries, until the lease is gone.
//!
//! An open with `O_NONBLOCK` breaks the lease (`F_SETLEASE`), which asks who holds it to
//! give it back, and says `EAGAIN`. The kernel takes it from who does not, after
//! `/proc/sys/fs/lease-break-time`; from then on the same open succeeds.

use std::io;
use std::thread;
use std::time::Duration;

/// Pauses between two tries: they double from the first to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(64)];

/// Who does not give his lease back has it taken away after so many seconds.
const LEASE_BREAK_TIME: u64 = 45;

/// Then a try succeeds, with some time to spare.
fn lease_is_gone_after() -> Duration {
    let told = std::fs::read_to_string("/proc/sys/fs/lease-break-time");
    let told = told.ok().and_then(|seconds| seconds.trim().parse().ok());
    // Zero is never, and this is to end.
    let seconds = told.filter(|seconds| *seconds > 0);
    Duration::from_secs(seconds.unwrap_or(LEASE_BREAK_TIME).saturating_add(5))
}

/// Does an open that does not wait (`O_NONBLOCK`), and again while the file is leased.
///
/// It blocks the calling thread, and is for one that may: of a blocking pool. `go_on` is
/// asked before each pause. The open is one that is done the same each time, so that
/// one which is not about a lease, of a FIFO without a reader say, ends at once.
///
/// # Errors
///
/// What `open` says, at once if it is not `WouldBlock`; what `go_on` says. `WouldBlock` if the
/// file is leased still after the time in which the kernel takes a lease away, and five seconds.
///
/// # Example
///
/// ```
/// use std::io;
/// use wakeline_reactor::op::past_lease;
///
/// let mut tries = 0;
/// let opened = past_lease(
///     || {
///         tries += 1;
///         if tries < 3 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok("a file") }
///     },
///     || Ok(()),
/// )?;
/// assert_eq!((opened, tries), ("a file", 3));
/// # Ok::<(), io::Error>(())
/// ```
///
/// # Source
///
/// `F_SETLEASE` in `fcntl(2)`, `EWOULDBLOCK` in `open(2)`.
pub fn past_lease<T>(
    mut open: impl FnMut() -> io::Result<T>,
    go_on: impl FnMut() -> io::Result<()>,
) -> io::Result<T> {
    let first = open();
    if is_leased(&first) {
        // The limit is read from a file, which hardly any open has need of.
        within(lease_is_gone_after(), open, go_on)
    } else {
        first
    }
}

/// The kernel's word for it.
pub(super) fn is_leased<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn within<T>(
    limit: Duration,
    mut open: impl FnMut() -> io::Result<T>,
    mut go_on: impl FnMut() -> io::Result<()>,
) -> io::Result<T> {
    let mut waited = Duration::ZERO;
    let [mut pause, longest] = PAUSES;
    while waited < limit {
        go_on()?;
        thread::sleep(pause);
        waited += pause;
        pause = longest.min(pause * 2);
        let result = open();
        if !is_leased(&result) {
            return result;
        }
    }
    let text = format!("the file is leased, still after {} s", limit.as_secs());
    Err(io::Error::new(io::ErrorKind::WouldBlock, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leased() -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::EAGAIN))
    }

    /// A device, or a kernel that takes no lease away, may say so for ever.
    #[test]
    fn what_is_leased_for_ever_is_an_error_in_the_end() {
        let mut tries = 0;
        let count = || {
            tries += 1;
            leased()
        };
        let error = within(Duration::from_millis(20), count, || Ok(())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(error.to_string().contains("is leased"), "{error}");
        assert_eq!(tries, 5, "after 1, 3, 7, 15 and 31 ms of pauses");
    }

    #[test]
    fn who_is_told_to_stop_stops() {
        let mut asked = 0;
        let stop = || {
            asked += 1;
            if asked == 3 {
                Err(io::ErrorKind::Interrupted.into())
            } else {
                Ok(())
            }
        };
        let error = past_lease(leased, stop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
        assert_eq!(asked, 3);
    }

    #[test]
    fn another_error_is_told_at_once() {
        let fifo = || io::Result::<()>::Err(io::Error::from_raw_os_error(libc::ENXIO));
        let error = past_lease(fifo, || panic!("it does not wait")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
    }
}
