//! Cleanup whose scope was dropped from outside: packed up, and handed upward.
//!
//! The nearest scope above that still lives runs it in its lane; if there is
//! none, the runtime does. `sync/src/lane.rs` sees to it that each pack arrives
//! once, also if the scope above leaves at that moment on another thread.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use wakeline_context::waiting_at;
use wakeline_executor::Handle;
use wakeline_sync::children::drop_caught;

use super::link::Link;
use crate::time::timeout_at;

/// A finalizer that borrows nothing.
pub(super) type Owned = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Finalizers of one child of a dead scope, one after the other; or one of its
/// tasks, to wait for.
pub(crate) struct Orphan {
    pub(super) work: Owned,
    /// The line of the first of its guards, or of the spawn.
    pub(super) location: &'static Location<'static>,
}

impl Orphan {
    /// `works` in order, none beyond `until`.
    pub(super) fn in_order(
        works: VecDeque<Owned>,
        until: Option<Instant>,
        location: &'static Location<'static>,
    ) -> Orphan {
        let sequence = Sequence { works, panic: None };
        let work: Owned = match until {
            Some(until) => Box::pin(async move {
                let mut limited = pin!(timeout_at(until, sequence));
                // What did not finish is dropped: its time was over.
                let _ = poll_fn(|cx| {
                    let polled = limited.as_mut().poll(cx);
                    waiting_at(location); // not the line of the limit
                    polled
                })
                .await;
            }),
            None => Box::pin(sequence),
        };
        Orphan { work, location }
    }
}

impl fmt::Debug for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orphan")
            .field("location", &format_args!("{}", self.location))
            .finish_non_exhaustive()
    }
}

/// Hands `orphan` to the scope of `link` or the nearest above that lives,
/// ultimately to the runtime. Where there is none either, it is dropped.
pub(super) fn adopt(link: &Link, orphan: Orphan) {
    if let Err(orphan) = link.orphans.adopt(orphan)
        && let Some(runtime) = Handle::try_current()
    {
        drop(runtime.spawn_cleanup(orphan.work));
    }
}

/// Futures one after the other; a panic does not keep the next from its turn.
struct Sequence {
    works: VecDeque<Owned>,
    panic: Option<Box<dyn Any + Send>>,
}

impl Drop for Sequence {
    /// Drops all, also if some panic; the first panic goes on.
    fn drop(&mut self) {
        for work in self.works.drain(..) {
            if let Some(panic) = drop_caught(work) {
                self.panic.get_or_insert(panic);
            }
        }
        if let Some(panic) = self.panic.take()
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

impl Future for Sequence {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(work) = self.works.front_mut() {
            match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(())) => {}
                Err(panic) => {
                    self.panic.get_or_insert(panic);
                }
            }
            if let Some(panic) = self.works.pop_front().and_then(drop_caught) {
                self.panic.get_or_insert(panic);
            }
        }
        match self.panic.take() {
            // To whoever polls: a scope counts it, a task keeps it.
            Some(panic) => resume_unwind(panic),
            None => Poll::Ready(()),
        }
    }
}
