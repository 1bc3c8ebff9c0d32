//! Work that goes on when the one who waits for it is dropped.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use wakeline::sync::oneshot;
use wakeline::time::timeout;
use wakeline::{shield, spawn, task, try_shield, yield_now};

use crate::on_every_runtime;
use crate::support::for_each_backend;

#[test]
fn the_inner_goes_on_when_the_outer_is_dropped() {
    on_every_runtime(|| async {
        let (go, gone) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let (begins, begun) = oneshot::channel();
        let outer = spawn(async move {
            let inner = shield(async move {
                gone.await.expect("sent");
                done.send("saved").expect("somebody waits");
            });
            begins.send(()).expect("somebody waits");
            inner.await
        });
        begun.await.expect("it runs");
        yield_now().await;
        outer.abort();
        assert!(outer.await.expect_err("aborted").is_cancelled());
        go.send(()).expect("the inner one still waits");
        assert_eq!(is_done.await, Ok("saved"));
    });
}

#[test]
fn the_result_can_still_be_had_after_a_timeout() {
    on_every_runtime(|| async {
        let (go, gone) = oneshot::channel();
        let mut inner = shield(async move { gone.await.expect("sent") });
        let late = timeout(Duration::from_millis(1), &mut inner).await;
        assert!(late.is_err());
        go.send(8).expect("it still waits");
        assert_eq!(inner.await.unwrap(), 8);
    });
}

#[test]
fn the_outer_sees_that_the_inner_was_cancelled() {
    on_every_runtime(|| async {
        let inner = shield(pending::<()>());
        let abort = inner.abort_handle();
        let outer = spawn(inner);
        abort.cancel("after all");
        let error = outer.await.unwrap().expect_err("cancelled");
        assert_eq!(error.reason().expect("cancelled").text(), "after all");
    });
}

#[test]
fn an_inner_that_is_done_is_ready_at_the_first_look() {
    on_every_runtime(|| async {
        let inner = shield(async { 3 });
        while !inner.is_finished() {
            yield_now().await;
        }
        let mut inner = pin!(inner);
        let looked = poll_fn(|cx| Poll::Ready(inner.as_mut().poll(cx))).await;
        assert!(matches!(looked, Poll::Ready(Ok(3))));
    });
}

#[test]
fn no_cancel_of_what_surrounds_it_reaches_it() {
    on_every_runtime(|| async {
        let (give, inner) = oneshot::channel();
        let outer = spawn(async move {
            let inner = shield(async { task::cancel_node().expect("inside a task") });
            drop(give.send(inner));
            pending::<()>().await
        });
        let inner = inner.await.expect("sent");
        outer.cancel("the outer alone");
        assert!(outer.await.is_err());
        assert!(!inner.await.unwrap().is_cancelled());
    });
}

#[test]
fn shields_nest() {
    on_every_runtime(|| async {
        let (done, is_done) = oneshot::channel();
        let outer = spawn(async move {
            let middle = shield(async move { shield(async move { done.send(1) }).await });
            middle.await
        });
        yield_now().await;
        outer.abort();
        drop(outer.await);
        // Aborted before or after it shielded: then it ran to its end.
        assert!(matches!(is_done.await, Ok(1) | Err(_)));
    });
}

#[test]
fn errors_after_the_waiter_left_are_told_and_others_are_not() {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let (tell, told) = mpsc::channel();
            let builder = backend.builder().workers(workers);
            let runtime = builder
                .on_unobserved(move |failure| {
                    let at = failure.spawned_at().line();
                    tell.send((at, failure.to_string())).unwrap();
                })
                .build()
                .expect("a runtime");
            let line = runtime.block_on(async {
                let (go, gone) = oneshot::channel::<()>();
                let line = line!() + 1;
                let left = try_shield(async move {
                    gone.await.expect("sent");
                    Err::<(), _>("disk full")
                });
                drop(left);
                go.send(()).expect("it still waits");
                drop(try_shield(async { Ok::<_, String>("well") }));
                let seen = try_shield(async { Err::<(), _>("seen by its waiter") }).await;
                assert_eq!(seen.unwrap(), Err("seen by its waiter"));
                let panics = shield(async { panic!("and a panic") });
                drop(panics);
                line
            });
            let mut failures = Vec::new();
            while failures.len() < 2 {
                runtime.block_on(yield_now());
                failures.extend(told.try_iter());
            }
            failures.sort();
            drop(runtime);
            failures.extend(told.try_iter());
            assert_eq!(failures.len(), 2, "{failures:?}");
            assert_eq!(failures[0], (line, "disk full".to_owned()));
            assert!(
                failures[1].1.ends_with("panicked: and a panic"),
                "{failures:?}"
            );
        }
    });
}
