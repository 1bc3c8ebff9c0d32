//! The same seeds give the same visible result on io_uring and on epoll, with one
//! worker and with two, futures being dropped all the time.
//!
//! A seed is made into scripts, one for each file beside this one, before anything
//! runs: what is done with a file, a stream, a socket or a child, when each future
//! is polled, what arrives in between, and when it is dropped. All scripts of a
//! seed run at once, as tasks of their own, on each runtime, and take notes; the
//! notes must be the same to the letter. They foretell nothing: that each backend
//! does what it should is what the other tests say.
//!
//! # What is in the notes
//!
//! What a program may rely on: the bytes of a stream in their order, and its end;
//! the content, length and position of a file; datagrams, and who has connected, in
//! their order; the ends of children; kinds of errors.
//!
//! Not what may differ from run to run: how many bytes one call moved, and whether
//! a future was ready before its drop. So a script never leaves it at a drop, but
//! goes on until there is one result again:
//!
//! - A read that was dropped has taken what it gave, or nothing: the rest is read,
//!   and the notes have the sum.
//! - A write that was dropped is tried again with what was not told to be written.
//!   Of a stream a dropped one has written nothing; at a position of a file it may
//!   have happened, and trying again writes nothing twice.
//! - What may still happen later (a write at an offset, a new length) is always the
//!   same for its place, so that it can happen twice.
//! - A connection whose connect was dropped may be there or not: those that have
//!   something to say are noted.
//!
//! Every other seed runs with short transfers, interruptions, spurious readiness and
//! late cancels made to happen, where the build has them.
//!
//! `WAKELINE_TEST_SEEDS` is how many seeds there are (20 without it), from
//! `WAKELINE_TEST_SEED` on. Where io_uring cannot be had it is one worker of epoll
//! against two.

#[path = "../support/mod.rs"]
mod support;

mod blocks;
mod children;
mod connections;
mod cursor;
mod datagrams;
mod moments;
mod notes;
mod streams;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use notes::Notes;
use support::disk::bounded;
use support::{Chance, backends, setting};
use wakeline::{FutureExt, Runtime, spawn};
use wakeline_reactor::faults::{self, Plan};

/// For a future that never ends, where a byte is lost: nothing right comes near it.
const STUCK: Duration = Duration::from_secs(60);

type Played<'a> = Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>>;

/// What is to be done, known before it begins.
trait Script: Send + Sync {
    /// Does it, with files in `dir`.
    fn play<'a>(&'a self, dir: &'a Path, notes: &'a mut Notes) -> Played<'a>;
}

/// The scripts of a seed.
fn scripts(seed: &Chance, rough: bool) -> Vec<(&'static str, Arc<dyn Script>)> {
    let chance = |part| seed.fork(part);
    vec![
        ("cursor", Arc::new(cursor::script(&mut chance(1)))),
        ("another cursor", Arc::new(cursor::script(&mut chance(2)))),
        ("blocks", Arc::new(blocks::script(&mut chance(3), !rough))),
        ("tcp", Arc::new(streams::tcp(&mut chance(4)))),
        ("unix", Arc::new(streams::unix(&mut chance(5)))),
        ("pipe", Arc::new(streams::pipe(&mut chance(6)))),
        ("udp", Arc::new(datagrams::udp(&mut chance(7)))),
        ("unix datagrams", Arc::new(datagrams::unix(&mut chance(8)))),
        ("tcp clients", Arc::new(connections::tcp(&mut chance(9)))),
        ("unix clients", Arc::new(connections::unix(&mut chance(10)))),
        ("child", Arc::new(children::script(&mut chance(11)))),
    ]
}

/// A directory, gone with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let path = env::temp_dir().join(format!("wakeline-seed-{}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Plays all scripts of a seed at once; of one that fails, it says which.
fn play(
    runtime: &Runtime,
    scripts: &[(&'static str, Arc<dyn Script>)],
) -> Result<Vec<Notes>, String> {
    let dir = Scratch::new();
    runtime.block_on(bounded(&dir.0, async {
        let begin = |(name, script): &(&'static str, Arc<dyn Script>)| {
            let (name, script, dir) = (*name, Arc::clone(script), dir.0.clone());
            spawn(async move {
                let mut notes = Notes::default();
                match script.play(&dir, &mut notes).timeout(STUCK).await {
                    Ok(Ok(())) => Ok(notes),
                    Ok(Err(error)) => Err(format!("{name} fails: {error}, after\n{notes}")),
                    Err(_) => Err(format!("{name} comes to no end, after\n{notes}")),
                }
            })
        };
        let mut all = Vec::new();
        for played in scripts.iter().map(begin).collect::<Vec<_>>() {
            all.push(played.await.expect("no panic")?);
        }
        Ok(all)
    }))
}

#[test]
fn the_same_seed_gives_the_same_result_on_both_backends() {
    let first = setting("WAKELINE_TEST_SEED", 0x5eed);
    let seeds = setting("WAKELINE_TEST_SEEDS", 20);
    let mut runtimes = Vec::new();
    for backend in backends() {
        for workers in [1, 2] {
            let name = format!("{} with {workers} workers", backend.name());
            runtimes.push((name, backend.runtime(workers)));
        }
    }
    for seed in first..first.saturating_add(seeds) {
        let again = format!("WAKELINE_TEST_SEED={seed} WAKELINE_TEST_SEEDS=1");
        let rough = seed % 2 == 1;
        let scripts = scripts(&Chance::from_seed(seed), rough);
        let mut before: Option<Vec<Notes>> = None;
        for (name, runtime) in &runtimes {
            let faults = rough.then(|| faults::install(plan(seed)));
            let notes = play(runtime, &scripts)
                .unwrap_or_else(|error| panic!("{again}: on {name} {error}"));
            drop(faults);
            let expected = before.get_or_insert_with(|| notes.clone());
            for ((part, _), (there, here)) in scripts.iter().zip(expected.iter().zip(&notes)) {
                if let Some(difference) = there.difference(here) {
                    let other = &runtimes[0].0;
                    panic!("{again}: {part} on {other} and on {name} differ:\n{difference}");
                }
            }
        }
    }
    for (name, runtime) in runtimes {
        let report = runtime.shutdown(Duration::from_secs(10));
        assert_eq!(report.leaked_operations, 0, "{name}: {report:?}");
    }
}

/// What a kernel may do to a transfer without an error.
fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        short: 3,
        spurious: 5,
        interrupt: 5,
        late: 2,
        ..Plan::default()
    }
}
