//! One command: started, read, awaited, and stopped in time.

use std::cell::Cell;
use std::future::pending;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::time::Duration;

use rustix::process::Signal;
use wakeline::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use wakeline::signal::unix::SignalKind;
use wakeline::time::sleep;
use wakeline::{CancelToken, FutureExt, join, select};

use crate::cli::Options;
use crate::output::{Sink, Stream};

/// How long the pipes of a command that was killed may stay open, and how long
/// what is printed may take when nobody waits any more.
pub(crate) const LEFT_OPEN: Duration = Duration::from_millis(100);

/// How a command ended.
#[derive(Debug)]
pub(crate) enum End {
    /// By itself.
    Exited(ExitStatus),
    /// It was stopped, and why.
    Stopped(String),
    /// It took longer than it may.
    TimedOut(Duration),
    /// It could not be run.
    Failed(io::Error),
    /// It was its turn too late.
    NotStarted(String),
}

impl End {
    /// What it adds to the exit code of the whole.
    pub(crate) fn code(&self) -> u8 {
        match self {
            End::Exited(status) => code_of(*status),
            End::Stopped(_) | End::NotStarted(_) => 0, // somebody else was the cause
            End::TimedOut(_) => 124,
            End::Failed(error) if error.kind() == io::ErrorKind::NotFound => 127,
            End::Failed(_) => 126,
        }
    }

    pub(crate) fn is_failure(&self) -> bool {
        self.code() != 0
    }
}

/// The code as a shell reports it.
fn code_of(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Why a command is to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    /// Cancelled when it is to stop; the reason goes into the report.
    pub(crate) soon: CancelToken,
    /// Cancelled when no grace is left.
    pub(crate) now: CancelToken,
}

impl Stop {
    /// What is printed: not for much longer once nobody waits any more.
    pub(crate) async fn or_late(&self, printing: impl Future<Output = ()>) {
        let late = async {
            self.now.cancelled().await;
            sleep(LEFT_OPEN).await;
        };
        select! {
            biased;
            () = printing => {}
            () = late => {}
        }
    }
}

/// Runs one command to its end, whatever that is.
pub(crate) async fn run(command: &str, options: &Options, stop: &Stop, sink: &Sink<'_>) -> End {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    shell
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A group of its own: a signal then reaches all that the shell has started.
    shell.process_group(0).kill_on_drop(true);
    let mut child = match shell.spawn() {
        Ok(child) => child,
        Err(error) => return End::Failed(error),
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read_all = Cell::new(false);
    let mut reading = pin!(async {
        join!(
            pump(stdout, Stream::Out, sink),
            pump(stderr, Stream::Err, sink)
        );
        read_all.set(true);
    });

    // What it has left in the background may have the pipes open; that counts.
    let whole = async { join!(child.until_ended(), reading.as_mut()).0 };
    let why = select! {
        biased;
        ended = whole => match ended {
            Ok(()) => None,
            Err(error) => return End::Failed(error),
        },
        reason = stop.soon.cancelled() => Some(End::Stopped(reason.to_string())),
        limit = timeout(options.timeout) => Some(End::TimedOut(limit)),
    };
    if why.is_some() {
        // Not only the shell is to end, but all that it has started: that may
        // clean up, and has the pipes. It is read on meanwhile.
        let ended = async {
            let closed = async {
                if !read_all.get() {
                    reading.as_mut().await;
                }
            };
            join!(child.until_ended(), closed)
        };
        halt(&child, ended, options.grace, &stop.now, sink).await;
        if !read_all.get() {
            // It is dead: what it has left in its pipes is not much.
            sink.hurry.cancel("killed");
            // What has left its group may keep the pipes open for ever.
            let _late = reading.timeout(LEFT_OPEN).await;
        }
    }
    match (why, child.wait().await) {
        (Some(why), _) => why,
        (None, Ok(status)) => End::Exited(status),
        (None, Err(error)) => End::Failed(error),
    }
}

/// SIGTERM, and SIGCONT, to the group, the grace unless all has `ended`, SIGKILL to the group.
///
/// The child is not reaped before that: so long its group's number is its own.
async fn halt(
    child: &Child,
    ended: impl Future,
    grace: Duration,
    now: &CancelToken,
    sink: &Sink<'_>,
) {
    tell(child, SignalKind::terminate(), sink);
    // One that was stopped hears it only then.
    tell(child, SignalKind::from_raw(Signal::CONT.as_raw()), sink);
    select! {
        _ended = ended => {}
        () = sleep(grace) => {}
        _reason = now.cancelled() => {}
    }
    tell(child, SignalKind::from_raw(9), sink);
}

fn tell(child: &Child, signal: SignalKind, sink: &Sink<'_>) {
    if let Err(error) = child.signal_group(signal) {
        sink.output.say(&format!("{signal} was not sent: {error}"));
    }
}

/// Ready after the limit, if there is one.
async fn timeout(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => {
            sleep(limit).await;
            limit
        }
        None => pending().await,
    }
}

/// Reads to the end.
async fn pump(pipe: Option<ChildStdout>, stream: Stream, sink: &Sink<'_>) {
    let Some(pipe) = pipe else { return };
    loop {
        match pipe.read_pooled().await {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => sink.write(stream, &bytes).await,
            Err(error) => {
                sink.output
                    .say(&format!("cannot read what a command writes: {error}"));
                break;
            }
        }
    }
    sink.end(stream);
}
