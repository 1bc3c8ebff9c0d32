//! A task's place in the cancel tree: made when someone asks, or never.
//!
//! ```text
//!   empty ──1──▶ Node                     asked for while nobody has cancelled
//!     └────2──▶ Reason ──3──▶ and a node  cancelled first: born cancelled, if asked for
//! ```
//!
//! Most tasks that are cancelled have no node that anyone could have to be told
//! of it: for these the reason is kept. And most tasks are not cancelled, and do
//! not ask: these pay for one word.
//!
//! | field    | who                                 | until                     |
//! |----------|-------------------------------------|---------------------------|
//! | `filled` | anyone, atomically: from null, once | the task is freed         |
//! | a box    | who made it                         | the swap that put it here |
//! | the same | all, shared                         | the task is freed         |

use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use wakeline_context::Reason;
use wakeline_sync::cancel::Node;

/// The place, which is filled once.
pub(super) struct Place {
    filled: AtomicPtr<Filled>,
}

enum Filled {
    Node(Node),
    Reason(Reason, OnceLock<Node>),
}

impl Place {
    #[inline(always)]
    pub(super) const fn new() -> Place {
        Place {
            filled: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// 1: of a task that nobody has seen yet.
    #[cold]
    pub(super) fn fill(&self, node: Node) {
        let _ = self.put(Filled::Node(node));
    }

    /// 1, 3: the node, which `make` makes if there is none; with the reason of a
    /// cancellation that came before. Of two that are made at once one is dropped.
    pub(super) fn node(&self, make: impl Fn(Option<&Reason>) -> Node) -> &Node {
        let filled = self.get();
        match filled.unwrap_or_else(|| self.put(Filled::Node(make(None)))) {
            Filled::Node(node) => node,
            Filled::Reason(reason, node) => node.get_or_init(|| make(Some(reason))),
        }
    }

    /// 2: leaves the reason if nobody has asked for the node; else gives the node,
    /// which has to be told. Of two reasons the first stays.
    pub(super) fn cancel(&self, reason: impl FnOnce() -> Reason) -> Option<&Node> {
        let filled = self.get();
        match filled.unwrap_or_else(|| self.put(Filled::Reason(reason(), OnceLock::new()))) {
            Filled::Node(node) => Some(node),
            Filled::Reason(..) => None,
        }
    }

    /// Why the task was cancelled, if it was, by words of its own.
    pub(super) fn reason(&self) -> Option<Reason> {
        match self.get()? {
            Filled::Node(node) => node.reason(),
            Filled::Reason(reason, _) => Some(reason.clone()),
        }
    }

    #[inline]
    fn get(&self) -> Option<&Filled> {
        // Acquire pairs with the Release in `put`.
        let filled = NonNull::new(self.filled.load(Acquire))?;
        // SAFETY: what stands there was put by `put`, and stays until the drop.
        Some(unsafe { filled.as_ref() })
    }

    /// What stands there from now on: this, or what was there before.
    fn put(&self, filled: Filled) -> &Filled {
        let new = Box::into_raw(Box::new(filled));
        // Release: who finds it sees what it holds. Acquire: so do we.
        let put = self
            .filled
            .compare_exchange(ptr::null_mut(), new, AcqRel, Acquire);
        let stands = match put {
            Ok(_null) => new,
            Err(before) => {
                // SAFETY: from the box above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
                before
            }
        };
        // SAFETY: as in `get`; it is not null.
        unsafe { &*stands }
    }
}

impl Drop for Place {
    #[inline]
    fn drop(&mut self) {
        let filled = *self.filled.get_mut();
        if !filled.is_null() {
            // SAFETY: `put` made it of a box, and nobody else looks any more.
            drop(unsafe { Box::from_raw(filled) });
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
