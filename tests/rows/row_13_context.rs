//! Values that go with the work: not inherited, and inherited.

use std::future::{pending, poll_fn};
use std::sync::{Arc, mpsc};
use std::task::Poll;

use wakeline::local::{AccessError, Locals};
use wakeline::{
    Handle, context_local, spawn, spawn_blocking, spawn_eager, spawn_local, task, task_local,
    yield_now,
};

use crate::{on_every_runtime, with_every_runtime};

task_local! {
    static TRANSACTION: u32;
    static HELD: Arc<()>;
}

context_local! {
    static REQUEST: u32 = 0;
    static TENANT: &'static str;
    static SHARED: Arc<()>;
}

/// What both variables say here.
fn both() -> (Result<u32, AccessError>, u32) {
    (TRANSACTION.try_get(), REQUEST.get())
}

/// Sends what both variables say where it is dropped.
struct Tells(mpsc::Sender<(Result<u32, AccessError>, u32)>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(both());
    }
}

#[test]
fn a_transaction_is_not_inherited_and_a_request_is() {
    on_every_runtime(|| async {
        TRANSACTION
            .scope(
                1,
                REQUEST.scope(2, async {
                    assert_eq!(both(), (Ok(1), 2));
                    let (none, request) = spawn(async { both() }).await.unwrap();
                    assert!(none.is_err());
                    assert_eq!(request, 2);
                    // Also on another thread, and after a suspension.
                    let grandchild = spawn(async {
                        yield_now().await;
                        spawn(async { REQUEST.get() }).await.unwrap()
                    });
                    assert_eq!(grandchild.await.unwrap(), 2);
                    assert_eq!(both(), (Ok(1), 2));
                }),
            )
            .await;
        assert!(TRANSACTION.try_get().is_err());
        assert_eq!(REQUEST.get(), 0);
    });
}

#[test]
fn a_child_keeps_the_snapshot_of_its_spawn() {
    on_every_runtime(|| async {
        let (go, gone) = wakeline::sync::oneshot::channel();
        let child = REQUEST.sync_scope(1, || {
            spawn(async move {
                gone.await.expect("sent");
                REQUEST.get()
            })
        });
        // The scope is over; another one is here.
        REQUEST
            .scope(2, async {
                go.send(()).expect("it waits");
                assert_eq!(child.await.unwrap(), 1);
                assert_eq!(REQUEST.get(), 2);
            })
            .await;
    });
}

#[test]
fn what_a_child_sets_stays_with_it() {
    on_every_runtime(|| async {
        REQUEST
            .scope(1, async {
                let child = spawn(REQUEST.scope(2, async {
                    yield_now().await;
                    (
                        REQUEST.get(),
                        TENANT.scope("acme", async { TENANT.get() }).await,
                    )
                }));
                let sibling = spawn(async {
                    yield_now().await;
                    REQUEST.get()
                });
                assert_eq!(child.await.unwrap(), (2, "acme"));
                assert_eq!(sibling.await.unwrap(), 1);
                assert_eq!(REQUEST.get(), 1);
                assert!(TENANT.try_get().is_err());
            })
            .await;
    });
}

#[test]
fn interleaved_tasks_each_see_their_own() {
    on_every_runtime(|| async {
        let tasks: Vec<_> = (1..=20)
            .map(|nth| {
                let work = async move {
                    for _ in 0..20 {
                        assert_eq!(both(), (Ok(nth), nth));
                        yield_now().await;
                    }
                };
                spawn(TRANSACTION.scope(nth, REQUEST.scope(nth, work)))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn destructors_see_both_on_abort_on_completion_and_unpolled() {
    on_every_runtime(|| async {
        for (polls, completes) in [(0, false), (1, false), (1, true)] {
            let (tell, told) = mpsc::channel();
            let tells = Tells(tell);
            let work = poll_fn(move |_| {
                let _ = &tells;
                if completes {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            let task = spawn(TRANSACTION.scope(1, REQUEST.scope(2, work)));
            for _ in 0..polls * 3 {
                yield_now().await;
            }
            task.abort();
            drop(task.await);
            assert_eq!(
                told.try_recv(),
                Ok((Ok(1), 2)),
                "{polls} polls, {completes}"
            );
        }
    });
}

#[test]
fn the_destructor_of_a_task_sees_what_the_task_inherited() {
    on_every_runtime(|| async {
        let (tell, told) = mpsc::channel();
        let aborted = Tells(tell.clone());
        let task = REQUEST.sync_scope(5, || {
            spawn(async move {
                let _aborted = aborted;
                pending::<()>().await
            })
        });
        yield_now().await;
        task.abort();
        drop(task.await);
        assert_eq!(told.try_recv().expect("dropped").1, 5);
        // The output of a detached task, too.
        let (go, gone) = wakeline::sync::oneshot::channel::<()>();
        let output = Tells(tell);
        drop(REQUEST.sync_scope(6, || {
            spawn(async move {
                let _ = gone.await;
                output
            })
        }));
        drop(go);
        loop {
            match told.try_recv() {
                Ok((_, request)) => return assert_eq!(request, 6),
                Err(_) => yield_now().await,
            }
        }
    });
}

#[test]
fn a_blocking_job_inherits_and_so_does_what_it_spawns() {
    on_every_runtime(|| async {
        let seen = TRANSACTION.scope(
            1,
            REQUEST.scope(2, async {
                spawn_blocking(|| {
                    let (none, request) = both();
                    assert!(none.is_err());
                    let inner = spawn(async { REQUEST.get() });
                    let inner = inner.blocking_join(None).expect("ended").unwrap();
                    let entered = Handle::current().block_on(async { REQUEST.get() });
                    (request, inner, entered)
                })
                .await
                .unwrap()
            }),
        );
        assert_eq!(seen.await, (2, 2, 2));
        let clean = spawn_blocking(|| REQUEST.get());
        assert_eq!(clean.await.unwrap(), 0, "a pool thread keeps nothing");
    });
}

#[test]
fn a_local_task_inherits_too() {
    with_every_runtime(|runtime| {
        let seen = runtime.block_on(REQUEST.scope(3, async {
            let not_send = std::rc::Rc::new(());
            let local = spawn_local(async move {
                yield_now().await;
                drop(not_send);
                REQUEST.get()
            });
            local.await.unwrap()
        }));
        assert_eq!(seen, 3);
    });
}

#[test]
fn a_block_on_sees_its_caller_and_the_tasks_beside_it_do_not() {
    with_every_runtime(|runtime| {
        let before = runtime.spawn(async {
            yield_now().await;
            REQUEST.get()
        });
        REQUEST.sync_scope(4, || {
            runtime.block_on(async {
                assert_eq!(REQUEST.get(), 4);
                assert_eq!(before.await.unwrap(), 0);
                assert_eq!(spawn(async { REQUEST.get() }).await.unwrap(), 4);
                assert_eq!(REQUEST.get(), 4);
            });
        });
        assert_eq!(REQUEST.get(), 0);
    });
}

#[test]
fn a_task_that_is_polled_where_it_is_spawned_sees_no_transaction_either() {
    on_every_runtime(|| async {
        let spawns = async {
            let eager = spawn_eager(async {
                let first = both();
                let own = TRANSACTION.sync_scope(3, both);
                yield_now().await;
                [first, own, both()]
            });
            assert_eq!(both(), (Ok(1), 2), "the spawner's own is as it was");
            let [first, own, second] = eager.await.unwrap();
            assert!(
                first.0.is_err() && second.0.is_err(),
                "{first:?} {second:?}"
            );
            assert_eq!((own, first.1, second.1), ((Ok(3), 2), 2, 2));
        };
        TRANSACTION.scope(1, REQUEST.scope(2, spawns)).await;
    });
}

#[test]
fn a_transaction_around_a_block_on_is_its_futures_and_no_tasks() {
    with_every_runtime(|runtime| {
        TRANSACTION.sync_scope(1, || {
            runtime.block_on(async {
                assert_eq!(TRANSACTION.get(), 1);
                assert!(
                    spawn(async { TRANSACTION.try_get() })
                        .await
                        .unwrap()
                        .is_err()
                );
                let local = spawn_local(async { TRANSACTION.try_get() });
                assert!(local.await.unwrap().is_err());
                // And of one on a thread of its own.
                let handle = Handle::current();
                let nested = spawn_blocking(move || {
                    TRANSACTION.sync_scope(2, || handle.block_on(async { TRANSACTION.get() }))
                });
                assert_eq!(nested.await.unwrap(), 2);
                assert_eq!(TRANSACTION.get(), 1);
            });
            assert_eq!(TRANSACTION.get(), 1);
        });
    });
}

#[test]
fn a_task_may_start_from_the_root_context() {
    on_every_runtime(|| async {
        REQUEST
            .scope(1, async {
                let root = task::Builder::new().context(Locals::empty());
                assert_eq!(root.spawn(async { REQUEST.get() }).await.unwrap(), 0);
                let here = task::Builder::new().context(Locals::current());
                assert_eq!(here.spawn(async { REQUEST.get() }).await.unwrap(), 1);
            })
            .await;
    });
}

#[test]
fn values_are_let_go_with_the_last_task_that_has_them() {
    on_every_runtime(|| async {
        let (value, held) = (Arc::new(()), Arc::new(()));
        let task = SHARED.sync_scope(Arc::clone(&value), || {
            let held = Arc::clone(&held);
            spawn(HELD.scope(held, async { yield_now().await }))
        });
        // Keeps the task's memory, not its values.
        let abort = task.abort_handle();
        task.await.unwrap();
        assert_eq!(
            Arc::strong_count(&value),
            1,
            "released before the handle resolves"
        );
        assert_eq!(Arc::strong_count(&held), 1);
        drop(abort);
    });
}

#[test]
fn a_task_has_not_ended_while_its_values_are_let_go() {
    /// Waits in its destructor until it is told to go on.
    struct Slow(mpsc::Sender<()>, std::sync::Mutex<mpsc::Receiver<()>>);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.send(()).expect("the test is there");
            self.1.lock().unwrap().recv().expect("the test is there");
        }
    }
    context_local! { static SLOW: Arc<Slow>; }
    with_every_runtime(|runtime| {
        let ((begins, begun), (go, gone)) = (mpsc::channel(), mpsc::channel());
        let slow = Arc::new(Slow(begins, std::sync::Mutex::new(gone)));
        let (end, may_end) = wakeline::sync::oneshot::channel();
        let task = SLOW.sync_scope(slow, || runtime.spawn(may_end));
        // From here on the value is the task's alone.
        let abort = task.abort_handle();
        let looks = std::thread::spawn(move || {
            begun.recv().expect("it is let go");
            let finished = abort.is_finished();
            go.send(()).expect("it waits");
            finished
        });
        end.send(()).expect("it waits");
        let ended = runtime.block_on(task).expect("no panic");
        ended.expect("it was sent");
        assert!(
            !looks.join().expect("no panic"),
            "its values are still there"
        );
    });
}

#[test]
fn a_panic_in_a_task_leaves_nothing_on_its_worker() {
    on_every_runtime(|| async {
        let task = spawn(TRANSACTION.scope(1, REQUEST.scope(2, async { panic!("in a scope") })));
        assert!(task.await.is_err());
        for _ in 0..4 {
            let clean = task::Builder::new()
                .context(Locals::empty())
                .spawn(async { both() });
            let (none, request) = clean.await.unwrap();
            assert!(none.is_err());
            assert_eq!(request, 0);
        }
    });
}

#[test]
fn a_value_whose_destructor_looks_at_the_values_finds_order() {
    struct Looks;
    impl Drop for Looks {
        fn drop(&mut self) {
            let _ = REQUEST.get();
            assert!(TRANSACTION.try_get().is_err());
        }
    }
    context_local! { static LOOKS: Arc<Looks>; }
    on_every_runtime(|| async {
        let task = LOOKS.sync_scope(Arc::new(Looks), || spawn(yield_now()));
        task.await.unwrap();
        LOOKS
            .scope(Arc::new(Looks), async { yield_now().await })
            .await;
    });
}

#[test]
fn the_callers_token_is_the_main_futures_and_no_tasks() {
    let in_force = || wakeline_context::current_token().is_some();
    with_every_runtime(|runtime| {
        let _token = wakeline_context::install_token(Some(Arc::new(1_u8)));
        let before = runtime.spawn(async move { in_force() });
        runtime.block_on(async {
            assert!(in_force());
            assert!(!before.await.unwrap());
            assert!(!spawn(async move { in_force() }).await.unwrap());
            assert!(!spawn_local(async move { in_force() }).await.unwrap());
            yield_now().await;
            assert!(in_force());
        });
        // Refused, so it is dropped here and now: not under the token either.
        struct Looks;
        impl Drop for Looks {
            fn drop(&mut self) {
                assert!(wakeline_context::current_token().is_none());
            }
        }
        let handle = runtime.handle();
        let looks = Looks;
        drop(runtime.spawn(async move {
            let _looks = looks;
            pending::<()>().await
        }));
        drop(runtime);
        let looks = Looks;
        let refused = handle.spawn(async move { drop(looks) });
        let error = refused
            .blocking_join(None)
            .expect("ended")
            .expect_err("refused");
        assert!(error.is_cancelled(), "{error}");
        assert!(in_force());
    });
}
