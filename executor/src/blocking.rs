//! Threads that may block: the pool under `spawn_blocking`.
//!
//! A queue, a lock and a condition: enough, as a job that blocks costs far
//! more. The pool starts [`CORE`] threads as they are needed. Beyond that it
//! grows only when jobs have waited for [`PATIENCE`], since a burst of short
//! jobs is done sooner by few threads than by hundreds of new ones:
//!
//! ```text
//!   a job finds nobody idle, CORE threads at work
//!     └─▶ one thread is started in *standby*: it waits for PATIENCE
//!           queue empty by then?  it becomes an idle thread, as any other
//!           else                  as many threads again are started,
//!                                 but not more than jobs wait, nor than `max`
//! ```
//!
//! So jobs that wait for each other all get a thread in the end, after a few
//! milliseconds, up to the limit.
//!
//! Who waits for a job often has the next one: what was written is to be synced.
//! So a thread first says that it is *coming*, and then wakes him. A job that is
//! queued meanwhile is left to it, and nobody else is woken for that:
//!
//! ```text
//!   a job is over, and somebody is to be woken
//!     ├─ others wait    one of them is taken along ─▶ wake ─▶ run it
//!     └─ none does      coming + 1 ─▶ wake ─▶ coming - 1 ─▶ look for one
//! ```
//!
//! A wake is short; where it is not, every event loop would wait as well. It is
//! so for plain jobs, which leave the wake to the thread.
//!
//! Idle threads are woken one after the other: who queues wakes one, and no more
//! until that has looked; it takes a job, and wakes the next if others wait. So
//! as many come as there are jobs, unless the jobs are over sooner than a thread
//! wakes up; and then most are not needed. While jobs wait and threads are idle,
//! one is on its way, or coming:
//!
//! ```text
//!   Asleep ──1──▶ waking ──2──▶ takes a job ──3──▶ wakes the next
//! ```
//! 1 `State::wakes_one`, under the lock; the notification follows
//! 2 the end of its wait, also by chance or after `KEEP_ALIVE`: `waking` is over
//! 3 if the queue is not empty and somebody sleeps
//!
//! `blocking/state.rs` has what is decided, `blocking/desk.rs` the lock and the
//! conditions around it, `blocking/models.rs` the models of both. Here is what the
//! jobs are, and in `blocking/thread.rs` the threads.

mod desk;
mod state;
mod task;
mod thread;

#[cfg(test)]
mod models;

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use wakeline_context::{LateWake, quietly};

use crate::context;
use crate::shared::Shared;
use crate::task::{OwnedByMany, Runnable};

use desk::{Desk, Limits};
pub(crate) use state::Ticket;
pub(crate) use task::Blocking;

/// Threads that are started without hesitation.
const CORE: usize = 4;
/// How long jobs may wait before the pool grows beyond [`CORE`].
const PATIENCE: Duration = Duration::from_millis(1);
/// How long a thread stays without a job.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The pool of one executor.
pub(crate) struct Pool {
    /// Outlives what its threads have of the executor: they sign off here.
    desk: Arc<Desk<Job>>,
    /// Jobs that are not complete, of `spawn_blocking`.
    pub(crate) owned: OwnedByMany,
    name: String,
    stack: Option<usize>,
    /// Called on each thread at its start; what it returns goes with the thread.
    surround: Option<Surround>,
}

/// Makes what a pool thread keeps while it lives.
pub(crate) type Surround = Box<dyn Fn() -> Box<dyn Any> + Send + Sync>;

/// What a pool thread runs.
pub(crate) enum Job {
    Task(Runnable),
    /// And whom to wake when it is over.
    Plain(Box<dyn FnOnce() -> LateWake + Send>),
}

impl Pool {
    pub(crate) fn new(
        max: usize,
        name: &str,
        stack: Option<usize>,
        surround: Option<Surround>,
    ) -> Pool {
        let limits = Limits {
            core: CORE,
            max,
            patience: PATIENCE,
            keep_alive: KEEP_ALIVE,
        };
        Pool {
            desk: Arc::new(Desk::new(limits)),
            owned: OwnedByMany::new(),
            name: format!("{name}-blocking"),
            stack,
            surround,
        }
    }

    /// Queues a job, and sees that a thread comes for it.
    ///
    /// # Errors
    ///
    /// Gives the job back if the pool is closed, or if it has no thread and
    /// none can be started.
    pub(crate) fn submit(
        &self,
        ticket: Ticket,
        job: Job,
        shared: &Arc<Shared>,
    ) -> Result<(), (Job, io::Error)> {
        let start = |standby| self.start(shared, standby);
        self.desk.submit(ticket, job, start)
    }

    /// A ticket for a job that is about to be submitted.
    pub(crate) fn ticket(&self) -> Ticket {
        self.desk.ticket()
    }

    /// Whether jobs are queued or run. If so, the only worker is interrupted
    /// when the last of them has ended.
    pub(crate) fn watch(&self) -> bool {
        self.desk.watch()
    }

    /// Ends the pool: queued jobs are cancelled, idle threads end.
    pub(crate) fn close(&self, shared: &Shared) {
        let queue = self.desk.close();
        let count = queue.len();
        self.owned.close();
        for (_, job) in queue {
            match job {
                Job::Task(runnable) => {
                    // Queued and closed: nobody else can have it any more.
                    runnable.cancel();
                }
                Job::Plain(job) => quietly(|| drop(job)),
            }
        }
        self.desk.ended(count, || shared.interrupt_only());
    }

    /// Waits until every thread has dropped what it had of the executor, at most for `limit`;
    /// how many jobs still run. A job that calls this does not wait for itself.
    pub(crate) fn wait(&self, shared: &Shared, limit: Duration) -> usize {
        let own = usize::from(context::is_passing(shared));
        self.desk.wait(own, limit)
    }
}
