use super::super::*;
use crate::error::Closed;
use crate::testing::{Count, poll, poll_with};
use proptest::prelude::*;
use std::task::Poll;

#[test]
fn permits_are_granted_in_the_order_of_arrival_and_nobody_barges_in() {
    let one = Semaphore::new(1);
    let held = one.try_acquire().unwrap();
    let (first_woken, first_waker) = Count::new();
    let (second_woken, second_waker) = Count::new();
    let (mut first, mut second) = (one.acquire(), one.acquire());
    assert!(poll_with(&mut first, &first_waker).is_pending());
    assert!(poll_with(&mut second, &second_waker).is_pending());

    drop(held);
    assert_eq!((first_woken.get(), second_woken.get()), (1, 0));
    assert_eq!(one.available(), 0);
    assert_eq!(one.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    assert!(poll_with(&mut second, &second_waker).is_pending());
    let Poll::Ready(Ok(permit)) = poll(&mut first) else {
        panic!("it was granted")
    };
    drop(permit);
    assert!(matches!(poll(&mut second), Poll::Ready(Ok(_))));
    assert_eq!(one.available(), 1);
}

#[test]
fn a_large_request_at_the_front_is_not_starved_by_small_ones() {
    let four = Semaphore::new(4);
    let mut held: Vec<Permit<'_>> = (0..4).map(|_| four.try_acquire().unwrap()).collect();
    let (mut large, mut small) = (four.acquire_many(3), four.acquire());
    assert!(poll(&mut large).is_pending());
    assert!(poll(&mut small).is_pending());
    for _ in 0..2 {
        held.pop();
        assert!(poll(&mut large).is_pending());
        assert!(poll(&mut small).is_pending());
        assert_eq!(four.available(), 0, "collected by the front");
    }
    held.pop();
    assert!(matches!(poll(&mut large), Poll::Ready(Ok(permit)) if permit.permits() == 3));
    assert!(matches!(poll(&mut small), Poll::Ready(Ok(_))));
}

#[test]
fn what_the_front_had_collected_goes_to_the_next_when_it_gives_up() {
    let three = Semaphore::new(3);
    let held = three.try_acquire().unwrap();
    let (woken, waker) = Count::new();
    let (mut large, mut small) = (three.acquire_many(3), three.acquire());
    assert!(poll(&mut large).is_pending()); // has two of three
    assert!(poll_with(&mut small, &waker).is_pending());
    drop(large);
    assert_eq!(woken.get(), 1);
    assert!(matches!(poll(&mut small), Poll::Ready(Ok(_))));
    assert_eq!(three.available(), 2);
    drop(held);
    assert_eq!(three.available(), 3);
}

#[test]
fn a_grant_that_was_never_seen_is_handed_on() {
    let one = Semaphore::new(1);
    let held = one.try_acquire().unwrap();
    let (woken, waker) = Count::new();
    let (mut first, mut second) = (one.acquire(), one.acquire());
    assert!(poll(&mut first).is_pending());
    assert!(poll_with(&mut second, &waker).is_pending());
    drop(held); // granted to the first
    drop(first);
    assert_eq!(woken.get(), 1);
    drop(second);
    assert_eq!(one.available(), 1);
}

#[test]
fn a_waiter_that_leaves_the_middle_is_passed_over() {
    let none = Semaphore::new(0);
    let (mut a, mut b, mut c) = (none.acquire(), none.acquire(), none.acquire());
    for waiter in [&mut a, &mut b, &mut c] {
        assert!(poll(waiter).is_pending());
    }
    drop(b);
    none.add_permits(2);
    assert!(matches!(poll(&mut a), Poll::Ready(Ok(_))));
    assert!(matches!(poll(&mut c), Poll::Ready(Ok(_))));
}

#[test]
fn only_the_latest_waker_is_woken() {
    let none = Semaphore::new(0);
    let (old_woken, old) = Count::new();
    let (new_woken, new) = Count::new();
    let mut acquire = none.acquire();
    assert!(poll_with(&mut acquire, &old).is_pending());
    assert!(poll_with(&mut acquire, &new).is_pending());
    none.add_permits(1);
    assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
}

#[test]
fn close_fails_those_who_wait_and_those_who_come_and_permits_still_come_back() {
    let two = Semaphore::new(2);
    let held = two.try_acquire().unwrap();
    let (woken, waker) = Count::new();
    let mut both = two.acquire_many(2);
    assert!(poll_with(&mut both, &waker).is_pending());
    two.close();
    assert_eq!(woken.get(), 1);
    assert!(matches!(poll(&mut both), Poll::Ready(Err(Closed(())))));
    assert!(matches!(poll(&mut two.acquire()), Poll::Ready(Err(_))));
    assert_eq!(two.try_acquire().unwrap_err(), TryAcquireError::Closed);
    drop(held);
    assert_eq!(two.available(), 2);
    assert!(two.is_closed());
}

#[test]
fn a_permit_granted_before_the_close_is_valid() {
    let none = Semaphore::new(0);
    let mut acquire = none.acquire();
    assert!(poll(&mut acquire).is_pending());
    none.add_permits(1);
    none.close();
    assert!(matches!(poll(&mut acquire), Poll::Ready(Ok(_))));
}

#[test]
fn nothing_is_ready_at_once_also_behind_a_queue() {
    let none = Semaphore::new(0);
    let mut waiting = none.acquire();
    assert!(poll(&mut waiting).is_pending());
    assert!(matches!(
        poll(&mut none.acquire_many(0)),
        Poll::Ready(Ok(_))
    ));
}

#[test]
fn permits_can_be_forgotten_split_and_added() {
    let five = Semaphore::new(5);
    let mut permit = five.try_acquire_many(4).unwrap();
    let two = permit.split(2).unwrap();
    assert!(permit.split(3).is_none());
    drop(permit);
    assert_eq!(five.available(), 3);
    two.forget();
    assert_eq!(five.forget_permits(10), 3);
    five.add_permits(1);
    assert_eq!(five.available(), 1);
}

#[test]
fn a_bounded_semaphore_refuses_more_than_it_had() {
    let two = Semaphore::bounded(2);
    assert!(two.try_add_permits(1).is_err());
    let held = two.try_acquire().unwrap();
    assert!(two.try_add_permits(1).is_err(), "it will come back");
    let (mut waits, waker) = (two.acquire_many(2), Count::new().1);
    assert!(poll_with(&mut waits, &waker).is_pending());
    assert!(two.try_add_permits(1).is_err(), "one is collected");
    held.forget();
    assert!(two.try_add_permits(2).is_err());
    assert_eq!(two.try_add_permits(1), Ok(()));
    assert!(matches!(poll(&mut waits), Poll::Ready(Ok(_))));
    assert_eq!(two.forget_permits(5), 2);
    two.add_permits(2);
    assert!(two.try_add_permits(usize::MAX).is_err(), "no overflow");
}

#[test]
#[should_panic(expected = "1 permits more than 3 are too many")]
fn to_add_over_the_bound_panics_and_says_by_how_much() {
    Semaphore::bounded(3).add_permits(1);
}

#[test]
#[should_panic(expected = "3 permits at once never come out of a semaphore bounded to 2")]
fn a_request_above_the_bound_panics() {
    drop(Semaphore::bounded(2).acquire_many(3));
}

#[test]
#[should_panic(expected = "3 permits at once never come out of a semaphore bounded to 2")]
fn an_owned_request_above_the_bound_panics() {
    drop(Arc::new(Semaphore::bounded(2)).acquire_many_owned(3));
}

#[test]
fn a_request_of_the_whole_bound_is_granted() {
    let two = Semaphore::bounded(2);
    assert!(matches!(poll(&mut two.acquire_many(2)), Poll::Ready(Ok(_))));
}

#[test]
fn permits_that_are_held_count_towards_the_most_there_can_be() {
    let full = Semaphore::new(Semaphore::MAX_PERMITS);
    let _all = full.try_acquire_many(Semaphore::MAX_PERMITS).unwrap();
    assert!(full.try_add_permits(1).is_err());
}

#[test]
fn permits_can_be_merged_and_come_back_once() {
    let five = Arc::new(Semaphore::new(5));
    let mut permit = five.try_acquire_many_owned(2).unwrap();
    permit.merge(five.try_acquire_owned().unwrap());
    assert_eq!((permit.permits(), five.available()), (3, 2));
    drop(permit);
    assert_eq!(five.available(), 5);
}

#[test]
#[should_panic(expected = "two semaphores")]
fn permits_of_two_semaphores_are_not_merged() {
    let (one, other) = (Semaphore::new(1), Semaphore::new(1));
    let mut permit = one.try_acquire().unwrap();
    permit.merge(other.try_acquire().unwrap());
}

#[test]
fn an_owned_permit_keeps_the_semaphore_alive() {
    let one = Arc::new(Semaphore::new(1));
    let mut acquire = one.acquire_owned();
    let Poll::Ready(Ok(permit)) = poll(&mut acquire) else {
        panic!("there is one")
    };
    drop((one, acquire));
    assert_eq!(permit.semaphore().available(), 0);
    assert_eq!(Arc::strong_count(permit.semaphore()), 1);
}

#[test]
#[should_panic(expected = "at most")]
fn more_than_can_be_counted_is_refused() {
    let _ = Semaphore::new(Semaphore::MAX_PERMITS + 1);
}

#[derive(Clone, Debug)]
enum Step {
    Acquire(usize),
    Poll(usize),
    GiveUp(usize),
    Release(usize),
    Add(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0_usize..5).prop_map(Step::Acquire),
        4 => any::<usize>().prop_map(Step::Poll),
        2 => any::<usize>().prop_map(Step::GiveUp),
        3 => any::<usize>().prop_map(Step::Release),
        1 => (0_usize..3).prop_map(Step::Add),
    ];
    proptest::collection::vec(step, 1..150)
}

/// The same rules on a list that is searched from the front.
#[derive(Default)]
struct Dull {
    available: usize,
    /// (who, missing)
    queue: Vec<(usize, usize)>,
}

impl Dull {
    fn give(&mut self, permits: usize) {
        self.available += permits;
        while let Some((_, missing)) = self.queue.first_mut() {
            let part = self.available.min(*missing);
            *missing -= part;
            self.available -= part;
            if *missing != 0 {
                return;
            }
            self.queue.remove(0);
        }
    }

    fn is_queued(&self, who: usize) -> bool {
        self.queue.iter().any(|(queued, _)| *queued == who)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 500 }))]

    #[test]
    fn does_what_a_searched_list_does(start in 0_usize..4, steps in steps()) {
        let semaphore = Semaphore::new(start);
        let mut dull = Dull { available: start, ..Dull::default() };
        // (who, asked for, future)
        let mut waiting: Vec<(usize, usize, Acquire<'_>)> = Vec::new();
        let mut held: Vec<Permit<'_>> = Vec::new();
        for (who, step) in steps.into_iter().enumerate() {
            match step {
                Step::Acquire(permits) => {
                    let mut future = semaphore.acquire_many(permits);
                    let at_once = permits == 0 || (dull.queue.is_empty() && dull.available >= permits);
                    match poll(&mut future) {
                        Poll::Ready(Ok(permit)) => { prop_assert!(at_once); held.push(permit); }
                        Poll::Ready(Err(_)) => prop_assert!(false, "not closed"),
                        Poll::Pending => prop_assert!(!at_once),
                    }
                    if at_once {
                        dull.available -= permits;
                    } else {
                        dull.queue.push((who, permits));
                        dull.give(0);
                        waiting.push((who, permits, future));
                    }
                }
                Step::Poll(which) if !waiting.is_empty() => {
                    let at = which % waiting.len();
                    let (who, _, future) = &mut waiting[at];
                    match poll(future) {
                        Poll::Ready(Ok(permit)) => {
                            prop_assert!(!dull.is_queued(*who));
                            held.push(permit);
                            drop(waiting.remove(at));
                        }
                        Poll::Ready(Err(_)) => prop_assert!(false, "not closed"),
                        Poll::Pending => prop_assert!(dull.is_queued(*who)),
                    }
                }
                Step::GiveUp(which) if !waiting.is_empty() => {
                    let (who, permits, future) = waiting.remove(which % waiting.len());
                    drop(future);
                    let missing = dull.queue.iter().find(|(queued, _)| *queued == who).map_or(0, |(_, missing)| *missing);
                    dull.queue.retain(|(queued, _)| *queued != who);
                    dull.give(permits - missing);
                }
                Step::Release(which) if !held.is_empty() => {
                    let permit = held.swap_remove(which % held.len());
                    dull.give(permit.permits());
                    drop(permit);
                }
                Step::Add(permits) => {
                    semaphore.add_permits(permits);
                    dull.give(permits);
                }
                Step::Poll(_) | Step::GiveUp(_) | Step::Release(_) => {}
            }
            prop_assert_eq!(semaphore.available(), dull.available);
        }
    }
}

#[test]
fn what_was_collected_is_given_back_by_a_close_once() {
    // By a hand-over in a crowd.
    let none = Semaphore::new(0);
    let (mut both, mut one, mut other) = (none.acquire_many(2), none.acquire(), none.acquire());
    assert!(
        poll(&mut both).is_pending()
            && poll(&mut one).is_pending()
            && poll(&mut other).is_pending()
    );
    none.add_permits(1);
    none.add_permits(1);
    none.close();
    assert_eq!(none.available(), 0);
    // By one that brings more than the front needs.
    let none = Semaphore::new(0);
    let (mut both, mut four) = (none.acquire_many(2), none.acquire_many(4));
    assert!(poll(&mut both).is_pending() && poll(&mut four).is_pending());
    none.add_permits(1);
    none.add_permits(4);
    none.close();
    assert_eq!(none.available(), 3);
    // By one that gives up.
    let none = Semaphore::new(0);
    let (mut both, mut three) = (none.acquire_many(2), none.acquire_many(3));
    assert!(poll(&mut both).is_pending() && poll(&mut three).is_pending());
    none.add_permits(1);
    drop(both);
    none.close();
    assert_eq!(none.available(), 1);
}
