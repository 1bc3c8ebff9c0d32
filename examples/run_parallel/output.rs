//! What the commands wrote, kept apart; and the table at the end.
//!
//! A block is printed when its command has ended, what it wrote to stdout to
//! our stdout, and its stderr to our stderr. With `--prefix` each line is
//! printed when it is complete, with the number of its command before it.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use crate::cli::Options;
use crate::job::End;

/// A word to the user.
pub(crate) fn say(text: &str) {
    // If even stderr is closed there is nobody to be told.
    let _ = writeln!(io::stderr(), "run_parallel: {text}");
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl Stream {
    fn print(self, bytes: &[u8]) {
        let printed = match self {
            Stream::Out => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Stream::Err => io::stderr().lock().write_all(bytes),
        };
        match printed {
            // Nobody reads to the end, as in `run_parallel … | head -1`: the commands run on.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                say(&format!("cannot print what a command wrote: {error}"));
            }
            _ => {}
        }
    }
}

/// How outputs are kept and shown.
#[derive(Debug)]
pub(crate) struct Output {
    prefix: bool,
    keep: usize,
    /// Digits of the largest number.
    width: usize,
}

impl Output {
    pub(crate) fn new(options: &Options, commands: &[String]) -> Output {
        Output {
            prefix: options.prefix,
            keep: options.keep,
            width: commands.len().to_string().len(),
        }
    }

    /// Where one command's output goes.
    pub(crate) fn sink(&self, number: usize) -> Sink {
        Sink {
            prefix: self.prefix.then(|| format!("[{number:0$}] ", self.width)),
            keep: self.keep,
            held: RefCell::default(),
        }
    }
}

/// One command's output.
#[derive(Debug)]
pub(crate) struct Sink {
    /// What each line begins with; without it, blocks.
    prefix: Option<String>,
    keep: usize,
    held: RefCell<[Held; 2]>,
}

/// What was not printed yet.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    left_out: usize,
}

impl Sink {
    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) {
        let held = &mut self.held.borrow_mut()[stream as usize];
        let room = self.keep.saturating_sub(held.bytes.len()).min(bytes.len());
        held.bytes.extend_from_slice(&bytes[..room]);
        held.left_out += bytes.len() - room;
        let Some(prefix) = &self.prefix else { return };
        let Some(end) = held.bytes.iter().rposition(|byte| *byte == b'\n') else {
            return;
        };
        let rest = held.bytes.split_off(end + 1);
        let lines = std::mem::replace(&mut held.bytes, rest);
        stream.print(&prefixed(prefix, &lines));
    }

    /// The stream is at its end: a last line may lack its own.
    pub(crate) fn end(&self, stream: Stream) {
        let held = &mut self.held.borrow_mut()[stream as usize];
        if let Some(prefix) = &self.prefix
            && !held.bytes.is_empty()
        {
            held.bytes.push(b'\n');
            stream.print(&prefixed(prefix, &std::mem::take(&mut held.bytes)));
        }
    }

    /// The command has ended: prints its block.
    pub(crate) fn finish(&self, row: &Row) {
        for stream in [Stream::Out, Stream::Err] {
            self.end(stream);
            let held = std::mem::take(&mut self.held.borrow_mut()[stream as usize]);
            if !held.bytes.is_empty() {
                stream.print(&held.bytes);
            }
            if held.left_out > 0 {
                let (number, left_out) = (row.number, held.left_out);
                say(&format!(
                    "command {number}: {left_out} bytes of its output are left out (--keep)"
                ));
            }
        }
    }
}

fn prefixed(prefix: &str, lines: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(lines.len() + prefix.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        text.extend_from_slice(prefix.as_bytes());
        text.extend_from_slice(line);
    }
    text
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) number: usize,
    command: String,
    pub(crate) end: End,
    pub(crate) took: Duration,
}

impl Row {
    pub(crate) fn new(number: usize, command: &str, end: End) -> Row {
        Row {
            number,
            command: command.to_owned(),
            end,
            took: Duration::ZERO,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exited(status) => write!(f, "{status}"),
            End::Stopped(reason) => write!(f, "stopped: {reason}"),
            End::TimedOut(limit) => write!(f, "timed out after {limit:?}"),
            End::Failed(error) => write!(f, "{error}"),
            End::NotStarted(reason) => write!(f, "not started: {reason}"),
        }
    }
}

/// What came of it all.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    /// By which signal.
    pub(crate) interrupted: Option<&'static str>,
    pub(crate) elapsed: Duration,
}

impl Report {
    /// The exit code of the program.
    pub(crate) fn code(&self) -> u8 {
        let worst = self.rows.iter().map(|row| row.end.code()).max();
        match self.interrupted {
            Some(_) => 130,
            None => worst.unwrap_or(0),
        }
    }

    /// The table, to stderr.
    pub(crate) fn print(&self) {
        let mut text = String::new();
        let width = self.rows.len().to_string().len();
        for Row {
            number,
            command,
            end,
            took,
        } in &self.rows
        {
            let command: String = command.chars().take(60).collect();
            let took = took.as_secs_f64();
            text += &format!("  {number:>width$}  {took:>8.2} s  {command}: {end}\n");
        }
        let failed = self.rows.iter().filter(|row| row.end.is_failure()).count();
        let all = self.rows.len();
        let took = self.elapsed.as_secs_f64();
        say(&format!(
            "{all} commands, {failed} failed, {took:.2} s\n{}",
            text.trim_end()
        ));
    }
}
