//! A kernel older than the one that the tests run on, for a thread of a unit test: one
//! that knows no ring without an array of submissions (before 6.6), and no request that
//! may be missing. Other builds have none of this.

#[cfg(all(test, not(loom)))]
thread_local! {
    static IS_OLD: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether this thread's kernel is to be an old one.
#[cfg(all(test, not(loom)))]
pub(super) fn is_old() -> bool {
    IS_OLD.get()
}

#[cfg(not(all(test, not(loom))))]
pub(super) const fn is_old() -> bool {
    false
}

#[cfg(all(test, not(loom)))]
mod tests;
