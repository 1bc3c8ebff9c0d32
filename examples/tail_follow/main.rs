//! The last lines of a file, and then what is appended, also when the file is
//! cut off or replaced by another: `tail -F`.
//!
//! ```text
//! cargo run --example tail_follow -- -n 20 /var/log/syslog
//! ```
//!
//! Read in this order: this file (start and end), `last_lines` (where to begin),
//! `follow` (what may become of a file that is watched).

mod follow;
mod last_lines;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use wakeline::{Driver, Runtime};

use follow::Stop;

/// Writes the last lines of a file, and what is appended to it from then on.
#[derive(Debug, Parser)]
#[command(
    name = "tail_follow",
    version,
    after_help = "A file that is cut off is read from its beginning again; one that is replaced \
        (a log that is rotated) is read to its end, and then the new one. One that does not tell \
        how long it is (of /proc, of /sys) is written from its beginning.\n\n\
        It goes on until Ctrl-C, or until nobody reads its output.\n\n\
        Exit code: 0 nobody reads the output any more, or --no-follow has written all; 1 failure; \
        2 wrong usage."
)]
struct Options {
    /// The file to follow.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// How many of its last lines to begin with.
    #[arg(long, short = 'n', value_name = "N", default_value = "10", value_parser = count)]
    lines: u64,

    /// How often to look for more, in milliseconds.
    #[arg(long, value_name = "MS", default_value = "200", value_parser = period)]
    every: Duration,

    /// Write what there is, and end.
    #[arg(long)]
    no_follow: bool,

    /// How to wait for the kernel: auto, uring or epoll.
    #[arg(long, value_name = "DRIVER", default_value = "auto")]
    driver: Driver,
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a whole number from 0".to_owned())
}

fn period(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(ms @ 1..=3_600_000) => Ok(Duration::from_millis(ms)),
        _ => Err("a number of milliseconds from 1 to 3600000".into()),
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match Runtime::builder().driver(options.driver).workers(1).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(follow::run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        // `tail_follow log | head -1`: that is how it should end.
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Stop::Output(error)) => {
            tell(&format!("standard output: {error}"));
            ExitCode::FAILURE
        }
        Err(Stop::Input(error)) => {
            tell(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// A line for the user; if stderr is closed, there is nobody to tell.
fn tell(message: &str) {
    let _ = writeln!(io::stderr(), "tail_follow: {message}");
}
