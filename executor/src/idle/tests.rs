//! The edges of the state machine, one by one; then the model of a lost task.

use std::ptr::NonNull;

use super::{Idle, WokenBy};
use crate::queue::{Owner, Stealer, deque};
use crate::sync::{
    Arc,
    atomic::{
        AtomicBool, AtomicUsize,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
    model, thread,
};

#[test]
fn nobody_is_woken_while_nobody_sleeps_or_someone_searches() {
    let idle = Idle::new(2);
    assert_eq!(idle.notify_one(), None);
    idle.sleep(1, false);
    assert!(idle.start_search());
    assert_eq!(idle.notify_one(), None);
    assert!(idle.stop_search());
    assert_eq!(idle.notify_one(), Some(1));
}

#[test]
fn a_burst_of_pushes_wakes_one_worker_the_last_to_sleep() {
    let idle = Idle::new(4);
    [2, 0, 3]
        .into_iter()
        .for_each(|worker| idle.sleep(worker, false));
    assert_eq!([idle.notify_one(), idle.notify_one()], [Some(3), None]);
    assert_eq!(idle.wake_up(3), WokenBy::Notifier);
    // It finds a task and hands the search on.
    assert!(idle.stop_search());
    assert_eq!(idle.notify_one(), Some(0));
    assert_eq!(idle.wake_up(2), WokenBy::Itself);
    assert_eq!(idle.wake_up(0), WokenBy::Notifier);
    idle.sleep(0, true);
    assert_eq!(
        format!("{idle:?}"),
        "Idle { workers: 4, searching: 0, sleeping: 1, .. }"
    );
    assert_eq!(idle.wake_up(0), WokenBy::Itself);
}

#[test]
fn at_most_half_of_the_workers_search() {
    // (workers, searchers)
    for (workers, searchers) in [(2, 1), (3, 2), (4, 2), (5, 3), (8, 4)] {
        let idle = Idle::new(workers);
        let started = (0..workers).filter(|_| idle.start_search()).count();
        assert_eq!(started, searchers, "of {workers}");
        let last: Vec<_> = (0..started).map(|_| idle.stop_search()).collect();
        assert_eq!(last.iter().position(|&last| last), Some(searchers - 1));
    }
}

/// Two workers, a counter as their only queue, and a flag each for the interrupt.
struct Office {
    idle: Idle,
    tasks: AtomicUsize,
    interrupted: [AtomicBool; 2],
    /// What a task does: end at once, or keep its worker busy for good.
    tasks_end: bool,
}

/// Where a thread of the model ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worker {
    /// In its driver: an interrupt makes it go on.
    Asleep,
    /// In a task that does not end.
    Busy,
}

impl Office {
    fn new(tasks_end: bool) -> Office {
        Office {
            idle: Idle::new(2),
            tasks: AtomicUsize::new(0),
            interrupted: [AtomicBool::new(false), AtomicBool::new(false)],
            tasks_end,
        }
    }

    fn push(&self) {
        self.tasks.fetch_add(1, Release);
        self.notify();
    }

    fn notify(&self) {
        if let Some(worker) = self.idle.notify_one() {
            // Not a store: loom lets a swap miss one that races with it.
            self.interrupted[worker].swap(true, AcqRel);
        }
    }

    /// As a thief would: believes an old "empty", but takes no task twice.
    fn take(&self) -> bool {
        let mut tasks = self.tasks.load(Acquire);
        while tasks > 0 {
            match self
                .tasks
                .compare_exchange(tasks, tasks - 1, AcqRel, Acquire)
            {
                Ok(_) => return true,
                Err(now) => tasks = now,
            }
        }
        false
    }

    /// A worker, until it sleeps and nobody has interrupted it.
    fn work(&self, worker: usize, mut searching: bool) -> Worker {
        // Set by the look back: there is something, search or no search.
        let mut seen = false;
        loop {
            searching = searching || self.idle.start_search();
            if (searching || seen) && self.take() {
                if searching && self.idle.stop_search() {
                    self.notify();
                }
                if !self.tasks_end {
                    return Worker::Busy;
                }
                (searching, seen) = (false, false);
                continue;
            }
            self.idle.sleep(worker, searching);
            seen = self.tasks.load(Acquire) > 0;
            if !seen && !self.interrupted[worker].swap(false, AcqRel) {
                return Worker::Asleep;
            }
            searching = self.idle.wake_up(worker) == WokenBy::Notifier;
        }
    }

    /// Two workers, and `tasks` pushes meanwhile. Then interrupts are delivered to
    /// those that sleep, until all sleep or are busy.
    fn run(self, tasks: usize) -> usize {
        let office = Arc::new(self);
        let workers = [0, 1].map(|worker| {
            let office = office.clone();
            thread::spawn(move || office.work(worker, false))
        });
        (0..tasks).for_each(|_| office.push());
        let mut workers = workers.map(|worker| worker.join().expect("a worker"));
        while let Some(worker) = (0..2)
            .find(|&at| workers[at] == Worker::Asleep && office.interrupted[at].swap(false, AcqRel))
        {
            let searching = office.idle.wake_up(worker) == WokenBy::Notifier;
            workers[worker] = office.work(worker, searching);
        }
        // Relaxed: all threads are joined.
        office.tasks.load(Relaxed)
    }
}

#[test]
fn loom_idle_no_lost_work() {
    model(|| {
        assert_eq!(
            Office::new(true).run(1),
            0,
            "a task waits, all workers sleep"
        )
    });
}

#[test]
fn loom_idle_no_wait_behind_a_long_task() {
    model(|| {
        assert_eq!(
            Office::new(false).run(2),
            0,
            "a task waits, a worker sleeps"
        )
    });
}

/// Two workers, and the queue of worker 0, which is in a task that does not end.
struct Offering {
    idle: Idle,
    queue: Stealer<u8>,
    interrupted: AtomicBool,
    ran: AtomicUsize,
}

impl Offering {
    fn offer(&self, queue: &Owner<u8>) {
        if let Some(worker) = self.idle.offer(queue, NonNull::dangling()) {
            assert_eq!(worker, 1);
            self.interrupted.swap(true, AcqRel);
        }
    }

    /// The day of worker 1, as in `worker.rs`, until it sleeps.
    fn steal(&self, own: &Owner<u8>, mut searching: bool) {
        let mut seen = false;
        loop {
            searching = searching || self.idle.start_search();
            if (searching || seen) && self.queue.steal_into(own).is_some() {
                if searching && self.idle.stop_search() {
                    assert_eq!(self.idle.notify_one(), None, "the other never sleeps");
                }
                self.ran.fetch_add(1, AcqRel);
                while own.pop().is_some() {
                    self.ran.fetch_add(1, AcqRel);
                }
                (searching, seen) = (false, false);
                continue;
            }
            self.idle.sleep(1, searching);
            seen = !self.queue.is_empty();
            if !seen && !self.interrupted.swap(false, AcqRel) {
                return;
            }
            searching = self.idle.wake_up(1) == WokenBy::Notifier;
        }
    }
}

#[test]
fn loom_idle_who_took_the_first_hears_of_the_second() {
    model(|| {
        let (queue, stealer) = deque::new::<u8>(4);
        let (own, _of_nobody) = deque::new::<u8>(4);
        let office = Arc::new(Offering {
            idle: Idle::new(2),
            queue: stealer,
            interrupted: AtomicBool::new(false),
            ran: AtomicUsize::new(0),
        });
        let thief = {
            let office = office.clone();
            thread::spawn(move || {
                office.steal(&own, false);
                own
            })
        };
        office.offer(&queue);
        office.offer(&queue);
        let own = thief.join().expect("a worker");
        while office.interrupted.swap(false, AcqRel) {
            let searching = office.idle.wake_up(1) == WokenBy::Notifier;
            office.steal(&own, searching);
        }
        let left = std::iter::from_fn(|| queue.pop()).count();
        let ran = office.ran.load(Relaxed);
        assert_eq!((ran, left), (2, 0), "a task waits, a worker sleeps");
    });
}
