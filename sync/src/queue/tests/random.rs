//! Random puts, gets, drops and shutdowns against a sorted vector.
//!
//! The vector knows nothing of waiting. It checks every effect: what is got is
//! the next in order, nothing is lost or doubled, the counts are exact. And in
//! the end everybody is polled once more: nobody waits for what is there, and
//! whoever is ready had been woken.

mod dull;

use super::super::*;
use crate::error::Closed;
use crate::testing::{Count, poll_with};
use dull::{Dull, Order, Value};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::future::Future;
use std::task::{Poll, Waker};

#[derive(Clone, Copy, Debug)]
enum Op {
    TrySend(u8),
    Send(u8),
    PollSend(usize),
    DropSend(usize),
    Reserve,
    UsePermit(usize),
    DropPermit(usize),
    TryRecv,
    Recv,
    PollRecv(usize),
    DropRecv(usize),
    Done(usize),
    Requeue(usize),
    DropJob(usize),
    Join,
    Shutdown(bool),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let at = 0_usize..8;
    let op = prop_oneof![
        3 => any::<u8>().prop_map(Op::TrySend),
        4 => any::<u8>().prop_map(Op::Send),
        4 => at.clone().prop_map(Op::PollSend),
        2 => at.clone().prop_map(Op::DropSend),
        2 => Just(Op::Reserve),
        2 => at.clone().prop_map(Op::UsePermit),
        1 => at.clone().prop_map(Op::DropPermit),
        3 => Just(Op::TryRecv),
        4 => Just(Op::Recv),
        4 => at.clone().prop_map(Op::PollRecv),
        2 => at.clone().prop_map(Op::DropRecv),
        3 => at.clone().prop_map(Op::Done),
        1 => at.clone().prop_map(Op::Requeue),
        2 => at.prop_map(Op::DropJob),
        1 => Just(Op::Join),
    ];
    let end = prop::option::of(any::<bool>().prop_map(Op::Shutdown));
    (
        prop::collection::vec(op.clone(), 1..80),
        end,
        prop::collection::vec(op, 0..30),
    )
        .prop_map(|(mut ops, end, more)| {
            ops.extend(end);
            ops.extend(more);
            ops
        })
}

/// A future that was polled, and its wakes.
struct Waiting<F> {
    future: F,
    woken: std::sync::Arc<Count>,
    waker: Waker,
    polled: bool,
}

impl<F: Future + Unpin> Waiting<F> {
    fn new(future: F) -> Waiting<F> {
        let (woken, waker) = Count::new();
        Waiting {
            future,
            woken,
            waker,
            polled: false,
        }
    }

    /// Polls; one that waited must have been woken if it is ready.
    fn poll(&mut self) -> Poll<F::Output> {
        let result = poll_with(&mut self.future, &self.waker);
        if result.is_ready() && self.polled {
            assert_ne!(self.woken.get(), 0, "ready, and nobody told it");
        }
        self.polled = true;
        result
    }
}

fn take<T>(from: &mut Vec<T>, at: usize) -> Option<T> {
    (!from.is_empty()).then(|| from.remove(at % from.len()))
}

/// A queue under test, beside what must be true of it.
struct Run<'q> {
    tx: &'q Producer<Value>,
    rx: &'q Consumer<Value>,
    requeue: bool,
    dull: Dull,
    serial: u32,
    closed: bool,
    sends: Vec<(Waiting<Send<'q, Value>>, Value)>,
    recvs: Vec<Waiting<Recv<'q, Value>>>,
    joins: Vec<Waiting<Join<'q, Value>>>,
    permits: Vec<Permit<'q, Value>>,
    /// With the number of the put.
    jobs: Vec<(u32, Job<Value>)>,
}

impl<'q> Run<'q> {
    fn new((tx, rx): &'q (Producer<Value>, Consumer<Value>), order: Order, requeue: bool) -> Self {
        Run {
            tx,
            rx,
            requeue,
            dull: Dull::new(order),
            serial: 0,
            closed: false,
            sends: Vec::new(),
            recvs: Vec::new(),
            joins: Vec::new(),
            permits: Vec::new(),
            jobs: Vec::new(),
        }
    }

    fn value(&mut self, rank: u8) -> Value {
        self.serial += 1;
        (rank, self.serial)
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::TrySend(rank) => self.try_send(rank),
            Op::Send(rank) => {
                let value = self.value(rank);
                self.sends.push((Waiting::new(self.tx.send(value)), value));
            }
            Op::PollSend(at) => {
                if let Some((mut send, value)) = take(&mut self.sends, at) {
                    let result = send.poll();
                    if self.after_send(value, &result) {
                        self.sends.push((send, value));
                    }
                }
            }
            Op::DropSend(at) => {
                if let Some((send, value)) = take(&mut self.sends, at) {
                    assert_eq!(send.future.into_inner(), Some(value));
                }
            }
            Op::Reserve => {
                if let Poll::Ready(Ok(permit)) = Waiting::new(self.tx.reserve()).poll() {
                    self.permits.push(permit);
                }
            }
            Op::UsePermit(at) => {
                if let Some(permit) = take(&mut self.permits, at) {
                    let value = self.value(0);
                    match permit.send(value) {
                        Ok(()) => self.dull.put(value),
                        Err(SendError(back)) => assert!(self.dull.dead && back == value),
                    }
                }
            }
            Op::DropPermit(at) => drop(take(&mut self.permits, at)),
            Op::TryRecv => {
                if let Ok(job) = self.rx.try_recv() {
                    self.got(job);
                }
            }
            Op::Recv => self.recvs.push(Waiting::new(self.rx.recv())),
            Op::PollRecv(at) => {
                if let Some(mut recv) = take(&mut self.recvs, at) {
                    let result = recv.poll();
                    if self.after_recv(result) {
                        self.recvs.push(recv);
                    }
                }
            }
            Op::DropRecv(at) => drop(take(&mut self.recvs, at)),
            Op::Done(at) => {
                if let Some((_, job)) = take(&mut self.jobs, at) {
                    job.done();
                    self.dull.in_hand -= 1;
                }
            }
            Op::Requeue(at) => {
                if let Some((number, job)) = take(&mut self.jobs, at) {
                    self.dull.put_back(number, *job);
                    job.requeue();
                }
            }
            Op::DropJob(at) => {
                if let Some((number, job)) = take(&mut self.jobs, at) {
                    match self.requeue {
                        true => self.dull.put_back(number, *job),
                        false => self.dull.in_hand -= 1,
                    }
                    drop(job);
                }
            }
            Op::Join => self.join(),
            Op::Shutdown(at_once) => self.shut_down(at_once),
        }
        let (stored, in_hand) = (self.dull.stored.len(), self.dull.in_hand);
        assert_eq!(
            (self.tx.len(), self.tx.unfinished()),
            (stored, stored + in_hand)
        );
    }

    fn try_send(&mut self, rank: u8) {
        let value = self.value(rank);
        match self.tx.try_send(value) {
            Ok(()) => self.dull.put(value),
            Err(error) => {
                assert_eq!(matches!(error, TrySendError::Closed(_)), self.closed);
                assert_eq!(error.into_inner(), value);
            }
        }
    }

    /// Whether it still waits.
    fn after_send(&mut self, value: Value, result: &Poll<Result<(), SendError<Value>>>) -> bool {
        match result {
            Poll::Ready(Ok(())) => self.dull.put(value),
            Poll::Ready(Err(SendError(back))) => assert!(self.closed && *back == value),
            Poll::Pending => return true,
        }
        false
    }

    /// Whether it still waits.
    fn after_recv(&mut self, result: Poll<Result<Job<Value>, Closed>>) -> bool {
        match result {
            Poll::Ready(Ok(job)) => self.got(job),
            Poll::Ready(Err(_)) => {
                let drained = self.dull.stored.is_empty() && self.permits.is_empty();
                assert!(self.dull.dead || self.closed && drained);
            }
            Poll::Pending => return true,
        }
        false
    }

    fn got(&mut self, job: Job<Value>) {
        self.jobs.push((self.dull.get(*job), job));
    }

    fn join(&mut self) {
        let mut join = Waiting::new(self.tx.join());
        let idle = self.dull.in_hand + self.dull.stored.len() == 0;
        assert_eq!(join.poll().is_ready(), idle);
        if !idle {
            self.joins.push(join);
        }
    }

    fn shut_down(&mut self, at_once: bool) {
        self.closed = true;
        self.dull.dead |= at_once;
        if at_once {
            self.dull.stored.clear();
            self.tx.shutdown(Shutdown::Immediate);
        } else {
            self.tx.shutdown(Shutdown::Graceful);
        }
    }

    /// Polls everybody until nothing moves: those who wait then have nothing to
    /// wait for. A first poll may grant something to one who was polled before
    /// it: hence twice.
    fn settle(&mut self) {
        let mut still = 0;
        while still < 2 {
            let before = (self.sends.len(), self.recvs.len());
            for _ in 0..before.0 {
                self.step(Op::PollSend(0)); // to the back if it still waits
            }
            for _ in 0..before.1 {
                self.step(Op::PollRecv(0));
            }
            let moved = (self.sends.len(), self.recvs.len()) != before;
            still = if moved { 0 } else { still + 1 };
        }
        let (sends, recvs) = (self.sends.len(), self.recvs.len());
        let full = self.tx.len() + self.permits.len() >= self.tx.capacity();
        assert!(sends == 0 || !self.closed && full);
        assert!(recvs == 0 || self.tx.is_empty());
        assert!(sends == 0 || recvs == 0 || !self.permits.is_empty());
        let may_come_back = self.requeue && !self.jobs.is_empty();
        assert!(recvs == 0 || !self.closed || !self.permits.is_empty() || may_come_back);
    }

    /// Takes the rest out: everything is there once, and then it is joined.
    fn finish(mut self) {
        self.sends.clear();
        self.recvs.clear();
        while !self.jobs.is_empty() {
            self.step(Op::Done(0));
        }
        let mut seen = BTreeSet::new();
        while let Ok(job) = self.rx.try_recv() {
            assert!(seen.insert(job.1), "doubled");
            self.dull.get(*job);
            job.done();
        }
        assert!(self.dull.stored.is_empty(), "lost: {:?}", self.dull.stored);
        assert!(self.joins.iter_mut().all(|join| join.poll().is_ready()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_queue_does_what_a_sorted_vector_does(
        ops in ops(),
        order in prop_oneof![Just(Order::Fifo), Just(Order::Lifo), Just(Order::Priority)],
        capacity in prop_oneof![0_usize..4, Just(UNBOUNDED)],
        requeue: bool,
    ) {
        let builder = match order {
            Order::Fifo => Builder::fifo(capacity),
            Order::Lifo => Builder::lifo(capacity),
            Order::Priority => Builder::priority(capacity),
        };
        let queue = builder.requeue_on_drop(requeue).build();
        let mut run = Run::new(&queue, order, requeue);
        for op in ops {
            run.step(op);
        }
        run.settle();
        run.finish();
    }
}
