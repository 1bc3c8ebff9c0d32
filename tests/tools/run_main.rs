//! A `main` under `Runtime::run`, which a test interrupts.
//!
//! ```text
//! run_main uring|epoll WORKERS WHAT
//! ```
//!
//! Prints "ready" once it runs, then what it sees, a line each; at last
//! "outcome" and what main returned.

use std::env;
use std::future::pending;
use std::io::{BufRead, stdin};
use std::time::Duration;

use wakeline::cancel::Cause;
use wakeline::signal::unix::{SignalKind, signal};
use wakeline::time::sleep;
use wakeline::{FutureExt, Runtime, ScopeError, checkpoint, current_token, scope};

/// Says when it is dropped, and what the token in force says then.
struct Says;

impl Drop for Says {
    fn drop(&mut self) {
        println!("dropped, {:?}", current_token().reason().map(|r| r.cause()));
    }
}

async fn stop_and_clean_up() -> &'static str {
    println!("ready");
    let stopped = pending::<()>().or_cancelled().await.unwrap_err();
    println!("{stopped}, {:?}", stopped.reason().cause());
    // A level, not an edge: it is found at each look, and starts nothing new.
    println!("again: {}", checkpoint().is_err());
    println!("starts: {}", async {}.or_cancelled().await.is_ok());
    // What does not ask is not disturbed.
    sleep(Duration::from_millis(1)).await;
    println!("cleaned up");
    "stopped"
}

async fn hear_of_it_everywhere() -> &'static str {
    let token = current_token();
    let task = wakeline::spawn(
        async {
            let inner = current_token().child();
            println!("ready");
            inner.cancelled().await.cause()
        }
        .with_token(token),
    );
    println!("task: {:?}", task.await.expect("no panic"));
    "stopped"
}

async fn cancelled_by_itself() -> &'static str {
    let mut interrupt = signal(SignalKind::interrupt()).expect("a listener");
    current_token().cancel("of its own accord");
    println!("ready");
    interrupt.recv().await.expect("a signal");
    println!("{}", current_token().reason().expect("it is cancelled"));
    "finished"
}

async fn ends_in_the_same_poll() -> &'static str {
    println!("ready");
    // Blocks its thread on purpose: the signal comes while main is polled.
    stdin()
        .lock()
        .read_line(&mut String::new())
        .expect("a line");
    "finished"
}

async fn ask_twice() -> &'static str {
    println!("ready");
    println!("{}", current_token().cancelled().await);
    let _says = Says;
    pending().await
}

/// A scope as main: its children are dropped, its finalizers awaited.
async fn scoped() -> &'static str {
    let result: Result<(), ScopeError<()>> = scope(|s| async move {
        let _file = s.guard("file", |file| async move {
            sleep(Duration::from_millis(1)).await;
            println!("{file} saved");
        });
        s.spawn(async {
            let _says = Says;
            println!("ready");
            pending::<Result<(), ()>>().await
        });
        pending().await
    })
    .await;
    match result {
        Err(ScopeError::Cancelled(reason)) if reason.cause() == Cause::Interrupt => "stopped",
        other => panic!("{other:?}"),
    }
}

fn stuck() -> ! {
    println!("ready");
    loop {
        std::thread::park();
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [driver, workers, what] = &arguments[..] else {
        panic!("usage: run_main uring|epoll WORKERS WHAT");
    };
    let runtime = Runtime::builder()
        .workers(workers.parse().expect("a number"))
        .driver(driver.parse().expect("uring or epoll"))
        .build()
        .expect("a runtime");
    let outcome = match what.as_str() {
        "clean" => runtime.run(stop_and_clean_up()),
        "everywhere" => runtime.run(hear_of_it_everywhere()),
        "itself" => runtime.run(cancelled_by_itself()),
        "same-poll" => runtime.run(ends_in_the_same_poll()),
        "twice" => runtime.run(ask_twice()),
        "scope" => runtime.run(scoped()),
        "stuck" => runtime.run(async { stuck() }),
        "from-outside" => {
            let deaf = async {
                let _says = Says;
                println!("ready");
                pending::<()>().await;
            };
            match runtime.run(deaf.or_cancelled()) {
                Ok(()) => "finished",
                Err(_) => "stopped",
            }
        }
        "after" => {
            println!("first: {}", runtime.run(async { 1 }));
            // Another one on the same runtime, which asks anew.
            runtime.run(stop_and_clean_up())
        }
        other => panic!("do what: {other}"),
    };
    println!("outcome {outcome}");
}
