//! Which task runs here, and which there are.

use std::collections::HashSet;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;

use wakeline::{Handle, spawn, spawn_blocking, spawn_local, task, yield_now};
use wakeline_context::current_task;

use crate::{on_every_runtime, with_every_runtime};

fn here() -> Option<task::Id> {
    let id = task::try_current().map(|task| task.id());
    if let Some(id) = id {
        assert_eq!(current_task(), id.get(), "both tell the same");
    }
    id
}

#[test]
fn there_is_none_outside_of_a_task() {
    assert!(here().is_none());
    assert_eq!(current_task(), 0);
    with_every_runtime(|runtime| {
        assert!(here().is_none());
        // A `block_on` is no task, but it owns what it locks.
        let own = runtime.block_on(async {
            assert!(here().is_none());
            let own = current_task();
            yield_now().await;
            assert_eq!(current_task(), own);
            own
        });
        assert_ne!(own, 0);
        let another = runtime.block_on(async { current_task() });
        assert_ne!(own, another);
        assert_eq!(current_task(), 0);
    });
}

#[test]
#[should_panic(expected = "no task runs on this thread")]
fn current_panics_with_advice_outside() {
    let _ = task::current();
}

#[test]
fn it_is_right_across_interleaved_polls() {
    on_every_runtime(|| async {
        let own = here();
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                spawn(async {
                    let own = here();
                    for _ in 0..20 {
                        yield_now().await;
                        assert_eq!(here(), own);
                    }
                    own
                })
            })
            .collect();
        for task in tasks {
            let id = task.id();
            assert_eq!(task.await.unwrap(), Some(id));
            assert_eq!(here(), own);
        }
    });
}

#[test]
fn it_is_right_in_destructors_on_abort_and_on_completion() {
    struct Tells(mpsc::Sender<Option<task::Id>>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(here());
        }
    }
    on_every_runtime(|| async {
        let (tell, told) = mpsc::channel();
        let (aborted, completed, unpolled) = (tell.clone(), tell.clone(), tell);
        let tells = Tells(aborted);
        let task = spawn(async move {
            let _tells = tells;
            pending::<()>().await
        });
        let id = task.id();
        yield_now().await;
        task.abort();
        assert!(task.await.is_err());
        assert_eq!(told.try_recv(), Ok(Some(id)));

        let tells = Tells(completed);
        let task = spawn(async move { drop(tells) });
        let id = task.id();
        assert!(task.await.is_ok());
        assert_eq!(told.try_recv(), Ok(Some(id)));

        let tells = Tells(unpolled);
        let task = spawn(async move { drop(tells) });
        let id = task.id();
        task.abort();
        drop(task.await);
        assert_eq!(told.try_recv(), Ok(Some(id)));
    });
}

#[test]
fn a_blocking_job_has_an_id_of_its_own_also_when_nested() {
    on_every_runtime(|| async {
        let outer = here();
        let job = spawn_blocking(|| {
            let own = here().expect("a job is a task");
            let nested = spawn_blocking(|| here().expect("a job is a task"));
            let nested_id = nested.id();
            assert_eq!(
                nested.blocking_join(None).expect("ended").unwrap(),
                nested_id
            );
            assert_eq!(here(), Some(own));
            own
        });
        let id = job.id();
        assert_ne!(Some(id), outer);
        assert_eq!(job.await.unwrap(), id);
    });
}

#[test]
fn a_block_on_inside_of_a_job_hides_it_and_brings_it_back() {
    on_every_runtime(|| async {
        let job = spawn_blocking(|| {
            let own = here();
            Handle::current().block_on(async {
                assert!(here().is_none(), "the future of a `block_on` is no task");
                assert_ne!(current_task(), 0);
                let local = spawn_local(async { here() });
                let id = local.id();
                assert_eq!(local.await.unwrap(), Some(id));
                assert!(here().is_none());
            });
            assert_eq!(here(), own);
        });
        job.await.unwrap();
    });
}

#[test]
fn a_panic_does_not_leave_a_task_behind() {
    with_every_runtime(|runtime| {
        assert!(
            runtime
                .block_on(runtime.spawn(async { panic!("gone") }))
                .is_err()
        );
        assert!(here().is_none());
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async { panic!("gone") });
        }));
        assert!(caught.is_err());
        assert_eq!(current_task(), 0);
    });
}

#[test]
fn the_future_of_a_block_on_is_dropped_under_its_own_id() {
    struct Tells(mpsc::Sender<u64>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(current_task());
        }
    }
    with_every_runtime(|runtime| {
        let (tell, told) = mpsc::channel();
        let tells = Tells(tell);
        let own = runtime.block_on(poll_fn(move |_| {
            let _ = &tells;
            Poll::Ready(current_task())
        }));
        assert_eq!(told.try_recv(), Ok(own));
    });
}

#[test]
fn the_list_has_every_task_that_has_not_ended_and_no_other() {
    with_every_runtime(|runtime| {
        runtime.block_on(async {
            let handle = Handle::current();
            let (go, gone) = wakeline::sync::oneshot::channel::<()>();
            let waits = task::Builder::new().name("waits").spawn(gone);
            let ends = spawn(async {});
            let ended = ends.id();
            ends.await.unwrap();
            let mut listed: Vec<_> = handle.tasks();
            while listed
                .iter()
                .any(|one| one.state != task::TaskState::Idle && one.id == waits.id())
            {
                yield_now().await;
                listed = handle.tasks();
            }
            assert_eq!(listed.len(), 1);
            assert_eq!(
                (listed[0].id, listed[0].name.as_deref()),
                (waits.id(), Some("waits"))
            );
            assert!(listed.iter().all(|task| task.id != ended));
            assert!(listed[0].to_string().contains("waits for"), "{}", listed[0]);
            drop(go);
            drop(waits.await);
            assert!(handle.tasks().is_empty());
        });
    });
}

#[test]
fn no_id_is_used_again() {
    on_every_runtime(|| async {
        let mut seen = HashSet::new();
        let kept = spawn(pending::<()>());
        seen.insert(kept.id());
        for _ in 0..500 {
            let task = spawn(async {});
            assert!(seen.insert(task.id()));
            task.await.unwrap();
            assert!(seen.insert(spawn_blocking(|| ()).id()));
        }
        kept.abort();
    });
}

#[test]
fn a_future_polled_by_two_tasks_is_in_the_one_that_polls() {
    on_every_runtime(|| async {
        let mut seen = Vec::new();
        {
            let mut future = pin!(async {
                let first = here();
                yield_now().await;
                (first, here())
            });
            assert!(poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await);
            seen.push(future.await);
        }
        assert_eq!(seen, [(here(), here())]);
    });
}
