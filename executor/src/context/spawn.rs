//! The tasks that a thread makes for itself: local ones, and all of an only worker.

use std::future::Future;

use super::{Kind, with};
use crate::home::{Count, Local};
use crate::shared::{Order, Shared, cancel};
use crate::task::{self, JoinHandle, Origin, Runnable, Task};

/// Of code that a thread runs in its context.
const STAYS: &str = "a thread does not leave its context in a spawn or a poll";

/// Spawns a task that stays on this thread.
#[track_caller]
#[inline(always)]
pub(crate) fn spawn_local<F>(future: F, origin: impl FnOnce() -> Origin) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let (owned, handle, runnable) = new_local(future, origin);
    queue_new(owned, runnable);
    // SAFETY: `handle` is the handle's reference of a task with this output.
    unsafe { JoinHandle::new(handle) }
}

/// The same, and polls it at once, inside of what this thread polls already.
#[track_caller]
#[inline(always)]
pub(crate) fn spawn_eager<F>(future: F, origin: impl FnOnce() -> Origin) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let (owned, handle, runnable) = new_local(future, origin);
    let listed = with(|current| current.expect(STAYS).home.owned.insert(owned));
    match listed {
        Ok(()) => run_inside(runnable),
        Err(task) => cancel(&task, runnable),
    }
    // SAFETY: `handle` is the handle's reference of a task with this output.
    unsafe { JoinHandle::new(handle) }
}

/// A local task's scheduler, if this thread is the only worker of an executor that
/// is the wanted one.
#[inline(always)]
pub(crate) fn only(is_wanted: impl FnOnce(&Shared) -> bool) -> Option<Local> {
    with(|current| {
        let current = current.filter(|current| matches!(current.kind, Kind::Only))?;
        is_wanted(&current.shared).then(|| current.place.local())
    })
}

/// A count of this thread's place, if it is one of several workers of an executor
/// that is the wanted one.
#[inline]
pub(crate) fn worker(is_wanted: impl FnOnce(&Shared) -> bool) -> Option<Count> {
    with(|current| {
        let current = current.filter(|current| matches!(current.kind, Kind::Worker(_)))?;
        is_wanted(&current.shared).then(|| current.place.count())
    })
}

/// Queues a new task that any worker may run, on this one.
#[inline]
pub(crate) fn queue_stealable(owned: Task, runnable: Runnable) {
    let refused = with(|current| {
        let current = current.expect(STAYS);
        if let Err(task) = current.shared.owned.insert(owned) {
            return Some((task, runnable));
        }
        current.push_stealable(runnable, Order::Spawned);
        None
    });
    if let Some((task, runnable)) = refused {
        cancel(&task, runnable);
    }
}

/// Queues a new task of this thread, which is at its home.
#[inline(always)]
pub(crate) fn queue_new(owned: Task, runnable: Runnable) {
    let refused = with(|current| current.expect(STAYS).adopt(owned, runnable));
    if let Some((task, runnable)) = refused {
        cancel(&task, runnable);
    }
}

/// Runs a task inside of what this thread polls.
#[inline]
fn run_inside(runnable: Runnable) {
    let again = runnable.run_caught();
    with(|current| {
        let current = current.expect(STAYS);
        current.count_eager();
        if let Some(again) = again {
            current.push_local(again);
        }
    });
}

/// Makes a task of this thread. Not inside of `with`: a recorder's clock is asked.
#[track_caller]
#[inline(always)]
fn new_local<F: Future + 'static>(
    future: F,
    origin: impl FnOnce() -> Origin,
) -> (Task, Task, Runnable) {
    let local = with(|current| current.map(|current| current.place.local()));
    let local = local
        .expect("a local task needs a thread that runs tasks: call it inside `block_on` or a task");
    task::new(future, local, origin)
}
