//! A task's place in the cancel tree: made when someone asks, or never.
//!
//! ```text
//!   empty ──1──▶ Node                     asked for while nobody has cancelled
//!     └────2──▶ Reason ──3──▶ and a node  cancelled first: born cancelled, if asked for
//! ```
//!
//! Most tasks that are cancelled have no node that anyone could have to be told
//! of it: for these the reason is kept. And most tasks are not cancelled, and do
//! not ask: these pay for one word, which is
//!
//! - null;
//! - or a line, with the cause in its lowest bits: the reasons that each abort and
//!   each owner that goes away makes, for which nothing is allocated;
//! - or a box.
//!
//! | field  | who                                 | until                      |
//! |--------|-------------------------------------|----------------------------|
//! | `word` | anyone, atomically: each step once  | the task is freed          |
//! | a box  | who made it                         | the swap that put it there |
//! | it     | all, shared                         | the task is freed          |

use std::panic::Location;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use wakeline_context::{Cause, Reason};
use wakeline_sync::cancel::Node;

use crate::sync::atomic::AtomicPtr;

/// The place, which is filled once.
pub(super) struct Place {
    word: AtomicPtr<Filled>,
}

enum Filled {
    Node(Node),
    Reason(Reason, OnceLock<Node>),
}

/// What the word says.
enum Found<'a> {
    Empty,
    Line(Reason),
    Filled(&'a Filled),
}

/// The bits of a word that tell a line from a box.
const TAG: usize = 3;

const _: () = assert!(align_of::<Location<'static>>() > TAG && align_of::<Filled>() > TAG);

impl Place {
    #[inline(always)]
    pub(super) fn new() -> Place {
        Place {
            word: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Whether nobody has asked for it or cancelled it, for who is the last to have the task.
    #[inline]
    pub(super) fn is_empty(&mut self) -> bool {
        // Relaxed: the last has seen all that was done to it.
        self.word.load(Relaxed).is_null()
    }

    /// 1, 3: the node, which `make` makes if there is none; with the reason of a
    /// cancellation that came before. Of two that are made at once one is dropped.
    pub(super) fn node(&self, make: impl Fn(Option<&Reason>) -> Node) -> &Node {
        loop {
            let word = self.load();
            // SAFETY: loaded from this place.
            match unsafe { found(word) } {
                Found::Empty => self.put(word, Filled::Node(make(None))),
                Found::Line(reason) => self.put(word, Filled::Reason(reason, OnceLock::new())),
                Found::Filled(Filled::Node(node)) => return node,
                Found::Filled(Filled::Reason(reason, node)) => {
                    return node.get_or_init(|| make(Some(reason)));
                }
            }
        }
    }

    /// 2: leaves the reason if nobody has asked for the node; else gives the node,
    /// which has to be told. Of two reasons the first stays.
    pub(super) fn cancel(&self, reason: impl FnOnce() -> Reason) -> Option<&Node> {
        if self.load().is_null() {
            let reason = reason();
            let line = line_of(&reason);
            if line.is_null() {
                self.put(ptr::null_mut(), Filled::Reason(reason, OnceLock::new()));
            } else {
                // Release: as in `put`, for what was done before the cancel. If
                // somebody was faster, see below.
                let _ = self
                    .word
                    .compare_exchange(ptr::null_mut(), line, AcqRel, Acquire);
            }
        }
        // SAFETY: loaded from this place.
        match unsafe { found(self.load()) } {
            Found::Filled(Filled::Node(node)) => Some(node),
            Found::Filled(Filled::Reason(..)) | Found::Line(_) | Found::Empty => None,
        }
    }

    /// Why the task was cancelled, if it was, by words of its own.
    pub(super) fn reason(&self) -> Option<Reason> {
        // SAFETY: loaded from this place.
        match unsafe { found(self.load()) } {
            Found::Empty => None,
            Found::Line(reason) => Some(reason),
            Found::Filled(Filled::Node(node)) => node.reason(),
            Found::Filled(Filled::Reason(reason, _)) => Some(reason.clone()),
        }
    }

    #[inline]
    fn load(&self) -> *mut Filled {
        // Acquire pairs with the Release in `put`.
        self.word.load(Acquire)
    }

    /// Boxes it and puts it there, if the word is still the same.
    fn put(&self, before: *mut Filled, filled: Filled) {
        let new = Box::into_raw(Box::new(filled));
        // Release: who finds it sees what it holds.
        let put = self.word.compare_exchange(before, new, AcqRel, Acquire);
        if put.is_err() {
            // SAFETY: from the box above, and nobody else has seen it.
            drop(unsafe { Box::from_raw(new) });
        }
    }
}

/// The word of a reason that is one of a line; else null.
fn line_of(reason: &Reason) -> *mut Filled {
    let tag = match reason.standard() {
        Some((Cause::Aborted, _)) => 1,
        Some((Cause::Dropped, _)) => 2,
        _ => return ptr::null_mut(),
    };
    let line = ptr::from_ref(reason.location()).cast_mut();
    line.map_addr(|address| address | tag).cast()
}

/// # Safety
///
/// The word is of a place that lives for `'a`.
unsafe fn found<'a>(word: *mut Filled) -> Found<'a> {
    let cause = match word.addr() & TAG {
        // SAFETY: null, or put there by `put`, to stay as long as the place.
        0 => return unsafe { word.as_ref() }.map_or(Found::Empty, Found::Filled),
        1 => Cause::Aborted,
        _ => Cause::Dropped,
    };
    let line: *const Location<'static> = word.map_addr(|address| address & !TAG).cast();
    // SAFETY: `line_of` made it of a `&'static Location`, whose bits of `TAG` are 0.
    Found::Line(Reason::at(cause, unsafe { &*line }))
}

impl Drop for Place {
    #[inline]
    fn drop(&mut self) {
        #[cold]
        #[inline(never)]
        fn filled(word: *mut Filled) {
            if word.addr() & TAG == 0 {
                // SAFETY: `put` made it of a box, and nobody else looks any more.
                drop(unsafe { Box::from_raw(word) });
            }
        }
        // Relaxed: the last to have the task has seen all that was done to it.
        let word = self.word.load(Relaxed);
        if !word.is_null() {
            filled(word);
        }
    }
}

#[cfg(test)]
mod models;

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
    fn a_reason_of_a_line_is_kept_and_a_node_made_after_it_is_born_cancelled() {
        for cause in [Cause::Aborted, Cause::Dropped, Cause::Deadline] {
            let (place, reason) = (Place::new(), Reason::of(cause));
            assert!(place.cancel(|| reason.clone()).is_none());
            assert!(place.cancel(|| Reason::of(Cause::Shutdown)).is_none());
            assert_eq!(place.reason().as_ref(), Some(&reason));
            let node = place.node(|reason| {
                let node = Node::root();
                node.cancel(reason.expect("it was cancelled").clone());
                node
            });
            assert_eq!(node.reason().as_ref(), Some(&reason));
            assert_eq!(place.reason().as_ref(), Some(&reason), "the same in a box");
        }
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
