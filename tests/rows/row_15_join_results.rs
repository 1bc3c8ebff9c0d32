//! All results, errors and cancellations among them, each at its own place.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::on_every_runtime;
use wakeline::future::join_all;
use wakeline::{JoinSet, spawn, task, yield_now};

/// Counts its drop.
struct Counts(Arc<AtomicUsize>);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn errors_and_cancellations_stand_at_their_own_index() {
    on_every_runtime(|| async {
        let mut set: JoinSet<u8> = JoinSet::new();
        set.spawn(async {
            yield_now().await;
            0
        });
        set.spawn(async { panic!("planned") });
        set.spawn(pending()).abort();
        set.spawn(async { 3 });
        let results = set.join_all_results().await;
        assert_eq!(results.len(), 4);
        assert_eq!(results[0].as_ref().ok(), Some(&0));
        assert!(results[1].as_ref().is_err_and(|error| error.is_panic()));
        assert!(results[2].as_ref().is_err_and(|error| error.is_cancelled()));
        assert_eq!(results[3].as_ref().ok(), Some(&3));
    });
}

#[test]
fn a_join_of_results_never_fails_early() {
    on_every_runtime(|| async {
        let done = Arc::new(AtomicUsize::new(0));
        let tasks = [Err("first"), Ok(1), Err("last")].map(|result| {
            let done = Arc::clone(&done);
            async move {
                yield_now().await;
                done.fetch_add(1, Ordering::Relaxed);
                result
            }
        });
        assert_eq!(join_all(tasks).await, [Err("first"), Ok(1), Err("last")]);
        assert_eq!(done.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn cancelling_the_whole_cancels_every_child_and_is_no_result() {
    on_every_runtime(|| async {
        let (dropped, results) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let whole = spawn({
            let (dropped, results) = (Arc::clone(&dropped), Arc::clone(&results));
            async move {
                let mut set = JoinSet::new();
                for _ in 0..3 {
                    let counts = Counts(Arc::clone(&dropped));
                    set.spawn(async move {
                        let _counts = counts;
                        pending::<()>().await;
                    });
                }
                let found = set.join_all_results().await.len();
                results.fetch_add(found, Ordering::Relaxed);
            }
        });
        yield_now().await;
        whole.abort();
        assert!(whole.await.expect_err("aborted").is_cancelled());
        while dropped.load(Ordering::Relaxed) < 3 {
            yield_now().await;
        }
        assert_eq!(results.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn join_all_of_a_set_gives_values_in_spawn_order_whatever_the_order_of_the_ends() {
    on_every_runtime(|| async {
        let mut set = JoinSet::new();
        for n in 0..20_u32 {
            set.spawn(async move {
                for _ in 0..(20 - n) % 7 {
                    yield_now().await;
                }
                n
            });
        }
        // What was waited for before is not among them.
        let first = set.join_next().await.expect("twenty").expect("no panic");
        let rest = set.join_all().await;
        let expected: Vec<u32> = (0..20).filter(|&n| n != first).collect();
        assert_eq!(rest, expected);
    });
}

#[test]
fn join_all_of_a_set_passes_a_panic_on_and_aborts_the_others() {
    on_every_runtime(|| async {
        let dropped = Arc::new(AtomicUsize::new(0));
        let counts = Counts(Arc::clone(&dropped));
        let joining = spawn(async move {
            let mut set = JoinSet::new();
            set.spawn(async move {
                let _counts = counts;
                pending::<()>().await;
            });
            set.spawn(async { panic!("planned") });
            set.join_all().await
        });
        let payload = joining.await.expect_err("it panics").into_panic();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"planned"));
        while dropped.load(Ordering::Relaxed) < 1 {
            yield_now().await;
        }
    });
}

#[test]
fn of_an_empty_set_everything_is_ready_at_once() {
    on_every_runtime(|| async {
        assert!(JoinSet::<u8>::new().join_all_results().await.is_empty());
        assert!(JoinSet::<u8>::new().join_all().await.is_empty());
        let none = JoinSet::<Result<u8, ()>>::new().try_join_all().await;
        assert!(none.expect("nothing failed").is_empty());
        let mut set = JoinSet::<u8>::new();
        assert!(set.join_next().await.is_none());
        assert!(set.try_join_next().is_none());
        set.shutdown().await;
    });
}

#[test]
fn a_task_of_a_set_may_have_a_name_and_its_error_tells_it() {
    on_every_runtime(|| async {
        let mut set: JoinSet<()> = JoinSet::new();
        set.insert(
            task::Builder::new()
                .name("reader")
                .spawn(async { panic!("planned") }),
        );
        let error = set.join_next().await.expect("one").expect_err("it panics");
        assert!(error.to_string().contains("\"reader\""), "{error}");
    });
}
