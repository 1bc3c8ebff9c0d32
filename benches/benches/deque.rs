//! Question: what do push, pop and a batch steal cost, against crossbeam's FIFO?
//! Setup:    one thread; rings that have grown; pointers that are never followed.
//! Counts:   the ring alone. `push_pop` keeps 32 queued. `fill_and_empty` moves 64
//!           in and out; `fill_steal_and_empty` the same with half of them stolen
//!           on the way: the difference is 32 copies less one pop.
//! Leaves out: contention, tasks, waking. crossbeam's batch is at most 32.

use std::{hint::black_box, ptr::NonNull};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// The executor's own source, which it does not export.
#[path = "../../executor/src/queue/deque.rs"]
#[allow(dead_code, missing_docs, reason = "the executor uses the rest")]
mod deque;
#[path = "../../executor/src/padded.rs"]
mod padded;

/// What the ring finds in the executor: std's, as there is no model here.
mod sync {
    pub(crate) use std::sync::{Arc, atomic};
}

const QUEUED: usize = 32;
const FULL: usize = 64;

fn item() -> NonNull<u64> {
    NonNull::dangling()
}

/// Something to compare: one ring, a second for the loot.
trait Pair {
    fn push(&self, item: NonNull<u64>);
    fn pop(&self) -> Option<NonNull<u64>>;
    /// Steals from the first ring into the second.
    fn steal(&self) -> Option<NonNull<u64>>;
    fn pop_loot(&self) -> Option<NonNull<u64>>;
}

struct Ours {
    own: deque::Owner<u64>,
    stealer: deque::Stealer<u64>,
    thief: deque::Owner<u64>,
}

impl Ours {
    fn new() -> Ours {
        let (own, stealer) = deque::new(256);
        Ours {
            own,
            stealer,
            thief: deque::new(256).0,
        }
    }
}

impl Pair for Ours {
    fn push(&self, item: NonNull<u64>) {
        self.own.push(item);
    }
    fn pop(&self) -> Option<NonNull<u64>> {
        self.own.pop()
    }
    fn steal(&self) -> Option<NonNull<u64>> {
        self.stealer.steal_into(&self.thief)
    }
    fn pop_loot(&self) -> Option<NonNull<u64>> {
        self.thief.pop()
    }
}

struct Crossbeam {
    own: crossbeam_deque::Worker<NonNull<u64>>,
    stealer: crossbeam_deque::Stealer<NonNull<u64>>,
    thief: crossbeam_deque::Worker<NonNull<u64>>,
}

impl Crossbeam {
    fn new() -> Crossbeam {
        let own = crossbeam_deque::Worker::new_fifo();
        let stealer = own.stealer();
        Crossbeam {
            own,
            stealer,
            thief: crossbeam_deque::Worker::new_fifo(),
        }
    }
}

impl Pair for Crossbeam {
    fn push(&self, item: NonNull<u64>) {
        self.own.push(item);
    }
    fn pop(&self) -> Option<NonNull<u64>> {
        self.own.pop()
    }
    fn steal(&self) -> Option<NonNull<u64>> {
        self.stealer.steal_batch_and_pop(&self.thief).success()
    }
    fn pop_loot(&self) -> Option<NonNull<u64>> {
        self.thief.pop()
    }
}

fn compare(c: &mut Criterion, name: &str, pair: &impl Pair) {
    let mut group = c.benchmark_group("deque");

    for _ in 0..QUEUED {
        pair.push(item());
    }
    group.bench_function(BenchmarkId::new("push_pop", name), |b| {
        b.iter(|| {
            pair.push(black_box(item()));
            black_box(pair.pop())
        });
    });
    while pair.pop().is_some() {}

    group.throughput(Throughput::Elements(FULL as u64));
    group.bench_function(BenchmarkId::new("fill_and_empty", name), |b| {
        b.iter(|| {
            for _ in 0..FULL {
                pair.push(black_box(item()));
            }
            while black_box(pair.pop()).is_some() {}
        });
    });
    group.bench_function(BenchmarkId::new("fill_steal_and_empty", name), |b| {
        b.iter(|| {
            for _ in 0..FULL {
                pair.push(black_box(item()));
            }
            black_box(pair.steal());
            while black_box(pair.pop()).is_some() {}
            while black_box(pair.pop_loot()).is_some() {}
        });
    });
    group.finish();
}

fn rings(c: &mut Criterion) {
    compare(c, "wakeline", &Ours::new());
    compare(c, "crossbeam", &Crossbeam::new());
}

criterion_group!(benches, rings);
criterion_main!(benches);
