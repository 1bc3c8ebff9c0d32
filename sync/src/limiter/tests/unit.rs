use super::super::*;
use crate::testing::{Count, poll, poll_with};
use proptest::prelude::*;

#[test]
fn permits_go_to_those_who_wait_in_the_order_of_arrival() {
    let one = Limiter::new(1);
    let held = one.try_acquire().unwrap();
    let (mut first, mut second) = (one.acquire(), one.acquire());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    drop(held);
    assert!(one.try_acquire().is_err(), "it is granted");
    assert!(poll(&mut second).is_pending());
    assert!(poll(&mut first).is_ready()); // and dropped
    assert!(poll(&mut second).is_ready());
    assert_eq!((one.borrowed(), one.available()), (0, 1));
}

#[test]
fn a_larger_limit_lets_in_as_many_as_it_has_room_for() {
    let limiter = Limiter::new(0);
    let (woken, waker) = Count::new();
    let mut waits: Vec<_> = (0..3).map(|_| limiter.acquire()).collect();
    for wait in &mut waits {
        assert!(poll_with(wait, &waker).is_pending());
    }
    limiter.set_total(2);
    assert_eq!((woken.get(), limiter.borrowed()), (2, 2));
    limiter.set_total(usize::MAX);
    assert_eq!(woken.get(), 3);
    assert!(waits.iter_mut().all(|wait| poll(wait).is_ready()));
    assert_eq!(limiter.available(), usize::MAX);
}

#[test]
fn a_smaller_limit_takes_nothing_away_and_lets_nobody_in_until_there_are_fewer() {
    let limiter = Limiter::new(3);
    let mut held: Vec<_> = (0..3).map(|_| limiter.try_acquire().unwrap()).collect();
    let mut waits = limiter.acquire();
    assert!(poll(&mut waits).is_pending());
    limiter.set_total(1);
    for borrowed in [2, 1] {
        held.pop();
        assert_eq!((limiter.borrowed(), limiter.available()), (borrowed, 0));
        assert!(poll(&mut waits).is_pending());
    }
    held.pop();
    assert!(poll(&mut waits).is_ready());
}

#[test]
fn a_permit_that_was_granted_and_not_seen_goes_to_the_next() {
    let one = Arc::new(Limiter::new(1));
    let held = one.try_acquire_owned().unwrap();
    let (woken, waker) = Count::new();
    let (mut first, mut second) = (one.acquire_owned(), one.acquire());
    assert!(poll(&mut first).is_pending());
    assert!(poll_with(&mut second, &waker).is_pending());
    assert_eq!(Arc::strong_count(held.limiter()), 3);
    drop(held);
    drop(first);
    assert_eq!(woken.get(), 1);
    drop(second);
    assert_eq!(one.borrowed(), 0);
}

#[test]
fn a_permit_that_was_granted_stays_when_the_limit_shrinks_but_is_not_handed_on() {
    let limiter = Limiter::new(1);
    let held = limiter.try_acquire().unwrap();
    let (mut first, mut second) = (limiter.acquire(), limiter.acquire());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    drop(held);
    limiter.set_total(0);
    drop(first);
    assert!(poll(&mut second).is_pending());
    limiter.set_total(1);
    assert!(poll(&mut second).is_ready());
}

#[test]
fn only_the_latest_waker_is_woken() {
    let limiter = Limiter::new(0);
    let ((old_woken, old), (new_woken, new)) = (Count::new(), Count::new());
    let mut wait = limiter.acquire();
    assert!(poll_with(&mut wait, &old).is_pending());
    assert!(poll_with(&mut wait, &new).is_pending());
    limiter.set_total(1);
    assert_eq!((old_woken.get(), new_woken.get()), (0, 1));
}

#[derive(Clone, Debug)]
enum Step {
    Acquire,
    GiveUp(usize),
    Release(usize),
    SetTotal(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Acquire),
        2 => any::<usize>().prop_map(Step::GiveUp),
        3 => any::<usize>().prop_map(Step::Release),
        2 => (0_usize..4).prop_map(Step::SetTotal),
    ];
    proptest::collection::vec(step, 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 300 }))]

    #[test]
    fn nobody_waits_while_there_is_room_and_nobody_is_lost(steps in steps()) {
        let limiter = Limiter::new(1);
        let (mut waits, mut held) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Acquire => waits.push(limiter.acquire()),
                Step::GiveUp(which) if !waits.is_empty() => drop(waits.remove(which % waits.len())),
                Step::Release(which) if !held.is_empty() => drop(held.remove(which % held.len())),
                Step::SetTotal(total) => limiter.set_total(total),
                Step::GiveUp(_) | Step::Release(_) => {}
            }
            let before = held.len();
            let mut let_in_so_far = true;
            waits.retain_mut(|wait| match poll(wait) {
                std::task::Poll::Ready(permit) => {
                    assert!(let_in_so_far, "it overtook one who waits");
                    held.push(permit);
                    false
                }
                std::task::Poll::Pending => {
                    let_in_so_far = false;
                    true
                }
            });
            prop_assert_eq!(limiter.borrowed(), held.len());
            prop_assert!(held.len() <= before.max(limiter.total()), "above the limit");
            prop_assert!(waits.is_empty() || limiter.available() == 0);
        }
    }
}
