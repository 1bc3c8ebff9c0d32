//! Question: what does a timer cost that is made, waited for and dropped before
//!           it fires, as the limit of nearly every request is?
//! Setup:    one thread with a reactor; 0, 10,000 or 1,000,000 other timers alive,
//!           spread over an hour.
//! Counts:   `sleep`: the clock read, the first poll (into the wheel), the drop
//!           (out of it). `reset`: the clock read, and the move in the wheel.
//!           `timeout_ready`: a limit on a future that is ready at once.
//! Leaves out: turns of the reactor, firing, tasks.
//! Compare:  `clock`, one `Instant::now`, which is in `sleep` and `reset`.

use criterion::{Criterion, criterion_group, criterion_main};
use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use wakeline_reactor::time::{Sleep, sleep, timeout};
use wakeline_reactor::{Config, Reactor};

const SECOND: Duration = Duration::from_secs(1);

fn register(sleep: &mut Sleep) {
    let poll = Pin::new(sleep).poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending(), "a second is long");
}

fn timers(c: &mut Criterion) {
    let reactor = Reactor::new(&Config::default()).expect("a reactor can be made here");
    let _entered = reactor.enter();
    c.bench_function("timer/clock", |b| b.iter(Instant::now));
    c.bench_function("timer/timeout_ready", |b| {
        b.iter(|| {
            let limited = pin!(timeout(SECOND, ready(black_box(1))));
            black_box(limited.poll(&mut Context::from_waker(Waker::noop())))
        });
    });
    for alive in [0_u32, 10_000, 1_000_000] {
        let mut others: Vec<Sleep> = (0..alive)
            .map(|n| sleep(10 * SECOND + 3_600 * SECOND / alive * n))
            .collect();
        others.iter_mut().for_each(register);
        c.bench_function(&format!("timer/sleep/{alive}_alive"), |b| {
            b.iter(|| {
                let mut one = sleep(black_box(SECOND));
                register(&mut one);
            });
        });
        c.bench_function(&format!("timer/reset/{alive}_alive"), |b| {
            let mut one = sleep(SECOND);
            register(&mut one);
            b.iter(|| one.reset(Instant::now() + black_box(SECOND)));
        });
    }
}

criterion_group!(benches, timers);
criterion_main!(benches);
