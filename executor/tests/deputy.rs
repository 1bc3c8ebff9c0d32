//! A worker that runs one task for long has its driver's deputy look, called by another.

mod telling;

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use telling::Telling;
use wakeline_executor::{Executor, spawn, yield_now};

#[derive(Default)]
struct Looks {
    own: AtomicUsize,
    others: AtomicUsize,
}

#[test]
fn who_computes_is_looked_after_by_another() {
    let looks = Arc::new(Looks::default());
    let theirs = Arc::clone(&looks);
    let executor = Executor::builder()
        .workers(2)
        .driver(move |_| {
            let looks = Arc::clone(&theirs);
            Ok(Box::new(Telling::new(move |home| {
                let looks = match thread::current().id() == home {
                    true => &looks.own,
                    false => &looks.others,
                };
                looks.fetch_add(1, SeqCst);
            })))
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
