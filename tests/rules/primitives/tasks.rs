//! Tasks, what waits for several futures, cancellation, and the pool.

use super::{Primitive, row};
use crate::world::{Lent, World, leak};
use std::convert::Infallible;
use wakeline::future::{as_completed, join_all, race};
use wakeline::pool::Manager;
use wakeline::stream::StreamExt;
use wakeline::sync::{Event, oneshot};
use wakeline::{CancelToken, JoinSet, Pool, scope, spawn, spawn_blocking};

struct Numbers;

impl Manager for Numbers {
    type Resource = u8;
    type Error = Infallible;

    async fn create(&self) -> Result<u8, Infallible> {
        Ok(7)
    }
}

pub(super) fn rows() -> Vec<Primitive> {
    let mut rows = tasks();
    rows.extend(combinators());
    rows
}

fn tasks() -> Vec<Primitive> {
    vec![
        row!("JoinHandle", Only, async {
            let (sender, receiver) = oneshot::channel();
            let (mut sender, handle) = (Some(sender), Lent::new(spawn(receiver)));
            let wait = move || {
                let mut handle = handle.take();
                async move { handle.get().await }
            };
            World::new(wait, move || {
                let _ = sender.take().map(|sender| sender.send(7));
            })
        }, NoTrace: "the future is the handle itself; its waker goes with the task, as tested in `a_handle_that_goes_takes_its_waker_along`"),
        row!("JoinSet::join_next", Only, async {
            let (sender, receiver) = oneshot::channel();
            let mut set = JoinSet::new();
            set.spawn(receiver);
            let (mut sender, set) = (Some(sender), Lent::new(set));
            let wait = move || {
                let mut set = set.take();
                async move { set.get().join_next().await }
            };
            World::new(wait, move || {
                let _ = sender.take().map(|sender| sender.send(7));
            })
        }, NoTrace: "the waker is the set's, for its next task; tested in `a_handle_that_goes_takes_its_waker_along`"),
        row!("spawn_blocking", Only, async {
            let (sender, receiver) = std::sync::mpsc::channel();
            let handle = Lent::new(spawn_blocking(move || receiver.recv()));
            let wait = move || {
                let mut handle = handle.take();
                async move { handle.get().await }
            };
            World::new(wait, move || {
                let _ = sender.send(7);
            })
        }, NoTrace: "the future is the handle itself; its waker goes with the job, as tested in `a_handle_that_goes_takes_its_waker_along`"),
        row!("scope and its child", All, async {
            let event = leak(Event::new());
            let wait = move || {
                scope(|s| async move {
                    let child = s.spawn(async {
                        event.wait().await;
                        Ok(())
                    });
                    let _ = child.await; // cancelled, where a test drops the scope
                    Ok::<(), ()>(())
                })
            };
            World::new(wait, || event.set())
        }),
        row!("CancelToken::cancelled", All, async {
            let token = leak(CancelToken::new());
            World::new(
                || token.cancelled(),
                || {
                    let _ = token.cancel("enough");
                },
            )
        }),
        row!("Pool::acquire", One, async {
            let pool = leak(Pool::new(Numbers, 1));
            let mut holder = pool.acquire().await.ok();
            World::new(|| pool.acquire(), move || drop(holder.take()))
        }, Fifo: "a slot comes back in the background, and `Pool` has no `try_`: its semaphore's order is that of `Semaphore::acquire_owned`"),
    ]
}

fn combinators() -> Vec<Primitive> {
    vec![
        row!("join_all", All, async {
            let event = leak(Event::new());
            World::new(|| join_all([event.wait(), event.wait()]), || event.set())
        }),
        row!("join!", All, async {
            let event = leak(Event::new());
            let wait = || async { wakeline::join!(event.wait(), event.wait()) };
            World::new(wait, || event.set())
        }),
        row!("race", All, async {
            let event = leak(Event::new());
            World::new(|| race([event.wait(), event.wait()]), || event.set())
        }),
        row!("select!", All, async {
            let (event, never) = (leak(Event::new()), leak(Event::new()));
            let wait = || async {
                wakeline::select! {
                    () = event.wait() => 1,
                    () = never.wait() => 2,
                }
            };
            World::new(wait, || event.set())
        }),
        row!("as_completed", All, async {
            let event = leak(Event::new());
            let wait = || async { as_completed([event.wait(), event.wait()]).next().await };
            World::new(wait, || event.set())
        }),
    ]
}
