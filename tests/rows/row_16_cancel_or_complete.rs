//! A cancel that comes when all is done changes nothing.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::on_every_runtime;
use crate::support::drops::{poll_idly, poll_once};
use wakeline::future::join_all;
use wakeline::sync::oneshot;
use wakeline::{JoinSet, join, spawn, yield_now};

#[test]
fn an_abort_of_a_whole_that_is_done_leaves_its_result() {
    on_every_runtime(|| async {
        let whole = spawn(join_all((0..3).map(|n| async move { n })));
        while !whole.is_finished() {
            yield_now().await;
        }
        whole.abort();
        assert_eq!(whole.await.expect("it was done"), [0, 1, 2]);
    });
}

#[test]
fn aborting_a_set_of_which_all_is_done_leaves_the_results() {
    on_every_runtime(|| async {
        let mut set = JoinSet::new();
        let handles: Vec<_> = (0..3).map(|n| set.spawn(async move { n })).collect();
        while !handles.iter().all(wakeline::AbortHandle::is_finished) {
            yield_now().await;
        }
        set.abort_all();
        assert_eq!(set.join_all().await, [0, 1, 2]);
    });
}

#[test]
fn aborting_a_set_cancels_those_that_run_and_no_other() {
    on_every_runtime(|| async {
        let mut set = JoinSet::new();
        let done = set.spawn(async { 0 });
        while !done.is_finished() {
            yield_now().await;
        }
        set.spawn(pending());
        set.abort_all();
        let results = set.join_all_results().await;
        assert_eq!(results[0].as_ref().ok(), Some(&0));
        assert!(results[1].as_ref().is_err_and(|error| error.is_cancelled()));
    });
}

#[test]
fn the_poll_that_completes_wins_over_an_abort_that_it_makes_itself() {
    on_every_runtime(|| async {
        let (tx, rx) = oneshot::channel::<wakeline::AbortHandle>();
        let whole = spawn(async move {
            let abort = rx.await.expect("it is sent");
            // From here to the end there is no suspension.
            let (_, n) = join!(async { abort.abort() }, async { 7 });
            n
        });
        tx.send(whole.abort_handle()).expect("it is waited for");
        assert_eq!(whole.await.expect("it completed"), 7);
    });
}

#[test]
fn what_is_done_when_a_join_is_dropped_is_dropped_with_it_once() {
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    on_every_runtime(|| async {
        let dropped = Arc::new(AtomicUsize::new(0));
        let output = Counts(Arc::clone(&dropped));
        let (_tx, rx) = oneshot::channel::<()>();
        let mut rx = Some(rx);
        let mut output = Some(output);
        let joining = join_all((0..2).map(|n| {
            let (rx, output) = if n == 0 {
                (None, output.take())
            } else {
                (rx.take(), None)
            };
            async move {
                if let Some(rx) = rx {
                    let _ = rx.await;
                }
                output
            }
        }));
        let mut joining = Box::pin(joining);
        assert!(poll_once(joining.as_mut()).await.is_pending());
        assert_eq!(dropped.load(Ordering::Relaxed), 0, "the output waits");
        drop(joining);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_set_whose_shutdown_is_given_up_is_still_aborted() {
    on_every_runtime(|| async {
        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        // Polled once and dropped.
        let _ = poll_idly(pin!(set.shutdown()));
        if let Some(result) = set.join_next().await {
            assert!(result.expect_err("aborted").is_cancelled());
        }
        assert!(set.is_empty());
    });
}

#[test]
fn the_error_of_a_cancelled_member_says_who_cancelled_and_why() {
    on_every_runtime(|| async {
        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        set.cancel_all("a newer request came");
        let error = set.join_next().await.expect("one").expect_err("cancelled");
        let reason = error.reason().expect("it was cancelled");
        assert_eq!(reason.text(), "a newer request came");
        assert!(
            reason
                .location()
                .file()
                .ends_with("row_16_cancel_or_complete.rs")
        );

        let member = spawn(pending::<()>());
        let node = member.abort_handle();
        drop(JoinSet::from_iter([member]));
        while !node.is_finished() {
            yield_now().await;
        }
    });
}
