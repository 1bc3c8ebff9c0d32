//! When to accept, when to wait: the accept loop's decisions, as plain data.
//!
//! No socket, no clock and no waker here: errors and times come in, a [`Step`]
//! goes out. `mod.rs` carries the steps out.
//!
//! ```text
//!            ┌──────────1──────────┐
//!            ▼                     │
//!        Accepting ───2──▶ Full ───3
//!          │  ▲   ▲
//!          4  6   └──────5─────┐
//!          ▼  │                │
//!        Paused ───────────────┘          any ──7──▶ Stopped
//! ```
//! 1, 2 `accepted`  a connection came; it was the last the cap allows
//! 3    `ended`     one of ours ended: there is room again
//! 4    `failed`    no descriptor or memory left, or a storm of failing peers
//! 5    `ended`     one of ours ended, so a descriptor is back: try at once
//! 6    `due`       the pause is over
//! 7    `stop`, `failed`  told to, or the listening socket itself is gone
//!
//! Why a pause at all: an `accept` that fails for want of a descriptor leaves
//! the connection in the backlog, so the listener stays readable, and a loop
//! that just tries again burns a core and helps nobody. Why not simply wait for
//! one of our own to end: the descriptors may be held by other parts of the
//! program, about which nobody tells us.

use std::io;
use std::time::{Duration, Instant};

/// The first pause after running out of descriptors.
pub(super) const PAUSE_MIN: Duration = Duration::from_millis(10);
/// The longest pause; each unsuccessful try doubles it up to here.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Failing connections in a row that are passed over at once. A longer storm
/// (a firewall that refuses each) is taken in steps of [`PAUSE_MIN`].
const STORM: u32 = 64;

/// What a failed `accept` says about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// This connection is lost, the next may be fine.
    Connection,
    /// The system or the process ran out of something; later may be better.
    Exhausted,
    /// The listening socket is gone: no later try can succeed.
    Broken,
}

/// What the accept loop does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for a connection.
    Accept,
    /// Wait until then, or for the end of a connection.
    Pause(Instant),
    /// Wait for the end of a connection.
    Full,
    /// Accept nothing more.
    Stop,
}

/// The state drawn above.
#[derive(Debug)]
pub(super) struct Policy {
    step: Step,
    cap: usize,
    active: usize,
    next_pause: Duration,
    lost_in_a_row: u32,
}

impl Policy {
    pub(super) fn new(cap: usize) -> Policy {
        let cap = cap.max(1);
        Policy {
            step: Step::Accept,
            cap,
            active: 0,
            next_pause: PAUSE_MIN,
            lost_in_a_row: 0,
        }
    }

    pub(super) fn step(&self) -> Step {
        self.step
    }

    /// Connections accepted and not yet ended.
    pub(super) fn active(&self) -> usize {
        self.active
    }

    /// Edges 1 and 2: a connection was accepted.
    pub(super) fn accepted(&mut self) {
        debug_assert_eq!(self.step, Step::Accept, "accepted without having asked");
        self.active += 1;
        self.next_pause = PAUSE_MIN;
        self.lost_in_a_row = 0;
        if self.active >= self.cap {
            self.step = Step::Full;
        }
    }

    /// Edges 4 and 7: an accept failed. Tells what the error means.
    pub(super) fn failed(&mut self, error: &io::Error, now: Instant) -> Class {
        let class = classify(error);
        match class {
            Class::Connection => {
                self.lost_in_a_row += 1;
                if self.lost_in_a_row >= STORM {
                    self.lost_in_a_row = 0;
                    self.step = Step::Pause(now + PAUSE_MIN);
                }
            }
            Class::Exhausted => {
                self.step = Step::Pause(now + self.next_pause);
                self.next_pause = (self.next_pause * 2).min(PAUSE_MAX);
            }
            Class::Broken => self.step = Step::Stop,
        }
        class
    }

    /// Edges 3 and 5: one of our own connections ended.
    ///
    /// The next pause is the shortest again: where the kernel still holds the
    /// descriptor when this is called (io_uring drops its reference a moment
    /// after the close), the try made now fails and the one 10 ms later works.
    pub(super) fn ended(&mut self) {
        debug_assert!(self.active > 0, "more ends than connections");
        self.active = self.active.saturating_sub(1);
        self.next_pause = PAUSE_MIN;
        if self.step != Step::Stop {
            self.step = Step::Accept;
        }
    }

    /// Edge 6: the pause is over.
    pub(super) fn due(&mut self) {
        if let Step::Pause(_) = self.step {
            self.step = Step::Accept;
        }
    }

    /// Edge 7: nothing more is accepted.
    pub(super) fn stop(&mut self) {
        self.step = Step::Stop;
    }
}

/// Sorts the errors of `accept(2)` by what they mean for the next call.
///
/// Linux passes errors that are already pending on the *new* socket through
/// `accept`, and its manual asks to treat those as "try again". An errno not
/// known here is taken as exhaustion: a pause costs little, giving up a
/// listener costs the service.
pub(super) fn classify(error: &io::Error) -> Class {
    let Some(errno) = error.raw_os_error() else {
        // Not from `accept`: the listener could not be watched for now, or the
        // reactor is gone or could not be made.
        return match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Class::Connection,
            io::ErrorKind::StorageFull | io::ErrorKind::OutOfMemory => Class::Exhausted,
            _ => Class::Broken,
        };
    };
    match errno {
        errno::ECONNABORTED | errno::EPROTO | errno::ENETDOWN | errno::ENETUNREACH => {
            Class::Connection
        }
        errno::EHOSTDOWN | errno::EHOSTUNREACH | errno::ENONET | errno::ENOPROTOOPT => {
            Class::Connection
        }
        errno::EINTR | errno::EPERM | errno::EAGAIN | errno::ETIMEDOUT | errno::ECONNRESET => {
            Class::Connection
        }
        errno::EBADF | errno::EINVAL | errno::ENOTSOCK | errno::EOPNOTSUPP | errno::EFAULT => {
            Class::Broken
        }
        _ => Class::Exhausted,
    }
}

/// Linux's numbers. The facade links no libc of its own for fifteen constants;
/// they are the same on each architecture that Rust's std supports there but
/// MIPS and SPARC, where an unknown number means a pause, never the end.
mod errno {
    pub(super) const EPERM: i32 = 1;
    pub(super) const EINTR: i32 = 4;
    pub(super) const EBADF: i32 = 9;
    pub(super) const EAGAIN: i32 = 11;
    pub(super) const EFAULT: i32 = 14;
    pub(super) const EINVAL: i32 = 22;
    pub(super) const ENONET: i32 = 64;
    pub(super) const EPROTO: i32 = 71;
    pub(super) const ENOTSOCK: i32 = 88;
    pub(super) const ENOPROTOOPT: i32 = 92;
    pub(super) const EOPNOTSUPP: i32 = 95;
    pub(super) const ENETDOWN: i32 = 100;
    pub(super) const ENETUNREACH: i32 = 101;
    pub(super) const ECONNABORTED: i32 = 103;
    pub(super) const ECONNRESET: i32 = 104;
    pub(super) const ETIMEDOUT: i32 = 110;
    pub(super) const EHOSTDOWN: i32 = 112;
    pub(super) const EHOSTUNREACH: i32 = 113;
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    const ENOMEM: i32 = 12;
    const ENOBUFS: i32 = 105;

    fn os(errno: i32) -> io::Error {
        io::Error::from_raw_os_error(errno)
    }

    #[test]
    fn each_errno_of_accept_has_its_meaning() {
        for errno in [EMFILE, ENFILE, ENOMEM, ENOBUFS, 9_999] {
            assert_eq!(classify(&os(errno)), Class::Exhausted, "{}", os(errno));
        }
        for errno in [
            libc::ECONNABORTED,
            libc::EPROTO,
            libc::ENETDOWN,
            libc::EINTR,
            libc::EPERM,
            libc::EAGAIN,
        ] {
            assert_eq!(classify(&os(errno)), Class::Connection, "{}", os(errno));
        }
        for errno in [
            libc::EBADF,
            libc::EINVAL,
            libc::ENOTSOCK,
            libc::EOPNOTSUPP,
            libc::EFAULT,
        ] {
            assert_eq!(classify(&os(errno)), Class::Broken, "{}", os(errno));
        }
        for errno in [
            libc::EHOSTDOWN,
            libc::EHOSTUNREACH,
            libc::ENONET,
            libc::ENOPROTOOPT,
            libc::ENETUNREACH,
        ] {
            assert_eq!(classify(&os(errno)), Class::Connection, "{}", os(errno));
        }
        assert_eq!(classify(&io::Error::other("no runtime")), Class::Broken);
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::OutOfMemory] {
            let not_watched = io::Error::new(kind, "watch a descriptor");
            assert_eq!(classify(&not_watched), Class::Exhausted);
        }
    }

    #[test]
    fn pauses_double_from_10_ms_to_a_second_and_start_over_after_a_success() {
        let now = Instant::now();
        let mut policy = Policy::new(10);
        for pause_ms in [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000] {
            assert_eq!(policy.step(), Step::Accept);
            assert_eq!(policy.failed(&os(EMFILE), now), Class::Exhausted);
            assert_eq!(
                policy.step(),
                Step::Pause(now + Duration::from_millis(pause_ms))
            );
            policy.due();
        }
        policy.accepted();
        policy.failed(&os(ENOBUFS), now);
        assert_eq!(policy.step(), Step::Pause(now + PAUSE_MIN));
    }

    #[test]
    fn the_end_of_a_connection_ends_a_pause_and_shortens_the_next() {
        let now = Instant::now();
        let mut policy = Policy::new(10);
        policy.accepted();
        for _ in 0..8 {
            policy.failed(&os(EMFILE), now);
            policy.due();
        }
        policy.failed(&os(EMFILE), now);
        assert_eq!(policy.step(), Step::Pause(now + PAUSE_MAX));
        policy.ended();
        assert_eq!((policy.step(), policy.active()), (Step::Accept, 0));
        policy.failed(&os(EMFILE), now);
        assert_eq!(policy.step(), Step::Pause(now + PAUSE_MIN));
    }

    #[test]
    fn the_cap_stops_accepting_until_one_ends() {
        let mut policy = Policy::new(2);
        policy.accepted();
        assert_eq!(policy.step(), Step::Accept);
        policy.accepted();
        assert_eq!(policy.step(), Step::Full);
        policy.due();
        assert_eq!(policy.step(), Step::Full);
        policy.ended();
        assert_eq!(policy.step(), Step::Accept);
    }

    #[test]
    fn a_lost_connection_is_passed_over_at_once_but_a_storm_of_them_is_slowed() {
        let now = Instant::now();
        let mut policy = Policy::new(2);
        for _ in 1..STORM {
            assert_eq!(
                policy.failed(&os(libc::ECONNABORTED), now),
                Class::Connection
            );
            assert_eq!(policy.step(), Step::Accept);
        }
        policy.failed(&os(libc::ECONNABORTED), now);
        assert_eq!(policy.step(), Step::Pause(now + PAUSE_MIN));
        policy.due();
        policy.failed(&os(libc::ECONNABORTED), now);
        assert_eq!(policy.step(), Step::Accept);
    }

    #[test]
    fn stopped_stays_stopped() {
        let now = Instant::now();
        let mut policy = Policy::new(2);
        policy.accepted();
        policy.failed(&os(libc::EBADF), now);
        assert_eq!(policy.step(), Step::Stop);
        policy.ended();
        policy.due();
        assert_eq!(policy.step(), Step::Stop);
    }

    #[test]
    fn a_cap_of_nothing_is_a_cap_of_one() {
        assert_eq!(Policy::new(0).step(), Step::Accept);
    }
}
