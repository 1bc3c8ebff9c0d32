//! Whom a cancel reaches, and whom a shield protects.

use std::pin::pin;
use std::time::Duration;

use wakeline::cancel::Cause;
use wakeline::sync::oneshot;
use wakeline::{CancelToken, spawn, yield_now};

use super::{poll_once, text};
use crate::on_every_runtime;

#[test]
fn a_cancel_reaches_down_also_through_the_dropped_and_nowhere_else() {
    let root = CancelToken::new();
    let (middle, sibling) = (root.child(), root.child());
    let leaf = middle.child().child(); // the one between is dropped
    assert!(middle.cancel("middle"));
    assert!(leaf.is_cancelled() && !root.is_cancelled() && !sibling.is_cancelled());
    drop(middle);
    assert!(root.cancel("root"));
    assert_eq!(
        [text(&leaf), text(&sibling), text(&root.child())],
        ["middle", "root", "root"]
    );
}

#[test]
fn the_first_cancel_wins_and_names_the_line_that_asked() {
    let token = CancelToken::new();
    let line = line!() + 1;
    assert!(token.cancel("first"));
    assert!(!token.cancel(String::from("second")));
    let reason = token.reason().unwrap();
    assert_eq!((reason.text(), reason.cause()), ("first", Cause::Requested));
    assert_eq!(
        (reason.location().file(), reason.location().line()),
        (file!(), line)
    );
}

#[test]
fn of_many_threads_that_cancel_one_does_it() {
    for _ in 0..50 {
        let root = CancelToken::new();
        let leaf = root.child().child();
        let winners: usize = std::thread::scope(|s| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    let token = &root;
                    s.spawn(move || usize::from(token.cancel(format!("thread {n}"))))
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(winners, 1);
        assert_eq!(root.reason(), leaf.reason());
    }
}

#[test]
fn five_thousand_levels_wait_and_are_cancelled() {
    on_every_runtime(|| async {
        let root = CancelToken::new();
        let mut leaf = root.child();
        for _ in 0..5_000 {
            leaf = leaf.child();
        }
        leaf.set_timeout(Duration::from_secs(3600));
        let (waiting, waits) = oneshot::channel();
        let task = spawn(async move {
            let mut cancelled = pin!(leaf.cancelled());
            assert!(poll_once(cancelled.as_mut()).await.is_none());
            waiting.send(()).expect("it listens");
            cancelled.await
        });
        waits.await.unwrap();
        root.cancel("deep");
        assert_eq!(task.await.unwrap().text(), "deep");
    });
}

#[test]
fn a_shield_can_be_put_on_and_taken_off_while_somebody_waits() {
    on_every_runtime(|| async {
        let outer = CancelToken::new();
        let inner = outer.child();
        inner.set_shielded(true);
        let task = spawn({
            let inner = inner.clone();
            async move { inner.cancelled().await }
        });
        outer.cancel("outside");
        yield_now().await;
        assert!(!inner.is_cancelled() && !task.is_finished());
        inner.set_shielded(false);
        assert_eq!(task.await.unwrap().text(), "outside");
        inner.set_shielded(true);
        assert!(inner.is_cancelled(), "there is no way back");
    });
}

#[test]
fn a_shielded_token_honours_its_own_cancel_and_its_own_deadline() {
    on_every_runtime(|| async {
        let outer = CancelToken::new();
        let (by_hand, by_time) = (outer.shielded_child(), outer.shielded_child());
        outer.cancel("outside");
        by_hand.cancel("inside");
        by_time.set_timeout(Duration::from_millis(1));
        assert_eq!(by_hand.cancelled().await.text(), "inside");
        assert_eq!(by_time.cancelled().await.cause(), Cause::Deadline);
    });
}
