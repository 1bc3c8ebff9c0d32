//! Whom a job on another thread wakes once it is over.

use std::task::Waker;

/// Whom a job on another thread wakes once it is over.
///
/// The wake is best the last thing that the thread does before it looks for its next
/// job, as who is woken may have that at once; so the thread takes the waker out. If it
/// does not, the drop wakes.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
/// use std::task::{Wake, Waker};
/// use wakeline_context::LateWake;
///
/// struct Woken(AtomicBool);
/// impl Wake for Woken {
///     fn wake(self: Arc<Self>) {
///         self.0.store(true, SeqCst);
///     }
/// }
/// let woken = Arc::new(Woken(AtomicBool::new(false)));
/// let waker = Waker::from(Arc::clone(&woken));
/// let taken = LateWake::from(Some(waker)).take().expect("somebody waits");
/// assert!(!woken.0.load(SeqCst));
/// drop(LateWake::from(Some(taken)));
/// assert!(woken.0.load(SeqCst));
/// ```
#[derive(Debug, Default)]
#[must_use = "it wakes when it is dropped, at the latest: let that be when the thread is done"]
pub struct LateWake(Option<Waker>);

impl LateWake {
    /// The waker, if anybody waits: to be woken by the caller.
    #[must_use = "who is not woken waits for ever"]
    pub fn take(mut self) -> Option<Waker> {
        self.0.take()
    }
}

impl From<Option<Waker>> for LateWake {
    fn from(waker: Option<Waker>) -> LateWake {
        LateWake(waker)
    }
}

impl Drop for LateWake {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}
