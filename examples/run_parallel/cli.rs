//! The command line: what is to be run, and how.

use std::io::{self, IsTerminal, Read};
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Parser;
use wakeline::Driver;

use crate::seconds::{seconds, seconds_from};

/// The most bytes of commands that are taken from stdin.
const INPUT_MAX: u64 = 16 << 20;

/// The most commands at a time: each has some descriptors.
const JOBS_MAX: usize = 4096;

/// Runs commands, some at a time, and keeps their outputs apart.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "run_parallel",
    version,
    after_help = "Each COMMAND is a line for `sh -c`; without any, each line of stdin is one \
        (empty lines and those that begin with # are left out).\n\n\
        Examples:\n  \
        run_parallel -j 4 'make -C a' 'make -C b' 'make -C c'\n  \
        ls *.png | sed 's/.*/optipng &/' | run_parallel --timeout 60\n  \
        run_parallel --prefix --fail-fast './server' './client'\n\n\
        Exit code: the highest of the commands' (128 + N for one that signal N ended, 124 for a \
        timeout, 126 or 127 for one that could not be run; one that was stopped counts as 0), but \
        at least 1 if their output cannot be printed; 1 the runtime cannot start, 2 wrong usage, \
        130 interrupted."
)]
pub(crate) struct Options {
    /// What to run, a shell command each.
    #[arg(value_name = "COMMAND")]
    commands: Vec<String>,

    /// Commands that run at a time, at most 4096 [default: the CPUs this process may use].
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,

    /// Print each line as it comes, with the command's number before it; not a block at its end.
    #[arg(long)]
    pub(crate) prefix: bool,

    /// Stop all others as soon as one fails, and start no more.
    #[arg(long)]
    pub(crate) fail_fast: bool,

    /// Stop a command after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = limit)]
    pub(crate) timeout: Option<Duration>,

    /// How many seconds a command may take to end after SIGTERM, until SIGKILL.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) grace: Duration,

    /// Keep at most so many bytes of each output; what is beyond is left out, and said to be.
    #[arg(long, value_name = "BYTES", default_value = "67108864", value_parser = bytes)]
    pub(crate) keep: usize,

    /// Print no table at the end.
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// How to wait for the kernel: auto, uring or epoll.
    #[arg(long, value_name = "DRIVER", default_value = "auto")]
    pub(crate) driver: Driver,
}

impl Options {
    pub(crate) fn jobs(&self) -> usize {
        let available = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.jobs.unwrap_or_else(available).get()
    }

    /// The commands: the arguments, or the lines of stdin.
    pub(crate) fn take_commands(&mut self) -> Result<Vec<String>, String> {
        let commands = std::mem::take(&mut self.commands);
        if !commands.is_empty() {
            return Ok(commands);
        }
        let stdin = io::stdin().lock();
        if stdin.is_terminal() {
            return Err(
                "nothing to run: give commands as arguments, or a line each on stdin; see --help"
                    .into(),
            );
        }
        let mut text = String::new();
        stdin
            .take(INPUT_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|error| format!("cannot read commands from stdin: {error}"))?;
        if text.len() as u64 > INPUT_MAX {
            return Err(format!(
                "more than {INPUT_MAX} bytes of commands on stdin: run them in parts"
            ));
        }
        Ok(lines(&text))
    }
}

/// The commands in a text, one a line.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let commands = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    commands.map(str::to_owned).collect()
}

/// A number of commands that a system can run at a time.
fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(jobs) if jobs.get() <= JOBS_MAX => Ok(jobs),
        _ => Err(format!("a whole number from 1 to {JOBS_MAX}")),
    }
}

/// A number of bytes.
fn bytes(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "a whole number from 0".to_owned())
}

/// A number of seconds, and some time at all: in none, no command does anything.
fn limit(text: &str) -> Result<Duration, String> {
    seconds_from(text, Duration::from_nanos(1), "more than 0 seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_command_but_for_comments() {
        assert_eq!(lines("a b\n\n  # no\n\tc # yes\n"), ["a b", "c # yes"]);
        assert_eq!(lines(""), [] as [&str; 0]);
    }

    #[test]
    fn wrong_values_are_usage_errors() {
        for wrong in [["--jobs", "0"], ["--timeout", "-1"], ["--driver", "kqueue"]] {
            let error = Options::try_parse_from(["run_parallel", wrong[0], wrong[1]]).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{wrong:?}");
        }
    }
}
