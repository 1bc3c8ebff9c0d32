//! What every part of the course leans on: lines to print, a clock to read, a
//! runtime to run on.
//!
//! The clock is paused: it stands while code runs, and jumps to the next deadline
//! when everything waits. So a part takes no time, and its numbers are exact and
//! the same in each run. `WAKELINE_COURSE=real` runs it by the real clock: then
//! what it says to take 300 ms takes that, and a little more.
//!
//! `WAKELINE_DRIVER=uring|epoll` chooses the backend; the output is the same.

use std::fmt;
use std::future::Future;
use std::io::{ErrorKind, Write, stdout};
use std::process::exit;
use std::time::{Duration, Instant};

use wakeline::{Builder, Runtime, time};

/// Milliseconds, as all of the course measures them.
#[allow(dead_code, reason = "not each part needs it")]
pub(crate) const MS: Duration = Duration::from_millis(1);

/// Prints a line, as `println!`, and ends the program quietly when nobody reads.
///
/// `println!` would panic when its reader is gone, as in `| head -1`.
macro_rules! say {
    ($($line:tt)*) => { crate::support::line(format_args!($($line)*)) };
}

/// What [`say!`] calls.
pub(crate) fn line(line: fmt::Arguments<'_>) {
    match writeln!(stdout(), "{line}") {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit(0),
        Err(error) => {
            eprintln!("cannot print: {error}");
            exit(1);
        }
    }
}

/// How long ago `start` was, in whole milliseconds of the runtime's clock.
#[allow(dead_code, reason = "not each part measures")]
pub(crate) fn ms_since(start: Instant) -> u128 {
    (time::now() - start).as_millis()
}

/// A runtime of one worker, its clock paused, and what else `choose` chooses.
pub(crate) fn runtime(choose: impl FnOnce(Builder) -> Builder) -> Runtime {
    if let Some(surplus) = std::env::args_os().nth(1) {
        eprintln!("a part of the course takes no arguments, and so not {surplus:?}");
        exit(2);
    }
    let real = std::env::var_os("WAKELINE_COURSE").is_some_and(|clock| clock == "real");
    let builder = Runtime::builder().workers(1).start_paused(!real);
    match choose(builder).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start the runtime: {error}");
            exit(1);
        }
    }
}

/// Runs `main` on a [`runtime`].
#[allow(dead_code, reason = "some parts do more with their runtime")]
pub(crate) fn run<F: Future>(main: F) -> F::Output {
    runtime(|builder| builder).block_on(main)
}
