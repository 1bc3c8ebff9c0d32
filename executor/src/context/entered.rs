//! What a thread is in: a context, if it runs tasks, or only an executor.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use super::Context;
use crate::shared::Shared;

thread_local! {
    /// A thread of the blocking pool: it comes and goes.
    static PASSING: Cell<bool> = const { Cell::new(false) };
    static CURRENT: RefCell<Option<Rc<Context>>> = const { RefCell::new(None) };
    /// The executor of a thread that runs no tasks: a blocking job's, say.
    static ENTERED: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
}

/// Runs `f` with this thread's context. `f` must not run foreign code.
pub(crate) fn with<R>(f: impl FnOnce(Option<&Context>) -> R) -> R {
    // While the thread ends its context is gone, and so is its right to run
    // tasks: everything goes the way of another thread's wake.
    let mut f = Some(f);
    let result = CURRENT.try_with(|current| {
        let f = f.take().expect("taken once");
        f(current.borrow().as_deref())
    });
    match (result, f) {
        (Ok(result), _) => result,
        (Err(_), Some(f)) => f(None),
        (Err(_), None) => unreachable!("`try_with` fails before it calls"),
    }
}

/// Whether this thread is inside a `block_on` or is a worker.
pub(crate) fn is_entered() -> bool {
    with(|current| current.is_some())
}

/// Whether the runtime of this thread is in debug mode.
pub(crate) fn has_debug() -> bool {
    let entered = || {
        let debug = |shared: &Option<Arc<Shared>>| {
            shared.as_ref().is_some_and(|shared| shared.debug.is_some())
        };
        ENTERED.try_with(|entered| debug(&entered.borrow()))
    };
    with(|current| current.map(|current| current.shared.debug.is_some()))
        .unwrap_or_else(|| entered().unwrap_or(false))
}

/// The executor that this thread belongs to, if any.
pub(crate) fn shared() -> Option<Arc<Shared>> {
    let entered = || {
        ENTERED
            .try_with(|entered| entered.borrow().clone())
            .ok()
            .flatten()
    };
    with(|current| current.map(|current| Arc::clone(&current.shared))).or_else(entered)
}

/// Marks a thread of the blocking pool, for its whole life.
pub(crate) fn set_passing() {
    PASSING.set(true);
}

/// Whether this thread is one of a blocking pool, whose idle end would be the
/// end of an executor that is bound to it.
pub(crate) fn is_passing() -> bool {
    PASSING.get()
}

/// Makes `context` this thread's, until the guard is dropped.
pub(crate) fn enter(context: Rc<Context>) -> Entered {
    // Fails only while the thread ends and drops its tasks; they can do
    // without, as what they wake then goes the way of another thread's wake.
    let before = CURRENT.try_with(|current| current.replace(Some(context)));
    Entered {
        before: before.ok().flatten(),
    }
}

pub(crate) struct Entered {
    /// Another executor's, one of whose tasks drops the executor of `context`.
    before: Option<Rc<Context>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        let left = CURRENT.try_with(|current| current.replace(before));
        // Dropped here, outside of the borrow: it may be the last one.
        drop(left);
    }
}

/// Makes an executor findable on a thread that runs no tasks.
pub(crate) fn enter_shared(shared: Arc<Shared>) -> EnteredShared {
    EnteredShared {
        before: ENTERED.with(|entered| entered.replace(Some(shared))),
        not_send: PhantomData,
    }
}

pub(crate) struct EnteredShared {
    before: Option<Arc<Shared>>,
    /// Belongs to the thread whose entry it takes back.
    not_send: PhantomData<*const ()>,
}

impl Drop for EnteredShared {
    fn drop(&mut self) {
        let before = self.before.take();
        drop(ENTERED.try_with(|entered| entered.replace(before)));
    }
}

/// This thread's context, for longer than a look at it.
pub(super) fn current() -> Option<Rc<Context>> {
    let current = CURRENT.try_with(|current| current.borrow().clone());
    current.ok().flatten()
}
