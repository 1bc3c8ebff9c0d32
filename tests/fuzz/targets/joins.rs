//! What waits for many futures at once, in a task that is polled only when it was woken.
//!
//! Whatever the leaves wait for, in whatever order their wakes come, with wakes that come too
//! late: it gets to its end, so no wake is lost; outputs are whole and in the order that was
//! promised; a leaf is polled only when it was woken; no more run at once than were allowed;
//! and whoever is not needed any more is dropped before the result is seen.

#![no_main]

use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wakeline::future::{as_completed, join_all, race, race_ok, try_join_all};
use wakeline::stream::{FlowExt, StreamExt};
use wakeline_fuzz::leaf::{Board, Leaf, Leaves, Plan};
use wakeline_fuzz::wakes::Count;

#[derive(Arbitrary, Debug)]
enum Kind {
    JoinAll,
    TryJoinAll,
    Race,
    RaceOk,
    AsCompleted,
    Buffered(u8),
    BufferUnordered(u8),
    Merge(u8),
    Nested(u8),
}

#[derive(Arbitrary, Debug)]
struct Input {
    kind: Kind,
    plans: Vec<(Plan, Plan)>,
    wakes: Vec<u8>,
    /// After so many polls it is dropped.
    patience: u8,
}

/// As many leaves as anybody waits for.
const MOST: usize = 100;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Polls `task` when it was woken, and else gives a wake that is owed.
fn run(mut task: Task, board: &Rc<Board>, wakes: &[u8], patience: u8) {
    let mut wakes = wakes.iter().copied();
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut polls = 0;
    waker.wake_by_ref();
    loop {
        if woken.take() == 0 {
            assert!(
                board.wake(wakes.next().unwrap_or(1)),
                "nobody wakes it any more"
            );
            continue;
        }
        if polls == patience && patience > 0 {
            break;
        }
        polls = polls.wrapping_add(1);
        if let Poll::Ready(()) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            break;
        }
    }
    drop(task);
    assert_eq!(board.live(), 0, "a leaf is left");
    while board.wake(0) {}
}

fn leaves(board: &Rc<Board>, plans: &[(Plan, Plan)]) -> Vec<Leaf> {
    let numbered = plans.iter().enumerate();
    numbered
        .map(|(number, (_, plan))| board.leaf(number, *plan))
        .collect()
}

/// What the leaf of this number gives.
fn output(plans: &[(Plan, Plan)], number: usize) -> Result<usize, usize> {
    if plans[number].1.fails {
        Err(number)
    } else {
        Ok(number)
    }
}

fn outputs(plans: &[(Plan, Plan)]) -> Vec<Result<usize, usize>> {
    (0..plans.len())
        .map(|number| output(plans, number))
        .collect()
}

async fn all_of(kind: Kind, board: Rc<Board>, plans: Vec<(Plan, Plan)>) {
    let leaves = leaves(&board, &plans);
    let expected = outputs(&plans);
    match kind {
        Kind::JoinAll => assert_eq!(join_all(leaves).await, expected),
        Kind::TryJoinAll => match try_join_all(leaves).await {
            Ok(numbers) => assert!(numbers.into_iter().map(Ok).eq(expected)),
            Err(number) => assert_eq!(expected[number], Err(number)),
        },
        Kind::Race => match race(leaves).await {
            Some((number, output)) => assert_eq!(output, expected[number]),
            None => assert!(expected.is_empty()),
        },
        Kind::RaceOk => match race_ok(leaves).await {
            Ok((number, value)) => assert_eq!((Ok(value), value), (expected[number], number)),
            Err(errors) => assert!(errors.into_iter().map(Err).eq(expected)),
        },
        Kind::Nested(width) => {
            let (width, mut groups, mut rest) = (usize::from(width % 8) + 1, Vec::new(), leaves);
            while !rest.is_empty() {
                let more = rest.split_off(rest.len().min(width));
                groups.push(join_all(rest));
                rest = more;
            }
            assert_eq!(join_all(groups).await.concat(), expected);
        }
        _ => {
            let mut stream = as_completed(leaves);
            let mut seen = BTreeSet::new();
            while let Some((number, output)) = stream.next().await {
                assert_eq!(output, expected[number]);
                assert!(seen.insert(number), "{number} twice");
                assert_eq!(stream.remaining(), expected.len() - seen.len());
            }
            assert_eq!(seen.len(), expected.len());
        }
    }
    assert_eq!(board.live(), 0, "a leaf is left when the result is there");
}

async fn stream_of(kind: Kind, board: Rc<Board>, plans: Vec<(Plan, Plan)>) {
    let source = Leaves::new(&board, 0, &plans);
    let mut got = Vec::new();
    match kind {
        Kind::Buffered(limit) => {
            let limit = usize::from(limit % 9) + 1;
            let mut stream = Box::pin(source.buffered(limit));
            while let Some(output) = stream.next().await {
                assert!(board.live() < limit.max(1), "too many at once");
                got.push(output);
            }
            assert_eq!(got, outputs(&plans));
        }
        Kind::BufferUnordered(limit) => {
            let limit = usize::from(limit % 9) + 1;
            let mut stream = Box::pin(source.buffer_unordered(limit));
            while let Some(output) = stream.next().await {
                assert!(board.live() < limit, "too many at once");
                got.push(output);
            }
        }
        Kind::Merge(at) => {
            drop(source);
            let (one, other) = plans.split_at(usize::from(at) % (plans.len() + 1));
            let one = Leaves::new(&board, 0, one);
            let other = Leaves::new(&board, plans.len() - other.len(), other);
            let mut stream = Box::pin(one.merge(other));
            while let Some(leaf) = stream.next().await {
                got.push(leaf.output());
            }
        }
        _ => unreachable!("no stream"),
    }
    got.sort_unstable_by_key(|(Ok(number) | Err(number))| *number);
    assert_eq!(got, outputs(&plans));
}

fuzz_target!(|input: Input| {
    let board = Rc::new(Board::default());
    let mut plans = input.plans;
    plans.truncate(MOST);
    let task: Task = match input.kind {
        kind @ (Kind::Buffered(_) | Kind::BufferUnordered(_) | Kind::Merge(_)) => {
            Box::pin(stream_of(kind, Rc::clone(&board), plans))
        }
        kind => Box::pin(all_of(kind, Rc::clone(&board), plans)),
    };
    run(task, &board, &input.wakes, input.patience);
});
