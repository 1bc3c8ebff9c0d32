//! A worker sleeps more exactly than other threads, by its timer slack, and a child
//! would inherit that for its whole life.

mod support;

use std::io;
use std::num::NonZeroU64;

use rustix::thread::{current_timer_slack, set_current_timer_slack};
use support::for_each_backend;
use wakeline::process::{Child, Command, Stdio};
use wakeline::{spawn, spawn_blocking};

/// Starts a program that tells its slack.
fn start() -> io::Result<Child> {
    let mut cat = Command::new("cat");
    let cat = cat.arg("/proc/self/timerslack_ns");
    cat.stdout(Stdio::piped()).spawn()
}

async fn told(child: io::Result<Child>) -> u64 {
    let output = child.expect("it runs").wait_with_output().await;
    let text = String::from_utf8(output.expect("it ends").stdout).expect("a number");
    text.trim().parse().expect("a number")
}

#[test]
fn a_child_has_the_slack_of_other_threads() {
    let usual = current_timer_slack().expect("Linux has it");
    for_each_backend(|backend| {
        for workers in [1, 2] {
            backend.runtime(workers).block_on(async {
                let ours = current_timer_slack().unwrap();
                assert_ne!(ours, usual, "a worker's is another");
                assert_eq!(told(start()).await, usual);
                assert_eq!(current_timer_slack().unwrap(), ours);
                // On a worker's own thread, where there are several.
                let there = spawn(async { told(start()).await });
                assert_eq!(there.await.unwrap(), usual);
                // Threads inherit it, too, and the pool's are made by workers.
                let child = spawn_blocking(start).await.unwrap();
                assert_eq!(told(child).await, usual);
            });
        }
    });
}

/// Who has set his own, for instance to save power, passes that on.
#[test]
fn what_a_thread_has_chosen_itself_is_inherited() {
    for_each_backend(|backend| {
        set_current_timer_slack(NonZeroU64::new(70_000)).unwrap();
        let child = start();
        assert_eq!(backend.runtime(1).block_on(told(child)), 70_000);
    });
}
