//! Synchronisation of tasks that knows nothing but wakers.
//!
//! ```text
//!   Mutex  RwLock
//!     └──┬───┘
//!      cell: permits become references    OnceCell
//!        └────────────┬──────────────────────┘
//!                 Semaphore   Condvar   Limiter   Barrier   Event   Notify       oneshot
//!                     └──────────┴─────────┴─────────┴────────┴───────┘             │
//!                                          │                               one waiter a side:
//!                              wait_list: tickets, FIFO                    a slot is enough
//!                                          │
//!                              wakes: woken once the lock is gone
//! ```
//!
//! The channels stand on the same list: [`mpsc`] (many senders, one receiver),
//! [`broadcast`] (every value for everyone) and [`watch`] (the last value); and
//! so do the job queues of [`queue`]. Apart from it stand the tree of [`cancel`],
//! and, for those who build on this crate, sets of futures that are polled when
//! woken ([`children`]) and places for finalizers that outlive their owner
//! ([`lane`]).
//!
//! Everything here runs on any executor: a task that has to wait leaves its
//! `Waker`, and whoever makes it possible calls that. No thread is blocked, no
//! clock read, no runtime needed.
//!
//! Four rules hold for all of them.
//!
//! 1. **First come, first served.** What is released belongs to the front of the
//!    queue at once, also before its task runs; nobody barges in.
//! 2. **Nothing is lost by giving up.** A future that is dropped after it was
//!    granted something hands that on.
//! 3. **The latest waker counts.** A future polled by one task and then another
//!    wakes the other.
//! 4. **No lock is held when foreign code runs:** wakers and values are called
//!    and dropped outside.
//!
//! # Example
//!
//! ```
//! use std::pin::pin;
//! use std::task::{Context, Poll, Waker};
//! use wakeline_sync::Semaphore;
//!
//! let mut cx = Context::from_waker(Waker::noop());
//! let one = Semaphore::new(1);
//! let held = one.try_acquire().expect("nobody has it");
//! let mut next = pin!(one.acquire());
//! assert!(next.as_mut().poll(&mut cx).is_pending());
//! drop(held);
//! assert!(one.try_acquire().is_err()); // it is the next one's already
//! assert!(matches!(next.poll(&mut cx), Poll::Ready(Ok(_))));
//! ```
//!
//! Read `wait_list.rs` first, then `semaphore/word.rs`, on which the locks rest.

#![deny(unsafe_code)]

mod barrier;
mod blocking;
pub mod broadcast;
pub mod cancel;
#[allow(
    unsafe_code,
    reason = "the one place that turns permits into references"
)]
mod cell;
pub mod children;
mod condvar;
mod error;
mod event;
mod home;
pub mod lane;
mod limiter;
#[cfg(not(shuttle))]
#[cfg_attr(loom, allow(dead_code, reason = "only its own model uses it"))]
#[allow(
    unsafe_code,
    reason = "the one place that turns a flag into a reference"
)]
#[doc(hidden)] // for lists of other crates, such as the executor's of its tasks
pub mod lock;
pub mod mpsc;
mod mutex;
mod notify;
mod once_cell;
pub mod oneshot;
pub mod queue;
#[doc(hidden)] // for sets of other crates, such as the executor's `JoinSet`
pub mod ready_list;
mod rwlock;
mod semaphore;
mod sync;
mod unseen;
mod wait_list;
mod wakes;
pub mod watch;

#[doc(hidden)] // for locks of other crates, such as the executor's that favours a thread
pub use sync::membarrier;

pub use barrier::{Barrier, BarrierWait, BarrierWaitResult};
pub use condvar::{Condvar, CondvarWait, CondvarWaitWhile};
pub use error::{Broken, Closed, OverBound, TryAcquireError, TryLockError};
pub use event::{Event, Wait};
pub use limiter::{
    Limiter, LimiterAcquire, LimiterAcquireOwned, LimiterPermit, OwnedLimiterPermit,
};
pub use mutex::{Lock, LockOwned, Mutex, MutexGuard, OwnedMutexGuard};
pub use notify::{Notified, Notify};
pub use once_cell::{GetOrInit, GetOrTryInit, OnceCell, SetError};
pub use rwlock::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockRead, RwLockReadGuard,
    RwLockReadOwned, RwLockWrite, RwLockWriteGuard, RwLockWriteOwned,
};
pub use semaphore::{Acquire, AcquireOwned, OwnedPermit, Permit, Semaphore};

#[cfg(all(test, not(loom)))]
mod testing;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn everything_may_go_to_another_thread() {
        fn anywhere<T: Send + Sync + Unpin>() {}
        anywhere::<(Semaphore, Acquire<'_>, AcquireOwned)>();
        anywhere::<(Permit<'_>, OwnedPermit)>();
        anywhere::<(Mutex<u8>, Lock<'_, u8>, LockOwned<u8>)>();
        anywhere::<(MutexGuard<'_, u8>, OwnedMutexGuard<u8>)>();
        // A value that may be sent but not shared is enough for a mutex.
        anywhere::<(Mutex<std::cell::Cell<u8>>, Lock<'_, std::cell::Cell<u8>>)>();
        anywhere::<(RwLock<u8>, RwLockRead<'_, u8>, RwLockWriteOwned<u8>)>();
        anywhere::<(RwLockReadGuard<'_, u8>, OwnedRwLockWriteGuard<u8>)>();
        anywhere::<(Condvar, CondvarWait<'_, '_, u8>, Barrier, BarrierWait<'_>)>();
        anywhere::<OnceCell<u8>>();
        anywhere::<(Limiter, LimiterAcquire<'_>, OwnedLimiterPermit)>();
        anywhere::<(Event, Wait<'_>, Notify, Notified<'_>)>();
        anywhere::<(cancel::Node, cancel::Cancelled)>();
        anywhere::<(oneshot::Sender<u8>, oneshot::Receiver<u8>)>();
        anywhere::<(mpsc::Sender<u8>, mpsc::Receiver<u8>, mpsc::WeakSender<u8>)>();
        anywhere::<(mpsc::Send<'_, u8>, mpsc::Recv<'_, u8>, mpsc::Permit<'_, u8>)>();
        anywhere::<(mpsc::UnboundedSender<u8>, mpsc::OwnedPermit<u8>)>();
        anywhere::<mpsc::Sender<std::cell::Cell<u8>>>();
        anywhere::<(
            watch::Sender<u8>,
            watch::Receiver<u8>,
            watch::Changed<'_, u8>,
        )>();
        anywhere::<(
            broadcast::Sender<u8>,
            broadcast::Receiver<u8>,
            broadcast::Recv<'_, u8>,
        )>();
        // A value that may be sent but not shared is enough for a channel.
        anywhere::<oneshot::Receiver<std::cell::Cell<u8>>>();
    }
}
