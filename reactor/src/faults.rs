//! Faults on purpose: what a kernel may do, and hardly ever does while a test
//! looks on. Not for users.
//!
//! ```text
//!   sockets  net/sys.rs ──▶ length, interrupts      Source::try_io ──▶ spurious
//!   files    op/file.rs, net/fs/now.rs ──▶ length   op/in_flight.rs ──▶ fails, too_late
//! ```
//!
//! A fault is made *before* the kernel is asked: a short transfer is a request
//! for less, an error is a request that is never made. So nothing happens that
//! is not reported, and a test may compare every byte.
//!
//! A [`Plan`] is in force for the whole process while its [`Installed`] lives;
//! chance comes from its seed, so with one thread a run repeats itself. Builds
//! without debug assertions have none of this: every function here is a
//! constant there.

use std::io;

/// How often which fault happens: once in so many chances; 0 is never.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// Where chance begins.
    pub seed: u64,
    /// A transfer moves less than it was asked to.
    pub short: u64,
    /// A descriptor is not ready, though its event said so.
    pub spurious: u64,
    /// A signal interrupts a call or an operation.
    pub interrupt: u64,
    /// A cancel comes when the operation cannot be stopped any more.
    pub late: u64,
    /// An operation fails: the name of its type, and the errno.
    pub fail: Option<(&'static str, i32)>,
    /// How often that is.
    pub fail_one_in: u64,
}

/// How often what has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transfers cut short.
    pub short: u64,
    /// Events that were none.
    pub spurious: u64,
    /// Calls and operations interrupted.
    pub interrupt: u64,
    /// Cancels that came too late.
    pub late: u64,
    /// Operations that failed.
    pub fail: u64,
}

/// A plan in force.
#[derive(Debug)]
#[must_use = "its drop ends the plan"]
pub struct Installed(());

/// Whether this build has faults at all.
#[must_use]
pub const fn are_built_in() -> bool {
    cfg!(debug_assertions)
}

/// Puts `plan` in force, in place of any other.
pub fn install(plan: Plan) -> Installed {
    state::set(Some(plan));
    Installed(())
}

impl Installed {
    /// What has happened since.
    #[must_use]
    pub fn counts(&self) -> Counts {
        state::counts()
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        state::set(None);
    }
}

/// How much of `wanted` to ask the kernel for: at least 1, unless that is 0.
#[inline]
#[must_use]
pub fn length(wanted: usize) -> usize {
    if cfg!(debug_assertions) {
        state::length(wanted)
    } else {
        wanted
    }
}

/// Whether an event was none.
#[inline]
#[must_use]
pub fn spurious() -> bool {
    cfg!(debug_assertions) && state::happens(|plan| plan.spurious, |counts| &mut counts.spurious)
}

/// Whether a signal comes in between.
#[inline]
#[must_use]
pub fn interrupts() -> bool {
    cfg!(debug_assertions) && state::happens(|plan| plan.interrupt, |counts| &mut counts.interrupt)
}

/// Whether a cancel is too late.
#[inline]
#[must_use]
pub fn too_late() -> bool {
    cfg!(debug_assertions) && state::happens(|plan| plan.late, |counts| &mut counts.late)
}

/// The error of the operation that is about to begin, if it fails; `name` is
/// the name of its type, with path and parameters.
#[inline]
#[must_use]
pub fn fails(name: &str) -> Option<io::Error> {
    if cfg!(debug_assertions) {
        state::fails(name)
    } else {
        None
    }
}

mod state {
    use super::{Counts, Plan};
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Mutex, PoisonError};

    static ON: AtomicBool = AtomicBool::new(false);
    static STATE: Mutex<Option<(Plan, Counts)>> = Mutex::new(None);

    fn with<T>(f: impl FnOnce(&mut Plan, &mut Counts) -> T) -> Option<T> {
        // Relaxed: a test puts a plan in force before it starts what is to meet it.
        if !ON.load(Ordering::Relaxed) {
            return None;
        }
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        let (plan, counts) = state.as_mut()?;
        Some(f(plan, counts))
    }

    pub(super) fn set(plan: Option<Plan>) {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        ON.store(plan.is_some(), Ordering::Relaxed);
        *state = plan.map(|plan| (plan, Counts::default()));
    }

    pub(super) fn counts() -> Counts {
        with(|_, counts| *counts).unwrap_or_default()
    }

    /// splitmix64.
    fn next(plan: &mut Plan) -> u64 {
        plan.seed = plan.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = plan.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_in(plan: &mut Plan, n: u64) -> bool {
        n != 0 && next(plan).is_multiple_of(n)
    }

    pub(super) fn happens(
        rate: impl FnOnce(&Plan) -> u64,
        count: impl FnOnce(&mut Counts) -> &mut u64,
    ) -> bool {
        let happens = with(|plan, counts| {
            let rate = rate(plan);
            let happens = one_in(plan, rate);
            *count(counts) += u64::from(happens);
            happens
        });
        happens.unwrap_or(false)
    }

    pub(super) fn length(wanted: usize) -> usize {
        let length = with(|plan, counts| {
            let rate = plan.short;
            if wanted < 2 || !one_in(plan, rate) {
                return wanted;
            }
            counts.short += 1;
            // Fewer by a power of two of chance: small ones come, too.
            let most = (wanted >> (next(plan) % 16)).max(1) as u64;
            1 + (next(plan) % most).min(wanted as u64 - 2) as usize
        });
        length.unwrap_or(wanted)
    }

    pub(super) fn fails(name: &str) -> Option<io::Error> {
        let errno = with(|plan, counts| {
            let (which, errno) = plan.fail?;
            let rate = plan.fail_one_in;
            let fails = bare(name) == which && one_in(plan, rate);
            counts.fail += u64::from(fails);
            fails.then_some(errno)
        });
        errno.flatten().map(io::Error::from_raw_os_error)
    }

    /// The name of a type without its path and parameters.
    fn bare(name: &str) -> &str {
        let head = name.split('<').next().unwrap_or(name);
        head.rsplit("::").next().unwrap_or(head)
    }

    #[cfg(test)]
    #[test]
    fn a_name_is_bare() {
        for name in ["a::b::Read<alloc::vec::Vec<u8>>", "a::Read", "Read"] {
            assert_eq!(bare(name), "Read");
        }
    }
}
