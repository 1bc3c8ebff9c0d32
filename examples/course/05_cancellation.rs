//! 5. Cancelling, and cleaning up.
//!
//! A cancel here is a drop: it is immediate, and cannot be refused. What wants to
//! hear of it and to act listens to its token. What has to be awaited when it is
//! over is a guard of a scope: its finalizer runs once the scope returns, fails, panics or
//! is cancelled. Where the scope itself is dropped, as by an abort of its task or a timeout
//! around it, only that of a `guard_static` still runs: it borrows nothing. Ctrl-C cancels
//! the token of `run`; the second one ends the process.
//!
//! In asyncio: `task.cancel()`, `except CancelledError`, `try: .. finally: await`,
//! `asyncio.run` and its Ctrl-C. In trio: `CancelScope.cancel()`, shielded
//! cleanup.
//!
//! ```text
//! task: cancelled, because not needed any more
//! loop: stopped after 3 rounds: cancelled: enough
//!   rolled back, after 10 ms
//! scope: the scope was cancelled: the client went away
//! commit: not heard behind its shield, done
//! Ctrl-C (sent to itself)
//!   file saved
//! main: stopped by Interrupt
//! ```

#[macro_use]
mod support;

use std::convert::Infallible;
use std::future::pending;
use std::process::{Command, id};

use support::{MS, ms_since};
use wakeline::time::{now, sleep};
use wakeline::{CancelToken, Cancelled, FutureExt, ScopeError, checkpoint, scope, spawn};

/// Looks at the token in force: `checkpoint` between, `or_cancelled` at a wait.
async fn rounds(done: &mut u32) -> Result<(), Cancelled> {
    loop {
        checkpoint()?;
        *done += 1;
        sleep(10 * MS).or_cancelled().await?;
    }
}

async fn course() {
    let task = spawn(pending::<()>());
    task.cancel("not needed any more");
    if let Err(error) = task.await
        && let Some(reason) = error.reason()
    {
        say!("task: cancelled, because {reason}");
    }

    let (token, mut done) = (CancelToken::new(), 0);
    let canceller = async {
        sleep(25 * MS).await;
        token.cancel("enough");
    };
    let (stopped, ()) = wakeline::join!(rounds(&mut done).with_token(token.clone()), canceller);
    if let Err(stopped) = stopped {
        say!("loop: stopped after {done} rounds: {stopped}");
    }

    let start = now();
    let result: Result<(), ScopeError<Infallible>> = scope(|s| async move {
        let _transaction = s.guard("transaction", move |_| async move {
            sleep(10 * MS).await; // a question to the server, and its answer
            say!("  rolled back, after {} ms", ms_since(start));
        });
        s.cancel("the client went away");
        pending().await // is dropped here; then the finalizer is awaited
    })
    .await;
    if let Err(error) = result {
        say!("scope: {error}");
    }

    let request = CancelToken::new();
    let commit = async { sleep(10 * MS).or_cancelled().await }.with_token(request.shielded_child());
    request.cancel("too late for this one");
    if commit.await.is_ok() {
        say!("commit: not heard behind its shield, done");
    }
}

/// A main that Ctrl-C cancels.
async fn interrupted() -> Result<(), ScopeError<std::io::Error>> {
    scope(|s| async move {
        let _file = s.guard("file", |file| async move {
            sleep(10 * MS).await;
            say!("  {file} saved");
        });
        // In place of somebody at the keyboard.
        say!("Ctrl-C (sent to itself)");
        Command::new("kill")
            .args(["-INT", &id().to_string()])
            .status()?;
        pending().await
    })
    .await
}

fn main() {
    let runtime = support::runtime(|builder| builder);
    runtime.block_on(course());
    match runtime.run(interrupted()) {
        Err(ScopeError::Cancelled(reason)) => say!("main: stopped by {:?}", reason.cause()),
        other => say!("main: {other:?}"),
    }
}
