//! Models of the task's state: each is two or three threads and one question.

use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use wakeline_context::Reason;
use wakeline_sync::cancel::Node;

use super::cancel::tell_and_abort;
use super::state::{Pause, Start, State, Wake};

/// A task that was popped and is being polled.
fn running() -> Arc<State> {
    let state = Arc::new(State::new());
    assert_eq!(state.start(), Start::Poll);
    state
}

#[test]
fn loom_wake_against_pause() {
    loom::model(|| {
        let state = running();
        let remote = thread::spawn({
            let state = Arc::clone(&state);
            move || state.wake()
        });
        let (paused, woken) = (state.pause(), remote.join().unwrap());
        // Exactly one of the two puts the task back into a queue.
        assert_ne!(paused == Pause::Requeue, woken == Wake::Enqueue);
    });
}

#[test]
fn loom_two_wakes_queue_once() {
    loom::model(|| {
        let state = running();
        assert_eq!(state.pause(), Pause::Idle);
        let remote = thread::spawn({
            let state = Arc::clone(&state);
            move || state.wake()
        });
        let (here, there) = (state.wake(), remote.join().unwrap());
        assert_ne!(here == Wake::Enqueue, there == Wake::Enqueue);
    });
}

#[test]
fn loom_what_was_written_before_a_wake_is_seen_by_the_poll() {
    loom::model(|| {
        let state = running();
        let written = Arc::new(AtomicUsize::new(0));
        let remote = thread::spawn({
            let (state, written) = (Arc::clone(&state), Arc::clone(&written));
            move || {
                // Relaxed on purpose: the state alone must order it.
                written.store(1, Relaxed);
                state.wake()
            }
        });
        if state.pause() == Pause::Requeue {
            assert_eq!(state.start(), Start::Poll);
            assert_eq!(
                written.load(Relaxed),
                1,
                "the poll missed what its wake was for"
            );
        }
        let _ = remote.join().unwrap();
    });
}

#[test]
fn loom_abort_against_pause_and_wake() {
    loom::model(|| {
        let state = running();
        let aborter = thread::spawn({
            let state = Arc::clone(&state);
            move || state.abort()
        });
        let waker = thread::spawn({
            let state = Arc::clone(&state);
            move || state.wake()
        });
        let paused = state.pause() == Pause::Requeue;
        let aborted = aborter.join().unwrap() == Wake::Enqueue;
        let woken = waker.join().unwrap() == Wake::Enqueue;
        assert_eq!(
            [paused, aborted, woken]
                .iter()
                .filter(|&&queued| queued)
                .count(),
            1
        );
        // Whoever queued it: the next start sees the abort.
        assert_eq!(state.start(), Start::Cancel);
    });
}

#[test]
fn loom_abort_against_start() {
    loom::model(|| {
        let state = Arc::new(State::new());
        let aborter = thread::spawn({
            let state = Arc::clone(&state);
            move || state.abort()
        });
        if state.start() == Start::Poll {
            // The abort comes during the poll or after it; it is never lost.
            let paused = state.pause() == Pause::Requeue;
            let aborted = aborter.join().unwrap() == Wake::Enqueue;
            assert_ne!(paused, aborted);
            assert_eq!(state.start(), Start::Cancel);
        } else {
            let _ = aborter.join().unwrap();
        }
        let _ = state.finish();
    });
}

#[test]
fn loom_abort_against_completion() {
    loom::model(|| {
        let state = running();
        let aborter = thread::spawn({
            let state = Arc::clone(&state);
            move || state.abort()
        });
        let finished = state.finish();
        // A complete task is never queued again, and its handle gets the output.
        assert_eq!(aborter.join().unwrap(), Wake::Nothing);
        assert!(!finished.drop_output);
        assert!(state.is_complete());
    });
}

#[test]
fn loom_join_waker_against_completion() {
    loom::model(|| {
        let state = running();
        let slot = Arc::new(AtomicUsize::new(0));
        let handle = thread::spawn({
            let (state, slot) = (Arc::clone(&state), Arc::clone(&slot));
            move || {
                if state.reclaim_join_waker().is_err() {
                    return false;
                }
                slot.store(1, Relaxed);
                state.offer_join_waker().is_ok()
            }
        });
        let finished = state.finish();
        if finished.wake_join {
            assert_eq!(
                slot.load(Relaxed),
                1,
                "the waker was announced before it was written"
            );
        }
        // Who left a waker is woken; who could not, saw that it is complete.
        assert_eq!(handle.join().unwrap(), finished.wake_join);
    });
}

#[test]
fn loom_detach_against_completion() {
    loom::model(|| {
        let state = running();
        let handle = thread::spawn({
            let state = Arc::clone(&state);
            move || state.detach()
        });
        let finished = state.finish();
        let detached = handle.join().unwrap();
        // Exactly one of the two drops the output.
        assert_ne!(finished.drop_output, detached.drop_output);
    });
}

#[test]
fn loom_the_last_reference_frees_once() {
    loom::model(|| {
        let state = running();
        state.retain();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let state = Arc::clone(&state);
                thread::spawn(move || state.release())
            })
            .collect();
        let mut freed = usize::from(state.release());
        for other in others {
            freed += usize::from(other.join().unwrap());
        }
        assert_eq!(freed, 1);
    });
}

#[test]
fn loom_who_ends_a_cancelled_task_finds_the_reason() {
    loom::model(|| {
        let state = running();
        let node = Node::root();
        let canceller = thread::spawn({
            let (state, node) = (Arc::clone(&state), node.clone());
            let abort = move || drop(state.abort());
            move || tell_and_abort(Some(&node), abort, Reason::new("stop"))
        });
        if state.pause() == Pause::Requeue {
            assert_eq!(state.start(), Start::Cancel);
            assert!(node.is_cancelled(), "ended, and nobody knows why");
        }
        canceller.join().unwrap();
        assert!(node.is_cancelled());
    });
}

#[test]
fn loom_wake_against_the_next_poll_of_a_task_that_woke_itself() {
    loom::model(|| {
        // It is queued by its own hands: RUNNING stays, nothing was written.
        let state = running();
        let written = Arc::new(AtomicUsize::new(0));
        let remote = thread::spawn({
            let (state, written) = (Arc::clone(&state), Arc::clone(&written));
            move || {
                // Relaxed on purpose: the state alone must order it.
                written.store(1, Relaxed);
                state.wake()
            }
        });
        assert_eq!(state.resume(), Start::Poll);
        let seen = written.load(Relaxed) == 1;
        let paused = state.pause() == Pause::Requeue;
        let woken = remote.join().unwrap() == Wake::Enqueue;
        // Either the poll saw what the wake was for, or there is one more poll.
        assert!(seen || paused != woken, "the wake was lost");
        assert!(!(paused && woken), "it is queued twice");
    });
}

#[test]
fn loom_abort_against_the_next_poll_of_a_task_that_woke_itself() {
    loom::model(|| {
        let state = running();
        let aborter = thread::spawn({
            let state = Arc::clone(&state);
            move || state.abort()
        });
        if state.resume() == Start::Poll {
            let paused = state.pause() == Pause::Requeue;
            let aborted = aborter.join().unwrap() == Wake::Enqueue;
            assert_ne!(paused, aborted, "the abort was lost");
            assert_eq!(state.start(), Start::Cancel);
        } else {
            assert_eq!(aborter.join().unwrap(), Wake::Nothing);
        }
        let _ = state.finish();
    });
}
