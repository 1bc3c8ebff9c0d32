//! The recorder and its timeline: who ran when, who waited, who woke whom.

use std::sync::Arc;
use std::time::Duration;

use wakeline::future::join_all;
use wakeline::sync::Event;
use wakeline::task;
use wakeline::time::sleep;
use wakeline::trace::{End, Recorder, Span, State, TaskLine, Timeline, What, WokenBy};
use wakeline::{JoinHandle, Runtime, spawn, spawn_blocking, yield_now};
use wakeline_context::Kind;

use crate::row_26_virtual_time::{MS, S};
use crate::support::for_each_backend;
use crate::with_every_runtime;

/// What `test` does with paused time, on both backends, written down.
#[track_caller]
fn recorded<F: Future<Output = ()>>(test: impl Fn() -> F, look: impl Fn(&Timeline)) {
    for_each_backend(|backend| {
        let recorder = Recorder::new(10_000);
        let runtime = backend
            .builder()
            .start_paused(true)
            .recorder(&recorder)
            .build()
            .expect("a runtime");
        runtime.block_on(test());
        drop(runtime);
        assert_eq!(recorder.dropped(), 0);
        look(&recorder.timeline());
    });
}

fn named<F>(name: &str, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    task::Builder::new().name(name).spawn(future)
}

/// When it was created and when it ended.
#[track_caller]
fn life(timeline: &Timeline, name: &str) -> (Duration, Duration) {
    let task = timeline.task(name).expect("it was recorded");
    let ended = task.ended.as_ref().expect("it ended").0;
    (task.created.expect("it was created"), ended)
}

const COROUTINES: [(&str, u64); 3] = [("first", 1), ("second", 2), ("third", 3)];

#[test]
fn three_tasks_that_are_joined_overlap_and_the_total_is_the_longest() {
    let test = || async {
        let tasks = COROUTINES.map(|(name, seconds)| named(name, sleep(S(seconds))));
        for task in join_all(tasks).await {
            task.expect("no panic");
        }
    };
    recorded(test, |timeline| {
        assert_eq!(timeline.length(), S(3));
        for (name, seconds) in COROUTINES {
            assert_eq!(life(timeline, name), (S(0), S(seconds)));
            let task = timeline.task(name).expect("it was recorded");
            assert_eq!(task.polls(), 2);
        }
        let bars = [
            "#---------#---------#---------|",
            "#---------|",
            "#-------------------|",
            "#-----------------------------|",
        ];
        expect_bars(timeline, &bars);
    });
}

#[test]
fn three_tasks_awaited_one_by_one_are_back_to_back_and_the_total_is_the_sum() {
    let test = || async {
        for (name, seconds) in COROUTINES {
            named(name, sleep(S(seconds))).await.expect("no panic");
        }
    };
    recorded(test, |timeline| {
        assert_eq!(timeline.length(), S(6));
        assert_eq!(life(timeline, "first"), (S(0), S(1)));
        assert_eq!(life(timeline, "second"), (S(1), S(3)));
        assert_eq!(life(timeline, "third"), (S(3), S(6)));
        let bars = [
            "#----#---------#--------------|",
            "#----|",
            "     #---------|",
            "               #--------------|",
        ];
        expect_bars(timeline, &bars);
    });
}

/// The bars of the `block_on` and of the tasks.
#[track_caller]
fn expect_bars(timeline: &Timeline, expected: &[&str]) {
    let bars = timeline.tasks.iter().map(|task| timeline.bar(task, 31));
    let bars: Vec<String> = bars.map(|bar| bar.trim_end().to_owned()).collect();
    assert_eq!(bars, expected);
}

#[test]
fn each_wait_and_each_wake_is_told_with_who_and_where() {
    let test = || async {
        let event = Arc::new(Event::new());
        let theirs = Arc::clone(&event);
        let waiter = named("waiter", async move {
            theirs.wait().await;
            sleep(S(1)).await;
        });
        let setter = named("setter", async move {
            sleep(S(2)).await;
            event.set();
        });
        waiter.await.expect("no panic");
        setter.await.expect("no panic");
    };
    recorded(test, |timeline| {
        let (root, waiter, setter) = (
            &timeline.tasks[0],
            timeline.task("waiter").expect("it was recorded"),
            timeline.task("setter").expect("it was recorded"),
        );
        assert!(root.is_root && root.name.is_none());
        assert_eq!(waiter.spawned_by, Some(root.id));
        let spawned_at = waiter.spawned_at.expect("it was created");
        assert!(spawned_at.file().ends_with("row_45_timeline.rs"));

        let wakes: Vec<WokenBy> = waiter.wakes().collect();
        assert_eq!(wakes, [WokenBy::Task(setter.id), WokenBy::Driver]);
        let wakes: Vec<WokenBy> = setter.wakes().collect();
        assert_eq!(wakes, [WokenBy::Driver]);
        // By the end of the task that it joins.
        assert_eq!(root.wakes().next(), Some(WokenBy::Task(waiter.id)));

        let waits: Vec<_> = waiter.waits().map(|on| (on.kind, on.location)).collect();
        assert_eq!(waits.len(), 2);
        assert_eq!((waits[0].0, waits[1].0), (Kind::Lock, Kind::Timer));
        assert_eq!(waits[0].1.file(), file!());
        assert_eq!(waits[1].1.line(), waits[0].1.line() + 1);
        let joined = root.waits().next().expect("it waited");
        assert_eq!((joined.kind, joined.id), (Kind::Join, waiter.id));

        assert_eq!(life(timeline, "waiter"), (S(0), S(3)));
        assert_eq!(life(timeline, "setter"), (S(0), S(2)));
        timeline.tasks.iter().for_each(expect_no_gaps);
    });
}

/// Each span begins where the one before ends.
#[track_caller]
fn expect_no_gaps(task: &TaskLine) {
    for pair in task.spans.windows(2) {
        assert_eq!(pair[0].to, pair[1].from, "{task:?}");
        assert!(pair[0].from <= pair[0].to, "{task:?}");
        assert_ne!(
            std::mem::discriminant(&pair[0].state),
            std::mem::discriminant(&pair[1].state),
            "{task:?}"
        );
    }
}

#[test]
fn a_task_that_is_cancelled_and_one_that_panics_end_as_such() {
    let test = || async {
        let cancelled = named("cancelled", sleep(S(10)));
        let early = named("early", sleep(S(10)));
        early.cancel("before it ran");
        let panics = named("panics", async {
            sleep(S(1)).await;
            panic!("on purpose");
        });
        assert!(panics.await.expect_err("it panics").is_panic());
        cancelled.cancel("no longer needed");
        assert!(cancelled.await.expect_err("cancelled").is_cancelled());
        assert!(early.await.expect_err("cancelled").is_cancelled());
    };
    recorded(test, |timeline| {
        let how = |name: &str| {
            let task = timeline.task(name).expect("it was recorded");
            let (at, how) = task.ended.clone().expect("it ended");
            (at, how.to_string(), task.polls())
        };
        let told = |text: &str| format!("cancelled: {text}");
        assert_eq!(how("panics"), (S(1), "panicked".to_owned(), 2));
        assert_eq!(how("cancelled"), (S(1), told("no longer needed"), 1));
        assert_eq!(how("early"), (S(0), told("before it ran"), 0));
        let cancelled = timeline.task("cancelled").expect("it was recorded");
        let root = &timeline.tasks[0];
        // Who cancels it queues it for its end.
        assert_eq!(cancelled.wakes().last(), Some(WokenBy::Task(root.id)));
        assert!(matches!(root.ended, Some((_, End::Done))));
    });
}

#[test]
fn a_record_with_paused_time_is_the_same_each_time() {
    let texts = std::cell::RefCell::new(Vec::new());
    let test = || async {
        let ticks = COROUTINES.map(|(name, seconds)| {
            named(name, async move {
                for _ in 0..3 {
                    sleep(MS(seconds * 100)).await;
                    yield_now().await;
                }
            })
        });
        for task in join_all(ticks).await {
            task.expect("no panic");
        }
    };
    for _ in 0..2 {
        recorded(test, |timeline| {
            // Ids go on counting in a process: the first one is the zero here.
            let first = timeline.tasks[0].id;
            let lives = timeline.tasks.iter().map(|task| {
                let spans = task.spans.iter().map(|span| match span.state {
                    State::Queued {
                        woken_by: Some(WokenBy::Task(by)),
                        ..
                    } => format!("{:?} woken by {}", span.from, by - first),
                    State::Waiting { on: Some(on), .. } => format!("{:?} {}", span.from, on.kind),
                    state => format!("{:?} {state:?}", span.from),
                });
                (task.id - first, spans.collect::<Vec<_>>())
            });
            texts.borrow_mut().push(lives.collect::<Vec<_>>());
        });
    }
    let texts = texts.into_inner();
    assert!(texts.len() >= 2);
    texts.windows(2).for_each(|two| assert_eq!(two[0], two[1]));
}

#[test]
fn the_ring_is_bounded_and_counts_what_it_forgot() {
    for_each_backend(|backend| {
        let recorder = Recorder::new(50);
        let runtime = backend.builder().workers(1).recorder(&recorder);
        let runtime = runtime.build().expect("a runtime");
        runtime.block_on(async {
            for _ in 0..100 {
                spawn(yield_now()).await.expect("no panic");
            }
        });
        drop(runtime);
        assert_eq!(recorder.events().len(), 50);
        assert!(recorder.dropped() >= 500, "{recorder:?}");
        let timeline = recorder.timeline();
        assert_eq!(timeline.dropped, recorder.dropped());
        // The `block_on` began before what is known, and is told from there on.
        let root = timeline.tasks.iter().find(|task| task.created.is_none());
        assert!(root.expect("the block_on").ended.is_some());
        assert!(timeline.to_text(40).contains("are forgotten"));

        recorder.clear();
        assert_eq!((recorder.events().len(), recorder.dropped()), (0, 0));
    });
}

#[test]
fn a_runtime_without_a_recorder_records_nothing_in_those_of_others() {
    with_every_runtime(|silent| {
        let recorder = Recorder::new(1_000);
        let recorded = Runtime::builder().workers(1).recorder(&recorder).build();
        let recorded = recorded.expect("a runtime");
        silent.block_on(async {
            spawn(sleep(MS(1))).await.expect("no panic");
        });
        assert_eq!(recorder.events().len(), 0);
        recorded.block_on(yield_now());
        assert!(!recorder.events().is_empty());
    });
}

#[test]
fn on_every_runtime_a_task_waits_at_least_as_long_as_it_slept_and_its_life_has_no_gaps() {
    for_each_backend(|backend| {
        for workers in [1, 2] {
            let recorder = Recorder::new(10_000);
            let runtime = backend.builder().workers(workers).recorder(&recorder);
            let runtime = runtime.build().expect("a runtime");
            runtime.block_on(async {
                let tasks: Vec<_> = (0..8)
                    .map(|_| {
                        named("sleeper", async {
                            sleep(MS(5)).await;
                            yield_now().await;
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("no panic");
                }
            });
            drop(runtime);
            let timeline = recorder.timeline();
            let sleepers = timeline.tasks.iter().filter(|task| task.name.is_some());
            assert_eq!(sleepers.clone().count(), 8);
            for sleeper in sleepers {
                expect_no_gaps(sleeper);
                assert!(matches!(sleeper.ended, Some((_, End::Done))));
                assert!(sleeper.lived() >= MS(5), "{sleeper:?}");
                assert!(sleeper.polls() >= 3, "{sleeper:?}");
                let slept = sleeper.spans.iter().find(|span| {
                    matches!(span.state, State::Waiting { on: Some(on), .. } if on.kind == Kind::Timer)
                });
                let Some(slept) = slept else {
                    // Its time was over before the poll that armed it had ended.
                    let running = |span: &&Span| matches!(span.state, State::Running { .. });
                    let armed = sleeper.spans.iter().find(running).expect("it ran");
                    assert!(armed.to - armed.from >= MS(5), "{sleeper:?}");
                    continue;
                };
                // Armed in the poll, a little before the span begins.
                let began = sleeper.created.expect("it was created");
                assert!(slept.to - began >= MS(5), "{sleeper:?}");
                for span in &sleeper.spans {
                    if let State::Running { worker, .. } = span.state {
                        assert!(worker.is_some_and(|worker| worker < workers));
                    }
                }
            }
        }
    });
}

#[test]
fn a_blocking_job_and_another_thread_are_told_apart_from_tasks_and_the_driver() {
    with_recorder(|runtime, recorder| {
        runtime.block_on(async {
            let answer = spawn_blocking(|| 42).await;
            assert_eq!(answer.expect("no panic"), 42);
        });
        let timeline = recorder.timeline();
        let root = timeline.tasks.iter().find(|task| task.is_root);
        let root = root.expect("the block_on");
        let job = timeline.tasks.iter().find(|task| !task.is_root);
        let job = job.expect("the job");
        assert_eq!(job.polls(), 1);
        let on_no_worker = |span: &Span| matches!(span.state, State::Running { worker: None, .. });
        assert!(job.spans.iter().any(on_no_worker));
        // Perhaps it was over before it was asked for.
        if let Some(by) = root.wakes().last() {
            assert_eq!(by, WokenBy::Task(job.id));
        }

        recorder.clear();
        let (sender, receiver) = wakeline::sync::oneshot::channel();
        let other = std::thread::spawn(move || {
            std::thread::sleep(MS(20));
            let _ = sender.send(1);
        });
        let _ = runtime.block_on(async { named("waits", receiver).await });
        other.join().expect("no panic");
        let timeline = recorder.timeline();
        let waits = timeline.task("waits").expect("it was recorded");
        if let Some(by) = waits.wakes().last() {
            assert_eq!(by, WokenBy::Outside);
        }
    });
}

#[test]
fn a_panic_of_the_block_on_is_its_end() {
    with_recorder(|runtime, recorder| {
        let panics =
            std::panic::AssertUnwindSafe(|| runtime.block_on(async { panic!("on purpose") }));
        assert!(std::panic::catch_unwind(panics).is_err());
        let timeline = recorder.timeline();
        assert!(matches!(timeline.tasks[0].ended, Some((_, End::Panicked))));
    });
}

#[test]
fn what_tasks_do_at_the_end_of_the_runtime_is_recorded_too() {
    for_each_backend(|backend| {
        let recorder = Recorder::new(1_000);
        let runtime = backend.builder().workers(1).recorder(&recorder);
        let runtime = runtime.build().expect("a runtime");
        runtime.block_on(async {
            drop(named("forgotten", std::future::pending::<()>()));
            yield_now().await;
        });
        let timeline = recorder.timeline();
        assert!(
            timeline
                .task("forgotten")
                .expect("it is there")
                .ended
                .is_none()
        );
        drop(runtime);
        let events = recorder.events();
        let last = events.last().expect("some");
        assert!(matches!(last.what, What::Ended { .. }));
        let timeline = recorder.timeline();
        let (_, how) = timeline
            .task("forgotten")
            .and_then(|it| it.ended.clone())
            .expect("ended");
        assert!(matches!(how, End::Cancelled(_)), "{how:?}");
    });
}

/// Runs `test` with a one-worker runtime that is recorded, on both backends.
#[track_caller]
fn with_recorder(test: impl Fn(&Runtime, &Recorder)) {
    for_each_backend(|backend| {
        let recorder = Recorder::new(1_000);
        let runtime = backend.builder().workers(1).recorder(&recorder);
        test(&runtime.build().expect("a runtime"), &recorder);
    });
}
