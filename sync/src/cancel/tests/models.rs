//! Two threads and one question each.

use crate::cancel::Node;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

fn text(node: &Node) -> Option<String> {
    node.reason().map(|reason| reason.text().to_owned())
}

/// A cancel and a birth: whoever is first, the child hears of it.
#[test]
fn loom_who_is_born_during_a_cancel_is_cancelled() {
    loom::model(|| {
        let parent = Node::root();
        let other = loom::thread::spawn({
            let parent = parent.clone();
            move || parent.child()
        });
        assert!(parent.cancel("over".into()));
        let child = other.join().unwrap();
        assert_eq!(text(&child).as_deref(), Some("over"));
    });
}

/// A cancel that races with a wait on its way into the list is not missed, and
/// what came before the cancel is seen.
#[test]
fn loom_a_cancel_is_never_missed() {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicUsize, Ordering};

    loom::model(|| {
        let parent = Node::root();
        let child = parent.child();
        let written = Arc::new(AtomicUsize::new(0));
        let other = loom::thread::spawn({
            let written = written.clone();
            move || {
                written.store(1, Ordering::Relaxed);
                parent.cancel("over".into());
            }
        });
        let reason = loom::future::block_on(child.cancelled());
        assert_eq!(reason.text(), "over");
        assert_eq!(written.load(Ordering::Relaxed), 1);
        other.join().unwrap();
    });
}

/// Who sees the flag sees what was done before the cancel, with no lock.
#[test]
fn loom_who_sees_the_flag_sees_what_came_before() {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicUsize, Ordering};

    loom::model(|| {
        let node = Node::root();
        let written = Arc::new(AtomicUsize::new(0));
        let other = loom::thread::spawn({
            let (node, written) = (node.clone(), written.clone());
            move || {
                written.store(1, Ordering::Relaxed);
                node.cancel("over".into());
            }
        });
        // A thread of its own: loom does not try a first look of this one late.
        let looks = loom::thread::spawn(move || {
            if node.is_cancelled() {
                assert_eq!(written.load(Ordering::Relaxed), 1);
            }
        });
        other.join().unwrap();
        looks.join().unwrap();
    });
}

/// A child that goes while its parent is cancelled leaves no entry, takes no
/// other's, and its own child still hears the cancel.
#[test]
fn loom_a_child_that_goes_during_a_cancel_cuts_nothing_off() {
    loom::model(|| {
        let root = Node::root();
        let middle = root.child();
        let sibling = root.child();
        let leaf = middle.child();
        let other = loom::thread::spawn(move || {
            // A look that loom knows of, where a count in an `Arc` is none.
            let _ = sibling.is_cancelled();
            drop((middle, sibling));
        });
        assert!(root.cancel("over".into()));
        other.join().unwrap();
        assert_eq!(text(&leaf).as_deref(), Some("over"));
        drop((root, leaf));
    });
}

/// A child that goes and one that comes: each entry is its own.
#[test]
fn loom_a_child_that_goes_takes_no_others_place() {
    loom::model(|| {
        let root = Node::root();
        let old = root.child();
        let other = loom::thread::spawn({
            let root = root.clone();
            move || root.child()
        });
        drop(old);
        let young = other.join().unwrap();
        assert!(root.cancel("over".into()));
        assert!(young.is_cancelled());
    });
}

/// Two cancels of one node: one wins, and below it all agree.
#[test]
fn loom_of_two_cancels_one_wins_and_all_agree() {
    loom::model(|| {
        let node = Node::root();
        let child = node.child();
        let other = loom::thread::spawn({
            let node = node.clone();
            move || node.cancel("two".into())
        });
        let one = node.cancel("one".into());
        let two = other.join().unwrap();
        assert_ne!(one, two);
        let expected = if one { "one" } else { "two" };
        assert_eq!(text(&node).as_deref(), Some(expected));
        assert_eq!(text(&child).as_deref(), Some(expected));
    });
}

/// A cancel above meets one in the middle: below the middle all agree with it.
#[test]
fn loom_two_cancels_that_meet_do_not_mix() {
    loom::model(|| {
        let root = Node::root();
        let middle = root.child();
        let leaf = middle.child();
        let other = loom::thread::spawn({
            let middle = middle.clone();
            move || middle.cancel("middle".into())
        });
        assert!(root.cancel("root".into()));
        let was_first = other.join().unwrap();
        assert_eq!(text(&root).as_deref(), Some("root"));
        let expected = if was_first { "middle" } else { "root" };
        assert_eq!(text(&middle).as_deref(), Some(expected));
        assert_eq!(text(&leaf).as_deref(), Some(expected));
    });
}

/// A shield that comes off during a cancel does not let it by.
#[test]
fn loom_a_shield_that_comes_off_during_a_cancel_lets_it_in() {
    loom::model(|| {
        let root = Node::root();
        let shielded = root.child();
        shielded.set_shielded(true);
        let other = loom::thread::spawn({
            let shielded = shielded.clone();
            move || shielded.set_shielded(false)
        });
        root.cancel("over".into());
        other.join().unwrap();
        assert_eq!(text(&shielded).as_deref(), Some("over"));
    });
}

/// A new deadline above reaches who registers meanwhile: it is seen by the look
/// that follows, or it wakes.
#[test]
fn loom_a_new_deadline_is_seen_or_wakes() {
    loom::model(|| {
        let parent = Node::root();
        let at = Instant::now() + Duration::from_secs(1);
        let child = parent.child();
        let other = loom::thread::spawn({
            let parent = parent.clone();
            move || parent.set_deadline(Some(at))
        });
        let mut wait = child.cancelled();
        loom::future::block_on(std::future::poll_fn(|cx| {
            assert!(Pin::new(&mut wait).poll(cx).is_pending());
            match child.effective_deadline() {
                Some(deadline) => {
                    assert_eq!(deadline, at);
                    Poll::Ready(())
                }
                None => Poll::Pending,
            }
        }));
        other.join().unwrap();
    });
}

/// A deadline set while a child is born: the child knows that there is a clock.
#[test]
fn loom_who_is_born_during_a_new_deadline_has_a_clock() {
    loom::model(|| {
        let parent = Node::root();
        let at = Instant::now() + Duration::from_secs(1);
        let other = loom::thread::spawn({
            let parent = parent.clone();
            move || parent.child()
        });
        parent.set_deadline(Some(at));
        let child = other.join().unwrap();
        assert!(child.cancel_due(at));
    });
}

/// A deadline moved later while it is found due: either it fired, or it has
/// moved and nothing is cancelled.
#[test]
fn loom_a_deadline_fires_or_moves_and_not_both() {
    loom::model(|| {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let node = Node::root();
        let child = node.child();
        node.set_deadline(Some(now));
        let other = loom::thread::spawn({
            let node = node.clone();
            move || {
                node.set_deadline(Some(later));
                (node.is_cancelled(), node.deadline())
            }
        });
        let fired = child.cancel_due(now);
        let (was_cancelled, deadline) = other.join().unwrap();
        assert_eq!(node.is_cancelled(), fired);
        if !was_cancelled && deadline == Some(later) {
            assert!(!fired, "it had moved before it was found due");
        }
    });
}

/// A waiter that gives up while another comes takes nothing from it.
#[test]
fn loom_a_waiter_that_gives_up_takes_no_others_place() {
    loom::model(|| {
        let node = Node::root();
        let mut gives_up = node.cancelled();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut gives_up).poll(&mut cx).is_pending());
        let other = loom::thread::spawn({
            let node = node.clone();
            move || loom::future::block_on(node.cancelled())
        });
        drop(gives_up);
        assert!(node.cancel("over".into()));
        assert_eq!(other.join().unwrap().text(), "over");
    });
}
