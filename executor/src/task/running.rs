//! What the calling thread runs: a task, or the future of a `block_on`.
//!
//! ```text
//!   poll or drop of a task               poll or drop of the future of a `block_on`
//!     TASK      = the task                 ROOT      = its root, and no TASK
//!     task id   = the task's               task id   = the root's, of its own
//!     locals    = those of its spawn       locals    = those of the call
//!     token     = none                     token     = that of the call
//!     level     = the thread's             level     = that of the call
//! ```
//!
//! A thread that runs tasks has none of it in between: what it is inside of then is
//! set aside ([`Aside`]) once around all runs, so that a run has nothing to keep and
//! nothing to put back. So these nest: the end of one executor inside a task of another, a
//! `block_on` inside a blocking job, a task that is polled where it is spawned.

use std::cell::Cell;
use std::mem;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use wakeline_context::{
    Ambient, Locals, WaitingOn, level, replace_level, replace_locals, replace_task,
};
use wakeline_sync::cancel::Node;

use super::Id;
use super::cell::Header;
use super::refs::Task;
use crate::debug::{Began, EnteredRoot as Entry, Reporter, Subject, SubjectKind, Then};
use crate::trace::{RootTrace, Tracer};

thread_local! {
    /// The task that the thread polls or drops. Alive while it stands here.
    static TASK: Cell<Option<NonNull<Header>>> = const { Cell::new(None) };
    /// If there is no task: the future of a `block_on`. Alive while it stands here.
    static ROOT: Cell<Option<NonNull<Root<'static>>>> = const { Cell::new(None) };
}

/// What a thread polls or drops.
#[derive(Clone, Copy)]
pub(super) enum Running {
    Task(NonNull<Header>),
    /// Its lifetime is unknown here: no longer than it stands there.
    Root(NonNull<Root<'static>>),
}

/// What this thread polls or drops, if anything. Alive while that stands there.
#[inline]
pub(super) fn running() -> Option<Running> {
    let task = TASK.get().map(Running::Task);
    task.or_else(|| ROOT.get().map(Running::Root))
}

/// Whether that is the future of a `block_on`.
pub(crate) fn is_root() -> bool {
    matches!(running(), Some(Running::Root(_)))
}

/// Whether this thread is just polling or dropping this very task.
#[inline]
pub(super) fn is_running(task: &Task) -> bool {
    TASK.get() == Some(task.as_raw())
}

/// What this thread is inside of, set aside until this is dropped: whoever runs tasks
/// has one.
#[must_use = "it is put back when this is dropped"]
pub(crate) struct Aside {
    task: Option<NonNull<Header>>,
    root: Option<NonNull<Root<'static>>>,
    _rest: wakeline_context::Aside,
}

impl Aside {
    #[inline]
    pub(crate) fn new() -> Aside {
        Aside {
            task: TASK.take(),
            root: ROOT.take(),
            _rest: wakeline_context::Aside::new(),
        }
    }
}

impl Drop for Aside {
    #[inline]
    fn drop(&mut self) {
        TASK.set(self.task);
        ROOT.set(self.root);
    }
}

/// Marks a task as the one that this thread runs, until it leaves.
pub(super) struct Entered {
    task: NonNull<Header>,
}

impl Entered {
    /// # Safety
    ///
    /// The caller has set the task's RUNNING. The task lives, and RUNNING or
    /// the right to its end stays the caller's, until this leaves or is dropped.
    #[inline(always)]
    pub(super) unsafe fn new(task: NonNull<Header>) -> Entered {
        debug_assert!(TASK.get().is_none(), "another's run was not set aside");
        // SAFETY: the caller vouches that the task lives.
        let header = unsafe { task.as_ref() };
        // SAFETY: the locals belong to who set RUNNING; the borrow ends here.
        let locals = unsafe { &mut *header.locals.get() };
        debug_assert!(Locals::current().is_empty(), "left behind by another");
        if !locals.is_empty() {
            // Moved and not cloned: no count is touched by a poll.
            replace_locals(mem::take(locals));
        }
        TASK.set(Some(task));
        replace_task(header.id.get());
        Entered { task }
    }

    /// As a drop.
    #[inline(always)]
    pub(super) fn leave(self) {
        drop(self);
    }
}

impl Drop for Entered {
    #[inline(always)]
    fn drop(&mut self) {
        let locals = replace_locals(Locals::empty());
        if !locals.is_empty() {
            // SAFETY: as `new` was promised.
            let place = unsafe { self.task.as_ref() }.locals.get();
            // SAFETY: as above. Nothing is dropped by the write: `new` left none.
            unsafe { place.write(locals) };
        }
        replace_task(0);
        TASK.set(None);
    }
}

/// The future of one `block_on`: no task, but it owns locks and cancels.
pub(crate) struct Root<'a> {
    id: Id,
    /// In force where `block_on` was called, and while the future is polled; the tasks
    /// that the thread runs meanwhile are not under it.
    ambient: Cell<Ambient>,
    /// The same, of what was lent to the caller alone.
    level: u32,
    runtime: &'a Node,
    node: OnceLock<Node>,
    /// The line that called `block_on`.
    at: &'static Location<'static>,
}

impl<'a> Root<'a> {
    /// For a `block_on` of the runtime whose root node is `runtime`.
    #[inline]
    pub(crate) fn new(runtime: &'a Node, at: &'static Location<'static>) -> Root<'a> {
        Root {
            id: Id::next(),
            ambient: Cell::new(Ambient::current()),
            level: level(),
            runtime,
            node: OnceLock::new(),
            at,
        }
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    pub(super) fn at(&self) -> &'static Location<'static> {
        self.at
    }

    /// In debug mode: has it listed until the end of the `block_on`.
    pub(crate) fn list<'d>(&self, debug: Option<&'d Reporter>) -> Option<Listed<'d>> {
        debug.map(|debug| Listed {
            debug,
            entry: debug.roots.enter(self.id, self.at),
            subject: Subject {
                kind: SubjectKind::Root,
                id: Some(self.id),
                name: None,
                spawned_at: self.at,
            },
        })
    }

    /// With a recorder: has it written down until the end of the `block_on`.
    pub(crate) fn trace(&self, tracer: Option<&Arc<Tracer>>) -> Option<RootTrace> {
        tracer.map(|tracer| RootTrace::new(Arc::clone(tracer), self.id, self.at))
    }

    /// Its own node, below the runtime's.
    pub(super) fn node(&self) -> &Node {
        self.node.get_or_init(|| self.runtime.child())
    }

    /// Around each poll of the future and around its drop, on a thread that is inside
    /// of nothing.
    #[inline]
    pub(crate) fn enter(&self) -> EnteredRoot<'_> {
        ROOT.set(Some(NonNull::from(self).cast()));
        replace_task(self.id.get());
        self.exchange();
        EnteredRoot {
            root: self,
            level: replace_level(self.level),
        }
    }

    #[inline]
    fn exchange(&self) {
        let mut ambient = self.ambient.take();
        ambient.exchange();
        if !ambient.is_empty() {
            self.ambient.set(ambient);
        }
    }
}

/// The guard of [`Root::enter`].
pub(crate) struct EnteredRoot<'a> {
    root: &'a Root<'a>,
    /// Of the loop around it.
    level: u32,
}

impl Drop for EnteredRoot<'_> {
    #[inline]
    fn drop(&mut self) {
        self.root.exchange();
        replace_level(self.level);
        replace_task(0);
        ROOT.set(None);
    }
}

/// The future of a `block_on` in debug mode: listed and timed.
pub(crate) struct Listed<'a> {
    debug: &'a Reporter,
    entry: Entry<'a>,
    subject: Subject,
}

impl<'a> Listed<'a> {
    /// It is about to be polled.
    pub(crate) fn begin(&self) -> Began<'a> {
        self.entry.polls();
        self.debug.begin()
    }

    /// It was polled.
    pub(crate) fn polled(&self, began: Began<'_>, ready: bool, waiting: Option<WaitingOn>) {
        self.entry.waits(waiting);
        let then = if ready {
            Then::Ended
        } else {
            Then::waits(waiting)
        };
        began.ended(|| self.subject.clone(), then);
    }
}
