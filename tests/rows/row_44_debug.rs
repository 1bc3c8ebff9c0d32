//! Debug mode: slow polls, failures that nobody saw, futures that never ran, the
//! task list, and calls from the wrong place.

use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use wakeline::debug::{DebugConfig, Finding, Report, SubjectKind, Then};
use wakeline::sync::{Event, Mutex};
use wakeline::{JoinSet, Runtime, scope, spawn, task, yield_now};

use crate::support::{Backend, for_each_backend};

/// Runs `test` on both backends, on one worker and on two.
#[track_caller]
fn on_each(test: impl Fn(Backend, usize)) {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            eprintln!("-- {workers} worker(s)");
            test(backend, workers);
        }
    });
}

/// A runtime in debug mode, and what it reports.
#[track_caller]
fn watched(backend: Backend, workers: usize, config: DebugConfig) -> (Runtime, Receiver<Report>) {
    let (reports, told) = mpsc::channel();
    let config = config.on_report(move |report| drop(reports.send(report.clone())));
    let builder = backend.builder().workers(workers).debug(config);
    (builder.build().expect("a runtime"), told)
}

/// No poll is slow.
fn patient() -> DebugConfig {
    DebugConfig::new().slow_poll(Duration::MAX)
}

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

fn of(report: &Report) -> Option<task::Id> {
    report.finding.subject().and_then(|subject| subject.id)
}

/// The next report on the task.
async fn report_of(id: task::Id, told: &Receiver<Report>) -> Report {
    loop {
        match told.try_recv() {
            Ok(report) if of(&report) == Some(id) => return report,
            Ok(_) => {}
            Err(_) => yield_now().await,
        }
    }
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

#[test]
fn the_dump_shows_who_waits_where_and_for_whom() {
    on_each(|backend, workers| {
        let (runtime, _told) = watched(backend, workers, patient());
        runtime.block_on(async {
            let lock = std::sync::Arc::new(Mutex::new(()));
            let theirs = lock.clone();
            let holder = task::Builder::new().name("holder").spawn(async move {
                let _held = theirs.lock().await;
                std::future::pending::<()>().await;
            });
            let holder_id = holder.id();
            while lock.owner() != Some(holder_id.get()) {
                yield_now().await;
            }
            let waits = line!() + 1;
            let waiter = spawn(async move { drop(lock.lock().await) });
            let joins = line!() + 1;
            let joiner = spawn(async { holder.await.unwrap_err() });
            // On two workers each may be in its poll still.
            let lines = [
                format!("#{holder_id} \"holder\" Idle, spawned at {}:", file!()),
                format!(
                    "waits for a mutex held by #{holder_id} at {}:{waits}:",
                    file!()
                ),
                format!("#{} Idle, spawned at {}:{waits}:", waiter.id(), file!()),
                format!("waits for the end of #{holder_id} at {}:", file!()),
                format!("#{} Idle, spawned at {}:{joins}:", joiner.id(), file!()),
            ];
            let dump = loop {
                let dump = wakeline::Handle::current().dump();
                let text = dump.to_string();
                if lines.iter().all(|line| text.contains(line)) {
                    break dump;
                }
                yield_now().await;
            };
            let text = dump.to_string();
            assert!(text.starts_with("tasks: 3\n"), "{text}");
            assert!(
                text.contains("\nblock_on: 1\n"),
                "the root, in debug mode: {text}"
            );
            assert!(dump.cycles().is_empty());
            drop((waiter, joiner));
        });
    });
}

#[test]
fn the_dump_shows_tasks_that_wait_for_each_other_or_for_themselves() {
    on_each(|backend, workers| {
        let runtime = backend.runtime(workers); // no debug mode needed
        runtime.block_on(async {
            // One that awaits its own handle.
            let (give, given) = wakeline::sync::oneshot::channel();
            let own = spawn(async move {
                let handle: wakeline::JoinHandle<()> = given.await.unwrap();
                handle.await.unwrap();
            });
            let narcissus = own.id().get();
            assert!(give.send(own).is_ok());
            // Two that hold a mutex each and want the other's.
            let [a, b] = [(); 2].map(|()| std::sync::Arc::new(Mutex::new(())));
            let both = std::sync::Arc::new(wakeline::sync::Barrier::new(2));
            let embrace = |first: &std::sync::Arc<Mutex<()>>,
                           second: &std::sync::Arc<Mutex<()>>| {
                let (first, second, both) = (first.clone(), second.clone(), both.clone());
                spawn(async move {
                    let _first = first.lock().await;
                    both.wait().await.expect("nobody leaves");
                    drop(second.lock().await);
                })
            };
            let (left, right) = (embrace(&a, &b), embrace(&b, &a));
            let dump = loop {
                let dump = wakeline::Handle::current().dump();
                if dump.cycles().len() == 2 {
                    break dump;
                }
                yield_now().await;
            };
            let mut pair = vec![left.id().get(), right.id().get()];
            pair.sort_unstable();
            let mut cycles: Vec<Vec<u64>> =
                dump.cycles().into_iter().map(|cycle| cycle.tasks).collect();
            cycles.sort_by_key(Vec::len);
            cycles[1].sort_unstable();
            assert_eq!(cycles, [vec![narcissus], pair]);
            let text = dump.to_string();
            let itself = format!("in a circle: #{narcissus} waits for itself\n");
            assert!(text.contains(&itself), "{text}");
        });
    });
}

#[test]
fn calls_from_the_wrong_place_are_refused_with_advice() {
    #[track_caller]
    fn refuses(call: impl FnOnce(), words: &str) {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
        let payload = panic.expect_err("it is refused");
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .expect("a text");
        assert!(text.contains(words), "{text:?} has no {words:?}");
    }
    refuses(|| drop(spawn(async {})), "no runtime on this thread");
    refuses(
        || drop(wakeline::spawn_local(async {})),
        "call it inside `block_on` or a task",
    );
    refuses(|| drop(task::current()), "no task runs on this thread");
    on_each(|backend, workers| {
        let (runtime, _told) = watched(backend, workers, patient());
        let handle = runtime.handle();
        runtime.block_on(async {
            refuses(|| handle.block_on(async {}), "await the future");
            refuses(
                || drop(spawn(async {}).blocking_join(None)),
                "await the handle instead",
            );
            // A thread of the blocking pool is in the runtime but runs no tasks.
            let job = wakeline::spawn_blocking(|| {
                refuses(
                    || drop(wakeline::spawn_local(async {})),
                    "call it inside `block_on` or a task",
                );
            });
            job.await.unwrap();
        });
        if workers == 1 {
            std::thread::scope(|threads| {
                let other = threads.spawn(|| runtime.poll_once(Duration::ZERO).unwrap_err());
                let error = other.join().unwrap().to_string();
                assert!(error.contains("bound to"), "{error}");
            });
        }
    });
}

/// Does something wrong on a runtime whose builder says nothing of debug mode.
#[test]
#[ignore = "run by the test below, as a process with an environment of its own"]
fn a_program_with_a_slow_start() {
    match Runtime::builder().workers(1).build() {
        Ok(runtime) => runtime.block_on(async {
            drop(spawn(async { Err::<(), _>("nobody saw this") }));
            yield_now().await;
        }),
        Err(error) => eprintln!("refused ({:?}): {error}", error.kind()),
    }
}

#[test]
fn the_environment_turns_it_on_where_the_builder_says_nothing() {
    let stderr = |value: Option<&str>| {
        let program = std::env::current_exe().expect("the test knows its own path");
        let mut command = Command::new(program);
        command.args([
            "--exact",
            "row_44_debug::a_program_with_a_slow_start",
            "--ignored",
            "--nocapture",
        ]);
        match value {
            Some(value) => command.env("WAKELINE_DEBUG", value),
            None => command.env_remove("WAKELINE_DEBUG"),
        };
        let output = command.output().expect("it starts");
        assert!(output.status.success());
        String::from_utf8(output.stderr).expect("text")
    };
    let on = stderr(Some("1"));
    // On a busy machine polls are reported, too, which have become slow.
    let failure = "nobody has looked at a failure: task ";
    let line = on.lines().find(|line| line.contains(failure));
    let line = line.unwrap_or_else(|| panic!("nothing reported: {on}"));
    assert!(line.starts_with("wakeline: "), "{line}");
    assert!(line.ends_with(": nobody saw this"), "{line}");
    for off in [None, Some("0"), Some("")] {
        assert!(!stderr(off).contains("wakeline: "), "{off:?}");
    }
    let wrong = stderr(Some("true"));
    assert!(
        wrong.contains("refused (InvalidInput): WAKELINE_DEBUG=true: use 1 "),
        "{wrong}"
    );
}
