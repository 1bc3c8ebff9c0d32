//! The rows: each does the number of operations that it is asked for.

mod echo;
mod tasks;
mod time;

use std::future::Future;
use std::process::ExitCode;

use wakeline::{Builder, Driver};
use wakeline_benches::note;

/// The exit code of a row whose driver cannot be had on this machine.
pub(crate) const NOT_HERE: u8 = 77;

pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Enough that one of them more or less in the frame does not show.
    pub(crate) ops: u64,
    run: fn(u64) -> Result<(), std::io::Error>,
}

/// Thousands of operations.
const fn row(name: &'static str, run: fn(u64) -> Result<(), std::io::Error>) -> Row {
    Row {
        name,
        ops: 20_000,
        run,
    }
}

pub(crate) const ROWS: &[Row] = &[
    row("block_on a ready future", tasks::block_on_ready),
    row("poll after a self-wake, 1 task", tasks::self_wake_1),
    row("poll after a self-wake, 1000 tasks", tasks::self_wake_1000),
    row("spawn and join, local", tasks::spawn_join_local),
    row("spawn and join, stealable", tasks::spawn_join),
    row("spawn 10000, join all, local", tasks::spawn_all),
    row("abort and join, local", tasks::abort_join),
    row("channel item, 1 to 1", tasks::channel_1),
    row("channel item, 8 to 1", tasks::channel_8),
    row("ping-pong by two channels", tasks::ping_pong),
    row("request and one-shot reply", tasks::one_shot),
    row("semaphore of 10, 1000 tasks", tasks::semaphore),
    row("mutex, 1000 tasks", tasks::mutex),
    row("timer made and dropped", time::timer_alone),
    row("timer made and dropped, 10000 alive", time::timer_crowd),
    row("timer that fires", time::timer_fires),
    row("timeout of a ready future", time::timeout_ready),
    row("echo message, TCP, epoll", echo::tcp_epoll),
    row("echo message, TCP, io_uring", echo::tcp_uring),
    row("echo message, Unix, epoll", echo::unix_epoll),
    row("echo message, Unix, io_uring", echo::unix_uring),
];

/// `--run ROW OPS`
pub(crate) fn run(mut args: impl Iterator<Item = String>) -> ExitCode {
    let (name, ops) = (args.next(), args.next());
    let row = ROWS.iter().find(|row| Some(row.name) == name.as_deref());
    let (Some(row), Some(Ok(ops))) = (row, ops.map(|ops| ops.parse())) else {
        note("--run needs a row and a number of operations");
        return ExitCode::from(2);
    };
    match (row.run)(ops) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("{}: {error}", row.name));
            match row.name.ends_with("io_uring") && !has_uring() {
                true => ExitCode::from(NOT_HERE),
                false => ExitCode::FAILURE,
            }
        }
    }
}

fn has_uring() -> bool {
    let builder = Builder::new().workers(1).driver(Driver::Uring);
    builder.build().is_ok()
}

/// Runs a local task to its end, on a runtime of one worker.
fn on_one_worker<F>(driver: Driver, future: F) -> Result<F::Output, std::io::Error>
where
    F: Future + 'static,
    F::Output: 'static,
{
    on(Builder::new().workers(1).driver(driver), future)
}

/// Runs a local task to its end, on the runtime of `builder`.
fn on<F>(builder: Builder, future: F) -> Result<F::Output, std::io::Error>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let runtime = builder.build()?;
    Ok(runtime.block_on(async {
        // As a task, not as the root.
        wakeline::spawn_local(future).await.expect("no row panics")
    }))
}
