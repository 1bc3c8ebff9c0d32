//! Where tasks wait to be polled.
//!
//! - [`deque`]: a worker's own ring. The owner pushes and pops, idle workers
//!   take half of what is there.
//! - [`inject`]: the shared way in, for wakes from threads that own no ring.
//! - [`fifo`]: what stays on its thread, in a list.
//!
//! All carry bare pointers and know nothing of tasks. Whoever takes a pointer
//! out has it alone, with everything the pusher wrote before; nobody else's
//! copy of it means anything.
//!
//! `idle.rs` tells who looks here, and who sleeps when there is nothing.

#[allow(
    unsafe_code,
    reason = "reads buffers that the owner may replace meanwhile"
)]
pub(crate) mod deque;
#[allow(unsafe_code, reason = "the links are inside the queued items")]
pub(crate) mod fifo;
#[allow(unsafe_code, reason = "the links are inside the queued items")]
pub(crate) mod inject;

pub(crate) use deque::{Owner, Stealer};
pub(crate) use fifo::{Fifo, Next};
pub(crate) use inject::{Inject, Link, Push};

#[cfg(test)]
#[allow(unsafe_code, reason = "the items of the tests are queued by pointer")]
mod tests;
