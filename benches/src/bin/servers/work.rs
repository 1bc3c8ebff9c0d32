//! What is done with a message before it is answered: a computation of fixed
//! length, if it is a heavy one; and the last is counted, if there is to be one.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What a heavy message begins with, where any are.
const HEAVY: u8 = 0xff;
/// How long a heavy one is computed on.
const TIME: Duration = Duration::from_millis(1);

/// How much a heavy message is, and whether all are counted; neither by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    rounds: u64,
    counted: bool,
}

/// Messages until the process ends.
static LEFT: AtomicU64 = AtomicU64::new(0);

impl Work {
    /// So many rounds for a heavy message; the process ends at the `messages`th
    /// that is read, if that is not 0.
    pub(crate) fn new(rounds: u64, messages: u64) -> Work {
        LEFT.store(messages, Ordering::Relaxed);
        Work {
            rounds,
            counted: messages > 0,
        }
    }

    /// Computes, if the message is a heavy one.
    pub(crate) fn on(self, message: &[u8]) {
        if self.rounds > 0 && message.first() == Some(&HEAVY) {
            mix(self.rounds);
        }
        if self.counted {
            count();
        }
    }
}

/// Ends the process at the last: whoever counts its instructions cannot have it
/// end at a signal, where that comes during a system call that valgrind does not
/// let be interrupted.
#[cold]
fn count() {
    if LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::exit(0);
    }
}

/// Rounds of an integer mix, each of which needs the one before.
#[inline(never)]
fn mix(rounds: u64) {
    let mut x = black_box(rounds);
    for _ in 0..rounds {
        // xorshift64 (Marsaglia 2003).
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    black_box(x);
}

/// The rounds that take [`TIME`] of a processor, as of now.
pub(crate) fn rounds() -> u64 {
    const TRIED: u64 = 1 << 18;
    let own = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    let tries = (0..20).map(|_| {
        let start = own();
        mix(TRIED);
        own() - start
    });
    // The least: the others were disturbed.
    let least = tries.min().unwrap_or(TIME).max(Duration::from_nanos(1));
    (TRIED as f64 * TIME.as_secs_f64() / least.as_secs_f64()).max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_it_is_set_to_be() {
        assert!(rounds() > 0);
        Work::default().on(&[HEAVY]);
        // Would not come back in this life.
        Work::new(u64::MAX, 0).on(&[0, HEAVY]);
        Work::new(u64::MAX, 0).on(&[]);
        Work::new(10, 0).on(&[HEAVY]);
    }
}
