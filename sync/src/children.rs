//! A set of futures in one task, each polled only when it was woken.
//!
//! ```text
//!   wake of child 7 ──▶ ready list: 7 ──▶ wake of the task ──▶ poll_next
//!                                                              polls 7, not the rest
//! ```
//!
//! `ready_list.rs` has the wakers and the list; here are the futures. What is
//! promised on top:
//!
//! - **Fair.** Children are polled in the order of their wakes. One that wakes
//!   itself goes to the end, and after [`POLLS_PER_TURN`] polls without an
//!   output the set gives way to the other tasks. So it does when the task's
//!   budget is spent, of which each output costs a unit.
//! - **Isolated.** A child that panics is dropped, and its panic comes out as its
//!   result; so does the panic of its destructor. The others are not disturbed.
//! - **Tidy.** A child that is done is dropped before its output is handed out.
//!
//! It knows no clock, no cancellation and no task: the scope, `join_all` and the
//! streams are built on it.

use crate::ready_list::{ReadyList, Signal};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wakeline_context::{budget, quietly};

pub use crate::ready_list::{Key, Nudge};

/// After so many polls of children, none of which had an output, the set gives
/// way to other tasks.
pub const POLLS_PER_TURN: u32 = 64;

/// What a panic carries.
pub type Payload = Box<dyn Any + Send>;

/// What [`Children::poll_next`] returns: which child is done, and its output.
pub type Next<T> = Poll<Option<(Key, Result<T, Payload>)>>;

/// Futures that run concurrently in the task that polls the set.
///
/// `F` is what moves: `Pin<Box<dyn Future<Output = T> + Send>>`, or any other
/// future that is `Unpin`.
///
/// # Example
///
/// ```
/// use std::future::{Future, ready};
/// use std::pin::Pin;
/// use std::task::{Context, Poll, Waker};
/// use wakeline_sync::children::Children;
///
/// let mut cx = Context::from_waker(Waker::noop());
/// let mut children: Children<Pin<Box<dyn Future<Output = u8> + Send>>> = Children::new();
/// let one = children.insert(Box::pin(ready(1)));
/// let two = children.insert(Box::pin(async { panic!("planned") }));
///
/// let Poll::Ready(Some((key, Ok(1)))) = children.poll_next(&mut cx) else { panic!() };
/// assert_eq!(key, one);
/// let Poll::Ready(Some((key, Err(_payload)))) = children.poll_next(&mut cx) else { panic!() };
/// assert_eq!(key, two);
/// assert!(matches!(children.poll_next(&mut cx), Poll::Ready(None))); // it is empty
/// ```
pub struct Children<F> {
    ready: ReadyList,
    slots: Vec<Slot<F>>,
    /// Indices of empty slots.
    free: Vec<usize>,
    len: usize,
    /// Polls since the set last gave way.
    polls: u32,
    polled: u64,
    gave_way: bool,
}

struct Slot<F> {
    generation: u64,
    child: Option<Child<F>>,
}

struct Child<F> {
    future: F,
    signal: Arc<Signal>,
    waker: Waker,
}

impl<F> Children<F> {
    /// An empty set.
    #[must_use]
    pub fn new() -> Children<F> {
        Children {
            ready: ReadyList::new(),
            slots: Vec::new(),
            free: Vec::new(),
            len: 0,
            polls: 0,
            polled: 0,
            gave_way: false,
        }
    }

    /// How many children there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many polls of children there were.
    #[must_use]
    pub fn polled(&self) -> u64 {
        self.polled
    }

    /// Whether the last [`poll_next`](Children::poll_next) was pending only to give way
    /// to other tasks. As each child is polled in its turn, all that were woken by then
    /// have had a poll after as many more as there are children.
    #[must_use]
    pub fn gave_way(&self) -> bool {
        self.gave_way
    }

    /// Puts a future into the set; the next [`poll_next`](Children::poll_next)
    /// polls it.
    ///
    /// The task is not woken: who inserts, polls, or [nudges](Children::nudge).
    pub fn insert(&mut self, future: F) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                child: None,
            });
            self.slots.len() - 1
        });
        let slot = &mut self.slots[index];
        let key = Key {
            index,
            generation: slot.generation,
        };
        let signal = self.ready.signal(key);
        slot.child = Some(Child {
            future,
            waker: Waker::from(Arc::clone(&signal)),
            signal,
        });
        self.len += 1;
        key
    }

    /// Takes a child out, unless it is done; its wakers wake nothing from now on.
    ///
    /// # Example
    ///
    /// ```
    /// use std::future::{Ready, ready};
    /// use wakeline_sync::children::Children;
    ///
    /// let mut children: Children<Ready<u8>> = Children::new();
    /// let key = children.insert(ready(1));
    /// assert!(children.remove(key).is_some());
    /// assert!(children.remove(key).is_none()); // the key names nothing any more
    /// ```
    pub fn remove(&mut self, key: Key) -> Option<F> {
        Some(self.take(key)?.future)
    }

    /// Whether the child is in the set.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        let slot = self.slots.get(key.index);
        slot.is_some_and(|slot| slot.generation == key.generation && slot.child.is_some())
    }

    /// The child, unless it is done.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut F> {
        let slot = self.slots.get_mut(key.index)?;
        let child = slot.child.as_mut()?;
        (slot.generation == key.generation).then_some(&mut child.future)
    }

    /// The keys of all children, in no order that means anything.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        let with_child = |(index, slot): (usize, &Slot<F>)| {
            slot.child.as_ref().map(|_| Key {
                index,
                generation: slot.generation,
            })
        };
        self.slots
            .iter()
            .enumerate()
            .filter_map(with_child)
            .collect()
    }

    /// Wakes the task that polls this set, from anywhere.
    #[must_use]
    pub fn nudge(&self) -> Nudge {
        self.ready.nudge()
    }

    /// Empties the slot; the caller drops what was in it.
    fn take(&mut self, key: Key) -> Option<Child<F>> {
        let slot = self.slots.get_mut(key.index)?;
        if slot.generation != key.generation {
            return None;
        }
        let child = slot.child.take()?;
        slot.generation += 1;
        child.signal.retire();
        self.free.push(key.index);
        self.len -= 1;
        Some(child)
    }

    /// Drops every child; the panics of their destructors come back.
    pub fn drop_all(&mut self) -> Vec<Payload> {
        let mut panics = Vec::new();
        for key in self.keys() {
            if let Some(child) = self.take(key) {
                panics.extend(drop_caught(child));
            }
        }
        panics
    }
}

impl<F: Future + Unpin> Children<F> {
    /// The next output; `None` if the set is empty.
    ///
    /// Once it is pending, the task is woken when a child was; once it is `None`,
    /// when somebody [nudges](Children::nudge). After an output it has to be
    /// polled again before the task may wait: an output leaves no waker.
    ///
    /// # Errors
    ///
    /// A child's result is `Err` with the payload if it, or its destructor,
    /// panicked.
    ///
    /// # Cancellation
    ///
    /// There is no future to drop; an output is taken by the poll that returns it.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Next<F::Output> {
        self.ready.begin();
        self.gave_way = false;
        loop {
            if self.len == 0 {
                // For the waker that this leaves: a nudge may be what comes next.
                while self.ready.poll_pop(cx).is_ready() {}
                self.polls = 0;
                return Poll::Ready(None);
            }
            if self.polls >= POLLS_PER_TURN || budget::is_spent() {
                self.polls = 0;
                self.gave_way = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Poll::Ready(key) = self.ready.poll_pop(cx) else {
                self.polls = 0;
                return Poll::Pending;
            };
            if let Some(output) = self.poll_child(key) {
                if !budget::is_spent()
                    && let Poll::Ready(unit) = budget::poll_proceed(cx)
                {
                    unit.spend();
                }
                return Poll::Ready(Some((key, output)));
            }
            self.polls += 1;
        }
    }

    /// The child's output, if it has one now; a key of one that is gone has none.
    fn poll_child(&mut self, key: Key) -> Option<Result<F::Output, Payload>> {
        let slot = &mut self.slots[key.index];
        if slot.generation != key.generation {
            return None;
        }
        let child = slot.child.as_mut()?;
        self.polled += 1;
        child.signal.take();
        let mut cx = Context::from_waker(&child.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            Pin::new(&mut child.future).poll(&mut cx)
        }));
        let output = match polled {
            Ok(Poll::Pending) => return None,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(payload),
        };
        let child = self.take(key)?;
        Some(match (output, drop_caught(child)) {
            (Ok(output), Some(payload)) => {
                quietly(|| drop(output));
                Err(payload)
            }
            (output, dropped) => {
                quietly(|| drop(dropped));
                output
            }
        })
    }
}

/// Drops `value` and returns the panic that this caused.
///
/// # Example
///
/// ```
/// use wakeline_sync::children::drop_caught;
///
/// struct Loud;
/// impl Drop for Loud {
///     fn drop(&mut self) {
///         panic!("in the destructor");
///     }
/// }
/// assert!(drop_caught(Loud).is_some());
/// assert!(drop_caught(5).is_none());
/// ```
pub fn drop_caught<T>(value: T) -> Option<Payload> {
    catch_unwind(AssertUnwindSafe(|| drop(value))).err()
}

/// Goes on with the first of these panics, unless this thread panics already.
///
/// The others were told of by the panic hook. What their payloads do when they are
/// dropped must not meet a thread that unwinds, which would end the process.
pub fn resume_first(panics: Vec<Payload>) {
    let mut panics = panics.into_iter();
    let first = match std::thread::panicking() {
        true => None,
        false => panics.next(),
    };
    panics.for_each(|rest| quietly(|| drop(rest)));
    if let Some(first) = first {
        resume_unwind(first);
    }
}

impl<F> Default for Children<F> {
    fn default() -> Children<F> {
        Children::new()
    }
}

impl<F> Drop for Children<F> {
    /// Drops all, also if some panic; the first panic goes on.
    fn drop(&mut self) {
        resume_first(self.drop_all());
    }
}

impl<F> fmt::Debug for Children<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Children")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
