//! Which home this thread is in: a number by which things know whose thread it is.

use crate::now::now;

/// The home that this thread is in; 0 if none. No two threads are in the same one at once.
///
/// # Example
///
/// ```
/// use wakeline_context::{home, is_home, replace_home};
///
/// assert_eq!(home(), 0);
/// assert_eq!(replace_home(7), 0);
/// assert!(is_home(7));
/// ```
#[must_use]
#[inline]
pub fn home() -> usize {
    now(|now| now.home.get())
}

/// Whether this thread is in this home.
#[must_use]
#[inline]
pub fn is_home(is: usize) -> bool {
    home() == is
}

/// Says which home this thread is in from now on, 0 for none; gives the one before.
///
/// For the executor, whose homes are the addresses of what all tasks that belong to the
/// thread keep alive. A home is only ever entered by the thread that made it, and one at
/// a time is the innermost.
#[inline]
pub fn replace_home(home: usize) -> usize {
    now(|now| now.home.replace(home))
}
