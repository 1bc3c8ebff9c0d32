//! Question: what does a permit cost, with nobody waiting and in a crowd?
//! Setup:    one thread. `free`: one permit, taken and given back. `crowd`: 10
//!           permits, 1,000 futures that want one, polled in the order of the
//!           queue: a release, the poll that gets the permit, the next arrival.
//! Counts:   both polls, the grant, a waker's clone and wake (of a counter-less
//!           waker). Leaves out: tasks and their queue.
//! Compare:  the std mutex, locked and unlocked (`mutex`): a queue under a lock
//!           needs two of those for each permit.

use criterion::{Criterion, criterion_group, criterion_main};
use std::collections::VecDeque;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use wakeline_sync::{Acquire, Permit, Semaphore};

fn poll<'a>(acquire: &mut Acquire<'a>) -> Option<Permit<'a>> {
    match Pin::new(acquire).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(permit) => Some(permit.expect("it is never closed")),
        Poll::Pending => None,
    }
}

fn permits(c: &mut Criterion) {
    let mutex = Mutex::new(0_u64);
    c.bench_function("semaphore/mutex", |b| {
        b.iter(|| *black_box(&mutex).lock().expect("nobody panics") += 1);
    });
    let one = Semaphore::new(1);
    c.bench_function("semaphore/free", |b| {
        b.iter(|| poll(&mut black_box(&one).acquire()))
    });

    let ten = Semaphore::new(10);
    let mut held: VecDeque<Permit<'_>> = VecDeque::new();
    let mut waiting: VecDeque<Acquire<'_>> = VecDeque::new();
    for _ in 0..1_000 {
        let mut acquire = ten.acquire();
        match poll(&mut acquire) {
            Some(permit) => held.push_back(permit),
            None => waiting.push_back(acquire),
        }
    }
    c.bench_function("semaphore/crowd", |b| {
        b.iter(|| {
            drop(held.pop_front());
            let mut first = waiting.pop_front().expect("a crowd");
            held.push_back(poll(&mut first).expect("it was its turn"));
            let mut next = ten.acquire();
            assert!(poll(&mut next).is_none(), "nobody barges in");
            waiting.push_back(next);
        });
    });
}

criterion_group!(benches, permits);
criterion_main!(benches);
