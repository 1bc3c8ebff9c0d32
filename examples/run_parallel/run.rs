//! All commands: some at a time, and what stops the others.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::time::Instant;

use wakeline::signal::unix::{Signal, SignalKind, signal};
use wakeline::sync::Semaphore;
use wakeline::{CancelToken, scope_local, select};

use crate::cli::Options;
use crate::job::{self, End, Stop};
use crate::output::{Output, Report, Row, say};

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
    let interrupted = RefCell::new(None);
    select! {
        biased;
        () = each(&commands, options, &stop, &output, &rows) => {}
        () = stop_by_signals(signals, &stop, &interrupted) => {}
    }
    let mut rows = rows.into_inner();
    rows.sort_by_key(|row: &Row| row.number);
    Report {
        rows,
        interrupted: interrupted.into_inner(),
        elapsed: started.elapsed(),
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
                sink.finish(&row);
                if options.fail_fast && row.end.is_failure() {
                    stop.soon
                        .cancel(format!("command {number} failed: {}", row.end));
                }
                rows.borrow_mut().push(row);
                Ok::<(), Infallible>(())
            });
        }
        Ok(())
    });
    if let Err(error) = run.await {
        say(&format!("{error}"));
    }
}

/// What stops it from outside.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The name of the next one.
    async fn next(&mut self) -> io::Result<&'static str> {
        select! {
            came = self.interrupt.recv() => came.map(|()| "SIGINT"),
            came = self.terminate.recv() => came.map(|()| "SIGTERM"),
        }
    }
}

/// The first Ctrl-C or SIGTERM stops the commands, the second does not wait.
async fn stop_by_signals(
    signals: io::Result<Signals>,
    stop: &Stop,
    interrupted: &RefCell<Option<&'static str>>,
) {
    let listen = async {
        let mut signals = signals?;
        loop {
            let name = signals.next().await?;
            if interrupted.borrow_mut().replace(name).is_none() {
                say(&format!(
                    "{name}: stopping the commands; once more kills them"
                ));
                stop.soon.cancel(format!("interrupted by {name}"));
            } else {
                stop.now.cancel("interrupted again");
            }
        }
    };
    let Err(error): io::Result<Infallible> = listen.await;
    say(&format!("Ctrl-C will lose the table: {error}"));
    pending().await
}
