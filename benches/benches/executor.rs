//! Question: what do a task's birth, poll, wake and join cost on one thread?
//! Setup:    one worker with a driver that only parks; criterion's own loop.
//! Counts:   allocation, queue, state transitions, the join hand-over.
//! Leaves out: I/O, other threads, the reactor.
//! Compare:  `block_on(ready)` is the price of the frame around each figure.

use std::future::{poll_fn, ready};
use std::hint::black_box;
use std::task::Poll;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use wakeline_executor::{Executor, JoinHandle, spawn, spawn_local, yield_now};

/// Operations in one `block_on`, so that its own price does not count.
const BATCH: u64 = 10_000;

fn executor() -> Executor {
    Executor::builder().workers(1).build().expect("an executor without a kernel object")
}

/// Reports the time of one of the `BATCH` operations that `run` does.
fn per_operation(c: &mut Criterion, name: &str, run: impl Fn(&Executor)) {
    let executor = executor();
    c.bench_function(name, |b| {
        b.iter_custom(|iterations| {
            let batches = iterations.div_ceil(BATCH);
            let started = std::time::Instant::now();
            for _ in 0..batches {
                run(&executor);
            }
            let spent = started.elapsed();
            let nanos = spent.as_nanos() as f64 * iterations as f64 / (batches * BATCH) as f64;
            Duration::from_nanos(nanos as u64)
        });
    });
}

/// Wakes itself `times` times.
async fn self_wakes(times: u64) {
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn benches(c: &mut Criterion) {
    let one = executor();
    c.bench_function("block_on a ready future", |b| b.iter(|| one.block_on(black_box(ready(1)))));
    per_operation(c, "spawn and join, one by one", |executor| {
        executor.block_on(async {
            for n in 0..BATCH {
                black_box(spawn(async move { n }).await.unwrap());
            }
        });
    });
    per_operation(c, "spawn_local and join, one by one", |executor| {
        executor.block_on(async {
            for n in 0..BATCH {
                black_box(spawn_local(async move { n }).await.unwrap());
            }
        });
    });
    per_operation(c, "spawn ten thousand, then join all", |executor| {
        executor.block_on(async {
            let handles: Vec<JoinHandle<u64>> = (0..BATCH).map(|n| spawn(async move { n })).collect();
            for handle in handles {
                black_box(handle.await.unwrap());
            }
        });
    });
    per_operation(c, "self-wake, one task", |executor| {
        executor.block_on(async { spawn(self_wakes(BATCH)).await.unwrap() });
    });
    per_operation(c, "self-wake, a thousand tasks", |executor| {
        executor.block_on(async {
            let handles: Vec<_> = (0..1_000).map(|_| spawn(self_wakes(BATCH / 1_000))).collect();
            for handle in handles {
                handle.await.unwrap();
            }
        });
    });
    per_operation(c, "yield_now, one task", |executor| {
        executor.block_on(async {
            spawn(async {
                for _ in 0..BATCH {
                    yield_now().await;
                }
            })
            .await
            .unwrap();
        });
    });
    per_operation(c, "spawn, abort and join", |executor| {
        executor.block_on(async {
            for _ in 0..BATCH {
                let handle = spawn(std::future::pending::<()>());
                handle.abort();
                assert!(handle.await.is_err());
            }
        });
    });
}

criterion_group! {
    name = group;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = benches
}
criterion_main!(group);
