//! A task's waker: a counted reference, as std's table of functions has it.

use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::task::{RawWaker, RawWakerVTable, Waker};

use wakeline_context::quietly;

use super::cell::Header;
use super::near::Near;
use super::refs::Task;
use super::running::is_running;
use super::state::Wake;
use crate::context;

static WAKER: RawWakerVTable = RawWakerVTable::new(clone_waker, wake, wake_by_ref, drop_waker);

/// A waker over a reference that the caller counted, or lends.
#[inline]
pub(super) fn waker(task: NonNull<Header>) -> Waker {
    // SAFETY: the functions below keep the contract of `RawWaker`: each waker
    // stands for one counted reference, and headers are thread-safe.
    unsafe { Waker::from_raw(RawWaker::new(task.as_ptr().cast_const().cast(), &WAKER)) }
}

/// Wakes whom `waker` stands for: mostly a task of this thread, whose wake is a push to
/// a queue. Any other runs foreign code: a waker's, a clock's, an interrupt's.
#[inline]
pub(super) fn wake_quietly(waker: Waker) {
    if !ptr::eq(waker.vtable(), &raw const WAKER) {
        return quietly(|| waker.wake());
    }
    let waker = ManuallyDrop::new(waker);
    // SAFETY: it is one of ours, and its reference is ours as it is not dropped.
    let task = unsafe { borrowed(waker.data()) };
    if task.header().life.at_home().is_some() {
        wake_with(task);
    } else {
        quietly(|| wake_with(task));
    }
}

/// # Safety
///
/// `data` is the data of a live waker of ours.
#[inline]
unsafe fn borrowed(data: *const ()) -> ManuallyDrop<Task> {
    // SAFETY: `waker` made it from a `NonNull`.
    ManuallyDrop::new(Task(unsafe {
        NonNull::new_unchecked(data.cast_mut().cast())
    }))
}

unsafe fn clone_waker(data: *const ()) -> RawWaker {
    // SAFETY: the waker that is being cloned lives.
    let task = unsafe { borrowed(data) };
    let task = Task::clone(&task);
    RawWaker::new(task.into_raw().as_ptr().cast_const().cast(), &WAKER)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: the waker lives until this returns, and its reference is ours.
    wake_with(unsafe { borrowed(data) });
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker lives during the call.
    let task = unsafe { borrowed(data) };
    wake_task(&task);
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the waker's reference is ours to release.
    drop(ManuallyDrop::into_inner(unsafe { borrowed(data) }));
}

/// As `wake_task`, and the reference is released.
#[inline(always)]
fn wake_with(task: ManuallyDrop<Task>) {
    let near = task.header().life.at_home();
    let Some(wake) = near.and_then(Near::wake_and_release) else {
        return wake_task(&ManuallyDrop::into_inner(task));
    };
    if wake == Wake::Enqueue && !context::push_at_home(&task) {
        // SAFETY: `Enqueue` made us the one who queues it, and until then it is not
        // run: so it is not complete, and the owned list has it.
        unsafe { (task.header().vtable.schedule)(task.0) }
    }
}

#[inline]
fn wake_task(task: &Task) {
    let header = task.header();
    let woken = match header.life.at_home() {
        // Past the scheduler, where that would do the same.
        Some(near) => near.wake() == Wake::Enqueue && !context::push_at_home(task),
        None => header.life.wake_away(|| is_running(task)) == Wake::Enqueue,
    };
    if woken {
        // SAFETY: `Enqueue` made us the one who queues it, and `task` is held.
        unsafe { (header.vtable.schedule)(task.0) }
    }
}
