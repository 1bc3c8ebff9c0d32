//! The memory of a task: the header that anyone may look at, then the stage.

use std::cell::UnsafeCell;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize};
use std::task::Waker;

use wakeline_context::{Locals, Reason, WaitingOn};
use wakeline_sync::cancel::Node;

use super::life::Life;
use super::node::Place;
use super::owned::NO_KEY;
use super::run::Payload;
use super::state::{Pause, Start};
use super::{Id, JoinError};
use crate::queue::{Link, Next};

/// What is known of a task without knowing its future.
pub(crate) struct Header {
    pub(super) life: Life,
    pub(super) vtable: &'static Vtable,
    /// The next task of whichever intrusive queue holds this one.
    link: crate::sync::atomic::AtomicPtr<Header>,
    /// The next task of the queue of a thread. A local task may be in the mailbox at
    /// the same time, which has the other link.
    next: std::cell::Cell<Option<NonNull<Header>>>,
    /// Where the owned list keeps its reference, which is that list's to know.
    pub(super) owned_key: AtomicUsize,
    pub(super) join_waker: UnsafeCell<Option<Waker>>,
    pub(super) waiting: Waiting,
    /// What it inherits; on its thread, and not here, while it runs.
    pub(super) locals: UnsafeCell<Locals>,
    /// Its place in the cancel tree, once someone has asked for it.
    node: Place,
    pub(crate) id: Id,
    pub(crate) spawned_at: &'static Location<'static>,
    pub(crate) name: Option<Arc<str>>,
}

/// Where a task comes from and what it takes along.
pub(crate) struct Origin {
    pub(crate) at: &'static Location<'static>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) locals: Locals,
}

impl Origin {
    /// A task without a name, with the values in force here.
    #[inline]
    pub(crate) fn here(at: &'static Location<'static>) -> Origin {
        Origin {
            at,
            name: None,
            locals: Locals::current(),
        }
    }
}

/// What to do with a task whose future's type is forgotten.
///
/// Every entry takes a pointer to the task it was made for; the caller vouches
/// for the right that the table in the module's doc asks for.
pub(super) struct Vtable {
    /// Runs a popped task: it must be WOKEN, and the caller its only holder.
    /// `Requeue`: the caller has its next entry, for its queue.
    /// A panic of the future unwinds out of it, for `panicked`.
    pub(super) run: unsafe fn(NonNull<Header>) -> Pause,
    /// Ends a task whose `run` has unwound.
    pub(super) panicked: unsafe fn(NonNull<Header>, Payload),
    /// Ends a popped task with an error: the same rights as `run`.
    pub(super) refuse: unsafe fn(NonNull<Header>, io::Error),
    /// Pushes a task that has just become WOKEN to its scheduler's queue.
    pub(super) schedule: unsafe fn(NonNull<Header>),
    /// Tells the scheduler of an abort that found the task queued or running.
    pub(super) aborted: unsafe fn(NonNull<Header>),
    /// Moves the output to a `*mut Result<T, JoinError>`: the handle's right.
    pub(super) take_output: unsafe fn(NonNull<Header>, *mut ()),
    /// Drops the output where it stands: the handle's right.
    pub(super) drop_output: unsafe fn(NonNull<Header>),
    /// Makes a node for the task, below its runtime's, cancelled from the start
    /// if there is a reason; a reference is held.
    pub(super) new_node: unsafe fn(NonNull<Header>, Option<&Reason>) -> Node,
    /// Why the runtime ends, if it does and the task is one that hears of it; a
    /// reference is held.
    pub(super) inherited: unsafe fn(NonNull<Header>) -> Option<Reason>,
    /// Frees the task: the last reference is gone.
    pub(super) free: unsafe fn(NonNull<Header>),
}

#[repr(C)]
pub(super) struct Cell<F: Future, S> {
    pub(super) header: Header,
    pub(super) scheduler: S,
    pub(super) stage: UnsafeCell<Stage<F>>,
}

pub(super) enum Stage<F: Future> {
    Future(F),
    Output(Result<F::Output, JoinError>),
    Consumed,
}

impl Header {
    #[inline(always)]
    pub(super) fn new(
        vtable: &'static Vtable,
        home: Option<usize>,
        id: Id,
        at: &'static Location<'static>,
        name: Option<Arc<str>>,
        locals: Locals,
    ) -> Header {
        Header {
            life: Life::new(home),
            vtable,
            link: crate::sync::atomic::AtomicPtr::new(ptr::null_mut()),
            next: std::cell::Cell::new(None),
            owned_key: AtomicUsize::new(NO_KEY),
            join_waker: UnsafeCell::new(None),
            waiting: Waiting::new(),
            locals: UnsafeCell::new(locals),
            node: Place::new(),
            id,
            spawned_at: at,
            name,
        }
    }
}

impl Header {
    /// Whether its drop would do nothing, as of most tasks at their end.
    #[inline]
    pub(super) fn is_bare(&mut self) -> bool {
        // Each field by name, so that a new one is not forgotten here.
        let Header {
            life,
            vtable: _,
            link: _,
            next: _,
            owned_key: _,
            join_waker,
            waiting: _,
            locals,
            node,
            id: _,
            spawned_at: _,
            name,
        } = self;
        life.is_bare()
            && join_waker.get_mut().is_none()
            && locals.get_mut().is_empty()
            && node.is_empty()
            && name.is_none()
    }

    /// Begins a run of a popped task.
    #[inline]
    pub(super) fn start(&self) -> Start {
        match &self.life {
            // Relaxed, here and below: it is passed on with the right to run the
            // task, and what orders that orders it.
            Life::Stealable(state, yields) if yields.load(Relaxed) => {
                yields.store(false, Relaxed);
                state.resume()
            }
            Life::Stealable(state, _) => state.start(),
            Life::Local(local) => local.near.start(),
        }
    }

    /// The task's node, made now if there is none; `task` is this very task.
    pub(super) fn node(&self, task: NonNull<Header>) -> &Node {
        debug_assert!(ptr::eq(task.as_ptr(), self));
        self.node.node(|reason| {
            // SAFETY: the vtable is of this task, which `self` shows to live.
            unsafe { (self.vtable.new_node)(task, reason) }
        })
    }

    /// Leaves the reason of a cancellation, unless the runtime has one already or
    /// there is a node, which then has to be told.
    pub(super) fn node_to_cancel(&self, task: NonNull<Header>, reason: &Reason) -> Option<&Node> {
        self.node
            .cancel(|| self.inherited(task).unwrap_or_else(|| reason.clone()))
    }

    /// Why what is above the task was cancelled; `task` is this very task.
    pub(super) fn inherited(&self, task: NonNull<Header>) -> Option<Reason> {
        debug_assert!(ptr::eq(task.as_ptr(), self));
        // SAFETY: the vtable is of this task, which `self` shows to live.
        unsafe { (self.vtable.inherited)(task) }
    }

    /// Why the task was cancelled, if someone has said so.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.node.reason()
    }
}

/// Ends a run that was pending.
///
/// By pointer: after an `Idle` another thread may run the task and free it before this
/// has returned, and what a parameter refers to must live until then.
///
/// # Safety
///
/// The task lives and RUNNING is the caller's, who does not touch it any more unless
/// the result gives it back.
#[inline]
pub(super) unsafe fn pause(task: NonNull<Header>) -> Pause {
    // SAFETY: it lives until the word says otherwise; the word is all that is looked
    // at from then on, and it is atomic.
    match unsafe { &(*task.as_ptr()).life } {
        Life::Stealable(_, yields) if yields.load(Relaxed) => Pause::Requeue,
        Life::Stealable(state, _) => state.pause(),
        Life::Local(local) => local.near.pause(),
    }
}

// SAFETY: a field of the header, which only the queue that holds the task touches.
unsafe impl Next for Header {
    #[inline]
    fn next(&self) -> &std::cell::Cell<Option<NonNull<Header>>> {
        &self.next
    }
}

// SAFETY: the link is a field of the header, at a place that does not change,
// and only the queue that holds the task touches it.
unsafe impl Link for Header {
    unsafe fn link(this: NonNull<Header>) -> NonNull<crate::sync::atomic::AtomicPtr<Header>> {
        // SAFETY: the caller vouches that the task lives.
        NonNull::from(unsafe { &this.as_ref().link })
    }
}

/// What the task waits for, for a task list that another thread prints.
///
/// Two words written one after the other: a reader may see the place of one
/// wait with the kind of the next. A picture for people may be that blurred;
/// nothing is decided by it.
pub(super) struct Waiting {
    /// A `&'static Location`, or null while the task waits for nothing.
    location: AtomicPtr<Location<'static>>,
    /// Kind and id, packed.
    what: AtomicU64,
}

/// In `what`, before the first poll: nothing is packed like that.
const NEVER_POLLED: u64 = u64::MAX;

impl Waiting {
    fn new() -> Waiting {
        Waiting {
            location: AtomicPtr::new(ptr::null_mut()),
            what: AtomicU64::new(NEVER_POLLED),
        }
    }

    /// What a poll has left: [`Polling::end_packed`](wakeline_context::Polling::end_packed).
    #[inline]
    pub(super) fn set(&self, location: Option<&'static Location<'static>>, what: u64) {
        let location = location.map_or(ptr::null(), ptr::from_ref);
        self.what.store(what, Relaxed);
        self.location.store(location.cast_mut(), Relaxed);
    }

    /// It waits for nothing.
    #[inline]
    pub(super) fn clear(&self) {
        self.set(None, 0);
    }

    /// Whether a poll has come back pending, or the task has ended.
    pub(super) fn was_polled(&self) -> bool {
        self.what.load(Relaxed) != NEVER_POLLED
    }

    pub(super) fn get(&self) -> Option<WaitingOn> {
        let location = NonNull::new(self.location.load(Relaxed))?;
        // SAFETY: only `set` stores here, and what it stores is a
        // `&'static Location`, valid for reads for ever.
        let location: &'static Location<'static> = unsafe { location.as_ref() };
        WaitingOn::unpack(Some(location), self.what.load(Relaxed))
    }
}

#[cfg(all(test, not(loom)))]
mod size {
    use super::Header;

    /// What each task costs beside its future: a larger header is a decision.
    #[test]
    fn a_header_has_twenty_words() {
        assert_eq!(size_of::<Header>(), 20 * size_of::<usize>());
    }
}

#[cfg(all(test, not(loom)))]
mod freed {
    use std::thread;

    use super::*;
    use crate::blocking::Blocking;
    use crate::task::raw::vtable;

    struct There(NonNull<Header>);
    // SAFETY: what `thread` below does with it is what the owner of a task may do.
    unsafe impl Send for There {}

    #[test]
    fn a_task_may_be_freed_before_who_has_paused_it_goes_on() {
        let vtable = const { &vtable::<std::future::Ready<()>, Blocking>(false) };
        for _ in 0..if cfg!(miri) { 4 } else { 100 } {
            let here = Location::caller();
            let header = Header::new(vtable, None, Id::next(), here, None, Locals::empty());
            assert_eq!(header.start(), Start::Poll);
            let task = NonNull::from(Box::leak(Box::new(header)));
            let there = There(task);
            let other = thread::spawn(move || {
                let There(task) = { there };
                // SAFETY: it is freed below, by this thread.
                while unsafe { task.as_ref() }.life.describe() != "idle" {
                    std::hint::spin_loop();
                }
                // By an acquiring look, not by a fence, which sanitizers do not know.
                // SAFETY: as above.
                assert!(!unsafe { task.as_ref() }.life.is_complete());
                // SAFETY: from the box above; the other one has given it away.
                drop(unsafe { Box::from_raw(task.as_ptr()) });
            });
            // SAFETY: it was started above, and is not touched here any more.
            assert_eq!(unsafe { pause(task) }, Pause::Idle);
            other.join().expect("no panic");
        }
    }
}
