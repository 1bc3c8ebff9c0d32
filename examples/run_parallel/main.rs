//! Runs commands, some at a time, and keeps their outputs apart.
//!
//! ```text
//! cargo run --example run_parallel -- -j 2 'sleep 1; echo one' 'echo two >&2; exit 3' 'echo three'
//! ```
//!
//! One task a command; a semaphore lets `-j` of them run. To follow one command,
//! read in this order:
//!
//! | file        | what happens there                                              |
//! |-------------|-----------------------------------------------------------------|
//! | `cli.rs`    | the command line, or stdin, becomes a list of commands          |
//! | `run.rs`    | a task for each, the semaphore, what stops the others, Ctrl-C   |
//! | `job.rs`    | one child: started, read, awaited, and stopped in time          |
//! | `output.rs` | what it wrote, as a block or line by line; the table at the end |
//!
//! A command is stopped in three steps: its whole process group gets SIGTERM,
//! then the grace passes, then SIGKILL.

#![forbid(unsafe_code)]

mod cli;
mod job;
mod output;
mod run;
#[path = "../shared/seconds.rs"]
mod seconds;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use wakeline::Runtime;

use self::cli::Options;
use self::output::{Output, say};

fn main() -> ExitCode {
    let mut options = Options::parse(); // ends the program with code 2 on wrong usage
    let commands = match options.take_commands() {
        Ok(commands) => commands,
        Err(message) => {
            say(&message);
            return ExitCode::from(2);
        }
    };
    let runtime = match Runtime::builder().workers(1).driver(options.driver).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("cannot start the runtime: {error}"));
            return ExitCode::from(1);
        }
    };
    let output = Output::new(&options, &commands);
    let report = runtime.block_on(run::all(commands, &options, output));
    // Nothing runs any more, but for what a command has left in the background.
    let _rest = runtime.shutdown(Duration::ZERO);
    ExitCode::from(report.code())
}
