//! Question: what does an echo server cost on each runtime, beside the peers
//! and beside loops with nothing around them?
//!
//! Setup:    every server is a process of its own, started once and kept; the
//!           cells are measured in rounds, each server in turn within a round,
//!           in an order that changes, so that a noisy spell hits all alike.
//!           Server and `load` are pinned: to one processor both (the robust
//!           figure, `--cpus one`), or to one each (`--cpus two`).
//! Counts:   processor time of the server in nanoseconds a message, and messages
//!           a second; every byte is verified. Of the cells with a name:
//!           `idle`: resident memory of the server with all connections, minus
//!           before, by their number; none has said anything, and each round has
//!           a server of its own, as what memory it has once it keeps.
//!           `storm`: time from the moment in which all connect until the last of
//!           their messages is answered, and the server's processor time a
//!           connection; to a server of its own each round, with a backlog of 4096
//!           (glommio: its own 1024).
//!           `imbalance`: time to the answer of light messages, 50 a second on each
//!           of 100 connections, beside 4 connections with `--heavy` messages a second
//!           together, on which the server computes for a millisecond (as many rounds
//!           for all servers); from when a message was due. Of servers with two
//!           threads, on both processors, as the client is.
//! Leaves out: a network card; other sizes than those of the cells.
//! Compare:  the figures of `idle`, `storm` and `imbalance` as they are; else the ratio to `--base` in the same round, the median of the rounds with
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
mod svg;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use wakeline_benches::{note, print};

fn main() -> ExitCode {
    let options = args::Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            note(format_args!("compare: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &args::Options) -> Result<(), String> {
    let files = [&options.json, &options.svg];
    files
        .into_iter()
        .flatten()
        .try_for_each(|path| look(path))?;
    let cells = options.cells();
    let names = servers::choose(&options.servers, &options.base)?;
    let mut results = report::Results::new(options, &names);
    for cell in &cells {
        servers::allow(cell)?;
        let names: Vec<&String> = names.iter().filter(|name| cell.takes(name)).collect();
        if names.is_empty() {
            return Err(format!(
                "{cell} is for servers with two threads: none is chosen"
            ));
        }
        note(format_args!(
            "{cell}: {} servers, {} rounds",
            names.len(),
            options.rounds
        ));
        let start = |name: &str| servers::Server::start(name, cell, options.cpus);
        let mut kept = Vec::new();
        if !cell.is_fresh() {
            for name in &names {
                kept.push(start(name)?);
            }
        }
        for round in 0..options.rounds {
            for n in 0..names.len() {
                // Another one first in each round.
                let n = (n + round) % names.len();
                let figure = match kept.get(n) {
                    Some(server) => measure::measure(server, cell, options)?,
                    None => measure::measure(&start(names[n])?, cell, options)?,
                };
                results.add(cell, names[n], figure);
            }
        }
    }
    // All of them, whichever fails: it took minutes to measure.
    let json = write(options.json.as_deref(), || results.json());
    let svg = write(options.svg.as_deref(), || Ok(svg::svg(&results)));
    print(&results.markdown()).and(json).and(svg)
}

/// Refuses a file that could not be written in the end.
fn look(path: &Path) -> Result<(), String> {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let dir = parent.unwrap_or(Path::new("."));
    match (path.is_dir(), dir.is_dir()) {
        (true, _) => Err(format!(
            "cannot write {}: it is a directory",
            path.display()
        )),
        (_, true) => Ok(()),
        _ => Err(format!(
            "cannot write {}: there is no directory {}",
            path.display(),
            dir.display()
        )),
    }
}

fn write(path: Option<&Path>, text: impl FnOnce() -> Result<String, String>) -> Result<(), String> {
    let Some(path) = path else {
        return Ok(());
    };
    std::fs::write(path, text()?)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}
