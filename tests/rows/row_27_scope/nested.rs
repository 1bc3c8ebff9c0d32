//! Scopes in scopes, and which of them one belongs to.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::Plain;
use crate::on_every_runtime;
use wakeline::sync::oneshot;
use wakeline::time::{sleep, timeout};
use wakeline::{CancelToken, FutureExt, Scope, ScopeError, scope, spawn, spawn_eager, yield_now};

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
        assert!(matches!(result, Err(ScopeError::Elapsed(_))), "{result:?}");
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
