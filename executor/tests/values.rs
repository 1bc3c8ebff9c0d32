//! The values that a task inherits: they go with its end, on the thread that ends it,
//! before anybody learns of that end, whatever their destructors do.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use wakeline_context::{Key, Locals};
use wakeline_executor::task::Builder;
use wakeline_executor::{Executor, JoinHandle, spawn, yield_now};

static VALUE: Key = Key::new();

/// Does something when it is dropped.
struct OnDrop(Option<Box<dyn FnOnce() + Send + Sync>>);

impl OnDrop {
    fn new(f: impl FnOnce() + Send + Sync + 'static) -> OnDrop {
        OnDrop(Some(Box::new(f)))
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(|f| f());
    }
}

/// How a task is started whose only value this is, with this as its output.
type Start = fn(OnDrop, OnDrop) -> JoinHandle<OnDrop>;

fn local(value: OnDrop, output: OnDrop) -> JoinHandle<OnDrop> {
    let values = Locals::empty().with(&VALUE, value);
    Builder::new().context(values).spawn_local(async { output })
}

fn stealable(value: OnDrop, output: OnDrop) -> JoinHandle<OnDrop> {
    let values = Locals::empty().with(&VALUE, value);
    Builder::new().context(values).spawn(async { output })
}

/// Local and stealable tasks, one worker and two.
fn on_each(test: impl AsyncFn(Start)) {
    for workers in [1, 2] {
        let executor = Executor::builder().workers(workers).build();
        let executor = executor.expect("an executor");
        for start in [local as Start, stealable] {
            executor.block_on(test(start));
        }
    }
}

fn nothing() -> OnDrop {
    OnDrop(None)
}

/// Lets the others run until it is so, or it is clear that it will not be.
async fn comes_true(it: impl Fn() -> bool) -> bool {
    for _ in 0..1_000_000 {
        if it() {
            return true;
        }
        yield_now().await;
    }
    false
}

#[test]
fn they_are_gone_when_a_join_resolves_though_something_has_the_task() {
    on_each(async |start| {
        let gone = Arc::new(AtomicBool::new(false));
        let value = OnDrop::new({
            let gone = Arc::clone(&gone);
            move || gone.store(true, Relaxed)
        });
        let task = start(value, nothing());
        let holds = task.abort_handle();
        drop(task.await.expect("it ends"));
        assert!(gone.load(Relaxed));
        drop(holds);
    });
}

#[test]
fn a_task_whose_handle_is_among_them_ends_like_any_other() {
    on_each(async |start| {
        let slot = Arc::new(Mutex::new(None));
        let left: Weak<_> = Arc::downgrade(&slot);
        let value = OnDrop::new({
            let slot = Arc::clone(&slot);
            move || drop(slot)
        });
        let task = start(value, nothing());
        *slot.lock().unwrap() = Some(task);
        drop(slot);
        assert!(comes_true(|| left.strong_count() == 0).await);
    });
}

#[test]
fn a_destructor_that_panics_is_nobody_elses_panic() {
    on_each(async |start| {
        let value = OnDrop::new(|| panic!("a value's"));
        assert!(start(value, nothing()).await.is_ok());
    });
}

#[test]
fn a_destructor_may_have_the_handle_dropped_on_another_thread() {
    on_each(async |start| {
        let (gone, slot) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let output = OnDrop::new({
            let gone = Arc::clone(&gone);
            move || gone.store(true, Relaxed)
        });
        let value = OnDrop::new({
            let slot = Arc::clone(&slot);
            move || {
                let dropped = thread::spawn(move || drop(slot.lock().unwrap().take()));
                dropped.join().expect("no panic");
            }
        });
        // Held, so that the values cannot go before the handle is where it belongs.
        {
            let mut place = slot.lock().unwrap();
            *place = Some(start(value, output));
        }
        let dropped = comes_true(|| gone.load(Relaxed)).await;
        assert!(dropped, "nobody is left to take the output");
    });
}

wakeline_context::context_local! {
    static MARK: Arc<()>;
    static NUMBER: u32;
}

/// So many tasks, each spawned by the one before inside of scopes of its own; the last
/// counts who has the mark, which is the value in each of them.
fn chain(left: u32, mark: Arc<()>, counted: Arc<AtomicUsize>) {
    if left == 0 {
        counted.store(Arc::strong_count(&mark), Relaxed);
        return;
    }
    drop(spawn(async move {
        let next = {
            let mark = Arc::clone(&mark);
            async move { chain(left - 1, mark, counted) }
        };
        MARK.scope(mark, NUMBER.scope(left, next)).await;
    }));
}

#[test]
fn a_chain_of_tasks_keeps_one_value_of_each_variable() {
    let executor = Executor::builder().workers(1).build();
    let executor = executor.expect("an executor");
    executor.block_on(async {
        let counted = Arc::new(AtomicUsize::new(0));
        // Under an interpreter a step takes its time.
        let tasks = if cfg!(miri) { 15 } else { 1_000 };
        chain(tasks, Arc::new(()), Arc::clone(&counted));
        assert!(comes_true(|| counted.load(Relaxed) != 0).await);
        let counted = counted.load(Relaxed);
        assert!(counted < 10, "{counted} of {tasks} are still kept");
    });
}
