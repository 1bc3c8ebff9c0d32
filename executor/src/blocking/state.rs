//! What is decided about jobs and threads: plain data, changed under the desk's lock.
//!
//! Who is counted where:
//!
//! ```text
//!              starting                    1 ┌──▶ running ──┐ 2
//!   admit ───▶ standby? ──▶ looks for a job ─┤              ├─▶ looks for a job
//!                              ▲     │ none  └──▶ idle ─────┘
//!                              └─────┴────▶ leaving: `threads - 1` ──3──▶ gone
//! ```
//! 1 `State::take`; then `running` counts the job, until its wake is over
//! 2 between a job that is over and the next, `coming` counts the thread while it wakes
//!   somebody
//! 3 `Desk::left`, once what the thread had of its runtime is dropped
//!
//! A thread that finds no job goes to sleep or leaves in the same step in which it has
//! looked, so a job is queued before, and found, or after, and then the counts say
//! that nobody waits for it.
//!
//! Each job has a ticket, and the queue is in their order: so one that is aborted is
//! found without a look at the others, who wait for the lock.

use std::collections::VecDeque;

/// Drawn by who submits a job; later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(super) u64);

/// The queue, and how many threads do what.
pub(super) struct State<J> {
    pub(super) queue: VecDeque<(Ticket, J)>,
    /// Jobs that were taken out of the queue and have not ended.
    pub(super) running: usize,
    /// The worker was told of jobs, and waits for the end of the last one.
    pub(super) watched: bool,
    pub(super) threads: usize,
    /// Threads that take no job any more, and have not dropped yet what they had.
    pub(super) leaving: usize,
    /// Of `threads`, those whose start is under way: it may fail.
    pub(super) starting: usize,
    pub(super) idle: usize,
    /// Threads that only wake somebody before they look for a job: as many of
    /// those that wait are theirs.
    pub(super) coming: usize,
    /// An idle thread was woken, and has not looked yet. Meanwhile nobody else is:
    /// it takes a job, and if more wait it wakes the next.
    pub(super) waking: bool,
    /// A thread waits to see whether the pool must grow.
    pub(super) standby: bool,
    pub(super) closed: bool,
}

/// What a submit must do once the lock is released.
pub(super) enum Grow {
    /// Nothing: a thread that is coming, or one that runs a job yet.
    No,
    /// An idle thread is woken.
    Wake,
    Thread,
    Standby,
}

impl<J> State<J> {
    pub(super) fn new() -> State<J> {
        State {
            queue: VecDeque::new(),
            running: 0,
            watched: false,
            threads: 0,
            leaving: 0,
            starting: 0,
            idle: 0,
            coming: 0,
            waking: false,
            standby: false,
            closed: false,
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.running == 0 && self.queue.is_empty()
    }

    /// Whether an idle thread is to be woken now; then it is on its way.
    pub(super) fn wakes_one(&mut self) -> bool {
        let one = self.idle > 0 && !self.waking;
        self.waking |= one;
        one
    }

    /// Who will run one more job: a thread that is coming, an idle one, or one
    /// to be started.
    pub(super) fn admit(&mut self, core: usize, max: usize) -> Grow {
        let waiting = self.queue.len();
        if self.coming > waiting {
            return Grow::No;
        }
        if self.coming + self.idle > waiting {
            return if self.wakes_one() {
                Grow::Wake
            } else {
                Grow::No
            };
        }
        if self.threads >= max {
            return Grow::No;
        }
        if self.threads < core || self.has_nobody() {
            self.begins(1);
            return Grow::Thread;
        }
        if self.standby {
            // Others are there: it does not matter whether the start succeeds.
            return Grow::No;
        }
        self.begins(1);
        self.standby = true;
        Grow::Standby
    }

    /// So many threads are counted, and to be started.
    fn begins(&mut self, threads: usize) {
        self.threads += threads;
        self.starting += threads;
    }

    /// Of the threads that were to be started these were, and those could not be had.
    pub(super) fn begun(&mut self, started: usize, lost: usize) {
        self.starting -= started + lost;
        self.threads -= lost;
    }

    /// Whether no thread is sure to come: what is queued now might stay there.
    pub(super) fn has_nobody(&self) -> bool {
        self.threads <= self.starting
    }

    /// Queues a job: at the end, but for one that was overtaken on the way from its
    /// ticket to here.
    pub(super) fn enqueue(&mut self, ticket: Ticket, job: J) {
        let place = match self.queue.back() {
            Some((last, _)) if *last > ticket => self.queue.partition_point(|(t, _)| *t < ticket),
            _ => self.queue.len(),
        };
        self.queue.insert(place, (ticket, job));
    }

    /// The next job for a thread, and whether another is to be woken for those that
    /// wait behind it.
    pub(super) fn take(&mut self) -> Option<(J, bool)> {
        let (_, job) = self.queue.pop_front()?;
        self.running += 1;
        let wakes = !self.queue.is_empty() && self.wakes_one();
        Some((job, wakes))
    }

    /// The job of a thread that wakes somebody first. If there is none the thread is
    /// coming, else the job before counts for both until its wake is over.
    pub(super) fn take_along(&mut self) -> Option<J> {
        let along = self.queue.pop_front();
        self.coming += usize::from(along.is_none());
        along.map(|(_, job)| job)
    }

    /// Takes the job with this ticket out of the queue, if it is there yet. It counts
    /// until its end.
    pub(super) fn withdraw(&mut self, ticket: Ticket) -> Option<J> {
        let place = self.queue.binary_search_by_key(&ticket, |(t, _)| *t);
        let (_, job) = self.queue.remove(place.ok()?)?;
        self.running += 1;
        Some(job)
    }

    /// So many jobs have ended; whether the worker is to be told.
    pub(super) fn ended(&mut self, jobs: usize) -> bool {
        self.running -= jobs;
        let tells = self.watched && self.is_quiet();
        self.watched &= !tells;
        tells
    }

    /// The thread in standby has waited: how many more are to be started.
    pub(super) fn grow(&mut self, max: usize) -> usize {
        self.standby = false;
        // One job is for this thread itself.
        let taken = 1 + self.idle + self.coming;
        let waiting = self.queue.len().saturating_sub(taken);
        let more = waiting.min(self.threads).min(max - self.threads);
        if more == 0 || self.closed {
            return 0;
        }
        self.begins(more);
        // The last of them watches on.
        self.standby = true;
        more
    }

    /// A thread that has found no job goes, in the same step.
    pub(super) fn leave(&mut self) {
        self.threads -= 1;
        self.leaving += 1;
    }

    /// Takes no more jobs; those that wait are the caller's, who tells of their end.
    pub(super) fn close(&mut self) -> VecDeque<(Ticket, J)> {
        self.closed = true;
        self.running += self.queue.len();
        std::mem::take(&mut self.queue)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Jobs that are their own tickets, queued in this order.
    fn queued(tickets: &[u64]) -> State<u64> {
        let mut state = State::new();
        for &nth in tickets {
            state.enqueue(Ticket(nth), nth);
        }
        state
    }

    #[test]
    fn jobs_are_taken_in_the_order_of_their_tickets_whoever_was_overtaken() {
        let mut state = queued(&[2, 3, 1, 7, 5, 6]);
        let taken = std::iter::from_fn(|| state.take().map(|(job, _)| job));
        assert_eq!(taken.collect::<Vec<_>>(), [1, 2, 3, 5, 6, 7]);
    }

    #[test]
    fn a_job_is_withdrawn_once_and_only_while_it_is_queued() {
        let mut state = queued(&[1, 2, 3, 5, 4]);
        assert_eq!(state.take().map(|(job, _)| job), Some(1));
        assert_eq!(state.withdraw(Ticket(1)), None, "it runs");
        for nth in [4, 2, 5] {
            assert_eq!(state.withdraw(Ticket(nth)), Some(nth));
            assert_eq!(state.withdraw(Ticket(nth)), None);
        }
        assert_eq!((state.running, state.queue.len()), (4, 1));
    }
}
