//! Random puts, gets, drops and shutdowns against a sorted vector.
//!
//! The vector knows nothing of waiting. It checks every effect: what is got is
//! the next in order, nothing is lost or doubled, the counts are exact. And in
//! the end everybody is polled once more: nobody waits for what is there, and
//! whoever is ready had been woken.

use super::super::*;
use crate::testing::{Count, poll_with};
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

/// A value with the number of its put, once it was put; the rank is the byte.
type Value = (u8, u32);

#[derive(Clone, Copy, Debug)]
enum Order {
    Fifo,
    Lifo,
    Priority,
}

/// What must be there, and in which order it comes.
struct Dull {
    order: Order,
    /// (number of the put, value), as put.
    stored: Vec<(u32, Value)>,
    puts: u32,
    in_hand: usize,
    dead: bool,
}

impl Dull {
    fn put(&mut self, value: Value) {
        self.stored.push((self.puts, value));
        self.puts += 1;
    }

    fn put_back(&mut self, number: u32, value: Value) {
        self.in_hand -= 1;
        if !self.dead {
            self.stored.push((number, value));
        }
    }

    /// The next one is this.
    fn get(&mut self, value: Value) -> u32 {
        let next = match self.order {
            Order::Fifo => self.stored.iter().min_by_key(|(number, _)| *number),
            Order::Lifo => self.stored.iter().max_by_key(|(number, _)| *number),
            Order::Priority => self
                .stored
                .iter()
                .min_by_key(|(number, value)| (value.0, *number)),
        };
        let next = *next.expect("something is there");
        assert_eq!(next.1, value);
        self.stored.retain(|stored| stored.0 != next.0);
        self.in_hand += 1;
        next.0
    }
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

fn run(ops: Vec<Op>, order: Order, capacity: usize, requeue: bool) {
    let builder = match order {
        Order::Fifo => Builder::fifo(capacity),
        Order::Lifo => Builder::lifo(capacity),
        Order::Priority => Builder::priority(capacity),
    };
    let (tx, rx) = builder.requeue_on_drop(requeue).build();
    let mut dull = Dull {
        order,
        stored: Vec::new(),
        puts: 0,
        in_hand: 0,
        dead: false,
    };
    let mut serial = 0;
    let mut value = |rank| {
        serial += 1;
        (rank, serial)
    };
    let (mut sends, mut recvs, mut jobs, mut permits) = (vec![], vec![], vec![], vec![]);
    let mut joins = vec![];
    let mut closed = false;
    for op in ops {
        match op {
            Op::TrySend(rank) => {
                let value = value(rank);
                match tx.try_send(value) {
                    Ok(()) => dull.put(value),
                    Err(error) => {
                        assert_eq!(matches!(error, TrySendError::Closed(_)), closed);
                        assert_eq!(error.into_inner(), value);
                    }
                }
            }
            Op::Send(rank) => {
                let value = value(rank);
                sends.push((Waiting::new(tx.send(value)), value));
            }
            Op::PollSend(at) => {
                if let Some((mut send, value)) = take(&mut sends, at) {
                    match send.poll() {
                        Poll::Ready(Ok(())) => dull.put(value),
                        Poll::Ready(Err(SendError(back))) => {
                            assert!(closed);
                            assert_eq!(back, value);
                        }
                        Poll::Pending => sends.push((send, value)),
                    }
                }
            }
            Op::DropSend(at) => {
                if let Some((send, value)) = take(&mut sends, at) {
                    assert_eq!(send.future.into_inner(), Some(value));
                }
            }
            Op::Reserve => {
                if let Poll::Ready(Ok(permit)) = Waiting::new(tx.reserve()).poll() {
                    permits.push(permit);
                }
            }
            Op::UsePermit(at) => {
                if let Some(permit) = take(&mut permits, at) {
                    let value = value(0);
                    match permit.send(value) {
                        Ok(()) => dull.put(value),
                        Err(SendError(back)) => assert!(dull.dead && back == value),
                    }
                }
            }
            Op::DropPermit(at) => drop(take(&mut permits, at)),
            Op::TryRecv => {
                if let Ok(job) = rx.try_recv() {
                    jobs.push((dull.get(*job), job));
                }
            }
            Op::Recv => recvs.push(Waiting::new(rx.recv())),
            Op::PollRecv(at) => {
                if let Some(mut recv) = take(&mut recvs, at) {
                    match recv.poll() {
                        Poll::Ready(Ok(job)) => jobs.push((dull.get(*job), job)),
                        Poll::Ready(Err(_)) => {
                            assert!(
                                closed && dull.stored.is_empty() && permits.is_empty() || dull.dead
                            );
                        }
                        Poll::Pending => recvs.push(recv),
                    }
                }
            }
            Op::DropRecv(at) => drop(take(&mut recvs, at)),
            Op::Done(at) => {
                if let Some((_, job)) = take(&mut jobs, at) {
                    job.done();
                    dull.in_hand -= 1;
                }
            }
            Op::Requeue(at) => {
                if let Some((number, job)) = take(&mut jobs, at) {
                    dull.put_back(number, *job);
                    job.requeue();
                }
            }
            Op::DropJob(at) => {
                if let Some((number, job)) = take(&mut jobs, at) {
                    if requeue {
                        dull.put_back(number, *job);
                    } else {
                        dull.in_hand -= 1;
                    }
                    drop(job);
                }
            }
            Op::Join => {
                let mut join = Waiting::new(tx.join());
                let idle = dull.in_hand + dull.stored.len() == 0;
                assert_eq!(join.poll().is_ready(), idle);
                if !idle {
                    joins.push(join);
                }
            }
            Op::Shutdown(at_once) => {
                closed = true;
                dull.dead |= at_once;
                if at_once {
                    dull.stored.clear();
                    tx.shutdown(Shutdown::Immediate);
                } else {
                    tx.shutdown(Shutdown::Graceful);
                }
            }
        }
        assert_eq!(tx.len(), dull.stored.len());
        assert_eq!(tx.unfinished(), dull.stored.len() + dull.in_hand);
    }
    // Until nothing moves: those who wait then have nothing to wait for. A
    // first poll may grant something to one who was polled before it: hence two.
    let mut still = 0;
    while still < 2 {
        let before = (sends.len(), recvs.len());
        sends.retain_mut(|(send, value)| match send.poll() {
            Poll::Ready(Ok(())) => {
                dull.put(*value);
                false
            }
            other => other.is_pending(),
        });
        recvs.retain_mut(|recv| match recv.poll() {
            Poll::Ready(Ok(job)) => {
                jobs.push((dull.get(*job), job));
                false
            }
            other => other.is_pending(),
        });
        let moved = (sends.len(), recvs.len()) != before;
        still = if moved { 0 } else { still + 1 };
    }
    assert!(sends.is_empty() || !closed && tx.len() + permits.len() >= capacity);
    assert!(recvs.is_empty() || tx.is_empty());
    assert!(sends.is_empty() || recvs.is_empty() || !permits.is_empty());
    let over = closed && permits.is_empty() && (!requeue || jobs.is_empty());
    assert!(recvs.is_empty() || !over);
    drop(sends);
    for (_, job) in jobs.drain(..) {
        job.done();
    }
    dull.in_hand = 0;
    drop(recvs);
    let mut seen = BTreeSet::new();
    while let Ok(job) = rx.try_recv() {
        assert!(seen.insert(job.1), "doubled");
        dull.get(*job);
        job.done();
    }
    assert!(dull.stored.is_empty(), "lost: {:?}", dull.stored);
    assert!(joins.iter_mut().all(|join| join.poll().is_ready()));
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
        run(ops, order, capacity, requeue);
    }
}
