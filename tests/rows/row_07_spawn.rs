//! Spawned tasks: they run by themselves, and keep what they made.

use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::Duration;

use wakeline::{spawn, spawn_local, task, yield_now};

use crate::support::for_each_backend;
use crate::{on_every_runtime, with_every_runtime};

#[test]
fn a_task_runs_though_nobody_joins_it() {
    on_every_runtime(|| async {
        let ran = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&ran);
        drop(spawn(async move {
            yield_now().await;
            theirs.store(true, SeqCst);
        }));
        while !ran.load(SeqCst) {
            yield_now().await;
        }
    });
}

#[test]
fn a_spawn_queues_and_never_polls_at_once() {
    for_each_backend(|backend| {
        backend.runtime(1).block_on(async {
            let ran = Arc::new(AtomicBool::new(false));
            let theirs = Arc::clone(&ran);
            let task = spawn(async move { theirs.store(true, SeqCst) });
            assert!(!ran.load(SeqCst), "the spawner has not suspended yet");
            task.await.expect("no panic");
            assert!(ran.load(SeqCst));
        });
    });
}

#[test]
fn the_runtime_holds_a_task_whose_wakers_are_all_gone() {
    with_every_runtime(|runtime| {
        let (dropped, is_dropped) = mpsc::channel::<()>();
        drop(runtime.spawn(async move {
            let _dropped = dropped;
            // It keeps no waker, so nobody but the runtime knows it.
            pending::<()>().await
        }));
        runtime.block_on(async {
            for _ in 0..5 {
                yield_now().await;
            }
        });
        assert_eq!(is_dropped.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(runtime);
        assert_eq!(
            is_dropped.recv(),
            Err(mpsc::RecvError),
            "dropped by the end"
        );
    });
}

#[test]
fn ids_are_unique_and_grow_on_one_thread() {
    with_every_runtime(|runtime| {
        let mut ids: Vec<_> = (0..1_000).map(|_| runtime.spawn(async {}).id()).collect();
        assert!(ids.is_sorted(), "ids of one spawner grow");
        let handle = runtime.handle();
        let others = thread::spawn(move || {
            (0..1_000)
                .map(|_| handle.spawn(async {}).id())
                .collect::<Vec<_>>()
        });
        ids.extend(others.join().expect("no panic"));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 2_000, "an id was used twice");
    });
}

#[test]
fn a_name_is_given_and_shown_and_without_one_the_id_tells_tasks_apart() {
    on_every_runtime(|| async {
        let named = task::Builder::new()
            .name("fetch")
            .spawn(async { task::current().name().map(str::to_owned) });
        assert_eq!(named.name(), Some("fetch"));
        assert_eq!(named.await.unwrap().as_deref(), Some("fetch"));
        let nameless = spawn(pending::<()>());
        let id = nameless.id();
        assert_eq!(nameless.name(), None);
        nameless.abort();
        let error = nameless.await.expect_err("aborted");
        assert!(
            error.to_string().starts_with(&format!("task {id} was")),
            "{error}"
        );
    });
}

/// Says which task and thread dropped it.
struct Output(mpsc::Sender<(Option<task::Id>, ThreadId)>);

impl Drop for Output {
    fn drop(&mut self) {
        let id = task::try_current().map(|task| task.id());
        let _ = self.0.send((id, thread::current().id()));
    }
}

#[test]
fn the_output_of_a_detached_task_is_dropped_where_it_ran_and_inside_of_it() {
    with_every_runtime(|runtime| {
        let (tell, told) = mpsc::channel();
        let (go, gone) = wakeline::sync::oneshot::channel::<()>();
        let place = Arc::new(Mutex::new(None));
        let ran_on = Arc::clone(&place);
        let task = runtime.spawn(async move {
            let _ = gone.await;
            *ran_on.lock().unwrap() = Some(thread::current().id());
            Output(tell)
        });
        let id = task.id();
        drop(task);
        drop(go);
        while place.lock().unwrap().is_none() {
            runtime.block_on(yield_now());
        }
        let (dropped_in, dropped_on) = told.recv().expect("it is dropped");
        assert_eq!(dropped_in, Some(id));
        assert_eq!(Some(dropped_on), *place.lock().unwrap());
    });
}

#[test]
fn the_output_is_kept_until_the_handle_is_dropped() {
    with_every_runtime(|runtime| {
        let (tell, told) = mpsc::channel();
        let task = runtime.spawn(async move { Output(tell) });
        while !task.is_finished() {
            runtime.block_on(yield_now());
        }
        assert!(told.try_recv().is_err(), "it waits for its handle");
        let here = thread::spawn(move || {
            drop(task);
            thread::current().id()
        });
        let here = here.join().expect("no panic");
        assert_eq!(told.recv(), Ok((None, here)));
    });
}

#[test]
fn a_local_task_stays_on_its_thread() {
    with_every_runtime(|runtime| {
        let counter = Rc::new(AtomicUsize::new(0));
        let home = thread::current().id();
        runtime.block_on(async {
            let tasks: Vec<_> = (0..10)
                .map(|_| {
                    let counter = Rc::clone(&counter);
                    spawn_local(async move {
                        for _ in 0..5 {
                            yield_now().await;
                            assert_eq!(thread::current().id(), home);
                        }
                        counter.fetch_add(1, SeqCst);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(counter.load(SeqCst), 10);
    });
}

#[test]
fn abort_on_drop_binds_the_task_to_its_handle() {
    on_every_runtime(|| async {
        let (dropped, is_dropped) = wakeline::sync::oneshot::channel::<()>();
        let task = spawn(async move {
            let _dropped = dropped;
            pending::<()>().await
        });
        drop(task.abort_on_drop());
        assert!(is_dropped.await.is_err(), "its captures are gone");
    });
}

#[test]
fn a_task_may_spawn_from_its_last_poll_and_from_its_destructor() {
    struct Spawns(Option<wakeline::sync::oneshot::Sender<u8>>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let sender = self.0.take().expect("dropped once");
            drop(spawn(async move { sender.send(9) }));
        }
    }
    on_every_runtime(|| async {
        let (sender, receiver) = wakeline::sync::oneshot::channel();
        let spawns = Spawns(Some(sender));
        drop(spawn(poll_fn(move |_| {
            let _ = &spawns;
            Poll::Ready(())
        })));
        assert_eq!(receiver.await, Ok(9));
    });
}

#[test]
fn a_task_whose_runtime_sleeps_is_woken_by_the_spawn() {
    with_every_runtime(|runtime| {
        // Twice: the second time all workers have been asleep for a while.
        for _ in 0..2 {
            let task = runtime.spawn(async { 1 });
            assert_eq!(runtime.block_on(task).unwrap(), 1);
            runtime.block_on(wakeline::time::sleep(Duration::from_millis(2)));
        }
    });
}
