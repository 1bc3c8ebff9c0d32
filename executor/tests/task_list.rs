//! The list of tasks, looked at from another thread while tasks come and go: those that
//! are there all along are in each look, once, in the order of their spawns.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;

use wakeline_executor::task::Id;
use wakeline_executor::{Executor, Handle, JoinHandle, spawn, spawn_local, yield_now};

/// Several times what one look under the lock takes in.
const STAY: usize = if cfg!(miri) { 300 } else { 3_000 };
const PASS: usize = STAY / 3;
const BATCHES: usize = if cfg!(miri) { 2 } else { 50 };

/// Which of `0..len` comes next: all of them in an order that jumps.
fn scattered(len: usize) -> impl Iterator<Item = usize> {
    let step = (1..len)
        .rev()
        .find(|step| gcd(*step, len) == 1 && *step < len * 2 / 3);
    let step = step.expect("1 is one");
    (0..len).map(move |n| n * step % len)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// How many looks have begun, and whether there are to be more.
#[derive(Default)]
struct Looks {
    begun: AtomicUsize,
    enough: AtomicBool,
}

impl Looks {
    fn go_on(&self, handle: &Handle, stay: &[Id]) -> Result<(), String> {
        while !self.enough.load(Relaxed) {
            self.begun.fetch_add(1, Relaxed);
            let tasks = handle.tasks();
            let ids = tasks.iter().map(|task| task.id);
            let found: Vec<Id> = ids.filter(|id| stay.binary_search(id).is_ok()).collect();
            if found != stay {
                let missed = stay.iter().filter(|id| !found.contains(id)).count();
                let (found, stay) = (found.len(), stay.len());
                return Err(format!("{found} entries of {stay}, {missed} missed"));
            }
        }
        Ok(())
    }
}

/// Those that pass were there first, so those that stay move to their places while they
/// end: some of them in the middle of each look.
fn look_while_tasks_end(executor: &Executor, start: fn() -> JoinHandle<()>) {
    let looks = Arc::new(Looks::default());
    let looked = executor.block_on(async {
        let passing: Vec<_> = (0..PASS).map(|_| start()).collect();
        let staying: Vec<_> = (0..STAY).map(|_| start()).collect();
        let stay: Vec<Id> = staying.iter().map(JoinHandle::id).collect();
        let looker = thread::spawn({
            let (handle, looks) = (Handle::current(), Arc::clone(&looks));
            move || looks.go_on(&handle, &stay)
        });
        let mut seen = 0;
        for (ended, place) in scattered(PASS).enumerate() {
            passing[place].abort();
            if ended % (PASS / BATCHES) == 0 {
                while looks.begun.load(Relaxed) == seen && !looker.is_finished() {
                    yield_now().await;
                }
                seen = looks.begun.load(Relaxed);
            }
        }
        for task in passing {
            assert!(task.await.expect_err("it waits for ever").is_cancelled());
        }
        looks.enough.store(true, Relaxed);
        let looked = looker.join().expect("no panic");
        for task in staying {
            task.abort();
            assert!(task.await.is_err());
        }
        looked
    });
    assert_eq!(looked, Ok(()));
    assert_eq!(executor.handle().tasks().len(), 0);
}

#[test]
fn local_tasks_that_stay_are_in_each_look() {
    let executor = Executor::builder().workers(1).build().expect("an executor");
    look_while_tasks_end(&executor, || spawn_local(pending()));
}

#[test]
fn tasks_of_two_workers_that_stay_are_in_each_look() {
    let executor = Executor::builder().workers(2).build().expect("an executor");
    look_while_tasks_end(&executor, || spawn(pending()));
}

#[test]
fn a_list_is_empty_when_its_tasks_have_ended_in_any_order() {
    let executor = Executor::builder().workers(1).build().expect("an executor");
    let count = if cfg!(miri) { 20 } else { 100 };
    executor.block_on(async {
        let mut tasks: Vec<_> = (0..count)
            .map(|_| Some(spawn_local(pending::<()>())))
            .collect();
        for (gone, place) in scattered(count).enumerate() {
            let task = tasks[place].take().expect("each once");
            task.abort();
            assert!(task.await.is_err());
            let left: Vec<_> = tasks.iter().flatten().map(JoinHandle::id).collect();
            let listed: Vec<_> = Handle::current()
                .tasks()
                .iter()
                .map(|task| task.id)
                .collect();
            assert_eq!(listed, left, "after {} have gone", gone + 1);
        }
    });
}

#[test]
fn the_lists_of_threads_are_told_as_one_by_ids() {
    let executor = Executor::builder().workers(1).build().expect("an executor");
    executor.block_on(async {
        let here: Vec<_> = (0..3).map(|_| spawn_local(pending::<()>())).collect();
        let handle = Handle::current();
        let elsewhere = thread::spawn(move || handle.spawn(pending::<()>()));
        let elsewhere = elsewhere.join().expect("no panic");
        let last = spawn_local(pending::<()>());
        let tasks = here.iter().chain([&elsewhere, &last]);
        let mut ids: Vec<_> = tasks.map(JoinHandle::id).collect();
        ids.sort();
        let listed: Vec<_> = Handle::current()
            .tasks()
            .iter()
            .map(|task| task.id)
            .collect();
        assert_eq!(listed, ids);
    });
}
