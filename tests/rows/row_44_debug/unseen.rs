//! Failures that nobody saw and futures that never ran; and what hears of them.

use crate::support::for_each_backend;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use wakeline::debug::{Finding, Report, SubjectKind};
use wakeline::{JoinSet, Runtime, scope, spawn, yield_now};

use super::{on_each, patient, watched};

/// The failures among the reports, as text.
fn failures(told: &Receiver<Report>) -> Vec<String> {
    let failure = |report: Report| match report.finding {
        Finding::Unobserved { message, .. } => Some(message),
        _ => None,
    };
    told.try_iter().filter_map(failure).collect()
}

#[test]
fn a_panic_is_reported_once_when_handle_and_task_are_gone() {
    on_each(|backend, workers| {
        let (runtime, told) = watched(backend, workers, patient());
        runtime.block_on(async {
            let unread = spawn(async { panic!("unread") });
            while !unread.is_finished() {
                yield_now().await;
            }
            assert_eq!(failures(&told), [""; 0], "it may still be looked at");
            let id = unread.id();
            drop(unread);
            assert_eq!(failures(&told), [format!("task {id} panicked: unread")]);

            let mut set = JoinSet::new();
            set.spawn(async { panic!("in a set") });
            set.detach_all();
            let seen = loop {
                let seen = failures(&told);
                if !seen.is_empty() {
                    break seen;
                }
                yield_now().await;
            };
            assert!(seen[0].ends_with(" panicked: in a set"), "{seen:?}");
        });
        drop(runtime);
        assert_eq!(failures(&told), [""; 0], "each is reported once");
    });
}

#[test]
fn a_failure_that_was_looked_at_is_not_reported_nor_is_an_abort() {
    on_each(|backend, workers| {
        let (runtime, told) = watched(backend, workers, patient());
        runtime.block_on(async {
            assert!(
                spawn(async { panic!("awaited") })
                    .await
                    .unwrap_err()
                    .is_panic()
            );
            let mut set = JoinSet::new();
            set.spawn(async { panic!("joined") });
            assert!(set.join_next().await.unwrap().unwrap_err().is_panic());
            assert!(
                spawn(async { Err::<(), _>("read") })
                    .await
                    .unwrap()
                    .is_err()
            );
            let aborted = spawn(std::future::pending::<()>());
            yield_now().await;
            aborted.abort();
            while !aborted.is_finished() {
                yield_now().await;
            }
            drop(aborted);
            drop(spawn(async { Ok::<(), &str>(()) }));
        });
        drop(runtime);
        assert_eq!(failures(&told), [""; 0]);
    });
}

#[test]
fn an_error_of_a_known_type_is_reported_if_nobody_saw_it() {
    on_each(|backend, workers| {
        let (runtime, told) = watched(backend, workers, patient());
        runtime.block_on(async {
            let io = spawn(async { Err::<(), _>(std::io::Error::other("disk full")) });
            let unknown = spawn(async { Err::<(), _>(7_u8) });
            let value = spawn(async { 7 });
            while !(io.is_finished() && unknown.is_finished() && value.is_finished()) {
                yield_now().await;
            }
        });
        drop(runtime);
        assert_eq!(failures(&told), ["disk full"]);
    });
}

/// The lines of those who never ran.
fn never_ran(told: &Receiver<Report>) -> Vec<(SubjectKind, u32)> {
    let line = |report: Report| match report.finding {
        Finding::NeverPolled { subject, .. } => Some((subject.kind, subject.spawned_at.line())),
        _ => None,
    };
    let mut lines: Vec<_> = told.try_iter().filter_map(line).collect();
    lines.sort_by_key(|&(_, line)| line);
    lines
}

#[test]
fn a_task_that_never_ran_before_the_end_is_reported() {
    for_each_backend(|backend| {
        // On one worker nothing runs before a `block_on`.
        let (runtime, told) = watched(backend, 1, patient());
        let line = line!() + 1;
        drop(runtime.spawn(async {}));
        drop(runtime);
        assert_eq!(never_ran(&told), [(SubjectKind::Task, line)]);

        let (runtime, told) = watched(backend, 1, patient());
        let line = runtime.block_on(async {
            drop(spawn(std::future::pending::<()>())); // this one has run
            yield_now().await;
            let line = line!() + 1;
            drop(spawn(async {}));
            line
        });
        drop(runtime.shutdown(Duration::ZERO));
        assert_eq!(never_ran(&told), [(SubjectKind::Task, line)]);
    });
    on_each(|backend, workers| {
        let (runtime, told) = watched(backend, workers, patient());
        let handle = runtime.handle();
        drop(runtime);
        let line = line!() + 1;
        drop(handle.spawn(async {})); // into a runtime that has ended
        assert_eq!(never_ran(&told), [(SubjectKind::Task, line)]);
    });
}

#[test]
fn what_somebody_has_cancelled_before_it_ran_is_no_news() {
    for_each_backend(|backend| {
        let (runtime, told) = watched(backend, 1, patient());
        runtime.block_on(async {
            spawn(async {}).abort();
            spawn(async {}).cancel("not needed");
            let mut set = JoinSet::new();
            set.spawn(async {});
            set.abort_all();
            set.join_next().await;
            let done = scope(|s| async move {
                s.spawn(async { Ok(()) });
                s.cancel("enough");
                Ok::<(), ()>(())
            });
            drop(done.await);
            let done = scope(|s| async move {
                s.spawn(async { Ok(()) }).abort();
                s.spawn_task(async { Ok(()) }).abort();
                Ok::<(), ()>(())
            });
            done.await.expect("an abort is no failure");
        });
        drop(runtime);
        assert_eq!(never_ran(&told), []);
    });
}

#[test]
fn what_a_set_or_a_scope_drops_unpolled_is_reported() {
    for_each_backend(|backend| {
        let (runtime, told) = watched(backend, 1, patient());
        let lines = runtime.block_on(async {
            let mut set = JoinSet::new();
            let in_set = line!() + 1;
            set.spawn(async {});
            drop(set);

            let (give, given) = mpsc::channel();
            let mut dropped = Box::pin(scope(|s| async move {
                s.spawn(std::future::pending::<Result<(), ()>>());
                give.send(s).unwrap();
                std::future::pending::<Result<(), ()>>().await
            }));
            std::future::poll_fn(|cx| {
                assert!(dropped.as_mut().poll(cx).is_pending()); // the first child runs
                std::task::Poll::Ready(())
            })
            .await;
            let s = given.recv().unwrap();
            let in_scope = line!() + 1;
            s.spawn(async { Ok(()) });
            drop(dropped);
            yield_now().await;
            [(SubjectKind::Task, in_set), (SubjectKind::Child, in_scope)]
        });
        drop(runtime);
        assert_eq!(never_ran(&told), lines);
    });
}

#[test]
fn a_hook_that_panics_does_not_take_the_loop_down() {
    on_each(|backend, workers| {
        let (calls, called) = mpsc::channel();
        let config = patient().on_report(move |report| {
            calls.send(report.to_string()).unwrap();
            panic!("the hook's own");
        });
        let runtime = backend.builder().workers(workers).debug(config);
        let runtime = runtime.build().expect("a runtime");
        runtime.block_on(async {
            for _ in 0..2 {
                drop(spawn(async { Err::<(), _>("told") }));
                yield_now().await;
            }
            assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
        });
        drop(runtime);
        assert_eq!(called.try_iter().count(), 2, "it is called again");
    });
}

#[test]
fn a_hook_may_spawn_and_is_not_reported_on() {
    for_each_backend(|backend| {
        let (calls, called) = mpsc::channel();
        let config = patient().on_report(move |report| {
            calls.send(report.clone()).unwrap();
            // A failure that is dropped in the hook itself.
            let other = Runtime::builder().workers(1).debug(false).build().unwrap();
            other.handle().spawn(async {}).abort();
            drop(spawn(async { Err::<(), _>("of the hook") }));
        });
        let builder = backend.builder().workers(1).debug(config);
        let runtime = builder.build().expect("a runtime");
        runtime.block_on(async {
            let first = spawn(async { Err::<(), _>("first") });
            while !first.is_finished() {
                yield_now().await;
            }
            drop(first);
        });
        // What the hook spawned never ran: told when the runtime ends, by the hook,
        // which spawns again, in vain; that is counted and not told again.
        drop(runtime);
        let told: Vec<Report> = called.try_iter().collect();
        let sorts = |report: &Report| match report.finding {
            Finding::Unobserved { .. } => 'u',
            Finding::NeverPolled { .. } => 'n',
            Finding::LeftOut => 'l',
            _ => '?',
        };
        let sorts: String = told.iter().map(sorts).collect();
        assert_eq!(sorts, "unl", "{told:?}");
        assert_eq!(told[2].left_out, 1);
    });
}

#[test]
fn reports_are_bounded_and_none_is_lost_from_the_count() {
    on_each(|backend, workers| {
        let (runtime, told) = watched(backend, workers, patient().per_second(3));
        let began = Instant::now();
        runtime.block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..500 {
                tasks.push(spawn(async { Err::<(), _>("again") }));
            }
            while !tasks.iter().all(wakeline::JoinHandle::is_finished) {
                yield_now().await;
            }
        });
        drop(runtime);
        let reports: Vec<Report> = told.try_iter().collect();
        let is_made = |report: &&Report| matches!(report.finding, Finding::Unobserved { .. });
        let made = reports.iter().filter(is_made).count() as u64;
        let left_out: u64 = reports.iter().map(|report| report.left_out).sum();
        assert_eq!(made + left_out, 500, "{reports:?}");
        assert!(made >= 3);
        let seconds = began.elapsed().as_secs() + 1; // also those begun
        assert!(made <= 3 * seconds, "{made} in {seconds} s");
        assert!(left_out > 0, "500 in less than a second each");
    });
}
