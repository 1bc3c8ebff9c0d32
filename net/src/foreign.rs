//! Foreign code on the threads of this crate: wakers, which must not end what others
//! wait for.

use std::task::Waker;

use wakeline_context::quietly;

/// Wakes them in order, also those after one that panics.
pub(crate) fn wake_all(wakers: Vec<Waker>) {
    for waker in wakers {
        quietly(|| waker.wake());
    }
}
