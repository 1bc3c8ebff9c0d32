//! One thread against a `VecDeque`; then, under `loom_`, two threads and a question.

use std::{collections::VecDeque, ptr::NonNull};

use proptest::prelude::*;

use super::{
    deque,
    inject::{Inject, Link, Push},
};
use crate::sync::{
    Arc,
    atomic::{
        AtomicPtr, AtomicUsize,
        Ordering::{Relaxed, SeqCst},
    },
    model, thread,
};

/// A pointer that stands for a number; the deque never looks behind it.
fn item(number: usize) -> NonNull<u8> {
    NonNull::without_provenance(std::num::NonZero::new(number + 1).expect("no overflow"))
}

fn number(item: NonNull<u8>) -> usize {
    item.addr().get() - 1
}

/// Takes what is left, so that nothing is lost and nothing is there twice.
fn drain(owner: &deque::Owner<u8>) -> Vec<usize> {
    std::iter::from_fn(|| owner.pop()).map(number).collect()
}

#[test]
fn a_thief_takes_the_older_half_at_least_one_and_at_most_64() {
    // (queued, taken)
    for (queued, taken) in [
        (0, 0),
        (1, 1),
        (2, 1),
        (3, 2),
        (8, 4),
        (128, 64),
        (1000, 64),
    ] {
        let (victim, stealer) = deque::new(4);
        let (thief, _) = deque::new(4);
        (0..queued).map(item).for_each(|item| victim.push(item));
        let first = stealer.steal_into(&thief).map(number);
        let stolen: Vec<_> = first.into_iter().chain(drain(&thief)).collect();
        assert_eq!(stolen, (0..taken).collect::<Vec<_>>(), "of {queued}");
        assert_eq!(
            drain(&victim),
            (taken..queued).collect::<Vec<_>>(),
            "of {queued}"
        );
    }
}

#[test]
fn loot_goes_behind_what_the_thief_has() {
    let (victim, stealer) = deque::new(8);
    let (thief, _) = deque::new(2);
    (0..6).map(item).for_each(|item| victim.push(item));
    (10..12).map(item).for_each(|item| thief.push(item));
    assert_eq!(stealer.steal_into(&thief).map(number), Some(0));
    assert_eq!(drain(&thief), [10, 11, 1, 2]);
    assert_eq!(drain(&victim), [3, 4, 5]);
}

#[test]
#[should_panic(expected = "capacity 3 is not a power of two")]
fn odd_capacities_are_refused() {
    drop(deque::new::<u8>(3));
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Pop(usize),
    Steal,
    PopThief(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..100_usize).prop_map(Step::Push),
        (1..50_usize).prop_map(Step::Pop),
        Just(Step::Steal),
        (1..20_usize).prop_map(Step::PopThief),
    ]
}

proptest! {
    #[test]
    fn two_rings_do_what_two_vec_deques_do(steps in prop::collection::vec(step(), 0..60)) {
        let ((victim, stealer), (thief, _)) = (deque::new(2), deque::new(1));
        let (mut victim_model, mut thief_model) = (VecDeque::new(), VecDeque::new());
        let mut next = 0;
        for step in steps {
            match step {
                Step::Push(count) => for _ in 0..count {
                    victim.push(item(next));
                    victim_model.push_back(next);
                    next += 1;
                },
                Step::Pop(count) => for _ in 0..count {
                    prop_assert_eq!(victim.pop().map(number), victim_model.pop_front());
                },
                Step::Steal => {
                    let taken = victim_model.len().div_ceil(2).min(64);
                    let mut loot = victim_model.drain(..taken);
                    prop_assert_eq!(stealer.steal_into(&thief).map(number), loot.next());
                    thief_model.extend(loot);
                }
                Step::PopThief(count) => for _ in 0..count {
                    prop_assert_eq!(thief.pop().map(number), thief_model.pop_front());
                },
            }
            prop_assert_eq!(victim.len(), victim_model.len());
            prop_assert_eq!(stealer.is_empty(), victim_model.is_empty());
            prop_assert_eq!(thief.is_empty(), thief_model.is_empty());
        }
        prop_assert_eq!(VecDeque::from(drain(&victim)), victim_model);
        prop_assert_eq!(VecDeque::from(drain(&thief)), thief_model);
    }
}

/// Every number from 0 to `count` was taken exactly once.
fn assert_each_once(mut taken: Vec<usize>, count: usize) {
    taken.sort_unstable();
    assert_eq!(taken, (0..count).collect::<Vec<_>>());
}

/// A thread that steals once, and what it got.
fn thief(stealer: deque::Stealer<u8>) -> thread::JoinHandle<Vec<usize>> {
    thread::spawn(move || {
        let (own, _) = deque::new(1);
        let first = stealer.steal_into(&own).map(number);
        first.into_iter().chain(drain(&own)).collect()
    })
}

#[test]
fn loom_steal_against_pop() {
    model(|| {
        let (owner, stealer) = deque::new(4);
        (0..3).map(item).for_each(|item| owner.push(item));
        let thief = thief(stealer);
        let mut taken = drain(&owner);
        taken.extend(thief.join().expect("the thief"));
        assert_each_once(taken, 3);
    });
}

#[test]
fn loom_steal_against_push_and_grow() {
    model(|| {
        let (owner, stealer) = deque::new(1);
        owner.push(item(0));
        let thief = thief(stealer);
        // Frees a slot, writes it again, and grows twice.
        let mut taken: Vec<_> = owner.pop().map(number).into_iter().collect();
        (1..4).map(item).for_each(|item| owner.push(item));
        taken.extend(thief.join().expect("the thief"));
        taken.extend(drain(&owner));
        assert_each_once(taken, 4);
    });
}

#[test]
fn loom_two_stealers() {
    model(|| {
        let (owner, stealer) = deque::new(4);
        (0..3).map(item).for_each(|item| owner.push(item));
        let thieves = [thief(stealer.clone()), thief(stealer)];
        let mut taken: Vec<_> = thieves
            .into_iter()
            .flat_map(|thief| thief.join().expect("a thief"))
            .collect();
        taken.extend(drain(&owner));
        assert_each_once(taken, 3);
    });
}

/// An item with a link, and a number that a taker must see.
struct Node {
    link: AtomicPtr<Node>,
    /// Written Relaxed before the push: visible by the push or not at all.
    number: AtomicUsize,
}

// SAFETY: the link is a field of the node, and only the queue writes it.
unsafe impl Link for Node {
    unsafe fn link(this: NonNull<Node>) -> NonNull<AtomicPtr<Node>> {
        // SAFETY: the caller has it alive.
        let node = unsafe { this.as_ref() };
        NonNull::from(&node.link)
    }
}

/// Queues a new node.
fn push(inject: &Inject<Node>, number: usize) -> Push {
    let node = Node {
        link: AtomicPtr::default(),
        number: AtomicUsize::new(usize::MAX),
    };
    node.number.store(number, Relaxed);
    let node = NonNull::from(Box::leak(Box::new(node)));
    // SAFETY: only `take` frees it, after a chain gave it out.
    unsafe { inject.push(node) }
}

/// Frees a node that this thread has alone.
fn take(node: NonNull<Node>) -> usize {
    // SAFETY: from `push` above; the queue has given it out.
    let node = unsafe { Box::from_raw(node.as_ptr()) };
    node.number.load(Relaxed)
}

#[test]
fn pushes_are_taken_in_their_order_and_only_the_first_says_so() {
    let inject = Inject::new();
    assert!(inject.is_empty());
    assert_eq!([0, 1, 2].map(|number| push(&inject, number)), {
        [Push::First, Push::More, Push::More]
    });
    assert!(!inject.is_empty());
    assert_eq!(inject.take_all().map(take).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(push(&inject, 3), Push::First);
    assert_eq!(inject.take_all().map(take).collect::<Vec<_>>(), [3]);
}

#[test]
fn loom_inject_push_against_take() {
    model(|| {
        let inject = Arc::new(Inject::new());
        // loom runs the main thread first, and remembers one access to go back to:
        // a taker that ran first would never be tried after a push.
        let taker = {
            let inject = inject.clone();
            thread::spawn(move || inject.take_all().map(take).collect::<Vec<_>>())
        };
        let pusher = {
            let inject = inject.clone();
            thread::spawn(move || [push(&inject, 2), push(&inject, 3)])
        };
        let mut pushed = vec![push(&inject, 0), push(&inject, 1)];
        pushed.extend(pusher.join().expect("the pusher"));
        let early = taker.join().expect("the taker");
        let late: Vec<_> = inject.take_all().map(take).collect();
        let firsts = pushed
            .iter()
            .filter(|pushed| **pushed == Push::First)
            .count();
        // One "first" for each chain: each has a pusher that tells of it.
        let chains = usize::from(!early.is_empty()) + usize::from(!late.is_empty());
        assert_eq!(firsts, chains, "{early:?} {late:?}");
        let taken: Vec<_> = early.into_iter().chain(late).collect();
        // The order of each pusher is kept.
        for base in [0, 2] {
            let place = |number| taken.iter().position(|&taken| taken == number);
            assert!(place(base) < place(base + 1), "{taken:?}");
        }
        assert_each_once(taken, 4);
    });
}

#[test]
fn threads_that_push_pop_and_steal_lose_nothing() {
    const COUNT: usize = if cfg!(miri) { 200 } else { 20_000 };
    let (owner, stealer) = deque::new(2);
    let done = Arc::new(AtomicUsize::new(0));
    let thieves: Vec<_> = (0..2)
        .map(|_| {
            let (stealer, done) = (stealer.clone(), done.clone());
            thread::spawn(move || {
                let (own, _) = deque::new(1);
                let mut taken = Vec::new();
                while done.load(SeqCst) == 0 || !stealer.is_empty() {
                    taken.extend(stealer.steal_into(&own).map(number));
                    taken.extend(drain(&own));
                }
                taken
            })
        })
        .collect();
    let mut taken = Vec::new();
    for next in 0..COUNT {
        owner.push(item(next));
        if next % 3 == 0 {
            taken.extend(owner.pop().map(number));
        }
    }
    done.store(1, SeqCst);
    for thief in thieves {
        taken.extend(thief.join().expect("a thief"));
    }
    taken.extend(drain(&owner));
    assert_each_once(taken, COUNT);
}
