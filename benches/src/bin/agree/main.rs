//! Question: does `load` measure what a load tester measures that was not
//! written here? It is asked beside wrk, on servers of which two were not either.
//!
//! Setup:    an HTTP server on one processor and the tester on another; each
//!           tester has one thread, as many connections, and asks again as soon
//!           as it is answered. Each round has both twice, one of them first and
//!           last, and another one each time: what drifts hits both alike.
//!           The servers are nginx with a file of 1 KiB, python3's asyncio and one
//!           on wakeline, which answer the same from memory; or any that runs, by
//!           its URL.
//! Counts:   answers a second, and latencies as they were measured. wrk adds
//!           latencies that it has not measured before it tells percentiles: for
//!           an answer that was late by several mean latencies, those of the
//!           requests that would have been made meanwhile. They are taken out
//!           again; the last column has its p99 with them. And how much of a
//!           connection's time is counted as latency: `load` asks again at once;
//!           wrk takes in all answers that are there first, and counts from when
//!           it asks. So its latencies are shorter where the tester is the busy one.
//! Leaves out: open loops, which wrk does not have; bodies other than of 1 KiB.
//! Compare:  the figure of `load` by that of wrk in the same round, the median of
//!           the rounds with the least and the greatest. How long an idle
//!           processor takes to wake changes from one second to the next, here by
//!           more than the testers differ: hence short windows, and many. `--check 10` fails if
//!           one of the medians is off by more than so many percent; of latencies
//!           only where they are nearly all of a connection's time in both. Where
//!           nothing can be measured its exit code is 77.
//!
//! ```text
//! apt-get install wrk nginx-light python3
//! cargo build --release -p wakeline-benches
//! cargo run --release -p wakeline-benches --bin agree -- --check 10
//! ```

mod report;
mod servers;
mod testers;

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;
use wakeline_benches::child::{allowed, pin};
use wakeline_benches::{note, print};

use servers::{SERVERS, Server};
use testers::{Figure, Tester};

/// Asks two load testers for the same figures: ours, and wrk.
#[derive(Debug, Parser)]
#[command(name = "agree", version)]
struct Options {
    /// Rounds; both testers measure twice in each.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,

    /// Seconds of a window.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,

    /// Connections held at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 50], value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: Vec<u32>,

    /// Servers, by a part of their names [default: all]: nginx, asyncio, wakeline.
    #[arg(long, value_delimiter = ',', conflicts_with = "url")]
    servers: Vec<String>,

    /// One that runs already, instead of those.
    #[arg(long)]
    url: Option<String>,

    /// Fail if a median of ratios is off by more than so many percent; with code 77 if there is none.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    check: Option<f64>,

    /// Serves HTTP on wakeline, at this address; the program starts itself so.
    #[arg(long, hide = true)]
    serve: Option<String>,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..=1000.0).contains(&percent) => Ok(percent),
        _ => Err("not a number of percent between 0 and 1000".to_owned()),
    }
}

/// What a run has come to.
enum Ended {
    /// Told, and if a check was asked for, passed.
    Well,
    Off,
    /// Nothing could be measured.
    Skipped,
}

/// The exit code of a check that could not be made.
const NOT_HERE: u8 = 77;

fn main() -> ExitCode {
    let options = Options::parse();
    let ran = match &options.serve {
        Some(address) => servers::serve(address).map(|()| Ended::Well),
        None => run(&options),
    };
    match ran {
        Ok(Ended::Skipped) if options.check.is_some() => ExitCode::from(NOT_HERE),
        Ok(Ended::Well | Ended::Skipped) => ExitCode::SUCCESS,
        Ok(Ended::Off) => ExitCode::FAILURE,
        Err(message) => {
            note(format_args!("agree: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<Ended, String> {
    if !is_there("wrk", "-v") {
        print("skipped: wrk is not installed (apt-get install wrk)\n")?;
        return Ok(Ended::Skipped);
    }
    let [server_cpu, tester_cpu, ..] = allowed() else {
        print("skipped: server and tester need a processor each, and there is one\n")?;
        return Ok(Ended::Skipped);
    };
    let place = Scratch::new()?;
    let testers = testers::both(&place.0)?;
    let mut results = report::Results::default();
    let mut measure = |name: &str, url: &str| {
        pin(&[*tester_cpu])?;
        cell(options, &testers, name, url, &mut results)
    };
    if let Some(url) = &options.url {
        measure(url, url)?;
    }
    let named = |name: &str| options.servers.iter().any(|part| name.contains(part));
    let kinds: Vec<_> = (SERVERS.iter())
        .filter(|kind| options.servers.is_empty() || named(kind.name))
        .filter(|_| options.url.is_none())
        .collect();
    if kinds.is_empty() && options.url.is_none() {
        return Err("no server is called like that: nginx, asyncio, wakeline".to_owned());
    }
    for kind in kinds {
        if !kind.is_there() {
            print(&format!("{}: skipped: {}\n\n", kind.name, kind.lacks))?;
            continue;
        }
        pin(&[*server_cpu])?;
        let server = Server::start(kind, &place.0)?;
        measure(kind.name, &server.url)?;
    }
    if results.is_empty() {
        return Ok(Ended::Skipped);
    }
    let printed = print(&results.markdown());
    let off = options.check.map(|percent| results.off_by(percent));
    for line in off.iter().flatten() {
        note(format_args!("agree: {line}"));
    }
    printed?;
    Ok(match off.is_none_or(|off| off.is_empty()) {
        true => Ended::Well,
        false => Ended::Off,
    })
}

/// All rounds of one server.
fn cell(
    options: &Options,
    testers: &[Tester; 2],
    name: &str,
    url: &str,
    results: &mut report::Results,
) -> Result<(), String> {
    for connections in &options.connections {
        note(format_args!(
            "{name}: {connections} connections, {} rounds",
            options.rounds
        ));
        for round in 0..options.rounds {
            let mut figures: [Option<Figure>; 2] = [None; 2];
            let first = round as usize % 2;
            for n in [first, 1 - first, 1 - first, first] {
                let figure = testers[n].measure(url, *connections, options.seconds)?;
                figures[n] = Some(figures[n].map_or(figure, |before| before.mean(figure)));
            }
            if let [Some(ours), Some(wrks)] = figures {
                results.add(name, *connections, ours, wrks);
            }
        }
    }
    Ok(())
}

/// Whether a program can be started.
fn is_there(program: &str, arg: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(arg).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

/// A directory of this run, which goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, String> {
        let path = std::env::temp_dir().join(format!("wakeline-agree-{}", std::process::id()));
        let made = std::fs::create_dir_all(&path);
        made.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
