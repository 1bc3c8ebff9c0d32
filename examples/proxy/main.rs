//! Hands connections on to another address, both ways: TCP or Unix sockets at
//! either end.
//!
//! ```text
//! cargo run --release --example proxy -- --listen 127.0.0.1:8080 --upstream 127.0.0.1:80
//! ```
//!
//! ```text
//!   client ──▶ accept ──▶ connect to the upstream, within a limit ──▶ copy, both ways
//!                              │ refused, too slow                      │ each side's end is
//!                              ▼                                        │ handed on by itself
//!                        the client sees a close,                       ▼
//!                        the proxy goes on                     nothing moves: idle, close
//! ```
//!
//! Read in this order: `cli` (what may be asked for), this file (start, serve,
//! stop), `relay` (one connection), `address` (the two families).

mod address;
mod cli;
#[path = "../shared/peer.rs"]
mod peer;
mod relay;
#[path = "../shared/seconds.rs"]
mod seconds;

use std::io::{ErrorKind, Write, stderr, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use wakeline::net::{Listener, serve};
use wakeline::signal::unix::{Signal, SignalKind, exit_at_second, signal};
use wakeline::{Runtime, select};

use address::{Address, Stream};
use cli::Options;
use relay::Stats;

fn main() -> ExitCode {
    // Usage errors end here, with code 2.
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            tell(&message);
            ExitCode::FAILURE
        }
    }
}

/// Starts the runtime and serves on it. An error is one line for the user.
fn run(options: &Options) -> Result<(), String> {
    let mut builder = Runtime::builder().driver(options.driver);
    if let Some(workers) = options.workers {
        builder = builder.workers(workers.get().into());
    }
    let runtime = builder
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(proxy(options))
}

/// Listens, announces, hands on, drains and sums up.
async fn proxy(options: &Options) -> Result<(), String> {
    let started = Instant::now();
    // Before the announcement: whoever reads it may signal at once.
    let caught = "cannot catch signals";
    let interrupt = signal(SignalKind::interrupt()).map_err(|e| format!("{caught}: {e}"))?;
    let terminate = signal(SignalKind::terminate()).map_err(|e| format!("{caught}: {e}"))?;
    let _impatient =
        exit_at_second(SignalKind::interrupt(), 130).map_err(|e| format!("{caught}: {e}"))?;

    let listener = options.listen.bind().await;
    let listener = listener.map_err(|error| match &options.listen {
        at @ Address::Unix(_) if error.kind() == ErrorKind::AddrInUse => format!(
            "cannot listen on {at}: another program listens there, or something else has that path"
        ),
        _ => format!("cannot listen: {error}"),
    })?;
    let name = listener
        .local_name()
        .map_err(|error| format!("cannot tell the address: {error}"))?;
    say(&format!("listening on {name}, for {}", options.upstream));

    let stats = Arc::new(Stats::default());
    let handler = {
        let (stats, options) = (Arc::clone(&stats), options.clone());
        move |client: Stream, _peer| relay::connection(client, options.clone(), Arc::clone(&stats))
    };
    let report = serve(listener, handler)
        .max_connections(options.max_connections.map_or(usize::MAX, |n| n.get()))
        .grace(options.grace)
        .on_error(|error| tell(&error.to_string()))
        .with_shutdown(stopped(interrupt, terminate))
        .await;

    let seconds = started.elapsed().as_secs_f64();
    say(&format!(
        "stats connections={} finished={} failed={} cut_off={} {stats} seconds={seconds:.3}",
        report.accepted,
        report.finished,
        report.errors.values().sum::<u64>() + report.panicked,
        report.aborted,
    ));
    match report.broken {
        Some(error) => Err(format!("the listening socket failed: {error}")),
        None => Ok(()),
    }
}

/// Ends with the first signal.
async fn stopped(mut interrupt: Signal, mut terminate: Signal) {
    let first = select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    };
    say(&format!("stopping on {first}"));
}

/// What went wrong, for whoever reads that.
fn tell(what: &str) {
    let _ = writeln!(stderr().lock(), "proxy: {what}");
}

/// A line for whoever reads our output, if anybody still does.
fn say(line: &str) {
    let _ = writeln!(stdout().lock(), "{line}");
}
