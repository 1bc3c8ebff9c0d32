//! smol: a local executor, with async-channel and async-lock.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::rows::{DROPPED, Gone, OPS, Runtime, TASKS, far, give_way, noop, per_op, poll_and_drop};
use smol::lock::{Mutex, MutexGuard, Semaphore, SemaphoreGuard};
use smol::{LocalExecutor, Task, Timer, channel as chan};

thread_local! {
    static EXECUTOR: RefCell<Rc<LocalExecutor<'static>>> =
        RefCell::new(Rc::new(LocalExecutor::new()));
}

fn executor() -> Rc<LocalExecutor<'static>> {
    EXECUTOR.with_borrow(Rc::clone)
}

fn block_on<F: Future + 'static>(future: F) -> F::Output
where
    F::Output: 'static,
{
    let executor = executor();
    let root = executor.spawn(future);
    smol::block_on(executor.run(root))
}

fn spawn<F: Future + 'static>(future: F) -> Task<F::Output>
where
    F::Output: 'static,
{
    executor().spawn(future)
}

async fn join<T>(task: Task<T>) -> T {
    task.await
}

async fn abort<T>(task: Task<T>) {
    assert!(task.cancel().await.is_none());
}

fn channel<T>(capacity: usize) -> (chan::Sender<T>, chan::Receiver<T>) {
    chan::bounded(capacity)
}

async fn send<T>(to: &chan::Sender<T>, value: T) {
    assert!(to.send(value).await.is_ok());
}

async fn recv<T>(from: &mut chan::Receiver<T>) -> Option<T> {
    from.recv().await.ok()
}

/// It has no one-shot channel: a channel of one is what its users take.
fn oneshot<T>() -> (chan::Sender<T>, chan::Receiver<T>) {
    chan::bounded(1)
}

fn reply<T>(to: chan::Sender<T>, value: T) {
    assert!(to.try_send(value).is_ok());
}

async fn answer<T>(from: chan::Receiver<T>) -> T {
    from.recv().await.expect("a reply")
}

async fn acquire(semaphore: &Semaphore) -> SemaphoreGuard<'_> {
    semaphore.acquire().await
}

async fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().await
}

fn sleep(limit: Duration) -> Timer {
    Timer::after(limit)
}

async fn timeout<F: Future>(limit: Duration, future: F) -> F::Output {
    smol::future::or(async { Some(future.await) }, async {
        Timer::after(limit).await;
        None
    })
    .await
    .expect("it was ready")
}

task_rows!();
channel_rows!();
lock_rows!();
timer_rows!();
million_timers_row!();
abort_rows!();

async fn job<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    smol::unblock(job).await
}

static BOTH: smol::Executor<'static> = smol::Executor::new();

/// Its executor runs where it is told to: on this thread and on another one.
fn on_two<F: Future>(future: F) -> F::Output {
    let (over, is_over) = chan::bounded::<()>(1);
    std::thread::scope(|scope| {
        scope.spawn(|| smol::block_on(BOTH.run(is_over.recv())));
        let output = smol::block_on(BOTH.run(future));
        drop(over);
        output
    })
}

fn grow(node: crate::across::Node) -> impl Future<Output = u64> + Send {
    BOTH.spawn(node)
}

clock_rows!();
wake_rows!();
blocking_rows!();
tree_row!(tree, crate::across::Node, on_two, grow);
block_on_row!((), |_: &mut (), ready| smol::block_on(ready));

pub(crate) const RUNTIME: Runtime = Runtime {
    name: "smol",
    rows: table![
        spawn_join,
        spawn_all_join_all,
        abort_join,
        yields,
        ping_pong,
        one_shot_reply,
        one_to_one,
        eight_to_one,
        semaphore_10,
        mutex,
        timer_alone,
        timer_10k,
        timer_1m,
        timeout_ready,
        tree,
        thread_and_back,
        blocking_alone,
        blocking_thousand,
        block_on_ready,
        sleep_late,
        sleep_crowd,
    ],
};
