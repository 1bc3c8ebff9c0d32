//! A waker whose every step calls what the test has set on its thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{RawWaker, RawWakerVTable, Waker};

/// How often each step ran, on any thread, since the hook was set.
#[derive(Default)]
struct Counts {
    clone: AtomicUsize,
    wake: AtomicUsize,
    drop: AtomicUsize,
}

/// What a waker and its clones point to.
struct Shared(Arc<Counts>);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Fired {
    pub(crate) clone: usize,
    pub(crate) wake: usize,
    pub(crate) drop: usize,
}

type Hook = Rc<dyn Fn()>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    static RUNNING: Cell<bool> = const { Cell::new(false) };
    /// Shared with the wakers of this test's thread.
    static COUNTS: Mutex<Arc<Counts>> = Mutex::default();
}

pub(crate) struct Unhook;

impl Drop for Unhook {
    fn drop(&mut self) {
        HOOK.take();
    }
}

/// From now on each step of a waker of this thread calls `hook`, unless one of
/// them does already.
pub(crate) fn on_every_hook(hook: impl Fn() + 'static) -> Unhook {
    HOOK.set(Some(Rc::new(hook)));
    Unhook
}

fn counts() -> Arc<Counts> {
    COUNTS.with(|counts| Arc::clone(&counts.lock().unwrap()))
}

pub(crate) fn fired() -> Fired {
    let counts = counts();
    Fired {
        clone: counts.clone.load(SeqCst),
        wake: counts.wake.load(SeqCst),
        drop: counts.drop.load(SeqCst),
    }
}

/// A hook that runs; it may end by a panic.
struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(false);
    }
}

fn step(count: &AtomicUsize) {
    count.fetch_add(1, SeqCst);
    let hook = HOOK.with_borrow(Clone::clone);
    if let Some(hook) = hook
        && !RUNNING.replace(true)
    {
        let _running = Running;
        hook();
    }
}

pub(crate) fn hooked() -> Waker {
    // One allocation a waker: no two of them are the same, for `will_wake`.
    let data = Arc::into_raw(Arc::new(Shared(counts()))).cast();
    // SAFETY: the table below owns one count of an `Arc` in each waker, and the
    // counts are atomic; the hook belongs to the thread that set it.
    unsafe { Waker::from_raw(RawWaker::new(data, &TABLE)) }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_one);

fn look(data: *const ()) -> Arc<Shared> {
    let data = data.cast::<Shared>();
    // SAFETY: `data` is from `Arc::into_raw`, and the waker has a count of it.
    unsafe { Arc::increment_strong_count(data) };
    // SAFETY: the count that was just added is this one's.
    unsafe { Arc::from_raw(data) }
}

fn clone(data: *const ()) -> RawWaker {
    let shared = look(data);
    step(&shared.0.clone);
    RawWaker::new(Arc::into_raw(shared).cast(), &TABLE)
}

fn wake(data: *const ()) {
    wake_by_ref(data);
    drop_one(data);
}

fn wake_by_ref(data: *const ()) {
    step(&look(data).0.wake);
}

fn drop_one(data: *const ()) {
    let shared = look(data);
    // SAFETY: the waker that goes had a count, and nobody uses it any more.
    unsafe { Arc::decrement_strong_count(data.cast::<Shared>()) };
    step(&shared.0.drop);
}
