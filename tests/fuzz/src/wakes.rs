//! Wakers that count.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// How often somebody was woken.
#[derive(Debug, Default)]
pub struct Count(AtomicUsize);

impl Count {
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// How often since it was asked last.
    pub fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Count>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future that waits, and how often it was woken since it was polled last.
#[derive(Debug)]
pub struct Waiting<F> {
    future: F,
    woken: Arc<Count>,
}

impl<F: Future + Unpin> Waiting<F> {
    pub fn new(future: F) -> Waiting<F> {
        Waiting {
            future,
            woken: Arc::default(),
        }
    }

    /// Polls with another waker than before: only that is to be woken from now on.
    pub fn poll(&mut self) -> Poll<F::Output> {
        self.woken = Arc::default();
        let waker = Waker::from(Arc::clone(&self.woken));
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&waker))
    }

    pub fn woken(&self) -> usize {
        self.woken.get()
    }
}
