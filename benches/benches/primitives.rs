//! Question: what does each primitive cost, within criterion's statistics, and
//! has that changed since the run before?
//!
//! Setup:    the rows of `primitives`, of our runtime alone: one worker, the
//!           default driver. And some that are not of one thread: blocking jobs,
//!           one at a time and a thousand at once, and a wake from another thread,
//!           which is half of a ping-pong of two runtimes.
//! Counts:   what the bin `primitives` counts: the time of one operation, without
//!           the start and end of the runtime.
//! Leaves out: I/O, the peers.
//! Compare:  criterion's own run before; the peers are in the bin `primitives`.
//!
//! ```text
//! cargo bench -p wakeline-benches --bench primitives -- --quick
//! cargo bench -p wakeline-benches --bench primitives -- mutex
//! ```

#[macro_use]
#[path = "../src/bin/primitives/rows.rs"]
mod rows;
#[macro_use]
#[path = "../src/bin/primitives/across.rs"]
mod across;
#[path = "../src/bin/primitives/runtimes/ours.rs"]
mod ours;

use std::future::ready;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use wakeline::sync::mpsc;
use wakeline::{JoinHandle, Runtime, spawn_blocking};

use rows::{OPS, Row, per_op};

fn one_worker() -> Runtime {
    let runtime = wakeline::Builder::new().workers(1).build();
    runtime.expect("a runtime")
}

fn block_on_ready() -> f64 {
    let runtime = one_worker();
    let started = Instant::now();
    for n in 0..OPS {
        assert_eq!(runtime.block_on(ready(black_box(n))), n);
    }
    per_op(OPS, started)
}

/// Fewer than of the others: each is some microseconds.
const JOBS: u64 = OPS / 10;

fn blocking_alone() -> f64 {
    one_worker().block_on(async {
        assert_eq!(spawn_blocking(|| 1).await.ok(), Some(1)); // a thread is there
        let started = Instant::now();
        for n in 0..JOBS {
            assert_eq!(spawn_blocking(move || n).await.ok(), Some(n));
        }
        per_op(JOBS, started)
    })
}

fn blocking_thousand() -> f64 {
    one_worker().block_on(async {
        assert_eq!(spawn_blocking(|| 1).await.ok(), Some(1));
        let started = Instant::now();
        for _ in 0..JOBS / 1_000 {
            let jobs: Vec<JoinHandle<u64>> =
                (0..1_000).map(|n| spawn_blocking(move || n)).collect();
            for job in jobs {
                assert!(job.await.is_ok());
            }
        }
        per_op(JOBS, started)
    })
}

fn wake_from_another_thread() -> f64 {
    let (there, mut pings) = mpsc::channel::<u64>(1);
    let (back, mut pongs) = mpsc::channel::<u64>(1);
    let other = std::thread::spawn(move || {
        one_worker().block_on(async move {
            while let Some(ping) = pings.recv().await {
                assert!(back.send(ping).await.is_ok());
            }
        });
    });
    let nanos = one_worker().block_on(async move {
        let started = Instant::now();
        for n in 0..JOBS {
            assert!(there.send(n).await.is_ok());
            assert_eq!(pongs.recv().await, Some(n));
        }
        per_op(2 * JOBS, started)
    });
    other.join().expect("no panic");
    nanos
}

const ACROSS: &[Row] = &[
    ("block_on_ready", block_on_ready),
    ("blocking_alone", blocking_alone),
    ("blocking_thousand", blocking_thousand),
    ("wake_from_another_thread", wake_from_another_thread),
];

fn primitives(c: &mut Criterion) {
    for (name, run) in ours::RUNTIME.rows.iter().chain(ACROSS) {
        c.bench_function(&format!("{}/{name}", ours::RUNTIME.name), |b| {
            b.iter_custom(|iterations| {
                // A row has its own number of operations, and tells the time of one.
                let runs = iterations.div_ceil(OPS);
                let nanos: f64 = (0..runs).map(|_| run()).sum();
                Duration::from_nanos((nanos / runs as f64 * iterations as f64) as u64)
            });
        });
    }
}

criterion_group! {
    name = group;
    // Each sample is a whole run of a row.
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = primitives
}
criterion_main!(group);
