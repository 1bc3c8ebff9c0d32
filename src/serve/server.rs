//! The accept loop as it runs: carries out what `policy` decides.

use std::collections::HashMap;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use wakeline_context::{budget, quietly, waiting_at};
use wakeline_executor::{JoinHandle, task, yield_now};
use wakeline_reactor::time::{self, sleep, sleep_until};

use super::connection::{self, Shared};
use super::policy::{Class, Policy, Step};
use super::reserve::Reserve;
use super::{Listener, OnError, ServeError, ServeReport};

/// Clients turned away in one go, while starved and asked to shed.
const SHED_MAX: usize = 128;
/// Clients taken once the server is told to stop: as many as the longest backlog
/// that Linux grants by default, so that those who keep coming cannot keep it up.
const SWEEP_MAX: usize = 4096;

/// What ended a wait of the accept loop.
enum Woke<S, P> {
    Stop,
    Ended(Vec<u64>),
    Accepted(io::Result<(S, P)>),
    Due,
}

/// The running loop.
pub(super) struct Server<L, H> {
    // The connections' tasks, aborted on drop. Before `listener`, so that the
    // drop of a running server ends the connections first.
    tasks: Tasks,
    // `None` once the server stops: closing is what stops the kernel.
    listener: Option<L>,
    handler: Arc<H>,
    policy: Policy,
    reserve: Reserve,
    pub(super) shed_after: Option<Duration>,
    starved_since: Option<Instant>,
    shared: Arc<Shared>,
    report: ServeReport,
    /// Where it was asked for.
    location: &'static Location<'static>,
}

impl<L, H, F> Server<L, H>
where
    L: Listener,
    H: Fn(L::Stream, L::Peer) -> F + Send + Sync + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    pub(super) fn new(
        listener: L,
        handler: H,
        max_connections: usize,
        on_error: OnError,
        location: &'static Location<'static>,
    ) -> Self {
        Server {
            tasks: Tasks::default(),
            listener: Some(listener),
            handler: Arc::new(handler),
            policy: Policy::new(max_connections),
            reserve: Reserve::open(),
            shed_after: None,
            starved_since: None,
            shared: Shared::new(on_error),
            report: ServeReport::default(),
            location,
        }
    }

    /// Accepts until told to stop or the listener is broken.
    pub(super) async fn run(&mut self, mut shutdown: Pin<Box<dyn Future<Output = ()> + Send>>) {
        while self.policy.step() != Step::Stop {
            match self.wait(shutdown.as_mut()).await {
                Woke::Stop => {
                    self.sweep().await;
                    self.policy.stop();
                }
                Woke::Ended(ids) => self.forget(&ids),
                Woke::Accepted(Ok((stream, peer))) => self.start(stream, peer),
                Woke::Accepted(Err(error)) => self.accept_failed(error),
                Woke::Due => self.policy.due(),
            }
        }
        self.listener = None;
    }

    /// Waits for whatever the policy's step allows, and for the end of a
    /// connection and the order to stop always.
    async fn wait(
        &self,
        mut shutdown: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Woke<L::Stream, L::Peer> {
        let step = self.policy.step();
        let mut accept = pin!(async {
            match (&self.listener, step) {
                (Some(listener), Step::Accept) => listener.accept().await,
                _ => pending().await,
            }
        });
        let mut pause = pin!(async {
            match step {
                Step::Pause(until) => sleep_until(until).with_location(self.location).await,
                _ => pending().await,
            }
        });
        poll_fn(|cx| {
            if shutdown.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Woke::Stop);
            }
            // Before `accept`: an end may free the descriptor it needs.
            if let Poll::Ready(ids) = self.shared.poll_ended(cx) {
                return Poll::Ready(Woke::Ended(ids));
            }
            if let Poll::Ready(result) = accept.as_mut().poll(cx) {
                return Poll::Ready(Woke::Accepted(result));
            }
            if step == Step::Accept {
                waiting_at(self.location);
            }
            pause.as_mut().poll(cx).map(|()| Woke::Due)
        })
        .await
    }

    fn start(&mut self, stream: L::Stream, peer: L::Peer) {
        self.policy.accepted();
        self.starved_since = None;
        self.report.accepted += 1;
        self.report.active_peak = self.report.active_peak.max(self.policy.active());
        let id = self.report.accepted;
        let connection =
            connection::run(Arc::clone(&self.handler), stream, peer, self.shared.end(id));
        let task = task::Builder::new().at(self.location).spawn(connection);
        self.tasks.0.insert(id, task);
    }

    fn forget(&mut self, ids: &[u64]) {
        for id in ids {
            self.tasks.0.remove(id);
            self.policy.ended();
        }
    }

    fn accept_failed(&mut self, error: io::Error) {
        let now = time::now();
        let class = self.policy.failed(&error, now);
        self.report.count_accept_error(&error);
        let pause = match self.policy.step() {
            Step::Pause(until) => Some(until.saturating_duration_since(now)),
            _ => None,
        };
        if class == Class::Broken {
            self.report.broken = Some(io::Error::new(error.kind(), error.to_string()));
        }
        if class == Class::Exhausted {
            let since = *self.starved_since.get_or_insert(now);
            let shed = self
                .shed_after
                .is_some_and(|after| now.saturating_duration_since(since) >= after);
            let (shared, listener, report) = (&self.shared, &self.listener, &mut self.report);
            if self.reserve.is_held() {
                self.reserve.lend(|| {
                    shared.report(|| ServeError::Accept { error, pause });
                    if shed && let Some(listener) = listener {
                        report.shed += turn_away(listener);
                    }
                });
                return;
            }
            // Lost to another part of the program: try to have it back, for next time.
            self.reserve = Reserve::open();
        }
        self.shared.report(|| ServeError::Accept { error, pause });
    }

    /// Takes those whose connection the kernel had completed before the stop:
    /// they were told "connected", so they are served like the others.
    ///
    /// The kernel may know of them before the reactor has told: when there seems
    /// to be nobody, the reactor gets a turn, and one more look decides.
    async fn sweep(&mut self) {
        for _ in 0..SWEEP_MAX {
            let Some(listener) = &self.listener else {
                return;
            };
            if self.policy.step() != Step::Accept {
                return;
            }
            let next = {
                let mut accept = pin!(listener.accept());
                let mut look =
                    async || poll_fn(|cx| Poll::Ready(poll_unlimited(accept.as_mut(), cx))).await;
                let mut next = look().await;
                if next.is_pending() {
                    yield_now().await;
                    next = look().await;
                }
                next
            };
            match next {
                Poll::Ready(Ok((stream, peer))) => self.start(stream, peer),
                Poll::Ready(Err(_)) | Poll::Pending => return,
            }
        }
    }

    /// Waits for the open connections, and aborts what is open after `grace`.
    pub(super) async fn drain(mut self, grace: Duration) -> ServeReport {
        let mut grace = pin!(sleep(grace).with_location(self.location));
        while self.policy.active() > 0 {
            let ended = poll_fn(|cx| {
                if let Poll::Ready(ids) = self.shared.poll_ended(cx) {
                    return Poll::Ready(Some(ids));
                }
                grace.as_mut().poll(cx).map(|()| None)
            });
            match ended.await {
                Some(ids) => self.forget(&ids),
                None => break,
            }
        }
        self.tasks.abort();
        while self.policy.active() > 0 {
            let ids = poll_fn(|cx| self.shared.poll_ended(cx)).await;
            self.forget(&ids);
        }
        self.shared.tally_into(&mut self.report);
        self.report
    }
}

/// A connection that waits already, if there is one.
fn accept_now<L: Listener>(listener: &L) -> Option<(L::Stream, L::Peer)> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match poll_unlimited(pin!(listener.accept()), &mut cx) {
        Poll::Ready(Ok(connection)) => Some(connection),
        Poll::Ready(Err(_)) | Poll::Pending => None,
    }
}

/// A poll that is not told to yield in the midst of a backlog, which would look
/// like its end. The callers have limits of their own.
fn poll_unlimited<F: Future>(
    future: Pin<&mut F>,
    cx: &mut std::task::Context<'_>,
) -> Poll<F::Output> {
    budget::unlimited(|| future.poll(cx))
}

/// Accepts and closes those who wait; returns how many.
fn turn_away<L: Listener>(listener: &L) -> u64 {
    (0..SHED_MAX)
        .map_while(|_| accept_now(listener).map(drop))
        .count() as u64
}

/// The connections' tasks; dropping this aborts them.
#[derive(Debug, Default)]
struct Tasks(HashMap<u64, JoinHandle<()>>);

impl Tasks {
    /// All, though a waker that one of them calls may panic.
    fn abort(&self) {
        for task in self.0.values() {
            quietly(|| task.abort());
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.abort();
    }
}
