//! Foreign code on the threads of this crate: wakers and destructors, which
//! must not end what others wait for.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Runs foreign code whose panic has nowhere to go: the panic hook has told of
/// it, and the thread must live on.
pub(crate) fn quietly(foreign: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(foreign))
        && let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        // A payload whose destructor panics may do so with another such one,
        // and so on; it is leaked.
        mem::forget(next);
    }
}

/// Wakes them in order, also those after one that panics.
pub(crate) fn wake_all(wakers: Vec<Waker>) {
    for waker in wakers {
        quietly(|| waker.wake());
    }
}
