//! Question: what does each primitive of a runtime cost on one thread, beside
//! the peers?
//!
//! Setup:    one thread a runtime, and for each figure a process of its own; every row
//!           runs on every runtime in turn, in as many rounds as asked for, so that a
//!           noisy spell hits all alike.
//! Counts:   nanoseconds per operation, median of the rounds, and the spread.
//! Leaves out: I/O, other threads, start and end of the runtime.
//! Compare:  the ratio to the best peer of the row; under 1 is ahead of it.
//!
//! ```text
//! cargo run --release -p wakeline-benches --features peers --bin primitives -- --rounds 5
//! cargo run --release -p wakeline-benches --bin primitives -- mutex   # rows by name, ours alone
//! ```

#[macro_use]
mod rows;
#[macro_use]
mod across;
mod alone;
mod report;
mod runtimes;

use std::process::ExitCode;

use wakeline_benches::{help, note, print};

const USAGE: &str = "usage: primitives [--rounds N] [ROW]...";

struct Options {
    rounds: usize,
    names: Vec<String>,
}

fn options(args: Vec<String>) -> Result<Options, String> {
    let mut options = Options {
        rounds: 3,
        names: Vec::new(),
    };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if arg == "--rounds" {
            let number = args.next().ok_or("--rounds needs a number")?;
            options.rounds = number
                .parse()
                .ok()
                .filter(|rounds| *rounds > 0)
                .ok_or_else(|| format!("--rounds {number}: not a number above 0"))?;
        } else if arg.starts_with('-') {
            return Err(format!("{arg}: unknown; {USAGE}"));
        } else {
            options.names.push(arg);
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            note(format_args!("primitives: {message}"));
            ExitCode::from(code)
        }
    }
}

fn about(runtimes: &[rows::Runtime]) -> String {
    let names: Vec<&str> = runtimes[0].rows.iter().map(|(name, _)| *name).collect();
    let names = names.join("\n  ");
    format!(
        "What each primitive costs on one thread: nanoseconds per operation.\n\n{USAGE}\n\n\
         --rounds N  how often each is measured [default: 3]\n\
         ROW         those with this in their names [default: all]:\n  {names}\n"
    )
}

/// The exit code and what to say, if it fails.
fn start() -> Result<(), (u8, String)> {
    let (wrong, failed) = (|error| (2, error), |error| (1, error));
    let runtimes = runtimes::all();
    if help(&about(&runtimes)).map_err(failed)? {
        return Ok(());
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [what, row, runtime] = &args[..]
        && what == alone::FIGURE
    {
        let figure = alone::figure(&runtimes, row, runtime).map_err(wrong)?;
        return print(&figure).map_err(failed);
    }
    let options = options(args).map_err(wrong)?;
    let rows: Vec<&str> = runtimes[0]
        .rows
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| {
            options.names.is_empty()
                || options
                    .names
                    .iter()
                    .any(|part| name.contains(part.as_str()))
        })
        .collect();
    if rows.is_empty() {
        return Err(wrong("no row is called like that; see --help".to_owned()));
    }
    let mut figures = report::Figures::default();
    for round in 0..options.rounds {
        note(format_args!("round {} of {}", round + 1, options.rounds));
        for row in &rows {
            // Another one begins each time.
            for at in 0..runtimes.len() {
                let runtime = &runtimes[(at + round) % runtimes.len()];
                if runtime.rows.iter().any(|(name, _)| name == row) {
                    let nanos = alone::measure(row, runtime.name).map_err(failed)?;
                    figures.add(row, runtime.name, nanos);
                }
            }
        }
    }
    let names: Vec<&str> = runtimes.iter().map(|runtime| runtime.name).collect();
    print(&figures.table(&rows, &names)).map_err(failed)
}
