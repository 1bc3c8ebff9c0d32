//! The pool's threads: how they start, and what they do.

use std::io;
use std::sync::Arc;

use wakeline_context::quietly;

use super::desk::Desk;
use super::{Job, Pool};
use crate::context;
use crate::shared::Shared;

impl Pool {
    pub(super) fn start(&self, shared: &Arc<Shared>, standby: bool) -> io::Result<()> {
        let shared = Arc::clone(shared);
        let mut builder = std::thread::Builder::new().name(self.name.clone());
        if let Some(stack) = self.stack {
            builder = builder.stack_size(stack);
        }
        let live = move || {
            // The last to go: then nothing of the executor is this thread's.
            let _signs_off = SignsOff(Arc::clone(&shared.pool.desk));
            serve(shared, standby);
        };
        builder.spawn(live).map(drop).map_err(|error| {
            let what = format!(
                "start a thread for blocking jobs: {error}; raise the limit of threads (ulimit -u, the container's pids) \
                 or of memory"
            );
            io::Error::new(error.kind(), what)
        })
    }
}

/// Tells the desk that a thread has left.
struct SignsOff(Arc<Desk<Job>>);

impl Drop for SignsOff {
    fn drop(&mut self) {
        self.0.left();
    }
}

/// A pool thread's life.
///
/// It keeps the executor's shared part alive; the executor's drop closes the
/// pool, which ends the thread.
fn serve(shared: Arc<Shared>, standby: bool) {
    let _entered = context::enter_shared(Arc::clone(&shared));
    context::set_passing(&shared);
    let mut surround = None;
    // Foreign code: the thread is counted, and goes on without it.
    quietly(|| surround = shared.pool.surround.as_ref().map(|make| make()));
    let desk = &shared.pool.desk;
    let tell = || shared.interrupt_only();
    let mut next = desk.first(standby, |standby| shared.pool.start(&shared, standby));
    while let Some(job) = next {
        next = match job {
            Job::Task(runnable) => {
                runnable.end();
                desk.next(tell)
            }
            Job::Plain(job) => {
                let mut waker = None;
                // The panic hook has told of it; the job had nobody to tell.
                quietly(|| waker = job().take());
                match waker {
                    Some(waker) => desk.wake_and_next(|| quietly(|| waker.wake()), tell),
                    None => desk.next(tell),
                }
            }
        };
    }
}
