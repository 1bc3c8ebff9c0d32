//! A worker's own run queue: a ring that doubles when full and that others may
//! take half of.
//!
//! ```text
//!            head ──▶                    tail ──▶
//!   … taken │ 12 │ 13 │ 14 │ 15 │ 16 │ 17 │ free, or written but not yet shown …
//!            ▲ pop: one                   ▲ push
//!            ▲ steal_into: about half
//! ```
//!
//! Positions only grow; position `p` lives in slot `p % capacity`. A pointer is
//! taken by moving `head` past it with a compare-and-swap, *after* reading the
//! slot. What a loser of that race has read is forgotten, so it does not matter
//! that it may have been rubbish:
//!
//! 1. The thief reads `head`, then `tail`, then the buffer, then slots `head..`.
//! 2. It writes what it read beyond the tail of its own ring, where nobody looks.
//! 3. It moves `head`. That fails if anyone took `head` first; back to 1.
//! 4. It moves its own `tail`, which shows the loot to the next thief.
//!
//! A slot is written again only after its owner has seen `head` move past it.
//! So a thief that reads such a new value cannot win step 3: its `head` is gone.
//! Positions have 64 bits and never come round, so the swap cannot be fooled.
//!
//! A full ring is copied into one of twice the size. A thief may still be
//! reading the old one, which is never written again, so it stays as it was until
//! both ends are gone. All old ones together are smaller than the one in use.
//!
//! Nothing here is woken and nothing sleeps; `idle.rs` sees to that.

use std::{cell::Cell, fmt, marker::PhantomData, ptr, ptr::NonNull};

use crate::padded::Padded;
use crate::sync::{
    Arc,
    atomic::{
        AtomicPtr, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

/// Most pointers one steal takes. The longer a thief copies, the surer the owner
/// pops meanwhile and the copy is for nothing.
const BATCH_MAX: u64 = 64;

/// Makes an empty queue for `capacity` pointers, and more after it has grown.
///
/// # Panics
///
/// If `capacity` is not a power of two.
pub(crate) fn new<T>(capacity: usize) -> (Owner<T>, Stealer<T>) {
    assert!(
        capacity.is_power_of_two(),
        "capacity {capacity} is not a power of two"
    );
    let ring = Arc::new(Ring {
        head: Padded(AtomicU64::new(0)),
        tail: Padded(AtomicU64::new(0)),
        buffer: AtomicPtr::new(Box::into_raw(Box::new(Buffer::new(
            capacity,
            ptr::null_mut(),
        )))),
    });
    let stealer = Stealer { ring: ring.clone() };
    (
        Owner {
            ring,
            not_sync: PhantomData,
        },
        stealer,
    )
}

/// The end of the worker: there is one, and one thread at a time uses it.
pub(crate) struct Owner<T> {
    ring: Arc<Ring<T>>,
    /// `push` and `steal_into` write `tail` and slots without asking.
    not_sync: PhantomData<Cell<()>>,
}

impl<T> Owner<T> {
    /// Puts a pointer at the end.
    #[inline]
    pub(crate) fn push(&self, item: NonNull<T>) {
        // Relaxed: only this thread writes `tail`.
        let tail = self.ring.tail.0.load(Relaxed);
        let buffer = self.reserve(tail, 1);
        buffer.slot(tail).store(item.as_ptr(), Relaxed);
        // Release pairs with the Acquire in `Ring::span`: who sees the new tail
        // sees the slot, the buffer it is in, and what the pointer points to.
        self.ring.tail.0.store(tail + 1, Release);
    }

    /// Takes the pointer at the front, the oldest.
    #[inline]
    pub(crate) fn pop(&self) -> Option<NonNull<T>> {
        // Relaxed, all three: this thread wrote `tail`, the buffer and the slots
        // itself, and a `head` that is out of date makes the swap fail.
        let tail = self.ring.tail.0.load(Relaxed);
        let mut head = self.ring.head.0.load(Relaxed);
        let buffer = self.ring.buffer(Relaxed);
        while head != tail {
            let item = buffer.slot(head).load(Relaxed);
            match self.ring.take(head, 1) {
                Ok(()) => return Some(queued(item)),
                Err(now) => head = now,
            }
        }
        None
    }

    /// How many pointers wait, at most: thieves may just be taking some.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        let tail = self.ring.tail.0.load(Relaxed);
        (tail - self.ring.head.0.load(Relaxed)) as usize
    }

    /// Whether nothing waits. Only this thread can change a "yes".
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The buffer, with room for `count` pointers from `tail` on.
    #[inline]
    fn reserve(&self, tail: u64, count: u64) -> &Buffer<T> {
        let buffer = self.ring.buffer(Relaxed);
        // Acquire pairs with the Release in `Ring::take`: the thief has read the
        // slots that it took before this thread writes them again.
        let head = self.ring.head.0.load(Acquire);
        if tail + count - head <= buffer.capacity() {
            return buffer;
        }
        self.grow(head, tail, tail + count - head)
    }

    /// Replaces the buffer by one for `wanted` pointers; the old one stays, for
    /// thieves that still read it.
    #[cold]
    fn grow(&self, head: u64, tail: u64, wanted: u64) -> &Buffer<T> {
        let old = self.ring.buffer(Relaxed);
        let capacity = wanted.next_power_of_two() as usize;
        // As it came from `Box::into_raw`: what is made of `old` could not free it.
        let new = Buffer::new(capacity, self.ring.buffer.load(Relaxed));
        for position in head..tail {
            new.slot(position)
                .store(old.slot(position).load(Relaxed), Relaxed);
        }
        // Release pairs with the Acquire in `steal_into`, for the slots above and
        // for `head`: a thief that sees this buffer sees no older `head` than the
        // one it was filled from, and so does not win a slot that was not copied.
        self.ring
            .buffer
            .store(Box::into_raw(Box::new(new)), Release);
        self.ring.buffer(Relaxed)
    }
}

impl<T> fmt::Debug for Owner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// The end of the others: any thread may take from it.
pub(crate) struct Stealer<T> {
    ring: Arc<Ring<T>>,
}

impl<T> Stealer<T> {
    /// Takes the older half, at least one and at most 64: returns the
    /// oldest and pushes the others to the thief's own queue, `to`.
    ///
    /// `None` means that the queue was empty, not that a race was lost.
    pub(crate) fn steal_into(&self, to: &Owner<T>) -> Option<NonNull<T>> {
        debug_assert!(
            !ptr::eq(&*self.ring, &*to.ring),
            "a worker steals from itself"
        );
        // Relaxed: only this thread writes its own `tail`.
        let to_tail = to.ring.tail.0.load(Relaxed);
        let mut batch = BATCH_MAX;
        loop {
            let (head, tail) = self.ring.span();
            if head == tail {
                return None;
            }
            let count = (tail - head).div_ceil(2).min(batch);
            let room = to.reserve(to_tail, count - 1);
            // Acquire pairs with the Release in `grow`. Read after `tail`, so that
            // the buffer is one that has all of `head..tail`.
            let buffer = self.ring.buffer(Acquire);
            // Relaxed: the Acquire of `tail` covers what was pushed, and what was
            // written later is forgotten below.
            let first = buffer.slot(head).load(Relaxed);
            for offset in 1..count {
                let item = buffer.slot(head + offset).load(Relaxed);
                room.slot(to_tail + offset - 1).store(item, Relaxed);
            }
            if self.ring.take(head, count).is_ok() {
                // Release: as in `push`, of which this is `count - 1` at once.
                to.ring.tail.0.store(to_tail + count - 1, Release);
                return Some(queued(first));
            }
            // The owner outruns this thief: try again with less to copy.
            batch = (batch / 2).max(1);
        }
    }

    /// Whether nothing waited a moment ago.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        let (head, tail) = self.ring.span();
        head == tail
    }
}

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Stealer<T> {
        Stealer {
            ring: self.ring.clone(),
        }
    }
}

impl<T> fmt::Debug for Stealer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stealer")
            .field("is_empty", &self.is_empty())
            .finish_non_exhaustive()
    }
}

/// What both ends share. Nothing but atomics, so threads may share it, whatever
/// `T` is: pointers go in and out, and nobody here looks behind one.
struct Ring<T> {
    /// The oldest position that nobody has taken. Whoever moves it, by `take`,
    /// has what it passes.
    head: Padded<AtomicU64>,
    /// One past the newest position. The owner writes it, and thieves who read `head`
    /// do not slow that.
    tail: Padded<AtomicU64>,
    /// The buffer in use, first of a list of all that were. The owner writes it.
    buffer: AtomicPtr<Buffer<T>>,
}

impl<T> Ring<T> {
    /// Takes the `count` pointers from `head` on, which the caller has read.
    /// `Err` has the head that someone else has moved on to.
    #[inline]
    fn take(&self, head: u64, count: u64) -> Result<(), u64> {
        // Release pairs with the Acquire in `reserve`: the slots were read before
        // they are free. Acquire on top keeps `head <= tail` for the next thief:
        // who sees this head sees the tail that the taker saw, or a later one.
        self.head
            .0
            .compare_exchange(head, head + count, AcqRel, Acquire)
            .map(drop)
    }

    /// Head and tail, as a thief reads them: `head` first, so that it is not the
    /// later one of the two.
    #[inline]
    fn span(&self) -> (u64, u64) {
        // Acquire pairs with `take`, and the second with the Release in `push`.
        let head = self.head.0.load(Acquire);
        let tail = self.tail.0.load(Acquire);
        debug_assert!(head <= tail, "head {head} is past tail {tail}");
        (head, tail)
    }

    /// The buffer in use; Relaxed is for the owner, which wrote it.
    #[inline]
    fn buffer(&self, ordering: crate::sync::atomic::Ordering) -> &Buffer<T> {
        // SAFETY: `new` and `grow` store only pointers from `Box::into_raw`, by
        // Release; `drop` alone frees them, and it needs the ring for itself,
        // while the reference returned here still borrows it.
        unsafe { &*self.buffer.load(ordering) }
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let (head, tail) = self.span();
        debug_assert!(
            head == tail || std::thread::panicking(),
            "{} left behind",
            tail - head
        );
        // Relaxed, here and below: the last `Arc` orders all before this.
        let mut next = self.buffer.load(Relaxed);
        while !next.is_null() {
            // SAFETY: it came from `Box::into_raw` in `new` or `grow`, is in this
            // list once, and both ends are gone, so nobody reads it any more.
            let buffer = unsafe { Box::from_raw(next) };
            next = buffer.older.load(Relaxed);
        }
    }
}

/// The slots of a ring, and the smaller buffer that it replaced.
struct Buffer<T> {
    slots: Box<[AtomicPtr<T>]>,
    /// Written once. Atomic only so that the ring needs no word of ours to be
    /// shared between threads.
    older: AtomicPtr<Buffer<T>>,
}

impl<T> Buffer<T> {
    fn new(capacity: usize, older: *mut Buffer<T>) -> Buffer<T> {
        let slots = (0..capacity)
            .map(|_| AtomicPtr::new(ptr::null_mut()))
            .collect();
        Buffer {
            slots,
            older: AtomicPtr::new(older),
        }
    }

    fn capacity(&self) -> u64 {
        self.slots.len() as u64
    }

    #[inline]
    fn slot(&self, position: u64) -> &AtomicPtr<T> {
        // The length is a power of two, so this is the remainder.
        &self.slots[position as usize & (self.slots.len() - 1)]
    }
}

/// A pointer that was won, so that it is one that was pushed.
#[inline]
fn queued<T>(item: *mut T) -> NonNull<T> {
    NonNull::new(item).unwrap_or_else(|| unreachable!("a slot was taken before it was filled"))
}
