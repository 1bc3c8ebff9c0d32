//! One connection: its handler's task, and the news of its end.
//!
//! ```text
//!   task of the connection                         accept loop
//!   ──────────────────────                         ───────────
//!   handler ends, fails, panics or is aborted
//!   1 the stream is dropped, its descriptor closed
//!   2 `End` is dropped: number into the list ────▶ 3 `poll_ended` takes the list
//! ```
//! The order of 1 and 2 matters: the loop takes an end as "a descriptor is
//! free" and tries to accept at once.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::OnError;
use super::report::{ServeError, ServeReport, count, label};

/// What the connections tell the accept loop.
pub(super) struct Shared {
    news: Mutex<News>,
    on_error: OnError,
}

#[derive(Default)]
struct News {
    ended: Vec<u64>,
    waker: Option<Waker>,
    finished: u64,
    panicked: u64,
    aborted: u64,
    errors: BTreeMap<String, u64>,
}

impl Shared {
    pub(super) fn new(on_error: OnError) -> Arc<Shared> {
        Arc::new(Shared {
            news: Mutex::default(),
            on_error,
        })
    }

    /// What connection `id` drops as the last thing it does.
    pub(super) fn end(self: &Arc<Shared>, id: u64) -> End {
        End {
            shared: Arc::clone(self),
            id,
            outcome: None,
        }
    }

    /// The connections that ended since the last call; pending while none did.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Vec<u64>> {
        // To clone or to drop a waker is foreign code: not under the lock.
        let waker = cx.waker().clone();
        let mut news = self.lock();
        if news.ended.is_empty() {
            let before = news.waker.replace(waker);
            drop(news);
            drop(before);
            return Poll::Pending;
        }
        let ended = std::mem::take(&mut news.ended);
        drop(news);
        drop(waker);
        Poll::Ready(ended)
    }

    /// Tells the user's hook. Its panics end here, lest one take the server.
    pub(super) fn report(&self, error: impl FnOnce() -> ServeError) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.on_error)(&error())));
    }

    pub(super) fn tally_into(&self, report: &mut ServeReport) {
        let mut news = self.lock();
        report.finished = news.finished;
        report.panicked = news.panicked;
        report.aborted = news.aborted;
        report.errors = std::mem::take(&mut news.errors);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, News> {
        // Nothing under the lock can panic half way but an allocation.
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Outcome {
    Finished,
    Failed(String),
    Panicked,
}

/// Dropped last by a connection's task; `outcome` is `None` if it was aborted.
pub(super) struct End {
    shared: Arc<Shared>,
    id: u64,
    outcome: Option<Outcome>,
}

impl Drop for End {
    fn drop(&mut self) {
        let mut news = self.shared.lock();
        match self.outcome.take() {
            Some(Outcome::Finished) => news.finished += 1,
            Some(Outcome::Failed(kind)) => count(&mut news.errors, kind),
            Some(Outcome::Panicked) => news.panicked += 1,
            // A destructor in the handler's future panicked.
            None if std::thread::panicking() => news.panicked += 1,
            None => news.aborted += 1,
        }
        news.ended.push(self.id);
        let waker = news.waker.take();
        drop(news);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The task of a connection.
///
/// `end` is the last parameter, as those of a future that was never polled are
/// dropped in order.
pub(super) async fn run<S, P, H, F>(handler: Arc<H>, stream: S, peer: P, end: End)
where
    P: Clone + fmt::Debug,
    H: Fn(S, P) -> F,
    F: Future<Output = io::Result<()>>,
{
    // Locals drop in reverse order: the handler's future (and the stream in
    // it) goes before `end`, also when the task is aborted.
    let mut end = end;
    let whose = peer.clone();
    let outcome = match catch_unwind(AssertUnwindSafe(|| (*handler)(stream, peer))) {
        Err(panic) => Err(panic),
        Ok(future) => {
            let mut future = pin!(future);
            poll_fn(
                |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                    Ok(Poll::Pending) => Poll::Pending,
                    Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
                    Err(panic) => Poll::Ready(Err(panic)),
                },
            )
            .await
        }
    };
    end.outcome = Some(match outcome {
        Ok(Ok(())) => Outcome::Finished,
        Ok(Err(error)) => {
            let kind = label(&error);
            end.shared.report(|| ServeError::Connection {
                peer: format!("{whose:?}"),
                error,
            });
            Outcome::Failed(kind)
        }
        Err(panic) => {
            end.shared.report(|| ServeError::Panicked {
                peer: format!("{whose:?}"),
                message: message(&*panic),
            });
            Outcome::Panicked
        }
    });
}

/// The text of a panic, as the standard hook would print it.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}
