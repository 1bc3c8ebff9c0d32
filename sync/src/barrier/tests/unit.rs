use super::super::*;
use crate::error::Broken;
use crate::testing::{Count, poll, poll_with};
use std::task::Poll;

type Outcome = Poll<Result<BarrierWaitResult, Broken>>;

fn leads(outcome: Outcome) -> Option<bool> {
    match outcome {
        Poll::Ready(Ok(result)) => Some(result.is_leader()),
        Poll::Ready(Err(Broken(()))) | Poll::Pending => None,
    }
}

fn is_broken(outcome: Outcome) -> bool {
    matches!(outcome, Poll::Ready(Err(Broken(()))))
}

#[test]
fn each_round_ends_for_those_who_came_to_it_and_one_leads() {
    let barrier = Barrier::new(3);
    let (woken, waker) = Count::new();
    for round in 1..=3 {
        let mut waits: Vec<_> = (0..3).map(|_| barrier.wait()).collect();
        assert!(poll_with(&mut waits[0], &waker).is_pending());
        assert!(poll_with(&mut waits[1], &waker).is_pending());
        assert_eq!(barrier.waiting(), 2);
        assert_eq!(leads(poll(&mut waits[2])), Some(true));
        assert_eq!(woken.get(), 2 * round);
        assert_eq!(leads(poll(&mut waits[1])), Some(false));
        assert_eq!(leads(poll(&mut waits[0])), Some(false));
    }
}

#[test]
fn one_who_comes_again_before_the_others_have_left_waits_for_the_next_round() {
    let barrier = Barrier::new(2);
    let (mut slow, mut quick) = (barrier.wait(), barrier.wait());
    assert!(poll(&mut slow).is_pending());
    assert_eq!(leads(poll(&mut quick)), Some(true));
    let mut again = barrier.wait();
    assert!(poll(&mut again).is_pending());
    assert_eq!(leads(poll(&mut slow)), Some(false));
    assert!(poll(&mut again).is_pending());
}

#[test]
fn for_one_or_none_it_does_not_wait() {
    for parties in [0, 1] {
        let barrier = Barrier::new(parties);
        for _ in 0..3 {
            assert_eq!(leads(poll(&mut barrier.wait())), Some(true));
        }
    }
}

#[test]
fn one_who_gives_up_leaves_the_count_unless_the_round_has_ended() {
    let barrier = Barrier::new(2);
    let mut gives_up = barrier.wait();
    assert!(poll(&mut gives_up).is_pending());
    drop(gives_up);
    let mut first = barrier.wait();
    assert!(poll(&mut first).is_pending(), "the other one left");
    assert_eq!(leads(poll(&mut barrier.wait())), Some(true));
    drop(first); // did not see that it was let go
    assert_eq!(barrier.waiting(), 0);
    assert!(poll(&mut barrier.wait()).is_pending());
}

#[test]
fn an_abort_fails_those_who_wait_and_who_come_until_the_reset() {
    let barrier = Barrier::new(3);
    let (woken, waker) = Count::new();
    let (mut first, mut second) = (barrier.wait(), barrier.wait());
    assert!(poll_with(&mut first, &waker).is_pending());
    assert!(poll_with(&mut second, &waker).is_pending());
    barrier.abort();
    barrier.abort();
    assert_eq!((woken.get(), barrier.waiting()), (2, 0));
    assert!(is_broken(poll(&mut first)) && is_broken(poll(&mut barrier.wait())));
    barrier.reset();
    assert!(poll(&mut barrier.wait()).is_pending());
    assert!(is_broken(poll(&mut second)), "it waited at the abort");
}

#[test]
fn one_who_failed_is_not_saved_by_the_end_of_a_later_round() {
    let barrier = Barrier::new(2);
    let (mut slow, mut dropped) = (barrier.wait(), Barrier::wait(&barrier));
    assert!(poll(&mut slow).is_pending());
    barrier.reset();
    assert!(poll(&mut dropped).is_pending());
    barrier.reset();
    drop(dropped);
    let mut later = barrier.wait();
    assert!(poll(&mut later).is_pending());
    assert_eq!(leads(poll(&mut barrier.wait())), Some(true));
    assert!(is_broken(poll(&mut slow)));
    assert_eq!(leads(poll(&mut later)), Some(false));
    assert!(barrier.list.lock().state().failed.is_empty());
}

#[test]
fn a_round_that_ended_before_the_abort_has_ended_well() {
    let barrier = Barrier::new(2);
    let mut first = barrier.wait();
    assert!(poll(&mut first).is_pending());
    assert_eq!(leads(poll(&mut barrier.wait())), Some(true));
    barrier.abort();
    assert_eq!(leads(poll(&mut first)), Some(false));
}
