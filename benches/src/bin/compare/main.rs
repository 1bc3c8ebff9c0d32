//! Question: what does an echo server cost on each runtime, beside the peers
//! and beside loops with nothing around them?
//!
//! Setup:    every server is a process of its own, started once and kept; the
//!           cells are measured in rounds, each server in turn within a round,
//!           in an order that changes, so that a noisy spell hits all alike.
//!           Server and `load` are pinned: to one processor both (the robust
//!           figure, `--cpus one`), or to one each (`--cpus two`).
//! Counts:   processor time of the server in nanoseconds a message, and messages
//!           a second; every byte is verified.
//! Leaves out: a network card; other sizes than those of the cells.
//! Compare:  the ratio to `--base` in the same round, the median of the rounds with
//!           the least and the greatest; above 1 is better than the base.
//!
//! ```text
//! cargo build --release -p wakeline-benches --features peers
//! cargo run --release -p wakeline-benches --features peers --bin compare -- --rounds 5
//! ```

mod args;
mod cell;
mod measure;
mod report;
mod servers;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let options = args::Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("compare: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &args::Options) -> Result<(), String> {
    let cells = options.cells();
    let names = servers::choose(&options.servers, &options.base)?;
    let mut results = report::Results::new(options, &names);
    for cell in &cells {
        eprintln!("{cell}: {} servers, {} rounds", names.len(), options.rounds);
        let servers = names
            .iter()
            .map(|name| servers::Server::start(name, cell, options.cpus))
            .collect::<Result<Vec<_>, _>>()?;
        for round in 0..options.rounds {
            for n in 0..servers.len() {
                // Another one first in each round.
                let server = &servers[(n + round) % servers.len()];
                let figure = measure::measure(server, cell, options)?;
                results.add(cell, &server.name, figure);
            }
        }
    }
    let text = results.markdown();
    print!("{text}");
    if let Some(path) = &options.json {
        let json = results.json()?;
        std::fs::write(path, json)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    if let Some(path) = &options.svg {
        std::fs::write(path, results.svg())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
