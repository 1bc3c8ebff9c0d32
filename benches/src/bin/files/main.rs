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
                return Err(format!(
                    "{arg}: unknown; usage: files [--rounds N] [--dir PATH] [row]..."
                ));
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
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let asked = |row: &Row| {
        options.names.is_empty()
            || options
                .names
                .iter()
                .any(|name| row.name().contains(&**name))
    };
    let rows: Vec<Row> = Row::ALL.into_iter().filter(asked).collect();
    if rows.is_empty() {
        eprintln!("no row is called like that");
        return ExitCode::from(2);
    }
    let data = match Data::new(&options.dir) {
        Ok(data) => data,
        Err(error) => {
            eprintln!(
                "cannot make the files in {}: {error}",
                options.dir.display()
            );
            return ExitCode::FAILURE;
        }
    };
    let contestants = contestants();
    let mut figures = report::Figures::default();
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
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
    print!("{}", figures.table(&rows, &names));
    ExitCode::SUCCESS
}
