//! `block_on`: one future, polled by the calling thread until it is ready.
//!
//! Three kinds of thread call it:
//!
//! 1. the thread that a one-worker executor is bound to (the first that
//!    called, unless it is one of its own blocking pool): it *is* the worker
//!    while it is here. Queues and driver stay with the thread between calls, in
//!    [`BOUND`], as local tasks may hold what must not leave it;
//! 2. any other thread: it polls its own future and what that spawns locally,
//!    with a driver of its own that ends with the call;
//! 3. a thread that already runs tasks: refused, since it would stop them.

mod root_wake;
mod roots;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::fence;
use std::time::Duration;

use wakeline_context::{Cause, Reason, outlive_the_rest, quietly};

use crate::context::{self, Context, Kind};
use crate::driver::Driver;
use crate::home::Home;
use crate::shared::{Flavour, Shared};
use crate::task;
use crate::trace::RootTrace;
use crate::worker;
use root_wake::RootWaker;
use roots::RootFuture;
pub(crate) use roots::UntilEmpty;

/// How long a driver may take to end what is in flight.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// A thread's queues and driver, ready to run. Boxed, as it moves in and out of
/// each `block_on`.
pub(crate) struct Core {
    pub(crate) context: Rc<Context>,
    driver: Box<dyn Driver>,
    /// Of the last `block_on`; the next one's, if nobody has it any more.
    waker: Option<RootWaker>,
    /// Its tasks are gone and its driver is shut down.
    ended: bool,
}

type Cores = Vec<Box<Core>>;

thread_local! {
    /// The cores of the one-worker executors that are bound to this thread
    /// and not in `block_on` just now.
    static BOUND: RefCell<Cores> = const { RefCell::new(Vec::new()) };
}

/// Runs `future` to its end on this thread.
#[track_caller]
pub(crate) fn block_on<F: Future>(shared: &Arc<Shared>, future: F) -> F::Output {
    assert!(
        !context::is_entered(),
        "`block_on` inside a task or another `block_on` would stop the tasks of this thread: await the future, \
         or call `block_on` on a thread of its own (`spawn_blocking`)"
    );
    let core = match take_bound(shared).map_or_else(|| make_core(shared), Ok) {
        Ok(core) => core,
        Err(error) => panic!("cannot set up a driver for `block_on`: {error}"),
    };
    let own = task::Root::new(&shared.node, Location::caller());
    let listed = own.list(shared.debug.as_deref());
    let traced = own.trace(shared.trace.as_ref());
    let result = core.enter_with(|core| {
        let (context, driver, waker) = core.for_root(traced.as_ref());
        // Pinned in here, so that its destructor still has its runtime.
        let future = pin!(Some(future));
        worker::run(
            context,
            driver,
            &mut RootFuture {
                future,
                own: &own,
                listed: listed.as_ref(),
                traced: traced.as_ref(),
                waker,
                first: true,
            },
        )
    });
    match result {
        Ok(output) => output,
        Err(error) => panic!("the driver of `block_on` failed: {error}"),
    }
}

/// This thread's core of a one-worker executor, if it is bound to this thread.
pub(crate) fn take_bound(shared: &Arc<Shared>) -> Option<Box<Core>> {
    // What a thread touches first it ends last: at the thread's end the tasks of
    // its cores shall still find what they inherited.
    outlive_the_rest();
    let taken = BOUND.try_with(|bound| {
        let mut bound = bound.borrow_mut();
        // Those whose executor was dropped elsewhere end on the way.
        let ended = if bound.iter().any(|core| core.is_orphan(shared)) {
            orphans(&mut bound, shared)
        } else {
            Vec::new()
        };
        let place = bound
            .iter()
            .position(|core| Arc::ptr_eq(&core.context.shared, shared));
        (place.map(|place| bound.swap_remove(place)), ended)
    });
    let (core, ended) = taken.ok()?;
    drop(ended);
    core
}

#[cold]
fn orphans(bound: &mut Cores, shared: &Arc<Shared>) -> Cores {
    bound
        .extract_if(.., |core| core.is_orphan(shared))
        .collect()
}

/// A core for this thread: the executor's only one if it has none yet.
pub(crate) fn make_core(shared: &Arc<Shared>) -> io::Result<Box<Core>> {
    if let Flavour::One(only) = &shared.flavour
        && only.bound.get().is_none()
        && !shared.is_closing()
        && !context::is_passing(shared)
    {
        let driver = (shared.worker_driver)(0)?;
        let home = Home::new(driver.interrupt());
        if only.bound.set(Arc::clone(&home)).is_ok() {
            // Pairs with the fence in `notify_injected`: either a spawner sees
            // the binding, or the first look into the queue sees its task. And with
            // that in `begin_end`: either an end sees it, or it sees the end here.
            fence(SeqCst);
            if shared.is_closing() {
                home.owned.close();
            }
            let context = Context::new(
                Arc::clone(shared),
                home,
                Arc::clone(&only.counters),
                Kind::Only,
            );
            return Ok(Core::new(context, driver));
        }
        // Another thread was first.
    }
    let driver = (shared.root_driver)(())?;
    let home = Home::new(driver.interrupt());
    Ok(Core::new(
        Context::new(Arc::clone(shared), home, Arc::default(), Kind::Root),
        driver,
    ))
}

impl Core {
    pub(crate) fn new(context: Context, driver: Box<dyn Driver>) -> Box<Core> {
        Box::new(Core {
            context: Rc::new(context),
            driver,
            waker: None,
            ended: false,
        })
    }

    /// What a `block_on` that begins runs with; its waker is woken already.
    fn for_root(&mut self, traced: Option<&RootTrace>) -> (&Context, &mut dyn Driver, &RootWaker) {
        let context = &*self.context;
        let kept = self.waker.take().filter(RootWaker::again);
        let waker = (self.waker).insert(
            kept.unwrap_or_else(|| RootWaker::new(&context.home, traced.map(RootTrace::waker))),
        );
        (context, self.driver.as_mut(), waker)
    }

    /// Makes the thread one that runs tasks while `f` runs. Then the core of
    /// a bound thread is put back, one of a passing `block_on` is ended.
    pub(crate) fn enter<R>(self: Box<Self>, f: impl FnOnce(&Context, &mut dyn Driver) -> R) -> R {
        self.enter_with(|core| f(&core.context, core.driver.as_mut()))
    }

    /// The same, of a thread that will be back soon.
    pub(crate) fn enter_briefly<R>(
        self: Box<Self>,
        f: impl FnOnce(&Context, &mut dyn Driver) -> R,
    ) -> R {
        let mut inside = Inside::new(self);
        inside.briefly = true;
        let core = inside.core();
        f(&core.context, core.driver.as_mut())
    }

    fn enter_with<R>(self: Box<Self>, f: impl FnOnce(&mut Core) -> R) -> R {
        let mut inside = Inside::new(self);
        f(inside.core())
    }

    /// Whether this is another executor's core, and that executor has ended.
    fn is_orphan(&self, shared: &Arc<Shared>) -> bool {
        !Arc::ptr_eq(&self.context.shared, shared) && self.context.shared.is_closing()
    }

    pub(crate) fn is_bound(&self) -> bool {
        matches!(self.context.kind, Kind::Only)
    }

    /// Ends every task that this thread runs, and its driver. The thread must be
    /// entered. Of a bound one it is the end of the executor, from step 3 on;
    /// the cleanup lane is only waited for if the thread `may_linger`.
    fn end(&mut self, may_linger: bool) {
        let context = &*self.context;
        let (shared, driver) = (&context.shared, self.driver.as_mut());
        context.home.owned.close();
        if matches!(context.kind, Kind::Only) {
            shared.begin_end(Reason::at(Cause::Shutdown, shared.made_at));
            shared.abort_all();
            run_until(driver, &mut UntilEmpty::tasks(context, None));
            if may_linger && shared.cleanups.len() > 0 {
                let mut lane = UntilEmpty::all(context, shared.lane_deadline());
                // Without a driver they cannot go on.
                let _ = is_driven(driver, &mut lane);
            }
            shared.close_lane();
        } else {
            let gone = Reason::at(Cause::Dropped, shared.made_at);
            context.home.owned.abort_all(Some(&gone));
        }
        run_until(driver, &mut UntilEmpty::all(context, None));
        context.give_back();
        let report = driver.shutdown(DRAIN_LIMIT);
        // It has woken who waited for it, here.
        context.give_back();
        shared.add_leaked(report.leaked_operations);
        self.ended = true;
    }
}

/// Runs aborted tasks, also without a driver that works.
fn run_until(driver: &mut dyn Driver, root: &mut UntilEmpty<'_>) {
    if !is_driven(driver, root) {
        // A driver that fails now has nobody to tell; the tasks' futures are
        // what must not stay behind, and those need no driver to be dropped.
        worker::run_undriven(root.context, || root.is_empty());
    }
}

/// Runs tasks at the end of their thread; false if the driver failed. So does one that
/// panics: the thread may be unwinding already, perhaps for the same reason.
fn is_driven(driver: &mut dyn Driver, root: &mut UntilEmpty<'_>) -> bool {
    let mut driven = false;
    quietly(|| driven = worker::run(root.context, driver, root).is_ok());
    driven
}

impl Drop for Core {
    fn drop(&mut self) {
        // Reached by a bound core whose thread ends, or whose executor did.
        if !self.ended {
            let may_linger = !context::is_entered();
            let _aside = task::Aside::new();
            self.driver.enter();
            let entered = context::enter(Rc::clone(&self.context));
            self.end(may_linger);
            drop(entered);
            self.driver.leave();
        }
    }
}

/// A core whose thread is entered; leaves also when the root future panics.
struct Inside {
    core: Option<Box<Core>>,
    entered: Option<context::Entered>,
    /// The thread ran tasks already, of another executor.
    nested: bool,
    /// It will do so again soon.
    briefly: bool,
    /// The last to go: what the drop of the rest runs is inside of nothing.
    _aside: task::Aside,
}

impl Inside {
    fn new(mut core: Box<Core>) -> Inside {
        let aside = task::Aside::new();
        let nested = context::is_entered();
        core.driver.enter();
        let entered = context::enter(Rc::clone(&core.context));
        Inside {
            core: Some(core),
            entered: Some(entered),
            nested,
            briefly: false,
            _aside: aside,
        }
    }

    fn core(&mut self) -> &mut Core {
        self.core.as_mut().expect("taken only by the drop")
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let Some(mut core) = self.core.take() else {
            return;
        };
        let keep = core.is_bound() && !core.context.shared.is_closing();
        if !keep {
            core.end(!self.nested);
        }
        drop(self.entered.take());
        if self.briefly {
            core.driver.pause();
        } else {
            core.driver.leave();
        }
        if keep {
            // Only fails while the thread ends; then the core ends here.
            let _ = BOUND.try_with(|bound| bound.borrow_mut().push(core));
        }
    }
}
