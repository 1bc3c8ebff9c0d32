//! Starting a child and waiting until it is ready.
//!
//! ```text
//!   Starting ──1──▶ Ready: a child of the scope
//!      ├──2──▶ Failed, NotReady       1 `Ready::set`   the value is the output
//!      └──3──▶ dropped                2 it ended, or let go of its `Ready`
//!                                     3 the caller gave up
//! ```
//! While it starts, the child lives in the future that waits for it, so it is
//! under the caller's token, and goes when the caller goes. That is not a rule
//! that something enforces: it is where the future is. With 1 it moves into the
//! scope. From its first poll on, a hold keeps that open.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wakeline_context::budget;
use wakeline_sync::oneshot;

use super::error::StartError;
use super::link::Runs;
use super::member::{Kind, Place, Placed};
use super::shared::{Arrival, Core, Hold};
use super::{LocalFuture, SendFuture};

/// What a child that is [started](super::Scope::start) uses to say that it is
/// ready.
///
/// It can be used once, by type. Dropping it unused is an error of the start.
#[derive(Debug)]
#[must_use = "a start waits until this is used; dropping it is an error there"]
pub struct Ready<V> {
    sender: oneshot::Sender<V>,
}

impl<V> Ready<V> {
    /// Says that the child is ready; `value` is what the start returns.
    ///
    /// # Errors
    ///
    /// Gives the value back if nobody waits any more.
    ///
    /// # Example
    ///
    /// ```
    /// use wakeline::{ScopeError, scope};
    ///
    /// let result: Result<u16, ScopeError<()>> = wakeline::block_on(scope(|s| async move {
    ///     let port = s.start(|ready| async move {
    ///         let _ = ready.set(8080);
    ///         Ok(()) // or go on serving
    ///     });
    ///     Ok(port.await.unwrap())
    /// }));
    /// assert_eq!(result.unwrap(), 8080);
    /// ```
    pub fn set(self, value: V) -> Result<(), V> {
        self.sender.send(value)
    }
}

struct Starting<F, V, E> {
    /// None once it is ready or has ended.
    child: Option<F>,
    ready: oneshot::Receiver<V>,
    core: Arc<Core<F, E>>,
    hold: Option<Hold<F, E>>,
    entered: bool,
    location: &'static Location<'static>,
}

impl<F, V, E> Starting<F, V, E>
where
    F: Future<Output = Result<(), E>> + Unpin,
{
    #[track_caller]
    fn new(core: &Arc<Core<F, E>>, ready: oneshot::Receiver<V>, child: F) -> Starting<F, V, E> {
        Starting {
            child: Some(child),
            ready,
            core: Arc::clone(core),
            hold: None,
            entered: false,
            location: Location::caller(),
        }
    }

    fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<Result<V, StartError<E>>> {
        if !std::mem::replace(&mut self.entered, true) {
            if self.core.refusal().is_none() {
                self.hold = self.core.hold();
            }
            if self.hold.is_none() {
                self.end();
                return Poll::Ready(Err(StartError::Refused));
            }
        }
        let Some(child) = &mut self.child else {
            panic!(
                "the start made at {} was polled after its end",
                self.location
            );
        };
        let ended = Pin::new(child).poll(cx);
        match (self.poll_ready(cx), ended) {
            (Poll::Ready(Some(value)), Poll::Pending) => {
                self.hand_over(None);
                Poll::Ready(Ok(value))
            }
            // It was ready and has ended since: what comes of it is the scope's.
            (Poll::Ready(Some(value)), Poll::Ready(result)) => {
                self.hand_over(Some(result));
                Poll::Ready(Ok(value))
            }
            (_, Poll::Ready(Err(error))) => {
                self.end();
                Poll::Ready(Err(StartError::Failed(error)))
            }
            (_, Poll::Ready(Ok(()))) | (Poll::Ready(None), Poll::Pending) => {
                self.end();
                Poll::Ready(Err(StartError::NotReady))
            }
            (Poll::Pending, Poll::Pending) => Poll::Pending,
        }
    }

    /// The value; `None` if it will never come.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Option<V>> {
        // Beyond the budget: a child that spent it and has ended does not come
        // back, so what it said before counts now.
        budget::unlimited(|| Pin::new(&mut self.ready).poll(cx)).map(Result::ok)
    }

    fn end(&mut self) {
        self.child = None;
        self.hold = None;
    }

    /// From now on it is a child like any other: also if that means that it is
    /// dropped, since the scope was cancelled meanwhile.
    fn hand_over(&mut self, ended: Option<Result<(), E>>) {
        let (child, hold) = (self.child.take(), self.hold.take());
        let Some(child) = child else { return };
        let link = &self.core.link;
        let kind = match ended {
            None => Kind::Here(child),
            Some(Ok(())) => return drop(child),
            Some(Err(error)) => {
                drop(child);
                Kind::Failed(Some(error))
            }
        };
        let id = link.next_id();
        if let Err(refused) = self.core.admit(Arrival { id, kind }) {
            let place = Place::elsewhere(link, id, Runs::AsTask);
            drop(Placed::new(refused.kind, place));
        }
        // Only now: it kept the scope open for the child.
        drop(hold);
    }
}

macro_rules! start {
    ($Start:ident, $Future:ident, [$($Send:ident)?], $of:literal) => {
        #[doc = $of]
        #[must_use = "nothing is started until this is awaited"]
        pub struct $Start<'e, V, E> {
            starting: Starting<$Future<'e, E>, V, E>,
        }

        impl<'e, V, E: 'e> $Start<'e, V, E> {
            #[track_caller]
            pub(super) fn new<M, F>(core: &Arc<Core<$Future<'e, E>, E>>, make: M) -> Self
            where
                M: FnOnce(Ready<V>) -> F,
                F: Future<Output = Result<(), E>> $(+ $Send)? + 'e,
            {
                let (sender, ready) = oneshot::channel();
                let child = Box::pin(make(Ready { sender }));
                $Start {
                    starting: Starting::new(core, ready, child),
                }
            }
        }

        impl<V, E> Unpin for $Start<'_, V, E> {}

        impl<V, E> Future for $Start<'_, V, E> {
            type Output = Result<V, StartError<E>>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                self.starting.poll_start(cx)
            }
        }

        impl<V, E> fmt::Debug for $Start<'_, V, E> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Start))
                    .field("location", &format_args!("{}", self.starting.location))
                    .finish_non_exhaustive()
            }
        }
    };
}

start!(
    Start,
    SendFuture,
    [Send],
    "The future of [`Scope::start`](super::Scope::start)."
);
start!(
    LocalStart,
    LocalFuture,
    [],
    "The future of [`LocalScope::start`](super::LocalScope::start)."
);
