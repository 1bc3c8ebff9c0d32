//! `Semaphore` against a list that is searched from the front.
//!
//! Whatever is asked for, given up, released, split, merged, forgotten, added and closed: the
//! same requests are granted, in the order of arrival, whoever is served or turned away was
//! woken once and nobody else, and not a permit is lost or made.

#![no_main]

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wakeline_fuzz::wakes::Waiting;
use wakeline_sync::{AcquireOwned, OwnedPermit, Semaphore, TryAcquireError};

#[derive(Arbitrary, Debug)]
enum Step {
    Acquire(u8),
    Try(u8),
    Poll(u8),
    GiveUp(u8),
    Release(u8),
    Split(u8, u8),
    Merge(u8, u8),
    Forget(u8),
    Add(u8),
    ForgetFree(u8),
    Close,
}

#[derive(Arbitrary, Debug)]
struct Input {
    permits: u8,
    bounded: bool,
    steps: Vec<Step>,
}

/// What should be. Who waits is known by a number.
#[derive(Debug, Default)]
struct Model {
    free: usize,
    issued: usize,
    closed: bool,
    /// With what it misses.
    queue: VecDeque<(u32, usize)>,
}

impl Model {
    fn give(&mut self, permits: usize) {
        self.free += permits;
        while let Some((_, missing)) = self.queue.front_mut() {
            let part = self.free.min(*missing);
            *missing -= part;
            self.free -= part;
            if *missing > 0 {
                return;
            }
            self.queue.pop_front();
        }
    }

    fn missing(&self, who: u32) -> Option<usize> {
        let mut queue = self.queue.iter();
        queue
            .find(|(other, _)| *other == who)
            .map(|(_, missing)| *missing)
    }

    fn may_take(&self, permits: usize) -> bool {
        !self.closed && self.free >= permits && (self.queue.is_empty() || permits == 0)
    }
}

struct Waiter {
    who: u32,
    permits: usize,
    /// It was in the queue at the close.
    turned_away: bool,
    waiting: Waiting<AcquireOwned>,
}

struct Run {
    semaphore: Arc<Semaphore>,
    bound: usize,
    model: Model,
    waiters: Vec<Waiter>,
    held: Vec<OwnedPermit>,
    numbers: u32,
}

fn pick<T>(from: &[T], which: u8) -> Option<usize> {
    (!from.is_empty()).then(|| usize::from(which) % from.len())
}

impl Run {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Acquire(permits) => self.acquire(usize::from(permits).min(self.bound)),
            Step::Try(permits) => self.try_take(permits.into()),
            Step::Poll(which) => self.poll(which),
            Step::GiveUp(which) => self.give_up(which),
            Step::Release(which) => {
                if let Some(at) = pick(&self.held, which) {
                    let permit = self.held.swap_remove(at);
                    self.model.give(permit.permits());
                }
            }
            Step::Split(which, permits) => self.split(which, permits.into()),
            Step::Merge(which, other) => self.merge(which, other),
            Step::Forget(which) => {
                if let Some(at) = pick(&self.held, which) {
                    let permit = self.held.swap_remove(at);
                    self.model.issued -= permit.permits();
                    permit.forget();
                }
            }
            Step::Add(permits) => self.add(permits.into()),
            Step::ForgetFree(permits) => {
                let gone = usize::from(permits).min(self.model.free);
                assert_eq!(self.semaphore.forget_permits(permits.into()), gone);
                self.model.free -= gone;
                self.model.issued -= gone;
            }
            Step::Close => self.close(),
        }
        self.check();
    }

    fn acquire(&mut self, permits: usize) {
        let at_once = self.model.may_take(permits);
        let mut waiting = Waiting::new(self.semaphore.acquire_many_owned(permits));
        match waiting.poll() {
            Poll::Ready(Ok(permit)) => {
                assert!(at_once, "it barged in");
                self.model.free -= permits;
                self.held.push(permit);
            }
            Poll::Ready(Err(_)) => assert!(self.model.closed),
            Poll::Pending => {
                assert!(!at_once && !self.model.closed, "it waits for nothing");
                let who = self.numbers;
                self.numbers += 1;
                self.model.queue.push_back((who, permits));
                self.model.give(0);
                self.waiters.push(Waiter {
                    who,
                    permits,
                    turned_away: false,
                    waiting,
                });
            }
        }
    }

    fn try_take(&mut self, permits: usize) {
        match self.semaphore.try_acquire_many_owned(permits) {
            Ok(permit) => {
                assert!(self.model.may_take(permits), "it barged in");
                self.model.free -= permits;
                self.held.push(permit);
            }
            Err(error) => {
                assert!(!self.model.may_take(permits));
                assert_eq!(error == TryAcquireError::Closed, self.model.closed);
            }
        }
    }

    fn poll(&mut self, which: u8) {
        let Some(at) = pick(&self.waiters, which) else {
            return;
        };
        let waiter = &mut self.waiters[at];
        let waits = self.model.missing(waiter.who).is_some();
        match waiter.waiting.poll() {
            Poll::Pending => assert!(waits && !waiter.turned_away, "granted, but it waits"),
            Poll::Ready(Ok(permit)) => {
                assert!(!waits && !waiter.turned_away);
                assert_eq!(permit.permits(), waiter.permits);
                self.waiters.swap_remove(at);
                self.held.push(permit);
            }
            Poll::Ready(Err(_)) => {
                assert!(waiter.turned_away);
                self.waiters.swap_remove(at);
            }
        }
    }

    fn give_up(&mut self, which: u8) {
        let Some(at) = pick(&self.waiters, which) else {
            return;
        };
        let waiter = self.waiters.swap_remove(at);
        if !waiter.turned_away {
            let missing = self.model.missing(waiter.who).unwrap_or(0);
            self.model.queue.retain(|(other, _)| *other != waiter.who);
            self.model.give(waiter.permits - missing);
        }
    }

    fn split(&mut self, which: u8, permits: usize) {
        let Some(at) = pick(&self.held, which) else {
            return;
        };
        let before = self.held[at].permits();
        match self.held[at].split(permits) {
            Some(part) => {
                assert_eq!(
                    (part.permits(), self.held[at].permits()),
                    (permits, before - permits)
                );
                self.held.push(part);
            }
            None => assert!(permits > before && self.held[at].permits() == before),
        }
    }

    fn merge(&mut self, which: u8, other: u8) {
        let Some(at) = pick(&self.held, which) else {
            return;
        };
        let part = self.held.swap_remove(at);
        match pick(&self.held, other) {
            Some(into) => self.held[into].merge(part),
            None => self.held.push(part),
        }
    }

    fn add(&mut self, permits: usize) {
        let fits = self.model.issued + permits <= self.bound;
        assert_eq!(self.semaphore.try_add_permits(permits).is_ok(), fits);
        if fits {
            self.model.issued += permits;
            self.model.give(permits);
        }
    }

    fn close(&mut self) {
        self.semaphore.close();
        self.model.closed = true;
        for waiter in &mut self.waiters {
            if let Some(missing) = self.model.missing(waiter.who) {
                waiter.turned_away = true;
                self.model.free += waiter.permits - missing;
            }
        }
        self.model.queue.clear();
    }

    fn check(&self) {
        assert_eq!(self.semaphore.available(), self.model.free);
        assert_eq!(self.semaphore.is_closed(), self.model.closed);
        let mut all = self.model.free;
        for waiter in &self.waiters {
            let missing = self.model.missing(waiter.who);
            let is_over = missing.is_none();
            assert_eq!(waiter.waiting.woken(), usize::from(is_over));
            if !waiter.turned_away {
                all += waiter.permits - missing.unwrap_or(0);
            }
        }
        all += self.held.iter().map(OwnedPermit::permits).sum::<usize>();
        assert_eq!(all, self.model.issued);
    }
}

fuzz_target!(|input: Input| {
    let permits = input.permits.into();
    let (semaphore, bound) = if input.bounded {
        (Semaphore::bounded(permits), permits)
    } else {
        (Semaphore::new(permits), Semaphore::MAX_PERMITS)
    };
    let model = Model {
        free: permits,
        issued: permits,
        ..Model::default()
    };
    let mut run = Run {
        semaphore: Arc::new(semaphore),
        bound,
        model,
        waiters: Vec::new(),
        held: Vec::new(),
        numbers: 0,
    };
    input.steps.iter().for_each(|step| run.step(step));
});
