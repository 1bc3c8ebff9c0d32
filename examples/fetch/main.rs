//! Fetches many URLs at once: an HTTP/1.1 client of this runtime's own streams, tasks and timers.
//!
//! ```text
//! cargo run --release --example fetch -- --sequential https://example.org https://www.rust-lang.org
//! ```
//!
//! Nothing here knows the kernel or the executor: the protocol is generic over the `futures-io`
//! traits, and the runtime is met in a few calls, `spawn`, `timeout`, `TcpStream::connect`. To
//! follow one URL, read in this order:
//!
//! | file          | what happens there                                               |
//! |---------------|------------------------------------------------------------------|
//! | `args.rs`     | the command line becomes a list of jobs; `names.rs` names files    |
//! | `run.rs`      | a task for each job, a semaphore, Ctrl-C                         |
//! | `client.rs`   | attempts; `retry.rs` says when again, `redirect.rs` where to next  |
//! | `auth.rs`     | a URL's name and password become a header                        |
//! | `pool.rs`     | a connection that waits for another request, or                  |
//! | `connect.rs`  | a new one: name, TCP, TLS                                        |
//! | `exchange.rs` | the request out, the head in; `limits.rs` is the gate it passes    |
//! | `body.rs`     | chunks and lengths become bytes; `decode.rs` decompresses them     |
//! | `download.rs` | from the body through the decoder into the file, `output.rs`     |
//! | `report.rs`   | the table or the JSON; `trace.rs` and `error.rs` are its columns   |
//!
//! stdout is the report, stderr the progress. Exit code 0: all fetched; 1: some failed;
//! 2: wrong arguments; 130: interrupted.

#![forbid(unsafe_code)]

mod args;
mod auth;
mod body;
mod client;
mod connect;
mod decode;
mod download;
mod error;
mod exchange;
mod limits;
mod names;
mod output;
mod pool;
mod progress;
mod redirect;
mod report;
mod retry;
mod run;
mod trace;

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use wakeline::Runtime;

use self::{
    args::{Args, Plan},
    progress::tell,
    report::Report,
};

/// How long half-done blocking jobs (a lookup, a write) may hold up the exit.
const GRACE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let args = Args::parse(); // ends the program with code 2 on a wrong option
    let plan = match args.plan() {
        Ok(plan) => plan,
        Err(message) => {
            tell(&format!("fetch: {message}"));
            return ExitCode::from(2);
        }
    };
    let runtime = match Runtime::builder()
        .workers(args.workers.get().into())
        .driver(args.driver)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("fetch: cannot start the runtime: {error}"));
            return ExitCode::from(1);
        }
    };
    let report = runtime.block_on(fetch_all(
        plan,
        args.sequential,
        runtime.backend().to_string(),
    ));
    let code = match (report.interrupted(), report.failed()) {
        (true, _) => 130,
        (false, true) => 1,
        (false, false) => 0,
    };
    let text = if args.json {
        report.json()
    } else {
        report.table()
    };
    let printed = io::stdout().write_all(text.as_bytes());
    // What is still running, a lookup at most, is of no more use to anybody.
    let _ = runtime.shutdown(GRACE);
    match printed {
        // Nobody reads to the end, as in `fetch … | head -1`: no failure of the fetches.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            tell(&format!("fetch: cannot write the report: {error}"));
            ExitCode::from(1)
        }
        _ => ExitCode::from(code),
    }
}

/// Fetches everything, with `sequential` first one by one.
async fn fetch_all(plan: Plan, sequential: bool, backend: String) -> Report {
    let Plan {
        jobs,
        concurrency,
        options,
    } = plan;
    let options = Arc::new(options);
    let first = match sequential {
        true => Some(run::pass(&jobs, &options, 1, interrupt()).await),
        false => None,
    };
    match first {
        // Interrupted: what there is so far is the result.
        Some(pass) if pass.interrupted => Report {
            pass,
            sequential: None,
            backend,
        },
        sequential => {
            let pass = run::pass(&jobs, &options, concurrency, interrupt()).await;
            Report {
                pass,
                sequential,
                backend,
            }
        }
    }
}

/// Ready at Ctrl-C; never, if the signal cannot be watched: then it ends the program as usual.
async fn interrupt() {
    if let Err(error) = wakeline::signal::ctrl_c().await {
        tell(&format!("fetch: Ctrl-C will lose the summary: {error}"));
        std::future::pending::<()>().await;
    }
}
