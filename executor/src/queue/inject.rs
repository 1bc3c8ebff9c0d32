//! The shared way in: a stack that anyone pushes to and that is taken whole.
//!
//! ```text
//!   head ──▶ C ──▶ B ──▶ A          push: C's link points to B, head to C
//!   head ──▶ (nothing)              take_all: gives A, B, C
//! ```
//!
//! A push is one compare-and-swap and allocates nothing: the links are inside the
//! items. The newest is on top, so the taker turns the chain round, once, and
//! pushes are served in their order. Nobody ever takes a single item off, which
//! is what makes lock-free stacks go wrong (the item below may be gone and back
//! again by the time the swap succeeds): here links are read only by whoever has
//! already taken the whole chain.
//!
//! | field       | who                             | until                        |
//! |-------------|---------------------------------|------------------------------|
//! | an item     | its pusher                      | the swap in `push` succeeds  |
//! | its link    | the pusher, then the `Chain`    | `Chain::next` gives it away  |
//! | `head`      | anyone, atomically              | the `Inject` is dropped      |

use std::{fmt, marker::PhantomData, ptr, ptr::NonNull};

use crate::sync::atomic::{
    AtomicPtr,
    Ordering::{Acquire, Relaxed, Release},
};

/// Something with room for the link of a queue that it is in.
///
/// # Safety
///
/// `link` returns a pointer to a field of `this`, or of something that lives as
/// long, always the same one; nothing but the queue writes it while `this` is
/// in the queue.
pub(crate) unsafe trait Link: Sized {
    /// Where the link is.
    ///
    /// # Safety
    ///
    /// `this` points to a live item.
    unsafe fn link(this: NonNull<Self>) -> NonNull<AtomicPtr<Self>>;
}

/// What a push met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// The queue was empty: whoever takes from it may not know that there is work.
    First,
    /// An earlier push has not been taken either, so its pusher has told.
    More,
}

/// The queue: see the module.
pub(crate) struct Inject<T> {
    head: AtomicPtr<T>,
}

impl<T: Link> Inject<T> {
    pub(crate) fn new() -> Inject<T> {
        Inject {
            head: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Queues an item, from any thread.
    ///
    /// # Safety
    ///
    /// `item` is alive, is in no queue of this kind, and stays so until a
    /// [`Chain`] gives it out.
    #[inline]
    pub(crate) unsafe fn push(&self, item: NonNull<T>) -> Push {
        // SAFETY: the caller has the item alive.
        let link = unsafe { T::link(item) };
        // SAFETY: `Link` promises a field of the live item; it is atomic.
        let link = unsafe { link.as_ref() };
        // Relaxed: what is behind `head` is of no interest here.
        let mut head = self.head.load(Relaxed);
        loop {
            // Relaxed: the swap below shows it.
            link.store(head, Relaxed);
            // Release pairs with the Acquire in `take_all`: it sees the link
            // and what the pusher wrote before. Those of earlier pushes too, as
            // only swaps change `head`.
            match self
                .head
                .compare_exchange_weak(head, item.as_ptr(), Release, Relaxed)
            {
                Ok(_) if head.is_null() => return Push::First,
                Ok(_) => return Push::More,
                Err(now) => head = now,
            }
        }
    }

    /// Takes all that is queued, the oldest first. Any thread may.
    #[inline]
    pub(crate) fn take_all(&self) -> Chain<T> {
        // Acquire pairs with the Release in `push`.
        let newest = self.head.swap(ptr::null_mut(), Acquire);
        // SAFETY: the swap took the chain off `head`, so nobody else has it.
        unsafe { Chain::reversed(newest) }
    }

    /// Whether nothing was queued a moment ago.
    ///
    /// Relaxed: a worker about to sleep asks after the fence in `Idle::sleep`.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Relaxed).is_null()
    }
}

impl<T> fmt::Debug for Inject<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.head.load(Relaxed).is_null() {
            "empty"
        } else {
            "some"
        };
        f.debug_tuple("Inject").field(&state).finish()
    }
}

impl<T> Drop for Inject<T> {
    fn drop(&mut self) {
        debug_assert!(
            self.head.load(Relaxed).is_null() || std::thread::panicking(),
            "items left in the inject queue"
        );
    }
}

/// Items taken out, the oldest first. They are the holder's: what it does not
/// iterate over is never run and never freed.
#[must_use = "the items are no longer queued: whoever drops the chain loses them"]
pub(crate) struct Chain<T: Link> {
    next: Option<NonNull<T>>,
    not_send: PhantomData<*mut T>,
}

impl<T: Link> Chain<T> {
    /// Turns a stack round.
    ///
    /// # Safety
    ///
    /// The caller has just taken `newest` and what is below it off `head`, by
    /// Acquire, or `newest` is null.
    unsafe fn reversed(newest: *mut T) -> Chain<T> {
        let mut older = NonNull::new(newest);
        let mut next: Option<NonNull<T>> = None;
        while let Some(item) = older {
            // SAFETY: the caller took it off `head`, and the pusher keeps it alive until
            // a chain gives it out, which this one has not begun to.
            let link = unsafe { T::link(item) };
            // SAFETY: as above; a field of the item by the promise of `Link`.
            let link = unsafe { link.as_ref() };
            // Relaxed: the taker's Acquire covers the pushers' links, and nobody
            // else looks at them now.
            older = NonNull::new(link.load(Relaxed));
            link.store(next.map_or(ptr::null_mut(), NonNull::as_ptr), Relaxed);
            next = Some(item);
        }
        Chain {
            next,
            not_send: PhantomData,
        }
    }
}

impl<T: Link> Iterator for Chain<T> {
    type Item = NonNull<T>;

    #[inline]
    fn next(&mut self) -> Option<NonNull<T>> {
        let item = self.next?;
        // SAFETY: alive until it is given out, which is three lines down: after
        // that its new holder may free it, so the link is read first.
        let link = unsafe { T::link(item) };
        // SAFETY: as above; a field of the item by the promise of `Link`.
        let link = unsafe { link.as_ref() };
        self.next = NonNull::new(link.load(Relaxed));
        Some(item)
    }
}

impl<T: Link> fmt::Debug for Chain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("is_empty", &self.next.is_none())
            .finish()
    }
}

impl<T: Link> Drop for Chain<T> {
    fn drop(&mut self) {
        debug_assert!(
            self.next.is_none() || std::thread::panicking(),
            "items lost with a chain"
        );
    }
}
