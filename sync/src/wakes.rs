//! Wakers collected under a lock, woken when the lock is gone.

use std::task::Waker;

/// Wakers to wake, in the order in which they were pushed, when this is dropped.
///
/// A waker is foreign code: it may lock, drop or wake anything. So this is
/// dropped only where no lock is held; `wait_list::Locked` sees to that by the
/// order of its fields.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    /// Most of the time there is one: it costs no allocation.
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl Wakes {
    #[inline]
    pub(crate) fn push(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.rest.push(waker);
        }
    }
}

impl Drop for Wakes {
    #[inline]
    fn drop(&mut self) {
        if let Some(first) = self.first.take() {
            if self.rest.is_empty() {
                first.wake();
            } else {
                wake_all(first, std::mem::take(&mut self.rest));
            }
        }
    }
}

#[cold]
fn wake_all(first: Waker, rest: Vec<Waker>) {
    /// Goes on with the rest if one of them panics.
    struct Rest(std::vec::IntoIter<Waker>);
    impl Drop for Rest {
        fn drop(&mut self) {
            if let Some(waker) = self.0.next() {
                let _rest = Rest(std::mem::take(&mut self.0));
                waker.wake();
            }
        }
    }
    let mut rest = Rest(rest.into_iter());
    first.wake();
    for waker in rest.0.by_ref() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct PanicsAt(usize, AtomicUsize);
    impl Wake for PanicsAt {
        fn wake(self: Arc<Self>) {
            let before = self.1.fetch_add(1, Ordering::Relaxed);
            assert_ne!(before, self.0, "planned");
        }
    }

    #[test]
    fn a_waker_that_panics_does_not_keep_the_others_asleep() {
        for at in 0..4 {
            let log = Arc::new(PanicsAt(at, AtomicUsize::new(0)));
            let mut wakes = Wakes::default();
            for _ in 0..4 {
                wakes.push(Waker::from(Arc::clone(&log)));
            }
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(wakes)));
            assert!(caught.is_err());
            assert_eq!(log.1.load(Ordering::Relaxed), 4);
        }
    }
}
