//! A queue between those who have work and those who do it, which knows when
//! everything is done.
//!
//! ```text
//!   Producer ──┐                                ┌──▶ Consumer ──▶ Job ──▶ done
//!   Producer ──┼──▶ [ 5 4 3 2 1 ] capacity ─────┤                  │
//!   Producer ──┘        ▲                       └──▶ Consumer      │
//!      │                └──────────── requeue ─────────────────────┘
//!      └── join: until every item is done
//! ```
//!
//! Many on both sides. [`fifo`], [`lifo`] or [`priority`] says which item is
//! next. What is received is a [`Job`]: it derefs to the value, and the item
//! is unfinished until the job is done or dropped, so a worker that panics or
//! is aborted leaves no `join` waiting. Those who find the queue full or empty
//! wait in line; who gives up loses nothing, neither a value nor an item.
//!
//! | capacity    | a put waits                                             |
//! |-------------|---------------------------------------------------------|
//! | 0           | until a receiver waits for it: a rendezvous             |
//! | n           | while n items are in the queue (or slots are reserved)  |
//! | [`UNBOUNDED`] | never                                                 |
//!
//! A slot once granted stays good: if the receiver of a rendezvous gives up
//! in the meantime, the item stays for the next one. An item that comes back
//! from a worker is taken in also where the queue is full.
//!
//! # Example
//!
//! ```
//! use wakeline_sync::queue;
//!
//! let (producer, consumer) = queue::priority(8);
//! for task in [(3, "sweep"), (1, "rescue"), (2, "repair")] {
//!     producer.try_send(task).expect("there is room");
//! }
//! drop(producer); // what is there is still received
//! let mut order = Vec::new();
//! while let Ok(job) = consumer.try_recv() {
//!     order.push(job.1);
//! }
//! assert_eq!(order, ["rescue", "repair", "sweep"]);
//! assert_eq!(consumer.unfinished(), 0);
//! ```
//!
//! | file          | what is there                                             |
//! |---------------|-----------------------------------------------------------|
//! | `core.rs`     | the states and counts, and who is granted what: pure data |
//! | `store.rs`    | the items in their order                                  |
//! | `line.rs`     | a line of waiters                                         |
//! | `shared.rs`   | the lock, and how a future waits                          |
//! | `send.rs`, `reserve.rs` | those that put                                  |
//! | `producer.rs`, `consumer.rs`, `job.rs`, `handle.rs` | what users hold     |
//!
//! Read `core.rs` first.

mod consumer;
mod core;
mod error;
mod handle;
mod job;
mod line;
mod producer;
mod rank;
mod reserve;
mod send;
mod shared;
mod store;

pub use consumer::{Consumer, Recv};
pub use error::{SendError, TryRecvError, TrySendError};
pub use handle::{Join, Shutdown};
pub use job::Job;
pub use producer::Producer;
pub use rank::Rank;
pub use reserve::{Permit, Reserve};
pub use send::{Send, SendFrom};

use self::core::Core;
use self::shared::Shared;
use self::store::Store;
use std::fmt;
use std::sync::Arc;

/// The capacity of a queue in which a put never waits.
pub const UNBOUNDED: usize = usize::MAX;

/// A queue of `capacity` items that are received in the order of their puts.
///
/// Capacity 0 is a rendezvous, [`UNBOUNDED`] has no limit.
///
/// # Example
///
/// ```
/// use wakeline_sync::queue;
///
/// let (producer, consumer) = queue::fifo(2);
/// producer.try_send(1).expect("there is room");
/// producer.try_send(2).expect("there is room");
/// assert!(producer.try_send(3).is_err());
/// assert_eq!(*consumer.try_recv().expect("it was put"), 1);
/// ```
#[must_use]
pub fn fifo<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    Builder::fifo(capacity).build()
}

/// A queue of `capacity` items of which the last one put is received first.
///
/// # Example
///
/// ```
/// use wakeline_sync::queue;
///
/// let (producer, consumer) = queue::lifo(2);
/// producer.try_send(1).expect("there is room");
/// producer.try_send(2).expect("there is room");
/// assert_eq!(*consumer.try_recv().expect("it was put"), 2);
/// ```
#[must_use]
pub fn lifo<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    Builder::lifo(capacity).build()
}

/// A queue of `capacity` items of which the one of the lowest [`Rank`] is
/// received first; equal ranks in the order of their puts.
///
/// # Example
///
/// ```
/// use wakeline_sync::queue;
///
/// let (producer, consumer) = queue::priority(2);
/// producer.try_send((7, "later")).expect("there is room");
/// producer.try_send((1, "now")).expect("there is room");
/// assert_eq!(consumer.try_recv().expect("it was put").1, "now");
/// ```
#[must_use]
pub fn priority<T: Rank>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    Builder::priority(capacity).build()
}

/// A queue with options.
///
/// # Example
///
/// ```
/// use wakeline_sync::queue::Builder;
///
/// let (producer, consumer) = Builder::fifo(8).requeue_on_drop(true).build();
/// producer.try_send("mail").expect("there is room");
/// drop(consumer.try_recv().expect("it was put")); // the worker died
/// let job = consumer.try_recv().expect("it came back");
/// job.done();
/// assert_eq!(consumer.unfinished(), 0);
/// ```
#[must_use = "a builder does nothing before `build`"]
pub struct Builder<T> {
    store: Store<T>,
    rank: fn(&T) -> i64,
    capacity: usize,
    requeue_on_drop: bool,
}

impl<T> Builder<T> {
    /// See [`fifo`](fn@fifo).
    pub fn fifo(capacity: usize) -> Builder<T> {
        Builder::new(Store::line(false), |_| 0, capacity)
    }

    /// See [`lifo`](fn@lifo).
    pub fn lifo(capacity: usize) -> Builder<T> {
        Builder::new(Store::line(true), |_| 0, capacity)
    }

    /// See [`priority`](fn@priority).
    pub fn priority(capacity: usize) -> Builder<T>
    where
        T: Rank,
    {
        Builder::new(Store::ranked(), T::rank, capacity)
    }

    fn new(store: Store<T>, rank: fn(&T) -> i64, capacity: usize) -> Builder<T> {
        Builder {
            store,
            rank,
            capacity,
            requeue_on_drop: false,
        }
    }

    /// Whether a [`Job`] that is dropped puts its item back instead of counting
    /// it as done, as when its worker panics or is aborted; a job is then done
    /// only by [`Job::done`] or [`Job::into_inner`].
    ///
    /// Consumers of such a queue see its end only when every job is done: one
    /// that holds a job while it waits for the next would wait for itself.
    pub fn requeue_on_drop(mut self, yes: bool) -> Builder<T> {
        self.requeue_on_drop = yes;
        self
    }

    /// Makes the queue.
    #[must_use]
    pub fn build(self) -> (Producer<T>, Consumer<T>) {
        let core = Core::new(self.store, self.capacity, self.requeue_on_drop);
        let shared = Arc::new(Shared::new(core, self.rank));
        (Producer::new(Arc::clone(&shared)), Consumer::new(shared))
    }
}

impl<T> fmt::Debug for Builder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("capacity", &self.capacity)
            .field("requeue_on_drop", &self.requeue_on_drop)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
