//! Models of the desk: who submits, takes, wakes, closes and waits, against each other.
//!
//! A job that is forgotten leaves its model with nobody who could go on.

use std::io;
use std::ops::Deref;
use std::time::Duration;

use super::desk::{Desk, Limits};
use super::state::Ticket;
use crate::sync::{
    Arc, Condition, Lock,
    atomic::{AtomicUsize, Ordering::SeqCst},
    model, thread,
};

/// A number that threads wait for.
struct Count(Lock<usize>, Condition);

impl Count {
    fn new() -> Count {
        Count(Lock::new(0), Condition::new())
    }

    fn add(&self) {
        *self.0.lock() += 1;
        self.1.notify_all();
    }

    fn get(&self) -> usize {
        *self.0.lock()
    }

    fn wait_for(&self, least: usize) {
        let mut count = self.0.lock();
        while *count < least {
            count = self.1.wait_for(count, Duration::MAX).0;
        }
    }

    /// Waits for one, and takes it off.
    fn take(&self) {
        self.wait_for(1);
        *self.0.lock() -= 1;
    }
}

#[derive(Clone, Copy)]
enum Job {
    Plain,
    /// It waits until so many have come to it.
    Meets(usize),
    /// It is over, and whoever is woken then has so many jobs that wait for each other.
    Wakes(usize),
}

/// A desk, with what its jobs and the only worker do.
#[derive(Clone)]
struct Office(Arc<Room>);

impl Deref for Office {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.0
    }
}

struct Room {
    desk: Desk<Job>,
    met: Count,
    ran: Count,
    woken: Count,
    /// The worker is told that the last job has ended.
    told: Count,
    /// So many threads can be had yet.
    threads: AtomicUsize,
}

impl Office {
    fn new(core: usize, max: usize) -> Office {
        let limits = Limits {
            core,
            max,
            patience: Duration::from_millis(1),
            keep_alive: Duration::from_millis(1),
        };
        Office(Arc::new(Room {
            desk: Desk::new(limits),
            met: Count::new(),
            ran: Count::new(),
            woken: Count::new(),
            told: Count::new(),
            threads: AtomicUsize::new(usize::MAX),
        }))
    }

    /// One that has so many threads, and no more.
    fn with_threads(threads: usize) -> Office {
        let office = Office::new(threads, threads);
        office.desk.lock().threads = threads;
        for _ in 0..threads {
            assert!(office.start(false).is_ok());
        }
        office
    }

    /// Whether the job is taken.
    fn submit(&self, job: Job) -> bool {
        self.submit_as(self.desk.ticket(), job)
    }

    fn submit_as(&self, ticket: Ticket, job: Job) -> bool {
        let start = |standby| self.start(standby);
        self.desk.submit(ticket, job, start).is_ok()
    }

    fn start(&self, standby: bool) -> io::Result<()> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.threads.fetch_update(SeqCst, SeqCst, one_less).is_err() {
            return Err(io::Error::other("there are no more threads"));
        }
        let office = self.clone();
        thread::spawn(move || office.serve(standby));
        Ok(())
    }

    fn serve(&self, standby: bool) {
        let tell = || self.told.add();
        let mut next = self.desk.first(standby, |standby| self.start(standby));
        while let Some(job) = next {
            if let Job::Meets(jobs) = job {
                self.met.add();
                self.met.wait_for(jobs);
            }
            self.ran.add();
            next = match job {
                Job::Wakes(jobs) => self.desk.wake_and_next(|| self.wake(jobs), tell),
                _ => self.desk.next(tell),
            };
        }
        self.desk.left();
    }

    fn wake(&self, jobs: usize) {
        for _ in 0..jobs {
            assert!(self.submit(Job::Meets(jobs)));
        }
        self.woken.add();
    }

    /// What the only worker does: it sleeps while jobs are queued or run.
    fn sleep(&self) {
        while self.desk.watch() {
            self.told.take();
        }
    }

    /// As the pool does; how many jobs were queued yet.
    fn close(&self) -> usize {
        let left = self.desk.close().len();
        self.desk.ended(left, || self.told.add());
        left
    }

    /// Waits for so many jobs, and for the end of all threads.
    fn end(&self, jobs: usize) {
        self.ran.wait_for(jobs);
        assert_eq!(self.close(), 0);
        assert_eq!(self.desk.wait(0, Duration::MAX), 0);
        let state = self.desk.lock();
        let counts = [state.threads, state.starting, state.leaving];
        assert_eq!(counts, [0; 3]);
        assert_eq!((state.idle, state.coming), (0, 0));
        assert!(!state.standby && !state.waking && state.is_quiet());
    }
}

#[test]
fn loom_blocking_a_thread_that_goes_idle_has_every_job() {
    model(|| {
        let office = Office::new(1, 1);
        for jobs in 1..=3 {
            assert!(office.submit(Job::Plain));
            office.ran.wait_for(jobs);
        }
        office.end(3);
    });
}

#[test]
fn loom_blocking_a_job_against_the_end_by_keep_alive() {
    model(|| {
        let office = Office::new(1, 1);
        assert!(office.submit(Job::Plain));
        office.desk.work.expire();
        assert!(office.submit(Job::Plain));
        office.end(2);
    });
}

#[test]
fn loom_blocking_two_submitters_at_one_thread() {
    model(|| {
        let office = Office::new(1, 1);
        let other = office.clone();
        let other = thread::spawn(move || other.submit(Job::Plain));
        assert!(office.submit(Job::Plain));
        assert!(other.join().unwrap());
        office.end(2);
    });
}

#[test]
fn loom_blocking_idle_threads_wake_each_other() {
    model(|| {
        let office = Office::with_threads(2);
        assert!(office.submit(Job::Meets(2)));
        assert!(office.submit(Job::Meets(2)));
        office.end(2);
    });
}

#[test]
fn loom_blocking_who_is_woken_has_jobs_that_wait_for_each_other() {
    model(|| {
        let office = Office::new(2, 2);
        assert!(office.submit(Job::Wakes(2)));
        office.end(3);
    });
}

#[test]
fn loom_blocking_a_job_against_a_thread_that_is_coming() {
    model(|| {
        let office = Office::new(1, 1);
        assert!(office.submit(Job::Wakes(1)));
        assert!(office.submit(Job::Plain));
        office.end(3);
    });
}

/// Too rich for every interleaving: chance ones.
#[test]
fn standby_starts_threads_until_all_jobs_that_wait_for_each_other_have_one() {
    model(|| {
        let office = Office::new(1, 3);
        office.desk.patience.expire();
        office.desk.patience.expire();
        for _ in 0..3 {
            assert!(office.submit(Job::Meets(3)));
        }
        office.end(3);
    });
}

#[test]
fn loom_blocking_standby_has_the_job_that_has_waited() {
    model(|| {
        let office = Office::new(1, 2);
        office.desk.patience.expire();
        assert!(office.submit(Job::Meets(2)));
        assert!(office.submit(Job::Meets(2)));
        office.end(2);
    });
}

#[test]
fn loom_blocking_a_thread_that_cannot_be_had_takes_no_job_along() {
    model(|| {
        let office = Office::new(2, 2);
        office.threads.store(1, SeqCst);
        assert!(office.submit(Job::Plain));
        let other = office.clone();
        let other = thread::spawn(move || other.submit(Job::Plain));
        office.desk.work.expire();
        // Who is refused knows of it.
        let mine = office.submit(Job::Plain);
        let taken = usize::from(mine) + usize::from(other.join().unwrap());
        office.end(1 + taken);
    });
}

#[test]
fn loom_blocking_close_against_submit_and_take() {
    model(|| {
        let office = Office::new(1, 1);
        assert!(office.submit(Job::Plain));
        let other = office.clone();
        let other = thread::spawn(move || other.submit(Job::Plain));
        let left = office.close();
        assert_eq!(office.desk.wait(0, Duration::MAX), 0);
        let taken = 1 + usize::from(other.join().unwrap());
        assert_eq!(office.ran.get() + left, taken, "each runs or is given back");
        assert_eq!(office.desk.lock().threads, 0);
    });
}

#[test]
fn loom_blocking_the_worker_hears_of_the_last_jobs_end() {
    model(|| {
        let office = Office::new(1, 1);
        assert!(office.submit(Job::Wakes(0)));
        office.sleep();
        assert_eq!(office.woken.get(), 1, "a wake belongs to its job");
        office.end(1);
    });
}

#[test]
fn loom_blocking_the_worker_hears_of_a_job_that_is_withdrawn() {
    model(|| {
        let office = Office::new(1, 1);
        let ticket = office.desk.ticket();
        assert!(office.submit_as(ticket, Job::Plain));
        let other = office.clone();
        let other = thread::spawn(move || {
            if other.desk.withdraw(ticket).is_some() {
                other.ran.add();
                other.desk.ended(1, || other.told.add());
            }
        });
        office.sleep();
        assert_eq!(office.ran.get(), 1, "it runs, or is dropped");
        other.join().unwrap();
        office.end(1);
    });
}

#[test]
fn loom_blocking_the_worker_hears_of_jobs_that_the_close_cancels() {
    model(|| {
        let office = Office::new(1, 1);
        assert!(office.submit(Job::Plain));
        let worker = office.clone();
        let worker = thread::spawn(move || worker.sleep());
        office.close();
        worker.join().unwrap();
        assert_eq!(office.desk.wait(0, Duration::MAX), 0);
    });
}

#[test]
fn loom_blocking_a_thread_without_a_job_is_no_job_that_is_left() {
    model(|| {
        let office = Office::new(1, 1);
        // One that sleeps, and has not heard of the end.
        office.desk.lock().threads = 1;
        assert_eq!(office.close(), 0);
        assert_eq!(office.desk.wait(0, Duration::ZERO), 0);
    });
}

/// By who is left, as it is about a start that takes longer than a thread stays.
#[test]
fn loom_blocking_the_last_thread_leaves_while_one_in_standby_cannot_be_had() {
    model(|| {
        let Office(room) = Office::new(1, 2);
        let desk = &room.desk;
        let there = |_| Ok(());
        assert!(desk.submit(desk.ticket(), Job::Plain, there).is_ok());
        assert!(desk.first(false, there).is_some());
        let never = |standby: bool| {
            assert!(standby);
            assert!(desk.next(|| ()).is_some(), "the job it is started for");
            desk.work.expire();
            assert!(desk.next(|| ()).is_none(), "it has stayed long enough");
            assert!(desk.submit(desk.ticket(), Job::Plain, there).is_ok());
            Err(io::Error::other("there are no more threads"))
        };
        assert!(desk.submit(desk.ticket(), Job::Plain, never).is_ok());
        let state = desk.lock();
        assert_eq!(
            (state.queue.len(), state.threads, state.starting),
            (1, 1, 0)
        );
        assert!(!state.standby);
    });
}
