//! What one thread can see of the tree.

use crate::cancel::{Cancelled, Node};
use crate::testing::{Count, poll, poll_with};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};
use wakeline_context::{Cause, Reason};

fn cancelled(nodes: &[&Node]) -> Vec<bool> {
    nodes.iter().map(|node| node.is_cancelled()).collect()
}

#[test]
fn a_cancel_goes_down_and_nowhere_else() {
    let root = Node::root();
    let (left, right) = (root.child(), root.child());
    let (leaf, other) = (left.child(), right.child());
    assert!(left.cancel("left".into()));
    assert_eq!(
        cancelled(&[&root, &left, &leaf, &right, &other]),
        [false, true, true, false, false]
    );
    assert_eq!(root.reason(), None);
    assert_eq!(leaf.reason().unwrap().text(), "left");
}

#[test]
fn a_lasting_child_does_not_keep_a_node_that_makes_no_difference() {
    let root = Node::root();
    let (first, second) = {
        let first = root.child();
        let second = first.child();
        (Arc::downgrade(&first.inner), second)
    };
    let last = second.lasting_child();
    drop(second);
    assert!(first.upgrade().is_none());
    assert!(root.cancel("all".into()));
    assert!(last.is_cancelled());
}

#[test]
fn a_lasting_child_hears_of_what_was_done_to_a_node_that_is_gone() {
    let now = Instant::now();
    let made = |change: &dyn Fn(&Node)| {
        let root = Node::root();
        let child = root.child();
        change(&child);
        (child.lasting_child(), root)
    };
    let (below_reason, _root) = made(&|node| assert!(node.cancel("child".into())));
    assert!(below_reason.is_cancelled());
    let (below_deadline, _root) = made(&|node| node.set_deadline(Some(now)));
    assert!(below_deadline.cancel_due(now));
    let (below_shield, root) = made(&|node| node.set_shielded(true));
    assert!(root.cancel("root".into()));
    assert!(!below_shield.is_cancelled());
}

#[test]
fn a_lasting_child_of_a_node_that_somebody_has_hangs_from_it() {
    let child = Node::root().child();
    let last = child.clone().lasting_child();
    assert!(child.cancel("child".into()));
    assert!(last.is_cancelled());
}

#[test]
fn the_first_reason_stays_at_each_node() {
    let root = Node::root();
    let (child, sibling) = (root.child(), root.child());
    assert!(child.cancel("child".into()));
    assert!(!child.cancel("late".into()));
    assert!(root.cancel("root".into()));
    let texts: Vec<_> = [&root, &child, &sibling]
        .map(|node| node.reason().unwrap().text().to_owned())
        .to_vec();
    assert_eq!(texts, ["root", "child", "root"]);
}

#[test]
fn who_is_born_under_a_cancelled_node_is_cancelled() {
    let root = Node::root();
    root.cancel("before".into());
    let child = root.child();
    assert_eq!(child.child().reason().unwrap().text(), "before");
    assert!(!child.cancel("again".into()));
    assert!(poll(&mut child.cancelled()).is_ready());
}

#[test]
fn a_grandchild_hears_its_grandparent_though_the_middle_was_dropped() {
    let root = Node::root();
    let leaf = {
        let middle = root.child();
        middle.child().child()
    };
    root.cancel("gone".into());
    assert_eq!(leaf.reason().unwrap().text(), "gone");
}

#[test]
fn every_wait_of_a_cancelled_node_is_ready_again_and_again() {
    let node = Node::root();
    let mut wait = node.cancelled();
    assert!(poll(&mut wait).is_pending());
    node.cancel("level".into());
    for _ in 0..3 {
        assert!(poll(&mut wait).is_ready());
        assert!(poll(&mut node.cancelled()).is_ready());
    }
}

#[test]
fn five_thousand_levels_need_no_deep_stack() {
    let small = std::thread::Builder::new().stack_size(64 * 1024);
    let thread = small.spawn(|| {
        for drop_root_first in [false, true] {
            let root = Node::root();
            let mut nodes = vec![root.clone()];
            for _ in 0..5_000 {
                nodes.push(nodes.last().unwrap().child());
            }
            let at = Instant::now() + Duration::from_secs(1);
            let leaf = nodes.last().unwrap().clone();
            let (woken, waker) = Count::new();
            let mut wait = leaf.cancelled();
            assert!(poll_with(&mut wait, &waker).is_pending());
            root.set_deadline(Some(at));
            assert_eq!(woken.get(), 1, "to look at the deadline");
            assert!(poll_with(&mut wait, &waker).is_pending());
            assert_eq!(leaf.effective_deadline(), Some(at));
            assert!(!leaf.cancel_due(at - Duration::from_millis(1)));
            drop(wait);
            if drop_root_first {
                nodes.reverse();
                drop((root, nodes));
                assert!(leaf.cancel_due(at));
            } else {
                root.cancel("deep".into());
                assert!(nodes.iter().all(Node::is_cancelled));
            }
            drop(leaf); // the last owner of all of them
        }
    });
    thread.unwrap().join().expect("no overflow");
}

#[test]
fn a_million_children_that_came_and_went_leave_nothing() {
    let root = Node::root();
    let eldest = root.child();
    for _ in 0..1_000_000 {
        drop(root.child());
    }
    assert_eq!(root.inner.children(), 1);
    let mut wait = root.cancelled();
    for _ in 0..1_000 {
        let mut gives_up = root.cancelled();
        assert!(poll(&mut gives_up).is_pending());
        assert!(poll(&mut wait).is_pending());
    }
    assert_eq!(root.inner.waiters(), 1);
    drop((eldest, wait));
    assert_eq!((root.inner.children(), root.inner.waiters()), (0, 0));
}

#[test]
fn a_shielded_node_hears_only_itself() {
    let root = Node::root();
    let (shielded, open) = (root.child(), root.child());
    shielded.set_shielded(true);
    let below = shielded.child();
    root.cancel("root".into());
    assert_eq!(cancelled(&[&shielded, &below, &open]), [false, false, true]);
    assert!(!shielded.child().is_cancelled(), "nor is who is born now");
    shielded.cancel("own".into());
    assert_eq!(below.reason().unwrap().text(), "own");
}

#[test]
fn a_shield_that_comes_off_lets_the_cancel_in_at_that_moment() {
    let root = Node::root();
    let middle = root.child();
    let shielded = middle.child();
    shielded.set_shielded(true);
    let below = shielded.child();
    let (woken, waker) = Count::new();
    let mut wait = below.cancelled();
    assert!(poll_with(&mut wait, &waker).is_pending());
    root.cancel("root".into());
    assert_eq!(woken.get(), 0);
    shielded.set_shielded(false);
    assert_eq!(woken.get(), 1);
    assert_eq!(below.reason().unwrap().text(), "root");
    // And on again: what is cancelled stays cancelled.
    shielded.set_shielded(true);
    assert_eq!(cancelled(&[&shielded, &below]), [true, true]);
}

#[test]
fn a_shield_further_up_protects_who_has_none() {
    let root = Node::root();
    let outer = root.child();
    outer.set_shielded(true);
    let inner = outer.child();
    inner.set_shielded(true);
    root.cancel("root".into());
    inner.set_shielded(false);
    assert!(!inner.is_cancelled(), "the outer shield is still there");
    outer.set_shielded(false);
    assert!(inner.is_cancelled());
}

#[test]
fn a_shielded_child_is_born_open_and_still_reached_when_unshielded() {
    let root = Node::root();
    root.cancel("before".into());
    let cleanup = root.shielded_child();
    let part = cleanup.child();
    assert_eq!(cancelled(&[&cleanup, &part]), [false, false]);
    cleanup.set_shielded(false);
    assert_eq!(part.reason().unwrap().text(), "before");
}

#[test]
fn only_the_latest_waker_is_woken() {
    let node = Node::root();
    let ((old_woken, old), (new_woken, new)) = (Count::new(), Count::new());
    let mut wait = node.cancelled();
    assert!(poll_with(&mut wait, &old).is_pending());
    assert!(poll_with(&mut wait, &new).is_pending());
    node.cancel("now".into());
    assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
}

/// Tells the order in which it was woken, and what it saw then.
struct Sees(usize, Vec<Node>, Arc<Mutex<Vec<usize>>>);

impl Wake for Sees {
    fn wake(self: Arc<Self>) {
        // Foreign code may do anything with the tree: no lock is held.
        for node in &self.1 {
            assert!(node.is_cancelled(), "the whole subtree is, before any wake");
            node.set_shielded(true);
            node.set_deadline(None);
            drop(node.child());
            assert!(!node.cancel("from a waker".into()));
        }
        self.2.lock().unwrap().push(self.0);
    }
}

#[test]
fn wakers_run_in_order_when_the_whole_subtree_is_cancelled() {
    let root = Node::root();
    let (first, second) = (root.child(), root.child());
    let nodes = [&root, &first, &second, &first.child()].map(Node::clone);
    let log = Arc::default();
    let mut waits: Vec<Cancelled> = nodes.iter().map(Node::cancelled).collect();
    for (n, wait) in waits.iter_mut().enumerate() {
        let waker = Waker::from(Arc::new(Sees(n, nodes.to_vec(), Arc::clone(&log))));
        assert!(poll_with(wait, &waker).is_pending());
    }
    root.cancel("all".into());
    assert_eq!(*log.lock().unwrap(), [0, 1, 3, 2], "depth first, by birth");
}

#[test]
fn a_waker_that_panics_does_not_keep_the_others_asleep() {
    struct Panics(AtomicUsize);
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            assert_ne!(self.0.fetch_add(1, Ordering::Relaxed), 1, "planned");
        }
    }
    let root = Node::root();
    let log = Arc::new(Panics(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&log));
    let children: Vec<Node> = (0..4).map(|_| root.child()).collect();
    let mut waits: Vec<Cancelled> = children.iter().map(Node::cancelled).collect();
    for wait in &mut waits {
        assert!(poll_with(wait, &waker).is_pending());
    }
    let caught = catch_unwind(AssertUnwindSafe(|| root.cancel("loud".into())));
    assert!(caught.is_err());
    assert_eq!(log.0.load(Ordering::Relaxed), 4);
    assert!(waits.iter_mut().all(|wait| poll(wait).is_ready()));
}

#[test]
fn a_waker_that_drops_a_waiting_future_meets_no_lock() {
    struct Drops(Mutex<Option<Cancelled>>);
    impl Wake for Drops {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    let node = Node::root();
    let holder = Arc::new(Drops(Mutex::new(None)));
    let mut wait = node.cancelled();
    assert!(poll_with(&mut wait, &Waker::from(Arc::clone(&holder))).is_pending());
    *holder.0.lock().unwrap() = Some(wait);
    node.cancel("bye".into());
    assert!(holder.0.lock().unwrap().is_none());
}

#[test]
fn the_earliest_deadline_up_to_the_first_shield_counts() {
    let start = Instant::now();
    let at = |secs| Some(start + Duration::from_secs(secs));
    // (grandparent, parent, own, shielded: parent, own; effective)
    let table = [
        (None, None, None, false, false, None),
        (at(1), None, None, false, false, at(1)),
        (at(3), at(2), at(1), false, false, at(1)),
        (at(1), at(2), at(3), false, false, at(1)),
        (at(1), at(2), at(3), true, false, at(2)),
        (at(1), at(2), at(3), false, true, at(3)),
        (at(1), at(2), None, true, true, None),
        (at(2), None, at(2), false, false, at(2)),
    ];
    for (row, (above, parent, own, parent_shield, own_shield, expected)) in
        table.into_iter().enumerate()
    {
        let top = Node::root();
        let middle = top.child();
        middle.set_shielded(parent_shield);
        let leaf = middle.child();
        leaf.set_shielded(own_shield);
        top.set_deadline(above);
        middle.set_deadline(parent);
        leaf.set_deadline(own);
        assert_eq!(leaf.effective_deadline(), expected, "row {row}");
        assert_eq!(leaf.deadline(), own, "row {row}");
        let born_late = leaf.child();
        assert_eq!(born_late.effective_deadline(), expected, "row {row}");
    }
}

#[test]
fn the_outermost_that_is_due_is_cancelled_and_names_its_line() {
    let start = Instant::now();
    let outer = Node::root();
    let middle = outer.child();
    let inner = middle.child();
    for node in [&inner, &outer] {
        node.set_deadline(Some(start + Duration::from_secs(1)));
    }
    let line = line!() - 2;
    assert!(!inner.cancel_due(start));
    assert!(inner.cancel_due(start + Duration::from_secs(1)));
    for node in [&outer, &middle, &inner] {
        let reason = node.reason().expect("it is due");
        assert_eq!(reason.cause(), Cause::Deadline);
        assert_eq!(
            (reason.location().file(), reason.location().line()),
            (file!(), line)
        );
        assert_eq!(reason, outer.reason().unwrap());
    }
}

#[test]
fn an_inner_deadline_leaves_the_outer_node_open() {
    let start = Instant::now();
    let outer = Node::root();
    let inner = outer.child();
    outer.set_deadline(Some(start + Duration::from_secs(2)));
    inner.set_deadline(Some(start));
    assert!(!outer.cancel_due(start), "below is none of its business");
    assert!(inner.cancel_due(start));
    assert!(!outer.is_cancelled());
    assert!(outer.cancel_due(start + Duration::from_secs(2)));
    assert_ne!(inner.reason(), outer.reason(), "the first reason stays");
}

#[test]
fn a_new_deadline_wakes_who_hears_of_it() {
    let later = Some(Instant::now() + Duration::from_secs(9));
    let root = Node::root();
    let (child, shielded) = (root.child(), root.child());
    shielded.set_shielded(true);
    let ((woken, waker), (not_woken, other)) = (Count::new(), Count::new());
    let mut wait = child.child().cancelled();
    let mut behind = shielded.child().cancelled();
    assert!(poll_with(&mut wait, &waker).is_pending());
    assert!(poll_with(&mut behind, &other).is_pending());
    root.set_deadline(later);
    assert_eq!((woken.get(), not_woken.get()), (1, 0));
    // Polled again, it is in the list again.
    assert!(poll_with(&mut wait, &waker).is_pending());
    root.set_deadline(None);
    assert_eq!((woken.get(), not_woken.get()), (2, 0));
    root.set_deadline(later);
    shielded.set_shielded(false);
    assert_eq!(not_woken.get(), 1, "other deadlines count now");
    assert!(poll(&mut wait).is_pending());
    assert_eq!(behind.node().effective_deadline(), later);
}

#[test]
fn a_cancelled_node_takes_no_deadline() {
    let node = Node::root();
    node.cancel("over".into());
    node.set_deadline(Some(Instant::now()));
    assert_eq!(node.deadline(), None);
}

#[test]
fn debug_tells_what_it_is() {
    let node = Node::root();
    assert!(format!("{node:?}").contains("reason: None"));
    node.cancel(Reason::new("told"));
    let text = format!("{node:?} {:?}", node.cancelled());
    assert!(text.contains("told"), "{text}");
    assert!(node.ptr_eq(&node.clone()) && !node.ptr_eq(&node.child()));
    assert_ne!(node.id(), node.child().id());
    assert!(matches!(poll(&mut node.cancelled()), Poll::Ready(reason) if reason.text() == "told"));
}
