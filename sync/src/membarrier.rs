//! A memory barrier between two sides of which one pays for both.
//!
//! Two threads that each write a word and then read the other's need a barrier in
//! between on both sides, or each may miss what the other wrote. It costs as much
//! as an exchange. Where one side comes a million times as often as the other, the
//! rare one can have the kernel put a barrier into every thread of the process:
//! `membarrier(2)` with `MEMBARRIER_CMD_PRIVATE_EXPEDITED`, Linux 4.14, half a
//! microsecond on two processors. Then the frequent side must only keep the
//! compiler from changing the order.
//!
//! ```text
//!   often: write A ─ light() ─ read B        rarely: write B ─ heavy() ─ read A
//!                       one of the two sees the other
//! ```
//!
//! Miri knows no such call, nor what the kernel's barrier would be in its model of
//! memory: there each side has a fence of its own, or none is to be had.
//!
//! # Example
//!
//! ```
//! use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
//! use wakeline_sync::membarrier as barrier;
//!
//! static OFTEN: AtomicBool = AtomicBool::new(false);
//! static RARELY: AtomicBool = AtomicBool::new(false);
//! if barrier::is_there() {
//!     let other = std::thread::spawn(|| {
//!         OFTEN.store(true, Relaxed);
//!         barrier::light();
//!         RARELY.load(Relaxed)
//!     });
//!     RARELY.store(true, Relaxed);
//!     if barrier::heavy() {
//!         let seen = OFTEN.load(Relaxed);
//!         assert!(other.join().unwrap() || seen);
//!     }
//! }
//! ```

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{compiler_fence, fence};

use rustix::thread::{MembarrierCommand, membarrier, membarrier_query};

/// Whether [`heavy`] is to be had. Decided once for the process, by the first who asks:
/// cheap while there is one thread, some milliseconds where there are more.
#[must_use]
pub fn is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| {
        if cfg!(miri) {
            return std::env::var_os("WAKELINE_MIRI_NO_BARRIER").is_none();
        }
        membarrier_query().contains_command(MembarrierCommand::PrivateExpedited)
            && membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
    })
}

/// The frequent side's: what is written before is written before what is read after,
/// as far as the compiler goes.
#[inline]
pub fn light() {
    if cfg!(miri) {
        fence(SeqCst);
    } else {
        compiler_fence(SeqCst);
    }
}

/// The rare side's, which makes a barrier of each [`light`] that another thread is at.
/// False if it was none: a filter of system calls that came after [`is_there`].
#[must_use = "if it was no barrier nothing may be read on the strength of it"]
pub fn heavy() -> bool {
    if REFUSED.get() {
        return false;
    }
    if cfg!(miri) {
        fence(SeqCst);
        return true;
    }
    membarrier(MembarrierCommand::PrivateExpedited).is_ok()
}

thread_local! {
    static REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// From now on [`heavy`] is refused on this thread, or no longer, as by a filter of its
/// system calls. For tests.
pub fn refuse(refused: bool) {
    REFUSED.set(refused);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barrier_that_is_there_can_be_had() {
        assert!(!is_there() || heavy());
    }
}
