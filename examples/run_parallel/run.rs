//! All commands: some at a time, and what stops the others.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fs;
use std::future::pending;
use std::io;
use std::time::Instant;

use wakeline::signal::unix::{Signal, SignalKind, signal};
use wakeline::sync::Semaphore;
use wakeline::{CancelToken, scope_local, select};

use crate::cli::Options;
use crate::job::{self, End, Stop};
use crate::output::{Output, Report, Row, Stream};

/// Runs `commands`; the report has one row for each.
pub(crate) async fn all(commands: Vec<String>, options: &Options, output: Output) -> Report {
    let started = Instant::now();
    // Before the first of them runs: a signal that nobody hears yet would end
    // this program alone, and leave them.
    let signals = Signals::listen();
    let stop = Stop {
        soon: CancelToken::new(),
        now: CancelToken::new(),
    };
    let rows = RefCell::new(Vec::with_capacity(commands.len()));
    let interrupted = Cell::new(None);
    let work = async {
        each(&commands, options, &stop, &output, &rows).await;
        let mut rows = rows.take();
        rows.sort_by_key(|row: &Row| row.number);
        let mut report = Report {
            rows,
            interrupted: interrupted.get(),
            lost: false,
            elapsed: started.elapsed(),
        };
        if !options.quiet {
            report.print(&output);
        }
        stop.or_late(output.drain_all()).await;
        report.interrupted = interrupted.get(); // also while it was printed
        report.lost = output.is_lost();
        report
    };
    select! {
        biased;
        report = work => report,
        () = stop_by_signals(signals, &stop, &interrupted, &output) => unreachable!("it listens for ever"),
    }
}

/// Starts one after the other, as places become free.
async fn each(
    commands: &[String],
    options: &Options,
    stop: &Stop,
    output: &Output,
    rows: &RefCell<Vec<Row>>,
) {
    let places = &Semaphore::new(options.jobs());
    let run = scope_local(|s| async move {
        for (index, command) in commands.iter().enumerate() {
            let number = index + 1;
            let place = select! {
                biased;
                reason = stop.soon.cancelled() => {
                    let end = End::NotStarted(reason.to_string());
                    rows.borrow_mut().push(Row::new(number, command, end));
                    continue;
                }
                place = places.acquire() => place,
            };
            s.spawn(async move {
                let _place = place;
                let started = Instant::now();
                let sink = output.sink(number);
                let end = job::run(command, options, stop, &sink).await;
                let mut row = Row::new(number, command, end);
                row.took = started.elapsed();
                // Before its block is printed: that may take its reader long.
                if options.fail_fast && row.end.is_failure() {
                    stop.soon
                        .cancel(format!("command {number} failed: {}", row.end));
                }
                stop.or_late(sink.finish(&row)).await;
                rows.borrow_mut().push(row);
                Ok::<(), Infallible>(())
            });
        }
        Ok(())
    });
    if let Err(error) = run.await {
        output.say(&format!("{error}"));
    }
}

/// What stops it from outside.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> io::Result<Signals> {
        let hangup = (!ignores_hangup()).then(|| signal(SignalKind::hangup()));
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hangup: hangup.transpose()?,
        })
    }

    /// The name of the next one.
    async fn next(&mut self) -> io::Result<&'static str> {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        select! {
            came = self.interrupt.recv() => came.map(|()| "SIGINT"),
            came = self.terminate.recv() => came.map(|()| "SIGTERM"),
            came = self.quit.recv() => came.map(|()| "SIGQUIT"),
            came = hangup => came.map(|()| "SIGHUP"),
        }
    }
}

/// Whether this program was started to outlive its terminal, as by `nohup`.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1) // SIGHUP is the first signal
}

/// The first signal stops the commands, the second does not wait.
async fn stop_by_signals(
    signals: io::Result<Signals>,
    stop: &Stop,
    interrupted: &Cell<Option<&'static str>>,
    output: &Output,
) {
    let listen = async {
        let mut signals = signals?;
        loop {
            // What is said is written while the next one is waited for.
            let name = select! {
                biased;
                name = signals.next() => name?,
                () = said(output) => unreachable!("it waits for ever"),
            };
            if interrupted.replace(Some(name)).is_none() {
                output.say(&format!(
                    "{name}: stopping the commands; once more kills them"
                ));
                stop.soon.cancel(format!("interrupted by {name}"));
            } else {
                stop.now.cancel("interrupted again");
            }
        }
    };
    let Err(error): io::Result<Infallible> = listen.await;
    output.say(&format!("Ctrl-C will lose the table: {error}"));
    said(output).await;
}

/// Writes what was said, then waits for ever.
async fn said(output: &Output) {
    output.drain(Stream::Err).await;
    pending().await
}
