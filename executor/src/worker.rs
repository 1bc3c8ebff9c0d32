//! A worker's day: find a task, run it, now and then take a turn, else sleep.
//!
//! ```text
//!   ┌─▶ root woken? poll it ─▶ own queues ─▶ mailbox, inject ─▶ steal ─┐
//!   │        │ ended               │ a task            │ some          │ none
//!   │        ▼                     ▼                   │               ▼
//!   │      leave                  run it ◀─────────────┘      turn(None): sleep
//!   │                              │                                   │
//!   └── turn(0) every 61 polls ◀───┴───────────────────────────────────┘
//! ```
//!
//! The driver is asked at least every [`TURN_EVERY`](crate::context::TURN_EVERY) polls, so that a run
//! queue that never empties cannot starve sockets and timers. In between it is
//! left alone: a turn may cost a system call, a poll here does not.
//!
//! # No wake is lost
//!
//! Who queues something from another thread pushes first and interrupts
//! second. An interrupt sticks: it ends the turn in progress or makes the next
//! one not sleep. So a push that this loop did not see is followed by an
//! interrupt that its turn sees. Between workers the interrupt is saved where
//! it can be; `idle.rs` has that protocol.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::context::{Context, Kind, runnable};
use crate::driver::Driver;
use crate::idle::WokenBy;
use crate::poll_once::Turn;
use crate::shared::{Flavour, Many};
use crate::task::Id;
use crate::vigil::Micros;

/// What the loop runs for: the future of a `block_on`, or a shutdown.
pub(crate) trait Root {
    type Output;

    /// Looks whether it is woken, and if so goes on with it.
    fn poll(&mut self) -> Progress<Self::Output>;

    /// How long the loop may sleep before it must look again.
    fn limit(&self) -> Option<Duration> {
        None
    }
}

pub(crate) enum Progress<T> {
    Done(T),
    /// It was woken and went on.
    Polled,
    Nothing,
}

/// A worker that looks for tasks in other workers' queues.
#[derive(Default)]
struct Search {
    /// `Idle` counts it among the searchers.
    counted: bool,
    /// It saw work on its way to sleep: it must look even if enough others do.
    must_look: bool,
}

/// Runs tasks until the root is done.
///
/// # Errors
///
/// If the driver is broken.
pub(crate) fn run<R: Root>(
    context: &Context,
    driver: &mut dyn Driver,
    root: &mut R,
) -> io::Result<R::Output> {
    // Bursts that are shorter than that each, one after the other, must not keep
    // the driver and the tasks waiting for ever.
    if matches!(context.kind, Kind::Only) && context.is_turn_due() {
        once(context, driver, Duration::ZERO)?;
    }
    let mut search = Searching(context, Search::default());
    past_panics(context, || work(context, driver, root, &mut search.1))
}

/// Ends with its loop, also where that is an error or a panic: while it counts, nobody
/// else would be woken to search.
struct Searching<'a>(&'a Context, Search);

impl Drop for Searching<'_> {
    #[inline]
    fn drop(&mut self) {
        stop_searching(self.0, &mut self.1);
    }
}

/// Does `f`, and again after each panic in the poll of a task, which is that task's end.
///
/// So a panic is caught once around all polls, and none of them pays for it.
fn past_panics<T>(context: &Context, mut f: impl FnMut() -> T) -> T {
    loop {
        match catch_unwind(AssertUnwindSafe(&mut f)) {
            Ok(done) => return done,
            Err(payload) => context.end_panicked(payload),
        }
    }
}

/// The loop of [`run`]; a panic of a task's poll unwinds out of it, and it begins again.
fn work<R: Root>(
    context: &Context,
    driver: &mut dyn Driver,
    root: &mut R,
    search: &mut Search,
) -> io::Result<R::Output> {
    // Of panics one after the other none comes to the end of the loop.
    if context.is_turn_due() {
        context.take_in();
        turn(context, driver, Some(Duration::ZERO))?;
    }
    loop {
        let rooted = match root.poll() {
            Progress::Done(output) => {
                context.count_root();
                return Ok(output);
            }
            Progress::Polled => {
                context.count_root();
                true
            }
            Progress::Nothing => false,
        };
        let next = context.next();
        let ran = next.is_some();
        if let Some(next) = next {
            stop_searching(context, search);
            context.run(next);
        }
        if context.is_turn_due() {
            context.take_in();
            turn(context, driver, Some(Duration::ZERO))?;
        } else if !ran && !rooted && !context.take_in() && !steal(context, search) {
            idle(context, driver, root.limit(), search)?;
        }
    }
}

/// Each task that is ready, once; a turn of the driver; each that is then ready.
///
/// In this order, as a thread that has left its driver finds nothing armed: the
/// first round arms, the turn looks, the second has what it brought. If a task ended in
/// the first, its caller may be done: then the turn does not sleep. Nor if one was
/// spawned, as the number of those alive says nothing then; what another thread spawns
/// meanwhile is ready.
///
/// # Errors
///
/// If the driver is broken.
pub(crate) fn once(
    context: &Context,
    driver: &mut dyn Driver,
    limit: Duration,
) -> io::Result<Turn> {
    let tasks = || context.shared.task_count();
    context.take_in();
    let alive = if limit.is_zero() { 0 } else { tasks() };
    let last = Id::last_here();
    let before = round(context);
    // A turn that may not sleep is no idle one: a burst's root may be ready yet.
    if limit.is_zero() || is_ready(context) || tasks() < alive || Id::last_here() != last {
        turn(context, driver, Some(Duration::ZERO))?;
    } else {
        sleep(context, driver, limit)?;
    }
    context.take_in();
    let after = round(context);
    // Who calls this again takes turns enough.
    context.forget_polls();
    Ok(Turn {
        polled: before + after,
        more: is_ready(context),
    })
}

/// Whether there is something to do before the driver may sleep.
fn is_ready(context: &Context) -> bool {
    context.take_in() || context.queued() > 0 || context.has_deferred()
}

/// Idle turns until somebody is ready, for `limit` at most.
///
/// An interrupt alone ends a turn, and those whom the thread had woken when it left its
/// driver, to watch their sockets anew in its next time there, have interrupted this one.
fn sleep(context: &Context, driver: &mut dyn Driver, limit: Duration) -> io::Result<()> {
    let until = Instant::now().checked_add(limit);
    let mut left = limit;
    while !left.is_zero() {
        turn_idle(context, driver, Some(left))?;
        if is_ready(context) || context.shared.is_closing() {
            break;
        }
        left = until.map_or(limit, |at| at.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// Polls each task that is ready once; those that these wake have to wait, or
/// a foreign loop would never go on.
fn round(context: &Context) -> usize {
    let ready = context.queued();
    let mut left = 0..ready;
    past_panics(context, || {
        for _ in left.by_ref() {
            let next = context.next().expect("only this thread takes them out");
            context.run(next);
        }
    });
    ready
}

/// Runs aborted tasks until `done`, without a driver: it is broken.
pub(crate) fn run_undriven(context: &Context, done: impl Fn() -> bool) {
    past_panics(context, || {
        while !done() {
            match context.next() {
                Some(next) => context.run(next),
                None if context.take_in() => {}
                // Another thread is about to queue what it has just aborted.
                None => std::thread::yield_now(),
            }
        }
    });
}

/// One turn of the driver, then those who had yielded to it.
fn turn(context: &Context, driver: &mut dyn Driver, limit: Option<Duration>) -> io::Result<()> {
    context.forget_polls();
    context.counters.turns.add(1);
    driver.turn(limit)?;
    if let (Some(worker), Flavour::Many(many)) = (context.worker(), &context.shared.flavour)
        && many.vigil.runs(worker.index, many.vigil.now())
    {
        many.watch();
    }
    context.wake_deferred();
    if context.has_surplus() {
        context.notify_one();
    }
    Ok(())
}

/// A turn of the only worker, or of a `block_on` beside the workers, where
/// nobody is ready and nobody has yielded.
fn turn_idle(
    context: &Context,
    driver: &mut dyn Driver,
    limit: Option<Duration>,
) -> io::Result<()> {
    context.forget_polls();
    context.counters.turns.add(1);
    driver.turn_idle(limit, &|| context.shared.pool.watch())?;
    context.wake_deferred();
    Ok(())
}

/// Nothing to run: a turn that may sleep.
fn idle(
    context: &Context,
    driver: &mut dyn Driver,
    limit: Option<Duration>,
    search: &mut Search,
) -> io::Result<()> {
    if context.has_deferred() {
        return turn(context, driver, Some(Duration::ZERO));
    }
    let (Some(worker), Flavour::Many(many)) = (context.worker(), &context.shared.flavour) else {
        context.counters.parks.add(1);
        return turn_idle(context, driver, limit);
    };
    let now = many.vigil.now();
    if many.vigil.sleeps(worker.index, now) {
        many.watch();
    }
    many.idle
        .sleep(worker.index, std::mem::take(&mut search.counted));
    // Published as asleep; who pushes from here on sees it. What was pushed
    // before is seen here, and then has to be looked for.
    search.must_look = work_is_visible(context, many);
    let awhile = many.vigil.limit(now);
    let result = if search.must_look {
        Ok(())
    } else {
        let asleep = Asleep(many, worker.index);
        let result = turn_asleep(context, driver, limit.into_iter().chain(awhile).min());
        std::mem::forget(asleep);
        result
    };
    search.counted = many.idle.wake_up(worker.index) == WokenBy::Notifier;
    let now = look_after_others(context, worker.index, many);
    let leaves = search.counted
        || !worker.queue.is_empty()
        || context.queued() > 0
        || !context.home.mailbox.is_empty();
    if many.vigil.wakes(awhile.is_some(), leaves, now) {
        many.watch();
    }
    result?;
    if context.has_surplus() {
        context.notify_one();
    }
    Ok(())
}

fn turn_asleep(
    context: &Context,
    driver: &mut dyn Driver,
    limit: Option<Duration>,
) -> io::Result<()> {
    context.counters.parks.add(1);
    context.counters.turns.add(1);
    context.forget_polls();
    driver.turn(limit)
}

/// Awake: has a look for those who have not taken their turn for long.
fn look_after_others(context: &Context, worker: usize, many: &Many) -> Micros {
    let now = many.vigil.now();
    many.vigil.runs(worker, now);
    let Some(look) = many.vigil.look(worker, now) else {
        return now;
    };
    let watchful = look.each(|other| {
        if let Some(deputy) = many.workers[other].deputy.get() {
            context.counters.looks.add(1);
            deputy.look();
        }
    });
    if watchful {
        many.watch();
    }
    now
}

/// A worker that `Idle` counts as asleep: counts it out if its turn panics, as
/// nobody may rely on it from then on.
struct Asleep<'a>(&'a Many, usize);

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        let Asleep(many, worker) = self;
        if many.idle.wake_up(*worker) == WokenBy::Notifier && many.idle.stop_search() {
            many.notify_one();
        }
    }
}

fn work_is_visible(context: &Context, many: &Many) -> bool {
    !context.shared.inject.is_empty()
        || many.workers.iter().any(|worker| !worker.stealer.is_empty())
}

/// Tries to take tasks from the other workers; true if it got one queued here.
fn steal(context: &Context, search: &mut Search) -> bool {
    let (Some(thief), Flavour::Many(many)) = (context.worker(), &context.shared.flavour) else {
        return false;
    };
    if !search.counted {
        search.counted = many.idle.start_search();
    }
    if !search.counted && !std::mem::take(&mut search.must_look) {
        return false;
    }
    // From the neighbour on, so that thieves do not all begin at worker 0.
    let (before, after) = many.workers.split_at(thief.index);
    let mut victims = after.iter().skip(1).chain(before);
    let Some(stolen) = victims.find_map(|victim| victim.stealer.steal_into(&thief.queue)) else {
        return false;
    };
    context.counters.steals.add(1);
    stop_searching(context, search);
    context.run(runnable(stolen));
    true
}

/// A searcher found something: the last one passes the search on, so that
/// work which was pushed while it searched is not left to it alone.
#[inline]
fn stop_searching(context: &Context, search: &mut Search) {
    if !search.counted {
        return;
    }
    search.counted = false;
    if let Flavour::Many(many) = &context.shared.flavour
        && many.idle.stop_search()
    {
        many.notify_one();
    }
}
