//! A task whose first poll is done by who spawns it.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::Location;
use std::rc::Rc;
use std::task::Poll;

use wakeline_context::{Kind, task_local, waiting_on};
use wakeline_executor::{Executor, Handle, spawn_eager, spawn_local, task, yield_now};

fn block_on<F: Future>(future: F) -> F::Output {
    let executor = Executor::builder().workers(1).build();
    executor.expect("an executor").block_on(future)
}

#[test]
fn it_runs_up_to_its_first_wait_before_the_call_returns() {
    block_on(async {
        let said = Rc::new(RefCell::new(Vec::new()));
        let say = |what| said.borrow_mut().push(what);
        let queued = spawn_local({
            let said = Rc::clone(&said);
            async move { said.borrow_mut().push("queued") }
        });
        let eager = spawn_eager({
            let said = Rc::clone(&said);
            async move {
                said.borrow_mut().push("first");
                yield_now().await;
                said.borrow_mut().push("rest");
            }
        });
        say("spawned");
        assert!(!eager.is_finished());
        eager.await.expect("no panic");
        queued.await.expect("no panic");
        assert_eq!(*said.borrow(), ["first", "spawned", "queued", "rest"]);
    });
}

#[test]
fn one_that_does_not_wait_has_ended_and_is_joined_without_a_wait() {
    block_on(async {
        let handle = spawn_eager(async { 7 });
        assert!(handle.is_finished());
        let mut handle = handle;
        poll_fn(|cx| {
            let joined = std::pin::Pin::new(&mut handle).poll(cx);
            assert!(matches!(joined, Poll::Ready(Ok(7))));
            Poll::Ready(())
        })
        .await;
    });
}

#[test]
fn who_spawns_waits_for_what_it_said_before_also_without_a_limit() {
    block_on(async {
        let waits = |free: bool| async move {
            let parent = poll_fn(|_| {
                waiting_on(Kind::Read, 7, Location::caller());
                drop(spawn_eager(yield_now()));
                Poll::Pending::<()>
            });
            if free {
                task::unconstrained(parent).await;
            } else {
                parent.await;
            }
        };
        for free in [false, true] {
            let parent = spawn_local(waits(free));
            yield_now().await;
            let tasks = Handle::current().tasks();
            let parent = tasks.into_iter().find(|task| task.id == parent.id());
            let waits = parent.and_then(|task| task.waiting_on);
            assert_eq!(waits.map(|on| on.id), Some(7), "unconstrained: {free}");
        }
    });
}

#[test]
fn who_spawns_is_the_running_task_again_afterwards() {
    block_on(async {
        let outer = spawn_local(async {
            let before = task::current().id();
            let inner = spawn_eager(async { task::current().id() });
            assert_eq!(task::current().id(), before);
            assert_ne!(inner.await.expect("no panic"), before);
        });
        outer.await.expect("no panic");
    });
}

#[test]
fn what_was_lent_to_who_spawns_it_does_not_see() {
    task_local! { static NUMBER: u32; }
    block_on(NUMBER.scope(7, async {
        let child = spawn_eager(async {
            let before = NUMBER.try_get().is_ok();
            NUMBER.sync_scope(8, || assert_eq!(NUMBER.get(), 8));
            before
        });
        assert_eq!(NUMBER.get(), 7);
        assert!(!child.await.expect("no panic"));
    }));
}

#[test]
fn a_panic_of_it_is_its_handles_and_the_spawner_goes_on() {
    block_on(async {
        let error = spawn_eager(async { panic!("the first poll") });
        assert!(error.is_finished());
        assert!(error.await.expect_err("it panicked").is_panic());
    });
}

#[test]
fn who_spawns_is_woken_by_it_and_it_by_who_spawns() {
    block_on(async {
        let turn = Rc::new(Cell::new(0));
        let child = spawn_eager({
            let turn = Rc::clone(&turn);
            async move {
                while turn.get() < 100 {
                    turn.set(turn.get() + 1);
                    yield_now().await;
                }
            }
        });
        while turn.get() < 50 {
            yield_now().await;
        }
        child.await.expect("no panic");
        assert_eq!(turn.get(), 100);
    });
}

#[test]
fn each_level_may_spawn_the_next() {
    fn level(depth: u32) -> std::pin::Pin<Box<dyn Future<Output = u32>>> {
        Box::pin(async move {
            match depth {
                0 => 0,
                _ => 1 + spawn_eager(level(depth - 1)).await.expect("no panic"),
            }
        })
    }
    assert_eq!(block_on(level(50)), 50);
}

#[test]
fn it_is_aborted_and_its_future_dropped_where_it_runs() {
    block_on(async {
        let kept = Rc::new(());
        let handle = spawn_eager({
            let kept = Rc::clone(&kept);
            async move {
                let _kept = kept;
                pending::<()>().await;
            }
        });
        handle.abort();
        assert_eq!(Rc::strong_count(&kept), 2, "not inside of the abort");
        assert!(handle.await.expect_err("aborted").is_cancelled());
        assert_eq!(Rc::strong_count(&kept), 1);
    });
}

#[test]
fn of_an_executor_that_ends_it_is_cancelled_unpolled() {
    struct AtTheEnd(Rc<Cell<Option<bool>>>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            let handle = spawn_eager(async { unreachable!("it is too late") });
            self.0.set(Some(handle.is_finished()));
        }
    }
    let ended = Rc::new(Cell::new(None));
    block_on(async {
        let at_the_end = AtTheEnd(Rc::clone(&ended));
        drop(spawn_local(async move {
            let _at_the_end = at_the_end;
            pending::<()>().await;
        }));
        yield_now().await;
    });
    assert_eq!(ended.get(), Some(true));
}

/// Who yields goes on when all that were ready have run: polls that were in no queue
/// do not count.
#[test]
fn a_yield_behind_tasks_that_spawn_in_this_way_waits_for_all_of_them() {
    const SPAWNED: usize = if cfg!(miri) { 70 } else { 200 };
    block_on(async {
        let ran = Rc::new(Cell::new(0));
        for _ in 0..SPAWNED {
            let ran = Rc::clone(&ran);
            drop(spawn_local(async move {
                if ran.get() == 0 {
                    (0..SPAWNED).for_each(|_| drop(spawn_eager(async {})));
                }
                ran.set(ran.get() + 1);
            }));
        }
        yield_now().await;
        assert_eq!(ran.get(), SPAWNED);
    });
}

#[test]
#[should_panic(expected = "call it inside `block_on` or a task")]
fn outside_of_an_executor_there_is_nobody_to_run_it() {
    drop(spawn_eager(async {}));
}
