//! A worker that runs one task for long has its driver's deputy look, called by another.

use std::hint::spin_loop;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use wakeline_executor::{Deputy, Driver, Executor, Interrupt, ParkDriver, spawn, yield_now};

#[derive(Default)]
struct Looks {
    own: AtomicUsize,
    others: AtomicUsize,
}

/// Tells who looks.
struct Telling {
    park: ParkDriver,
    looks: Arc<Looks>,
}

impl Driver for Telling {
    fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.park.turn(limit)
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        self.park.interrupt()
    }

    fn deputy(&self) -> Option<Arc<dyn Deputy>> {
        Some(Arc::new(Counting(
            thread::current().id(),
            Arc::clone(&self.looks),
        )))
    }
}

struct Counting(ThreadId, Arc<Looks>);

impl Deputy for Counting {
    fn look(&self) {
        let looks = if thread::current().id() == self.0 {
            &self.1.own
        } else {
            &self.1.others
        };
        looks.fetch_add(1, SeqCst);
    }
}

#[test]
fn who_computes_is_looked_after_by_another() {
    let looks = Arc::new(Looks::default());
    let theirs = Arc::clone(&looks);
    let executor = Executor::builder()
        .workers(2)
        .driver(move |_| {
            let looks = Arc::clone(&theirs);
            let park = ParkDriver::new();
            Ok(Box::new(Telling { park, looks }))
        })
        .build()
        .unwrap();
    let seen = Arc::clone(&looks);
    let computes = async move {
        // Of the first long runs nobody knows.
        for _ in 0..1_000 {
            let end = Instant::now() + Duration::from_millis(20);
            while Instant::now() < end {
                if seen.others.load(SeqCst) > 0 {
                    return;
                }
                spin_loop();
            }
            yield_now().await;
        }
        panic!("nobody looked");
    };
    executor.block_on(async { spawn(computes).await.unwrap() });
    assert_eq!(looks.own.load(SeqCst), 0, "nobody looks for itself");
    let looked: u64 = executor
        .handle()
        .metrics()
        .workers
        .iter()
        .map(|one| one.looks)
        .sum();
    assert_eq!(looked as usize, looks.others.load(SeqCst));
}
