//! Small scenes in which one thread gives away what another may free at once.
//!
//! Short, as they are for Miri with many seeds: see `.ci/miri`.

use std::future::{pending, poll_fn};
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;

use wakeline_executor::{Executor, spawn, spawn_blocking, spawn_local, yield_now};

/// Under Miri the seeds make the rounds.
const ROUNDS: usize = if cfg!(miri) { 1 } else { 100 };

fn executor(workers: usize) -> Executor {
    let executor = Executor::builder().workers(workers).build();
    executor.expect("an executor")
}

/// Pending once; its waker goes to another thread.
async fn wait_for(wakers: mpsc::Sender<Waker>) {
    let mut sent = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut sent, true) {
            return Poll::Ready(());
        }
        let _ = wakers.send(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

#[test]
fn a_task_is_run_to_its_end_and_freed_while_another_thread_leaves_its_poll() {
    for _ in 0..ROUNDS {
        let executor = executor(2);
        let (wakers, wakes) = mpsc::channel();
        let waking = thread::spawn(move || wakes.into_iter().for_each(Waker::wake));
        drop(executor.spawn(wait_for(wakers)));
        waking.join().expect("no panic");
    }
}

#[test]
fn a_local_task_is_woken_and_let_go_by_another_thread_while_it_ends() {
    let executor = executor(1);
    let (wakers, wakes) = mpsc::channel::<Waker>();
    let waking = thread::spawn(move || {
        for waker in wakes {
            waker.wake_by_ref();
            waker.wake();
        }
    });
    executor.block_on(async {
        for _ in 0..ROUNDS {
            drop(spawn_local(wait_for(wakers.clone())));
            spawn(wait_for(wakers.clone())).await.expect("no panic");
        }
    });
    drop(wakers);
    drop(executor);
    waking.join().expect("no panic");
}

async fn wait_then_for_ever(wakers: mpsc::Sender<Waker>) {
    wait_for(wakers).await;
    pending::<()>().await;
}

#[test]
fn wakers_outlive_the_executor_and_wake_after_it() {
    for workers in [1, 2] {
        let executor = executor(workers);
        let (wakers, wakes) = mpsc::channel::<Waker>();
        let (ended, end) = mpsc::channel();
        let waking = thread::spawn(move || {
            let wakers: Vec<_> = wakes.into_iter().collect();
            let (before, after) = wakers.split_at(1);
            before.iter().for_each(Waker::wake_by_ref);
            end.recv().expect("it is sent");
            after.iter().for_each(Waker::wake_by_ref);
            drop(wakers);
        });
        executor.block_on(async {
            for _ in 0..2 {
                drop(spawn_local(wait_then_for_ever(wakers.clone())));
                drop(spawn(wait_then_for_ever(wakers.clone())));
            }
            yield_now().await;
        });
        drop(wakers);
        drop(executor);
        ended.send(()).expect("it waits");
        waking.join().expect("no panic");
    }
}

#[test]
fn an_executor_is_dropped_while_its_jobs_end_and_wake() {
    for workers in [1, 2] {
        let executor = executor(workers);
        let (go, gone) = mpsc::channel::<()>();
        let (told, tells) = mpsc::channel::<u8>();
        executor.block_on(async {
            let job = spawn_blocking(move || {
                let _ = gone.recv();
                let _ = told.send(7);
            });
            drop(spawn_local(async { drop(job.await) }));
            yield_now().await;
        });
        drop(go);
        drop(executor);
        // It had begun and ends now, or it is not run at all.
        assert!(tells.into_iter().count() <= 1);
    }
}
