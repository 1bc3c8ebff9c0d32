//! Models of the place: who asks for the node against who cancels.

use super::*;
use crate::sync::{Arc, model, thread};

/// As `Header::node` makes one: born cancelled if there is a reason.
fn node(place: &Place) -> Node {
    let make = |reason: Option<&Reason>| {
        let node = Node::root();
        if let Some(reason) = reason {
            node.cancel(reason.clone());
        }
        node
    };
    place.node(make).clone()
}

/// As a task is cancelled: the node is told, if there is one.
fn cancel(place: &Place, reason: &Reason) {
    if let Some(node) = place.cancel(|| reason.clone()) {
        node.cancel(reason.clone());
    }
}

/// One of a line, and one that takes a box.
fn reasons() -> [Reason; 2] {
    [Reason::of(Cause::Aborted), Reason::new("enough")]
}

#[test]
fn loom_a_node_is_cancelled_whether_it_was_asked_for_before_or_after() {
    for reason in reasons() {
        model(move || {
            let place = Arc::new(Place::new());
            let asks = thread::spawn({
                let place = Arc::clone(&place);
                move || node(&place)
            });
            cancel(&place, &reason);
            let asked = asks.join().unwrap();
            assert_eq!(asked.reason().as_ref(), Some(&reason));
            assert_eq!(place.reason().as_ref(), Some(&reason));
            assert!(node(&place).is_cancelled());
        });
    }
}

#[test]
fn loom_two_who_ask_get_the_same_node() {
    model(|| {
        let place = Arc::new(Place::new());
        let asks = thread::spawn({
            let place = Arc::clone(&place);
            move || node(&place)
        });
        let (mine, theirs) = (node(&place), asks.join().unwrap());
        mine.cancel(Reason::of(Cause::Dropped));
        assert!(theirs.is_cancelled());
    });
}

#[test]
fn loom_of_two_reasons_one_stays_and_the_node_has_that_one() {
    model(|| {
        let [first, second] = reasons();
        let place = Arc::new(Place::new());
        let cancels = thread::spawn({
            let (place, second) = (Arc::clone(&place), second.clone());
            move || cancel(&place, &second)
        });
        cancel(&place, &first);
        cancels.join().unwrap();
        let stayed = place.reason().expect("cancelled twice");
        assert!(stayed == first || stayed == second);
        assert_eq!(node(&place).reason(), Some(stayed));
    });
}
