//! Wakers collected under a lock, woken when the lock is gone.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::thread;

use wakeline_context::quietly;

/// Wakers to wake, in the order in which they were pushed, when this is dropped.
///
/// A waker is foreign code: it may lock, drop or wake anything. So this is
/// dropped only where no lock is held; `wait_list::Locked` sees to that by the
/// order of its fields.
#[derive(Debug, Default)]
pub(crate) struct Wakes(Option<Due>);

/// Most of the time there is one: it costs no allocation.
#[derive(Debug)]
struct Due {
    first: Waker,
    rest: Vec<Waker>,
}

impl Wakes {
    /// Wakes one, if there is one, as it would wake several.
    ///
    /// A call of its own: mostly there is none, and no registers are saved for it.
    #[inline]
    pub(crate) fn one(waker: Option<Waker>) {
        if let Some(waker) = waker {
            wake_apart(waker);
        }
    }

    /// Wakes this one, in line: for where there is always one.
    #[inline]
    pub(crate) fn just(waker: Waker) {
        wake_one(waker);
    }

    #[inline]
    pub(crate) fn push(&mut self, waker: Waker) {
        match &mut self.0 {
            None => {
                self.0 = Some(Due {
                    first: waker,
                    rest: Vec::new(),
                });
            }
            Some(wakes) => wakes.rest.push(waker),
        }
    }
}

impl Drop for Wakes {
    /// In line: most of the time there is none at all.
    #[inline]
    fn drop(&mut self) {
        if let Some(wakes) = self.0.take() {
            wakes.wake();
        }
    }
}

impl Due {
    #[inline(never)]
    fn wake(self) {
        if self.rest.is_empty() {
            wake_one(self.first);
        } else {
            wake_all(self.first, self.rest);
        }
    }
}

/// Drops a waker that is not needed after all, by who has what it was to wait for: a
/// panic of the drop would take that along.
///
/// Out of line, as that has come between two looks.
#[cold]
#[inline(never)]
pub(crate) fn discard(waker: Waker) {
    quietly(|| drop(waker));
}

#[inline]
fn wake_one(waker: Waker) {
    // The question cannot panic; the compiler does not know, and would prepare.
    let waker = ManuallyDrop::new(waker);
    // A panic out of here while the thread unwinds would end the process.
    if thread::panicking() {
        wake_quietly(ManuallyDrop::into_inner(waker));
    } else {
        ManuallyDrop::into_inner(waker).wake();
    }
}

#[inline(never)]
fn wake_apart(waker: Waker) {
    wake_one(waker);
}

#[cold]
#[inline(never)]
fn wake_quietly(waker: Waker) {
    wake_all(waker, Vec::new());
}

/// All of them, also those after one that panics; the first panic goes on.
#[cold]
fn wake_all(first: Waker, rest: Vec<Waker>) {
    let mut panic = None;
    for waker in std::iter::once(first).chain(rest) {
        match catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            Err(payload) if panic.is_none() => panic = Some(payload),
            Err(payload) => quietly(|| drop(payload)),
            Ok(()) => {}
        }
    }
    // A second panic of this thread would end the process.
    if let Some(payload) = panic
        && !thread::panicking()
    {
        resume_unwind(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    /// Panics at the wakes from this to that one.
    struct PanicsAt(std::ops::Range<usize>, AtomicUsize);
    impl Wake for PanicsAt {
        fn wake(self: Arc<Self>) {
            let before = self.1.fetch_add(1, Ordering::Relaxed);
            assert!(!self.0.contains(&before), "planned at {before}");
        }
    }

    /// If it did, this test would not fail but take all of them along.
    #[test]
    fn a_waker_that_panics_while_the_thread_unwinds_does_not_end_the_process() {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let mut wakes = Wakes::default();
            wakes.push(Waker::from(Arc::new(PanicsAt(0..1, AtomicUsize::new(0)))));
            panic!("the first");
        }));
        let payload = caught.unwrap_err().downcast::<&str>().expect("a text");
        assert_eq!(*payload, "the first");
    }

    #[test]
    fn a_waker_that_panics_does_not_keep_the_others_asleep() {
        for at in [0..1, 1..2, 2..3, 3..4, 0..4, 1..3] {
            let first = at.start;
            let log = Arc::new(PanicsAt(at, AtomicUsize::new(0)));
            let mut wakes = Wakes::default();
            for _ in 0..4 {
                wakes.push(Waker::from(Arc::clone(&log)));
            }
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(wakes)));
            let payload = caught.unwrap_err().downcast::<String>().expect("a text");
            assert_eq!(*payload, format!("planned at {first}"), "the first goes on");
            assert_eq!(log.1.load(Ordering::Relaxed), 4);
        }
    }
}
