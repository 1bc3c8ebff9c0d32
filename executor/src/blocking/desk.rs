//! Where jobs are handed in and taken: the state with its lock, and who waits for what.
//!
//! Nothing foreign runs under the lock: threads are started, wakers called and
//! jobs dropped by the closures of the callers, without it. But for a thread that
//! must be there before its job is queued.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::state::{Grow, State, Ticket};
use crate::sync::{Condition, Guard, Lock};

/// How many threads there may be, and how long they wait.
pub(super) struct Limits {
    /// So many are started without hesitation.
    pub(super) core: usize,
    pub(super) max: usize,
    /// How long jobs wait before there are more than `core`.
    pub(super) patience: Duration,
    /// How long a thread stays without a job.
    pub(super) keep_alive: Duration,
}

pub(super) struct Desk<J> {
    state: Lock<State<J>>,
    /// The last ticket that was drawn. It orders nothing but tickets, so the models
    /// need not see it.
    drawn: AtomicU64,
    limits: Limits,
    /// A job was queued, or the desk was closed: for idle threads only, so that
    /// each notification reaches one of those that `State::idle` counts.
    pub(super) work: Condition,
    /// The desk was closed: for the thread in standby.
    pub(super) patience: Condition,
    /// A thread has left; for a shutdown that waits.
    ended: Condition,
}

impl<J> Desk<J> {
    pub(super) fn new(limits: Limits) -> Desk<J> {
        Desk {
            state: Lock::new(State::new()),
            drawn: AtomicU64::new(0),
            limits,
            work: Condition::new(),
            patience: Condition::new(),
            ended: Condition::new(),
        }
    }

    pub(super) fn lock(&self) -> Guard<'_, State<J>> {
        self.state.lock()
    }

    /// A ticket for a job that is about to be submitted.
    pub(super) fn ticket(&self) -> Ticket {
        // Relaxed: each is drawn once, and that is all.
        Ticket(self.drawn.fetch_add(1, Relaxed))
    }

    /// Queues a job, and sees that a thread comes for it; `start` starts one, in
    /// standby or not, which calls [`first`](Desk::first).
    ///
    /// # Errors
    ///
    /// Gives the job back if the desk is closed, or if there is no thread and
    /// none can be started.
    pub(super) fn submit(
        &self,
        ticket: Ticket,
        job: J,
        start: impl Fn(bool) -> io::Result<()>,
    ) -> Result<(), (J, io::Error)> {
        let mut state = self.lock();
        if state.closed {
            return Err((job, io::Error::other("the runtime has been shut down")));
        }
        let grow = state.admit(self.limits.core, self.limits.max);
        let standby = match grow {
            Grow::Thread if state.has_nobody() => {
                // Were none to be had, nobody would run the job: so it is queued
                // only once one is there.
                let started = start(false);
                self.settle(&mut state, &started);
                return match started {
                    Ok(()) => {
                        state.enqueue(ticket, job);
                        Ok(())
                    }
                    Err(error) => Err((job, error)),
                };
            }
            Grow::Thread => Some(false),
            Grow::Standby => Some(true),
            Grow::No | Grow::Wake => None,
        };
        state.enqueue(ticket, job);
        drop(state);
        if let Some(standby) = standby {
            // The job will be run by those that are there, so one thread less is
            // no error.
            let started = start(standby);
            let mut state = self.lock();
            self.settle(&mut state, &started);
            state.standby &= !standby || started.is_ok();
        } else if matches!(grow, Grow::Wake) {
            self.work.notify_one();
        }
        Ok(())
    }

    /// A thread was started, or it could not be.
    fn settle(&self, state: &mut State<J>, started: &io::Result<()>) {
        let lost = started.is_err();
        state.begun(usize::from(!lost), usize::from(lost));
        if lost {
            self.ended.notify_all();
        }
    }

    /// Whether jobs are queued or run. If so, who ends the last of them is to tell.
    pub(super) fn watch(&self) -> bool {
        let mut state = self.lock();
        let any = !state.is_quiet();
        state.watched |= any;
        any
    }

    /// Takes the job with this ticket out of the queue, if it is there yet. Whoever has
    /// it tells of its end, once its destructors are over: they may wake someone.
    pub(super) fn withdraw(&self, ticket: Ticket) -> Option<J> {
        self.lock().withdraw(ticket)
    }

    /// So many jobs that were taken have ended; `tell` is called if the worker waits
    /// for that and it was the last.
    pub(super) fn ended(&self, jobs: usize, tell: impl FnOnce()) {
        let tells = self.lock().ended(jobs);
        if tells {
            tell();
        }
    }

    /// A new thread's first job, or `None` if it has none and is to end.
    pub(super) fn first(&self, standby: bool, start: impl Fn(bool) -> io::Result<()>) -> Option<J> {
        let mut state = self.lock();
        if standby {
            state = self.stand_by(state, start);
        }
        self.take(state)
    }

    /// A job has ended: the next one, or `None`.
    pub(super) fn next(&self, tell: impl FnOnce()) -> Option<J> {
        self.take(self.job_ended(self.lock(), tell))
    }

    /// The same after a wake; as drawn in the module above.
    pub(super) fn wake_and_next(&self, wake: impl FnOnce(), tell: impl FnOnce()) -> Option<J> {
        let along = self.lock().take_along();
        wake();
        if along.is_some() {
            return along;
        }
        let mut state = self.lock();
        state.coming -= 1;
        self.take(self.job_ended(state, tell))
    }

    fn job_ended<'a>(
        &'a self,
        mut state: Guard<'a, State<J>>,
        tell: impl FnOnce(),
    ) -> Guard<'a, State<J>> {
        if !state.ended(1) {
            return state;
        }
        drop(state);
        tell();
        self.lock()
    }

    /// Waits for a job. `None` when the thread is to end: then it is counted
    /// out already, in the same step, lest a job be queued for it meanwhile. What
    /// is left for it is [`left`](Desk::left).
    fn take(&self, mut state: Guard<'_, State<J>>) -> Option<J> {
        loop {
            if let Some((job, wakes)) = state.take() {
                drop(state);
                if wakes {
                    self.work.notify_one();
                }
                return Some(job);
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (woken, timed_out) = self.work.wait_for(state, self.limits.keep_alive);
            state = woken;
            state.idle -= 1;
            state.waking = false;
            if timed_out && state.queue.is_empty() {
                break;
            }
        }
        state.leave();
        None
    }

    /// A thread that was told `None` has dropped what it had.
    pub(super) fn left(&self) {
        self.lock().leaving -= 1;
        self.ended.notify_all();
    }

    /// Waits for the patience to end; then starts threads if jobs still wait.
    fn stand_by<'a>(
        &'a self,
        mut state: Guard<'a, State<J>>,
        start: impl Fn(bool) -> io::Result<()>,
    ) -> Guard<'a, State<J>> {
        let mut timed_out = false;
        while !timed_out && !state.queue.is_empty() && !state.closed {
            (state, timed_out) = self.patience.wait_for(state, self.limits.patience);
        }
        let more = state.grow(self.limits.max);
        if more == 0 {
            return state;
        }
        drop(state);
        let started = (1..=more).take_while(|&nth| start(nth == more).is_ok());
        let started = started.count();
        let mut state = self.lock();
        state.begun(started, more - started);
        state.standby &= started == more;
        state
    }

    /// Takes no more jobs, and lets idle threads end. The jobs that wait are the
    /// caller's, who tells of their end.
    pub(super) fn close(&self) -> VecDeque<(Ticket, J)> {
        let queue = self.lock().close();
        self.work.notify_all();
        self.patience.notify_all();
        queue
    }

    /// Waits until every thread has left but so many of the caller's `own`, at most for
    /// `limit`; how many jobs still run. A thread that has none may then be on its way out.
    pub(super) fn wait(&self, own: usize, limit: Duration) -> usize {
        let deadline = Instant::now().checked_add(limit);
        let mut state = self.lock();
        while state.threads + state.leaving > own {
            let left = deadline.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                break;
            }
            state = self.ended.wait_for(state, left).0;
        }
        state.running
    }
}
