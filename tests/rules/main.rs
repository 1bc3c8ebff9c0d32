//! The ten rules of the contract, each over every primitive.
//!
//! `primitives.rs` is the table: each row makes its primitive in a state in which
//! all who ask must wait, and can grant. A module a rule asks its question of
//! every row. A cell that is not asked says why, and the sums are checked: none
//! falls silently out.
//!
//! Futures are polled by hand, on the thread of a runtime with a paused clock.

#[path = "../support/mod.rs"]
mod support;

mod g01_lazy;
mod g02_no_trace;
mod g03_completion_wins;
mod g04_handed_on;
mod g05_fifo;
mod g06_foreign_wakers;
mod g07_latest_waker;
mod g08_budget;
mod g09_panics;
mod g10_arithmetic;
mod primitives;
mod world;

use primitives::{Cell, Primitive, RULES, Rule};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;
use support::for_each_backend;

/// Asks `check` of every primitive that the rule speaks of, on both backends,
/// and says of all that fail which they are.
fn over_every_primitive(rule: Rule, check: impl AsyncFn(&Primitive)) {
    let failed = RefCell::new(Vec::<String>::new());
    for_each_backend(|backend| {
        for primitive in primitives::all() {
            if primitive.cell(rule) != Cell::Tested {
                continue;
            }
            let runtime = backend
                .builder()
                .workers(1)
                .start_paused(true)
                .build()
                .unwrap();
            let _watch = watch(format!("{rule:?} of {}", primitive.name));
            let checked = || {
                runtime.block_on(async {
                    wakeline::time::auto_advance(false);
                    check(&primitive).await;
                });
            };
            if catch_unwind(AssertUnwindSafe(checked)).is_err() {
                failed
                    .borrow_mut()
                    .push(format!("{} on {}", primitive.name, backend.name()));
            }
        }
    });
    let failed = failed.into_inner();
    assert!(failed.is_empty(), "{rule:?} does not hold for {failed:#?}");
}

/// A rule broken by a lock that is held shows as a thread that never goes on:
/// this ends the process and says where.
fn watch(what: String) -> mpsc::Sender<()> {
    let (alive, over) = mpsc::channel();
    std::thread::spawn(move || {
        if over.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{what}: no end after a minute, so a lock is held");
            std::process::abort();
        }
    });
    alive
}

#[test]
fn each_cell_of_the_table_is_tested_or_says_why_not() {
    let all = primitives::all();
    let (mut tested, mut void) = (0, 0);
    for primitive in &all {
        for rule in RULES {
            match primitive.cell(rule) {
                Cell::Tested => tested += 1,
                Cell::Void(why) => {
                    assert!(why.len() > 20, "{} and {rule:?}: why?", primitive.name);
                    void += 1;
                }
            }
        }
    }
    let mut names: Vec<_> = all.iter().map(|primitive| primitive.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len(), "each has one row");
    assert_eq!(
        (all.len(), tested, void),
        (50, 393, 107),
        "the table changed: was that meant?"
    );
}
