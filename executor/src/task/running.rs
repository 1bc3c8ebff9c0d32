//! What the calling thread runs: a task, or the future of a `block_on`.
//!
//! ```text
//!   poll or drop of a task               poll or drop of the future of a `block_on`
//!     TASK      = the task                 ROOT      = its root, and no TASK
//!     task id   = the task's               task id   = the root's, of its own
//!     locals    = those of its spawn       locals    = the thread's own
//!     token     = none                     token     = that of the call
//! ```
//!
//! All of it is put back afterwards, so that these nest: the end of one
//! executor inside a task of another, a `block_on` inside a blocking job.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use wakeline_context::{
    AnyToken, InstalledToken, Locals, WaitingOn, current_token, install_token, replace_locals,
    replace_task,
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

/// Marks a task as the one that this thread runs, until it leaves.
pub(super) struct Entered {
    task: NonNull<Header>,
    /// Taken once: by `leave`, or by the drop.
    before: ManuallyDrop<Before>,
}

/// What surrounded the thread before.
#[must_use = "it is to be put back"]
pub(super) struct Before {
    pub(super) task: Option<NonNull<Header>>,
    pub(super) id: u64,
    pub(super) locals: Locals,
}

impl Entered {
    /// # Safety
    ///
    /// The caller has set the task's RUNNING. The task lives, and RUNNING or
    /// the right to its end stays the caller's, until this leaves or is dropped.
    #[inline(always)]
    pub(super) unsafe fn new(task: NonNull<Header>) -> Entered {
        // SAFETY: the caller vouches that the task lives.
        let header = unsafe { task.as_ref() };
        // SAFETY: the locals belong to who set RUNNING; the borrow ends here.
        let locals = mem::take(unsafe { &mut *header.locals.get() });
        let before = Before {
            task: TASK.replace(Some(task)),
            id: replace_task(header.id.get()),
            // Moved and not cloned: no count is touched by a poll.
            locals: replace_locals(locals),
        };
        Entered {
            task,
            before: ManuallyDrop::new(before),
        }
    }

    /// Takes the mark apart: whoever has this must put it back, or make the mark anew
    /// by [`Entered::again`], before the task may be let go.
    #[must_use = "the thread would go on as if it ran the task"]
    #[inline(always)]
    pub(super) fn before(self) -> Before {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: it is not dropped any more, so this is the one time.
        unsafe { ManuallyDrop::take(&mut this.before) }
    }

    /// # Safety
    ///
    /// As [`Entered::new`]; `before` is of the one made for `task` last.
    #[inline(always)]
    pub(super) unsafe fn again(task: NonNull<Header>, before: Before) -> Entered {
        Entered {
            task,
            before: ManuallyDrop::new(before),
        }
    }

    /// As a drop, and in line: this is how each poll ends.
    #[inline(always)]
    pub(super) fn leave(self) {
        let task = self.task;
        // SAFETY: as `new` was promised.
        unsafe { put_back(task, self.before()) }
    }
}

impl Drop for Entered {
    /// Only while a panic unwinds that is nobody's output. By value and out of
    /// line, so that a poll keeps all this in registers.
    #[inline(always)]
    fn drop(&mut self) {
        #[cold]
        #[inline(never)]
        unsafe fn unwind(task: NonNull<Header>, before: Before) {
            // SAFETY: by the contract of this very function.
            unsafe { put_back(task, before) }
        }
        // SAFETY: this is the one time, as it has not left.
        let before = unsafe { ManuallyDrop::take(&mut self.before) };
        // SAFETY: as `new` was promised.
        unsafe { unwind(self.task, before) }
    }
}

/// # Safety
///
/// The task lives, and its locals are the caller's.
#[inline(always)]
unsafe fn put_back(task: NonNull<Header>, before: Before) {
    let locals = replace_locals(before.locals);
    if !locals.is_empty() {
        // SAFETY: by the contract.
        let place = unsafe { task.as_ref() }.locals.get();
        // SAFETY: by the contract. Nothing is dropped by the write: `new` left none.
        unsafe { place.write(locals) };
    }
    replace_task(before.id);
    TASK.set(before.task);
}

/// The future of one `block_on`: no task, but it owns locks and cancels.
pub(crate) struct Root<'a> {
    id: Id,
    /// In force where `block_on` was called; the tasks that the thread runs
    /// meanwhile are not under it.
    token: Option<AnyToken>,
    runtime: &'a Node,
    node: OnceLock<Node>,
    /// The line that called `block_on`.
    at: &'static Location<'static>,
}

impl<'a> Root<'a> {
    /// For a `block_on` of the runtime whose root node is `runtime`.
    pub(crate) fn new(runtime: &'a Node, at: &'static Location<'static>) -> Root<'a> {
        Root {
            id: Id::next(),
            token: current_token(),
            runtime,
            node: OnceLock::new(),
            at,
        }
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

    /// Around each poll of the future and around its drop.
    pub(crate) fn enter(&self) -> EnteredRoot<'_> {
        EnteredRoot {
            // No task: it would hide the root.
            hidden: TASK.take(),
            before: ROOT.replace(Some(NonNull::from(self).cast())),
            task_before: replace_task(self.id.get()),
            _token: self
                .token
                .as_ref()
                .map(|token| install_token(Some(token.clone()))),
            root: PhantomData,
        }
    }
}

/// The guard of [`Root::enter`].
pub(crate) struct EnteredRoot<'a> {
    hidden: Option<NonNull<Header>>,
    before: Option<NonNull<Root<'static>>>,
    task_before: u64,
    _token: Option<InstalledToken>,
    /// It lives as long as it stands in [`ROOT`].
    root: PhantomData<&'a Root<'a>>,
}

impl Drop for EnteredRoot<'_> {
    fn drop(&mut self) {
        replace_task(self.task_before);
        ROOT.set(self.before);
        TASK.set(self.hidden);
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
