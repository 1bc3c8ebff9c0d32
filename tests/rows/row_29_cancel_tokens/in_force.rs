//! Which token is in force, where and for how long.

use std::future::pending;
use std::time::Duration;

use wakeline::cancel::Cause;
use wakeline::sync::oneshot;
use wakeline::{AbortHandle, CancelToken, FutureExt, checkpoint, current_token, spawn, yield_now};

use super::text;
use crate::{on_every_runtime, with_every_runtime};

#[test]
fn the_innermost_token_is_in_force_and_the_outer_one_comes_back() {
    on_every_runtime(|| async {
        let (outer, inner) = (CancelToken::new(), CancelToken::new());
        inner.cancel("inner");
        async {
            let result = pending::<()>().or_cancelled().with_token(inner).await;
            assert_eq!(result.unwrap_err().reason().text(), "inner");
            assert!(checkpoint().is_ok());
        }
        .with_token(outer)
        .await;
    });
}

#[test]
fn tasks_that_take_turns_see_each_its_own_token() {
    on_every_runtime(|| async {
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let token = CancelToken::new();
                token.cancel(format!("task {n}"));
                let looks = async move {
                    for _ in 0..20 {
                        assert_eq!(text(&current_token()), format!("task {n}"));
                        yield_now().await;
                    }
                };
                spawn(looks.with_token(token))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_detached_task_is_no_part_of_the_token_and_a_blocking_job_is() {
    on_every_runtime(|| async {
        let token = CancelToken::new();
        token.cancel("over");
        async {
            let detached = spawn(async { checkpoint().is_ok() });
            let job = wakeline::spawn_blocking(|| text(&current_token()));
            assert!(detached.await.unwrap());
            assert_eq!(job.await.unwrap(), "over");
        }
        .with_token(token)
        .await;
    });
}

#[test]
fn without_a_token_it_is_the_tasks_own_and_cancelling_the_task_cancels_it() {
    on_every_runtime(|| async {
        let (give, take) = oneshot::channel();
        let task = spawn(async {
            give.send(current_token()).unwrap();
            pending::<()>().await;
        });
        let token = take.await.unwrap();
        assert!(!token.is_cancelled());
        task.cancel("not wanted");
        assert_eq!(token.cancelled().await.text(), "not wanted");
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_task_that_is_aborted_hears_it_at_its_checkpoint_whatever_token_is_in_force() {
    on_every_runtime(|| async {
        let (give, take) = oneshot::channel::<AbortHandle>();
        let task = spawn(
            async move {
                let own = take.await.unwrap();
                assert!(checkpoint().is_ok());
                own.cancel("not wanted");
                assert!(
                    !current_token().is_cancelled(),
                    "it has nothing to do with it"
                );
                checkpoint()
            }
            .with_token(CancelToken::new()),
        );
        give.send(task.abort_handle()).unwrap();
        let told = task.await.expect("it was told before it waited again");
        assert_eq!(told.unwrap_err().reason().text(), "not wanted");
    });
}

#[test]
fn the_end_of_the_runtime_cancels_what_its_tasks_have() {
    with_every_runtime(|runtime| {
        let token = runtime.block_on(async {
            let (give, take) = oneshot::channel();
            drop(spawn(async {
                give.send(current_token()).unwrap();
                pending::<()>().await;
            }));
            take.await.unwrap()
        });
        assert!(!token.is_cancelled());
        drop(runtime.shutdown(Duration::ZERO));
        assert_eq!(token.reason().unwrap().cause(), Cause::Shutdown);
    });
}

#[test]
fn outside_of_everything_there_is_a_token_that_nobody_cancels() {
    let one = current_token();
    one.cancel("mine alone");
    assert!(!current_token().is_cancelled());
    assert!(checkpoint().is_ok());
}
