//! Homes: threads whose order of things others can ask for, so that they need not keep it.

use crate::sync::{home, membarrier, pass_the_time};

/// A home in which others can have a [barrier](membarrier), or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home(usize);

/// Looks in vain after which `pass_the_time` sleeps.
const A_MOMENT: u32 = 128;

impl Home {
    /// No thread is here.
    pub(crate) const NOWHERE: Home = Home(usize::MAX);

    /// That of this thread.
    #[inline]
    pub(crate) fn here() -> Home {
        match home() {
            0 => Home::NOWHERE,
            _ if !membarrier::is_there() => Home::NOWHERE,
            home => Home(home),
        }
    }

    /// Whether this thread is in it.
    #[inline]
    pub(crate) fn is_here(self) -> bool {
        home() == self.0
    }

    /// Whether another thread may be in it.
    pub(crate) fn is_elsewhere(self) -> bool {
        self != Home::NOWHERE && !self.is_here()
    }
}

/// Has what this thread wrote before be seen by what others read from here on behind
/// their [`light`](membarrier::light), and what they wrote before that is seen here.
pub(crate) fn meet() {
    if !membarrier::heavy() {
        // A filter of system calls that came later refuses what was promised. What a
        // processor has written it shows by itself, within a microsecond or so.
        pass_the_time(A_MOMENT);
    }
}
