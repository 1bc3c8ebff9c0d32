//! An echo server that could be left running.
//!
//! ```text
//! cargo run --release --example echo_server -- --listen 127.0.0.1:7777 --stats 1
//! ```
//!
//! Read in this order: `cli` (what may be asked for), this file (start, serve,
//! stop), `echo` (one connection); `listen`, `signals`, `stats` and `output` are
//! what the names say. The accept loop itself, with its cap, its
//! patience when descriptors run out and its graceful stop, is the library's
//! `wakeline::net::serve`.

mod cli;
mod echo;
mod listen;
mod output;
#[path = "../shared/peer.rs"]
mod peer;
#[path = "../shared/seconds.rs"]
mod seconds;
mod signals;
mod stats;

use std::future::{Future, IntoFuture, poll_fn};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Instant;

use clap::Parser;
use wakeline::Runtime;
use wakeline::net::{ServeError, serve};
use wakeline::time::sleep;

use cli::Options;
use listen::{Listeners, Stream};
use output::{Output, progress};
use signals::Signals;
use stats::{Stats, Totals};

fn main() -> ExitCode {
    // Usage errors end here, with code 2.
    let options = Options::parse();
    match run(&options) {
        Ok(code) => code,
        Err(message) => {
            progress(&format!("echo_server: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// Starts the runtime and serves on it. An error is one line for the user.
fn run(options: &Options) -> Result<ExitCode, String> {
    let runtime = Runtime::builder()
        .workers(options.workers())
        .driver(options.driver)
        .build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(server(&runtime, options))
}

/// Binds, announces, serves, drains and sums up.
async fn server(runtime: &Runtime, options: &Options) -> Result<ExitCode, String> {
    let started = Instant::now();
    let output = Output { json: options.json };
    let stats = Arc::new(Stats::new());
    // Before the announcement: whoever reads it may signal at once.
    let mut signals = Signals::new().map_err(|error| format!("cannot catch signals: {error}"))?;
    let listeners = Listeners::bind(&options.listen).await?;
    let names = listeners
        .names()
        .map_err(|error| format!("cannot tell the address: {error}"))?;
    output.listening(&names, runtime.backend(), options.workers());

    // Polled before the server in the same poll below, so the order to stop,
    // which is a flag, needs no waker of its own.
    let stopped_by = Arc::new(OnceLock::new());
    let twice = async {
        let signal = signals.next().await;
        let _ = stopped_by.set(signal);
        let totals = stats.totals();
        output.stopping(
            signal,
            totals.opened.saturating_sub(totals.closed),
            options.grace,
        );
        signals.next().await
    };
    let told_to_stop = {
        let stopped_by = Arc::clone(&stopped_by);
        poll_fn(move |_| {
            if stopped_by.get().is_some() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    };

    let handler = {
        let (stats, idle) = (Arc::clone(&stats), options.idle_timeout);
        move |stream: Stream, _peer| {
            let stats = Arc::clone(&stats);
            async move { echo::connection(stream, &stats, idle).await }
        }
    };
    let serving = serve(listeners, handler)
        .max_connections(options.max_connections.map_or(usize::MAX, |n| n.get()))
        .grace(options.grace)
        .on_error({
            let stats = Arc::clone(&stats);
            move |error| tell(&stats, error)
        })
        .with_shutdown(told_to_stop);

    let mut serving = Some(serving.into_future());
    let mut twice = pin!(twice);
    let mut ticker = pin!(tick(output, &stats, options.stats, started));
    let end = poll_fn(|cx| {
        if let Poll::Ready(signal) = twice.as_mut().poll(cx) {
            return Poll::Ready(Err(signal));
        }
        if let Some(serving) = &mut serving
            && let Poll::Ready(report) = serving.as_mut().poll(cx)
        {
            return Poll::Ready(Ok(report));
        }
        let _never = ticker.as_mut().poll(cx);
        Poll::Pending
    })
    .await;

    let totals = stats.totals();
    match end {
        Ok(report) => {
            let signal = stopped_by.get().copied().unwrap_or("an error");
            output.summary(signal, &totals, Some(&report), started.elapsed());
            match report.broken {
                Some(error) => Err(format!("the listening socket failed: {error}")),
                None => Ok(ExitCode::SUCCESS),
            }
        }
        Err(signal) => {
            // Its drop aborts the connections; nobody waits for them.
            drop(serving.take());
            output.summary(signal, &totals, None, started.elapsed());
            Ok(ExitCode::from(130))
        }
    }
}

/// Prints the figures every so often, for ever.
async fn tick(
    output: Output,
    stats: &Stats,
    period: Option<std::time::Duration>,
    started: Instant,
) {
    let Some(period) = period else {
        return std::future::pending().await;
    };
    let (mut before, mut at) = (Totals::default(), started);
    loop {
        sleep(period).await;
        let (now, totals) = (Instant::now(), stats.totals());
        output.stats(&totals, &before, now - started, now - at);
        (before, at) = (totals, now);
    }
}

/// Counts an error; the first of each kind is told, the others only in the summary.
fn tell(stats: &Stats, error: &ServeError) {
    let (kind, hint) = match error {
        ServeError::Accept { error, .. } => {
            let out_of_descriptors = error.raw_os_error() == Some(libc::EMFILE);
            (
                format!("accept: {}", stats::kind(error)),
                if out_of_descriptors {
                    limit()
                } else {
                    String::new()
                },
            )
        }
        ServeError::Connection { error, .. } => (stats::kind(error), String::new()),
        _ => ("panic".to_owned(), String::new()),
    };
    if stats.failed(&kind) {
        progress(&format!("{error}{hint} (more of these are only counted)"));
    }
}

/// The limit of descriptors, and how to raise it.
fn limit() -> String {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or("unknown");
    format!(" - the limit is {soft}; raise it with `ulimit -n`")
}
