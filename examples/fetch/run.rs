//! One pass over all URLs: a task each, and a semaphore that lets so many run at once.
//!
//! This is the part that a tutorial on concurrency shows: spawn everything, bound it, gather the
//! results. A fetch that fails is a result like any other, and one that panics takes only its own
//! task with it. Ctrl-C aborts the tasks that have not ended: their futures are dropped, which closes
//! their connections and removes their half-written files.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use wakeline::{JoinError, JoinHandle, spawn, sync::Semaphore};

use super::{
    client::{Client, Job, Options},
    error::{Failure, Kind},
    progress::Progress,
    report::Outcome,
    trace::Trace,
};

/// What a pass has come to.
pub(crate) struct Pass {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) elapsed: Duration,
    pub(crate) concurrency: usize,
    pub(crate) interrupted: bool,
}

/// Fetches all `jobs`, `concurrency` at a time, until they are done or `interrupt` is ready.
pub(crate) async fn pass(
    jobs: &[Job],
    options: &Arc<Options>,
    concurrency: usize,
    interrupt: impl Future<Output = ()>,
) -> Pass {
    let start = Instant::now();
    let client = Arc::new(Client::new(Arc::clone(options)));
    let progress = Arc::new(Progress::new(jobs.len()));
    let gate = Arc::new(Semaphore::new(concurrency));
    let mut tasks: Vec<JoinHandle<Outcome>> = jobs
        .iter()
        .map(|job| {
            let (client, progress, gate, job) = (
                Arc::clone(&client),
                Arc::clone(&progress),
                Arc::clone(&gate),
                job.clone(),
            );
            spawn(async move {
                let _permit = gate.acquire().await.expect("nobody closes it");
                let shown = job.shown();
                let bar = progress.start(&shown);
                let outcome = client.fetch(&job, &bar).await;
                if let Some(failure) = &outcome.error {
                    bar.note(&format!("{shown}: {failure}"));
                }
                outcome
            })
        })
        .collect();

    let mut interrupt = pin!(interrupt);
    let mut interrupted = false;
    let mut outcomes = Vec::with_capacity(jobs.len());
    for (at, job) in jobs.iter().enumerate() {
        let joined = poll_fn(|cx| {
            if !interrupted && interrupt.as_mut().poll(cx).is_ready() {
                interrupted = true;
                // The ones that have ended keep their outcome.
                tasks[at..].iter().for_each(JoinHandle::abort);
            }
            Pin::new(&mut tasks[at]).poll(cx)
        })
        .await;
        outcomes.push(joined.unwrap_or_else(|error| ended_early(job, &error)));
    }
    progress.finish();
    Pass {
        outcomes,
        elapsed: start.elapsed(),
        concurrency,
        interrupted,
    }
}

/// The outcome of a task that did not live to tell its own.
fn ended_early(job: &Job, error: &JoinError) -> Outcome {
    let failure = match error.is_cancelled() {
        true => Failure::new(Kind::Cancelled, "interrupted"),
        false => Failure::new(Kind::Internal, format!("a bug in fetch: {error}")),
    };
    Outcome {
        url: job.shown(),
        file: None,
        trace: Trace::default(),
        retries: 0,
        total: Duration::ZERO,
        error: Some(failure),
    }
}
