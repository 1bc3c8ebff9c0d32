//! Models of a local task's two words: home against who is away.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::thread;

use super::{Finished, Near, Receive};
use crate::task::state::{Pause, Start, Wake};

/// A task that was popped and is being polled; its list and its handle have it.
fn running() -> Arc<Near> {
    let near = Arc::new(Near::new());
    assert_eq!(near.start(), Start::Poll);
    near
}

fn away<T: 'static>(
    near: &Arc<Near>,
    act: impl FnOnce(&Near) -> T + 'static,
) -> thread::JoinHandle<T> {
    let near = Arc::clone(near);
    thread::spawn(move || act(&near))
}

#[test]
fn loom_a_wake_from_away_is_answered_by_one_more_poll() {
    loom::model(|| {
        let near = running();
        let written = Arc::new(AtomicUsize::new(0));
        let remote = away(&near, {
            let written = Arc::clone(&written);
            move |near| {
                // Relaxed on purpose: the state alone must order it.
                written.store(1, Relaxed);
                near.wake_away()
            }
        });
        // By its own hands, meanwhile: it is queued once.
        assert_eq!(near.wake(), Wake::Nothing);
        assert_eq!(near.pause(), Pause::Requeue);
        assert_eq!(remote.join().unwrap(), Wake::Enqueue);
        assert_eq!(near.receive(), Receive::Nothing);
        assert_eq!(near.start(), Start::Poll);
        assert_eq!(near.pause(), Pause::Idle);
        assert_eq!(near.wake(), Wake::Enqueue);
    });
}

#[test]
fn loom_a_wake_that_finds_the_task_posted_is_answered_by_that_letter() {
    loom::model(|| {
        let near = running();
        assert_eq!(near.pause(), Pause::Idle);
        let mailbox = Arc::new(AtomicUsize::new(0));
        let written = Arc::new(AtomicUsize::new(0));
        let wake = |mark: usize| {
            let (mailbox, written) = (Arc::clone(&mailbox), Arc::clone(&written));
            away(&near, move |near| {
                // Relaxed on purpose: the state alone must order it.
                written.fetch_add(mark, Relaxed);
                if near.wake_away() == Wake::Enqueue {
                    mailbox.fetch_add(1, Release);
                }
            })
        };
        let (one, other) = (wake(1), wake(2));
        let mut letters = 0;
        let mut seen = 0;
        if mailbox.load(Acquire) == 1 {
            assert_eq!(near.receive(), Receive::Queue);
            assert_eq!(near.start(), Start::Poll);
            seen = written.load(Relaxed);
            assert_eq!(near.pause(), Pause::Idle);
            letters = 1;
        }
        one.join().unwrap();
        other.join().unwrap();
        // Either that poll saw what both wakes were for, or there is another letter.
        let left = mailbox.load(Relaxed) - letters;
        assert!(seen == 3 || left == 1, "a wake was lost");
    });
}

#[test]
fn loom_what_was_written_before_a_letter_is_seen_by_its_poll() {
    loom::model(|| {
        let near = running();
        assert_eq!(near.pause(), Pause::Idle);
        let (posted, written) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let first = away(&near, {
            let posted = Arc::clone(&posted);
            move |near| {
                if near.wake_away() == Wake::Enqueue {
                    posted.fetch_add(1, Relaxed);
                }
            }
        });
        let second = away(&near, {
            let (posted, written) = (Arc::clone(&posted), Arc::clone(&written));
            move |near| {
                written.store(1, Relaxed);
                if near.wake_away() == Wake::Enqueue {
                    posted.fetch_add(1, Relaxed);
                    return false;
                }
                true
            }
        });
        // The mailbox orders nothing here: the state alone must.
        if posted.load(Relaxed) == 1 {
            assert_eq!(near.receive(), Receive::Queue);
            let seen = written.load(Relaxed) == 1;
            first.join().unwrap();
            let found_it_posted = second.join().unwrap();
            assert!(
                !found_it_posted || seen,
                "the poll missed what its wake was for"
            );
        } else {
            first.join().unwrap();
            second.join().unwrap();
        }
    });
}

#[test]
fn loom_a_letter_that_meets_the_end_keeps_the_task() {
    loom::model(|| {
        let near = running();
        near.retain(); // the waker
        let remote = away(&near, |near| {
            let woken = near.wake_away();
            (woken, near.release_away())
        });
        let finished = near.finish(true, false);
        let (woken, freed) = remote.join().unwrap();
        // The handle has a reference, so nobody frees it here.
        assert!(!freed);
        match finished {
            Finished::Kept(rest) => {
                assert!(rest.in_mailbox && woken == Wake::Enqueue);
                assert_eq!(near.receive(), Receive::Over);
                assert!(!near.release());
            }
            other => {
                assert_eq!(other, Finished::Released);
                assert_eq!(woken, Wake::Nothing, "a letter is lost, with the task");
            }
        }
        assert!(near.release(), "the handle's was the last");
    });
}

#[test]
fn loom_references_of_both_sides_are_one_sum() {
    loom::model(|| {
        let near = running();
        near.retain(); // a waker, cloned at home and dropped away
        near.retain(); // and one that is used up at home
        let remote = away(&near, |near| {
            near.retain_away();
            let one = near.release_away();
            one as usize + near.release_away() as usize
        });
        assert!(!near.release(), "the handle's, before the end");
        assert_eq!(near.wake_and_release(), Some(Wake::Nothing));
        let last = near.finish(true, true) == Finished::Last;
        assert_eq!(near.wake_and_release(), None, "past the end");
        assert_eq!(remote.join().unwrap() + last as usize, 1, "freed once");
    });
}

#[test]
fn loom_the_last_reference_past_the_end_frees_once() {
    loom::model(|| {
        let near = running();
        near.retain();
        let remote = away(&near, |near| near.release_away());
        assert_eq!(near.finish(true, false), Finished::Released);
        let here = near.release();
        assert_ne!(here, remote.join().unwrap());
    });
}

#[test]
fn loom_a_handle_away_against_the_end() {
    loom::model(|| {
        let near = running();
        let slot = Arc::new(AtomicUsize::new(0));
        let handle = away(&near, {
            let slot = Arc::clone(&slot);
            move |near| {
                if near.reclaim_away().is_err() {
                    return false;
                }
                slot.store(1, Relaxed);
                near.offer_away().is_ok()
            }
        });
        let mut woken = false;
        if let Finished::Kept(rest) = near.finish(true, false) {
            woken = rest.wake_join;
            assert!(!rest.drop_output);
            assert_eq!(slot.load(Relaxed), 1, "announced before it was written");
        }
        // Who left a waker is woken; who could not, saw that it is complete.
        assert_eq!(handle.join().unwrap(), woken);
    });
}

#[test]
fn loom_a_handle_that_is_dropped_away_against_the_end() {
    loom::model(|| {
        let near = running();
        let output = Arc::new(AtomicUsize::new(0));
        let handle = away(&near, {
            let output = Arc::clone(&output);
            move |near| {
                let dropped = near.detach_away().drop_output;
                if dropped {
                    assert_eq!(output.load(Relaxed), 1, "the output is not there yet");
                }
                (dropped, near.release_away())
            }
        });
        output.store(1, Relaxed);
        let unread = !near.has_handle();
        let (dropped, freed) = match near.finish(true, unread) {
            Finished::Kept(rest) => (unread || rest.drop_output, near.release()),
            Finished::Last => (unread, true),
            Finished::Released => (unread, false),
        };
        let (dropped_away, freed_away) = handle.join().unwrap();
        assert_ne!(dropped, dropped_away, "exactly one drops the output");
        assert_ne!(freed, freed_away, "exactly one frees the task");
    });
}

#[test]
fn loom_an_abort_from_away_is_never_lost() {
    loom::model(|| {
        let near = Arc::new(Near::new());
        // As the real one: no atomic, so that every access must be ordered.
        let reason = Arc::new(UnsafeCell::new(()));
        let told = Arc::new(AtomicUsize::new(0));
        let aborter = away(&near, {
            let (reason, told) = (Arc::clone(&reason), Arc::clone(&told));
            move |near| {
                reason.with_mut(|_| ());
                let woken = near.abort_away();
                told.store(1, Relaxed);
                woken
            }
        });
        // Orders nothing. Without it the explorer takes the load of `start` and
        // the update of `abort_away` for independent, and tries one order only.
        let _ = told.load(Relaxed);
        if near.start() == Start::Poll {
            assert_eq!(near.pause(), Pause::Idle);
            assert_eq!(aborter.join().unwrap(), Wake::Enqueue);
            assert_eq!(near.receive(), Receive::Queue);
            assert_eq!(near.start(), Start::Cancel);
        } else {
            reason.with(|_| ());
            let _ = aborter.join().unwrap();
        }
        assert!(matches!(
            near.finish(true, false),
            Finished::Kept(_) | Finished::Released
        ));
    });
}
