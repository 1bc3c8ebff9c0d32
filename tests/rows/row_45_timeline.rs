//! The recorder and its timeline: who ran when, who waited, who woke whom.

use std::sync::Arc;
use std::time::Duration;

use wakeline::future::join_all;
use wakeline::sync::Event;
use wakeline::task::{self, JoinHandle};
use wakeline::time::{self, sleep};
use wakeline::trace::{End, Recorder, State, TaskLine, Timeline, What, WokenBy};
use wakeline::{spawn, spawn_blocking, yield_now};

use crate::row_26_virtual_time::{MS, S};
use crate::support::for_each_backend;

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
            "#-----------------------------|",
            "#---------|",
            "#-------------------|",
            "#-----------------------------|",
        ];
        expect_bars(timeline, &["#---------#---------#---------|"], &bars[1..]);
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
            "#----|",
            "     #---------|",
            "               #--------------|",
        ];
        expect_bars(timeline, &["#----#---------#--------------|"], &bars);
    });
}

/// The bars of the `block_on` and of the tasks.
#[track_caller]
fn expect_bars(timeline: &Timeline, root: &[&str], tasks: &[&str]) {
    let text = timeline.to_text(31);
    let bars: Vec<&str> = text
        .lines()
        .skip(1)
        .map(|line| {
            let start = line.find(['=', '-', '|']).expect("a bar");
            let hash = line.find(" #").expect("an id");
            let bar = &line[hash + 2..];
            let bar = &bar[bar.find(' ').expect("a bar") + 1..];
            assert!(start > hash);
            bar[..31].trim_end()
        })
        .collect();
    assert_eq!(bars, [root, tasks].concat(), "{text}");
}
