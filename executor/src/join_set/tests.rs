//! Models of a set: one task that ends, against what its owner does meanwhile.
//!
//! A task here is its `State` and the slot for the waker, as in `task/cell.rs`;
//! the list is the real one.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use wakeline_sync::ready_list::{Key, ReadyList};

use super::entries::watch;
use crate::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use crate::sync::{Lock, model, thread};
use crate::task::state::{State, Wake as StateWake};

/// Counts its wakes.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// What the executor keeps of a task that is being polled.
struct Task {
    state: State,
    join_waker: Lock<Option<Waker>>,
}

impl Task {
    fn running() -> Arc<Task> {
        let state = State::new();
        let _ = state.start();
        Arc::new(Task {
            state,
            join_waker: Lock::default(),
        })
    }

    /// As `JoinHandle::offer`.
    fn offer(&self, waker: &Waker) -> bool {
        if self.state.reclaim_join_waker().is_err() {
            return false;
        }
        *self.join_waker.lock() = Some(waker.clone());
        self.state.offer_join_waker().is_ok()
    }

    /// As the end of a run; whether it is left to drop the output.
    fn finish(&self) -> bool {
        let finished = self.state.finish();
        if finished.wake_join {
            let waker = self.join_waker.lock().take();
            waker.expect("it was offered").wake();
        }
        finished.drop_output
    }
}

fn owner() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (Arc::clone(&count), Waker::from(count))
}

#[test]
fn loom_a_task_that_ends_while_it_is_inserted_is_found() {
    model(|| {
        let task = Task::running();
        let mut ready = ReadyList::new();
        let end = thread::spawn({
            let task = Arc::clone(&task);
            move || task.finish()
        });
        let key = Key::new(0, 1);
        let _signal = watch(&ready, key, |waker| task.offer(waker));
        end.join().unwrap();
        // Once: by its end, or by the one who came too late to be told.
        assert_eq!(ready.try_pop(), Some(key));
        assert_eq!(ready.try_pop(), None);
    });
}

#[test]
fn loom_a_task_that_ends_while_it_is_waited_for_wakes_the_owner() {
    model(|| {
        let task = Task::running();
        let mut ready = ReadyList::new();
        let key = Key::new(0, 1);
        let _signal = watch(&ready, key, |waker| task.offer(waker));
        let end = thread::spawn({
            let task = Arc::clone(&task);
            move || task.finish()
        });
        let (count, waker) = owner();
        ready.begin();
        let found = ready.poll_pop(&mut Context::from_waker(&waker)).is_ready();
        end.join().unwrap();
        if !found {
            assert_eq!(count.0.load(SeqCst), 1, "nobody told the owner");
            assert_eq!(ready.try_pop(), Some(key));
        }
        assert_eq!(ready.try_pop(), None);
    });
}

#[test]
fn loom_an_abort_that_meets_the_end_gives_one_result() {
    model(|| {
        let task = Task::running();
        let mut ready = ReadyList::new();
        let key = Key::new(0, 1);
        let _signal = watch(&ready, key, |waker| task.offer(waker));
        let end = thread::spawn({
            let task = Arc::clone(&task);
            move || task.finish()
        });
        // What `abort_all` does. The task completes in this very run, so there is
        // nothing to queue and nothing to drop.
        assert_eq!(task.state.abort(), StateWake::Nothing);
        end.join().unwrap();
        assert_eq!(ready.try_pop(), Some(key));
        assert_eq!(ready.try_pop(), None);
    });
}

#[test]
fn loom_a_set_that_goes_while_a_task_ends_leaves_nothing_behind() {
    model(|| {
        let task = Task::running();
        let mut ready = ReadyList::new();
        let signal = watch(&ready, Key::new(0, 1), |waker| task.offer(waker));
        let (count, waker) = owner();
        ready.begin();
        let polled = ready.poll_pop(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        drop(waker);
        let end = thread::spawn({
            let task = Arc::clone(&task);
            move || task.finish()
        });
        // What dropping the set does: its tasks, then the list.
        let detached = task.state.detach();
        if detached.drop_waker {
            let waker = task.join_waker.lock().take();
            drop(waker);
        }
        drop((signal, ready));
        // One of the two drops the output, and neither keeps a waker.
        assert_ne!(end.join().unwrap(), detached.drop_output);
        assert!(task.join_waker.lock().is_none());
        assert_eq!(Arc::strong_count(&count), 1);
    });
}
