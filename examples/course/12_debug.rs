//! 12. Debug mode: what goes wrong without an error.
//!
//! `WAKELINE_DEBUG=1`, or `Builder::debug(true)`, tells of polls that keep their
//! thread, of failures that nobody looked at and of tasks that never ran: a line
//! to stderr each, or a report to a hook, as here. `Handle::dump` lists the tasks
//! and what each waits for, with the line; who waits for each other in a circle
//! stands below. That one works without debug mode, too.
//!
//! In asyncio: `PYTHONASYNCIODEBUG=1`, `asyncio.run(debug=True)`,
//! `loop.slow_callback_duration`, "Task exception was never retrieved", and
//! `python -m asyncio pstree` (3.14). "coroutine was never awaited" is a
//! warning of the compiler here.
//!
//! ```text
//! at the table: "anna" waits for a mutex
//! at the table: "bert" waits for a mutex
//! 2 wait for each other: a deadlock
//! reports:
//!   "hasty" kept its thread for more than 100 ms; now it has ended
//!   nobody looked at "careless": the disk is full
//!   "tardy" never ran
//! ```

#[macro_use]
mod support;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use support::MS;
use wakeline::debug::{DebugConfig, Finding, Report};
use wakeline::sync;
use wakeline::test::wait_all_blocked;
use wakeline::{Handle, task, yield_now};

fn named(name: &str) -> task::Builder {
    task::Builder::new().name(name)
}

/// Two forks, two diners, each with one in hand and waiting for the other.
async fn dine() {
    let forks = [(); 2].map(|()| Arc::new(sync::Mutex::new(())));
    for (name, first, second) in [("anna", 0, 1), ("bert", 1, 0)] {
        let (first, second) = (Arc::clone(&forks[first]), Arc::clone(&forks[second]));
        drop(named(name).spawn(async move {
            let _one = first.lock().await;
            yield_now().await;
            let _both = second.lock().await;
        }));
    }
    wait_all_blocked().await;
    let dump = Handle::current().dump(); // `say!("{dump}")` shows it all
    for task in &dump.tasks {
        if let (Some(name), Some(waiting)) = (&task.name, task.waiting_on) {
            say!("at the table: {name:?} waits for a {}", waiting.kind);
        }
    }
    for circle in dump.cycles() {
        say!("{} wait for each other: a deadlock", circle.tasks.len());
    }
}

async fn go_wrong() {
    let hasty = named("hasty").spawn(async { thread::sleep(120 * MS) });
    let careless = named("careless").spawn(async { Err::<(), _>("the disk is full") });
    drop(careless); // with it goes whoever could have seen the error
    let _ = hasty.await;
    yield_now().await;
    drop(named("tardy").spawn(async {})); // and main returns
}

fn tell(report: &Report) -> Option<String> {
    let name = report.finding.subject()?.name.as_ref()?;
    match &report.finding {
        // On a busy machine others may be slow, too, through no fault of theirs.
        Finding::SlowPoll { then, .. } if &**name == "hasty" => Some(format!(
            "{name:?} kept its thread for more than 100 ms; now {then}"
        )),
        Finding::Unobserved { message, .. } => {
            Some(format!("nobody looked at {name:?}: {message}"))
        }
        Finding::NeverPolled { .. } => Some(format!("{name:?} never ran")),
        _ => None,
    }
}

fn main() {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&reports);
    let debug = DebugConfig::new()
        .slow_poll(100 * MS)
        .on_report(move |report| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.extend(tell(report));
        });
    let runtime = support::runtime(|builder| builder.debug(debug));
    runtime.block_on(async {
        dine().await;
        go_wrong().await;
    });
    drop(runtime);
    say!("reports:");
    for report in reports
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
    {
        say!("  {report}");
    }
}
