//! glommio: a local executor and its local channels and locks.
//!
//! No row of a million timers: it panics there (task references are counted in
//! an `AtomicI16`). It has no one-shot channel and no mutex of its own kind.

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::rows::{DROPPED, Gone, OPS, Runtime, TASKS, far, give_way, noop, per_op, poll_and_drop};
use glommio::channels::local_channel as chan;
use glommio::sync::{Permit, Semaphore as Semaphore64};
use glommio::timer::Timer;
use glommio::{LocalExecutorBuilder, Placement, Task};

fn block_on<F: Future + 'static>(future: F) -> F::Output
where
    F::Output: 'static,
{
    let executor = LocalExecutorBuilder::new(Placement::Unbound)
        .make()
        .expect("an executor");
    executor.run(async { glommio::spawn_local(future).await })
}

fn spawn<F: Future + 'static>(future: F) -> Task<F::Output>
where
    F::Output: 'static,
{
    glommio::spawn_local(future)
}

/// Its only spawn, which is that of the other rows as well.
fn eager<F: Future + 'static>(future: F) -> Task<F::Output>
where
    F::Output: 'static,
{
    spawn(future)
}

async fn join<T>(task: Task<T>) -> T {
    task.await
}

async fn abort<T>(task: Task<T>) {
    assert!(task.cancel().await.is_none());
}

type Tx<T> = Rc<chan::LocalSender<T>>;

fn channel<T>(capacity: usize) -> (Tx<T>, chan::LocalReceiver<T>) {
    let (to, from) = chan::new_bounded(capacity);
    (Rc::new(to), from)
}

async fn send<T>(to: &Tx<T>, value: T) {
    assert!(to.send(value).await.is_ok());
}

async fn recv<T>(from: &mut chan::LocalReceiver<T>) -> Option<T> {
    from.recv().await
}

fn oneshot<T>() -> (chan::LocalSender<T>, chan::LocalReceiver<T>) {
    chan::new_bounded(1)
}

fn reply<T>(to: chan::LocalSender<T>, value: T) {
    assert!(to.try_send(value).is_ok());
}

async fn answer<T>(from: chan::LocalReceiver<T>) -> T {
    from.recv().await.expect("a reply")
}

struct Semaphore(Semaphore64);

impl Semaphore {
    fn new(permits: usize) -> Semaphore {
        Semaphore(Semaphore64::new(permits as u64))
    }
}

async fn acquire(semaphore: &Semaphore) -> Permit<'_> {
    semaphore.0.acquire_permit(1).await.expect("it is open")
}

/// A cell behind a semaphore of one.
struct Mutex {
    semaphore: Semaphore,
    value: std::cell::Cell<u64>,
}

impl Mutex {
    fn new(value: u64) -> Mutex {
        Mutex {
            semaphore: Semaphore::new(1),
            value: std::cell::Cell::new(value),
        }
    }
}

struct Guard<'a> {
    mutex: &'a Mutex,
    value: u64,
    _permit: Permit<'a>,
}

impl std::ops::Deref for Guard<'_> {
    type Target = u64;
    fn deref(&self) -> &u64 {
        &self.value
    }
}

impl std::ops::DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut u64 {
        &mut self.value
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.mutex.value.set(self.value);
    }
}

async fn lock(mutex: &Mutex) -> Guard<'_> {
    let permit = acquire(&mutex.semaphore).await;
    Guard {
        mutex,
        value: mutex.value.get(),
        _permit: permit,
    }
}

fn sleep(limit: Duration) -> Timer {
    Timer::new(limit)
}

async fn timeout<F: Future>(limit: Duration, future: F) -> F::Output {
    let result = glommio::timer::timeout(limit, async {
        Ok::<_, glommio::GlommioError<()>>(future.await)
    });
    result.await.expect("it was ready")
}

task_rows!();
channel_rows!();
lock_rows!();
timer_rows!();
abort_rows!();
eager_rows!();

async fn job<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    glommio::executor().spawn_blocking(job).await
}

fn grow(node: crate::across::LocalNode) -> impl Future<Output = u64> {
    glommio::spawn_local(node)
}

clock_rows!();
wake_rows!();
blocking_rows!();
tree_row!(tree, crate::across::LocalNode, block_on, grow);
block_on_row!(
    LocalExecutorBuilder::new(Placement::Unbound)
        .make()
        .expect("an executor"),
    |executor: &mut glommio::LocalExecutor, ready| executor.run(ready)
);

pub(crate) const RUNTIME: Runtime = Runtime {
    name: "glommio",
    rows: table![
        spawn_join,
        eager_join,
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
        timeout_ready,
        tree,
        eager_tree,
        thread_and_back,
        blocking_alone,
        blocking_thousand,
        block_on_ready,
        sleep_late,
        sleep_crowd,
    ],
};
