//! Starting a child: whoever starts it goes on when it is ready, and not before.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use wakeline::sync::{Event, Semaphore, oneshot};
use wakeline::time::{sleep, timeout};
use wakeline::{ScopeError, StartError, current_token, scope, scope_local, yield_now};

use crate::on_every_runtime;

type Plain<T> = Result<T, ScopeError<&'static str>>;

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn flag() -> (Arc<AtomicBool>, SetOnDrop) {
    let dropped = Arc::new(AtomicBool::new(false));
    (Arc::clone(&dropped), SetOnDrop(dropped))
}

#[test]
fn it_returns_the_value_and_the_child_goes_on_in_the_scope() {
    on_every_runtime(|| async {
        let (log, client) = (Mutex::new(Vec::new()), Event::new());
        let result: Plain<()> = scope(|s| {
            let (log, client) = (&log, &client);
            async move {
                let value = s.start(|ready| async move {
                    yield_now().await;
                    assert_eq!(ready.set(8080), Ok(()));
                    log.lock().unwrap().push("ready");
                    client.wait().await;
                    sleep(Duration::from_millis(1)).await;
                    log.lock().unwrap().push("served");
                    Ok(())
                });
                assert_eq!(value.await, Ok(8080));
                log.lock().unwrap().push("started");
                client.set();
                Ok(())
            }
        })
        .await;
        result.unwrap();
        assert_eq!(*log.lock().unwrap(), ["ready", "started", "served"]);
    });
}

#[test]
fn an_error_before_it_is_ready_comes_out_of_start_and_not_of_the_scope() {
    on_every_runtime(|| async {
        let result: Plain<()> = scope(|s| async move {
            let start = s.start(|ready: wakeline::scope::Ready<()>| async move {
                yield_now().await;
                drop(ready);
                Err("no port")
            });
            assert_eq!(start.await, Err(StartError::Failed("no port")));
            Ok(())
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn an_error_after_it_is_ready_is_the_scopes() {
    on_every_runtime(|| async {
        for at_once in [true, false] {
            let result: Plain<()> = scope(|s| async move {
                let start = s.start(|ready| async move {
                    let _ = ready.set(1);
                    if !at_once {
                        yield_now().await;
                    }
                    Err("later")
                });
                assert_eq!(start.await, Ok(1));
                pending().await
            })
            .await;
            let Err(ScopeError::Failed(errors)) = result else {
                panic!()
            };
            assert_eq!(errors.into_iter().collect::<Vec<_>>(), ["later"]);
        }
    });
}

#[test]
fn ending_or_letting_go_without_being_ready_is_an_error() {
    on_every_runtime(|| async {
        let (dropped, guard) = flag();
        let result: Plain<()> = scope(|s| async move {
            let ends = s.start::<(), _, _>(|ready| async move {
                let _kept = ready;
                Ok(())
            });
            assert_eq!(ends.await, Err(StartError::NotReady));
            let lets_go = s.start::<(), _, _>(|ready| async move {
                let _guard = guard;
                drop(ready);
                pending().await
            });
            assert_eq!(lets_go.await, Err(StartError::NotReady));
            assert!(dropped.load(Ordering::SeqCst), "it has no one to serve");
            Ok(())
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn being_ready_and_done_in_one_poll_is_both() {
    on_every_runtime(|| async {
        let result: Plain<u8> = scope(|s| async move {
            let start = s.start(|ready| async move {
                let _ = ready.set(3);
                Ok(())
            });
            Ok(start.await.unwrap())
        })
        .await;
        assert_eq!(result.unwrap(), 3);
    });
}

#[test]
fn being_ready_and_done_is_both_also_when_the_budget_is_spent() {
    on_every_runtime(|| async {
        let result: Plain<u8> = scope(|s| async move {
            let start = s.start(|ready| async move {
                let _ = ready.set(3);
                let units = Semaphore::new(1);
                poll_fn(|cx| {
                    while Pin::new(&mut units.acquire()).poll(cx).is_ready() {}
                    Poll::Ready(())
                })
                .await;
                Ok(())
            });
            Ok(start.await.unwrap())
        })
        .await;
        assert_eq!(result.unwrap(), 3);
    });
}

#[test]
fn readiness_may_be_said_from_elsewhere() {
    on_every_runtime(|| async {
        let result: Plain<u8> = scope(|s| async move {
            let start = s.start(|ready| async move {
                wakeline::spawn(async move {
                    yield_now().await;
                    let _ = ready.set(4);
                })
                .await
                .map_err(|_| "task")?;
                pending().await
            });
            let value = start.await.unwrap();
            s.cancel("done");
            Ok(value)
        })
        .await;
        assert_eq!(result.unwrap(), 4);
    });
}

#[test]
fn a_caller_that_gives_up_cancels_the_child() {
    on_every_runtime(|| async {
        let (dropped, guard) = flag();
        let result: Plain<()> = scope(|s| async move {
            let start = s.start::<(), _, _>(|ready| async move {
                let _both = (ready, guard);
                pending().await
            });
            assert!(timeout(Duration::from_millis(1), start).await.is_err());
            assert!(dropped.load(Ordering::SeqCst));
            Ok(())
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn a_panic_before_it_is_ready_is_the_callers() {
    on_every_runtime(|| async {
        let task = wakeline::spawn(async {
            let _: Plain<()> = scope(|s| async move {
                let start = s.start::<(), _, _>(|ready| async move {
                    let _kept = ready;
                    yield_now().await;
                    panic!("starting")
                });
                let _ = start.await;
                unreachable!("the panic comes out of the start")
            })
            .await;
        });
        let panic = task.await.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref(), Some(&"starting"));
    });
}

/// The target scope is cancelled while the start is in progress elsewhere: that
/// reaches the child after it is ready, and keeps the target open until then.
#[test]
fn a_cancel_of_the_target_reaches_the_child_only_when_it_is_ready() {
    on_every_runtime(|| async {
        let (dropped, guard) = flag();
        let (go, ended) = (Event::new(), AtomicBool::new(false));
        let (handle, target) = oneshot::channel();
        let result: Plain<()> = scope(|outer| {
            let (go, ended, dropped) = (&go, &ended, &dropped);
            async move {
                let inner = outer.spawn(async move {
                    let result: Plain<()> = scope(|s| {
                        let _ = handle.send(s);
                        pending::<Result<(), _>>()
                    })
                    .await;
                    ended.store(true, Ordering::SeqCst);
                    assert!(
                        matches!(result, Err(ScopeError::Cancelled(_))),
                        "{result:?}"
                    );
                    Ok(())
                });
                let target = target.await.unwrap();
                let mut start = target.start(move |ready| async move {
                    let _guard = guard;
                    assert!(!current_token().is_cancelled(), "the caller's token counts");
                    go.wait().await;
                    assert!(!current_token().is_cancelled());
                    let _ = ready.set(5);
                    pending().await
                });
                assert!(timeout(Duration::from_millis(1), &mut start).await.is_err());
                target.cancel("while it starts");
                assert!(timeout(Duration::from_millis(1), &mut start).await.is_err());
                assert!(!ended.load(Ordering::SeqCst), "the target stays open");
                assert!(!dropped.load(Ordering::SeqCst));
                go.set();
                assert_eq!(start.await, Ok(5));
                inner.await.unwrap();
                assert!(
                    dropped.load(Ordering::SeqCst),
                    "then the cancel has reached it"
                );
                Ok(())
            }
        })
        .await;
        result.unwrap();
    });
}

/// As above, but the child fails in the poll in which it is ready: that is no
/// less a failure because the target is cancelled.
#[test]
fn an_error_in_the_poll_that_is_ready_counts_in_a_cancelled_target_too() {
    on_every_runtime(|| async {
        let go = Event::new();
        let (handle, target) = oneshot::channel();
        let result: Plain<()> = scope(|outer| {
            let go = &go;
            async move {
                let inner = outer.spawn(async move {
                    let result: Plain<()> = scope(|s| {
                        let _ = handle.send(s);
                        pending::<Result<(), _>>()
                    })
                    .await;
                    Ok(result)
                });
                let target = target.await.unwrap();
                let mut start = target.start(move |ready| async move {
                    go.wait().await;
                    let _ = ready.set(5);
                    Err("too late")
                });
                assert!(timeout(Duration::from_millis(1), &mut start).await.is_err());
                target.cancel("while it starts");
                assert!(timeout(Duration::from_millis(1), &mut start).await.is_err());
                go.set();
                assert_eq!(start.await, Ok(5));
                let error = inner.await.unwrap().unwrap_err();
                assert_eq!(
                    error.errors().and_then(|all| all.first()),
                    Some(&"too late")
                );
                Ok(())
            }
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn a_scope_stays_open_while_a_start_is_in_progress() {
    on_every_runtime(|| async {
        let (handle, target) = oneshot::channel();
        let (served, begun) = (AtomicBool::new(false), Event::new());
        let result: Plain<()> = scope(|outer| {
            let (served, begun) = (&served, &begun);
            async move {
                let inner = outer.spawn(async move {
                    let result: Plain<()> = scope(|s| async move {
                        let _ = handle.send(s.start(move |ready| async move {
                            begun.set();
                            sleep(Duration::from_millis(1)).await;
                            let _ = ready.set(());
                            sleep(Duration::from_millis(1)).await;
                            served.store(true, Ordering::SeqCst);
                            Ok(())
                        }));
                        begun.wait().await;
                        Ok(()) // nothing else is in there
                    })
                    .await;
                    assert!(served.load(Ordering::SeqCst));
                    result.map_err(|_| "inner")
                });
                target.await.unwrap().await.unwrap();
                inner.await.unwrap();
                Ok(())
            }
        })
        .await;
        result.unwrap();
    });
}

#[test]
fn a_start_that_is_not_awaited_keeps_nothing_open() {
    on_every_runtime(|| async {
        let mut start = None;
        let result: Plain<()> = scope(|s| {
            start = Some(s.start::<(), _, _>(|_ready| async { panic!("never polled") }));
            async { Ok(()) }
        })
        .await;
        result.unwrap();
        assert_eq!(start.unwrap().await, Err(StartError::Refused));
    });
}

#[test]
fn a_scope_that_is_cancelled_or_over_starts_nothing() {
    on_every_runtime(|| async {
        let mut after = None;
        let result: Plain<()> = scope(|s| {
            after = Some(s.clone());
            async move {
                s.cancel("no more");
                let start = s.start::<(), _, _>(|_ready| async { panic!("never polled") });
                assert_eq!(start.await, Err(StartError::Refused));
                Ok(())
            }
        })
        .await;
        result.unwrap();
        let over = after.unwrap();
        let start = over.start::<(), _, _>(|_ready| async { panic!("never polled") });
        assert_eq!(start.await, Err(StartError::Refused));
    });
}

#[test]
fn a_local_scope_starts_what_is_not_send() {
    crate::with_every_runtime(|runtime| {
        let result: Plain<u8> = runtime.block_on(scope_local(|s| async move {
            let value = s.start(|ready| async move {
                let local = std::rc::Rc::new(9);
                yield_now().await;
                let _ = ready.set(*local);
                yield_now().await;
                drop(local);
                Ok(())
            });
            Ok(value.await.unwrap())
        }));
        assert_eq!(result.unwrap(), 9);
    });
}
