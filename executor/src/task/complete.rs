//! The end of a task: the output in the future's place, the handle told.
//!
//! ```text
//!   future dropped ─▶ output in its place ─▶ values dropped
//!     ─┬─ stealable: COMPLETE ─▶ handle woken ─▶ out of the list
//!      └─ local: out of the list ─▶ COMPLETE ─▶ handle woken
//! ```
//!
//! A local task says COMPLETE last, as the same operation gives up the list's
//! reference. Where there is no handle, the output is dropped among the values.

use std::future::Future;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::task::Waker;

use wakeline_context::{Locals, quietly};

use super::cell::{Cell, Header, Stage};
use super::life::Life;
use super::near::Finished;
use super::raw::{Schedule, cell, free, subject};
use super::run::panic_of;
use super::running::Entered;
use super::waker::wake_quietly;
use super::{Id, JoinError, Task};
use crate::debug::error_in;
use crate::trace::Tracer;

/// Puts the output in the future's place, tells the handle, lets the task go.
///
/// It takes no reference to the task, since the task may be freed in here.
///
/// # Safety
///
/// `task` is a `Cell<F, S>`; the caller has set RUNNING, and touches the task no more.
#[inline(never)]
pub(super) unsafe fn complete<F: Future + 'static, S: Schedule>(
    task: NonNull<Header>,
    mut result: Result<F::Output, JoinError>,
    entered: Entered,
) {
    // SAFETY: the vtable's types; alive through the owned list until the end.
    let cell = unsafe { cell::<F, S>(task) };
    let header = &cell.header;
    // First the future, so that a handle never resolves before it is gone. A
    // panic of its destructor is the task's panic; the output goes with it.
    let dropped = if mem::needs_drop::<F>() {
        let stage = cell.stage.get();
        // SAFETY: RUNNING is this thread's, and so the stage, where there is nothing
        // to drop any more from the next line on.
        let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { ptr::drop_in_place(stage) }));
        // SAFETY: as above.
        unsafe { stage.write(Stage::Consumed) };
        dropped
    } else {
        Ok(())
    };
    if let Err(payload) = dropped {
        let unseen = mem::replace(
            &mut result,
            Err(panic_of(header, cell.scheduler.runtime(), payload)),
        );
        quietly(|| drop(unseen));
    }
    let tracer = tracer(cell);
    if let Some((trace, id)) = tracer {
        trace.ended(id, &result);
    }
    // SAFETY: the stage is this thread's. Nothing has to be dropped there: the future
    // is gone, or of a kind that has nothing to drop.
    unsafe { cell.stage.get().write(Stage::Output(result)) };
    header.waiting.clear();
    match header.life.local() {
        // SAFETY: RUNNING is this thread's; nothing of the task is touched after it.
        Some(_) => unsafe { end_local::<F, S>(task, entered, tracer) },
        // SAFETY: as above.
        None => unsafe { end_stealable::<F, S>(task, entered) },
    }
}

/// The handle is gone: the runtime is told of a failure, and the output dropped.
///
/// # Safety
///
/// The stage is the caller's.
#[inline(never)]
unsafe fn drop_unread<F: Future + 'static, S: Schedule>(cell: &Cell<F, S>) {
    // SAFETY: the caller's, by the contract; the borrow ends with the line.
    tell_of_failure(cell, unsafe { &*cell.stage.get() });
    // SAFETY: as above.
    quietly(|| unsafe { *cell.stage.get() = Stage::Consumed });
}

/// The same when the task's values have been let go already: it is among new ones.
///
/// # Safety
///
/// As [`drop_unread`], of a task that lives.
unsafe fn drop_unread_late<F: Future + 'static, S: Schedule>(task: NonNull<Header>) {
    // SAFETY: the vtable's types; it lives, by the contract.
    let cell = unsafe { cell::<F, S>(task) };
    // SAFETY: the right to the task's end is the caller's.
    let entered = unsafe { Entered::new(task) };
    // SAFETY: the caller's, by the contract.
    unsafe { drop_unread(cell) };
    entered.leave();
    // SAFETY: they are this thread's until the task is let go.
    drop_locals(unsafe { mem::take(&mut *cell.header.locals.get()) });
}

/// The rest of `complete`: its contract, with the output in the stage.
unsafe fn end_stealable<F: Future + 'static, S: Schedule>(task: NonNull<Header>, entered: Entered) {
    // SAFETY: the vtable's types; alive through the owned list until the end.
    let cell = unsafe { cell::<F, S>(task) };
    let header = &cell.header;
    let Life::Stealable(state, _) = &header.life else {
        unreachable!("the caller has looked")
    };
    let leave = |entered: Entered| {
        entered.leave();
        // SAFETY: they are this thread's until the task is let go, below.
        drop_locals(unsafe { mem::take(&mut *header.locals.get()) });
    };
    let mut entered = Some(entered);
    if state.has_handle() {
        // Whoever finds the task complete must not find its values alive.
        entered.take().into_iter().for_each(leave);
    }
    let finished = state.finish();
    if finished.drop_output {
        // Among the values, unless the handle went just now.
        // SAFETY: the right to the task's end is this thread's.
        let entered = entered.unwrap_or_else(|| unsafe { Entered::new(task) });
        // SAFETY: no handle any more, so the stage is this thread's.
        unsafe { drop_unread(cell) };
        leave(entered);
    }
    if finished.wake_join {
        // SAFETY: `finish` saw JOIN_WAKER, so the slot is this thread's.
        let waker = unsafe { (*header.join_waker.get()).take() };
        wake_join(tracer(cell), waker);
    }
    let owned = cell.scheduler.disown(header);
    // The last reference, perhaps: nothing of the task is borrowed here.
    drop(owned);
}

/// The same for a local task. All of it comes before `finish`, with which the
/// list's reference goes: so that is the only atomic operation. This thread's context
/// keeps the runtime alive, and so its tracer, also when the task is gone.
#[inline(always)]
unsafe fn end_local<F: Future + 'static, S: Schedule>(
    task: NonNull<Header>,
    entered: Entered,
    tracer: Option<(&Tracer, Id)>,
) {
    // SAFETY: the vtable's types; alive through the owned list until `finish`.
    let cell = unsafe { cell::<F, S>(task) };
    let header = &cell.header;
    let Life::Local(local) = &header.life else {
        unreachable!("the caller has looked")
    };
    let mut output_dropped = !local.near.has_handle();
    if output_dropped {
        // SAFETY: no handle any more, so the stage is this thread's.
        unsafe { drop_unread(cell) };
    }
    // From here on they are in the header again.
    entered.leave();
    // SAFETY: they are this thread's until the task is let go, below.
    if !unsafe { &*header.locals.get() }.is_empty() {
        // SAFETY: as above.
        output_dropped |= unsafe { drop_values::<F, S>(task, output_dropped) };
    }
    // Out of the list while it is this thread's: nobody comes to it through that.
    let owned = cell.scheduler.disown(header);
    // No foreign code from here to `finish`.
    let waker = local.near.take_join_waker().then(|| {
        // SAFETY: before the end, at home; the handle is not in its `offer`.
        unsafe { (*header.join_waker.get()).take() }
    });
    let finished = local.near.finish(owned.is_some(), output_dropped);
    let owned = owned.map(ManuallyDrop::new);
    if finished != Finished::Released {
        // SAFETY: the list's reference is in `owned`, or still counted.
        unsafe { end_unreleased::<F, S>(task, finished, owned, tracer) };
    }
    wake_join(tracer, waker.flatten());
}

/// Drops the values of a local task that this thread has left; true if the handle went
/// with them, and the output after it.
///
/// # Safety
///
/// As [`drop_unread`], of a task that lives and is local.
#[inline(never)]
unsafe fn drop_values<F: Future + 'static, S: Schedule>(
    task: NonNull<Header>,
    output_dropped: bool,
) -> bool {
    // SAFETY: the vtable's types; it lives, by the contract.
    let header = &unsafe { cell::<F, S>(task) }.header;
    let local = header.life.local().expect("the caller has looked");
    // SAFETY: they are this thread's until the task is let go.
    drop_locals(unsafe { mem::take(&mut *header.locals.get()) });
    let went = !output_dropped && !local.near.has_handle();
    if went {
        // SAFETY: no handle any more, so the stage is this thread's.
        unsafe { drop_unread_late::<F, S>(task) };
    }
    went
}

/// What there is to do if `finish` has not let go of the list's reference.
///
/// # Safety
///
/// `finish` gave `finished`, and `owned` is what the list gave back; the caller touches
/// the task no more.
#[inline(never)]
unsafe fn end_unreleased<F: Future + 'static, S: Schedule>(
    task: NonNull<Header>,
    finished: Finished,
    owned: Option<ManuallyDrop<Task>>,
    tracer: Option<(&Tracer, Id)>,
) {
    let rest = match finished {
        Finished::Released => return,
        // SAFETY: nobody else has a reference, and this one is used up.
        Finished::Last => return unsafe { free::<F, S>(task) },
        Finished::Kept(rest) => rest,
    };
    // SAFETY: the vtable's types; `owned`, or who took it off the list, keeps it.
    let cell = unsafe { cell::<F, S>(task) };
    if rest.drop_output {
        // SAFETY: the handle went away before the end, with the output there.
        unsafe { drop_unread_late::<F, S>(task) };
    }
    if rest.wake_join {
        let local = cell.header.life.local().expect("the caller has looked");
        // SAFETY: `finish` saw JOIN_WAKER, so the slot is this thread's.
        wake_join(tracer, unsafe { (*local.away_slot.get()).take() });
    }
    match owned.map(ManuallyDrop::into_inner) {
        Some(owned) if rest.in_mailbox => cell.scheduler.keep(owned),
        owned => drop(owned),
    }
}

#[inline]
fn drop_locals(locals: Locals) {
    if !locals.is_empty() {
        quietly(|| drop(locals));
    }
}

/// Who is to write down what the end of this task wakes, if anybody is.
#[inline(always)]
fn tracer<F: Future + 'static, S: Schedule>(cell: &Cell<F, S>) -> Option<(&Tracer, Id)> {
    let trace = cell.scheduler.runtime().trace.as_deref();
    trace.map(|trace| (trace, cell.header.id))
}

/// The task has ended: whoever waits for it is told.
#[inline(always)]
fn wake_join(tracer: Option<(&Tracer, Id)>, waker: Option<Waker>) {
    #[cold]
    #[inline(never)]
    fn traced(trace: &Tracer, id: Id, waker: Waker) {
        let _ending = trace.tells_of_end(id);
        quietly(|| waker.wake());
    }
    if let Some(waker) = waker {
        match tracer {
            None => wake_quietly(waker),
            Some((trace, id)) => traced(trace, id, waker),
        }
    }
}

/// The output is dropped unread: if it is a panic, the runtime is told; in debug
/// mode also of the errors that can be recognised.
pub(super) fn tell_of_failure<F: Future + 'static, S: Schedule>(
    cell: &Cell<F, S>,
    stage: &Stage<F>,
) {
    let Stage::Output(output) = stage else {
        return;
    };
    let (header, runtime) = (&cell.header, cell.scheduler.runtime());
    match output {
        Err(error) if error.is_cancelled() => {}
        Err(error) if let Some(witness) = error.witness() => witness.tell(error),
        other => {
            let Some(debug) = &runtime.debug else {
                return;
            };
            quietly(|| {
                let message = match other {
                    Ok(output) => error_in(output),
                    Err(refused) => Some(refused.to_string()),
                };
                if let Some(message) = message {
                    debug.unobserved(subject(header), message);
                }
            });
        }
    }
}
