//! Whatever is polled, dropped and turned in whatever order: every byte
//! arrives once and in order, and nothing is left behind.

mod common;
use common::*;
use proptest::prelude::*;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeline_reactor::{Reactor, Source, op};

#[derive(Clone, Debug)]
enum Step {
    /// The peer sends this many bytes.
    Send(usize),
    /// A read of at most this many is polled once and dropped.
    Glance(usize),
    /// A read of at most this many is polled to its end, if there is something.
    Read(usize),
    /// A turn that does not sleep.
    Turn,
    /// The source is taken apart and put together again.
    Rewrap,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..200_usize).prop_map(Step::Send),
        (1..100_usize).prop_map(Step::Glance),
        (1..100_usize).prop_map(Step::Read),
        Just(Step::Turn),
        Just(Step::Rewrap),
    ]
}

fn run(reactor: &Reactor, steps: &[Step]) {
    let (mut source, mut peer) = half_pair();
    let (mut sent, mut received): (usize, Vec<u8>) = (0, Vec::new());
    for step in steps {
        match *step {
            Step::Send(n) => {
                let bytes: Vec<u8> = (sent..sent + n).map(|at| at as u8).collect();
                peer.write_all(&bytes).unwrap();
                sent += n;
            }
            Step::Glance(n) => {
                let mut buf = vec![0; n];
                let polled = poll_once(&mut Box::pin(read_some(&source, &mut buf)), Waker::noop());
                if let Poll::Ready(n) = polled {
                    received.extend_from_slice(&buf[..n.unwrap()]);
                }
            }
            Step::Read(n) if received.len() < sent => {
                let mut buf = vec![0; n];
                let n = block_on(reactor, read_some(&source, &mut buf)).unwrap();
                received.extend_from_slice(&buf[..n]);
            }
            Step::Read(_) => {}
            Step::Turn => {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            Step::Rewrap => source = Source::new(source.into_fd().unwrap()),
        }
    }
    while received.len() < sent {
        let mut buf = vec![0; 1_000];
        let n = block_on(reactor, read_some(&source, &mut buf)).unwrap();
        received.extend_from_slice(&buf[..n]);
    }
    assert_eq!(received.len(), sent);
    assert!(
        received
            .iter()
            .enumerate()
            .all(|(at, byte)| *byte == at as u8)
    );
    drop(source);
    turn_until(reactor, || reactor.metrics().armed == 0);
    assert_eq!(std::io::Read::read(&mut peer, &mut [0]).unwrap(), 0);
}

#[derive(Clone, Debug)]
enum OpStep {
    Submit,
    Send,
    /// The operation submitted this many ago is dropped, cancelled or looked at.
    Drop(usize),
    Cancel(usize),
    Look(usize),
    Turn,
}

fn op_step() -> impl Strategy<Value = OpStep> {
    prop_oneof![
        3 => Just(OpStep::Submit),
        2 => Just(OpStep::Send),
        1 => any::<usize>().prop_map(OpStep::Drop),
        1 => any::<usize>().prop_map(OpStep::Cancel),
        1 => any::<usize>().prop_map(OpStep::Look),
        2 => Just(OpStep::Turn),
    ]
}

fn run_reads(reactor: &Reactor, steps: &[OpStep]) {
    let (read, mut write) = std::io::pipe().unwrap();
    let fd = Arc::new(op::Descriptor::from(read));
    let submit = || {
        op::submit(op::Read {
            fd: Arc::clone(&fd),
            buf: Vec::with_capacity(1),
            offset: u64::MAX,
        })
    };
    let check = |result: io::Result<usize>, buf: Vec<u8>| {
        assert_eq!(result.unwrap_or(0), buf.len());
        assert_eq!(buf.capacity(), 1, "the buffer comes back");
    };
    run_ops(reactor, steps, &fd, submit, check, || {
        write.write_all(b"x").unwrap();
    });
}

fn run_writes(reactor: &Reactor, steps: &[OpStep]) {
    let (fd, mut reader) = full_pipe();
    let check = |_, buf: Vec<u8>| assert_eq!(buf, [7; 8], "the buffer comes back");
    run_ops(
        reactor,
        steps,
        &fd,
        || stuck_write(&fd),
        check,
        || {
            // Room for the next ones; it may be empty by now.
            let _ = reader.read(&mut [0; 4096]);
        },
    );
}

fn run_ops<O: op::Op>(
    reactor: &Reactor,
    steps: &[OpStep],
    fd: &Arc<op::Descriptor>,
    submit: impl Fn() -> op::InFlight<O>,
    check: impl Fn(io::Result<O::Output>, O::Back),
    mut send: impl FnMut(),
) {
    let mut ops = Vec::new();
    for step in steps {
        match *step {
            OpStep::Submit => ops.push(submit()),
            OpStep::Send => send(),
            OpStep::Turn => {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            _ if ops.is_empty() => {}
            OpStep::Drop(n) => drop(ops.swap_remove(n % ops.len())),
            OpStep::Cancel(n) => {
                let op = ops.swap_remove(n % ops.len());
                let (result, back) = block_on(reactor, op.cancel());
                check(result, back);
            }
            OpStep::Look(n) => {
                let at = n % ops.len();
                if poll_once(&mut ops[at], Waker::noop()).is_ready() {
                    drop(ops.swap_remove(at));
                }
            }
        }
    }
    drop(ops);
    turn_until(reactor, || {
        reactor.metrics().ops_in_flight == 0 && Arc::strong_count(fd) == 1
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn every_byte_arrives_once_and_in_order(steps in proptest::collection::vec(step(), 0..60)) {
        for_each_driver(|reactor| run(reactor, &steps));
    }

    #[test]
    fn no_operation_is_left_behind(steps in proptest::collection::vec(op_step(), 0..80)) {
        for_each_driver(|reactor| run_reads(reactor, &steps));
        for_each_driver(|reactor| run_writes(reactor, &steps));
    }
}
