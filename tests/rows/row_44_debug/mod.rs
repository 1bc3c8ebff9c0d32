//! Debug mode: slow polls, failures that nobody saw, futures and finalizers that never ran, the
//! task list, and calls from the wrong place.

mod advice;
mod dump;
mod finalizers;
mod slow;
mod unseen;

use crate::support::{Backend, for_each_backend};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use wakeline::debug::{DebugConfig, Report};
use wakeline::{Runtime, task, yield_now};

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
