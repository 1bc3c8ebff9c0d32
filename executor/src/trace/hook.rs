//! When something is written down, and by whom it was done.

use std::cell::Cell;
use std::panic::Location;
use std::sync::Arc;
use std::time::Instant;

use wakeline_context::{WaitingOn, current_task, quietly};

use super::{End, Recorder, What, WokenBy};
use crate::context;
use crate::debug::{Began, Reporter, Subject, Then};
use crate::shared::Shared;
use crate::task::{Header, Id, JoinError};

/// What an executor's events are timed by.
pub(crate) type ClockFn = Arc<dyn Fn() -> Instant + Send + Sync>;

thread_local! {
    /// The task whose end this thread is telling of; 0 for none. It is no longer
    /// the current task then, but what it wakes is its doing.
    static ENDING: Cell<u64> = const { Cell::new(0) };
}

/// The recorder of one executor, with the executor's clock.
pub(crate) struct Tracer {
    recorder: Recorder,
    clock: ClockFn,
}

impl Tracer {
    pub(crate) fn new(recorder: Recorder, clock: ClockFn) -> Tracer {
        Tracer { recorder, clock }
    }

    fn record(&self, task: u64, what: What) {
        // The clock is foreign code: read before the recorder's lock is taken. If it
        // panics the event is lost, and not the task that it is about.
        quietly(|| {
            let now = (self.clock)();
            self.recorder.record(now, task, what);
        });
    }

    /// A task has been made, and nobody has seen it yet.
    pub(crate) fn created(&self, task: &Header) {
        let what = What::Created {
            name: task.name.clone(),
            spawned_at: task.spawned_at,
            by: actor(),
            is_root: false,
        };
        self.record(task.id.get(), what);
    }

    fn poll_starts(&self, id: Id) {
        let worker = context::with(|current| current.and_then(context::Context::worker_index));
        self.record(id.get(), What::PollStart { worker });
    }

    fn poll_ends(&self, id: Id, pending: bool, waiting_on: Option<WaitingOn>) {
        let what = What::PollEnd {
            pending,
            waiting_on: waiting_on.filter(|_| pending),
        };
        self.record(id.get(), what);
    }

    /// A task was woken, and is not queued yet.
    pub(crate) fn woken(&self, id: Id) {
        let by = match actor() {
            Some(task) if task == id.get() => WokenBy::InPoll,
            Some(task) => WokenBy::Task(task),
            None if context::is_entered() => WokenBy::Driver,
            None => WokenBy::Outside,
        };
        self.record(id.get(), What::Woken { by });
    }

    /// A task was woken in the midst of its poll, and is not queued yet.
    pub(crate) fn woken_in_poll(&self, id: Id) {
        let by = WokenBy::InPoll;
        self.record(id.get(), What::Woken { by });
    }

    /// A task's future is dropped, and nobody has been told.
    pub(crate) fn ended<T>(&self, id: Id, result: &Result<T, JoinError>) {
        let how = match result {
            Ok(_) => End::Done,
            Err(error) if error.is_panic() => End::Panicked,
            Err(error) => error
                .reason()
                .map_or(End::Refused, |reason| End::Cancelled(reason.clone())),
        };
        self.record(id.get(), What::Ended { how });
    }

    /// Whoever is woken until the guard is dropped is woken by the end of `id`.
    pub(crate) fn tells_of_end(&self, id: Id) -> Ending {
        Ending {
            before: ENDING.replace(id.get()),
        }
    }
}

/// The task that does what this thread does, if one does.
fn actor() -> Option<u64> {
    let acting = match ENDING.get() {
        0 => current_task(),
        ending => ending,
    };
    (acting != 0).then_some(acting)
}

/// The guard of [`Tracer::tells_of_end`].
pub(crate) struct Ending {
    before: u64,
}

impl Drop for Ending {
    fn drop(&mut self) {
        ENDING.set(self.before);
    }
}

/// A poll of a task that debug mode times, a recorder writes down, or both.
pub(crate) struct Watched<'a> {
    began: Option<Began<'a>>,
    trace: Option<&'a Tracer>,
}

impl<'a> Watched<'a> {
    /// The poll begins; `timed` if it is to be short.
    pub(crate) fn begin(runtime: &'a Shared, id: Id, timed: bool) -> Watched<'a> {
        let trace = runtime.trace.as_deref();
        if let Some(trace) = trace {
            trace.poll_starts(id);
        }
        let debug = runtime.debug.as_deref().filter(|_| timed);
        Watched {
            began: debug.map(Reporter::begin),
            trace,
        }
    }

    /// The poll has ended.
    pub(crate) fn ended(self, id: Id, subject: impl FnOnce() -> Subject, then: Then) {
        if let Some(trace) = self.trace {
            let waiting_on = match then {
                Then::Waits(waiting) => Some(waiting),
                _ => None,
            };
            let pending = matches!(then, Then::Waits(_) | Then::Pending);
            trace.poll_ends(id, pending, waiting_on);
        }
        if let Some(began) = self.began {
            began.ended(subject, then);
        }
    }
}

/// The future of a `block_on` that is written down, until this is dropped.
pub(crate) struct RootTrace {
    tracer: Arc<Tracer>,
    id: Id,
    done: Cell<bool>,
}

impl RootTrace {
    pub(crate) fn new(tracer: Arc<Tracer>, id: Id, at: &'static Location<'static>) -> RootTrace {
        let what = What::Created {
            name: None,
            spawned_at: at,
            by: actor(),
            is_root: true,
        };
        tracer.record(id.get(), what);
        RootTrace {
            tracer,
            id,
            done: Cell::new(false),
        }
    }

    /// For its waker.
    pub(crate) fn waker(&self) -> RootWoken {
        RootWoken {
            tracer: Arc::clone(&self.tracer),
            id: self.id,
        }
    }

    /// It is about to be polled.
    pub(crate) fn polls(&self) {
        self.tracer.poll_starts(self.id);
    }

    /// It was polled.
    pub(crate) fn polled(&self, ready: bool, waiting: Option<WaitingOn>) {
        self.done.set(ready);
        self.tracer.poll_ends(self.id, !ready, waiting);
    }
}

impl Drop for RootTrace {
    fn drop(&mut self) {
        // Without an output only a panic gets here: its own, or the `block_on`'s.
        let how = if self.done.get() {
            End::Done
        } else {
            End::Panicked
        };
        self.tracer.record(self.id.get(), What::Ended { how });
    }
}

/// What the waker of a `block_on` tells.
pub(crate) struct RootWoken {
    tracer: Arc<Tracer>,
    id: Id,
}

impl RootWoken {
    /// It was woken, and nobody has seen that yet.
    pub(crate) fn tell(&self) {
        self.tracer.woken(self.id);
    }
}
