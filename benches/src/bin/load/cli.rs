//! The command line: what may be asked for, and what is refused at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use wakeline::Driver;

use crate::gate::Gate;
use crate::target::Target;

/// Loads an echo or HTTP/1.1 server, verifies every byte, and tells how long
/// the answers took.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "load",
    version,
    after_help = "Targets:\n  \
        127.0.0.1:7777 or tcp:HOST:PORT   an echo server over TCP\n  \
        unix:/tmp/echo.sock               an echo server over a Unix socket (unix:@name: abstract)\n  \
        http://127.0.0.1:8080/path        an HTTP/1.1 server\n\n\
        Examples:\n  \
        load 127.0.0.1:7777                                  # 50 connections, 64 bytes, 10 s\n  \
        load unix:/tmp/echo.sock -c 1000 -s 4k --json a.json --html a.html\n  \
        load http://127.0.0.1:8080/ --rate 5000 --fail-if 'p99>5ms' --fail-if 'missing>0'\n  \
        load 127.0.0.1:7777 --mode churn                     # connect, one message, close\n  \
        load 127.0.0.1:7777 --mode storm -c 5000 -w 100ms     # all connect at once\n  \
        load 127.0.0.1:7777 --mode idle -c 10000 --pid 4711  # memory of an idle connection\n  \
        load --compare a.json b.json\n\n\
        Exit code: 0 done, 1 nothing got through, or a --fail-if was met, 2 wrong usage, 130 interrupted."
)]
pub(crate) struct Options {
    /// Whom to load.
    #[arg(required_unless_present_any = ["compare", "json_schema"])]
    pub(crate) target: Option<Target>,

    /// What a connection does.
    #[arg(long, value_enum, default_value = "stream")]
    pub(crate) mode: Mode,

    /// Connections held at once.
    #[arg(short, long, value_name = "N", default_value_t = 50, value_parser = count)]
    pub(crate) connections: usize,

    /// Bytes in a message to an echo server: 64, 4k, 1m.
    #[arg(short, long, value_name = "BYTES", default_value = "64", value_parser = size)]
    pub(crate) size: usize,

    /// First byte of each message to an echo server that does different things by it.
    #[arg(long, value_name = "BYTE")]
    pub(crate) first: Option<u8>,

    /// Messages under way on a connection of --mode stream; without it 1, or 1000 with --rate.
    #[arg(short, long, value_name = "N", value_parser = count)]
    pub(crate) depth: Option<usize>,

    /// How long to measure: 10s, 500ms, 2m.
    #[arg(short = 't', long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,

    /// How long to load before that.
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = duration_or_none)]
    pub(crate) warmup: Duration,

    /// How long answers may still come when nothing is asked any more.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration_or_none)]
    pub(crate) drain: Duration,

    /// Open loop: so many messages a second in all, sent when due and not when
    /// the last answer came; latency counts from when a message was due. What
    /// was due and has no answer at the end of `--drain` is missing. Of --mode stream or churn.
    #[arg(short, long, value_name = "PER_SECOND", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// Threads of the client.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count)]
    pub(crate) threads: usize,

    /// What the client is made of; `threads` has one or two blocking threads a
    /// connection, as a control for our own runtime.
    #[arg(long, value_enum, default_value = "wakeline")]
    pub(crate) client: Client,

    /// How our client waits for the kernel: auto, uring or epoll.
    #[arg(long, value_name = "DRIVER", default_value = "auto")]
    pub(crate) driver: Driver,

    /// How long our client looks again before it sleeps, where it has a processor
    /// to itself: 100us
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration_or_none)]
    pub(crate) spin: Duration,

    /// The server's process, for its memory and processor time.
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,

    /// Write the result as JSON; `-` is stdout, instead of the table.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the result as one HTML file, with plots.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Fail if this is met: p50, p90, p99, p99.9, p99.99, max, mean, rate, messages, missing (of an open
    /// loop) or errors, < or >, a value.
    #[arg(long, value_name = "CONDITION")]
    pub(crate) fail_if: Vec<Gate>,

    /// No line that changes while it runs.
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Compare two results that were written by --json.
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], conflicts_with_all = ["target", "fail_if", "json", "html"])]
    pub(crate) compare: Option<Vec<PathBuf>>,

    /// Print the JSON Schema of the results.
    #[arg(long)]
    pub(crate) json_schema: bool,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Messages, one after the other, for as long as it runs.
    Stream,
    /// Connects, has one message answered, closes in good order, and again.
    Churn,
    /// Connects, and does nothing.
    Idle,
    /// All connect in one moment, after the warm-up, and have one message answered
    /// each; latency counts from that moment, and the last answer ends it.
    Storm,
}

/// What the client is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    Wakeline,
    Threads,
}

impl Options {
    /// What its values have to do with each other.
    ///
    /// # Errors
    ///
    /// Wrong usage.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        let open = self.rate.is_some();
        let has = |is_of: fn(&Gate) -> bool| self.fail_if.iter().any(is_of);
        let wrong = match self.mode {
            Mode::Storm if open => "--rate: the connections of a storm all ask in one moment, once",
            Mode::Idle if open => "--rate: an idle run asks nothing",
            Mode::Churn | Mode::Storm if self.depth.is_some() => {
                "--depth: a connection of --mode churn or storm has one message"
            }
            Mode::Idle if self.depth.is_some() => "--depth: an idle run asks nothing",
            Mode::Idle if has(Gate::is_of_answers) => {
                "--fail-if: an idle run asks nothing, and has only errors"
            }
            _ if self.html.as_deref() == Some(Path::new("-")) => {
                "--html needs a file; only --json can go to stdout"
            }
            _ if !open && has(Gate::is_of_an_open_loop) => {
                "--fail-if missing: only an open loop knows what is missing; see --rate"
            }
            _ => return Ok(()),
        };
        Err(Options::command().error(ErrorKind::ArgumentConflict, wrong))
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("not a whole number".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && (1e-3..=1e9).contains(&rate) => Ok(rate),
        _ => Err("not a number of messages a second between 0.001 and a billion".to_owned()),
    }
}

/// The most that a message may have: both ends hold it in memory.
const SIZE_MAX: usize = 64 << 20;

fn size(text: &str) -> Result<usize, String> {
    let lower = text.to_ascii_lowercase();
    let (digits, shift) = match lower.strip_suffix(['k', 'm']) {
        Some(digits) if lower.ends_with('k') => (digits, 10),
        Some(digits) => (digits, 20),
        None => (lower.as_str(), 0),
    };
    let number: usize = digits
        .parse()
        .map_err(|_| "not a number of bytes, such as 64, 4k or 1m".to_owned())?;
    match number.checked_mul(1 << shift) {
        Some(1..=SIZE_MAX) => Ok(number << shift),
        _ => Err("between 1 byte and 64m".to_owned()),
    }
}

const YEAR: Duration = Duration::from_secs(8760 * 3600);

/// A length of time: `10s`, `500ms`, `2m`, or seconds; what is longer than a year
/// is meant by nobody, and no clock goes on for ever.
pub(crate) fn duration_or_none(text: &str) -> Result<Duration, String> {
    let wrong = || "not a length of time, such as 10s, 500ms or 2m".to_owned();
    let (digits, unit) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let number: f64 = digits.trim().parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong()),
    };
    match Duration::try_from_secs_f64(seconds).map_err(|_| wrong())? {
        long if long > YEAR => Err("at most a year (8760h)".to_owned()),
        duration => Ok(duration),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match duration_or_none(text)? {
        short if short < Duration::from_millis(10) => Err("at least 10ms".to_owned()),
        long if long > Duration::from_secs(86_400) => Err("at most a day".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn lengths_of_time_have_units() {
        for (text, milliseconds) in [
            ("10s", 10_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1.5", 1_500),
        ] {
            assert_eq!(
                duration(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for wrong in ["", "s", "-1s", "1 day", "1e30h", "0s", "nan"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units_and_limits() {
        for (text, bytes) in [("64", 64), ("4k", 4096), ("1M", 1 << 20)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "0", "k", "65m", "-1", "18446744073709551615k"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
