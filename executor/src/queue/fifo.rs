//! The queue of one thread: first in, first out, and nobody else looks.
//!
//! ```text
//!   head ──▶ A ──▶ B ──▶ C ◀── tail      push: C's link points to the new one
//! ```
//!
//! Nothing is allocated, however many wait: the links are inside the items.
//!
//! | field       | who                             | until                        |
//! |-------------|---------------------------------|------------------------------|
//! | an item     | its pusher                      | `push`                       |
//! | an item     | the queue                       | `pop` gives it out           |
//! | its link    | the queue that holds it         | the same                     |

use std::cell::Cell;
use std::ptr::NonNull;

/// Something with room for the link of a [`Fifo`] that it is in.
///
/// # Safety
///
/// `next` returns always the same field, and nothing but the queue writes it while
/// the item is in the queue.
pub(crate) unsafe trait Next: Sized {
    /// The item behind this one.
    fn next(&self) -> &Cell<Option<NonNull<Self>>>;
}

/// The queue: see the module.
pub(crate) struct Fifo<T> {
    head: Cell<Option<NonNull<T>>>,
    /// Means something only while there is a head.
    tail: Cell<Option<NonNull<T>>>,
    len: Cell<usize>,
}

impl<T: Next> Fifo<T> {
    pub(crate) fn new() -> Fifo<T> {
        Fifo {
            head: Cell::new(None),
            tail: Cell::new(None),
            len: Cell::new(0),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.get().is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// Queues an item behind all others.
    ///
    /// # Safety
    ///
    /// `item` is alive, is in no queue of this kind, and stays so until `pop`
    /// gives it out.
    #[inline]
    pub(crate) unsafe fn push(&self, item: NonNull<T>) {
        // SAFETY: the caller has the item alive.
        unsafe { item.as_ref() }.next().set(None);
        match self.tail.replace(Some(item)) {
            Some(last) if self.head.get().is_some() => {
                // SAFETY: it is in the queue, so its pusher has it alive.
                unsafe { last.as_ref() }.next().set(Some(item));
            }
            _ => self.head.set(Some(item)),
        }
        self.len.set(self.len.get() + 1);
    }

    /// The item that has waited longest.
    #[inline]
    pub(crate) fn pop(&self) -> Option<NonNull<T>> {
        let item = self.head.get()?;
        // SAFETY: it is in the queue, so its pusher has it alive.
        self.head.set(unsafe { item.as_ref() }.next().get());
        self.len.set(self.len.get() - 1);
        Some(item)
    }
}

impl<T> Drop for Fifo<T> {
    fn drop(&mut self) {
        // Only a bug of the executor gets here: what is in a queue leaks.
        debug_assert!(
            self.head.get().is_none() || std::thread::panicking(),
            "a queue went with somebody in it"
        );
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Item(u32, Cell<Option<NonNull<Item>>>);

    // SAFETY: a field, which nobody else writes.
    unsafe impl Next for Item {
        fn next(&self) -> &Cell<Option<NonNull<Item>>> {
            &self.1
        }
    }

    #[test]
    fn items_come_out_in_their_order_also_when_the_queue_was_empty_in_between() {
        let items: Vec<Item> = (0..5).map(|n| Item(n, Cell::new(None))).collect();
        let queue = Fifo::new();
        // SAFETY: they outlive the queue's use of them, and none is in twice.
        let push = |n: usize| unsafe { queue.push(NonNull::from(&items[n])) };
        // SAFETY: as above.
        let pop = || queue.pop().map(|item| unsafe { item.as_ref() }.0);
        for _ in 0..2 {
            assert!(queue.is_empty());
            (0..3).for_each(push);
            assert_eq!((pop(), queue.len()), (Some(0), 2));
            (3..5).for_each(push);
            assert_eq!(
                [(); 5].map(|()| pop()),
                [Some(1), Some(2), Some(3), Some(4), None]
            );
            push(0);
            assert_eq!((pop(), pop()), (Some(0), None));
        }
    }
}
