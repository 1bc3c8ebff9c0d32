//! Finalizers that are dropped with their scope, and have not run to their end.

use crate::support::for_each_backend;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::mpsc::Receiver;
use std::task::Poll;
use std::time::Duration;
use wakeline::cancel::Cause;
use wakeline::debug::{Finding, Report, SubjectKind};
use wakeline::{ScopeError, scope, time, yield_now};

use super::{on_each, patient, watched};

/// The lines of the guards, and why.
fn dropped(told: &Receiver<Report>) -> Vec<(u32, Cause)> {
    let line = |report: Report| match report.finding {
        Finding::FinalizerDropped {
            subject, reason, ..
        } => {
            assert_eq!(subject.kind, SubjectKind::Guard);
            Some((subject.spawned_at.line(), reason.cause()))
        }
        _ => None,
    };
    told.try_iter().filter_map(line).collect()
}

async fn poll_once<F: Future>(future: &mut Pin<Box<F>>) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[test]
fn one_that_borrows_is_reported_when_its_scope_is_dropped() {
    on_each(|backend, workers| {
        let (runtime, told) = watched(backend, workers, patient());
        let line = line!() + 3;
        let timed_out = runtime.block_on(async {
            let limited = scope(|s| async move {
                let _guard = s.guard((), |()| async {});
                let _static = s.guard_static((), |()| async {});
                pending::<Result<(), ()>>().await
            });
            time::timeout(Duration::ZERO, limited).await
        });
        assert!(timed_out.is_err());
        drop(runtime);
        assert_eq!(dropped(&told), [(line, Cause::Dropped)]);
    });
}

#[test]
fn so_are_one_that_runs_already_and_those_that_wait_for_it() {
    for_each_backend(|backend| {
        let (runtime, told) = watched(backend, 1, patient());
        let line = line!() + 3;
        runtime.block_on(async {
            let mut ending = Box::pin(scope(|s| async move {
                drop(s.guard((), |()| pending()));
                drop(s.guard((), |()| async {}));
                Ok::<(), ()>(())
            }));
            poll_once(&mut ending).await;
            drop(ending);
        });
        drop(runtime);
        let lines = [(line, Cause::Dropped), (line + 1, Cause::Dropped)];
        assert_eq!(dropped(&told), lines);
    });
}

#[test]
fn and_one_whose_guard_has_outlived_the_scope() {
    for_each_backend(|backend| {
        let (runtime, told) = watched(backend, 1, patient());
        let line = line!() + 4;
        runtime.block_on(async {
            let mut kept = None;
            let done = scope(|s| {
                kept = Some(s.guard((), |()| async {}));
                async { Ok::<(), ()>(()) }
            });
            done.await.expect("nothing fails");
            drop(kept);
        });
        drop(runtime);
        assert_eq!(dropped(&told), [(line, Cause::Dropped)]);
    });
}

#[test]
fn what_runs_to_its_end_or_is_taken_back_is_not() {
    on_each(|backend, workers| {
        let (runtime, told) = watched(backend, workers, patient());
        let ended: Result<(), ScopeError<()>> = runtime.block_on(scope(|s| async move {
            s.guard((), |()| yield_now()).close().await;
            s.guard((), |()| yield_now()).disarm();
            let _guard = s.guard((), |()| yield_now());
            s.cancel("enough");
            pending().await
        }));
        assert!(ended.is_err());
        drop(runtime);
        assert_eq!(dropped(&told), []);
    });
}

#[test]
fn the_report_says_what_to_do() {
    for_each_backend(|backend| {
        let (runtime, told) = watched(backend, 1, patient());
        runtime.block_on(async {
            let mut pending_scope = Box::pin(scope(|s| async move {
                let _guard = s.guard((), |()| async {});
                pending::<Result<(), ()>>().await
            }));
            poll_once(&mut pending_scope).await;
            drop(pending_scope);
        });
        let report = told.try_recv().expect("a report").to_string();
        assert!(
            report.starts_with("a finalizer was dropped with its scope: the guard made at "),
            "{report}"
        );
        assert!(report.ends_with("by `guard_static`"), "{report}");
    });
}
