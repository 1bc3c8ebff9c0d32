//! Scopes: all or nothing is left running, and nothing that went wrong is lost.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::task::Poll;
use std::time::Duration;

use crate::support::{deny::deny, for_each_backend};
use crate::{on_every_runtime, with_every_runtime};
use wakeline::cancel::Cause;
use wakeline::sync::{Event, oneshot};
use wakeline::time::{sleep, timeout};
use wakeline::{
    CancelToken, ChildError, FutureExt, OnPanic, Scope, ScopeError, checkpoint, current_deadline,
    current_token, scope, scope_local, spawn, spawn_blocking, spawn_eager, task, yield_now,
};

type Plain<T> = Result<T, ScopeError<&'static str>>;

/// Counts its drops.
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn new() -> (Arc<AtomicUsize>, impl Fn() -> Drops) {
        let count = Arc::new(AtomicUsize::new(0));
        let made = Arc::clone(&count);
        (count, move || Drops(Arc::clone(&made)))
    }
}

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn errors<T: std::fmt::Debug>(result: Plain<T>) -> Vec<&'static str> {
    match result {
        Err(ScopeError::Failed(errors)) => errors.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_leaves_only_when_the_body_and_all_children_have_ended() {
    on_every_runtime(|| async {
        let log = Mutex::new(Vec::new());
        let result: Plain<&str> = scope(|s| {
            let log = &log;
            async move {
                for n in [3, 1, 2] {
                    s.spawn(async move {
                        sleep(Duration::from_millis(1)).await;
                        // Each waits for the one before.
                        while log.lock().unwrap().len() < n - 1 {
                            yield_now().await;
                        }
                        log.lock().unwrap().push(n);
                        Ok(())
                    });
                }
                Ok("body")
            }
        })
        .await;
        assert_eq!(result.unwrap(), "body");
        assert_eq!(*log.lock().unwrap(), [1, 2, 3]);
    });
}

#[test]
fn an_empty_scope_gives_its_value_and_a_dropped_one_runs_nothing() {
    on_every_runtime(|| async {
        assert_eq!(scope(|_| async { Ok::<_, ()>(7) }).await.unwrap(), 7);
        let (drops, captured) = Drops::new();
        let captured = captured();
        drop(scope::<(), (), _, _>(|s| {
            s.spawn::<(), _>(async { panic!("never polled") });
            async move {
                let _captured = captured;
                panic!("never polled")
            }
        }));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn the_first_failure_cancels_siblings_and_body() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let token = Arc::new(Mutex::new(None));
        let result: Plain<()> = scope(|s| {
            let token = Arc::clone(&token);
            async move {
                *token.lock().unwrap() = Some(s.token());
                for _ in 0..3 {
                    let captured = captured();
                    s.spawn(async move {
                        let _captured = captured;
                        pending::<Result<(), _>>().await
                    });
                }
                s.spawn(async {
                    yield_now().await;
                    Err::<(), _>("first")
                });
                let _body = captured();
                pending().await
            }
        })
        .await;
        assert_eq!(errors(result), ["first"]);
        assert_eq!(drops.load(Ordering::SeqCst), 4);
        let reason = token.lock().unwrap().take().unwrap().reason().unwrap();
        assert_eq!(reason.cause(), Cause::Sibling);
    });
}

#[test]
fn a_failing_body_cancels_the_children_and_its_error_is_first() {
    on_every_runtime(|| async {
        let go = Event::new();
        let result: Plain<()> = scope(|s| {
            let go = &go;
            async move {
                s.spawn(async move {
                    go.wait().await;
                    Err::<(), _>("child")
                });
                s.spawn(pending::<Result<(), _>>());
                yield_now().await;
                go.set();
                Err("body")
            }
        })
        .await;
        assert_eq!(errors(result), ["body", "child"]);
    });
}

#[test]
fn errors_while_being_cancelled_are_added() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            for name in ["one", "two"] {
                s.spawn(async move {
                    current_token().cancelled().await;
                    Err::<(), _>(name)
                });
            }
            yield_now().await;
            Err("body")
        })
        .await;
        assert_eq!(errors(result), ["body", "one", "two"]);
    });
}

#[test]
fn an_external_cancel_is_reported_with_its_reason_and_a_failure_wins_over_it() {
    on_every_runtime(|| async {
        for fails in [false, true] {
            let token = CancelToken::new();
            let cancel = token.clone();
            let work = scope(|s| async move {
                s.spawn(async move {
                    current_token().cancelled().await;
                    if fails {
                        Err("while cancelled")
                    } else {
                        Ok(())
                    }
                });
                s.spawn(async move {
                    yield_now().await;
                    cancel.cancel("from outside");
                    Ok(())
                });
                pending::<Result<(), _>>().await
            });
            match work.with_token(token).await {
                Err(ScopeError::Failed(errors)) if fails => {
                    assert_eq!(errors.reason().unwrap().text(), "from outside");
                    assert_eq!(errors.into_iter().collect::<Vec<_>>(), ["while cancelled"]);
                }
                Err(ScopeError::Cancelled(reason)) if !fails => {
                    assert_eq!(reason.text(), "from outside");
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_child_cancelled_by_itself_does_not_fail_the_group() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let result: Plain<u8> = scope(|s| async move {
            let captured = captured();
            let child = s.spawn::<(), _>(async move {
                let _captured = captured;
                pending().await
            });
            let task = s.spawn_task::<(), _>(pending());
            let other = s.spawn(async {
                sleep(Duration::from_millis(1)).await;
                Ok(3)
            });
            yield_now().await;
            child.abort();
            task.abort();
            assert!(matches!(child.await, Err(ChildError::Cancelled(_))));
            assert!(matches!(task.await, Err(ChildError::Cancelled(_))));
            Ok(other.await.expect("it goes on"))
        })
        .await;
        assert_eq!(result.unwrap(), 3);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn cancelling_from_inside_is_no_failure() {
    on_every_runtime(|| async {
        // The body has its value by then: it counts.
        let result: Plain<u8> = scope(|s| async move {
            s.spawn(pending::<Result<(), _>>());
            s.cancel("enough");
            Ok(5)
        })
        .await;
        assert_eq!(result.unwrap(), 5);
        // A child says that it is enough, long after the body.
        let result: Plain<u8> = scope(|s| async move {
            s.spawn(pending::<Result<(), _>>());
            let scope = s.clone();
            s.spawn(async move {
                sleep(Duration::from_millis(1)).await;
                assert!(scope.cancel("enough"));
                assert!(!scope.cancel("twice"));
                pending::<Result<(), _>>().await
            });
            Ok(6)
        })
        .await;
        assert_eq!(result.unwrap(), 6);
        // There is no value.
        let result: Plain<u8> = scope(|s| async move {
            s.cancel("enough");
            pending().await
        })
        .await;
        assert!(matches!(result, Err(ScopeError::Cancelled(why)) if why.text() == "enough"));
    });
}

#[test]
fn children_spawn_siblings_while_the_group_waits_and_finished_ones_are_freed() {
    on_every_runtime(|| async {
        fn grow(
            s: Scope<'_, &'static str>,
            left: u32,
            alive: Arc<AtomicUsize>,
            most: Arc<AtomicUsize>,
        ) {
            let again = s.clone();
            let captured = Arc::clone(&alive);
            let now = alive.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            let count = Drops(Arc::new(AtomicUsize::new(0)));
            s.spawn(async move {
                yield_now().await;
                drop(count);
                captured.fetch_sub(1, Ordering::SeqCst);
                if left > 0 {
                    grow(again, left - 1, alive, most);
                }
                Ok(())
            });
        }
        let most = Arc::new(AtomicUsize::new(0));
        let alive = Arc::new(AtomicUsize::new(0));
        let result: Plain<()> = scope(|s| {
            grow(s, 2_000, Arc::clone(&alive), Arc::clone(&most));
            async { Ok(()) }
        })
        .await;
        result.unwrap();
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        assert_eq!(most.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_finished_child_is_dropped_while_its_siblings_run() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let result: Plain<()> = scope(|s| async move {
            for n in 0..100 {
                let captured = captured();
                let child = s.spawn(async move {
                    let _captured = captured;
                    Ok(())
                });
                child.await.unwrap();
                assert_eq!(drops.load(Ordering::SeqCst), n + 1);
            }
            Ok(())
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn nested_scopes_nest_their_errors() {
    on_every_runtime(|| async {
        let result: Result<(), ScopeError<String>> = scope(|s| async move {
            s.spawn(async {
                let inner: Plain<()> = scope(|t| async move {
                    t.spawn(async { Err::<(), _>("a") });
                    Err("b")
                })
                .await;
                inner.map_err(|error| error.to_string())
            });
            Ok(())
        })
        .await;
        let Err(ScopeError::Failed(errors)) = result else {
            panic!()
        };
        assert_eq!(errors.to_string(), "2 failures: b; a");
    });
}

#[test]
fn of_scopes_cancelled_together_the_outermost_reports() {
    on_every_runtime(|| async {
        // The outer deadline: the inner scope says nothing, else its error would
        // make the outer one fail.
        let result: Result<(), ScopeError<String>> = scope(|_| async {
            let middle: Result<(), ScopeError<String>> = scope(|_| async {
                let inner: Plain<()> = scope(|_| pending()).await;
                inner.map_err(|error| error.to_string())
            })
            .await;
            middle.map_err(|error| error.to_string())
        })
        .timeout(Duration::from_millis(2))
        .await;
        assert!(matches!(result, Err(ScopeError::Elapsed)), "{result:?}");
    });
}

#[test]
fn an_inner_deadline_is_reported_by_the_inner_scope_only() {
    on_every_runtime(|| async {
        let result: Plain<u8> = scope(|_| async {
            let inner: Plain<()> = scope(|_| pending()).timeout(Duration::from_millis(1)).await;
            assert!(inner.unwrap_err().is_elapsed());
            assert!(!current_token().is_cancelled());
            Ok(1)
        })
        .timeout(Duration::from_secs(3600))
        .await;
        assert_eq!(result.unwrap(), 1);
    });
}

#[test]
fn equal_deadlines_are_reported_by_the_outer_scope() {
    on_every_runtime(|| async {
        let at = wakeline::time::now() + Duration::from_millis(2);
        let result: Plain<()> = scope(|_| async move {
            let _inner: Plain<()> = scope(|_| pending()).deadline(at).await;
            Err("the inner one has reported")
        })
        .deadline(at)
        .await;
        assert!(matches!(result, Err(ScopeError::Elapsed)), "{result:?}");
    });
}

#[test]
fn a_deadline_counts_from_the_first_poll_and_children_see_it() {
    on_every_runtime(|| async {
        let late: Plain<()> = scope(|_| async { Ok(()) }).timeout(Duration::ZERO).await;
        assert!(late.is_ok(), "a body that is ready wins");
        let result: Plain<()> = scope(|s| async move {
            assert!(current_deadline().is_some());
            s.spawn(async {
                assert!(current_deadline().is_some());
                Ok(())
            });
            s.spawn_task(async {
                assert!(current_deadline().is_some());
                Ok(())
            });
            Ok(())
        })
        .timeout(Duration::from_secs(3600))
        .await;
        result.unwrap();
    });
}

#[test]
fn a_huge_deadline_never_comes_and_one_can_be_moved() {
    on_every_runtime(|| async {
        let result: Plain<u8> = scope(|_| async { Ok(1) }).timeout(Duration::MAX).await;
        assert_eq!(result.unwrap(), 1);
        let result: Plain<()> = scope(|s| async move {
            s.set_deadline(None);
            sleep(Duration::from_millis(3)).await;
            s.set_deadline(Some(wakeline::time::now() + Duration::from_millis(1)));
            pending().await
        })
        .timeout(Duration::from_millis(2))
        .await;
        assert!(matches!(result, Err(ScopeError::Elapsed)));
    });
}

#[test]
fn a_panic_cancels_the_others_and_goes_on_when_all_are_gone() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let panics = spawn(async move {
            let result: Plain<()> = scope(|s| async move {
                let captured = captured();
                s.spawn(async move {
                    let _captured = captured;
                    pending::<Result<(), _>>().await
                });
                s.spawn::<(), _>(async {
                    yield_now().await;
                    panic!("planned")
                });
                pending().await
            })
            .await;
            result
        });
        let error = panics.await.unwrap_err();
        assert_eq!(error.into_panic().downcast_ref(), Some(&"planned"));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn panics_can_be_collected_also_those_of_destructors() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("destructor");
        }
    }
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            s.spawn(async {
                let _loud = Loud;
                pending::<Result<(), _>>().await
            });
            s.spawn::<(), _>(async {
                yield_now().await;
                panic!("child")
            });
            s.spawn_task::<(), _>(async {
                current_token().cancelled().await;
                panic!("task")
            });
            sleep(Duration::from_millis(2)).await;
            Ok(())
        })
        .signal_grace(Duration::from_secs(60))
        .timeout(Duration::from_secs(60))
        .on_panic(OnPanic::Collect)
        .signal_grace(Duration::ZERO)
        .await;
        let Err(ScopeError::Failed(mut errors)) = result else {
            panic!()
        };
        let text = errors.to_string();
        assert!(text.contains("a panic: child"), "{text}");
        assert!(text.contains("a panic: destructor"), "{text}");
        assert!(errors.is_empty());
        assert!(errors.take_panics().len() >= 2);
    });
}

#[test]
fn tasks_run_in_parallel_and_are_gone_when_the_scope_leaves() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let result: Plain<()> = scope(|s| async move {
            for _ in 0..10 {
                let captured = captured();
                s.spawn_task(async move {
                    let _captured = captured;
                    pending::<Result<(), _>>().await
                });
            }
            let ready = s.spawn_task(async { Ok(4) });
            assert_eq!(ready.await, Ok(4));
            let failed = s.spawn_task::<(), _>(async { Err("task") });
            let _ = failed.await;
            pending().await
        })
        .await;
        assert_eq!(errors(result), ["task"]);
        assert_eq!(drops.load(Ordering::SeqCst), 10);
    });
}

#[test]
fn a_blocking_job_is_a_child_that_is_waited_for() {
    on_every_runtime(|| async {
        let (started, is_started) = oneshot::channel();
        let (drops, captured) = Drops::new();
        let captured = captured();
        let result: Plain<()> = scope(|s| async move {
            s.spawn_blocking(move || {
                let _captured = captured;
                let _ = started.send(());
                while checkpoint().is_ok() {
                    std::thread::yield_now();
                }
                Ok(())
            });
            let _ = is_started.await;
            s.cancel("stop");
            pending().await
        })
        .await;
        assert!(
            matches!(result, Err(ScopeError::Cancelled(_))),
            "{result:?}"
        );
        assert_eq!(
            drops.load(Ordering::SeqCst),
            1,
            "it has seen the cancel and ended"
        );
    });
}

#[test]
fn a_blocking_job_that_is_aborted_alone_hears_it_at_its_checkpoint() {
    on_every_runtime(|| async {
        let result: Plain<_> = scope(|s| async move {
            let (started, is_started) = oneshot::channel();
            let job = s.spawn_blocking(move || {
                let _ = started.send(());
                while !task::is_cancelled() {
                    std::thread::yield_now();
                }
                Ok(checkpoint().map_err(|cancelled| cancelled.into_reason()))
            });
            let _ = is_started.await;
            let line = line!() + 1;
            job.abort();
            let told = job.await.expect("it went on to its end").unwrap_err();
            assert_eq!(
                (told.cause(), told.location().file(), told.location().line()),
                (Cause::Aborted, file!(), line)
            );
            assert!(checkpoint().is_ok(), "the scope goes on");
            Ok(())
        })
        .await;
        assert!(result.is_ok(), "{result:?}");
    });
}

#[test]
fn children_are_polled_when_they_are_woken_from_other_threads() {
    on_every_runtime(|| async {
        let result: Plain<u32> = scope(|s| async move {
            let children: Vec<_> = (0..50)
                .map(|n| {
                    let (tx, rx) = oneshot::channel();
                    s.spawn_task(async move {
                        yield_now().await;
                        let _ = tx.send(n);
                        Ok(())
                    });
                    s.spawn(async move { rx.await.map_err(|_| "closed") })
                })
                .collect();
            let mut sum = 0;
            for child in children {
                sum += child.await.unwrap();
            }
            Ok(sum)
        })
        .await;
        assert_eq!(result.unwrap(), 1225);
    });
}

#[test]
fn a_value_does_not_hide_that_children_were_cut_off() {
    on_every_runtime(|| async {
        // The body had its value long before: what is cut off is not done.
        let result: Plain<u8> = scope(|s| async move {
            let late = s.clone();
            s.spawn(async move {
                yield_now().await;
                late.set_deadline(Some(wakeline::time::now()));
                pending::<Result<(), _>>().await
            });
            Ok(1)
        })
        .await;
        assert!(matches!(result, Err(ScopeError::Elapsed)), "{result:?}");

        let token = CancelToken::new();
        let cancel = token.clone();
        let (later, is_later) = oneshot::channel();
        let work = scope(|s| async move {
            s.spawn(async move {
                yield_now().await;
                later.send(())
            });
            s.spawn_task(async move {
                let _ = is_later.await;
                cancel.cancel("outside");
                pending::<Result<(), _>>().await
            });
            Ok::<_, ()>(1)
        });
        let result = work.with_token(token).await;
        assert!(
            matches!(result, Err(ScopeError::Cancelled(_))),
            "{result:?}"
        );
    });
}

/// A deadline that passes in the middle of a poll is a signal like any other.
#[test]
fn those_who_listen_hear_of_a_deadline_before_they_are_dropped() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            s.spawn(async {
                current_token().cancelled().await;
                Err::<(), _>("heard")
            });
            yield_now().await;
            s.set_deadline(Some(wakeline::time::now()));
            pending().await
        })
        .await;
        assert_eq!(errors(result), ["heard"]);
    });
}

#[test]
fn a_scope_that_is_leaked_leaks_its_children_and_no_more() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let mut handle = None;
        let captured = captured();
        let mut leaked = Box::pin(scope::<(), (), _, _>(|s| {
            handle = Some(s.clone());
            s.spawn(async move {
                let _captured = captured;
                pending::<Result<(), _>>().await
            });
            pending()
        }));
        assert!(
            timeout(Duration::from_millis(1), &mut leaked)
                .await
                .is_err()
        );
        std::mem::forget(leaked);
        let handle = handle.expect("the closure has run");
        drop(handle.spawn(async { Ok(()) }));
        handle.cancel("nobody listens");
        drop(handle);
        assert_eq!(drops.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn tasks_of_a_scope_spawn_siblings_from_other_threads() {
    on_every_runtime(|| async {
        let count = Arc::new(AtomicUsize::new(0));
        let result: Plain<()> = scope(|s| {
            let count = Arc::clone(&count);
            async move {
                for _ in 0..8 {
                    let (s, count) = (s.clone(), Arc::clone(&count));
                    let inner = s.clone();
                    s.spawn_task(async move {
                        for n in 0..20 {
                            let count = Arc::clone(&count);
                            inner.spawn(async move {
                                yield_now().await;
                                count.fetch_add(1, Ordering::SeqCst);
                                Ok(())
                            });
                            if n % 5 == 0 {
                                yield_now().await;
                            }
                        }
                        Ok(())
                    });
                }
                Ok(())
            }
        })
        .await;
        result.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 160);
    });
}

#[test]
fn those_who_listen_have_the_signal_grace_to_end_by_themselves() {
    on_every_runtime(|| async {
        let log = Mutex::new(Vec::new());
        let result: Plain<&str> = scope(|s| {
            let log = &log;
            async move {
                s.spawn(async move {
                    current_token().cancelled().await;
                    sleep(Duration::from_millis(1)).await; // says goodbye
                    log.lock().unwrap().push("child");
                    Ok(())
                });
                let body = s.clone();
                s.spawn(async move {
                    yield_now().await;
                    body.cancel("please");
                    Ok(())
                });
                current_token().cancelled().await;
                sleep(Duration::from_millis(1)).await;
                Ok("in time")
            }
        })
        .signal_grace(Duration::from_secs(3600))
        .await;
        assert_eq!(result.unwrap(), "in time");
        assert_eq!(*log.lock().unwrap(), ["child"]);
    });
}

#[test]
fn a_shielded_part_below_does_not_hear_the_scope() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            let shielded = s.token().shielded_child();
            s.cancel("all");
            assert!(current_token().is_cancelled());
            async {
                assert!(checkpoint().is_ok());
            }
            .with_token(shielded)
            .await;
            Ok(())
        })
        .await;
        assert!(result.is_ok());
    });
}

#[test]
fn a_scope_in_a_task_that_is_aborted_drops_all_where_it_stands() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let (started, is_started) = oneshot::channel();
        let task = spawn(async move {
            let result: Plain<()> = scope(|s| async move {
                for _ in 0..3 {
                    let captured = captured();
                    s.spawn(async move {
                        let _captured = captured;
                        pending::<Result<(), _>>().await
                    });
                }
                yield_now().await;
                let _ = started.send(());
                pending().await
            })
            .await;
            result
        });
        is_started.await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(drops.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn a_local_scope_needs_no_send() {
    with_every_runtime(|runtime| {
        let count = std::cell::Cell::new(0);
        let result: Plain<()> = runtime.block_on(scope_local(|s| {
            let count = &count;
            async move {
                let shared = std::rc::Rc::new(2);
                for _ in 0..3 {
                    let shared = std::rc::Rc::clone(&shared);
                    s.spawn(async move {
                        yield_now().await;
                        count.set(count.get() + *shared);
                        Ok(())
                    });
                }
                s.spawn_task(async { Ok(()) });
                let one = spawn_blocking(|| 1).await.unwrap();
                count.set(count.get() + one);
                Ok(())
            }
        }));
        result.unwrap();
        assert_eq!(count.get(), 7);
    });
}

#[test]
fn a_child_may_wait_for_another_and_many_scopes_nest() {
    on_every_runtime(|| async {
        fn nest(depth: u32) -> std::pin::Pin<Box<dyn Future<Output = Plain<u32>> + Send>> {
            Box::pin(scope(move |_| async move {
                match depth {
                    0 => Ok(0),
                    _ => nest(depth - 1).await.map(|n| n + 1).map_err(|_| "inner"),
                }
            }))
        }
        assert_eq!(nest(50).await.unwrap(), 50);
        let result: Plain<u8> = scope(|s| async move {
            let one = s.spawn(async {
                sleep(Duration::from_millis(1)).await;
                Ok(1)
            });
            let two = s.spawn(async move { Ok(one.await.unwrap() + 1) });
            Ok(two.await.unwrap())
        })
        .await;
        assert_eq!(result.unwrap(), 2);
    });
}

#[test]
fn a_timeout_around_a_scope_drops_it_at_once() {
    on_every_runtime(|| async {
        let (drops, captured) = Drops::new();
        let work = scope(|s| async move {
            let captured = captured();
            s.spawn(async move {
                let _captured = captured;
                pending::<Result<(), ()>>().await
            });
            pending::<Result<(), ()>>().await
        });
        assert!(timeout(Duration::from_millis(1), work).await.is_err());
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_job_that_no_thread_can_be_had_for_is_no_success() {
    for_each_backend(|backend| {
        // What is denied here is denied to no other thread.
        let denied = std::thread::spawn(move || {
            let runtime = backend.runtime(1);
            deny(libc::EAGAIN, &[libc::SYS_clone, libc::SYS_clone3]).expect("a filter");
            runtime.block_on(async {
                let result: Plain<()> = scope(|s| async move {
                    s.on_panic(OnPanic::Collect);
                    s.spawn_blocking(|| Err::<(), _>("it runs"));
                    Ok(())
                })
                .await;
                let error = result.unwrap_err().to_string();
                assert!(error.contains("could not be started"), "{error}");
            });
        });
        denied.join().expect("no panic");
    });
}

#[test]
fn a_task_that_ends_with_its_runtime_is_cut_off() {
    for_each_backend(|backend| {
        let runtime = backend.runtime(2);
        let (started, is_started) = mpsc::channel();
        let handle = runtime.handle();
        // On a thread of its own, which the runtime does not end.
        let left = std::thread::spawn(move || {
            let scope = scope(|s| async move {
                s.signal_grace(Duration::from_secs(60));
                s.spawn_task(pending::<Result<(), &str>>());
                s.spawn(async move {
                    yield_now().await; // the body has its value by now
                    started.send(()).expect("the test waits");
                    Ok(())
                });
                Ok(())
            });
            handle.block_on(scope) as Plain<()>
        });
        is_started.recv().expect("it is sent");
        drop(runtime.shutdown(Duration::ZERO));
        let left = left.join().expect("no panic");
        assert!(left.unwrap_err().is_cancelled());
    });
}

/// A thread cannot be dropped: a scope on it, below a scope that is cancelled, has
/// to end by itself.
#[test]
fn a_scope_on_a_blocking_thread_hears_the_cancel_and_ends() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            let (started, is_started) = oneshot::channel();
            let runtime = wakeline::Handle::current();
            s.spawn_blocking(move || {
                let inner: Plain<()> = runtime.block_on(scope(|_| {
                    let _ = started.send(());
                    pending()
                }));
                assert!(inner.unwrap_err().is_cancelled());
                Ok(())
            });
            let _ = is_started.await;
            s.cancel("stop");
            pending().await
        })
        .await;
        assert!(result.unwrap_err().is_cancelled());
    });
}

/// It is a task like any other, and so no part of what spawns it.
#[test]
fn a_scope_of_an_eager_task_is_not_below_that_of_its_spawner() {
    on_every_runtime(|| async {
        let (go, gone) = oneshot::channel::<()>();
        let result = scope(|s| async move {
            s.cleanup_grace(Duration::ZERO);
            let graced = spawn_eager(scope(|s| async move {
                let _guard = s.guard((), |()| sleep(Duration::from_millis(1)));
                s.cancel("enough");
                pending::<Result<(), &'static str>>().await
            }));
            let graced = graced.await.unwrap().unwrap_err();
            assert!(graced.is_cancelled(), "the grace is its own: {graced}");
            let aborted = spawn_eager(scope(|s| async move {
                let _guard = s.guard_static(gone, |gone| async { _ = gone.await });
                pending::<Result<(), &'static str>>().await
            }));
            aborted.abort();
            assert!(aborted.await.is_err());
            Ok::<_, &'static str>(())
        });
        let left = timeout(Duration::from_secs(60), result).await;
        left.expect("what it left is not waited for here").unwrap();
        go.send(()).expect("the runtime has it");
    });
}

#[test]
fn who_spawns_into_a_scope_before_its_first_poll_does_not_say_where_it_belongs() {
    on_every_runtime(|| async {
        let (tell, told) = oneshot::channel();
        let scope = scope(|s: Scope<'static, &'static str>| {
            assert!(tell.send(s).is_ok());
            pending::<Result<(), &'static str>>()
        });
        let elsewhere = spawn(async move {
            let scope = told.await.expect("it is sent");
            drop(scope.spawn(async { Ok(()) }));
        });
        elsewhere.await.unwrap();
        let token = CancelToken::new();
        let under = scope.with_token(token.clone());
        drop(spawn(async move {
            sleep(Duration::from_millis(1)).await;
            token.cancel("stop");
        }));
        let ended = timeout(Duration::from_secs(60), under).await;
        let ended = ended.expect("it hears the token in force where it is polled");
        assert!(ended.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_scope_that_has_left_a_cancelled_one_ends_where_it_is_awaited() {
    on_every_runtime(|| async {
        let moved: Plain<_> = scope(|s| async move {
            // It belongs here since it has spawned, and is awaited elsewhere.
            let inner = scope(|inner| {
                inner.spawn(pending::<Result<(), &'static str>>());
                pending::<Result<(), &'static str>>()
            });
            s.cancel("enough");
            Ok(inner)
        })
        .await;
        let ended = timeout(Duration::from_secs(60), moved.unwrap()).await;
        let ended = ended.expect("nobody is there to drop it: it ends by itself");
        let Err(ScopeError::Cancelled(reason)) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(reason.text(), "enough");
    });
}

#[test]
fn a_scope_that_was_moved_out_of_a_cancelled_one_half_way_ends_by_itself() {
    on_every_runtime(|| async {
        let moved: Plain<_> = scope(|s| async move {
            let mut inner = scope(|_| pending::<Result<(), &'static str>>());
            let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut inner).poll(cx).is_pending()));
            assert!(polled.await);
            s.cancel("enough");
            Ok(inner)
        })
        .await;
        let ended = timeout(Duration::from_secs(60), moved.unwrap()).await;
        let ended = ended.expect("nobody is there to drop it: it ends by itself");
        let Err(ScopeError::Cancelled(reason)) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(reason.text(), "enough");
    });
}

type Level = Pin<Box<dyn Future<Output = Result<(), &'static str>> + Send>>;

/// A scope in a task of a scope, and so on.
fn deep(levels: u32) -> Level {
    Box::pin(async move {
        let _: Plain<()> = scope(|s| async move {
            if levels > 0 {
                s.spawn_task(deep(levels - 1));
            }
            pending().await
        })
        .await;
        Ok(())
    })
}

#[test]
fn a_deep_nest_of_tasks_and_scopes_needs_no_deep_stack_to_be_dropped() {
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    let ends = || {
        // One worker, which is this thread: its end has no limit of time.
        let runtime = wakeline::Runtime::builder().workers(1).build().unwrap();
        let outermost = runtime.spawn(deep(4_000));
        let handle = runtime.handle();
        runtime.block_on(async {
            while handle.tasks().len() < 4_001 {
                yield_now().await;
            }
        });
        drop(runtime);
        assert!(outermost.is_finished());
    };
    thread.spawn(ends).unwrap().join().unwrap();
}
