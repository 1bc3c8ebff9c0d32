//! Question: how many instructions does the runtime spend on each thing that
//! its users do all the time, and has that grown?
//!
//! Setup:    one worker, the release profile, under valgrind's callgrind.
//! Counts:   instructions in user space, the price of one more operation: a row
//!           runs twice, with N and with 2 N of them, and only the difference
//!           is looked at.
//! Leaves out: the kernel, caches, the start and end of the runtime.
//! Compare:  `counts.json`, which is written by `--write` whenever a change
//!           of the figures is meant; `--check` fails where one is 3 % above it.
//!           A run adds by chance and never takes away, so of several the least
//!           counts: of five for `--write`, of two, and up to five before it says that
//!           a figure is too much, for `--check`. A row that is written down and has no
//!           figure fails, too, but where io_uring cannot be had and nobody requires it
//!           (`WAKELINE_TEST_REQUIRE=uring`).
//!
//! ```text
//! cargo run --release -p wakeline-benches --bin counts                       # a table
//! cargo run --release -p wakeline-benches --bin counts -- --check benches/counts.json
//! cargo run --release -p wakeline-benches --bin counts -- --write benches/counts.json
//! cargo run --release -p wakeline-benches --bin counts -- channel            # rows by name
//! cargo build --release -p wakeline-benches --features peers
//! cargo run --release -p wakeline-benches --features peers --bin counts -- --servers  # ours and the peers'
//! ```
//!
//! The same source gives other figures with another compiler or C library. They
//! are written down beside the figures; where they differ, only what is above
//! by 15 % fails, as the rest cannot be told apart.

mod baseline;
mod callgrind;
mod rows;
mod servers;

use std::path::PathBuf;
use std::process::ExitCode;

use wakeline_benches::{help, note, print};

use baseline::Baseline;

const ABOUT: &str = "Counts the instructions of each operation, by valgrind.

usage: counts [--check FILE | --write FILE | --servers] [NAME]...

--check FILE  fail where one is above what is written in FILE
--write FILE  write the figures of all rows
--servers     instructions per message of the servers, instead of the rows
NAME          those with this in their names [default: all]

Exit code: 0 done, 1 a figure is above its bound or missing, 2 wrong usage, or it cannot be counted.
";
const USAGE: &str = "usage: counts [--check FILE | --write FILE | --servers] [NAME]...";

enum Task {
    Show,
    Check(PathBuf),
    Write(PathBuf),
    /// Those of `servers`, instead of the rows.
    Servers,
}

struct Options {
    task: Task,
    names: Vec<String>,
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        task: Task::Show,
        names: Vec::new(),
    };
    while let Some(arg) = args.next() {
        let mut file = || {
            let file = args.next().ok_or_else(|| format!("{arg} needs a file"));
            file.map(PathBuf::from)
        };
        match arg.as_str() {
            "--check" => options.task = Task::Check(file()?),
            "--write" => options.task = Task::Write(file()?),
            "--servers" => options.task = Task::Servers,
            _ if arg.starts_with('-') => return Err(format!("{arg}: unknown; {USAGE}")),
            _ => options.names.push(arg),
        }
    }
    if !options.names.is_empty() && matches!(options.task, Task::Write(_)) {
        return Err("--write takes all rows, or the others would be lost".to_owned());
    }
    Ok(options)
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    // What callgrind counts: this very program, with one row to run.
    if args.next_if(|arg| arg == "--run").is_some() {
        return rows::run(args);
    }
    let told = help(ABOUT);
    if matches!(told, Ok(true)) {
        return ExitCode::SUCCESS;
    }
    match told.and_then(|_| options(args)).and_then(count) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            note(format_args!("counts: {message}"));
            ExitCode::from(2)
        }
    }
}

/// Whether all rows are within their bounds.
fn count(options: Options) -> Result<bool, String> {
    if matches!(options.task, Task::Servers) {
        return servers::count(&options.names).map(|()| true);
    }
    let is_asked =
        |row: &str| options.names.is_empty() || options.names.iter().any(|name| row.contains(name));
    let rows: Vec<_> = (rows::ROWS.iter())
        .filter(|row| is_asked(row.name))
        .collect();
    if rows.is_empty() {
        return Err("no row is called like that".to_owned());
    }
    let before = match &options.task {
        Task::Check(file) => Some(Baseline::read(file)?),
        _ => None,
    };
    let mut now = Baseline::of_this_machine()?;
    let mut lacking = Vec::new();
    for row in rows {
        let enough = match (&options.task, &before) {
            (Task::Write(_), _) => 0.0,
            (_, Some(before)) => now.most(row.name, before),
            _ => f64::MAX,
        };
        let Some(figure) = callgrind::per_operation(row, enough)? else {
            note(format_args!("{}: not to be had here", row.name));
            lacking.push(row.name);
            continue;
        };
        now.set(row.name, figure);
    }
    let printed = print(&now.table(before.as_ref()));
    match (options.task, before) {
        (Task::Write(file), _) => now.write(&file).and(printed).map(|()| true),
        (_, Some(before)) => {
            let required = std::env::var("WAKELINE_TEST_REQUIRE").is_ok_and(|it| it == "uring");
            let is_due = |row: &str| is_asked(row) && (required || !lacking.contains(&row));
            let (all, within) = (now.has_all(&before, is_due), now.is_within(&before));
            printed.map(|()| all && within)
        }
        _ => printed.map(|()| true),
    }
}
