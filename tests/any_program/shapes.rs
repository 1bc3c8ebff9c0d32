//! How a program is put together: parts after each other, beside each other, under limits.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use wakeline::future::{When, as_completed, join_all, race, wait};
use wakeline::stream::StreamExt;
use wakeline::{
    CancelToken, FutureExt, Handle, JoinSet, join, scope, select, shield, spawn, spawn_blocking,
    spawn_eager, spawn_local, yield_now,
};

use crate::leaves::{Part, leaf, micros};
use crate::support::Chance;
use crate::world::{Alive, World};

/// A program: it ends by itself, as whatever waits for others has a limit.
pub(crate) fn program(mut chance: Chance, depth: u32, world: Arc<World>) -> Part {
    if depth == 0 {
        let limit = Duration::from_micros(chance.below(20_000));
        let leaf = leaf(chance, world);
        return Box::pin(async move {
            let _ = leaf.timeout(limit).await;
        });
    }
    let alive = Alive::new(&world);
    Box::pin(async move {
        let _alive = alive;
        let parts = Parts { depth, world };
        for _ in 0..=chance.below(3) {
            parts.run(&mut chance).await;
        }
    })
}

struct Parts {
    depth: u32,
    world: Arc<World>,
}

impl Parts {
    /// A part that is less deep.
    fn one(&self, chance: &mut Chance) -> Part {
        let part = chance.next();
        program(chance.fork(part), self.depth - 1, Arc::clone(&self.world))
    }

    fn some(&self, chance: &mut Chance) -> Vec<Part> {
        (0..chance.below(4)).map(|_| self.one(chance)).collect()
    }

    async fn run(&self, chance: &mut Chance) {
        match chance.below(16) {
            0 => self.one(chance).await,
            1 => drop(join!(self.one(chance), self.one(chance))),
            2 => drop(join_all(self.some(chance)).await),
            3 => {
                let mut parts = self.some(chance);
                parts.push(self.one(chance));
                race(parts).await;
            }
            4 => {
                let (a, b) = (self.one(chance), self.one(chance));
                select! { () = a => {}, () = b => {} }
            }
            5 => {
                let mut ends = as_completed(self.some(chance));
                let enough = chance.below(4);
                for _ in 0..enough {
                    let _ = ends.next().await;
                }
            }
            6 => drop(self.one(chance).timeout(micros(chance)).await),
            7 => self.tasks(chance).await,
            8 => self.set(chance).await,
            9 => self.cancelled(chance).await,
            10 => self.scoped(chance).await,
            11 => {
                let shielded = shield(self.one(chance));
                if chance.one_in(2) {
                    let _ = shielded.await;
                }
            }
            12 => self.blocked_on(chance).await,
            13 => self.panics(chance).await,
            14 => self.eager(chance).await,
            _ => yield_now().await,
        }
    }

    /// A task that is joined, aborted, cancelled, given up or let go.
    async fn tasks(&self, chance: &mut Chance) {
        let task = spawn(self.one(chance));
        match chance.below(5) {
            0 => drop(task.await),
            1 => {
                let _ = task.timeout(micros(chance)).await;
            }
            2 => {
                yield_now().await;
                task.abort();
                let _ = task.await;
            }
            3 => {
                task.cancel("no more of it");
                let _ = task.await;
            }
            _ => drop(task.abort_on_drop()),
        }
    }

    async fn eager(&self, chance: &mut Chance) {
        let (part, eager) = (self.one(chance), chance.one_in(2));
        let handle = if eager {
            spawn_eager(part)
        } else {
            spawn_local(part)
        };
        if chance.one_in(3) {
            handle.abort();
        }
        let _ = handle.await;
    }

    async fn set(&self, chance: &mut Chance) {
        let mut set = JoinSet::new();
        for part in self.some(chance) {
            set.spawn(part);
        }
        let when = [When::FirstCompleted, When::FirstError, When::All][chance.below(3) as usize];
        let limit = chance.one_in(2).then(|| micros(chance));
        drop(wait(&mut set, when, limit).await);
        match chance.below(3) {
            0 => while set.join_next().await.is_some() {},
            1 => set.shutdown().await,
            _ => {}
        }
    }

    async fn cancelled(&self, chance: &mut Chance) {
        let token = CancelToken::new();
        let (part, later) = (self.one(chance), micros(chance));
        let part = part.or_cancelled().with_token(token.clone());
        let cancel = async {
            wakeline::time::sleep(later).await;
            token.cancel("it took too long");
        };
        let _ = join!(part, cancel);
    }

    async fn scoped(&self, chance: &mut Chance) {
        let limit = micros(chance);
        let (children, tasks) = (self.some(chance), self.some(chance));
        let (body, end) = (self.one(chance), chance.below(4));
        let guards = chance.below(3);
        let world = &self.world;
        let scope = scope(async |s: wakeline::Scope<'_, &str>| {
            for child in children {
                s.spawn(async {
                    child.await;
                    Ok(())
                });
            }
            for task in tasks {
                s.spawn_task(async {
                    task.await;
                    Ok(())
                });
            }
            let _guards: Vec<_> = (0..guards)
                .map(|_| {
                    s.guard(Alive::new(world), async |alive| {
                        yield_now().await;
                        drop(alive);
                    })
                })
                .collect();
            body.await;
            match end {
                0 => Err("the body's error"),
                1 => {
                    s.cancel("enough");
                    pending().await
                }
                _ => Ok(()),
            }
        });
        let _ = scope.timeout(limit).await;
    }

    /// The same, out of a thread that blocks.
    async fn blocked_on(&self, chance: &mut Chance) {
        let (part, handle) = (self.one(chance), Handle::current());
        let _ = spawn_blocking(move || handle.block_on(part)).await;
    }

    async fn panics(&self, chance: &mut Chance) {
        let part = self.one(chance);
        let task = spawn(async move {
            part.await;
            panic!("planned");
        });
        let _: Result<(), _> = task.await;
    }
}
