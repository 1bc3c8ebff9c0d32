//! What a thread is in: a context, if it runs tasks, or only an executor.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::Arc;

use wakeline_context::{replace_home, set_runs_tasks};

use super::Context;
use crate::shared::Shared;
use crate::task;

thread_local! {
    /// Of a thread of a blocking pool, which comes and goes: whose pool that is. For its
    /// whole life the executor's shared part lives.
    static PASSING: Cell<*const Shared> = const { Cell::new(ptr::null()) };
    /// Each wake looks here. It needs no destructor, as it owns nothing: the
    /// `Entered` that put it here does.
    static CURRENT: Cell<Option<NonNull<Context>>> = const { Cell::new(None) };
    /// The executors of a thread that runs no tasks: a blocking job's, say. The last
    /// counts; each has a number of its own, by which its guard finds it.
    static ENTERED: RefCell<Vec<(u64, Arc<Shared>)>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` with this thread's context. `f` must not run foreign code.
#[inline(always)]
pub(crate) fn with<R>(f: impl FnOnce(Option<&Context>) -> R) -> R {
    // SAFETY: the guard that put it there owns it, and takes it away before it
    // lets go; `f` runs no foreign code, so no guard is dropped meanwhile.
    f(CURRENT.get().map(|current| unsafe { current.as_ref() }))
}

/// Whether this thread is inside a `block_on` or is a worker.
pub(crate) fn is_entered() -> bool {
    with(|current| current.is_some())
}

/// Whether the runtime of this thread is in debug mode.
pub(crate) fn has_debug() -> bool {
    let entered = || {
        let debug = |(_, shared): &(u64, Arc<Shared>)| shared.debug.is_some();
        ENTERED.try_with(|entered| entered.borrow().last().is_some_and(debug))
    };
    with(|current| current.map(|current| current.shared.debug.is_some()))
        .unwrap_or_else(|| entered().unwrap_or(false))
}

/// The executor that this thread belongs to, if any.
pub(crate) fn shared() -> Option<Arc<Shared>> {
    let entered = || {
        let last = |(_, shared): &(u64, Arc<Shared>)| Arc::clone(shared);
        let found = ENTERED.try_with(|entered| entered.borrow().last().map(last));
        found.ok().flatten()
    };
    with(|current| current.map(|current| Arc::clone(&current.shared))).or_else(entered)
}

/// Marks a thread of this executor's blocking pool, for its whole life.
pub(crate) fn set_passing(shared: &Shared) {
    PASSING.set(shared);
    task::keep_no_memory();
}

/// Whether this thread is one of the executor's own blocking pool, whose idle end
/// would be the end of it, were it bound to it. Another one, which a job has made for
/// itself say, has no other thread.
pub(crate) fn is_passing(shared: &Shared) -> bool {
    ptr::eq(PASSING.get(), shared)
}

/// Makes `context` this thread's, until the guard is dropped. What it is inside of has
/// been set aside: it is going to run tasks.
pub(crate) fn enter(context: Rc<Context>) -> Entered {
    set_runs_tasks(true);
    Entered {
        home_before: replace_home(context.home.address()),
        before: CURRENT.replace(NonNull::new(Rc::as_ptr(&context).cast_mut())),
        _context: context,
    }
}

/// Guards of one thread are dropped in the reverse order of their making.
pub(crate) struct Entered {
    /// Another executor's, one of whose tasks drops the executor of `context`.
    /// The guard that is further out owns it.
    before: Option<NonNull<Context>>,
    home_before: usize,
    _context: Rc<Context>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before);
        set_runs_tasks(self.before.is_some());
        replace_home(self.home_before);
    }
}

/// Makes an executor findable on a thread that runs no tasks.
pub(crate) fn enter_shared(shared: Arc<Shared>) -> EnteredShared {
    let number = ENTERED.with(|entered| {
        let mut entered = entered.borrow_mut();
        let number = entered.last().map_or(0, |(last, _)| last + 1);
        entered.push((number, shared));
        number
    });
    EnteredShared {
        number,
        not_send: PhantomData,
    }
}

/// Guards of one thread are dropped in any order.
pub(crate) struct EnteredShared {
    number: u64,
    /// Belongs to the thread whose entry it takes back.
    not_send: PhantomData<*const ()>,
}

impl Drop for EnteredShared {
    fn drop(&mut self) {
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let place = entered.iter().rposition(|(it, _)| *it == self.number)?;
            Some(entered.remove(place))
        });
        drop(left);
    }
}
