//! Panics that nobody is left to see, or that something else is reported instead of: the
//! runtime is told, once.

use std::any::Any;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use wakeline::debug::{DebugConfig, Finding, SubjectKind};
use wakeline::future::{When, wait};
use wakeline::sync::oneshot;
use wakeline::{
    AbortHandle, CancelToken, FutureExt, JoinSet, Runtime, Scope, scope, select, spawn, yield_now,
};

use crate::support::drops::poll_once;
use crate::support::for_each_backend;
use crate::with_every_telling_runtime;

async fn panics() -> Result<(), ()> {
    panic!("in a child")
}

async fn panics_too() -> Result<(), ()> {
    panic!("in another")
}

/// Until its cleanup has begun, after the panic of a child.
async fn a_scope_that_is_dropped(as_task: bool) {
    let (began, cleanup) = oneshot::channel();
    let scope = scope(move |s: Scope<'_, ()>| async move {
        let _guard = s.guard(began, async |began| {
            began.send(()).expect("it is waited for");
            pending::<()>().await;
        });
        if as_task {
            drop(s.spawn_task(panics()));
        } else {
            drop(s.spawn(panics()));
        }
        pending::<Result<(), ()>>().await
    });
    select! {
        _ = scope => unreachable!("its cleanup does not end"),
        began = cleanup => began.expect("sent"),
    }
}

#[test]
fn a_panic_in_a_scope_that_is_dropped_before_its_end_is_told() {
    for as_task in [false, true] {
        with_every_telling_runtime(|runtime, told| {
            runtime.block_on(a_scope_that_is_dropped(as_task));
            let told: Vec<String> = told.try_iter().collect();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(file!()), "{told:?}");
            assert!(told[0].ends_with("report it: in a child"), "{told:?}");
        });
    }
}

#[test]
fn a_report_names_the_future_of_a_block_on_as_what_it_is() {
    for_each_backend(|backend| {
        let (tell, told) = std::sync::mpsc::channel();
        let debug = DebugConfig::new().on_report(move |report| tell.send(report.clone()).unwrap());
        let runtime = backend.builder().workers(1).debug(debug).build().unwrap();
        let line = line!() + 1;
        runtime.block_on(a_scope_that_is_dropped(false));
        let findings = told.try_iter().map(|report| report.finding);
        let unobserved = |finding| match finding {
            Finding::Unobserved { subject, .. } => Some(subject),
            _ => None,
        };
        let subjects: Vec<_> = findings.filter_map(unobserved).collect();
        assert_eq!(subjects.len(), 1, "{subjects:?}");
        assert_eq!(subjects[0].kind, SubjectKind::Root);
        assert_eq!(subjects[0].spawned_at.line(), line);
    });
}

/// What comes out of a scope, in which `second` panics after another child.
fn panic_of_a_scope<F>(runtime: &Runtime, second: F) -> Box<dyn Any + Send>
where
    F: Future<Output = Result<(), ()>> + Send + 'static,
{
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(scope(|s: Scope<'_, ()>| async move {
            drop(s.spawn(panics()));
            drop(s.spawn(second));
            Ok(())
        }))
    }));
    ended.expect_err("it goes on")
}

#[test]
fn of_two_panics_in_a_scope_the_second_is_told() {
    with_every_telling_runtime(|runtime, told| {
        let payload = panic_of_a_scope(&runtime, panics_too());
        assert_eq!(payload.downcast_ref(), Some(&"in a child"));
        let told: Vec<String> = told.try_iter().collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].ends_with("else: in another"), "{told:?}");
    });
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a value");
    }
}

#[test]
fn a_panic_of_a_value_that_a_scope_does_not_return_is_told() {
    with_every_telling_runtime(|runtime, told| {
        let ended = runtime.block_on(async {
            let token = CancelToken::new();
            let canceller = token.clone();
            let scope = scope(|s: Scope<'_, ()>| async move {
                s.spawn(pending::<Result<(), ()>>());
                s.spawn(async move {
                    yield_now().await; // the body has ended
                    canceller.cancel("no more");
                    Ok(())
                });
                Ok(Bomb)
            });
            scope.with_token(token).await.map(|_| ())
        });
        assert!(ended.expect_err("a child was cut off").is_cancelled());
        let told: Vec<String> = told.try_iter().collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].ends_with("else: in a value"), "{told:?}");
    });
}

/// Its destructor panics with another of its kind.
struct Again;

impl Drop for Again {
    fn drop(&mut self) {
        std::panic::panic_any(Again);
    }
}

async fn panics_again() -> Result<(), ()> {
    std::panic::panic_any(Again)
}

#[test]
fn a_payload_that_panics_does_not_take_the_place_of_the_first_panic() {
    with_every_telling_runtime(|runtime, told| {
        let payload = panic_of_a_scope(&runtime, panics_again());
        let text = payload.downcast_ref::<&str>().copied();
        std::mem::forget(payload);
        assert_eq!(text, Some("in a child"));
        assert_eq!(told.try_iter().count(), 1);
    });
}

#[test]
fn a_payload_that_panics_does_not_end_the_process() {
    with_every_telling_runtime(|runtime, told| {
        let task = runtime.spawn(async {
            let mut scope = pin!(scope(|s: Scope<'_, ()>| async move {
                drop(s.spawn(panics_again()));
                let _guard = s.guard((), async |()| pending().await);
                pending::<Result<(), ()>>().await
            }));
            for _ in 0..3 {
                assert!(poll_once(scope.as_mut()).await.is_pending());
            }
            panic!("the scope is dropped by this one");
        });
        let ended: Result<(), _> = runtime.block_on(task);
        assert!(ended.expect_err("it has panicked").is_panic());
        assert_eq!(told.try_iter().count(), 1);
    });
}

#[test]
fn where_nothing_runs_any_more_the_runtime_is_told_all_the_same() {
    with_every_telling_runtime(|runtime, told| {
        let mut dropped = Box::pin(scope(|s: Scope<'_, ()>| async move {
            drop(s.spawn(panics()));
            let _guard = s.guard((), async |()| pending().await);
            pending::<Result<(), ()>>().await
        }));
        let set = runtime.block_on(async {
            for _ in 0..3 {
                assert!(poll_once(dropped.as_mut()).await.is_pending());
            }
            let mut set = JoinSet::new();
            let ends = set.spawn(panics());
            set.spawn(pending());
            finished(&ends).await;
            // It takes the panic, and puts it back.
            let wait = poll_once(pin!(wait(&mut set, When::All, None))).await;
            assert!(wait.is_pending());
            set
        });
        drop(dropped);
        // Also when it is gone itself.
        drop(runtime);
        drop(set);
        let told: Vec<String> = told.try_iter().collect();
        assert_eq!(told.len(), 2, "{told:?}");
    });
}

#[test]
fn a_panic_in_a_set_that_is_shut_down_is_told() {
    with_every_telling_runtime(|runtime, told| {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            finished(&set.spawn(panics())).await;
            set.spawn(pending());
            set.shutdown().await;
        });
        let told: Vec<String> = told.try_iter().collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].ends_with("was shut down"), "{told:?}");
    });
}

async fn finished(task: &AbortHandle) {
    while !task.is_finished() {
        yield_now().await;
    }
}

/// Polls the future of a set, and drops it when it has taken the panic of a task.
async fn polled_and_dropped<T>(join: impl FnOnce(JoinSet<Result<(), ()>>) -> T)
where
    T: Future,
{
    let mut set = JoinSet::new();
    // On this thread: so its set has heard of its end when it is seen to have ended.
    let ends = set.spawn_local(panics());
    set.spawn_blocking(|| Ok(()));
    set.spawn(pending());
    finished(&ends).await;
    let mut join = pin!(join(set));
    assert!(poll_once(join.as_mut()).await.is_pending());
}

#[test]
fn a_panic_that_the_join_of_a_set_has_taken_is_told_when_it_is_dropped() {
    with_every_telling_runtime(|runtime, told| {
        runtime.block_on(polled_and_dropped(JoinSet::join_all_results));
        runtime.block_on(polled_and_dropped(|mut set| async move {
            wait(&mut set, When::All, None).await.pending
        }));
        let told: Vec<String> = told.try_iter().collect();
        assert_eq!(told.len(), 2, "{told:?}");
        for told in told {
            assert!(
                told.contains("panicked: in a child, in a set of tasks"),
                "{told}"
            );
        }
    });
}

#[test]
fn a_panic_beside_the_failure_that_a_set_reports_is_told() {
    with_every_telling_runtime(|runtime, told| {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            // On this thread: so the set hears of them in this order.
            finished(&set.spawn_local(async { Err(()) })).await;
            finished(&set.spawn_local(panics())).await;
            let failed = spawn(set.try_join_all()).await.expect("no panic");
            assert!(failed.expect_err("one has").failed().is_some());
        });
        let told: Vec<String> = told.try_iter().collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].ends_with("has reported another failure"),
            "{told:?}"
        );
    });
}
