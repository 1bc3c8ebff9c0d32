//! A task's place in the cancel tree: made when someone asks, or never.
//!
//! ```text
//!   empty ──1──▶ Node                     asked for while nobody has cancelled
//!     └────2──▶ Reason ──3──▶ and a node  cancelled first: born cancelled, if asked for
//! ```
//!
//! Most tasks that are cancelled have no node that anyone could have to be told
//! of it: for these the reason is kept, and nothing is allocated.

use std::sync::OnceLock;

use wakeline_context::Reason;
use wakeline_sync::cancel::Node;

/// The place, which is filled once.
pub(super) struct Place(OnceLock<Filled>);

enum Filled {
    Node(Node),
    Reason(Reason, OnceLock<Node>),
}

impl Place {
    #[inline(always)]
    pub(super) const fn new() -> Place {
        Place(OnceLock::new())
    }

    /// 1: of a task that nobody has seen yet.
    #[cold]
    pub(super) fn fill(&self, node: Node) {
        // It is empty.
        let _ = self.0.set(Filled::Node(node));
    }

    /// 1, 3: the node, which `make` makes if there is none; with the reason of a
    /// cancellation that came before.
    pub(super) fn node(&self, make: impl Fn(Option<&Reason>) -> Node) -> &Node {
        match self.0.get_or_init(|| Filled::Node(make(None))) {
            Filled::Node(node) => node,
            Filled::Reason(reason, node) => node.get_or_init(|| make(Some(reason))),
        }
    }

    /// 2: leaves the reason if nobody has asked for the node; else gives the node,
    /// which has to be told. Of two reasons the first stays.
    pub(super) fn cancel(&self, reason: impl FnOnce() -> Reason) -> Option<&Node> {
        match self
            .0
            .get_or_init(|| Filled::Reason(reason(), OnceLock::new()))
        {
            Filled::Node(node) => Some(node),
            Filled::Reason(..) => None,
        }
    }

    /// Why the task was cancelled, if it was, by words of its own.
    pub(super) fn reason(&self) -> Option<Reason> {
        match self.0.get()? {
            Filled::Node(node) => node.reason(),
            Filled::Reason(reason, _) => Some(reason.clone()),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_asked_for_after_the_cancel_is_born_cancelled() {
        let place = Place::new();
        assert!(place.cancel(|| Reason::new("first")).is_none());
        assert!(place.cancel(|| Reason::new("second")).is_none());
        let node = place.node(|reason| {
            let node = Node::root();
            node.cancel(reason.expect("it was cancelled").clone());
            node
        });
        assert_eq!(node.reason().expect("born so").text(), "first");
        assert_eq!(place.reason().expect("kept").text(), "first");
    }

    #[test]
    fn a_node_that_was_asked_for_before_is_the_cancellers_to_tell() {
        let (place, above) = (Place::new(), Node::root());
        let node = place.node(|reason| {
            assert!(reason.is_none());
            above.child()
        });
        assert!(place.reason().is_none());
        let told = place
            .cancel(|| unreachable!("there is a node"))
            .expect("the node");
        told.cancel(Reason::new("stop"));
        assert_eq!(node.reason(), place.reason());
    }
}
