//! `Condvar` and its `Mutex` against two plain queues.
//!
//! Whoever waits, is notified, asks for the lock again and is dropped on the way: the lock is
//! had by one at a time, in the order of arrival; a notification is used once, and goes to the
//! next if its waiter is dropped before it has the lock; who has something to do was woken
//! once, and nobody else.

#![no_main]

use std::collections::VecDeque;
use std::task::Poll;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wakeline_fuzz::wakes::Waiting;
use wakeline_sync::{Condvar, CondvarWait, Lock, Mutex, MutexGuard};

#[derive(Arbitrary, Debug)]
enum Step {
    Lock,
    TryLock,
    Unlock,
    /// With the lock that is held: the wait is polled once, or dropped at once.
    Wait(bool),
    Poll(u8),
    GiveUp(u8),
    NotifyOne,
    Notify(u8),
    NotifyAll,
}

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the queue of the condition.
    Waits,
    /// Notified: alone, so that the next gets it if this one goes.
    Told { alone: bool },
    /// In the queue of the mutex; the wait of a condition also knows how it was told.
    Asks { alone: bool },
    /// The mutex is its own.
    Has { alone: bool },
}

enum Future<'a> {
    Lock(Waiting<Lock<'a, u32>>),
    Wait(Waiting<CondvarWait<'a, 'a, u32>>),
}

impl<'a> Future<'a> {
    fn poll(&mut self) -> Poll<MutexGuard<'a, u32>> {
        match self {
            Future::Lock(lock) => lock.poll(),
            Future::Wait(wait) => wait.poll(),
        }
    }

    fn woken(&self) -> usize {
        match self {
            Future::Lock(lock) => lock.woken(),
            Future::Wait(wait) => wait.woken(),
        }
    }
}

struct Waiter<'a> {
    who: u32,
    place: Place,
    future: Future<'a>,
}

struct Run<'a> {
    mutex: &'a Mutex<u32>,
    condvar: &'a Condvar,
    guard: Option<MutexGuard<'a, u32>>,
    waiters: Vec<Waiter<'a>>,
    /// Of the condition, and of the mutex.
    waiting: VecDeque<u32>,
    asking: VecDeque<u32>,
    numbers: u32,
    locked: u32,
}

impl<'a> Run<'a> {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Lock => {
                let lock = Future::Lock(Waiting::new(self.mutex.lock()));
                self.ask(lock, false);
            }
            Step::TryLock => {
                let is_free = self.is_free();
                let tried = self.mutex.try_lock();
                assert_eq!(tried.is_ok(), is_free);
                if let Ok(guard) = tried {
                    self.hold(guard);
                }
            }
            Step::Unlock => {
                if self.guard.take().is_some() {
                    self.pass_on();
                }
            }
            Step::Wait(polled) => self.wait(polled),
            Step::Poll(which) => self.poll(which),
            Step::GiveUp(which) => self.give_up(which),
            Step::NotifyOne => {
                self.condvar.notify_one();
                self.tell(1, true);
            }
            Step::Notify(count) => {
                self.condvar.notify(count.into());
                self.tell(count.into(), true);
            }
            Step::NotifyAll => {
                self.condvar.notify_all();
                self.tell(usize::MAX, false);
            }
        }
        self.check();
    }

    fn is_free(&self) -> bool {
        let is_had = |waiter: &Waiter<'_>| matches!(waiter.place, Place::Has { .. });
        self.guard.is_none() && !self.waiters.iter().any(is_had)
    }

    /// It counts how often it was locked.
    fn hold(&mut self, mut guard: MutexGuard<'a, u32>) {
        assert!(self.guard.is_none(), "it is locked twice");
        assert_eq!(*guard, self.locked);
        *guard += 1;
        self.locked += 1;
        self.guard = Some(guard);
    }

    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// Polls what asks for the mutex now, for the first time.
    fn ask(&mut self, mut future: Future<'a>, alone: bool) {
        let is_free = self.is_free();
        match future.poll() {
            Poll::Ready(guard) => {
                assert!(is_free, "it barged in");
                self.hold(guard);
            }
            Poll::Pending => {
                assert!(!is_free, "it waits for nothing");
                let who = self.number();
                self.asking.push_back(who);
                self.waiters.push(Waiter {
                    who,
                    place: Place::Asks { alone },
                    future,
                });
            }
        }
    }

    fn wait(&mut self, polled: bool) {
        let Some(guard) = self.guard.take() else {
            return;
        };
        let mut future = Future::Wait(Waiting::new(self.condvar.wait(guard)));
        if polled {
            assert!(future.poll().is_pending(), "nobody has told it");
            let who = self.number();
            self.waiting.push_back(who);
            self.waiters.push(Waiter {
                who,
                place: Place::Waits,
                future,
            });
        }
        self.pass_on();
    }

    fn poll(&mut self, which: u8) {
        if self.waiters.is_empty() {
            return;
        }
        let mut waiter = self.waiters.remove(usize::from(which) % self.waiters.len());
        match waiter.place {
            Place::Told { alone } => self.ask(waiter.future, alone),
            Place::Has { .. } => match waiter.future.poll() {
                Poll::Ready(guard) => self.hold(guard),
                Poll::Pending => panic!("the lock is its own"),
            },
            Place::Waits | Place::Asks { .. } => {
                assert!(waiter.future.poll().is_pending(), "it barged in");
                self.waiters.push(waiter);
            }
        }
    }

    fn give_up(&mut self, which: u8) {
        if self.waiters.is_empty() {
            return;
        }
        let at = usize::from(which) % self.waiters.len();
        let Waiter { who, place, future } = self.waiters.remove(at);
        drop(future);
        self.waiting.retain(|other| *other != who);
        self.asking.retain(|other| *other != who);
        if let Place::Told { alone: true }
        | Place::Asks { alone: true }
        | Place::Has { alone: true } = place
        {
            self.tell(1, true);
        }
        if let Place::Has { .. } = place {
            self.pass_on();
        }
    }

    /// The front of the condition's queue is notified.
    fn tell(&mut self, count: usize, alone: bool) {
        for who in self.waiting.drain(..count.min(self.waiting.len())) {
            let mut waiters = self.waiters.iter_mut();
            let waiter = waiters.find(|waiter| waiter.who == who);
            waiter.expect("it waits").place = Place::Told { alone };
        }
    }

    /// The mutex was unlocked: it belongs to the front of its queue.
    fn pass_on(&mut self) {
        let Some(front) = self.asking.pop_front() else {
            return;
        };
        let mut waiters = self.waiters.iter_mut();
        let waiter = waiters.find(|waiter| waiter.who == front).expect("it asks");
        if let Place::Asks { alone } = waiter.place {
            waiter.place = Place::Has { alone };
        }
    }

    fn check(&self) {
        for waiter in &self.waiters {
            let is_next = matches!(waiter.place, Place::Told { .. } | Place::Has { .. });
            assert_eq!(
                waiter.future.woken(),
                usize::from(is_next),
                "{:?}",
                waiter.place
            );
        }
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut run = Run {
        mutex: &mutex,
        condvar: &condvar,
        guard: None,
        waiters: Vec::new(),
        waiting: VecDeque::new(),
        asking: VecDeque::new(),
        numbers: 0,
        locked: 0,
    };
    steps.iter().for_each(|step| run.step(step));
});
