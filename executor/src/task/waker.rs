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
    let waker = ManuallyDrop::new(waker);
    let wake = at_home(&waker).and_then(|(task, near)| Some((task, near.wake_and_release()?)));
    match wake {
        Some((task, wake)) => queue_at_home(&task, &wake),
        None => elsewhere(ManuallyDrop::into_inner(waker)),
    }

    #[inline(never)]
    fn elsewhere(waker: Waker) {
        quietly(|| waker.wake());
    }
}

/// As a clone, of a task of this thread that has not ended, where that is a count and no
/// call; else nothing.
#[inline]
pub(super) fn clone_at_home(waker: &Waker) -> Option<Waker> {
    let (task, near) = at_home(waker)?;
    near.retain_unended().then(|| self::waker(task.0))
}

/// Whom `waker` stands for, if that is a task whose home is this thread's.
#[inline]
fn at_home(waker: &Waker) -> Option<(ManuallyDrop<Task>, &Near)> {
    if !ptr::eq(waker.vtable(), &raw const WAKER) {
        return None;
    }
    // SAFETY: one of ours, which lives.
    let task = unsafe { borrowed(waker.data()) };
    // SAFETY: the waker's reference keeps it as long as that is borrowed.
    let near = unsafe { task.0.as_ref() }.life.at_home()?;
    Some((task, near))
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
    match near.and_then(Near::wake_and_release) {
        Some(wake) => queue_at_home(&task, &wake),
        None => wake_task(&ManuallyDrop::into_inner(task)),
    }
}

/// Sees to a task of this thread that was woken.
#[inline(always)]
fn queue_at_home(task: &Task, wake: &Wake) {
    if *wake == Wake::Enqueue && !context::push_at_home(task) {
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
