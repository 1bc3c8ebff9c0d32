//! For threads outside of the runtime: they park until the future is ready.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use wakeline_context::{budget, runs_tasks};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks this thread until `future` is ready.
///
/// An unpark that was meant for something else only costs a poll, and one that
/// comes before the park is kept by the thread.
#[track_caller]
pub(crate) fn block_on<F: Future + Unpin>(what: &str, mut future: F) -> F::Output {
    assert!(
        !runs_tasks() && !budget::is_limited(),
        "`blocking_{what}` would block a thread that runs tasks: await it instead"
    );
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut cx) {
            return output;
        }
        thread::park();
    }
}
