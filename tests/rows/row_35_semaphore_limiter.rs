//! At most so many at a time: the semaphore, and the limiter whose limit moves.

use crate::on_every_runtime;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wakeline::sync::{Limiter, Semaphore, TryAcquireError};
use wakeline::{spawn, yield_now};

/// How many are inside, and how many were at most in each of two phases.
#[derive(Default)]
struct Inside {
    now: AtomicUsize,
    phase: AtomicUsize,
    peaks: [AtomicUsize; 2],
}

impl Inside {
    async fn stay(&self) {
        // Before it counts itself: who was slow to do so belongs to the phase in
        // which it came.
        let phase = self.phase.load(Ordering::SeqCst);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peaks[phase].fetch_max(now, Ordering::SeqCst);
        yield_now().await;
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    /// The peak of the phase that is now.
    fn peak(&self) -> usize {
        self.peaks[self.phase.load(Ordering::SeqCst)].load(Ordering::SeqCst)
    }
}

/// Lets the other tasks run until `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        yield_now().await;
    }
}

#[test]
fn never_more_are_inside_than_there_are_permits() {
    on_every_runtime(|| async {
        let (semaphore, inside) = (Arc::new(Semaphore::new(3)), Arc::new(Inside::default()));
        let tasks: Vec<_> = (0..30)
            .map(|_| {
                let (semaphore, inside) = (semaphore.clone(), inside.clone());
                spawn(async move {
                    let _permit = semaphore.acquire().await.expect("it is not closed");
                    inside.stay().await;
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        assert!(
            (1..=3).contains(&inside.peak()),
            "{} at once",
            inside.peak()
        );
        assert_eq!(semaphore.available(), 3);
    });
}

#[test]
fn a_large_request_at_the_front_is_served_before_smaller_ones_and_gives_back_what_it_collected() {
    on_every_runtime(|| async {
        let semaphore = Arc::new(Semaphore::new(3));
        let held = semaphore.try_acquire().expect("there are three");
        let take = |permits| {
            let semaphore = Arc::clone(&semaphore);
            spawn(async move {
                let permit = semaphore.acquire_many_owned(permits).await;
                permit.expect("it is not closed").permits()
            })
        };
        let large = take(3);
        until(|| semaphore.available() == 0).await; // it has collected two
        let small = take(1);
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(
            semaphore.try_acquire().expect_err("not ours"),
            TryAcquireError::NoPermits
        );
        assert!(!small.is_finished() && !large.is_finished());
        drop(held);
        assert_eq!(large.await.expect("no panic"), 3);
        assert_eq!(small.await.expect("no panic"), 1);

        let held = semaphore.try_acquire().expect("there are three");
        let gives_up = take(3);
        until(|| semaphore.available() == 0).await;
        let small = take(2);
        gives_up.abort();
        assert!(gives_up.await.is_err());
        assert_eq!(small.await.expect("what it had collected"), 2);
        drop(held);
        assert_eq!(semaphore.available(), 3);
    });
}

#[test]
fn two_releases_let_two_in_and_a_task_that_is_aborted_hands_its_permit_on() {
    on_every_runtime(|| async {
        let (gate, inside) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let (gate, inside) = (gate.clone(), inside.clone());
                spawn(async move {
                    gate.acquire().await.expect("it is not closed").forget();
                    inside.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        gate.add_permits(1);
        gate.add_permits(1);
        until(|| inside.load(Ordering::Relaxed) == 2).await;
        gate.add_permits(1);
        for task in &tasks {
            task.abort(); // one of them has a permit, or is through with it
        }
        let mut through = 0;
        for task in tasks {
            through += usize::from(task.await.is_ok());
        }
        assert_eq!(through + gate.available(), 3, "no permit is lost");
    });
}

#[test]
fn a_close_fails_those_who_wait_and_who_come_while_what_is_held_comes_back() {
    on_every_runtime(|| async {
        let doors = Arc::new(Semaphore::new(1));
        let inside = doors.acquire().await.expect("it is open");
        let waits = spawn({
            let doors = Arc::clone(&doors);
            async move { doors.acquire().await.is_err() }
        });
        yield_now().await;
        doors.close();
        assert!(waits.await.expect("no panic"));
        assert!(doors.acquire().await.is_err());
        drop(inside);
        assert_eq!(doors.available(), 1);
    });
}

#[test]
fn a_bounded_semaphore_refuses_to_be_released_too_often() {
    on_every_runtime(|| async {
        let slots = Semaphore::bounded(1);
        let slot = slots.acquire().await.expect("it is not closed");
        assert!(slots.try_add_permits(1).is_err(), "the slot will come back");
        slot.forget();
        assert!(slots.try_add_permits(1).is_ok(), "in its place");
        assert_eq!(slots.available(), 1);
    });
}

#[test]
fn the_limit_of_a_limiter_moves_while_its_permits_are_out() {
    on_every_runtime(|| async {
        let (limiter, inside) = (Arc::new(Limiter::new(2)), Arc::new(Inside::default()));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (limiter, inside) = (limiter.clone(), inside.clone());
                spawn(async move {
                    let _permit = limiter.acquire().await;
                    inside.stay().await;
                })
            })
            .collect();
        yield_now().await;
        limiter.set_total(4);
        yield_now().await;
        limiter.set_total(1);
        until(|| limiter.borrowed() <= 1).await;
        inside.phase.store(1, Ordering::SeqCst);
        for task in tasks {
            task.await.expect("no panic");
        }
        assert!(inside.peak() <= 1, "{} at once", inside.peak());
        assert_eq!((limiter.borrowed(), limiter.available()), (0, 1));
    });
}

#[test]
fn a_limiter_of_zero_lets_nobody_in_until_it_grows_and_an_abort_loses_no_room() {
    on_every_runtime(|| async {
        let limiter = Arc::new(Limiter::new(0));
        let enter = || {
            let limiter = Arc::clone(&limiter);
            spawn(async move { drop(limiter.acquire_owned().await) })
        };
        let (aborted, waits) = (enter(), enter());
        yield_now().await;
        assert_eq!(limiter.borrowed(), 0);
        limiter.set_total(1);
        aborted.abort();
        let _ = aborted.await; // it may have been quicker
        waits.await.expect("no panic");
        until(|| limiter.borrowed() == 0).await;
    });
}

#[test]
fn a_task_that_takes_and_gives_for_ever_gives_way_to_the_others() {
    on_every_runtime(|| async {
        let (one, limiter) = (Arc::new(Semaphore::new(1)), Arc::new(Limiter::new(1)));
        let (takes, enters) = (Arc::clone(&one), Arc::clone(&limiter));
        let takes = spawn(async move { while takes.acquire().await.is_ok() {} });
        let enters = spawn(async move {
            while enters.total() == 1 {
                drop(enters.acquire().await);
            }
        });
        yield_now().await;
        one.close();
        limiter.set_total(2);
        takes.await.expect("no panic");
        enters.await.expect("no panic");
    });
}
