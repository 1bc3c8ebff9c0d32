//! Question: what does a file that is in the page cache cost, beside blocking
//! calls, a bare ring and the peers; and what does an fsync?
//!
//! Setup:    one thread a contestant, and the files on `--dir`, which is read
//!           once before. Every row runs on every contestant in turn, another
//!           one first each time, in as many rounds as asked for.
//!           `sequential`: 64 KiB at a time through 32 MiB, one after the other.
//!           `random`: 4 KiB at random offsets of the same file, 64 in flight.
//!           `small files`: open, read 4 KiB at most, close; 10,000 of 1 KiB.
//!           `write and fsync`: 4 KiB at the beginning of a file, and its sync.
//! Counts:   microseconds per operation: median of the rounds, and the ratio to
//!           `std` round by round, with the least and the most of it.
//! Leaves out: reads that miss; start and end of the runtime.
//!
//! ```text
//! cargo run --release -p wakeline-benches --bin files -- --rounds 9
//! cargo run --release -p wakeline-benches --features peers --bin files -- --rounds 9
//! cargo run --release -p wakeline-benches --bin files -- sequential   # rows by name
//! ```

mod data;
mod ours;
#[cfg(feature = "peers")]
mod peers;
mod plain;
mod report;
mod ring;

use data::Data;
use std::path::PathBuf;
use std::process::ExitCode;
use wakeline_benches::{help, note, print};

const USAGE: &str = "usage: files [--rounds N] [--dir PATH] [ROW]...";

/// What is measured, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    Sequential,
    Random,
    SmallFiles,
    Fsync,
}

impl Row {
    const ALL: [Row; 4] = [Row::Sequential, Row::Random, Row::SmallFiles, Row::Fsync];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Row::Sequential => "sequential 64 KiB",
            Row::Random => "random 4 KiB, 64 in flight",
            Row::SmallFiles => "small files: open, read, close",
            Row::Fsync => "write and fsync",
        }
    }
}

/// Who is measured: microseconds per operation of a row, if it has that.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Row, &Data) -> Option<f64>,
}

struct Options {
    rounds: usize,
    dir: PathBuf,
    names: Vec<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        rounds: 5,
        dir: std::env::temp_dir(),
        names: Vec::new(),
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--rounds" => {
                let number = args.next().ok_or("--rounds needs a number")?;
                options.rounds = number
                    .parse()
                    .ok()
                    .filter(|rounds| *rounds > 0)
                    .ok_or_else(|| format!("--rounds {number}: not a number above 0"))?;
            }
            "--dir" => options.dir = args.next().ok_or("--dir needs a path")?.into(),
            _ if arg.starts_with('-') => {
                return Err(format!("{arg}: unknown; {USAGE}"));
            }
            _ => options.names.push(arg),
        }
    }
    Ok(options)
}

fn contestants() -> Vec<Contestant> {
    #[cfg_attr(
        not(feature = "peers"),
        expect(unused_mut, reason = "the peers are added")
    )]
    let mut all = vec![
        plain::CONTESTANT,
        ours::URING,
        ours::URING_CURSOR,
        ours::EPOLL,
        ours::EPOLL_CURSOR,
        ring::CONTESTANT,
    ];
    #[cfg(feature = "peers")]
    all.extend(peers::all());
    all
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            note(format_args!("files: {message}"));
            ExitCode::from(code)
        }
    }
}

fn about() -> String {
    let names = Row::ALL.map(Row::name).join("\n  ");
    format!(
        "What a file that is in the page cache costs, and an fsync: microseconds per operation.\n\n{USAGE}\n\n\
         --rounds N  how often each is measured [default: 5]\n\
         --dir PATH  where the files are made for the run: one of 32 MiB, 10,000 small ones [default: {}]\n\
         ROW         those with this in their names [default: all]:\n  {names}\n",
        std::env::temp_dir().display()
    )
}

/// The exit code and what to say, if it fails.
fn start() -> Result<(), (u8, String)> {
    let (wrong, failed) = (|error| (2, error), |error| (1, error));
    if help(&about()).map_err(failed)? {
        return Ok(());
    }
    let options = options().map_err(wrong)?;
    let asked = |row: &Row| {
        options.names.is_empty()
            || options
                .names
                .iter()
                .any(|name| row.name().contains(&**name))
    };
    let rows: Vec<Row> = Row::ALL.into_iter().filter(asked).collect();
    if rows.is_empty() {
        return Err(wrong("no row is called like that; see --help".to_owned()));
    }
    let data = match Data::new(&options.dir) {
        Ok(data) => data,
        Err(error) => {
            let dir = options.dir.display();
            return Err(failed(format!("cannot make the files in {dir}: {error}")));
        }
    };
    let contestants = contestants();
    let mut figures = report::Figures::default();
    for round in 0..options.rounds {
        note(format_args!("round {} of {}", round + 1, options.rounds));
        for row in &rows {
            for at in 0..contestants.len() {
                let contestant = &contestants[(at + round) % contestants.len()];
                if let Some(micros) = (contestant.run)(*row, &data) {
                    figures.add(*row, contestant.name, micros);
                }
            }
        }
    }
    let names: Vec<_> = contestants.iter().map(|one| one.name).collect();
    print(&figures.table(&rows, &names)).map_err(failed)
}
