//! The clients: ours, and plain threads as its control.

mod link;
mod ours;
mod pump;
mod threads;

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::cli::Client;
use crate::run::Run;
use crate::tally::Tally;

/// Starts the threads of the client; each comes to the barrier when its
/// connections are made or have failed.
///
/// # Errors
///
/// One line for the user, if a thread or its runtime cannot be had.
pub(crate) fn start(client: Client, run: &Arc<Run>) -> Result<Vec<JoinHandle<Tally>>, String> {
    (0..run.threads)
        .map(|nth| {
            // Here, so that what fails is told before anything has begun.
            let runtime = match client {
                Client::Wakeline => Some(ours::runtime(run)?),
                Client::Threads => None,
            };
            let run = Arc::clone(run);
            let thread = std::thread::Builder::new().name(format!("load-{nth}"));
            thread
                .spawn(move || match runtime {
                    Some(runtime) => ours::thread(&run, nth, runtime),
                    None => threads::connection(&run, nth),
                })
                .map_err(|error| {
                    format!("cannot start thread {nth}: {error}; try fewer connections, or --client wakeline")
                })
        })
        .collect()
}
