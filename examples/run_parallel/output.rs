//! What the commands wrote, kept apart; and the table at the end.
//!
//! A block is printed when its command has ended, what it wrote to stdout to
//! our stdout, and its stderr to our stderr. With `--prefix` each line is
//! printed when it is complete, with the number of its command before it.
//!
//! ```text
//!   put ──▶ queued ──▶ writing ──▶ stdout or stderr
//!              drain: whoever has the lock, also what others have put
//! ```
//!
//! Nothing here blocks the thread: a reader that is slow holds up its printing,
//! and neither the commands nor what stops them. What was put is not lost with
//! the future that waits for it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::time::Duration;

use wakeline::io::{AsyncWrite, AsyncWriteExt, stderr, stdout};
use wakeline::sync::Mutex;
use wakeline::{CancelToken, select};

use crate::cli::Options;
use crate::job::End;

/// A word to the user, where nothing runs.
pub(crate) fn say(text: &str) {
    // If even stderr is closed there is nobody to be told.
    let _ = writeln!(io::stderr(), "run_parallel: {text}");
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// One stream of ours.
struct Printer {
    queued: RefCell<Vec<u8>>,
    writer: Mutex<Writer>,
}

struct Writer {
    to: Box<dyn AsyncWrite + Unpin>,
    /// What is written now, and how much of it is.
    bytes: Vec<u8>,
    written: usize,
}

impl Printer {
    fn new(to: impl AsyncWrite + Unpin + 'static) -> Printer {
        Printer {
            queued: RefCell::default(),
            writer: Mutex::new(Writer {
                to: Box::new(to),
                bytes: Vec::new(),
                written: 0,
            }),
        }
    }

    /// Writes all that was put.
    async fn drain(&self) -> io::Result<()> {
        let writer = &mut *self.writer.lock().await;
        loop {
            while writer.written < writer.bytes.len() {
                match writer.to.write(&writer.bytes[writer.written..]).await {
                    Ok(written) => writer.written += written,
                    Err(error) => {
                        writer.bytes.clear(); // nobody gets it
                        return Err(error);
                    }
                }
            }
            writer.written = 0;
            writer.bytes = mem::take(&mut *self.queued.borrow_mut());
            if writer.bytes.is_empty() {
                return writer.to.flush().await;
            }
        }
    }
}

/// How outputs are kept and shown.
pub(crate) struct Output {
    prefix: bool,
    keep: usize,
    /// Digits of the largest number.
    width: usize,
    out: Printer,
    err: Printer,
    lost: Cell<bool>,
}

impl Output {
    pub(crate) fn new(options: &Options, commands: &[String]) -> Output {
        Output {
            prefix: options.prefix,
            keep: options.keep,
            width: commands.len().to_string().len(),
            out: Printer::new(stdout()),
            err: Printer::new(stderr()),
            lost: Cell::new(false),
        }
    }

    /// Whether something that a command wrote could not be printed.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.get()
    }

    fn printer(&self, stream: Stream) -> &Printer {
        match stream {
            Stream::Out => &self.out,
            Stream::Err => &self.err,
        }
    }

    /// To be written by the next `drain`.
    fn put(&self, stream: Stream, bytes: &[u8]) {
        let queued = &self.printer(stream).queued;
        queued.borrow_mut().extend_from_slice(bytes);
    }

    /// A word to the user, written by the next `drain`.
    pub(crate) fn say(&self, text: &str) {
        self.put(Stream::Err, format!("run_parallel: {text}\n").as_bytes());
    }

    /// Waits until what was put is written.
    pub(crate) async fn drain(&self, stream: Stream) {
        match self.printer(stream).drain().await {
            // Nobody reads to the end, as in `run_parallel … | head -1`: the commands run on.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe && stream == Stream::Out => {
                self.lost.set(true);
                self.say(&format!("cannot print what a command wrote: {error}"));
            }
            _ => {}
        }
    }

    /// Waits until all is written.
    pub(crate) async fn drain_all(&self) {
        self.drain(Stream::Out).await;
        self.drain(Stream::Err).await;
    }

    /// Where one command's output goes.
    pub(crate) fn sink(&self, number: usize) -> Sink<'_> {
        Sink {
            output: self,
            prefix: self.prefix.then(|| format!("[{number:0$}] ", self.width)),
            held: RefCell::default(),
            hurry: CancelToken::new(),
        }
    }
}

/// One command's output.
pub(crate) struct Sink<'a> {
    pub(crate) output: &'a Output,
    /// What each line begins with; without it, blocks.
    prefix: Option<String>,
    held: RefCell<[Held; 2]>,
    /// Cancelled when reading is not to wait for the printing any more.
    pub(crate) hurry: CancelToken,
}

/// What was not printed yet.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    left_out: usize,
}

impl Sink<'_> {
    /// Takes it over; a command that prints line by line then waits for its reader.
    pub(crate) async fn write(&self, stream: Stream, bytes: &[u8]) {
        if self.keep(stream, bytes) {
            select! {
                biased;
                () = self.output.drain(stream) => {}
                _reason = self.hurry.cancelled() => {}
            }
        }
    }

    /// Whether there is something to be printed now.
    fn keep(&self, stream: Stream, bytes: &[u8]) -> bool {
        let held = &mut self.held.borrow_mut()[stream as usize];
        let room = self.output.keep.saturating_sub(held.bytes.len());
        let room = room.min(bytes.len());
        held.bytes.extend_from_slice(&bytes[..room]);
        held.left_out += bytes.len() - room;
        let Some(prefix) = &self.prefix else {
            return false;
        };
        let Some(end) = held.bytes.iter().rposition(|byte| *byte == b'\n') else {
            return false;
        };
        let rest = held.bytes.split_off(end + 1);
        let lines = mem::replace(&mut held.bytes, rest);
        self.output.put(stream, &prefixed(prefix, &lines));
        true
    }

    /// The stream is at its end: a last line may lack its own.
    pub(crate) fn end(&self, stream: Stream) {
        let held = &mut self.held.borrow_mut()[stream as usize];
        if let Some(prefix) = &self.prefix
            && !held.bytes.is_empty()
        {
            held.bytes.push(b'\n');
            let line = prefixed(prefix, &mem::take(&mut held.bytes));
            self.output.put(stream, &line);
        }
    }

    /// The command has ended: prints its block.
    pub(crate) async fn finish(&self, row: &Row) {
        for stream in [Stream::Out, Stream::Err] {
            self.end(stream);
            let held = mem::take(&mut self.held.borrow_mut()[stream as usize]);
            self.output.put(stream, &held.bytes);
            if held.left_out > 0 {
                let (number, left_out) = (row.number, held.left_out);
                self.output.say(&format!(
                    "command {number}: {left_out} bytes of its output are left out (--keep)"
                ));
            }
        }
        self.output.drain_all().await;
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
    /// Some of what the commands wrote.
    pub(crate) lost: bool,
    pub(crate) elapsed: Duration,
}

impl Report {
    /// The exit code of the program.
    pub(crate) fn code(&self) -> u8 {
        let worst = self.rows.iter().map(|row| row.end.code()).max();
        match self.interrupted {
            Some(_) => 130,
            None => worst.unwrap_or(0).max(self.lost.into()),
        }
    }

    /// The table, to stderr.
    pub(crate) fn print(&self, output: &Output) {
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
        output.say(&format!(
            "{all} commands, {failed} failed, {took:.2} s\n{}",
            text.trim_end()
        ));
    }
}
