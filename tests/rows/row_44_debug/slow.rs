//! Polls that take long.

use std::time::{Duration, Instant};
use wakeline::debug::{DebugConfig, Finding, Report, SubjectKind, Then};
use wakeline::sync::Event;
use wakeline::{spawn, task, yield_now};

use super::{of, on_each, patient, report_of, watched};

/// Keeps the thread busy for as long, by the clock that debug mode reads.
fn spin(length: Duration) {
    let start = Instant::now();
    while start.elapsed() < length {
        std::hint::spin_loop();
    }
}

const LONG: Duration = Duration::from_millis(3);

/// A poll is slow from `LONG` on, and no report is left out. On a busy machine
/// polls become slow that do nothing, so each test asks for the reports of the
/// task it has made slow.
fn quick() -> DebugConfig {
    DebugConfig::new().slow_poll(LONG).per_second(u32::MAX)
}

#[test]
fn a_slow_poll_is_reported_with_who_it_was_and_what_it_awaits_now() {
    on_each(|backend, workers| {
        let (runtime, told) = watched(backend, workers, quick());
        let began = Instant::now();
        let (id, mut reported) = runtime.block_on(async {
            let go = std::sync::Arc::new(Event::new());
            let theirs = go.clone();
            let spawned = line!() + 1;
            let slow = task::Builder::new().name("slow").spawn(async move {
                spin(LONG);
                let line = line!() + 1;
                theirs.wait().await;
                for _ in 0..20 {
                    yield_now().await; // short polls
                }
                line
            });
            let id = slow.id();
            let report = report_of(id, &told).await;
            go.set();
            let awaits = slow.await.unwrap();
            check(&report, id, spawned, awaits);
            (id, took(&report))
        });
        // Its other polls are reported only if the machine has made them slow, and
        // each with its own time: together they are no longer than the test.
        for report in told.try_iter().filter(|report| of(report) == Some(id)) {
            assert!(took(&report) >= LONG, "{report}");
            reported += took(&report);
        }
        assert!(reported <= began.elapsed(), "{reported:?}");
    });

    fn took(report: &Report) -> Duration {
        match report.finding {
            Finding::SlowPoll { took, .. } => took,
            _ => panic!("{report}"),
        }
    }

    fn check(report: &Report, id: task::Id, spawned: u32, awaits: u32) {
        let Finding::SlowPoll {
            subject,
            took,
            then: Then::Waits(waiting),
            ..
        } = &report.finding
        else {
            panic!("{report}");
        };
        assert_eq!((subject.kind, subject.id), (SubjectKind::Task, Some(id)));
        assert_eq!(subject.name.as_deref(), Some("slow"));
        assert_eq!(
            (subject.spawned_at.file(), subject.spawned_at.line()),
            (file!(), spawned)
        );
        assert!(*took >= LONG);
        assert_eq!(
            (waiting.location.file(), waiting.location.line()),
            (file!(), awaits)
        );
        let text = report.to_string();
        let names = format!("task {id} \"slow\", spawned at {}:{spawned}:", file!());
        assert!(
            text.starts_with("a poll took ") && text.contains(&names),
            "{text}"
        );
        assert!(text.contains(&format!("{}:{awaits}:", file!())), "{text}");
    }
}

#[test]
fn a_slow_poll_that_was_the_last_one_says_how_it_ended() {
    on_each(|backend, workers| {
        let (runtime, told) = watched(backend, workers, quick());
        let then = |id| {
            let report = told.try_iter().find(|report| of(report) == Some(id));
            match report.expect("it was slow").finding {
                Finding::SlowPoll { then, .. } => then,
                other => panic!("{other}"),
            }
        };
        runtime.block_on(async {
            let ends = spawn(async { spin(LONG) });
            let id = ends.id();
            ends.await.unwrap();
            assert_eq!(then(id), Then::Ended);

            let panics = spawn(async {
                spin(LONG);
                panic!("planned");
            });
            let id = panics.id();
            panics.await.unwrap_err();
            assert_eq!(then(id), Then::Panicked);

            let foreign = spawn(std::future::poll_fn(|_| {
                spin(LONG);
                std::task::Poll::<()>::Pending
            }));
            let report = report_of(foreign.id(), &told).await;
            let pending = matches!(
                report.finding,
                Finding::SlowPoll {
                    then: Then::Pending,
                    ..
                }
            );
            assert!(pending, "{report}");
            foreign.abort();
        });
    });
}

#[test]
fn the_future_of_block_on_is_timed_too() {
    on_each(|backend, workers| {
        let (runtime, told) = watched(backend, workers, quick());
        let line = line!() + 1;
        runtime.block_on(async { spin(LONG) });
        let report = told.try_recv().expect("a report");
        let subject = report.finding.subject().expect("somebody's");
        assert_eq!(subject.kind, SubjectKind::Root);
        assert_eq!(subject.spawned_at.line(), line);
        assert!(report.to_string().contains(&format!(
            ": the future of `block_on` at {}:{line}:",
            file!()
        )));
    });
}

#[test]
fn polls_below_the_limit_and_blocking_jobs_are_not_reported() {
    on_each(|backend, workers| {
        let (runtime, told) = watched(backend, workers, patient());
        runtime.block_on(async {
            spawn(async { spin(LONG) }).await.unwrap();
            spin(LONG);
        });
        drop(runtime);
        assert!(told.try_recv().is_err());

        let (runtime, told) = watched(backend, workers, quick());
        let job = runtime.spawn_blocking(|| spin(LONG));
        let id = job.id();
        runtime.block_on(job).unwrap();
        drop(runtime);
        assert!(told.iter().all(|report| of(&report) != Some(id)));
    });
}
