//! Trees of scopes that fail, panic, are cancelled and dropped at random: nothing
//! is left behind, and each finalizer runs at most once.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wakeline::time::{sleep, timeout};
use wakeline::{OnPanic, Scope, ScopeError, current_token, scope, yield_now};

use crate::support::Chance;
use crate::with_every_runtime;

/// What there is of everything.
#[derive(Default)]
struct Counts {
    alive: AtomicUsize,
    guards: AtomicUsize,
    finalized: AtomicUsize,
    unfinalized: AtomicUsize,
}

struct Alive(Arc<Counts>);

impl Alive {
    fn new(counts: &Arc<Counts>) -> Alive {
        counts.alive.fetch_add(1, Ordering::SeqCst);
        Alive(Arc::clone(counts))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The value of a guard: it is finalized, or it is dropped without.
struct Value {
    alive: Alive,
    finalized: bool,
}

impl Value {
    fn new(counts: &Arc<Counts>) -> Value {
        counts.guards.fetch_add(1, Ordering::SeqCst);
        Value {
            alive: Alive::new(counts),
            finalized: false,
        }
    }

    async fn finalize(mut self, slow: bool) {
        if slow {
            sleep(Duration::from_micros(50)).await;
        }
        yield_now().await;
        self.finalized = true;
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        let counts = &self.alive.0;
        let which = if self.finalized {
            &counts.finalized
        } else {
            &counts.unfinalized
        };
        which.fetch_add(1, Ordering::SeqCst);
    }
}

type S = Scope<'static, &'static str>;
type Boxed = Pin<Box<dyn Future<Output = Result<(), &'static str>> + Send>>;

/// A child, or a body, that does a few things and comes to some end.
fn life(s: S, mut chance: Chance, depth: u32, counts: Arc<Counts>) -> Boxed {
    Box::pin(async move {
        let _alive = Alive::new(&counts);
        let mut guards = Vec::new();
        for _ in 0..chance.below(5) {
            let part = chance.next();
            let other = (s.clone(), chance.fork(part), Arc::clone(&counts));
            match chance.below(9) {
                0 if depth > 0 => drop(s.spawn(life(other.0, other.1, depth - 1, other.2))),
                1 if depth > 0 => drop(s.spawn_task(life(other.0, other.1, depth - 1, other.2))),
                2 if depth > 0 => {
                    let nested = tree(other.1, depth - 1, other.2);
                    if chance.below(2) == 0 {
                        let limit = Duration::from_micros(chance.below(200));
                        let _ = timeout(limit, nested).await;
                    } else {
                        nested.await.map_err(|_| "nested")?;
                    }
                }
                3 => {
                    let slow = chance.below(2) == 0;
                    let value = Value::new(&counts);
                    guards.push(s.guard(value, move |value| value.finalize(slow)));
                }
                4 => {
                    let slow = chance.below(2) == 0;
                    let value = Value::new(&counts);
                    guards.push(s.guard_static(value, move |value| value.finalize(slow)));
                }
                5 => drop(guards.pop()),
                6 => sleep(Duration::from_micros(chance.below(100))).await,
                7 => drop(s.spawn_blocking(|| Ok(()))),
                _ => yield_now().await,
            }
        }
        match chance.below(10) {
            0 => Err("error"),
            1 => panic!("planned"),
            2 => {
                current_token().cancelled().await;
                Err("cancelled")
            }
            3 => {
                s.cancel("enough");
                pending().await
            }
            4 => pending().await,
            _ => Ok(()),
        }
    })
}

fn tree(
    mut chance: Chance,
    depth: u32,
    counts: Arc<Counts>,
) -> impl Future<Output = Result<(), ScopeError<&'static str>>> + Send {
    let limit = Duration::from_micros(chance.below(2_000));
    let grace = [Duration::ZERO, Duration::from_secs(3600)][chance.below(2) as usize];
    scope(move |s| life(s, chance, depth, counts))
        .timeout(limit)
        .cleanup_grace(grace)
        .on_panic(OnPanic::Collect)
}

#[test]
fn nothing_is_left_behind_whatever_happens() {
    let all = Chance::new();
    with_every_runtime(|runtime| {
        for round in 0..150 {
            let counts = Arc::new(Counts::default());
            let mut chance = all.fork(round);
            let dropped = chance.below(3) == 0;
            let limit = Duration::from_micros(chance.below(500));
            let work = tree(chance, 3, Arc::clone(&counts));
            runtime.block_on(async {
                let task = wakeline::spawn(async move {
                    if dropped {
                        drop(timeout(limit, work).await);
                    } else {
                        drop(work.await);
                    }
                });
                task.await.expect("panics are collected");
                // With no scope above, the runtime has what was handed upward.
                while counts.alive.load(Ordering::SeqCst) > 0 {
                    yield_now().await;
                }
            });
            let (guards, ended) = (
                counts.guards.load(Ordering::SeqCst),
                counts.finalized.load(Ordering::SeqCst) + counts.unfinalized.load(Ordering::SeqCst),
            );
            assert_eq!(guards, ended, "round {round}");
        }
    });
}
