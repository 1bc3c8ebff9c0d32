//! When a future is polled, what happens in between, and when it is dropped.

use std::future::Future;
use std::task::Poll;

use crate::support::Chance;
use crate::support::drops::poll_once;
use wakeline::yield_now;

#[derive(Clone, Copy, Debug)]
enum Act {
    Poll,
    /// The reactor looks what there is.
    Turn,
    /// What the future may wait for happens.
    Event,
}

/// The life of a future, in acts; none of them depends on what comes of another.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    before: Vec<Act>,
    /// What follows its drop; `None`: it is not dropped before it is ready.
    after: Option<Vec<Act>>,
}

impl Moments {
    pub(crate) fn new(chance: &mut Chance) -> Moments {
        let mut acts = Vec::new();
        for _ in 0..chance.below(6) {
            acts.push(if chance.one_in(2) {
                Act::Poll
            } else {
                Act::Turn
            });
        }
        acts.insert(chance.below(acts.len() as u64 + 1) as usize, Act::Event);
        if chance.one_in(3) {
            return Moments {
                before: acts,
                after: None,
            };
        }
        let after = acts.split_off(chance.below(acts.len() as u64 + 1) as usize);
        Moments {
            before: acts,
            after: Some(after),
        }
    }

    /// Of a future that is dropped, unless it is ready before.
    pub(crate) fn dropped(chance: &mut Chance) -> Moments {
        loop {
            let moments = Moments::new(chance);
            if moments.after.is_some() {
                return moments;
            }
        }
    }

    /// Polls `future` as it says, and drops it or awaits it; gives what it gave, if
    /// that was before the drop. The event happens once, always.
    pub(crate) async fn live<F: Future>(
        &self,
        future: F,
        event: impl FnOnce(),
    ) -> Option<F::Output> {
        let mut event = Some(event);
        let output = match self.begin(Box::pin(future), &mut event).await {
            Ok(output) => Some(output),
            Err(future) if self.after.is_none() => Some(future.await),
            Err(future) => {
                drop(future);
                None
            }
        };
        for act in self.after.iter().flatten() {
            match act {
                Act::Poll => {}
                Act::Turn => yield_now().await,
                Act::Event => event.take().into_iter().for_each(|event| event()),
            }
        }
        output
    }

    /// The same for who does something else than drop it: then it is the error.
    pub(crate) async fn until_stopped<F: Future + Unpin>(
        &self,
        future: F,
        event: impl FnOnce(),
    ) -> Result<F::Output, F> {
        let mut event = Some(event);
        let begun = self.begin(Box::pin(future), &mut event).await;
        event.take().into_iter().for_each(|event| event());
        match begun {
            Err(future) if self.after.is_none() => Ok(future.await),
            Err(future) => Err(*std::pin::Pin::into_inner(future)),
            Ok(output) => Ok(output),
        }
    }

    async fn begin<F: Future, E: FnOnce()>(
        &self,
        mut future: std::pin::Pin<Box<F>>,
        event: &mut Option<E>,
    ) -> Result<F::Output, std::pin::Pin<Box<F>>> {
        let mut output = None;
        for act in &self.before {
            match act {
                Act::Poll if output.is_none() => {
                    if let Poll::Ready(ready) = poll_once(future.as_mut()).await {
                        output = Some(ready);
                    }
                }
                Act::Poll => {}
                Act::Turn => yield_now().await,
                Act::Event => event.take().into_iter().for_each(|event| event()),
            }
        }
        output.ok_or(future)
    }
}
