//! The timer slack of a thread, which its children inherit.
//!
//! A reactor sets that of its thread to 1 ns, so that its sleeps end on time, and
//! the kernel passes it on by fork, by exec and to new threads. A program of
//! somebody else's would wake the processor that much more often for its whole life.

use rustix::thread::{current_timer_slack, set_current_timer_slack};
use std::num::NonZeroU64;

/// What a reactor sets.
const OURS: u64 = 1;
/// The kernel's own, of a thread whose parent had not set any.
const USUAL: u64 = 50_000;

/// While it lives, this thread has the slack of others.
pub(super) struct UsualSlack {
    /// The thread's is a reactor's, and is so again afterwards.
    sharp: bool,
}

impl UsualSlack {
    pub(super) fn new() -> UsualSlack {
        // What somebody else has set is meant to be inherited.
        let sharp = current_timer_slack() == Ok(OURS);
        if sharp {
            set(0); // what the thread began with
            if current_timer_slack() == Ok(OURS) {
                // A reactor's thread has made this one.
                set(USUAL);
            }
        }
        UsualSlack { sharp }
    }
}

impl Drop for UsualSlack {
    fn drop(&mut self) {
        if self.sharp {
            set(OURS);
        }
    }
}

/// A kernel that refuses leaves it as it is, which does no harm here.
fn set(slack: u64) {
    let _refused = set_current_timer_slack(NonZeroU64::new(slack));
}
