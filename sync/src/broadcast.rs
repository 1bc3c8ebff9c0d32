//! A channel in which every receiver gets every value.
//!
//! ```text
//!              head                      tail
//!               ▼                          ▼
//!   gone ...  [ 41:1 ] [ 42:1 ] [ 43:2 ] ...        value : receivers still to come
//!        ▲                        ▲        ▲
//!     C (lagged)                  A     B (waits)
//! ```
//! 1 `Sender::send`   a value is put at the tail, for all receivers there are; if
//!                    there is no room the head goes, and whoever had not come so
//!                    far has lagged
//! 2 `State::take`    a receiver takes the value at its position, and the last to
//!                    come takes it out; behind the head it is told how many it
//!                    missed, and goes on with the oldest that is left
//! 3 `State::leave`   a receiver that is dropped is not waited for any more
//!
//! Receivers go forward, so who needs a value needs all later ones: values that
//! nobody needs are always at the head.
//!
//! # No foreign code under the lock
//!
//! Each value sits in an `Arc`, and a receiver clones that under the lock and the
//! value after it: a `Clone` may send into its own channel. The last receiver to
//! come gets the value itself. Values that fall off the head are dropped, and
//! wakers called, once the lock is gone.
//!
//! # Example
//!
//! ```
//! use wakeline_sync::broadcast::{self, TryRecvError};
//!
//! let (sender, mut slow) = broadcast::channel(2);
//! let mut quick = sender.subscribe();
//! for n in 0..3 {
//!     sender.send(n)?;
//!     assert_eq!(quick.try_recv(), Ok(n));
//! }
//! assert_eq!(slow.try_recv(), Err(TryRecvError::Lagged(1)));
//! assert_eq!(slow.try_recv(), Ok(1));
//! # Ok::<(), broadcast::SendError<i32>>(())
//! ```

mod error;
mod receiver;
mod sender;

pub use error::{RecvError, SendError, TryRecvError};
pub use receiver::{Receiver, Recv};
pub use sender::Sender;

use crate::wait_list::WaitList;
use std::collections::VecDeque;
use std::sync::Arc;

/// A channel that keeps up to `capacity` values for receivers that are behind.
///
/// # Panics
///
/// If `capacity` is zero: then no receiver would ever get anything.
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a broadcast channel must keep a value");
    let shared = Arc::new(Shared {
        list: WaitList::new(State {
            ring: VecDeque::new(),
            head: 0,
            senders: 1,
            receivers: 0,
        }),
        capacity,
    });
    let receiver = Receiver::new(Arc::clone(&shared));
    (Sender::new(shared), receiver)
}

struct Shared<T> {
    /// Receivers that wait; a grant means "look again".
    list: WaitList<State<T>, ()>,
    capacity: usize,
}

impl<T> Shared<T> {
    fn id(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
    }
}

struct State<T> {
    ring: VecDeque<Entry<T>>,
    /// The position of the ring's front, counted from the first value sent.
    head: u64,
    senders: usize,
    receivers: usize,
}

struct Entry<T> {
    value: Arc<T>,
    /// Receivers still to come, above 0. It never falls from head to tail.
    missing: usize,
}

/// What a receiver finds at its position.
enum Found<T> {
    Value(Arc<T>),
    Lagged(u64),
    Nothing,
    End,
}

impl<T> State<T> {
    /// The position of the next value to be sent.
    fn tail(&self) -> u64 {
        self.head + self.ring.len() as u64
    }

    /// Puts a value at the tail, and gives the one that had to go for it.
    fn put(&mut self, value: Arc<T>, capacity: usize) -> Option<Arc<T>> {
        let full = self.ring.len() == capacity;
        let gone = if full { self.pop() } else { None };
        self.ring.push_back(Entry {
            value,
            missing: self.receivers,
        });
        gone
    }

    fn pop(&mut self) -> Option<Arc<T>> {
        let entry = self.ring.pop_front()?;
        self.head += 1;
        Some(entry.value)
    }

    /// Takes the value for the receiver at `position`, which moves on.
    fn take(&mut self, position: &mut u64) -> Found<T> {
        if *position < self.head {
            let missed = self.head - *position;
            *position = self.head;
            return Found::Lagged(missed);
        }
        let at = (*position - self.head) as usize;
        let Some(entry) = self.ring.get_mut(at) else {
            return if self.senders == 0 {
                Found::End
            } else {
                Found::Nothing
            };
        };
        *position += 1;
        entry.missing -= 1;
        if entry.missing > 0 {
            return Found::Value(Arc::clone(&entry.value));
        }
        debug_assert_eq!(at, 0, "who needs a value needs all later ones");
        match self.pop() {
            Some(value) => Found::Value(value),
            None => unreachable!("there was an entry"),
        }
    }

    /// Nobody comes from `position` any more; gives what nobody needs now.
    fn leave(&mut self, position: u64) -> Vec<Arc<T>> {
        self.receivers -= 1;
        let at = position.saturating_sub(self.head) as usize;
        for entry in self.ring.iter_mut().skip(at) {
            entry.missing -= 1;
        }
        let mut gone = Vec::new();
        while self.ring.front().is_some_and(|entry| entry.missing == 0) {
            gone.extend(self.pop());
        }
        gone
    }
}

#[cfg(test)]
mod tests;
